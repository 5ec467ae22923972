//! The published schema says the same of a view as the code that reads it.

use jsonschema::Validator;
use serde_json::json;
use streamspace_plugin::ui::SCHEMA;

use super::*;

fn schema() -> (Value, Validator) {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    (schema, validator)
}

fn read_value(value: &Value) -> Checked<View> {
    read(value.to_string().as_bytes())
}

/// Views that together say everything that can be said.
fn whole() -> Vec<Value> {
    vec![
        json!({"type": "stat", "source": "/usage?days=7", "value": "/a~1b/~0", "label": "Hours", "format": "number", "unit": "h", "refresh_secs": 5}),
        json!({
            "type": "table", "source": "/rows", "rows": "/items", "page_size": 200, "empty_text": "None.", "refresh_secs": 86_400,
            "columns": [{"title": "Name", "value": "/name", "format": "bytes"}]
        }),
        json!({
            "type": "chart", "kind": "pie", "source": "/points/", "rows": "/p", "unit": "GB", "refresh_secs": 60,
            "x": {"value": "/t", "format": "datetime", "title": "Time"}, "series": [{"title": "Hours", "value": "/h"}]
        }),
        json!({
            "type": "form", "source": "/quotas", "submit": {"method": "PUT", "path": "/quotas"},
            "submit_label": "Set", "confirm": "Really?", "success_text": "Done.",
            "fields": [
                {"name": "hours", "label": "Hours", "input": "number", "required": true, "help": "A month.", "default": 5, "min": 0, "max": 10.5},
                {"name": "note", "label": "Note", "input": "multiline", "max_length": 100, "default": "x"},
                {"name": "kind", "label": "Kind", "input": "select", "options": [{"value": "a", "label": "A"}, {"value": "", "label": "B"}]},
                {"name": "_on-1", "label": "On", "input": "boolean", "default": true, "options": []}
            ]
        }),
        json!({"type": "markdown", "text": "# Hello\n\n*you*", "value": "/x"}),
        json!({"type": "markdown", "source": "/readme", "value": ""}),
        json!({"type": "stack", "direction": "row", "title": "Both", "children": [
            {"type": "stat", "source": "/a", "value": ""}, {"type": "stack", "children": [{"type": "markdown", "text": "x"}]}
        ]}),
    ]
}

/// Every place in a value, as a pointer.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                places(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                places(value, format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

/// What is put in the place of each value of the corpus.
fn others() -> Vec<Value> {
    let long = |length: usize| Value::String("x".repeat(length));
    let mut others = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(4),
        json!(5),
        json!(200),
        json!(201),
        json!(65_536),
        json!(65_537),
        json!(86_400),
        json!(86_401),
        json!(-1),
        json!(2.5),
        json!(""),
        json!("x"),
        json!("9"),
        json!("a\u{1}b"),
        json!("a\nb"),
        json!("ü".repeat(100)),
        json!([]),
        json!({}),
        json!([{}]),
        json!(["x"]),
        long(40),
        long(41),
        long(60),
        long(61),
        long(64),
        long(65),
        long(100),
        long(101),
        long(200),
        long(201),
        long(300),
        long(301),
        long(16_384),
        long(16_385),
        json!("/".to_owned() + &"y".repeat(199)),
        json!("/".to_owned() + &"y".repeat(200)),
        json!("/".to_owned() + &"y".repeat(511)),
        json!("/".to_owned() + &"y".repeat(512)),
    ];
    let words = [
        "/",
        "/a",
        "/a/",
        "a",
        "//",
        "//host/x",
        "/a//b",
        "/.",
        "/..",
        "/../q",
        "/a/..",
        "/a/../b",
        "/a/.",
        "/...",
        "/.a",
        "/..a",
        "/a?x=%2f..//",
        "/?x",
        "/..?x",
        "/.?x",
        "/a%2fb",
        "/%2e%2e/x",
        "/a\\b",
        "/a b",
        "/a#b",
        "/a\n",
        "/ü",
        "?x",
        "https://example.com/x",
        "javascript:alert(1)",
        "/a;b=c,d@e:f",
        "/~",
        "/~0",
        "/~2",
        "/a~1/b",
        "~0",
        "stat",
        "table",
        "chart",
        "form",
        "markdown",
        "stack",
        "text",
        "number",
        "bytes",
        "percent",
        "duration",
        "date",
        "datetime",
        "boolean",
        "multiline",
        "password",
        "select",
        "line",
        "area",
        "bar",
        "pie",
        "row",
        "column",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "GET",
        "post",
        "a-b",
        "a.b",
        "_a",
        "-a",
    ];
    others.extend(words.iter().map(|word| json!(word)));
    others
}

/// Rules that a schema cannot say, by the code's own sentence.
fn is_beyond_the_schema(why: &str) -> bool {
    ["each name once", "stacks within each other", "or more, found"].iter().any(|rule| why.contains(rule))
}

#[track_caller]
fn agree(schema: &Validator, view: &Value) {
    if view.to_string().len() > MAX_BYTES {
        return;
    }
    let read = read_value(view);
    let accepted = read.as_ref().map_or_else(|why| is_beyond_the_schema(why), |_| true);
    let errors = || schema.iter_errors(view).map(|error| error.to_string()).collect::<Vec<_>>();
    assert_eq!(accepted, schema.is_valid(view), "code: {read:?}\nschema: {:?}\n{view}", errors());
}

