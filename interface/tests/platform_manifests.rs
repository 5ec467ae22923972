//! The manifests of the platform the host replaces: each parses, nothing of it is lost, and nothing known is warned about.
//!
//! The manifests themselves are not part of this project. Where they lie beside it they are read; the forms and counts of the
//! others are covered by manifests made up for this test.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;
use streamspace_plugin::manifest::{Manifest, PluginType};

#[path = "platform_manifests/made_up.rs"]
mod made_up;

use made_up::MADE_UP;

/// The real manifests, or nothing where they are not at hand.
fn real() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/manifests");
    let Ok(entries) = fs::read_dir(&folder) else {
        #[expect(clippy::print_stderr, reason = "a skipped part of a test is worth a line")]
        {
            eprintln!("skipped: {} is not there", folder.display());
        }
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("manifest.json"))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).expect("a readable manifest")).collect()
}

fn check(text: &str) -> Manifest {
    let manifest = Manifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let before: Value = serde_json::from_str(text).expect("JSON");
    let after = serde_json::to_value(&manifest).expect("JSON");
    assert_eq!(before, after, "{} changed on its way", manifest.name);
    assert_eq!(
        serde_json::to_string(&before).expect("JSON"),
        serde_json::to_string(&manifest).expect("JSON"),
        "{} lost the order of its keys",
        manifest.name
    );
    assert_eq!(manifest.warnings(), [], "{}", manifest.name);
    manifest
}

#[test]
fn every_real_manifest_is_read_whole_and_without_a_warning() {
    for text in real() {
        let manifest = check(&text);
        assert!(
            manifest.config_schema().is_some() && manifest.entrypoints.main.is_some(),
            "{}",
            manifest.name
        );
    }
}

#[test]
fn every_made_up_manifest_is_read_whole_and_without_a_warning() {
    let manifests: Vec<Manifest> = MADE_UP.iter().map(|text| check(text)).collect();
    assert_eq!(manifests.len(), 14);
    assert_eq!(manifests.iter().flat_map(|m| &m.ui.login_buttons).count(), 2);
    assert_eq!(
        manifests.iter().filter_map(|m| m.ui.login_button.as_ref()?.enabled).collect::<Vec<_>>(),
        [true]
    );
}

/// The totals are those of the platform's 26 manifests.
#[test]
fn together_they_use_every_section_as_often_as_the_platform_does() {
    let real = real();
    if real.len() != 12 {
        return;
    }
    let manifests: Vec<Manifest> =
        real.iter().map(String::as_str).chain(MADE_UP).map(|text| text.parse().expect("valid")).collect();
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: &str, n: usize| *used.entry(what.to_owned()).or_default() += n;
    for m in &manifests {
        count(m.plugin_type.as_str(), 1);
        for key in [
            "events",
            "lifecycle",
            "database",
            "api",
            "apiEndpoints",
            "ui",
            "adminUI",
            "scheduler",
            "defaultConfig",
        ] {
            count(key, usize::from(m.document().contains_key(key)));
        }
        for permission in &m.permissions {
            count(&format!("permission {permission}"), 1);
        }
        count("tables", m.database.tables.len());
        count("paths", m.api.endpoints.len());
        count("endpoints", m.api_endpoints.len());
        count("ui.adminPages", m.ui.admin_pages.len());
        count("ui.userPages", m.ui.user_pages.len());
        let schema = m.config_schema().expect("all have one");
        count("required", usize::from(schema.contains_key("required")));
        words(&Value::Object(schema.clone()), &mut count);
    }
    for (what, expected) in [
        ("extension", 15),
        ("integration", 7),
        ("webhook", 4),
        ("events", 15),
        ("lifecycle", 11),
        ("database", 8),
        ("api", 13),
        ("apiEndpoints", 3),
        ("ui", 13),
        ("adminUI", 1),
        ("scheduler", 9),
        ("defaultConfig", 5),
        ("tables", 25),
        ("paths", 70),
        ("endpoints", 23),
        ("ui.adminPages", 18),
        ("ui.userPages", 2),
        ("required", 17),
        ("permission network", 19),
        ("permission admin_ui", 14),
        ("permission database", 10),
        ("permission api", 3),
        ("permission scheduler", 2),
        ("permission storage", 2),
        ("permission kubernetes", 1),
        ("enum", 23),
        ("additionalProperties", 4),
        ("pattern", 4),
        ("minItems", 1),
        ("examples", 1),
        ("integer", 26),
        ("array", 12),
        ("format password", 14),
        ("format email", 5),
        ("format textarea", 3),
        ("format uri", 1),
    ] {
        assert_eq!(used.get(what), Some(&expected), "{what}");
    }
}

