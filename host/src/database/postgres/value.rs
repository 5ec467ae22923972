//! Values on their way to and from PostgreSQL: nothing is rounded, cut or taken for something else.

use std::{error::Error, fmt};

use bytes::BytesMut;
use streamspace_plugin::{
    abi::{Fault, FaultKind, RSlice},
    database::{Value, ValueKind, ValueView},
};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};

/// Microseconds from 1970 to 2000, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// The whole numbers up to which each is a floating-point number.
const EXACT_F64: u64 = 1 << 53;
const EXACT_F32: u64 = 1 << 24;

/// What a domain is made of.
fn base(mut of: &Type) -> &Type {
    while let Kind::Domain(inner) = of.kind() {
        of = inner;
    }
    of
}

/// A parameter. What does not fit is found by [`check`] before it is sent.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value<'a>);

/// Why `value` is no `of`, if it is none.
pub(super) fn check(number: usize, value: &Value<'_>, of: &Type) -> Result<(), Fault> {
    match encode(value, base(of), |_| {}) {
        Ok(_) => Ok(()),
        Err(why) => Err(Fault::new(FaultKind::INVALID, format_args!("parameter ${number}: {why}"))),
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        encode(self.0, base(of), |bytes| out.extend_from_slice(bytes)).map_err(Into::into)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(of, out)
    }

    fn encode_format(&self, of: &Type) -> Format {
        // The server reads them as it reads them in SQL.
        if matches!(*base(of), Type::NUMERIC | Type::UUID) { Format::Text } else { Format::Binary }
    }
}

/// Puts the bytes of `value` as the type `of`.
fn encode(value: &Value<'_>, of: &Type, mut put: impl FnMut(&[u8])) -> Result<IsNull, String> {
    let expects = |found: &str| {
        Err(format!(
            "the database expects the type `{}`, found {found}. Give another value, or cast it",
            of.name()
        ))
    };
    let too_large = || format!("the number does not fit into the type `{}`", of.name());
    match value {
        Value::Null => return Ok(IsNull::Yes),
        Value::Integer(number) => {
            let number = *number;
            match *of {
                Type::INT2 => put(&i16::try_from(number).map_err(|_| too_large())?.to_be_bytes()),
                Type::INT4 => put(&i32::try_from(number).map_err(|_| too_large())?.to_be_bytes()),
                Type::OID => put(&u32::try_from(number).map_err(|_| too_large())?.to_be_bytes()),
                Type::INT8 => put(&number.to_be_bytes()),
                Type::NUMERIC => put(number.to_string().as_bytes()),
                Type::FLOAT8 if number.unsigned_abs() <= EXACT_F64 => put(&(number as f64).to_be_bytes()),
                Type::FLOAT4 if number.unsigned_abs() <= EXACT_F32 => put(&(number as f32).to_be_bytes()),
                Type::FLOAT4 | Type::FLOAT8 => return Err(too_large()),
                _ => return expects("a whole number"),
            }
        }
        Value::Real(number) => match *of {
            Type::FLOAT8 => put(&number.to_be_bytes()),
            Type::FLOAT4 if f64::from(*number as f32) == *number => put(&(*number as f32).to_be_bytes()),
            Type::FLOAT4 => return Err(too_large()),
            _ => return expects("a number with a fraction"),
        },
        Value::Text(text) => match *of {
            Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::UNKNOWN
            | Type::NUMERIC
            | Type::UUID => {
                put(text.as_bytes());
            }
            _ if matches!(of.kind(), Kind::Enum(_)) || of.name() == "citext" => put(text.as_bytes()),
            _ => return expects("a text"),
        },
        Value::Blob(bytes) => match *of {
            Type::BYTEA => put(bytes),
            _ => return expects("bytes"),
        },
        Value::Bool(value) => match *of {
            Type::BOOL => put(&[u8::from(*value)]),
            _ => return expects("a truth value"),
        },
        Value::Timestamp(time) => match *of {
            Type::TIMESTAMPTZ | Type::TIMESTAMP => put(&(time.as_micros() - EPOCH).to_be_bytes()),
            _ => return expects("a time"),
        },
        Value::Json(text) => match *of {
            Type::JSON => put(text.as_bytes()),
            Type::JSONB => {
                // The version of the format.
                put(&[1]);
                put(text.as_bytes());
            }
            _ => return expects("JSON"),
        },
        _ => return expects("a kind of value that this host does not know"),
    }
    Ok(IsNull::No)
}

/// The bytes of a value, as PostgreSQL sends them.
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Text,
    Bytes,
    Bool,
    Time,
    Json,
    Jsonb,
    Uuid,
    Numeric,
    Nothing,
}

