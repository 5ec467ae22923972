//! Every rule, on tables that are made up: what `v1` published, and what may have become of it.

#![expect(dead_code, reason = "of these tables only the layout is used")]
#![expect(unreachable_pub, reason = "a published function is public, which the layout records")]
#![expect(
    unsafe_code,
    reason = "the derive's accessor of an appended function has an unsafe block with the span of the field"
)]

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    std_types::{RStr, RString},
    type_layout::TypeLayout,
};
use streamspace_plugin::abi::{Handle, Outcome};

use crate::{
    compare::{Verdict, compare, compare_root},
    render,
    snapshot::{Side, Snapshot},
};

/// A version of the table: what is in the type `Point`, and the functions.
macro_rules! version {
    ($version:ident, { $($field:tt)* } $($function:tt)*) => {
        mod $version {
            use super::*;

            #[repr(C)]
            #[derive(StableAbi)]
            pub struct Point {
                $($field)*
            }

            #[repr(C)]
            #[derive(StableAbi)]
            #[sabi(kind(Prefix(prefix_ref = MadeUpRef)))]
            #[sabi(missing_field(option))]
            pub struct MadeUp {
                $($function)*
            }
        }
    };
}

version! { v1, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_appended, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
    pub third: extern "C" fn(Handle) -> Outcome<RString>,
}

version! { v1_appended_twice, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
    pub third: extern "C" fn(Handle) -> Outcome<RString>,
    pub fourth: extern "C" fn(Handle),
}

version! { v1_changed, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u32,
}

version! { v1_unsafe, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: unsafe extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_lifetime_changed, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'static>) -> u64,
}

version! { v1_parameter_named, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(handle: Handle, text: RStr<'_>) -> u64,
}

version! { v1_removed, { x: u32, y: u32 }
    #[sabi(last_prefix_field)]
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
}

version! { v1_renamed, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub other: extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_reordered, { x: u32, y: u32 }
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
    #[sabi(last_prefix_field)]
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
}

version! { v1_inserted, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    pub third: extern "C" fn(Handle) -> Outcome<RString>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_marker_moved, { x: u32, y: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
    #[sabi(last_prefix_field)]
    pub third: extern "C" fn(Handle) -> Outcome<RString>,
}

version! { v1_marker_moved_back, { x: u32, y: u32 }
    #[sabi(last_prefix_field)]
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_type_changed, { x: u32, y: u32, z: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
}

version! { v1_type_reordered, { y: u32, x: u32 }
    pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
    #[sabi(last_prefix_field)]
    pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
}

mod v1_table_renamed {
    use super::{Handle, Outcome, RStr, StableAbi, v1::Point};

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = RenamedRef)))]
    #[sabi(missing_field(option))]
    pub struct Renamed {
        pub first: extern "C" fn(Handle, Point) -> Outcome<()>,
        #[sabi(last_prefix_field)]
        pub second: extern "C" fn(Handle, RStr<'_>) -> u64,
    }
}

const V1: &TypeLayout = v1::MadeUpRef::LAYOUT;

fn snapshot(layout: &'static TypeLayout) -> Snapshot {
    render::snapshot("made-up/1", Side::Host, "0.1.0", layout)
}

/// What the repository would have of it.
fn committed(layout: &'static TypeLayout) -> Snapshot {
    Snapshot::parse(&snapshot(layout).to_string()).expect("what was written is read")
}

fn verdict(now: &'static TypeLayout) -> Verdict {
    compare(&committed(V1), &snapshot(now))
}

#[track_caller]
fn assert_broken(now: &'static TypeLayout, sentences: &[&str]) {
    let Verdict::Broken(found) = verdict(now) else { panic!("no rule was broken") };
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), sentences);
}

#[test]
fn a_table_that_is_as_it_was_passes() {
    assert_eq!(verdict(V1), Verdict::Same);
}

#[test]
fn functions_may_be_appended() {
    assert_eq!(verdict(v1_appended::MadeUpRef::LAYOUT), Verdict::Appended(vec!["third".to_owned()]));
    assert_eq!(
        verdict(v1_appended_twice::MadeUpRef::LAYOUT),
        Verdict::Appended(vec!["third".to_owned(), "fourth".to_owned()])
    );
}

#[test]
fn an_appended_function_is_published_once_it_is_recorded() {
    let verdict = compare(&committed(v1_appended::MadeUpRef::LAYOUT), &snapshot(V1));
    let Verdict::Broken(found) = verdict else { panic!("no rule was broken") };
    assert_eq!(
        found,
        [
            "`made-up/1` of the host: the function `third` was removed. A published function stays: put it back where \
          it was, or add the revision `made-up/2` beside this one (docs/abi.md)."
        ]
    );
}

