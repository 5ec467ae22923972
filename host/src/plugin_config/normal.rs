//! A manifest's schema in the form the validator takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::ConfigError;

/// Keywords that hold one schema.
const ONE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that hold a list of schemas.
const LIST: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Keywords that refer to a schema elsewhere.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Most places one schema may refer to. The validator follows a chain of references on its stack, and no chain is longer.
const MAX_TARGETS: usize = 64;

/// Makes `schema` one the validator takes: `type: enum` of the platform's documents goes (its `enum` stays), and references
/// that leave the document, or are too many, are refused.
pub(super) fn normalize(schema: &mut Value, path: &str) -> Result<(), ConfigError> {
    walk(schema, path, true)?;
    let mut targets = BTreeSet::new();
    collect(schema, &mut targets);
    if targets.len() > MAX_TARGETS {
        return Err(ConfigError::Schema {
            path: path.to_owned(),
            reason: format!(
                "it refers to {} places of its own; at most {MAX_TARGETS} are followed",
                targets.len()
            ),
        });
    }
    Ok(())
}

/// All references, also those outside the keywords that hold schemas: a reference may lead there.
fn collect<'v>(value: &'v Value, targets: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(object) => {
            targets.extend(REFERENCES.iter().filter_map(|keyword| object.get(*keyword)?.as_str()));
            object.values().for_each(|value| collect(value, targets));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, targets)),
        _ => {}
    }
}

fn walk(schema: &mut Value, path: &str, is_root: bool) -> Result<(), ConfigError> {
    let Value::Object(object) = schema else { return Ok(()) };
    if object.get("type").is_some_and(|name| name == "enum") {
        object.shift_remove("type");
    }
    references(object, path, is_root)?;
    for (key, value) in object.iter_mut() {
        let place = format!("{path}.{key}");
        let key = key.as_str();
        match value {
            Value::Array(schemas) if LIST.contains(&key) => {
                for (i, schema) in schemas.iter_mut().enumerate() {
                    walk(schema, &format!("{place}[{i}]"), false)?;
                }
            }
            Value::Object(schemas) if NAMED.contains(&key) => {
                for (name, schema) in schemas {
                    walk(schema, &format!("{place}.{name}"), false)?;
                }
            }
            schema if ONE.contains(&key) => walk(schema, &place, false)?,
            _ => {}
        }
    }
    Ok(())
}

fn references(schema: &Map<String, Value>, path: &str, is_root: bool) -> Result<(), ConfigError> {
    for keyword in REFERENCES {
        let Some(Value::String(reference)) = schema.get(keyword) else { continue };
        if reference != "#" && !reference.starts_with("#/") {
            return Err(ConfigError::Reference {
                path: format!("{path}.{keyword}"),
                reference: reference.clone(),
            });
        }
    }
    // An `$id` below the root would make `#/…` mean another place than it says.
    match schema.get("$id") {
        Some(Value::String(id)) if !is_root => {
            Err(ConfigError::Reference { path: format!("{path}.$id"), reference: id.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn type_enum_goes_from_schemas_and_stays_in_data() {
        let mut schema = json!({
            "type": "enum", "enum": [{"type": "enum"}], "default": {"type": "enum"},
            "properties": {"type": {"type": "enum", "enum": [1]}, "list": {"items": {"type": "enum", "enum": ["a"]}}},
            "anyOf": [{"type": "enum"}],
        });
        normalize(&mut schema, "configSchema").expect("no references");
        assert_eq!(
            schema,
            json!({
                "enum": [{"type": "enum"}], "default": {"type": "enum"},
                "properties": {"type": {"enum": [1]}, "list": {"items": {"enum": ["a"]}}},
                "anyOf": [{}],
            })
        );
    }

    #[test]
    fn references_stay_in_the_document() {
        for good in ["#", "#/$defs/a"] {
            assert!(normalize(&mut json!({"items": {"$ref": good}}), "configSchema").is_ok(), "{good}");
        }
        for bad in ["https://example.com/a.json", "file:///etc/passwd", "a.json", "//host/a", "#anchor", ""] {
            let error =
                normalize(&mut json!({"properties": {"a": {"$ref": bad}}}), "configSchema").expect_err(bad);
            let text = error.to_string();
            assert!(text.contains("configSchema.properties.a.$ref") && text.contains(bad), "{text}");
        }
        assert!(normalize(&mut json!({"$id": "https://example.com/root.json"}), "configSchema").is_ok());
        assert!(normalize(&mut json!({"items": {"$id": "b.json"}}), "configSchema").is_err());
        assert!(normalize(&mut json!({"$defs": {"$id": {"type": "string"}}}), "configSchema").is_ok());
        assert!(normalize(&mut json!({"properties": {"$ref": {"type": "string"}}}), "configSchema").is_ok());
    }
}
