//! From a row to a value of the author's: by column name into structs, by position into tuples, or one column alone.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, IntoDeserializer, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    table::{RowView, ValueKind, ValueView},
    timestamp::{self, Timestamp},
    value::JSON_NAME,
};

/// Why a row is none of the type asked for. Says no value: it may be a secret.
#[derive(Debug)]
pub(super) struct RowError(pub(super) String);

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RowError {}

impl de::Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(crate::decode::without_values(&message.to_string()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("the rows have no column `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("the rows have two columns `{field}`: name one of them with AS"))
    }
}

pub(super) fn decode<T: DeserializeOwned>(row: &RowView<'_>) -> Result<T, RowError> {
    T::deserialize(Row(row))
}

#[derive(Clone, Copy)]
struct Row<'a>(&'a RowView<'a>);

impl<'a> Row<'a> {
    fn len(self) -> usize {
        self.0.values.len().min(self.0.columns.len())
    }

    fn column(self, index: usize) -> Option<Column<'a>> {
        let name = self.0.columns.as_slice().get(index)?.as_str();
        self.0.values.as_slice().get(index).map(|value| Column { name, value })
    }

    /// The only one.
    fn single(self) -> Result<Column<'a>, RowError> {
        match (self.len(), self.column(0)) {
            (1, Some(column)) => Ok(column),
            (columns, _) => Err(RowError(format!("expected rows of one column, found {columns} columns"))),
        }
    }

    fn elements(self, expected: Option<usize>) -> Result<Elements<'a>, RowError> {
        match expected {
            Some(expected) if expected != self.len() => {
                Err(RowError(format!("expected rows of {expected} columns, found {}", self.len())))
            }
            _ => Ok(Elements { row: self, next: 0 }),
        }
    }
}

macro_rules! single_column {
    ($($method:ident)*) => {
        $(fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
            self.single()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = RowError;

    single_column! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_map(Elements { row: self, next: 0 })
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        let columns = self.0.columns.as_slice();
        if let Some(unknown) = columns.iter().find(|column| !fields.contains(&column.as_str())) {
            return Err(RowError(format!(
                "the rows have a column `{unknown}` that the type does not know: it has `{}`",
                fields.join("`, `")
            )));
        }
        visitor.visit_map(Elements { row: self, next: 0 })
    }

    fn deserialize_seq<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.single() {
            // `Vec<u8>` of a blob.
            Ok(column) if column.value.kind == ValueKind::BLOB => column.deserialize_seq(visitor),
            _ => visitor.visit_seq(self.elements(None)?),
        }
    }

    fn deserialize_tuple<V: de::Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, RowError> {
        match self.single() {
            // `[u8; 16]` of a blob.
            Ok(column) if column.value.kind == ValueKind::BLOB && len != 1 => {
                column.deserialize_tuple(len, visitor)
            }
            _ => visitor.visit_seq(self.elements(Some(len))?),
        }
    }

    fn deserialize_tuple_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_seq(self.elements(Some(len))?)
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match name {
            JSON_NAME | timestamp::NAME => self.single()?.deserialize_newtype_struct(name, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_identifier<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_unit()
    }
}

struct Elements<'a> {
    row: Row<'a>,
    next: usize,
}

impl<'a> Elements<'a> {
    fn next(&mut self) -> Option<Column<'a>> {
        let column = self.row.column(self.next)?;
        self.next += 1;
        Some(column)
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = RowError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, RowError> {
        self.next().map(|column| seed.deserialize(column).map_err(|why| column.named(why))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.row.len() - self.next)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_> {
    type Error = RowError;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, RowError> {
        let name = self.row.column(self.next).map(|column| column.name);
        name.map(|name| seed.deserialize(IntoDeserializer::<RowError>::into_deserializer(name))).transpose()
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, RowError> {
        let column = self.next().ok_or_else(|| RowError("there are no more columns".to_owned()))?;
        seed.deserialize(column).map_err(|why| column.named(why))
    }
}

#[derive(Clone, Copy)]
struct Column<'a> {
    name: &'a str,
    value: &'a ValueView<'a>,
}

impl<'a> Column<'a> {
    fn named(self, why: RowError) -> RowError {
        if why.0.starts_with("column `") { why } else { self.error(&why.0) }
    }

    fn error(self, reason: &str) -> RowError {
        RowError(format!("column `{}`: {reason}", self.name))
    }

    fn found(self) -> &'static str {
        match self.value.kind {
            ValueKind::NULL => "NULL: read it as an Option",
            ValueKind::INTEGER => "a whole number",
            ValueKind::REAL => "a number with a fraction",
            ValueKind::TEXT => "a text",
            ValueKind::BLOB => "bytes",
            ValueKind::BOOL => "a truth value",
            ValueKind::TIMESTAMP => "a time",
            ValueKind::JSON => "JSON",
            _ => "a kind of value that this version of the SDK does not know",
        }
    }

    fn mismatch(self, expected: &str) -> RowError {
        self.error(&format!("expected {expected}, found {}", self.found()))
    }

    fn real(self) -> f64 {
        f64::from_bits(self.value.number.cast_unsigned())
    }

    fn text(self, expected: &str) -> Result<&'a str, RowError> {
        match self.value.kind {
            ValueKind::TEXT | ValueKind::JSON => std::str::from_utf8(self.value.bytes.as_slice())
                .map_err(|_| self.error("the text is not UTF-8")),
            _ => Err(self.mismatch(expected)),
        }
    }

