//! What every plugin of this repository has to have, beside what its own tests show. Most of it is what `package lint` looks at;
//! the rest is here.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, path::PathBuf};

use serde_json::Value;
use streamspace_tests::{Installation, workspace};

/// Words at the end of a key whose value is a secret. Where it is an address, the address itself is one: a webhook's.
const SECRETS: [&str; 5] = ["key", "token", "password", "secret", "webhookurl"];

/// The plugins' folders, with their manifests.
fn plugins() -> Vec<(PathBuf, Value)> {
    let folders = fs::read_dir(workspace().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<(PathBuf, Value)> = folders
        .filter_map(|folder| {
            let text = fs::read_to_string(folder.join("manifest.json")).ok()?;
            let manifest =
                serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
            Some((folder, manifest))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "there are no plugins");
    found
}

/// Fails with everything that was found, not only with the first.
fn nothing(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The properties of a schema and of all schemas in it, with their paths.
fn properties(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        found.push((path.clone(), property.clone()));
        properties(property, &path, found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            properties(&schema[inner], path, found);
        }
    }
}

fn configuration(manifest: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    properties(&manifest["configSchema"], "", &mut found);
    found
}

/// The lines below the headings of a README that contain `word`, up to the next of the same depth or above.
fn section<'a>(readme: &'a str, word: &str) -> Vec<&'a str> {
    let mut within = None;
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in readme.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        if depth > 0 && !in_code {
            if within.is_some_and(|outer| depth <= outer) {
                within = None;
            }
            if within.is_none() && line.to_lowercase().contains(word) {
                within = Some(depth);
            }
        }
        if within.is_some() {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn lint_finds_nothing() {
    let installation = Installation::new();
    let mut found = Vec::new();
    for (folder, _) in plugins() {
        let output = installation.cli(&["package", "lint", folder.to_str().unwrap(), "--json"]);
        let report: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        for finding in report["findings"].as_array().unwrap() {
            found.push(format!("{}: {finding}", folder.display()));
        }
    }
    nothing(found);
}

#[test]
fn every_key_is_described_below_configuration() {
    let mut found = Vec::new();
    for (folder, manifest) in plugins() {
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let lines = section(&readme, "configuration");
        for (path, _) in configuration(&manifest) {
            let key = path.rsplit('/').next().unwrap();
            let (written, quoted) = (format!("`{key}`"), format!("\"{key}\""));
            // Those at the top have a row in a table; what is in them may also be shown by an example.
            let is_row = |line: &str| line.trim_start().starts_with('|') && line.contains(&written);
            let is_there = |line: &str| line.contains(&written) || line.contains(&quoted);
            let is_at_top = path.split('/').count() == 2;
            if !lines.iter().any(|line| if is_at_top { is_row(line) } else { is_there(line) }) {
                let place = if is_at_top { "no table" } else { "nothing" };
                found.push(format!("{}: {place} under `Configuration` has `{path}`", folder.display()));
            }
        }
    }
    nothing(found);
}

#[test]
fn every_key_has_a_title_and_says_what_it_is_for() {
    let mut found = Vec::new();
    for (folder, manifest) in plugins() {
        for (path, property) in configuration(&manifest) {
            if property["title"].as_str().is_none_or(str::is_empty) {
                found.push(format!("{}: `{path}` has no title", folder.display()));
            }
            let is_plain = path.split('/').count() > 2;
            if property["description"].as_str().is_none_or(str::is_empty) && !is_plain {
                found.push(format!("{}: `{path}` has no description", folder.display()));
            }
        }
    }
    nothing(found);
}

#[test]
fn secrets_are_marked_as_secrets() {
    let mut found = Vec::new();
    for (folder, manifest) in plugins() {
        for (path, property) in configuration(&manifest) {
            let key = path.rsplit('/').next().unwrap().to_lowercase();
            let is_text = property["type"] == "string";
            if is_text && SECRETS.iter().any(|end| key.ends_with(end)) && property["format"] != "password" {
                found.push(format!(
                    "{}: `{path}` is not marked with \"format\": \"password\"",
                    folder.display()
                ));
            }
        }
    }
    nothing(found);
}

#[test]
fn the_readme_has_an_example() {
    let mut found = Vec::new();
    for (folder, manifest) in plugins() {
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let has_example = section(&readme, "example").iter().any(|line| line.trim_start().starts_with("```"));
        if !configuration(&manifest).is_empty() && !has_example {
            found.push(format!("{}: the README has no section with an example", folder.display()));
        }
    }
    nothing(found);
}

#[test]
fn a_plugin_says_how_it_is_tested() {
    let mut found = Vec::new();
    for (folder, manifest) in plugins() {
        let name = manifest["name"].as_str().unwrap();
        let short = name.trim_start_matches("streamspace-").replace('-', "_");
        let suites = fs::read_dir(workspace().join("tests")).unwrap();
        let has_suite = suites.map(|entry| entry.unwrap().path()).any(|file| {
            file.extension().is_some_and(|end| end == "rs")
                && fs::read_to_string(&file).is_ok_and(|text| text.contains(&format!("\"{name}\"")))
        });
        if !has_suite {
            found.push(format!(
                "{}: no suite in tests/ uses {name}, such as {short}_delivery.rs",
                folder.display()
            ));
        }
        if fs::read_dir(folder.join("src")).into_iter().flatten().next().is_none() {
            found.push(format!("{}: there is no src/", folder.display()));
        }
    }
    nothing(found);
}
