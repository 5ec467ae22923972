//! Reading a signed JSON document so that every reader sees the same in it: no key twice, no unknown key, no null.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{PackageError, document::Extensions};

/// The most values in a document, at all depths: what a document has takes many times its bytes in memory.
const MAX_VALUES: usize = 50_000;

/// Reads a document of one schema.
pub(crate) fn parse<T: DeserializeOwned + Serialize>(bytes: &[u8], schema: u32) -> Result<T, PackageError> {
    let Unique(count) = read(bytes)?;
    if count > MAX_VALUES {
        return Err(refuse(".", &format!("expected at most {MAX_VALUES} values, found {count}")));
    }
    let document: Value = read(bytes)?;
    if !document.is_object() {
        return Err(refuse(".", "expected an object in braces"));
    }
    let found = document.get("schema").unwrap_or(&Value::Null);
    if *found != schema {
        return Err(PackageError::Schema { expected: schema, found: brief(found) });
    }
    let typed: T = read(bytes)?;
    let written = serde_json::to_value(&typed).map_err(|why| refused(".".to_owned(), &why))?;
    match list_for_object(&document, &written, "") {
        Some(path) => Err(refuse(&path, "expected an object in braces, found a list")),
        None => Ok(typed),
    }
}

/// Where a list stands in place of an object: serde takes one for the other.
fn list_for_object(read: &Value, written: &Value, path: &str) -> Option<String> {
    match (read, written) {
        (Value::Array(_), Value::Object(_)) => Some(path.to_owned()),
        (Value::Array(read), Value::Array(written)) => {
            let mut both = read.iter().zip(written).enumerate();
            both.find_map(|(at, (read, written))| list_for_object(read, written, &format!("{path}[{at}]")))
        }
        (Value::Object(read), Value::Object(written)) => read.iter().find_map(|(key, read)| {
            let point = if path.is_empty() { "" } else { "." };
            list_for_object(read, written.get(key)?, &format!("{path}{point}{key}"))
        }),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PackageError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let path = why.path().to_string();
        refused(if path == "?" { ".".to_owned() } else { path }, why.inner())
    })?;
    json.end().map_err(|why| refused(".".to_owned(), &why))?;
    Ok(document)
}

fn refused(path: String, why: &serde_json::Error) -> PackageError {
    // What it quotes may be the document's own words.
    let problem: String = why.to_string().escape_debug().take(300).collect();
    PackageError::Document { path: path.escape_debug().take(200).collect(), problem }
}

fn refuse(path: &str, problem: &str) -> PackageError {
    PackageError::Document { path: path.to_owned(), problem: problem.to_owned() }
}

fn brief(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) | Value::Bool(_) | Value::String(_) => "no number".to_owned(),
    }
}

/// Any JSON in which no object has a key twice, and nothing is null: how many values it has.
struct Unique(usize);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique(1))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique(1))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique(1))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique(1))
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique(1))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Unique, E> {
        Err(E::custom("null is no value here: what is absent is left out"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
        let mut count = 1;
        while let Some(Unique(below)) = list.next_element()? {
            count += below;
        }
        Ok(Unique(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Unique, A::Error> {
        let mut keys = HashSet::new();
        let mut count = 1;
        while let Some(key) = object.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            keys.insert(key);
            let Unique(below) = object.next_value()?;
            count += below;
        }
        Ok(Unique(count))
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = Map::deserialize(deserializer)?;
        match all.keys().find(|key| !key.starts_with("x-")) {
            Some(key) => Err(de::Error::custom(format_args!(
                "unknown key {key:?}: schema 1 has no such key, and the vendor's own begin with `x-`"
            ))),
            None => Ok(Self(all)),
        }
    }
}