#[test]
fn the_schema_accepts_and_refuses_what_the_code_does() {
    let (_, schema) = schema();
    let mut seen = 0;
    for view in whole() {
        assert!(schema.is_valid(&view), "{view}");
        agree(&schema, &view);
        let mut all = Vec::new();
        places(&view, String::new(), &mut all);
        for place in &all {
            for other in others() {
                let mut changed = view.clone();
                *changed.pointer_mut(place).expect("a place of it") = other;
                agree(&schema, &changed);
                seen += 1;
            }
            // Without it, and with one more.
            if let Some((parent, key)) = place.rsplit_once('/') {
                let mut less = view.clone();
                match less.pointer_mut(parent) {
                    Some(Value::Object(object)) => drop(object.shift_remove(key)),
                    Some(Value::Array(items)) => drop(items.remove(key.parse().expect("an index"))),
                    _ => unreachable!("a parent has parts"),
                }
                agree(&schema, &less);
            }
            let mut more = view.clone();
            if let Some(Value::Object(object)) = more.pointer_mut(place) {
                object.insert("zzz".to_owned(), json!(1));
                agree(&schema, &more);
                assert!(read_value(&more).is_err(), "{more}");
            }
            let mut many = view.clone();
            for length in [10, 11, 20, 21, 30, 31, 50, 51, 100, 101] {
                if let Some(Value::Array(items)) = many.pointer_mut(place)
                    && let Some(first) = items.first().cloned()
                {
                    *items = vec![first; length];
                    agree(&schema, &many);
                }
            }
        }
    }
    assert!(seen > 10_000, "{seen}");
}

#[test]
fn the_corpus_says_everything_that_the_schema_knows() {
    fn collect(value: &Value, words: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| {
                words.push(key.clone());
                collect(value, words);
            }),
            Value::Array(items) => items.iter().for_each(|value| collect(value, words)),
            _ => {}
        }
    }
    let (schema, _) = schema();
    let mut said = Vec::new();
    whole().iter().for_each(|view| collect(view, &mut said));
    for (name, def) in schema["$defs"].as_object().expect("definitions") {
        for key in def["properties"].as_object().into_iter().flat_map(Map::keys) {
            assert!(said.contains(key), "`{key}` of `{name}` is missing from the corpus of this test");
        }
    }
}

#[test]
fn what_is_read_is_served_with_its_defaults_and_valid() {
    let (_, schema) = schema();
    for view in whole() {
        let served = serde_json::to_value(read_value(&view).expect("valid")).expect("JSON");
        assert!(schema.is_valid(&served), "{served}");
        assert_eq!(read_value(&served), read_value(&view));
        // What the SDK reads is the same.
        assert_eq!(serde_json::from_value::<View>(view).ok(), read_value(&served).ok());
    }
    let small = json!({"type": "table", "source": "/a", "columns": [{"title": "T", "value": "/t"}]});
    let served = serde_json::to_value(read_value(&small).expect("valid")).expect("JSON");
    assert_eq!(
        served,
        json!({
            "type": "table", "source": "/a", "rows": "", "page_size": 25,
            "columns": [{"title": "T", "value": "/t", "format": "text"}]
        })
    );
}

#[test]
fn a_sentence_names_the_place_what_was_expected_and_what_was_found() {
    let said = |view: &Value| read_value(view).expect_err("not valid");
    let deep = json!({"type": "stack", "children": [
        {"type": "markdown", "text": "x"},
        {"type": "table", "source": "/a", "columns": [{"title": "T", "value": "/t", "format": "money"}]}
    ]});
    let why = said(&deep);
    assert!(
        why.starts_with("`view.children[1].columns[0].format`: unknown variant `money`, expected one of"),
        "{why}"
    );
    let why = said(&json!({"type": "stat", "source": "/../other/x", "value": ""}));
    assert!(
        why.starts_with("`view.source`: expected a path below") && why.ends_with("found \"/../other/x\""),
        "{why}"
    );
    let why = said(&json!({"type": "gauge"}));
    assert!(why.contains("`view.type`: expected stat, table") && why.contains("gauge"), "{why}");
    let why = said(&json!({"type": "stat", "source": "/a", "value": "", "unit": null}));
    assert!(why.contains("`view.unit`") && why.contains("null"), "{why}");
}

#[test]
fn what_a_schema_cannot_say_is_refused_too() {
    let mut nested = json!({"type": "markdown", "text": "x"});
    for depth in 1..=5 {
        nested = json!({"type": "stack", "children": [nested]});
        assert_eq!(read_value(&nested).is_ok(), depth <= 4, "{depth}");
    }
    let mut deepest = "[".repeat(60_000);
    deepest.push_str(&"]".repeat(1000));
    assert!(read(deepest.as_bytes()).is_err());
    assert!(
        read(format!("{{\"type\":\"markdown\",\"text\":\"{}\"}}", "x".repeat(MAX_BYTES)).as_bytes()).is_err()
    );
    let form = |fields: Value| json!({"type": "form", "submit": {"path": "/a"}, "fields": fields});
    let twice = form(json!([{"name": "a", "label": "A"}, {"name": "a", "label": "B"}]));
    assert!(read_value(&twice).expect_err("twice").contains("`view.fields[1].name`"));
    let upside_down = form(json!([{"name": "a", "label": "A", "input": "number", "min": 2, "max": 1}]));
    assert!(read_value(&upside_down).expect_err("not possible").contains("`view.fields[0].max`"));
}