    fn bytes(self) -> Result<&'a [u8], RowError> {
        match self.value.kind {
            ValueKind::BLOB => Ok(self.value.bytes.as_slice()),
            _ => Err(self.mismatch("bytes")),
        }
    }

    fn timestamp(self) -> Result<Timestamp, RowError> {
        let time = match self.value.kind {
            ValueKind::TIMESTAMP => Timestamp::from_micros(self.value.number),
            ValueKind::TEXT => Timestamp::from_sql_text(self.text("a time")?),
            _ => return Err(self.mismatch("a time")),
        };
        time.map_err(|_| {
            self.error("expected a time of the years 0 to 9999, as SQLite's `datetime` writes it")
        })
    }

    fn visit_integer<'de, V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value.kind {
            ValueKind::INTEGER => visitor
                .visit_i64(self.value.number)
                .map_err(|why: RowError| self.error(&format!("the number does not fit: {why}"))),
            _ => Err(self.mismatch("a whole number")),
        }
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
            self.visit_integer(visitor)
        })*
    };
}

/// The whole numbers up to which each is a floating-point number: 2^53 and 2^24.
const EXACT_F64: u64 = 1 << 53;
const EXACT_F32: u64 = 1 << 24;

impl<'de> Deserializer<'de> for Column<'_> {
    type Error = RowError;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value.kind {
            ValueKind::NULL => visitor.visit_unit(),
            ValueKind::INTEGER => visitor.visit_i64(self.value.number),
            ValueKind::REAL => visitor.visit_f64(self.real()),
            ValueKind::TEXT | ValueKind::JSON => visitor.visit_str(self.text("a text")?),
            ValueKind::BLOB => visitor.visit_bytes(self.bytes()?),
            ValueKind::BOOL => self.deserialize_bool(visitor),
            ValueKind::TIMESTAMP => visitor.visit_string(self.timestamp()?.to_string()),
            _ => Err(self.mismatch("a value")),
        }
    }

    fn deserialize_bool<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match (self.value.kind, self.value.number) {
            (ValueKind::BOOL | ValueKind::INTEGER, number @ (0 | 1)) => visitor.visit_bool(number == 1),
            (ValueKind::BOOL | ValueKind::INTEGER, _) => {
                Err(self.error("expected a truth value, which is 0 or 1, found another number"))
            }
            _ => Err(self.mismatch("a truth value")),
        }
    }

    fn deserialize_f64<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value.kind {
            ValueKind::REAL => visitor.visit_f64(self.real()),
            ValueKind::INTEGER if self.value.number.unsigned_abs() <= EXACT_F64 => {
                visitor.visit_f64(self.value.number as f64)
            }
            ValueKind::INTEGER => Err(self.error("the whole number is none that a 64-bit float has")),
            _ => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_f32<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value.kind {
            ValueKind::REAL => {
                let (wide, narrow) = (self.real(), self.real() as f32);
                if wide.is_nan() || f64::from(narrow) == wide {
                    visitor.visit_f32(narrow)
                } else {
                    Err(self.error("the number is none that a 32-bit float has: read it as f64"))
                }
            }
            ValueKind::INTEGER if self.value.number.unsigned_abs() <= EXACT_F32 => {
                visitor.visit_f32(self.value.number as f32)
            }
            ValueKind::INTEGER => Err(self.error("the whole number is none that a 32-bit float has")),
            _ => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_char<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_str(self.text("a text of one character")?)
    }

    fn deserialize_str<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_str(self.text("a text")?)
    }

    fn deserialize_string<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_bytes(self.bytes()?)
    }

    fn deserialize_byte_buf<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        if self.value.kind == ValueKind::NULL { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.value.kind {
            ValueKind::NULL => visitor.visit_unit(),
            _ => Err(self.mismatch("NULL")),
        }
    }

    fn deserialize_seq<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_seq(Octets(self.bytes()?.iter()))
    }

    fn deserialize_tuple<V: de::Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, RowError> {
        let bytes = self.bytes()?;
        if bytes.len() != len {
            return Err(self.error(&format!("expected {len} bytes, found {}", bytes.len())));
        }
        visitor.visit_seq(Octets(bytes.iter()))
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match name {
            timestamp::NAME => visitor.visit_i64(self.timestamp()?.as_micros()),
            JSON_NAME => visitor.visit_str(self.text("JSON")?).map_err(|why: RowError| self.named(why)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        let text = self.text("a text")?;
        if !variants.contains(&text) {
            return Err(
                self.error(&format!("expected one of `{}`, found another text", variants.join("`, `")))
            );
        }
        let text: StrDeserializer<'_, RowError> = text.into_deserializer();
        visitor.visit_enum(text)
    }

    fn deserialize_identifier<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, RowError> {
        Err(self.mismatch("an object, which no column is: read JSON as `Json<T>`"))
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_map(visitor)
    }
}

/// Bytes one by one, and as nothing but bytes.
struct Octets<'a>(std::slice::Iter<'a, u8>);

