//! Keys that nobody knows: found by walking the document beside the types, and named with the key they resemble.

use serde::{Deserialize, Deserializer, de, forward_to_deserialize_any};
use serde_json::{Map, Value};

use super::{
    AdminUi, Api, ApiEndpoint, Compatibility, ConfigFile, Database, Deprecation, Entrypoints, Fields, Job,
    Lifecycle, LoginButton, MenuItem, Page, Requirements, Scheduler, SettingsPage, Ui, Warning, Widget,
    told::Told,
};

/// A warning for each key of `document` that its section does not have.
pub(super) fn unknown(document: &Map<String, Value>) -> Told<Warning> {
    let mut walk = Walk { document, warnings: Told::nothing() };
    walk.section(known::<Fields>(), "", document);
    walk.object::<Requirements>("requirements");
    walk.object::<Compatibility>("compatibility");
    walk.object::<Entrypoints>("entrypoints");
    walk.object::<ConfigFile>("config");
    walk.object::<Lifecycle>("lifecycle");
    walk.object::<Database>("database");
    walk.object::<Api>("api");
    walk.items::<ApiEndpoint>("apiEndpoints");
    walk.object::<Ui>("ui");
    walk.items::<Page>("ui.adminPages");
    walk.items::<Page>("ui.pages");
    walk.items::<Page>("ui.userPages");
    walk.items::<Widget>("ui.widgets");
    walk.items::<Widget>("ui.adminWidgets");
    walk.items::<MenuItem>("ui.menuItems");
    walk.object::<SettingsPage>("ui.settingsPage");
    walk.object::<LoginButton>("ui.loginButton");
    walk.items::<LoginButton>("ui.loginButtons");
    walk.object::<AdminUi>("adminUI");
    walk.items::<Page>("adminUI.pages");
    walk.items::<Widget>("adminUI.widgets");
    walk.object::<Scheduler>("scheduler");
    walk.items::<Job>("scheduler.jobs");
    walk.object::<Deprecation>("deprecation");
    if let Some(Value::Object(bugs)) = document.get("bugs") {
        walk.section(&["url", "email"], "bugs", bugs);
    }
    walk.warnings
}

struct Walk<'a> {
    document: &'a Map<String, Value>,
    warnings: Told<Warning>,
}

impl<'a> Walk<'a> {
    fn at(&self, path: &str) -> Option<&'a Value> {
        let mut keys = path.split('.');
        let first = self.document.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    }

    fn object<T: for<'de> Deserialize<'de>>(&mut self, path: &str) {
        if let Some(Value::Object(object)) = self.at(path) {
            self.section(known::<T>(), path, object);
        }
    }

    fn items<T: for<'de> Deserialize<'de>>(&mut self, path: &str) {
        let known = known::<T>();
        for (i, item) in self.at(path).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Value::Object(item) = item {
                self.section(known, &format!("{path}[{i}]"), item);
            }
        }
    }

    fn section(&mut self, known: &[&str], path: &str, object: &Map<String, Value>) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.warnings.add(|| {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let advice = match nearest(key, known) {
                    Some(near) => format!("it resembles `{near}`; rename it if that was meant"),
                    None => "remove it unless another tool reads it".to_owned(),
                };
                Warning::new(place, format!("`{key}` is not a known key and is kept unread; {advice}"))
            });
        }
    }
}

/// The keys a section has, asked from its own `Deserialize`.
fn known<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The probe stores the names and always answers with an error.
    drop(T::deserialize(Probe(&mut names)));
    names
}

struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structs are probed"))
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The word of `known` that `word` is a slip of, if one is near enough.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
    };
    let word = plain(word);
    let limit = ((word.len() + 1) / 3).min(3);
    known
        .iter()
        .map(|candidate| (distance(&word, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warned(document: Value) -> Vec<String> {
        let Value::Object(document) = document else { panic!("an object") };
        unknown(&document).warnings().iter().map(Warning::to_string).collect()
    }

    #[test]
    fn the_types_tell_their_keys() {
        assert!(known::<Fields>().contains(&"displayName"));
        assert!(known::<Fields>().contains(&"adminUI"));
        assert_eq!(known::<Job>(), ["name", "schedule", "description"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_path_and_what_it_resembles() {
        let warnings = warned(json!({
            "display_name": "x",
            "x-vendor": 1,
            "ui": { "pages": [{ "id": "a" }, { "titel": "b" }] },
        }));
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(
            warnings[0].contains("`display_name`") && warnings[0].contains("resembles `displayName`"),
            "{warnings:?}"
        );
        assert!(warnings[1].contains("`x-vendor`") && warnings[1].contains("another tool"), "{warnings:?}");
        assert!(
            warnings[2].starts_with("`ui.pages[1].titel`") && warnings[2].contains("`title`"),
            "{warnings:?}"
        );
    }

    #[test]
    fn free_maps_have_no_unknown_keys() {
        let free = json!({
            "configSchema": { "zzz": 1 }, "defaultConfig": { "zzz": 1 }, "dependencies": { "zzz": "1" },
            "events": { "zzz": "OnZzz" }, "config": { "schema": { "zzz": 1 } },
        });
        assert_eq!(warned(free), Vec::<String>::new());
    }

    #[test]
    fn distance_is_levenshteins() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        for (a, b, d) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("tags", "tag", 1)]
        {
            assert_eq!(distance(&chars(a), &chars(b)), d, "{a} {b}");
        }
    }
}
