//! What a configuration breaks, in words, and without its secrets.

use std::fmt;

use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind as Kind};
use serde_json::Value;

use super::place::{Branches, Place};

/// Longest value shown whole, in characters.
const SHOWN: usize = 80;

/// Parts of property names whose values are not shown either, although the schema does not mark them.
const PRIVATE: [&str; 8] =
    ["secret", "password", "passwd", "token", "apikey", "privatekey", "credential", "webhook"];

/// One thing a configuration breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where: `smtp.port`, `plans[0].name`; empty for the configuration itself.
    pub path: String,
    /// What the schema asks for.
    pub expected: String,
    /// What is there; never a secret's value.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str("the configuration")?,
            path => write!(f, "`{path}`")?,
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// Deepest nesting of a configuration, the configuration itself being the first level. The validator and the plugin's own
/// reader go down on their stacks.
const MAX_LEVELS: usize = 32;

/// The violation of a configuration that is nested too deeply to be validated.
pub(super) fn of_depth(config: &Value) -> Option<Violation> {
    let mut level = vec![config];
    for _ in 0..MAX_LEVELS {
        level = level.into_iter().flat_map(below).collect();
    }
    (!level.is_empty()).then(|| Violation {
        path: String::new(),
        expected: format!("at most {MAX_LEVELS} levels of nesting"),
        found: "more".to_owned(),
    })
}

fn below(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(object) => Box::new(object.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The violations one error of the validator stands for: one, or one a key.
pub(super) fn of(schema: &Value, config: &Value, error: &ValidationError<'_>) -> Vec<Violation> {
    let at = Location::new(schema, config, error.instance_path().as_str());
    match error.kind() {
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let expected = match wanted(&at.place.key(key)) {
                Some(wanted) => format!("{wanted}, as it is required"),
                None => "a value, as it is required".to_owned(),
            };
            vec![Violation { path: joined(&at.path, key), expected, found: "nothing".to_owned() }]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected }
            if !at.hidden =>
        {
            unexpected
                .iter()
                .map(|key| Violation {
                    path: joined(&at.path, key),
                    expected: format!("no key but {}", listed(at.place.properties().into_iter())),
                    found: "one of this name".to_owned(),
                })
                .collect()
        }
        kind => {
            vec![Violation { expected: expected(kind), found: at.found(error.instance()), path: at.path }]
        }
    }
}

/// A place in the configuration, as the error names it.
struct Location<'s> {
    path: String,
    place: Place<'s>,
    hidden: bool,
}

impl<'s> Location<'s> {
    fn new(schema: &'s Value, config: &Value, pointer: &str) -> Self {
        let place = Place::root(schema, Branches::Possible);
        let mut at = Self { path: String::new(), hidden: place.is_secret(), place };
        let mut value = Some(config);
        for segment in pointer.split('/').skip(1) {
            let key = segment.replace("~1", "/").replace("~0", "~");
            match (value, key.parse::<usize>()) {
                (Some(Value::Array(items)), Ok(index)) => {
                    at.place = at.place.item(index);
                    at.path.push_str(&format!("[{index}]"));
                    value = items.get(index);
                }
                (other, _) => {
                    at.place = at.place.key(&key);
                    at.path = joined(&at.path, &key);
                    at.hidden |= is_private(&key);
                    value = other.and_then(|value| value.get(&key));
                }
            }
            at.hidden |= at.place.is_secret();
        }
        at
    }

    fn found(&self, value: &Value) -> String {
        let number = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        match value {
            Value::Object(object) => format!("an object with {}", number(object.len(), "key", "keys")),
            Value::Array(items) => format!("a list of {}", number(items.len(), "item", "items")),
            Value::Null => "null".to_owned(),
            hidden if self.hidden => format!("{} that is not shown here", kind(hidden)),
            shown => {
                let text = shown.to_string();
                if text.chars().count() <= SHOWN {
                    text
                } else {
                    format!("{}…", text.chars().take(SHOWN).collect::<String>())
                }
            }
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'));
    match (path, plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

fn is_private(key: &str) -> bool {
    let key: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    PRIVATE.iter().any(|word| key.contains(word))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What a place asks for, from its type or its choices.
fn wanted(place: &Place<'_>) -> Option<String> {
    match (place.keyword("enum"), place.keyword("type")) {
        (Some(Value::Array(options)), _) => Some(format!("one of {}", values(options))),
        (_, Some(Value::String(name))) => Some(article(name)),
        _ => None,
    }
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(name) } => article(name.as_str()),
        Kind::Type { kind: TypeKind::Multiple(names) } => listed(names.iter().map(|name| name.as_str())),
        Kind::Enum { options } => match options.as_array() {
            Some(options) => format!("one of {}", values(options)),
            None => options.to_string(),
        },
        Kind::Constant { expected_value } => expected_value.to_string(),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::MinItems { limit } => format!("at least {limit} items"),
        Kind::MaxItems { limit } => format!("at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("at most {limit} items"),
        Kind::MinProperties { limit } => format!("at least {limit} keys"),
        Kind::MaxProperties { limit } => format!("at most {limit} keys"),
        Kind::UniqueItems => "items that differ from each other".to_owned(),
        Kind::Pattern { pattern } => format!("text that matches `{pattern}`"),
        Kind::Format { format } => format!("text in the format `{format}`"),
        Kind::PropertyNames { error } => format!("keys of which each is {}", expected(error.kind())),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives(context),
        Kind::OneOfMultipleValid { context } => {
            format!("a value that fits exactly one of {} alternatives", context.len())
        }
        Kind::FalseSchema => "nothing here".to_owned(),
        other => format!("a value that keeps the schema's rule `{}`", other.keyword()),
    }
}

/// What each of a few alternatives asks for that is not there.
fn alternatives(context: &[Vec<ValidationError<'_>>]) -> String {
    const TOLD: usize = 4;
    if context.len() > TOLD {
        return format!("a value that fits one of {} alternatives", context.len());
    }
    let told =
        context.iter().map(|errors| errors.iter().take(TOLD).map(lacking).collect::<Vec<_>>().join(" and "));
    told.collect::<Vec<_>>().join(", or ")
}

fn lacking(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
    match error.kind() {
        Kind::Required { property } => format!("the key {property}"),
        kind if place.is_empty() => expected(kind),
        kind => format!("in `{place}` {}", expected(kind)),
    }
}

fn article(name: &str) -> String {
    match name {
        "array" => "a list".to_owned(),
        "integer" | "object" => format!("an {name}"),
        "null" => "null".to_owned(),
        _ => format!("a {name}"),
    }
}

fn values(options: &[Value]) -> String {
    options.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
