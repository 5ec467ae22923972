//! `manifest.json`: it is one, and it is complete.

use std::path::Path;

use streamspace_plugin::manifest::{MAX_BYTES, Manifest};

use super::Report;
use crate::{plugin_config::ConfigSchema, store::read_bounded, ui::Declared};

pub(super) const FILE: &str = "manifest.json";
/// The end of keys whose values are secrets, in lower case.
const SECRET_KEYS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "privatekey",
    "private_key",
    "webhookurl",
];

/// Reads it. What the host refuses is an error.
pub(super) fn read(folder: &Path, report: &mut Report) -> Option<Manifest> {
    let read = read_bounded(&folder.join(FILE), MAX_BYTES as u64).map_err(|why| why.to_string());
    let parsed = read.and_then(|bytes| Manifest::parse(&bytes).map_err(|why| why.to_string()));
    match parsed {
        Ok(manifest) => Some(manifest),
        Err(why) => {
            report.error(
                "SSP-LNT-001",
                FILE,
                format!("the host would refuse it: {why}"),
                "correct it; `streamspace manifest check FILE` says whether it is good",
            );
            None
        }
    }
}

pub(super) fn check(manifest: &Manifest, report: &mut Report) {
    if let Err(why) = ConfigSchema::compile(manifest) {
        report.error("SSP-LNT-001", FILE, why.to_string(), "correct `configSchema`");
    }
    let declared = Declared::by(manifest);
    if let Err(why) = declared.check(&manifest.name) {
        report.error("SSP-LNT-001", FILE, why.to_string(), "correct what it shows in the console");
    }
    complete(manifest, report);
    for warning in manifest.warnings() {
        // What is missing has been said.
        if !["description", "author", "license"].contains(&warning.path.as_str()) {
            report.warning("SSP-LNT-003", FILE, warning.to_string(), "change it, or leave it if it is meant");
        }
    }
    for note in declared.notes() {
        report.warning("SSP-LNT-003", FILE, note.clone(), "change it, or leave it if it is meant");
    }
    for (path, key) in unmarked_secrets(manifest) {
        report.warning(
            "SSP-LNT-004",
            FILE,
            format!("`{path}` looks like a secret and is not marked as one: it is shown to whoever may look"),
            format!("add \"format\": \"password\" to `{key}`, or give it a name that says what it is"),
        );
    }
}

fn complete(manifest: &Manifest, report: &mut Report) {
    let text = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.trim().is_empty());
    for (key, is_there, why) in [
        ("description", text(&manifest.description), "what the plugin does, in one sentence"),
        ("author", text(&manifest.author), "who made it"),
        ("license", text(&manifest.license), "an SPDX expression, such as `MIT` or `LicenseRef-Proprietary`"),
    ] {
        if !is_there {
            report.error(
                "SSP-LNT-002",
                FILE,
                format!("`{key}` is missing: operators look for it before they install anything"),
                format!("add `{key}`: {why}"),
            );
        }
    }
    let has_version = manifest.requirements.streamspace_version.is_some()
        || manifest.requirements.minimum_version.is_some()
        || manifest.compatibility.as_ref().is_some_and(|range| range.streamspace.is_some());
    for (key, is_there, why) in [
        (
            "homepage",
            text(&manifest.homepage) || text(&manifest.repository) || manifest.bugs.is_some(),
            "where operators read about it and report what does not work; `repository` or `bugs` will do too",
        ),
        ("category", text(&manifest.category), "the heading that catalogues list it under"),
        (
            "tags",
            !manifest.tags.is_empty() || !manifest.keywords.is_empty(),
            "words that operators search for",
        ),
        ("requirements.streamspaceVersion", has_version, "the versions of the host that it was tried with"),
    ] {
        if !is_there {
            report.warning("SSP-LNT-002", FILE, format!("`{key}` is missing"), format!("add `{key}`: {why}"));
        }
    }
}

/// Keys of the configuration that are named like secrets and are shown like anything else: their paths and names. Only
/// `properties` and `items` are followed: what is behind references and conditions has a path of its own.
fn unmarked_secrets(manifest: &Manifest) -> Vec<(String, String)> {
    let Some(schema) = manifest.config_schema() else { return Vec::new() };
    let mut found = Vec::new();
    let mut left = vec![("configSchema".to_owned(), schema)];
    while let Some((path, schema)) = left.pop() {
        if let Some(items) = schema.get("items").and_then(|items| items.as_object()) {
            left.push((format!("{path}.items"), items));
        }
        for (key, value) in schema.get("properties").and_then(|all| all.as_object()).into_iter().flatten() {
            let Some(value) = value.as_object() else { continue };
            let path = format!("{path}.properties.{key}");
            let lower = key.to_lowercase();
            let is_text = value.get("type").and_then(|kind| kind.as_str()) == Some("string");
            let is_true = |key: &str| value.get(key).and_then(|value| value.as_bool()) == Some(true);
            let is_marked = value.get("format").and_then(|format| format.as_str()) == Some("password")
                || is_true("sensitive")
                || is_true("writeOnly");
            if is_text && !is_marked && SECRET_KEYS.iter().any(|end| lower.ends_with(end)) {
                found.push((path.clone(), key.clone()));
            }
            left.push((path, value));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(document: serde_json::Value) -> Vec<(&'static str, String)> {
        let manifest = Manifest::parse(document.to_string().as_bytes()).expect("a manifest");
        let mut report = Report::default();
        check(&manifest, &mut report);
        report.findings.into_iter().map(|finding| (finding.code, finding.problem)).collect()
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = findings(json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension", "author": " ",
        }));
        for key in ["description", "author", "license", "homepage", "category", "tags"] {
            let named = |(code, problem): &&(&str, String)| {
                *code == "SSP-LNT-002" && problem.starts_with(&format!("`{key}` is missing"))
            };
            assert_eq!(all.iter().filter(named).count(), 1, "{key}: {all:?}");
        }
    }

    #[test]
    fn a_complete_manifest_has_no_findings() {
        let all = findings(json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension", "author": "A",
            "description": "Does", "license": "MIT", "homepage": "https://example.com",
            "category": "C", "keywords": ["k"], "requirements": { "streamspaceVersion": ">=0.1.0" },
        }));
        assert_eq!(all, []);
    }

    #[test]
    fn secrets_that_are_not_marked_are_found_at_every_depth() {
        let text = |more: serde_json::Value| {
            let mut text = json!({ "type": "string" });
            text.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            text
        };
        let manifest = json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension",
            "configSchema": { "properties": {
                "smtpPassword": text(json!({})),
                "apiKey": text(json!({ "format": "password" })),
                "token": text(json!({ "writeOnly": true })),
                "maxToken": { "type": "number" },
                "accounts": { "type": "array", "items": { "properties": { "botToken": text(json!({})) } } },
            } },
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest");
        let paths: Vec<_> = unmarked_secrets(&manifest).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "configSchema.properties.accounts.items.properties.botToken",
                "configSchema.properties.smtpPassword"
            ]
        );
    }
}
