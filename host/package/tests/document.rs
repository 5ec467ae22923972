//! `package.json`: what is read, what is refused, and that the published schema says the same.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use jsonschema::Validator;
use serde_json::{Value, json};
use streamspace_package::*;
use support::*;

fn schema() -> Validator {
    jsonschema::validator_for(&serde_json::from_str(JSON_SCHEMA).unwrap()).unwrap()
}

/// A document with everything in it.
fn whole() -> Value {
    let mut builder = sample();
    builder.signing_key("E7620F1842B4E81F".parse().unwrap());
    builder.next_key("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".parse().unwrap());
    builder.sbom(b"{}").unwrap();
    let mut extensions = serde_json::Map::new();
    extensions.insert("x-example".to_owned(), json!({"any": [1, 2.5, true, "thing"]}));
    builder.extensions(extensions);
    let mut document: Value = serde_json::from_slice(builder.build().unwrap().document_bytes()).unwrap();
    document["author"] = "Example Ltd.".into();
    document["homepage"] = "https://example.com".into();
    document["host"] = ">=0.1".into();
    document["conflicts"] = json!({"example-sundial": "<3"});
    document
}

fn parse(document: &Value) -> Result<Document, PackageError> {
    Document::parse(&serde_json::to_vec(document).unwrap())
}

#[test]
fn a_whole_document_is_read_and_fits_the_schema() {
    let document = whole();
    let read = parse(&document).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), document);
    assert!(read.extensions.0.contains_key("x-example"));
    let schema = schema();
    let problems: Vec<_> = schema.iter_errors(&document).map(|why| why.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    // Every key of every object is in the schema.
    let text: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    for (of, at) in [
        ("/properties", ""),
        ("/$defs/target/properties", "/targets/2"),
        ("/$defs/blob/properties", "/manifest"),
    ] {
        let known = text.pointer(of).unwrap().as_object().unwrap();
        let there = document.pointer(at).unwrap().as_object().unwrap();
        for key in known.keys() {
            assert!(there.contains_key(key), "{of} has {key}, which the whole document has not");
        }
    }
}

/// Changes that make a document wrong, and that the schema refuses too.
fn wrong() -> Vec<(&'static str, Value)> {
    vec![
        ("/name", json!("Example")),
        ("/name", json!("../x")),
        ("/version", json!("1.2")),
        ("/version", json!(1)),
        ("/display_name", json!("")),
        ("/display_name", json!("x".repeat(101))),
        ("/display_name", json!("a\nb")),
        ("/description", json!("x".repeat(201))),
        ("/description", Value::Null),
        ("/homepage", json!("javascript:alert(1)")),
        ("/permissions/0", json!("No Permission")),
        ("/permissions/1", json!("storage")),
        ("/permissions", json!("storage")),
        ("/dependencies", json!({"No": "1"})),
        ("/conflicts", json!([])),
        ("/manifest/sha256", json!("00")),
        ("/manifest/sha256", json!("A".repeat(64))),
        ("/manifest/size", json!(-1)),
        ("/manifest/size", json!("1")),
        ("/manifest/size", json!(1.5)),
        ("/manifest/size", json!(536_870_913)),
        ("/manifest/compressed_size", json!(0)),
        ("/targets", json!([])),
        ("/targets/0/triple", json!("linux")),
        ("/targets/0/triple", json!("x86_64/unknown-linux")),
        ("/targets/2/cpu", json!("x86-64-v5")),
        ("/targets/1/glibc_min", json!("2")),
        ("/targets/1/glibc_min", json!("02.31")),
        ("/targets/0/panic", json!("abort")),
        ("/targets/0/sdk", json!("new")),
        ("/targets/0/abi/major", json!(-1)),
        ("/targets/0/abi/needs/0/layout", json!("0123")),
        ("/targets/0/abi/needs/0/id", json!("")),
        ("/targets/0/library/path", json!("lib.txt")),
        ("/targets/0/library/path", json!("a/lib.so")),
        ("/files/0/path", json!("/etc/passwd")),
        ("/files/0/path", json!("../x")),
        ("/files/0/path", json!("a/../b")),
        ("/files/0/path", json!("a b")),
        ("/files/0/path", json!(".x")),
        ("/files/0/path", json!("x.")),
        ("/files/0/path", json!("a/b/c/d/e/f/g/h/i")),
        ("/files/0/path", json!("x".repeat(101))),
        ("/signing_key_id", json!("e7620f1842b4e81f")),
        ("/signing_key_id", json!(7)),
        ("/next_key", json!("RWQ")),
    ]
}

#[test]
fn what_breaks_a_rule_is_refused_by_reader_and_schema() {
    let schema = schema();
    for (at, value) in wrong() {
        let mut document = whole();
        *document.pointer_mut(at).unwrap() = value.clone();
        let why = parse(&document).unwrap_err();
        assert_eq!(why.code(), "SSP-PKG-009", "{at}: {value}");
        assert!(!schema.is_valid(&document), "the schema takes {value} at {at}");
        let first = at.split('/').nth(1).unwrap();
        assert!(why.to_string().contains(first), "{why} does not name {at}");
    }
    for key in ["schema", "name", "version", "display_name", "manifest", "targets"] {
        let mut document = whole();
        document.as_object_mut().unwrap().remove(key);
        assert!(parse(&document).is_err() && !schema.is_valid(&document), "without {key}");
    }
    for at in [
        "",
        "/manifest",
        "/targets/0",
        "/targets/0/abi",
        "/targets/0/abi/needs/0",
        "/targets/0/library",
        "/files/0",
    ] {
        let mut document = whole();
        document.pointer_mut(at).unwrap()["surprise"] = json!(1);
        assert_eq!(parse(&document).unwrap_err().code(), "SSP-PKG-009", "{at}");
        assert!(!schema.is_valid(&document), "the schema takes another key in {at}");
    }
}

