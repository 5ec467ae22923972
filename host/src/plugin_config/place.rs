//! Which parts of a schema speak about one place of a configuration.

use std::ptr;

use serde_json::{Map, Value};

/// How far to follow a schema's branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branches {
    /// `$ref` and `allOf`: what always holds.
    Certain,
    /// Also `anyOf`, `oneOf`, `then`, `else` and `dependentSchemas`: what may hold.
    Possible,
}

/// All schema objects that speak about one place.
#[derive(Debug, Clone)]
pub(super) struct Place<'s> {
    root: &'s Value,
    branches: Branches,
    pub(super) schemas: Vec<&'s Map<String, Value>>,
}

impl<'s> Place<'s> {
    pub(super) fn root(root: &'s Value, branches: Branches) -> Self {
        Self::of(root, branches, [root])
    }

    fn of(root: &'s Value, branches: Branches, schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut place = Self { root, branches, schemas: Vec::new() };
        schemas.into_iter().for_each(|schema| place.add(schema));
        let mut next = 0;
        while let Some(schema) = place.schemas.get(next).copied() {
            place.follow(schema);
            next += 1;
        }
        place
    }

    fn add(&mut self, schema: &'s Value) {
        // One met already is not added again: a schema may refer to itself.
        if let Value::Object(schema) = schema
            && !self.schemas.iter().any(|known| ptr::eq(*known, schema))
        {
            self.schemas.push(schema);
        }
    }

    /// Adds the schemas that hold where `schema` does, or may.
    fn follow(&mut self, schema: &'s Map<String, Value>) {
        let possible = self.branches == Branches::Possible;
        for (key, value) in schema {
            match (key.as_str(), value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                    if let Some(target) = resolve(self.root, reference) {
                        self.add(target);
                    }
                }
                ("allOf", Value::Array(all)) => all.iter().for_each(|schema| self.add(schema)),
                ("anyOf" | "oneOf", Value::Array(any)) if possible => {
                    any.iter().for_each(|schema| self.add(schema))
                }
                ("if" | "then" | "else", schema) if possible => self.add(schema),
                ("dependencies" | "dependentSchemas", Value::Object(schemas)) if possible => {
                    schemas.values().for_each(|schema| self.add(schema));
                }
                _ => {}
            }
        }
    }

    /// The place of the value of `key`, where this place holds an object.
    pub(super) fn key(&self, key: &str) -> Self {
        let mut found = Vec::new();
        for schema in &self.schemas {
            let mut declared = false;
            if let Some(property) = schema.get("properties").and_then(|properties| properties.get(key)) {
                declared = true;
                found.push(property);
            }
            for (pattern, property) in
                schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten()
            {
                if matches(pattern, key) {
                    declared = true;
                    found.push(property);
                }
            }
            if !declared {
                found.extend(
                    ["additionalProperties", "unevaluatedProperties"].iter().filter_map(|k| schema.get(*k)),
                );
            }
        }
        Self::of(self.root, self.branches, found)
    }

    /// The place of item `index`, where this place holds an array.
    pub(super) fn item(&self, index: usize) -> Self {
        let mut found = Vec::new();
        for schema in &self.schemas {
            // `items` is a list in the drafts before 2020-12.
            let listed = ["prefixItems", "items"].iter().find_map(|k| schema.get(*k)?.as_array());
            match listed.and_then(|list| list.get(index)) {
                Some(item) => found.push(item),
                None => found.extend(
                    ["items", "additionalItems", "unevaluatedItems"].iter().filter_map(|k| schema.get(*k)),
                ),
            }
            if self.branches == Branches::Possible {
                found.extend(schema.get("contains"));
            }
        }
        Self::of(self.root, self.branches, found)
    }

    /// The first value that `keyword` has here.
    pub(super) fn keyword(&self, keyword: &str) -> Option<&'s Value> {
        self.schemas.iter().find_map(|schema| schema.get(keyword))
    }

    /// Names of all properties declared here, each once.
    pub(super) fn properties(&self) -> Vec<&'s str> {
        let mut names: Vec<&str> = Vec::new();
        for properties in self.schemas.iter().filter_map(|schema| schema.get("properties")?.as_object()) {
            for name in properties.keys() {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Whether the value here is a secret: `format: password`, `sensitive: true` or `writeOnly: true`.
    pub(super) fn is_secret(&self) -> bool {
        self.schemas.iter().any(|schema| {
            schema.get("format").is_some_and(|format| format == "password")
                || ["sensitive", "writeOnly"].iter().any(|mark| schema.get(*mark) == Some(&Value::Bool(true)))
        })
    }
}

/// The schema a reference within the document points to.
fn resolve<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(&decoded(reference.strip_prefix('#')?)?)
}

/// Undoes the percent-encoding of a fragment.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Whether `key` matches; a pattern that cannot be compiled matches everything, so that no secret slips through.
fn matches(pattern: &str, key: &str) -> bool {
    let schema = serde_json::json!({ "pattern": pattern });
    jsonschema::options()
        .offline()
        .build(&schema)
        .map_or(true, |validator| validator.is_valid(&Value::from(key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_branches_and_patterns_lead_to_the_secret() {
        let root = json!({
            "$defs": {"a b": {"format": "password"}, "loop": {"$ref": "#/$defs/loop"}},
            "properties": {"ref": {"$ref": "#/$defs/a%20b"}, "loop": {"$ref": "#/$defs/loop"}, "plain": {}},
            "patternProperties": {"^key_": {"sensitive": true}},
            "oneOf": [{"properties": {"one": {"writeOnly": true}}}],
            "additionalProperties": {"type": "string"},
        });
        let place = Place::root(&root, Branches::Possible);
        for (key, secret) in
            [("ref", true), ("key_1", true), ("one", true), ("loop", false), ("plain", false), ("x", false)]
        {
            assert_eq!(place.key(key).is_secret(), secret, "{key}");
        }
        assert!(!Place::root(&root, Branches::Certain).key("one").is_secret());
    }

    #[test]
    fn items_are_found_by_index_and_by_rule() {
        let root = json!({"prefixItems": [{"format": "password"}], "items": {"type": "string"}});
        let place = Place::root(&root, Branches::Possible);
        assert!(place.item(0).is_secret());
        assert!(!place.item(1).is_secret());
    }
}
