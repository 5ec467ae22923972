//! From the layout that `abi_stable` keeps of a type to text.
//!
//! A function pointer's layout has the parameters' and the answer's layouts, their lifetimes, and whether it is `unsafe`.
//! It does not have the ABI: the derive takes `extern "C"` and no other.

use std::{collections::BTreeMap, fmt::Write as _};

use abi_stable::type_layout::{
    DiscriminantRepr, FieldAccessor, LifetimeArrayOrSlice, LifetimeIndex, ReprAttr, TLData, TLEnum, TLField,
    TLFields, TLFunction, TLPrefixType, TLPrimitive, Tag, TypeLayout,
};
use sha2::{Digest, Sha256};

use crate::snapshot::{Function, Side, Snapshot};

/// The package whose types are not marked with where they are from.
const OWN_PACKAGE: &str = "streamspace-plugin";

/// Definitions by the types' names.
pub(crate) type Types = BTreeMap<String, String>;

/// The snapshot of the table behind `table_ref`, the layout of a `…Ref` type.
///
/// # Panics
///
/// When the table is not one of functions alone, or two types have one name.
pub(crate) fn snapshot(id: &str, side: Side, since: &str, table_ref: &TypeLayout) -> Snapshot {
    let table = behind(table_ref);
    let TLData::PrefixType(prefix) = table.data() else {
        panic!("`{}` is not of `#[sabi(kind(Prefix))]`", table.name())
    };
    assert_eq!(
        prefix.conditional_prefix_fields.bits(),
        0,
        "`{}` has functions that are there only under a condition",
        table.name()
    );
    let mut types = Types::new();
    let first_version = usize::from(prefix.first_suffix_field);
    let functions = prefix.fields.iter().enumerate().map(|(index, field)| {
        let path = format!("{}::{}", table.name(), field.name());
        assert!(field.is_function(), "`{path}` is not a function");
        assert!(
            index < first_version || field.field_accessor() == FieldAccessor::MethodOption,
            "`{path}` does not read as an `Option`: make it public, and the table `#[sabi(missing_field(option))]`"
        );
        let signature = signature(&field.function_range().index(0));
        let mut reached = Types::new();
        reach_in_field(&field, &mut reached);
        // Also into those of the whole table, to notice two types of one name.
        reach_in_field(&field, &mut types);
        let digest = digest(&format!("{}: {signature}", field.name()), &reached);
        let reaches = reached.into_keys().collect();
        Function { digest, name: field.name().to_owned(), signature, reaches }
    });
    let functions = functions.collect();
    // The name and the alignment of the table itself are compared when it is bound. Its size is not: tables grow.
    let line = format!(
        "  {}: the table, align {}, {}",
        table.name(),
        table.alignment(),
        properties(table).join(", ")
    );
    assert!(
        types.insert(table.name().to_owned(), line).is_none(),
        "a function of the table reaches the table"
    );
    Snapshot { id: id.to_owned(), side, since: since.to_owned(), functions, first_version, types }
}

/// Every type that `layout` reaches, itself included.
pub(crate) fn reached(layout: &TypeLayout) -> Types {
    let mut types = Types::new();
    reach(layout, &mut types);
    types
}

/// What the one type that `reference` was given is: the table of a `…Ref`, the `T` of a `&T`.
pub(crate) fn behind(reference: &TypeLayout) -> &'static TypeLayout {
    let [behind] = reference.generics().type_params() else {
        panic!("`{}` is not a reference", reference.name())
    };
    behind()
}

