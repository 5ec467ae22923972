//! Rules of the whole document.

use serde_json::json;

use super::*;

fn minimal() -> Value {
    json!({
        "name": "streamspace-x", "version": "1.0.0", "displayName": "X", "type": "extension",
        "description": "x", "author": "x", "license": "MIT",
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut document = minimal();
    document[key] = value;
    document
}

fn parse(document: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(&serde_json::to_vec_pretty(document).expect("JSON"))
}

fn findings(document: &Value) -> Vec<String> {
    parse(document).expect_err("a fault").findings().iter().map(Finding::to_string).collect()
}

#[test]
fn the_four_required_keys_and_the_recommended_ones_are_enough() {
    let manifest = parse(&minimal()).expect("valid");
    assert_eq!(manifest.warnings(), []);
    assert_eq!(manifest.plugin_type, PluginType::Extension);
    assert!(
        manifest.lifecycle.on_load && manifest.permissions.is_empty() && manifest.config_schema().is_none()
    );
}

#[test]
fn every_missing_key_is_named() {
    let found = findings(&json!({}));
    assert_eq!(found.len(), 4, "{found:?}");
    for key in ["name", "version", "displayName", "type"] {
        assert!(
            found.iter().any(|f| f.starts_with(&format!("`{key}`: the required key is missing"))),
            "{found:?}"
        );
    }
}

#[test]
fn all_faults_are_told_at_once_with_their_place() {
    let found = findings(&json!({
        "name": "../x", "version": "1.0", "type": "plugin",
        "tags": "one", "ui": { "pages": [{ "id": "a", "title": 7 }] },
        "permissions": ["ok", "network:https://x.example", 3],
    }));
    for start in [
        "`displayName`: the required key is missing",
        "`name` (line 2, column ",
        "`version`: \"1.0\" is not a version",
        "`type`: \"plugin\" is not a plugin type",
        "`tags`: invalid type: string \"one\", expected a list",
        "`ui.pages[0].title`: invalid type: integer `7`, expected a string",
        "`permissions[1]`: permission \"network:https://x.example\" names no usable host",
    ] {
        assert!(found.iter().any(|f| f.starts_with(start)), "{start} is not in {found:#?}");
    }
}

#[test]
fn a_wrong_type_has_line_and_column() {
    let text = "{\n  \"name\": \"streamspace-x\", \"version\": \"1.0.0\", \"displayName\": \"X\", \"type\": \"ui\",\n  \"scheduler\": {\"jobs\": [{\"name\": \"a\", \"schedule\": 5}]}\n}";
    let error = Manifest::parse(text.as_bytes()).expect_err("a number is no schedule");
    let [finding] = error.findings() else { panic!("{error}") };
    assert_eq!(finding.path, "scheduler.jobs[0].schedule");
    assert_eq!(finding.position.map(|(line, _)| line), Some(3));
    assert_eq!(error.code(), "SSP-MAN-003");
}

#[test]
fn null_is_no_section() {
    assert_eq!(findings(&with("ui", Value::Null)).len(), 1);
    assert!(parse(&with("icon", Value::Null)).is_ok());
}

#[test]
fn a_key_written_twice_is_refused() {
    let text =
        r#"{"name":"streamspace-x","name":"streamspace-y","version":"1.0.0","displayName":"X","type":"ui"}"#;
    let error = Manifest::parse(text.as_bytes()).expect_err("two names");
    assert!(error.to_string().contains("duplicate field `name`"), "{error}");
}

#[test]
fn what_is_no_json_object_is_refused_with_the_reason() {
    assert!(matches!(
        Manifest::parse(b"{\"name\": }"),
        Err(ManifestError::Syntax { line: 1, column: 10, .. })
    ));
    assert!(matches!(Manifest::parse(b""), Err(ManifestError::Syntax { .. })));
    assert!(matches!(Manifest::parse(b"{\"a\": \"\xff\"}"), Err(ManifestError::Syntax { .. })));
    let deep = [b'['; 100_000];
    assert!(matches!(Manifest::parse(&deep), Err(ManifestError::Syntax { .. })));
    let list = Manifest::parse(b"[]").expect_err("a list");
    assert!(list.to_string().contains("the document: expected an object in braces, found a list"), "{list}");
}

#[test]
fn size_is_checked_before_parsing() {
    let text = " ".repeat(MAX_BYTES + 1);
    assert_eq!(Manifest::parse(text.as_bytes()), Err(ManifestError::TooLarge { size: MAX_BYTES + 1 }));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(serde_json::to_vec(&minimal()).expect("JSON"));
    assert!(Manifest::parse(&bytes).is_ok());
}

#[test]
fn paths_and_names_inside_are_checked() {
    for (key, value, start) in [
        ("displayName", json!("  "), "`displayName`: expected 1 to 100 characters"),
        ("homepage", json!("javascript:alert(1)"), "`homepage`: "),
        ("bugs", json!({"url": "ftp://x"}), "`bugs`: "),
        ("icon", json!("../../secret.png"), "`icon`: "),
        ("entrypoints", json!({"library": "a/b.so"}), "`entrypoints.library`: "),
        ("entrypoints", json!({"main": "/etc/passwd"}), "`entrypoints.main`: "),
        ("api", json!({"endpoints": ["/ok", "/../../v1/x"]}), "`api.endpoints[1]`: "),
        ("apiEndpoints", json!([{"method": "GET", "path": "x"}]), "`apiEndpoints[0].path`: "),
        ("ui", json!({"pages": [{"id": "a", "title": "A", "route": "/.."}]}), "`ui.pages[0]`: "),
        (
            "ui",
            json!({"widgets": [{"id": "a", "title": "A"}, {"id": "a", "title": "B"}]}),
            "`ui.widgets[1].id`: ",
        ),
        ("dependencies", json!({"streamspace-y": "newest"}), "`dependencies.streamspace-y` (line "),
        ("conflicts", json!({"streamspace-y": "newest"}), "`conflicts.streamspace-y` (line "),
        ("conflicts", json!(["streamspace-y"]), "`conflicts` (line "),
        ("aliases", json!(["streamspace-y"]), "`aliases[0]`: a plugin is not beside"),
        ("aliases", json!(["Y"]), "`aliases[0]` (line "),
    ] {
        let found = findings(&with(key, value));
        assert!(matches!(&found[..], [one] if one.starts_with(start)), "{start}: {found:?}");
    }
}

#[test]
fn a_plugin_is_in_the_place_of_what_it_is_not_beside() {
    let mut manifest = with("aliases", json!(["streamspace-y"]));
    manifest["conflicts"] = json!({"streamspace-y": "*"});
    assert_eq!(parse(&manifest).expect("valid").aliases[0].as_str(), "streamspace-y");
    manifest["conflicts"] = json!({"streamspace-y": "^1.0"});
    assert!(findings(&manifest)[0].starts_with("`aliases[0]`: "));
}

#[test]
fn oddities_are_warned_about() {
    for (key, value, path) in [
        ("license", json!(""), "license"),
        ("description", json!("x".repeat(201)), "description"),
        ("permissions", json!(["netwrok"]), "permissions[0]"),
        ("requirements", json!({"streamspaceVersion": "latest"}), "requirements.streamspaceVersion"),
        ("requirements", json!({"docker": ">=20"}), "requirements.docker"),
        ("dependencies", json!({"@mui/material": "^5.0.0"}), "dependencies.@mui/material"),
        ("conflicts", json!({"@mui/material": "^5.0.0"}), "conflicts.@mui/material"),
        ("events", json!({"session created": "OnX"}), "events.session created"),
        ("apiEndpoints", json!([{"method": "FETCH", "path": "/x"}]), "apiEndpoints[0].method"),
        ("bugs", json!({"web": "x"}), "bugs.web"),
    ] {
        let manifest = parse(&with(key, value)).expect("valid");
        let warnings = manifest.warnings();
        assert!(matches!(&warnings[..], [one] if one.path == path), "{path}: {warnings:?}");
    }
}

#[test]
fn the_document_comes_back_with_its_unknown_keys_and_its_order() {
    let text = r#"{"x-vendor":{"b":1,"a":[null]},"type":"theme","version":"1.0.0","tags":[],"name":"streamspace-x","ui":{"zzz":1,"pages":[]},"displayName":"X","icon":null}"#;
    let manifest: Manifest = text.parse().expect("valid");
    assert_eq!(serde_json::to_string(&manifest).expect("JSON"), text);
    let again: Manifest = serde_json::from_str(text).expect("valid by serde too");
    assert_eq!(again, manifest);
    assert!(serde_json::from_str::<Manifest>("{}").is_err());
}

#[test]
fn the_older_place_of_the_schema_is_read() {
    let manifest = parse(&with("config", json!({"schema": {"type": "object"}}))).expect("valid");
    assert_eq!(manifest.config_schema().and_then(|s| s.get("type")), Some(&json!("object")));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes there, and has nothing that is unsafe")]
fn the_list_of_faults_and_of_warnings_is_bounded() {
    let error = parse(&with("permissions", vec!["A"; 5000].into())).expect_err("no permissions");
    assert_eq!(error.findings().len(), 101);
    assert!(error.to_string().ends_with("4900 more faults are not listed"));
    let manifest = parse(&with("permissions", vec!["unheard-of"; 5000].into())).expect("valid");
    assert_eq!(manifest.warnings().len(), 101);
}
