//! Defaults of a schema, laid under a configuration.

use std::ptr;

use serde_json::{Map, Value};

use super::{
    merge::overlay,
    place::{Branches, Place},
};

/// Most places without a value that are looked at for defaults in one configuration. A schema whose parts refer to each
/// other can have exponentially many.
pub(super) const MAX_PLACES: usize = 100_000;
/// Deepest nesting at which defaults are added.
const MAX_DEPTH: usize = 32;

/// The schema's defaults reach more than [`MAX_PLACES`] places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyDefaults;

/// `config` with the schema's defaults where it has nothing.
pub(super) fn fill(
    schema: &Value,
    config: Map<String, Value>,
) -> Result<Map<String, Value>, TooManyDefaults> {
    let mut filler = Filler { left: MAX_PLACES, depth: 0, above: Vec::new() };
    match filler.value(&Place::root(schema, Branches::Certain), Some(Value::Object(config)))? {
        Some(Value::Object(filled)) => Ok(filled),
        _ => Ok(Map::new()),
    }
}

struct Filler<'s> {
    left: usize,
    depth: usize,
    /// The schemas of the places above this one.
    above: Vec<&'s Map<String, Value>>,
}

impl<'s> Filler<'s> {
    fn value(&mut self, place: &Place<'s>, value: Option<Value>) -> Result<Option<Value>, TooManyDefaults> {
        let absent = value.is_none();
        let again =
            place.schemas.iter().any(|schema| self.above.iter().any(|above| ptr::eq(*above, *schema)));
        if absent {
            self.left = self.left.checked_sub(1).ok_or(TooManyDefaults)?;
            if again || self.depth > MAX_DEPTH {
                return Ok(None); // a schema that refers to itself would never end
            }
        }
        let default = place.keyword("default");
        let value = match (value, default) {
            (Some(Value::Object(own)), Some(Value::Object(default))) => {
                let mut merged = default.clone();
                overlay(&mut merged, own);
                Value::Object(merged)
            }
            (Some(own), _) => own,
            (None, Some(default)) => default.clone(),
            (None, None) if !place.properties().is_empty() => Value::Object(Map::new()),
            (None, None) => return Ok(None),
        };
        let height = self.above.len();
        self.above.extend(&place.schemas);
        self.depth += 1;
        let filled = match value {
            Value::Object(object) => self.object(place, object)?,
            Value::Array(items) => self.items(place, items)?,
            scalar => scalar,
        };
        self.depth -= 1;
        self.above.truncate(height);
        // An object nobody wrote is worth adding only where defaults make it whole; else an optional section would be
        // there by halves, and refused for what it lacks.
        if absent && default.is_none() && !is_whole(place, &filled) {
            return Ok(None);
        }
        Ok(Some(filled))
    }

    fn object(
        &mut self,
        place: &Place<'s>,
        mut object: Map<String, Value>,
    ) -> Result<Value, TooManyDefaults> {
        let free: Vec<String> = object.keys().cloned().collect();
        for name in place.properties() {
            let below = place.key(name);
            match object.get_mut(name) {
                Some(own) => {
                    let taken = own.take();
                    *own = self.value(&below, Some(taken))?.unwrap_or_default();
                }
                None => {
                    if let Some(value) = self.value(&below, None)? {
                        object.insert(name.to_owned(), value);
                    }
                }
            }
        }
        let declared = place.properties();
        for name in free.iter().filter(|name| !declared.contains(&name.as_str())) {
            if let Some(own) = object.get_mut(name) {
                let taken = own.take();
                *own = self.value(&place.key(name), Some(taken))?.unwrap_or_default();
            }
        }
        Ok(Value::Object(object))
    }

    fn items(&mut self, place: &Place<'s>, items: Vec<Value>) -> Result<Value, TooManyDefaults> {
        let mut filled = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            filled.push(self.value(&place.item(i), Some(item))?.unwrap_or_default());
        }
        Ok(Value::Array(filled))
    }
}