fn digest(signature: &str, types: &Types) -> String {
    let mut hash = Sha256::new_with_prefix(signature);
    for definition in types.values() {
        hash.update("\n");
        hash.update(definition);
    }
    hash.finalize().iter().take(4).fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Adds `layout` and every type that it reaches. Primitives, pointers and what is opaque have no definition of their own.
fn reach(layout: &TypeLayout, types: &mut Types) {
    if !is_leaf(layout) {
        let (name, definition) = (name(layout), definition(layout));
        if let Some(known) = types.get(&name) {
            assert_eq!(*known, definition, "two types that one table reaches are called `{name}`");
            return;
        }
        types.insert(name, definition);
    }
    for field in layout.phantom_fields().iter().chain(layout.get_fields().iter().flat_map(TLFields::iter)) {
        reach_in_field(&field, types);
    }
}

fn reach_in_field(field: &TLField, types: &mut Types) {
    reach(field.layout(), types);
    for function in field.function_range() {
        let parameters = function.param_type_layouts.iter();
        parameters.chain(function.return_type_layout()).for_each(|layout| reach(layout(), types));
    }
}

fn is_leaf(layout: &TypeLayout) -> bool {
    matches!(layout.data(), TLData::Primitive(_) | TLData::Opaque) || is_unit(layout)
}

fn is_unit(layout: &TypeLayout) -> bool {
    layout.name() == "()"
}

/// The type as it is written, without lifetimes.
fn name(layout: &TypeLayout) -> String {
    let mut arguments = arguments(layout);
    let constants = layout.generics().const_params().iter().map(|constant| format!("{constant:?}"));
    match layout.data() {
        TLData::Primitive(TLPrimitive::SharedRef) => return format!("&{}", arguments.concat()),
        TLData::Primitive(TLPrimitive::MutRef) => return format!("&mut {}", arguments.concat()),
        TLData::Primitive(TLPrimitive::ConstPtr) => return format!("*const {}", arguments.concat()),
        TLData::Primitive(TLPrimitive::MutPtr) => return format!("*mut {}", arguments.concat()),
        TLData::Primitive(TLPrimitive::Array) => {
            return format!("[{}; {}]", arguments.concat(), constants.collect::<String>());
        }
        TLData::Opaque => return format!("opaque of {}", extent(layout)),
        _ => {}
    }
    // As the sources of the tables write it.
    if layout.name() == "RResult" && arguments.get(1).is_some_and(|error| error == "Fault") {
        return format!("Outcome<{}>", arguments[0]);
    }
    arguments.extend(constants);
    if arguments.is_empty() {
        layout.name().to_owned()
    } else {
        format!("{}<{}>", layout.name(), arguments.join(", "))
    }
}

/// The names of the types that a generic type was given.
///
/// The layout of a type with `derive(StableAbi)` does not have them. Those of `abi_stable`'s own types are to be seen in
/// their fields. Another generic type is known by its bare name, which two of its kind in one table cannot share.
fn arguments(layout: &TypeLayout) -> Vec<String> {
    let known = layout.generics();
    if !known.type_params().is_empty() || layout.package() != "abi_stable" {
        return known.type_params().iter().map(|layout| name(layout())).collect();
    }
    let mut fields = layout.get_fields().into_iter().flat_map(|fields| fields.to_vec());
    if let TLData::Enum(_) = layout.data() {
        return fields.map(|field| name(field.layout())).collect();
    }
    if layout.name() == "RSliceMut" {
        // Its marker is a type of its own. Its pointer says as much.
        let pointer = fields.find(|field| field.name() == "data").expect("a slice has a pointer");
        return vec![name(behind(pointer.layout()))];
    }
    let Some(marker) = fields.find(|field| field.name() == "_marker") else {
        return Vec::new();
    };
    let mut given = behind(marker.layout());
    if known.lifetime_count() > 0 {
        // What is borrowed is marked with `PhantomData<&T>`.
        given = behind(given);
    }
    vec![name(given)]
}

fn definition(layout: &TypeLayout) -> String {
    let mut out = format!("  {}: {}, {}", name(layout), extent(layout), properties(layout).join(", "));
    for field in layout.phantom_fields() {
        let _ = write!(out, "\n    phantom {}", field_line(&field));
    }
    match layout.data() {
        TLData::Primitive(_) | TLData::Opaque => {}
        TLData::Struct { fields } | TLData::Union { fields } => {
            for field in fields {
                let _ = write!(out, "\n    {}", field_line(&field));
            }
        }
        TLData::Enum(variants) => write_variants(&mut out, &variants),
        TLData::PrefixType(prefix) => write_prefix_fields(&mut out, &prefix),
    }
    out
}

fn extent(layout: &TypeLayout) -> String {
    let unit = if layout.size() == 1 { "byte" } else { "bytes" };
    format!("{} {unit}, align {}", layout.size(), layout.alignment())
}

/// Representation, origin, and what else is compared of a type when its table is bound.
fn properties(layout: &TypeLayout) -> Vec<String> {
    let mut out = vec![representation(layout.repr_attr())];
    match layout.data() {
        TLData::Union { .. } => out.push("union".to_owned()),
        TLData::PrefixType(_) => out.push("prefix kind".to_owned()),
        TLData::Enum(variants) if variants.exhaustiveness.is_nonexhaustive() => {
            out.push("non-exhaustive".to_owned());
        }
        _ => {}
    }
    if layout.is_nonzero() {
        out.push("never zero".to_owned());
    }
    if layout.package() != OWN_PACKAGE {
        out.push(format!("of {}", origin(layout)));
    }
    if layout.tag() != Tag::NULL {
        out.push(format!("tag {:?}", layout.tag().to_string()));
    }
    if layout.extra_checks().is_some() {
        out.push("with checks of its own".to_owned());
    }
    out
}

/// The package, with as much of its version as is compared.
fn origin(layout: &TypeLayout) -> String {
    let (package, version) = layout.package_and_version();
    let mut numbers = version.version.as_str().split('.');
    match (numbers.next(), numbers.next()) {
        (Some("0"), Some(minor)) => format!("{package} 0.{minor}"),
        (Some(major), _) => format!("{package} {major}"),
        (None, _) => package.to_string(),
    }
}

fn representation(attribute: ReprAttr) -> String {
    match attribute {
        ReprAttr::C => "C".to_owned(),
        ReprAttr::CAndInt(discriminant) => format!("C, {}", integer(discriminant)),
        ReprAttr::Int(discriminant) => integer(discriminant),
        ReprAttr::Transparent => "transparent".to_owned(),
        ReprAttr::OptionNonZero => "zero for nothing".to_owned(),
        ReprAttr::Primitive => "primitive".to_owned(),
        ReprAttr::Packed { alignment_power_of_two } => {
            format!("C, packed({})", 1_u64 << alignment_power_of_two)
        }
    }
}

fn integer(discriminant: DiscriminantRepr) -> String {
    format!("{discriminant:?}").to_lowercase()
}

fn write_variants(out: &mut String, variants: &TLEnum) {
    // They are to be had as a `Debug` form only.
    let numbers = format!("{:?}", variants.discriminants);
    let numbers = numbers.trim_matches(['[', ']']).split(", ");
    let mut fields = variants.fields.iter();
    let counts = variants.field_count.iter().map(|count| usize::from(*count));
    for ((name, number), count) in variants.variant_names_iter().zip(numbers).zip(counts) {
        let _ = write!(out, "\n    {number} {name}");
        for field in fields.by_ref().take(count) {
            let _ = write!(out, "\n      {}", field_line(&field));
        }
    }
}

fn write_prefix_fields(out: &mut String, prefix: &TLPrefixType) {
    for (index, field) in prefix.fields.iter().enumerate() {
        let _ = write!(out, "\n    {}", field_line(&field));
        if prefix.conditional_prefix_fields.at(index).is_conditional() {
            out.push_str(", under a condition");
        }
        if index + 1 == usize::from(prefix.first_suffix_field) {
            out.push_str("\n    -------- end of the prefix");
        }
    }
}

fn field_line(field: &TLField) -> String {
    let field_name = field.name().strip_prefix("field_").unwrap_or(field.name());
    if field.is_function() {
        return format!("{field_name}: {}", signature(&field.function_range().index(0)));
    }
    let mut line = format!("{field_name}: {}", name(field.layout()));
    // A function pointer inside of another type: `Option<extern "C" fn()>`.
    for function in field.function_range() {
        let _ = write!(line, ", with {}", signature(&function));
    }
    line + &lifetimes(field.lifetime_indices(), LifetimeIndex::Param(0))
}

fn signature(function: &TLFunction) -> String {
    let parameters: Vec<String> = function.param_type_layouts.iter().map(|layout| name(layout())).collect();
    let prefix = if function.fn_qualifs.is_unsafe() { "unsafe " } else { "" };
    let mut line = format!("{prefix}extern \"C\" fn({})", parameters.join(", "));
    if let Some(answer) = function.return_type_layout()
        && !is_unit(answer())
    {
        let _ = write!(line, " -> {}", name(answer()));
    }
    // Their names are compared as well, and the derive keeps them as one text.
    let names = function.param_names.trim_matches([',', ';']);
    if !names.is_empty() {
        let _ = write!(line, ", parameters {names}");
    }
    line + &lifetimes(function.paramret_lifetime_indices, LifetimeIndex::ANONYMOUS)
}

/// Lifetimes, which are compared as well, where one is not the `usual` one.
fn lifetimes(indices: LifetimeArrayOrSlice<'_>, usual: LifetimeIndex) -> String {
    let indices = indices.iter().flat_map(|pair| [pair.first(), pair.second()]);
    let indices: Vec<LifetimeIndex> = indices.filter(|index| *index != LifetimeIndex::NONE).collect();
    if indices.iter().all(|index| *index == usual) {
        return String::new();
    }
    let indices: Vec<String> = indices.iter().map(ToString::to_string).collect();
    format!(", lifetimes {}", indices.join(" "))
}
