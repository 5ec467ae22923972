//! Values that go into statements.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Timestamp,
    table::{ValueKind, ValueView},
};
use crate::abi::RSlice;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// SQL's `NULL`.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, finite.
    Real(f64),
    /// A text without NUL.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
    /// A truth value.
    Bool(bool),
    /// A time.
    Timestamp(Timestamp),
    /// The text of a JSON value.
    Json(Cow<'a, str>),
}

/// Why a value is none that a database takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) String);

impl ValueError {
    /// A value that is not taken for this reason, which does not say the value.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// What may be a parameter of a statement.
///
/// ```
/// use streamspace_plugin::database::{ToValue, Value, ValueError};
///
/// struct SessionId(String);
///
/// impl ToValue for SessionId {
///     fn to_value(&self) -> Result<Value<'_>, ValueError> {
///         self.0.to_value()
///     }
/// }
/// ```
pub trait ToValue {
    /// `[any]` The value.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when no database takes it: a number that is too large, not a number, NUL within a text.
    fn to_value(&self) -> Result<Value<'_>, ValueError>;
}

/// The parameters of a statement, `$1` first: `params![12, "text", Some(true)]`.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// fn add(context: &Context, user: &str, logins: u32) -> Result<()> {
///     context.database().exec("INSERT INTO users (name, logins) VALUES ($1, $2)", params![user, logins])?;
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::database::ToValue),*]
    };
}

impl Value<'_> {
    /// As it crosses.
    pub(super) fn view(&self) -> ValueView<'_> {
        let number = |kind, number| ValueView { kind, number, bytes: RSlice::from_slice(&[]) };
        let bytes = |kind, bytes| ValueView { kind, number: 0, bytes: RSlice::from_slice(bytes) };
        match self {
            Self::Null => number(ValueKind::NULL, 0),
            Self::Integer(value) => number(ValueKind::INTEGER, *value),
            Self::Real(value) => number(ValueKind::REAL, value.to_bits().cast_signed()),
            Self::Text(text) => bytes(ValueKind::TEXT, text.as_bytes()),
            Self::Blob(value) => bytes(ValueKind::BLOB, value),
            Self::Bool(value) => number(ValueKind::BOOL, (*value).into()),
            Self::Timestamp(time) => number(ValueKind::TIMESTAMP, time.as_micros()),
            Self::Json(text) => bytes(ValueKind::JSON, text.as_bytes()),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Result<Value<'_>, ValueError> {
                Ok(Value::Integer(i64::from(*self)))
            }
        })*
    };
}

macro_rules! large_integers {
    ($($type:ty),*) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Result<Value<'_>, ValueError> {
                i64::try_from(*self).map(Value::Integer).map_err(|_| {
                    ValueError::new("the number does not fit: databases have whole numbers of 64 bits with a sign")
                })
            }
        })*
    };
}

integers!(i8, i16, i32, i64, u8, u16, u32);
large_integers!(u64, usize, isize);

impl ToValue for f64 {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        if self.is_finite() {
            Ok(Value::Real(*self))
        } else {
            Err(ValueError::new("the number is infinite or not a number: SQLite has no such values"))
        }
    }
}

impl ToValue for f32 {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        match f64::from(*self).to_value()? {
            Value::Real(number) => Ok(Value::Real(number)),
            _ => Ok(Value::Null),
        }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        Ok(Value::Bool(*self))
    }
}

impl ToValue for str {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        if self.contains('\0') {
            return Err(ValueError::new("the text has a NUL in it, which PostgreSQL does not take"));
        }
        Ok(Value::Text(self.into()))
    }
}

impl ToValue for String {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        self.as_str().to_value()
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        Ok(Value::Blob(self.into()))
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        self.as_slice().to_value()
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        self.as_slice().to_value()
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        Ok(Value::Timestamp(*self))
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        self.as_ref().map_or(Ok(Value::Null), ToValue::to_value)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        (**self).to_value()
    }
}

impl<T: ToValue + ToOwned + ?Sized> ToValue for Cow<'_, T> {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        (**self).to_value()
    }
}

/// Bytes, in a struct that a row is read as: quicker than `Vec<u8>`, which serde reads byte by byte.
///
/// ```
/// # use streamspace_plugin::{database::Bytes, prelude::*};
/// fn thumbnail(context: &Context, id: i64) -> Result<Option<Vec<u8>>> {
///     let found = context.database().query_one::<Bytes>("SELECT image FROM thumbnails WHERE id = $1", params![id])?;
///     Ok(found.map(|bytes| bytes.0))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl ToValue for Bytes {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        self.0.to_value()
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut bytes: A) -> Result<Bytes, A::Error> {
                let mut all = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    all.push(byte);
                }
                Ok(Bytes(all))
            }
        }

        deserializer.deserialize_bytes(Visitor)
    }
}

/// Any serde type as a JSON value: `jsonb` or `json` in PostgreSQL, a text in SQLite. It is transparent to every other
/// format. JSON has no infinite numbers: `serde_json` writes them, and what is not a number, as `null`.
///
/// ```
/// # use streamspace_plugin::{database::Json, prelude::*};
/// fn tag(context: &Context, id: i64, tags: &[String]) -> Result<()> {
///     context.database().exec("UPDATE sessions SET tags = $1 WHERE id = $2", params![Json(tags), id])?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

/// What rows know the type by.
pub(super) const JSON_NAME: &str = "$streamspace::Json";

impl<T: Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Result<Value<'_>, ValueError> {
        let text = serde_json::to_string(&self.0).map_err(|why| ValueError::new(why.to_string()))?;
        Ok(Value::Json(text.into()))
    }
}

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: de::DeserializeOwned> de::Visitor<'de> for Visitor<T> {
            type Value = Json<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            /// From a row.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<T>, E> {
                let read = crate::decode::decode(text.as_bytes());
                read.map(Json).map_err(|why| {
                    E::custom(format_args!("JSON of another shape at {}: {}", why.path, why.reason))
                })
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Json<T>, D::Error> {
                T::deserialize(from).map(Json)
            }
        }

        deserializer.deserialize_newtype_struct(JSON_NAME, Visitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_database_takes_is_refused_before_it_is_sent() {
        assert!(u64::MAX.to_value().is_err());
        assert_eq!(u64::from(u32::MAX).to_value(), Ok(Value::Integer(u32::MAX.into())));
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(number.to_value().is_err());
        }
        assert!(f32::NAN.to_value().is_err());
        assert!("a\0b".to_value().is_err());
        assert_eq!(None::<i32>.to_value(), Ok(Value::Null));
    }
}
