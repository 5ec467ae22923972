//! The room as a whole.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::*;

fn manifest(schema: &Value, default_config: &Value) -> Manifest {
    json!({
        "name": "streamspace-x", "version": "1.0.0", "displayName": "X", "type": "extension",
        "configSchema": schema, "defaultConfig": default_config,
    })
    .to_string()
    .parse()
    .expect("a manifest")
}

fn compile(schema: Value) -> ConfigSchema {
    ConfigSchema::compile(&manifest(&schema, &json!({}))).expect("a schema")
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn violations(schema: &ConfigSchema, config: Value) -> Vec<String> {
    schema
        .effective(&map(config))
        .expect_err("a violation")
        .violations()
        .iter()
        .map(Violation::to_string)
        .collect()
}

fn secretive() -> ConfigSchema {
    compile(json!({
        "$defs": {"key": {"type": "string", "format": "password", "minLength": 3}},
        "properties": {
            "apiKey": {"$ref": "#/$defs/key"},
            "pin": {"type": "integer", "sensitive": true, "maximum": 999_999},
            "smtp": {"properties": {"password": {"type": "string", "writeOnly": true, "pattern": "^[a-z-]+$"}, "host": {}}},
            "providers": {"type": "array", "items": {"properties": {"name": {}, "clientSecret": {"$ref": "#/$defs/key"}}}},
            "keys": {"type": "array", "items": {"$ref": "#/$defs/key"}},
            "hooks": {"additionalProperties": {"properties": {"token": {"type": "string", "format": "password"}, "url": {}}}},
            "bundle": {"sensitive": true, "type": "object"},
            "auth": {"oneOf": [
                {"properties": {"basic": {"type": "string", "format": "password"}}, "required": ["basic"]},
                {"properties": {"anonymous": {"const": true}}, "required": ["anonymous"]},
            ]},
        },
    }))
}

fn secret_config() -> Value {
    json!({
        "apiKey": "secret-one", "pin": 123_456, "smtp": {"password": "secret-two", "host": "mail"},
        "providers": [{"name": "a", "clientSecret": "secret-three"}, {"name": "b", "clientSecret": "secret-four"}],
        "keys": ["secret-five", "tiny"], "hooks": {"x y": {"token": "secret-six", "url": "u"}},
        "bundle": {"deep": ["secret-seven", {"n": "secret-eight"}]}, "auth": {"basic": "secret-nine"},
    })
}

#[test]
fn the_user_wins_over_default_config_and_that_over_the_schema() {
    let schema = json!({"properties": {
        "a": {"default": "schema"}, "b": {"default": "schema"}, "c": {"default": "schema"},
        "o": {"properties": {"x": {"default": 1}, "y": {"default": 1}, "z": {"default": 1}, "l": {"default": [1, 2, 3]}}},
    }});
    let schema = ConfigSchema::compile(&manifest(
        &schema,
        &json!({"b": "manifest", "c": "manifest", "o": {"y": 2, "z": 2}}),
    ))
    .expect("a schema");
    let effective =
        schema.effective(&map(json!({"c": "user", "o": {"z": 3, "l": []}, "more": true}))).expect("valid");
    assert_eq!(
        effective.into_value(),
        json!({"a": "schema", "b": "manifest", "c": "user", "o": {"x": 1, "y": 2, "z": 3, "l": []}, "more": true})
    );
}

#[test]
fn without_a_schema_any_object_will_do() {
    let plain: Manifest =
        r#"{"name":"streamspace-x","version":"1.0.0","displayName":"X","type":"ui"}"#.parse().expect("valid");
    let schema = ConfigSchema::compile(&plain).expect("nothing to compile");
    let config = json!({"a": {"b": [1, null]}, "password": "secret-one"});
    assert_eq!(schema.effective(&map(config.clone())).expect("valid").into_value(), config);
    assert_eq!(schema.redact(&config), config);
    assert!(schema.secrets(&config).is_empty());
}

#[test]
fn every_violation_is_told_with_its_path() {
    let schema = compile(json!({
        "type": "object", "required": ["url", "smtp"],
        "properties": {
            "url": {"type": "string", "pattern": "^https://"},
            "mode": {"type": "enum", "enum": ["a", "b"]},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "mail": {"type": "string", "format": "email"},
            "smtp": {"type": "object", "required": ["host"], "properties": {"host": {"type": "string"}}},
            "list": {"type": "array", "minItems": 1, "items": {"type": ["string", "null"]}},
            "strict": {"additionalProperties": false, "properties": {"known": {}}},
        },
    }));
    let found = violations(
        &schema,
        json!({"mode": "c", "port": 0, "mail": "nobody", "smtp": {}, "list": ["a", 2], "strict": {"x": 1, "y z": 2}}),
    );
    for expected in [
        "`url`: expected a string, as it is required, found nothing",
        "`mode`: expected one of \"a\", \"b\", found \"c\"",
        "`port`: expected at least 1, found 0",
        "`mail`: expected text in the format `email`, found \"nobody\"",
        "`smtp.host`: expected a string, as it is required, found nothing",
        "`list[1]`: expected null, string, found 2",
        "`strict.x`: expected no key but known, found one of this name",
        "`strict[\"y z\"]`: expected no key but known, found one of this name",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
    assert_eq!(violations(&schema, json!({"url": "ftp://x", "smtp": {"host": "h"}, "list": []})).len(), 2);
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (schema, part) in [
        (json!({"properties": {"a": {"type": "strnig"}}}), "configSchema.properties.a.type"),
        (json!({"properties": {"a": {"minimum": "1"}}}), "configSchema.properties.a.minimum"),
        (json!({"properties": {"a": {"pattern": "("}}}), "configSchema.properties.a.pattern"),
        (json!({"properties": {"a": {"$ref": "#/$defs/none"}}}), "none"),
    ] {
        let error = ConfigSchema::compile(&manifest(&schema, &json!({}))).expect_err("no schema");
        assert_eq!(error.code(), "SSP-CFG-002", "{error}");
        assert!(error.to_string().contains(part), "{part} is not in {error}");
    }
}

#[test]
fn nothing_is_fetched_for_a_schema() {
    for reference in ["http://127.0.0.1:9/schema.json", "file:///etc/hostname"] {
        let error =
            ConfigSchema::compile(&manifest(&json!({"properties": {"a": {"$ref": reference}}}), &json!({})))
                .expect_err("a reference outside");
        assert!(matches!(&error, ConfigError::Reference { reference: r, .. } if r == reference), "{error}");
    }
}

#[test]
fn defaults_without_end_are_refused_when_compiled() {
    let mut schema = json!({"properties": {"tree": {"$ref": "#/$defs/0"}}, "$defs": {"16": {"properties": {"n": {"default": 1}}}}});
    for level in 0..16 {
        let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
        schema["$defs"][level.to_string()] = json!({"properties": {"l": next.clone(), "r": next}});
    }
    assert_eq!(
        ConfigSchema::compile(&manifest(&schema, &json!({}))).err(),
        Some(ConfigError::TooManyDefaults)
    );
}

#[test]
fn chains_of_references_are_followed_so_far_and_no_further() {
    let chain = |length: usize| {
        let mut defs = Map::new();
        for level in 1..length {
            defs.insert(level.to_string(), json!({"$ref": format!("#/$defs/{}", level + 1)}));
        }
        defs.insert(length.to_string(), json!({"format": "password", "default": "end", "type": "string"}));
        manifest(&json!({"properties": {"a": {"$ref": "#/$defs/1"}}, "$defs": defs}), &json!({}))
    };
    let schema = ConfigSchema::compile(&chain(64)).expect("a schema");
    assert_eq!(schema.effective(&Map::new()).expect("valid").into_value(), json!({"a": "end"}));
    assert_eq!(schema.redact(&json!({"a": "x"})), json!({"a": REDACTED}));
    let error = ConfigSchema::compile(&chain(65)).expect_err("too long");
    assert!(error.to_string().contains("refers to 65 places"), "{error}");
}

#[test]
fn a_schema_may_refer_to_itself() {
    for definition in [
        json!({"$ref": "#/$defs/x"}),
        json!({"allOf": [{"$ref": "#/$defs/x"}], "anyOf": [{"$ref": "#/$defs/x"}]}),
        json!({"properties": {"n": {"$ref": "#"}}}),
    ] {
        let schema = compile(json!({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": definition}}));
        let config = json!({"a": {"n": {"a": {"n": {}}}}});
        assert!(schema.effective(&map(config.clone())).is_ok());
        assert_eq!(schema.redact(&config), config);
    }
}

#[test]
fn a_configuration_has_a_depth() {
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"n": inner}));
    let schema = compile(json!({"properties": {"n": {"$ref": "#"}}}));
    assert!(schema.effective(&map(nested(32))).is_ok());
    assert_eq!(
        violations(&schema, nested(33)),
        ["the configuration: expected at most 32 levels of nesting, found more"]
    );
}

#[test]
fn secrets_are_found_at_every_depth() {
    assert_eq!(
        secretive().secrets(&secret_config()),
        [
            "123456",
            "secret-eight",
            "secret-five",
            "secret-four",
            "secret-nine",
            "secret-one",
            "secret-seven",
            "secret-six",
            "secret-three",
            "secret-two",
        ]
    );
}

#[test]
fn a_redacted_configuration_holds_no_secret_and_all_else() {
    assert_eq!(
        secretive().redact(&secret_config()),
        json!({
            "apiKey": REDACTED, "pin": REDACTED, "smtp": {"password": REDACTED, "host": "mail"},
            "providers": [{"name": "a", "clientSecret": REDACTED}, {"name": "b", "clientSecret": REDACTED}],
            "keys": [REDACTED, REDACTED], "hooks": {"x y": {"token": REDACTED, "url": "u"}},
            "bundle": REDACTED, "auth": {"basic": REDACTED},
        })
    );
    let unset = json!({"apiKey": "", "pin": null});
    assert_eq!(secretive().redact(&unset), unset);
}

#[test]
fn what_was_redacted_comes_back_unchanged() {
    let schema = secretive();
    let whole = map(secret_config());
    // Every subset of the keys.
    for bits in 0..1_u32 << whole.len() {
        let part: Map<String, Value> = whole
            .iter()
            .enumerate()
            .filter(|(i, _)| bits & (1 << i) != 0)
            .map(|(_, (k, v))| (k.clone(), v.clone()))
            .collect();
        let part = Value::Object(part);
        let redacted = schema.redact(&part);
        assert!(schema.secrets(&redacted).is_empty(), "{redacted}");
        assert_eq!(schema.unredact(redacted, &part), part);
        assert_eq!(schema.unredact(part.clone(), &secret_config()), part);
    }
}

#[test]
fn items_keep_their_secrets_by_name_when_they_move() {
    let new = json!({"providers": [
        {"name": "b", "clientSecret": REDACTED}, {"name": "new", "clientSecret": REDACTED}, {"name": "a", "clientSecret": "changed"},
    ]});
    assert_eq!(
        secretive().unredact(new, &secret_config()),
        json!({"providers": [{"name": "b", "clientSecret": "secret-four"}, {"name": "new"}, {"name": "a", "clientSecret": "changed"}]})
    );
    let old = json!({"providers": [{"name": "a", "clientSecret": "first"}, {"name": "a", "clientSecret": "second"}]});
    assert_eq!(secretive().unredact(secretive().redact(&old), &old), old);
}

#[test]
fn items_without_a_name_keep_their_secrets_by_index() {
    let old = json!({"keys": ["secret-one", "secret-two"], "providers": [{"clientSecret": "secret-three"}]});
    let new = json!({"keys": [REDACTED, "changed", REDACTED], "providers": [{"clientSecret": REDACTED}]});
    assert_eq!(
        secretive().unredact(new, &old),
        json!({"keys": ["secret-one", "changed"], "providers": [{"clientSecret": "secret-three"}]})
    );
}

#[test]
fn the_mark_is_only_a_mark_at_a_secrets_place() {
    let new = json!({"smtp": {"host": REDACTED, "password": REDACTED}, "other": REDACTED});
    assert_eq!(secretive().unredact(new, &json!({})), json!({"smtp": {"host": REDACTED}, "other": REDACTED}));
}

#[test]
fn no_error_shows_a_secret() {
    let schema = secretive();
    for broken in [
        json!({"apiKey": "hq", "pin": 7_654_321}),
        json!({"apiKey": 87_654_321, "smtp": {"password": "NOT-SHOWN"}}),
        json!({"providers": [{"clientSecret": "xq"}], "keys": ["zq"], "hooks": {"a": {"token": 87_654_321}}}),
        json!({"bundle": "NOT-SHOWN"}),
        json!({"auth": {"basic": 87_654_321}}),
    ] {
        let error = schema.effective(&map(broken)).expect_err("broken");
        for text in [error.to_string(), format!("{error:?}")] {
            for secret in ["hq", "xq", "zq", "7654321", "87654321", "NOT-SHOWN"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
    let unmarked = compile(
        json!({"properties": {"webhookUrl": {"pattern": "^https://"}, "googleClientSecret": {"maxLength": 1}}}),
    );
    let error = unmarked
        .effective(&map(json!({"webhookUrl": "NOT-SHOWN", "googleClientSecret": "NOT-SHOWN"})))
        .expect_err("broken");
    assert!(error.violations().len() == 2 && !error.to_string().contains("NOT-SHOWN"), "{error}");
    let effective = schema.effective(&map(secret_config())).expect("valid");
    assert!(!format!("{effective:?}").contains("secret-one"));
}

/// The manifests of the platform the host replaces, where they lie beside the project.
#[test]
fn real_schemas_compile_and_miss_exactly_what_they_require() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/manifests");
    let Ok(entries) = fs::read_dir(&folder) else {
        #[expect(clippy::print_stderr, reason = "a skipped test is worth a line")]
        {
            eprintln!("skipped: {} is not there", folder.display());
        }
        return;
    };
    let files =
        entries.flatten().map(|entry| entry.path().join("manifest.json")).filter(|path| path.is_file());
    for file in files {
        let manifest = Manifest::parse(&fs::read(&file).expect("readable")).expect("valid");
        let schema =
            ConfigSchema::compile(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.name));
        let declared = manifest.config_schema().expect("all have one");
        let required = declared.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut expected: Vec<String> = required
            .filter_map(Value::as_str)
            .filter(|key| declared["properties"][key].get("default").is_none())
            .map(str::to_owned)
            .collect();
        let mut missing: Vec<String> = match schema.effective(&Map::new()) {
            Ok(_) => Vec::new(),
            Err(error) => {
                assert!(
                    error.violations().iter().all(|v| v.found == "nothing"),
                    "{}: {error}",
                    manifest.name
                );
                error.violations().iter().map(|violation| violation.path.clone()).collect()
            }
        };
        expected.sort();
        missing.sort();
        assert_eq!(missing, expected, "{}", manifest.name);
    }
}
