//! Merging of JSON objects.

use serde_json::{Map, Value};

/// Lays `over` on `under`: objects merge key by key at every depth; anything else, arrays too, is replaced.
pub(super) fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => overlay(below, above),
            (Some(below), above) => *below = above,
            (None, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Applies a JSON merge patch ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)): objects merge key by key, `null` removes
/// a key, anything else replaces.
///
/// ```
/// use serde_json::json;
/// use streamspace_host::plugin_config::merge_patch;
///
/// let mut config = json!({"channel": "#general", "rateLimit": 20});
/// merge_patch(&mut config, json!({"channel": "#alerts", "rateLimit": null}));
/// assert_eq!(config, json!({"channel": "#alerts"}));
/// ```
pub fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(&key);
        } else {
            merge_patch(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn the_rfcs_examples_hold() {
        for (mut target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), Value::Null, Value::Null),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            merge_patch(&mut target, patch);
            assert_eq!(target, result);
        }
    }

    #[test]
    fn an_overlay_merges_objects_and_replaces_arrays() {
        let Value::Object(mut under) = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1}) else {
            panic!("an object")
        };
        let Value::Object(over) = json!({"a": {"y": [3]}, "b": {"z": null}}) else { panic!("an object") };
        overlay(&mut under, over);
        assert_eq!(Value::Object(under), json!({"a": {"x": 1, "y": [3]}, "b": {"z": null}}));
    }
}
