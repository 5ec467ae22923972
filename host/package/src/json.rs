//! Reading a signed JSON document so that every reader sees the same in it: no key twice, no unknown key.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{PackageError, document::Extensions};

/// Reads a document of one schema.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], schema: u32) -> Result<T, PackageError> {
    /// The one key that every schema has.
    #[derive(Deserialize)]
    struct Schema {
        #[serde(default)]
        schema: Value,
    }
    read::<Unique>(bytes)?;
    let found = read::<Schema>(bytes)?.schema;
    if found != schema {
        return Err(PackageError::Schema { expected: schema, found: brief(&found) });
    }
    read(bytes)
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

fn brief(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) | Value::Bool(_) | Value::String(_) => "no number".to_owned(),
    }
}

/// Any JSON in which no object has a key twice.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = object.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            keys.insert(key);
            object.next_value::<Self>()?;
        }
        Ok(self)
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