#[test]
fn a_function_may_not_change() {
    assert_broken(
        v1_changed::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` changed. A published function never changes: append a new \
           one, or add the revision `made-up/2` beside this one (docs/abi.md).\n\
           -  second: extern \"C\" fn(Handle, RStr) -> u64\n\
           +  second: extern \"C\" fn(Handle, RStr) -> u32\n",
        ],
    );
}

#[test]
fn a_function_may_not_become_unsafe() {
    assert_broken(
        v1_unsafe::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` changed. A published function never changes: append a new \
           one, or add the revision `made-up/2` beside this one (docs/abi.md).\n\
           -  second: extern \"C\" fn(Handle, RStr) -> u64\n\
           +  second: unsafe extern \"C\" fn(Handle, RStr) -> u64\n",
        ],
    );
}

#[test]
fn a_lifetime_may_not_change() {
    assert_broken(
        v1_lifetime_changed::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` changed. A published function never changes: append a new \
           one, or add the revision `made-up/2` beside this one (docs/abi.md).\n\
           -  second: extern \"C\" fn(Handle, RStr) -> u64\n\
           +  second: extern \"C\" fn(Handle, RStr) -> u64, lifetimes 'static\n",
        ],
    );
}

#[test]
fn a_parameter_may_not_get_a_name() {
    assert_broken(
        v1_parameter_named::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` changed. A published function never changes: append a new \
           one, or add the revision `made-up/2` beside this one (docs/abi.md).\n\
           -  second: extern \"C\" fn(Handle, RStr) -> u64\n\
           +  second: extern \"C\" fn(Handle, RStr) -> u64, parameters handle,text\n",
        ],
    );
}

