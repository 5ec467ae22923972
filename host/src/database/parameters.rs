//! What plugins send as parameters, checked: either database is given nothing that it does not take.

use std::borrow::Cow;

use streamspace_plugin::{
    abi::{Fault, FaultKind},
    database::{Timestamp, Value, ValueKind, ValueView},
};

/// The most parameters of a statement: SQLite's limit, which is below PostgreSQL's.
/// <https://www.sqlite.org/limits.html#max_variable_number>
pub(super) const MAX: usize = 32_766;

pub(super) fn read<'a>(views: &'a [ValueView<'a>], max_value_bytes: u64) -> Result<Vec<Value<'a>>, Fault> {
    if views.len() > MAX {
        return Err(Fault::new(
            FaultKind::TOO_LARGE,
            format_args!("a statement has at most {MAX} parameters, found {}", views.len()),
        ));
    }
    let values = views.iter().enumerate();
    values.map(|(index, view)| value(view, index + 1, max_value_bytes)).collect()
}

fn value<'a>(view: &'a ValueView<'a>, number: usize, max_value_bytes: u64) -> Result<Value<'a>, Fault> {
    let invalid =
        |reason: &str| Fault::new(FaultKind::INVALID, format_args!("parameter ${number}: {reason}"));
    let bytes = view.bytes.as_slice();
    if bytes.len() as u64 > max_value_bytes {
        return Err(Fault::new(
            FaultKind::TOO_LARGE,
            format_args!(
                "parameter ${number} has {} bytes: expected at most {max_value_bytes} (`database.max_value_bytes`)",
                bytes.len()
            ),
        ));
    }
    let text = || match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err(invalid("the text has a NUL in it")),
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => Err(invalid("the text is not UTF-8")),
    };
    Ok(match view.kind {
        ValueKind::NULL => Value::Null,
        ValueKind::INTEGER => Value::Integer(view.number),
        ValueKind::REAL => match f64::from_bits(view.number.cast_unsigned()) {
            number if number.is_finite() => Value::Real(number),
            _ => return Err(invalid("the number is infinite or not a number")),
        },
        ValueKind::TEXT => Value::Text(text()?),
        ValueKind::BLOB => Value::Blob(Cow::Borrowed(bytes)),
        ValueKind::BOOL => match view.number {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return Err(invalid("a truth value is 0 or 1")),
        },
        ValueKind::TIMESTAMP => {
            Value::Timestamp(Timestamp::from_micros(view.number).map_err(|why| invalid(&why.to_string()))?)
        }
        ValueKind::JSON => {
            let text = text()?;
            serde_json::from_str::<serde::de::IgnoredAny>(&text)
                .map_err(|why| invalid(&format!("it is not JSON: {why}")))?;
            Value::Json(text)
        }
        _ => return Err(invalid("this host does not know its kind of value")),
    })
}

/// Why a statement's parameters are not those that it was given, if they are not.
pub(super) fn count(expected: usize, given: usize) -> Result<(), Fault> {
    if expected == given {
        return Ok(());
    }
    let expected = match expected {
        0 => "no parameter".to_owned(),
        1 => "the parameter $1".to_owned(),
        many => format!("the parameters $1 to ${many}"),
    };
    Err(Fault::new(FaultKind::INVALID, format_args!("the statement has {expected}, and {given} were given")))
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::abi::RSlice;

    use super::*;

    fn of(kind: ValueKind, number: i64, bytes: &[u8]) -> Result<(), FaultKind> {
        let views = [ValueView { kind, number, bytes: RSlice::from_slice(bytes) }];
        read(&views, 8).map(drop).map_err(|fault| fault.kind)
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let nan = f64::NAN.to_bits().cast_signed();
        for (kind, number, bytes) in [
            (ValueKind::REAL, nan, &b""[..]),
            (ValueKind::TEXT, 0, b"a\0b"),
            (ValueKind::TEXT, 0, b"\xff"),
            (ValueKind::BOOL, 2, b""),
            (ValueKind::TIMESTAMP, i64::MAX, b""),
            (ValueKind::JSON, 0, b"{"),
            (ValueKind(99), 0, b""),
        ] {
            assert_eq!(of(kind, number, bytes), Err(FaultKind::INVALID), "{kind:?} {number} {bytes:?}");
        }
        assert_eq!(of(ValueKind::BLOB, 0, b"123456789"), Err(FaultKind::TOO_LARGE));
        assert_eq!(of(ValueKind::BLOB, 0, b"\xff\0"), Ok(()));
        assert_eq!(of(ValueKind::JSON, 0, b"[1, 2]"), Ok(()));
    }
}
