//! Reading what a client sent, so that an error names the place and never what stood there.

use std::borrow::Cow;

use serde::{
    Deserializer,
    de::{DeserializeOwned, IntoDeserializer, Visitor, value, value::MapDeserializer},
    forward_to_deserialize_any,
};

use super::Problem;
use crate::decode::{decode, without_values};

pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    decode(body).map_err(|why| {
        // The shape is only looked at where the text is JSON.
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        let status = if is_json { 422 } else { 400 };
        Problem::new(status, format_args!("the body, at `{}`: {}", why.path, why.reason))
    })
}

pub(super) fn query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((form_decoded(name)?, form_decoded(value)?))
    });
    self::pairs("the query", pairs.collect::<Result<_, Problem>>()?)
}

/// As forms are encoded: <https://url.spec.whatwg.org/#urlencoded-parsing>
fn form_decoded(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.contains(['%', '+']) {
        return Ok(text.into());
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digits = bytes.as_slice_of_two();
        decoded.push(match (byte, digits) {
            (b'+', _) => b' ',
            (b'%', Some(value)) => {
                bytes.nth(1);
                value
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Problem::new(400, "the query: expected percent-encoded UTF-8"))
}

trait TwoDigits {
    /// The value of the next two hexadecimal digits, which stay where they are.
    fn as_slice_of_two(&self) -> Option<u8>;
}

impl TwoDigits for std::str::Bytes<'_> {
    fn as_slice_of_two(&self) -> Option<u8> {
        let mut ahead = self.clone();
        let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
        let (high, low) = (digit(ahead.next())?, digit(ahead.next())?);
        u8::try_from(high * 16 + low).ok()
    }
}

pub(super) fn pairs<T: DeserializeOwned>(
    what: &str,
    pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>,
) -> Result<T, Problem> {
    let pairs = pairs.into_iter().map(|(name, value)| (name, Text(value)));
    let map = MapDeserializer::<_, value::Error>::new(pairs);
    serde_path_to_error::deserialize(map).map_err(|why| {
        let path = why.path().to_string();
        let reason = said_without_values(&why.into_inner().to_string());
        Problem::new(400, format_args!("{what}, at `{path}`: {reason}"))
    })
}

/// A field that is missing or unknown is named; other names between quotes are values.
fn said_without_values(reason: &str) -> String {
    match reason.starts_with("missing field `") {
        true => reason.to_owned(),
        false => without_values(reason),
    }
}

/// A text that is read as whatever type the field has.
struct Text<'a>(Cow<'a, str>);

impl<'a, 'de> IntoDeserializer<'de, value::Error> for Text<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $kind:ty, $expected:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.0.parse::<$kind>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(concat!("expected ", $expected))),
            }
        })*
    };
}

impl<'a, 'de> Deserializer<'de> for Text<'a> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    parsed! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_i8 visit_i8 i8, "a whole number of 8 bits";
        deserialize_i16 visit_i16 i16, "a whole number of 16 bits";
        deserialize_i32 visit_i32 i32, "a whole number of 32 bits";
        deserialize_i64 visit_i64 i64, "a whole number of 64 bits";
        deserialize_u8 visit_u8 u8, "a whole number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number of 32 bits, not below 0";
        deserialize_u64 visit_u64 u64, "a whole number of 64 bits, not below 0";
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Up,
        Down,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Page {
        limit: u8,
        #[serde(default)]
        after: Option<String>,
        order: Option<Order>,
    }

    #[test]
    fn a_query_is_read_as_the_fields_types() {
        let page: Page = query("limit=7&after=a%20b+c%26&order=down&other=1").expect("a page");
        assert_eq!(page, Page { limit: 7, after: Some("a b c&".to_owned()), order: Some(Order::Down) });
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown() {
        for (text, named) in
            [("limit=s3cret", "limit"), ("after=s3cret", "limit"), ("limit=1&order=s3cret", "order")]
        {
            let said = query::<Page>(text).expect_err("no page").to_string();
            assert!(said.contains(named) && !said.contains("s3cret"), "{said}");
        }
        let said = json::<Page>(br#"{"limit": "s3cret"}"#).expect_err("no page");
        assert!(said.to_string().contains("`limit`") && !said.to_string().contains("s3cret"), "{said}");
    }
}