#[test]
fn a_function_may_not_be_removed() {
    assert_broken(
        v1_removed::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` was removed. A published function stays: put it back where \
           it was, or add the revision `made-up/2` beside this one (docs/abi.md).",
        ],
    );
}

#[test]
fn a_function_may_not_be_renamed() {
    assert_broken(
        v1_renamed::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `second` is called `other` now. The name of a published function \
           is part of its layout: keep it, or add the revision `made-up/2` beside this one (docs/abi.md).",
        ],
    );
}

#[test]
fn functions_may_not_be_reordered() {
    assert_broken(
        v1_reordered::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the functions changed their order from `first`, `second` to `second`, `first`. \
           A published function keeps its place: restore the order, or add the revision `made-up/2` beside this one \
           (docs/abi.md).",
        ],
    );
}

#[test]
fn a_function_may_not_be_inserted() {
    assert_broken(
        v1_inserted::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the function `third` was put before `second`. A table grows at its end only: \
           move it there, or add the revision `made-up/2` beside this one (docs/abi.md).",
        ],
    );
}

#[test]
fn the_marker_may_not_move_on() {
    assert_broken(
        v1_marker_moved::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: `last_prefix_field` moved from `second` to `third`. It stays on the last \
           function of the first version, and what follows reads as an `Option`: put it back on `second`, or add \
           the revision `made-up/2` beside this one (docs/abi.md).",
        ],
    );
}

#[test]
fn the_marker_may_not_move_back() {
    assert_broken(
        v1_marker_moved_back::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: `last_prefix_field` moved from `second` to `first`. It stays on the last \
           function of the first version, and what follows reads as an `Option`: put it back on `second`, or add \
           the revision `made-up/2` beside this one (docs/abi.md).",
        ],
    );
}

#[test]
fn a_type_may_not_grow() {
    assert_broken(
        v1_type_changed::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the type `Point`, which is used by `first`, changed. What a published function takes \
           and answers with never changes: append a function with a new type, or add the revision `made-up/2` beside \
           this one (docs/abi.md).\n\
           -  Point: 8 bytes, align 4, C\n\
           +  Point: 12 bytes, align 4, C\n\
           +    z: u32\n",
        ],
    );
}

#[test]
fn a_type_may_not_reorder_its_fields() {
    assert_broken(
        v1_type_reordered::MadeUpRef::LAYOUT,
        &[
            "`made-up/1` of the host: the type `Point`, which is used by `first`, changed. What a published function takes \
           and answers with never changes: append a function with a new type, or add the revision `made-up/2` beside \
           this one (docs/abi.md).\n\x20  Point: 8 bytes, align 4, C\n\
           -    x: u32\n\
           +    x: u32\n",
        ],
    );
}

#[test]
fn a_table_may_not_be_renamed() {
    assert_broken(
        v1_table_renamed::RenamedRef::LAYOUT,
        &[
            "`made-up/1` of the host: the table's type changed. Its name, alignment and representation are checked \
           when it is bound: restore them, or add the revision `made-up/2` beside this one (docs/abi.md).\n\
           -  MadeUp: the table, align 8, C, prefix kind\n\
           +  Renamed: the table, align 8, C, prefix kind\n",
        ],
    );
}

#[test]
fn a_function_s_digest_depends_on_it_and_on_its_types_alone() {
    let digests = |layout| snapshot(layout).functions.into_iter().map(|one| one.digest).collect::<Vec<_>>();
    let (old, appended) = (digests(V1), digests(v1_appended::MadeUpRef::LAYOUT));
    assert_eq!(old, appended[..2]);
    let changed = digests(v1_type_changed::MadeUpRef::LAYOUT);
    assert_ne!(old[0], changed[0], "`first` takes a `Point`");
    assert_eq!(old[1], changed[1], "`second` does not");
}

#[test]
fn a_snapshot_that_was_edited_is_noticed() {
    let text = snapshot(V1).to_string();
    let digest = snapshot(V1).functions[0].digest.clone();
    let edited = Snapshot::parse(&text.replace(&digest, "00000000")).expect("the form is right");
    assert_eq!(
        compare(&edited, &snapshot(V1)),
        Verdict::Broken(vec![
            "`made-up/1` of the host: the snapshot does not agree with itself. It is written by the test only: \
             restore it from the repository."
                .to_owned()
        ])
    );
    assert!(Snapshot::parse(&text.replace("-------- ", "---- ")).is_err());
    assert!(Snapshot::parse(&format!("{text}\n")).is_err());
}

#[test]
fn a_snapshot_of_another_capability_is_noticed() {
    let other = Snapshot { id: "other/1".to_owned(), ..committed(V1) };
    assert_eq!(
        compare(&other, &snapshot(V1)),
        Verdict::Broken(vec![
            "The snapshot of `made-up/1` of the host is that of `other/1` of the host. Restore it from the \
             repository."
                .to_owned()
        ])
    );
}

#[test]
fn the_root_may_not_even_grow() {
    let root = "the root\n\ntypes\n  Root: 8 bytes\n    abi: u32\n";
    assert_eq!(compare_root(root, root), Ok(()));
    assert_eq!(
        compare_root(root, &format!("{root}    more: u32\n")),
        Err("The root is frozen for ever, and it changed. Take the change back: what is new goes into a capability \
             (docs/abi.md).\n   Root: 8 bytes\n+    more: u32\n"
            .to_owned())
    );
}

/// As `Capability::bind`: the tables of either side may be the longer one.
fn binds(one: &'static TypeLayout, other: &'static TypeLayout) -> bool {
    let fits =
        |one, other| check_layout_compatibility_with_globals(one, other, &CheckingGlobals::new()).is_ok();
    fits(one, other) || fits(other, one)
}

#[test]
fn what_passes_is_what_binds() {
    for (name, layout) in [
        ("v1", V1),
        ("v1_appended", v1_appended::MadeUpRef::LAYOUT),
        ("v1_appended_twice", v1_appended_twice::MadeUpRef::LAYOUT),
        ("v1_changed", v1_changed::MadeUpRef::LAYOUT),
        ("v1_unsafe", v1_unsafe::MadeUpRef::LAYOUT),
        ("v1_lifetime_changed", v1_lifetime_changed::MadeUpRef::LAYOUT),
        ("v1_parameter_named", v1_parameter_named::MadeUpRef::LAYOUT),
        ("v1_removed", v1_removed::MadeUpRef::LAYOUT),
        ("v1_renamed", v1_renamed::MadeUpRef::LAYOUT),
        ("v1_reordered", v1_reordered::MadeUpRef::LAYOUT),
        ("v1_inserted", v1_inserted::MadeUpRef::LAYOUT),
        ("v1_marker_moved", v1_marker_moved::MadeUpRef::LAYOUT),
        ("v1_marker_moved_back", v1_marker_moved_back::MadeUpRef::LAYOUT),
        ("v1_type_changed", v1_type_changed::MadeUpRef::LAYOUT),
        ("v1_type_reordered", v1_type_reordered::MadeUpRef::LAYOUT),
        ("v1_table_renamed", v1_table_renamed::RenamedRef::LAYOUT),
    ] {
        let passes = !matches!(verdict(layout), Verdict::Broken(_));
        assert_eq!(binds(V1, layout), passes, "{name}");
    }
}