#[test]
fn what_a_schema_cannot_say_is_refused_too() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 15] = [
        ("targets in another order", |all| all["targets"].as_array_mut().unwrap().reverse()),
        ("a target twice", |all| {
            let first = all["targets"][0].clone();
            all["targets"].as_array_mut().unwrap().insert(0, first);
        }),
        ("files in another order", |all| all["files"].as_array_mut().unwrap().reverse()),
        ("a level for another processor", |all| all["targets"][0]["cpu"] = json!("x86-64-v2")),
        ("glibc on another system", |all| all["targets"][0]["glibc_min"] = json!("2.31")),
        ("a dependency on itself", |all| all["dependencies"] = json!({"example-clock": "1"})),
        ("a range that is none", |all| all["dependencies"] = json!({"example-base": "new"})),
        ("a device", |all| all["files"][0]["path"] = json!("CON.txt")),
        ("a library among the files", |all| all["files"][0]["path"] = json!("A.so")),
        ("a name that is kept", |all| all["files"][0]["path"] = json!("Manifest.json")),
        ("two paths that differ by case", |all| {
            all["files"][0]["path"] = json!("MIGRATIONS/SQLITE/0001_FIRST/UP.SQL");
        }),
        ("a file that is a folder", |all| {
            let blob = all["manifest"].clone();
            all["files"].as_array_mut().unwrap().insert(1, json!({"path": "migrations", "blob": blob}));
        }),
        ("a hash with two sizes", |all| {
            all["files"][0]["blob"]["sha256"] = all["manifest"]["sha256"].clone()
        }),
        ("a manifest that is too large", |all| all["manifest"]["size"] = json!(2 << 20)),
        ("a size that packing does not lead to", |all| all["manifest"]["compressed_size"] = json!(1 << 20)),
    ];
    for (what, change) in changes {
        let mut document = whole();
        change(&mut document);
        assert_eq!(parse(&document).map(drop).map_err(|why| why.code()), Err("SSP-PKG-009"), "{what}");
    }
}

#[test]
fn what_readers_could_read_in_two_ways_is_refused() {
    let text = serde_json::to_string(&whole()).unwrap();
    for (what, changed) in [
        ("a key twice", text.replacen('{', "{\"name\": \"other\", ", 1)),
        ("a key twice below", text.replacen("\"x-example\":{", "\"x-example\":{\"any\":1,", 1)),
        (
            "a range twice",
            text.replacen("\"dependencies\":{", "\"dependencies\":{\"example-base\":\"1\",", 1),
        ),
        ("null", text.replacen("\"any\":[", "\"any\":[null,", 1)),
        ("more behind it", format!("{text} {{}}")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("a comment", format!("// x\n{text}")),
        ("an array", format!("[{text}]")),
        ("nothing", String::new()),
    ] {
        assert_ne!(changed, text, "{what}");
        assert_eq!(Document::parse(changed.as_bytes()).unwrap_err().code(), "SSP-PKG-009", "{what}");
    }
    let deep =
        text.replacen("\"any\":[", &format!("\"any\":{}1{},\"more\":[", "[".repeat(500), "]".repeat(500)), 1);
    assert_eq!(Document::parse(deep.as_bytes()).unwrap_err().code(), "SSP-PKG-009");
}

#[test]
fn a_list_is_no_object() {
    for at in [
        "/manifest",
        "/targets/0",
        "/targets/1/abi",
        "/targets/0/abi/needs/0",
        "/targets/0/library",
        "/files/0",
        "/files/1/blob",
    ] {
        let mut document = whole();
        let object = document.pointer_mut(at).unwrap();
        *object = object.as_object().unwrap().values().cloned().collect();
        assert_eq!(parse(&document).map(drop).map_err(|why| why.code()), Err("SSP-PKG-009"), "{at}");
    }
}

#[test]
fn another_schema_is_named() {
    for (found, word) in [(json!(2), "2"), (json!("1"), "no number"), (json!(1.5), "1.5")] {
        let mut document = whole();
        document["schema"] = found;
        let why = parse(&document).unwrap_err();
        assert!(why.code() == "SSP-PKG-010" && why.to_string().contains(word), "{why}");
    }
}

#[test]
fn a_manifest_that_says_something_else_is_refused() {
    let vendor = Vendor::new();
    for (key, value, word) in [
        ("permissions", json!([]), "the permissions"),
        ("dependencies", json!({}), "the dependencies"),
        ("version", json!("9.9.9"), "the version"),
        ("name", json!("another"), "the name"),
        ("display_name", json!("Bank"), "the display name"),
    ] {
        let package = changed(&vendor, |document| document[key] = value);
        let why = refused(&package, &vendor.keyring());
        assert!(why.code() == "SSP-PKG-013" && why.to_string().contains(word), "{why}");
    }
}