impl<'de> de::SeqAccess<'de> for Octets<'_> {
    type Error = RowError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, RowError> {
        self.0.next().map(|byte| seed.deserialize(Octet(*byte))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Octet(u8);

impl<'de> Deserializer<'de> for Octet {
    type Error = RowError;

    fn deserialize_u8<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, RowError> {
        Err(RowError(
            "bytes are read as `Bytes` or `Vec<u8>`, and not as a list of something else".to_owned(),
        ))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{
        abi::{RSlice, RStr},
        database::{Bytes, Json, ToValue},
    };

    fn read<T: DeserializeOwned>(columns: &[(&str, &dyn ToValue)]) -> Result<T, String> {
        let values: Vec<_> = columns.iter().map(|(_, value)| value.to_value().expect("a value")).collect();
        let values: Vec<_> = values.iter().map(super::super::Value::view).collect();
        let columns: Vec<_> = columns.iter().map(|(name, _)| RStr::from_str(name)).collect();
        let row = RowView { columns: RSlice::from_slice(&columns), values: RSlice::from_slice(&values) };
        decode(&row).map_err(|why| why.0)
    }

    fn one<T: DeserializeOwned>(value: &dyn ToValue) -> Result<T, String> {
        read(&[("x", value)])
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Session {
        id: i64,
        user: Option<String>,
    }

    #[test]
    fn structs_are_read_by_name_in_any_order() {
        let session = read(&[("user", &"ada"), ("id", &7)]);
        assert_eq!(session, Ok(Session { id: 7, user: Some("ada".to_owned()) }));
        let session = read(&[("id", &7), ("user", &None::<i32>)]);
        assert_eq!(session, Ok(Session { id: 7, user: None }));
    }

    #[test]
    fn a_column_too_few_or_too_many_is_named() {
        let why = read::<Session>(&[("user", &"ada")]).expect_err("no id");
        assert_eq!(why, "the rows have no column `id`");
        let why = read::<Session>(&[("id", &1), ("user", &"ada"), ("age", &3)]).expect_err("one too many");
        assert!(why.contains("a column `age`") && why.contains("`id`, `user`"), "{why}");
        let why = read::<Session>(&[("id", &1), ("id", &1), ("user", &"ada")]).expect_err("twice");
        assert!(why.contains("two columns `id`"), "{why}");
        let why = read::<(i64, i64)>(&[("id", &1)]).expect_err("one too few");
        assert!(why.contains("2 columns, found 1"), "{why}");
        let why = read::<i64>(&[("id", &1), ("user", &"ada")]).expect_err("two columns");
        assert!(why.contains("one column, found 2"), "{why}");
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_that_names_the_column_and_no_value() {
        let cases: &[(&str, Result<(), String>)] = &[
            ("2^40 into i32", one::<i32>(&(1_i64 << 40)).map(drop)),
            ("-1 into u32", one::<u32>(&-1).map(drop)),
            ("-1 into u64", one::<u64>(&-1).map(drop)),
            ("2 into bool", one::<bool>(&2).map(drop)),
            ("text into a number", one::<i64>(&"12").map(drop)),
            ("a number into text", one::<String>(&12).map(drop)),
            ("a float into a number", one::<i64>(&1.0).map(drop)),
            ("2^53 + 1 into f64", one::<f64>(&((1_i64 << 53) + 1)).map(drop)),
            ("0.1 into f32", one::<f32>(&0.1).map(drop)),
            ("NULL into a number", one::<i64>(&None::<i64>).map(drop)),
            ("NULL into a text", one::<String>(&None::<String>).map(drop)),
            ("bytes into a text", one::<String>(&[1_u8, 2]).map(drop)),
            ("a text into bytes", one::<Bytes>(&"ab").map(drop)),
            ("bytes into numbers", one::<Vec<u16>>(&[1_u8, 2]).map(drop)),
            ("a truth value into a number", one::<i64>(&true).map(drop)),
            ("a number into a time", one::<Timestamp>(&12).map(drop)),
            ("a text into a time", one::<Timestamp>(&"yesterday").map(drop)),
            ("a time into a text", one::<String>(&Timestamp::MIN).map(drop)),
            ("broken JSON", one::<Json<Vec<i32>>>(&"[1,").map(drop)),
            ("other JSON", one::<Json<Vec<i32>>>(&"{\"hunter2\":1}").map(drop)),
        ];
        for (case, result) in cases {
            let why = result.clone().expect_err(case);
            assert!(why.contains("column `x`") || case.contains("bytes into numbers"), "{case}: {why}");
            assert!(
                !why.contains("1099511627776") && !why.contains("hunter2") && !why.contains("yesterday"),
                "{why}"
            );
        }
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(one(&true), Ok(true));
        assert_eq!(one(&1), Ok(true));
        assert_eq!(one(&vec![1_u8, 2]), Ok(vec![1_u8, 2]));
        assert_eq!(one(&vec![1_u8, 2]), Ok(Bytes(vec![1, 2])));
        assert_eq!(one(&vec![1_u8, 2]), Ok([1_u8, 2]));
        assert_eq!(one(&Timestamp::MAX), Ok(Timestamp::MAX));
        assert_eq!(
            one(&"2026-01-31 12:00:00"),
            Ok("2026-01-31T12:00:00Z".parse::<Timestamp>().expect("a time"))
        );
        assert_eq!(one(&Json(vec![1, 2])), Ok(Json(vec![1, 2])));
        assert_eq!(one(&None::<i32>), Ok(None::<Timestamp>));
        assert_eq!(read(&[("a", &1), ("b", &"x"), ("c", &1.5_f32)]), Ok((1_u8, "x".to_owned(), 1.5_f32)));
        assert_eq!(read(&[("a", &Json([1])), ("b", &Timestamp::MIN)]), Ok((Json([1]), Some(Timestamp::MIN))));
        let object = read::<serde_json::Value>(&[("a", &1), ("b", &None::<i32>)]);
        assert_eq!(object, Ok(serde_json::json!({"a": 1, "b": null})));

        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum State {
            Running,
        }
        assert_eq!(one(&"running"), Ok(State::Running));
        assert!(one::<State>(&"s3cret").is_err_and(|why| !why.contains("s3cret")));
    }

    proptest! {
        // Under Miri a case takes long.
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn numbers_and_texts_come_back_as_they_were(n: i64, x in any::<f64>().prop_filter("finite", |x| x.is_finite()),
            t in "[^\0]*", b: Vec<u8>, f in any::<f32>().prop_filter("finite", |x| x.is_finite())) {
            prop_assert_eq!(one(&n), Ok(n));
            prop_assert_eq!(one(&x), Ok(x));
            prop_assert_eq!(one(&f), Ok(f));
            prop_assert_eq!(one(&t), Ok(t));
            prop_assert_eq!(one(&b), Ok(Bytes(b)));
            prop_assert_eq!(one::<i32>(&n).ok(), i32::try_from(n).ok());
        }
    }
}