impl Decoder {
    pub(super) fn of(column: &str, of: &Type) -> Result<Self, Fault> {
        let of = base(of);
        Ok(match *of {
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::OID => Self::Oid,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Self::Text,
            Type::BYTEA => Self::Bytes,
            Type::BOOL => Self::Bool,
            Type::TIMESTAMPTZ | Type::TIMESTAMP => Self::Time,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::UUID => Self::Uuid,
            Type::NUMERIC => Self::Numeric,
            Type::VOID => Self::Nothing,
            _ if matches!(of.kind(), Kind::Enum(_)) || of.name() == "citext" => Self::Text,
            _ => {
                return Err(Fault::new(
                    FaultKind::INVALID,
                    format_args!(
                        "column `{column}` has the type `{}`, which plugins are not given: cast it, such as \
                         CAST({column} AS TEXT)",
                        of.name()
                    ),
                ));
            }
        })
    }

    /// Values that are written out anew, as text.
    pub(super) fn text(self, raw: &Raw<'_>) -> Option<String> {
        match self {
            Self::Uuid => raw.0.try_into().ok().map(|bytes| uuid::Uuid::from_bytes(bytes).to_string()),
            Self::Numeric => numeric(raw.0),
            _ => None,
        }
    }

    /// The value, in PostgreSQL's own bytes or in `text`.
    pub(super) fn view<'a>(
        self,
        raw: &Raw<'a>,
        text: Option<&'a str>,
    ) -> Result<ValueView<'a>, &'static str> {
        let number = |kind, number| ValueView { kind, number, bytes: RSlice::from_slice(&[]) };
        let bytes = |kind, bytes: &'a [u8]| ValueView { kind, number: 0, bytes: RSlice::from_slice(bytes) };
        const DAMAGED: &str = "PostgreSQL sent a value of another length";
        fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], &'static str> {
            raw.try_into().map_err(|_| DAMAGED)
        }
        let real = |value: f64| number(ValueKind::REAL, value.to_bits().cast_signed());
        Ok(match self {
            Self::Int2 => number(ValueKind::INTEGER, i16::from_be_bytes(fixed(raw.0)?).into()),
            Self::Int4 => number(ValueKind::INTEGER, i32::from_be_bytes(fixed(raw.0)?).into()),
            Self::Int8 => number(ValueKind::INTEGER, i64::from_be_bytes(fixed(raw.0)?)),
            Self::Oid => number(ValueKind::INTEGER, u32::from_be_bytes(fixed(raw.0)?).into()),
            Self::Float4 => real(f32::from_be_bytes(fixed(raw.0)?).into()),
            Self::Float8 => real(f64::from_be_bytes(fixed(raw.0)?)),
            Self::Text => bytes(ValueKind::TEXT, raw.0),
            Self::Bytes => bytes(ValueKind::BLOB, raw.0),
            Self::Bool => number(ValueKind::BOOL, i64::from(fixed::<1>(raw.0)? != [0])),
            Self::Time => match i64::from_be_bytes(fixed(raw.0)?) {
                i64::MIN | i64::MAX => return Err("the time is infinite, which plugins are not given"),
                time => {
                    number(ValueKind::TIMESTAMP, time.checked_add(EPOCH).ok_or("the time is too far away")?)
                }
            },
            Self::Json => bytes(ValueKind::JSON, raw.0),
            Self::Jsonb => bytes(ValueKind::JSON, raw.0.split_first().ok_or(DAMAGED)?.1),
            Self::Uuid | Self::Numeric => bytes(ValueKind::TEXT, text.ok_or(DAMAGED)?.as_bytes()),
            Self::Nothing => null(),
        })
    }
}

pub(super) fn null() -> ValueView<'static> {
    ValueView { kind: ValueKind::NULL, number: 0, bytes: RSlice::from_slice(&[]) }
}

/// A decimal number, as it is written in SQL. Its binary form is four numbers of 16 bits (how many digits to the base of
/// 10000, the weight of the first one, the sign, decimal places) and the digits.
fn numeric(raw: &[u8]) -> Option<String> {
    let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) =
        (words.next()?, words.next()?.cast_signed(), words.next()?, usize::from(words.next()?));
    let negative = match sign {
        0 => false,
        0x4000 => true,
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let digits: Vec<u16> = words.take(usize::from(count)).collect();
    let digit = |at: i32| usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let weight = i32::from(weight);
    let mut text = if negative { "-".to_owned() } else { String::new() };
    if weight < 0 {
        text.push('0');
    }
    for at in 0..=weight {
        let digit = digit(at);
        text.push_str(&if at == 0 { digit.to_string() } else { format!("{digit:04}") });
    }
    if scale > 0 {
        let mut places = String::new();
        let mut at = weight + 1;
        while places.len() < scale {
            places.push_str(&format!("{:04}", digit(at)));
            at += 1;
        }
        text.push('.');
        text.push_str(places.get(..scale)?);
    }
    Some(text)
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").field("bytes", &self.0.len()).finish()
    }
}