/// Counts the schema words below `schema`.
fn words(schema: &Value, count: &mut impl FnMut(&str, usize)) {
    let Value::Object(schema) = schema else {
        return;
    };
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values().for_each(|p| words(p, count)),
            ("items", _) => words(value, count),
            ("additionalProperties", _) => {
                count(key, 1);
                words(value, count);
            }
            ("format", Value::String(format)) => count(&format!("format {format}"), 1),
            ("type", Value::String(name)) if name == "integer" || name == "array" => count(name, 1),
            ("enum" | "pattern" | "minItems" | "examples", _) => count(key, 1),
            _ => {}
        }
    }
}

/// The platform's core keeps copies with type `system` and without license, requirements and entry points.
#[test]
fn the_older_copies_of_the_core_are_read_too() {
    for text in real().iter().map(String::as_str).chain(MADE_UP) {
        let mut document: Value = serde_json::from_str(text).expect("JSON");
        let keys = document.as_object_mut().expect("an object");
        for key in ["license", "requirements", "entrypoints"] {
            keys.shift_remove(key);
        }
        keys.insert("type".to_owned(), "system".into());
        let manifest: Manifest = document.to_string().parse().expect("valid");
        assert_eq!(manifest.plugin_type, PluginType::System);
        assert_eq!(serde_json::to_value(&manifest).expect("JSON"), document);
        let warned: Vec<String> = manifest.warnings().into_iter().map(|warning| warning.path).collect();
        assert_eq!(warned, ["license"]);
    }
}

/// Whatever the section, a key it does not have is kept and named.
#[test]
fn an_unknown_key_in_any_section_is_kept_and_named() {
    for text in real().iter().map(String::as_str).chain(MADE_UP).chain([made_up::DOCUMENTS_ONLY]) {
        let plain: Value = serde_json::from_str(text).expect("JSON");
        let mut places = Vec::new();
        sections(&plain, String::new(), &mut places);
        for place in places {
            let mut document = plain.clone();
            let section =
                document.pointer_mut(&place).expect("the section").as_object_mut().expect("an object");
            section.insert("zzzzzz".to_owned(), Value::Null);
            let manifest: Manifest =
                document.to_string().parse().unwrap_or_else(|error| panic!("{place}: {error}"));
            let warned: Vec<String> = manifest.warnings().into_iter().map(|warning| warning.path).collect();
            assert!(matches!(&warned[..], [one] if one.ends_with("zzzzzz")), "{place}: {warned:?}");
            assert_eq!(serde_json::to_value(&manifest).expect("JSON"), document, "{place}");
        }
    }
}

/// Pointers to all typed objects: all but the free maps.
fn sections(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if !matches!(
                    key.as_str(),
                    "configSchema" | "defaultConfig" | "events" | "dependencies" | "schema"
                ) {
                    sections(value, format!("{place}/{key}"), places);
                }
            }
            places.push(place);
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| sections(v, format!("{place}/{i}"), places))
        }
        _ => {}
    }
}

#[test]
fn the_keys_that_only_the_documents_name_are_known() {
    let manifest = check(made_up::DOCUMENTS_ONLY);
    assert_eq!(manifest.dependencies.len(), 2);
    assert_eq!(manifest.requirements.plugins, ["example-metrics"]);
    assert_eq!(manifest.entrypoints.library.as_deref(), Some("libexample.so"));
    assert_eq!(manifest.bugs.as_ref().and_then(|bugs| bugs.url()), Some("https://example.com/bugs"));
    assert_eq!(manifest.admin_pages().count(), 2);
    assert!(manifest.deprecation.is_some() && manifest.config_schema().is_some());
}