/// Whether an object that only defaults made has something in it and all that is required.
fn is_whole(place: &Place<'_>, value: &Value) -> bool {
    let Value::Object(object) = value else { return false };
    let mut required = place.schemas.iter().filter_map(|schema| schema.get("required")?.as_array()).flatten();
    !object.is_empty() && required.all(|key| key.as_str().is_none_or(|key| object.contains_key(key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(schema: Value, config: Value) -> Value {
        let Value::Object(config) = config else { panic!("an object") };
        Value::Object(fill(&schema, config).expect("few defaults"))
    }

    #[test]
    fn nested_defaults_are_added_where_nothing_is_set() {
        let schema = json!({"properties": {
            "a": {"default": 1},
            "b": {"properties": {"c": {"default": [1, 2]}, "d": {"properties": {"e": {"default": "x"}}}}},
            "f": {"type": "string"},
        }});
        assert_eq!(filled(schema.clone(), json!({})), json!({"a": 1, "b": {"c": [1, 2], "d": {"e": "x"}}}));
        assert_eq!(
            filled(schema, json!({"a": null, "b": {"c": [3]}})),
            json!({"a": null, "b": {"c": [3], "d": {"e": "x"}}})
        );
    }

    #[test]
    fn an_optional_object_that_defaults_do_not_complete_stays_away() {
        let schema = json!({"properties": {"smtp": {"properties": {"host": {}, "port": {"default": 25}}, "required": ["host"]}}});
        assert_eq!(filled(schema.clone(), json!({})), json!({}));
        assert_eq!(
            filled(schema, json!({"smtp": {"host": "a"}})),
            json!({"smtp": {"host": "a", "port": 25}})
        );
    }

    #[test]
    fn a_default_object_lies_under_the_users() {
        let schema = json!({"properties": {"labels": {"default": {"env": "prod", "on": [1]}, "additionalProperties": {}}}});
        assert_eq!(
            filled(schema, json!({"labels": {"on": [], "x": 1}})),
            json!({"labels": {"env": "prod", "on": [], "x": 1}})
        );
    }

    #[test]
    fn items_and_free_keys_get_defaults_too() {
        let unit = json!({"properties": {"name": {}, "unit": {"default": "s"}}});
        let schema = json!({"$defs": {"u": unit}, "properties": {
            "list": {"items": {"$ref": "#/$defs/u"}},
            "map": {"additionalProperties": {"allOf": [{"$ref": "#/$defs/u"}]}},
        }});
        assert_eq!(
            filled(schema, json!({"list": [{"name": "a"}, 3], "map": {"k": {"unit": "h"}, "l": {}}})),
            json!({"list": [{"name": "a", "unit": "s"}, 3], "map": {"k": {"unit": "h"}, "l": {"unit": "s"}}})
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"properties": {"next": {"$ref": "#"}, "n": {"default": 1}}});
        assert_eq!(filled(schema.clone(), json!({})), json!({"n": 1}));
        assert_eq!(
            filled(schema, json!({"next": {"next": {}}})),
            json!({"n": 1, "next": {"n": 1, "next": {"n": 1}}})
        );
    }

    #[test]
    fn exponential_defaults_are_refused() {
        let mut schema = json!({"properties": {"n": {"default": 1}}, "$defs": {}});
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            schema["$defs"][level.to_string()] = json!({"properties": {"l": next.clone(), "r": next}});
        }
        schema["properties"]["tree"] = json!({"$ref": "#/$defs/0"});
        assert_eq!(fill(&schema, Map::new()), Err(TooManyDefaults));
    }

    #[test]
    fn long_chains_of_references_end() {
        let mut defs = Map::new();
        for level in 0..20_000 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            defs.insert(
                level.to_string(),
                if level % 2 == 0 { json!({"properties": {"n": next}}) } else { next },
            );
        }
        let schema = json!({"properties": {"a": {"$ref": "#/$defs/0"}, "b": {"default": 1}}, "$defs": defs});
        assert_eq!(filled(schema, json!({})), json!({"b": 1}));
    }
}
