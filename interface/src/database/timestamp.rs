//! Points in time.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, to the microsecond, UTC: from the year 0 to the year 9999.
///
/// PostgreSQL stores it as `timestamptz` or `timestamp`, SQLite as the text `2026-01-31 12:00:00.000000`, which sorts and
/// which SQLite's date functions know. Otherwise serde reads and writes RFC 3339: `2026-01-31T12:00:00Z`.
///
/// ```
/// use streamspace_plugin::database::Timestamp;
///
/// let noon: Timestamp = "2026-01-31T12:00:00Z".parse()?;
/// assert_eq!(noon.as_micros(), 1_769_860_800_000_000);
/// assert_eq!(serde_json::to_string(&noon)?, "\"2026-01-31T12:00:00Z\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why there is no such [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// It is before the year 0 or after the year 9999.
    #[error("the time is out of range: expected one from the year 0 to the year 9999")]
    OutOfRange,
    /// It is not a time.
    #[error("expected a time such as 2026-01-31T12:00:00Z")]
    Syntax,
}

/// What rows know the type by: they have no word for times.
pub(super) const NAME: &str = "$streamspace::Timestamp";

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-30T22:00:00Z: the last second that exists in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// `[any]` The time so many microseconds after 1970-01-01 UTC, or before if negative.
    ///
    /// # Errors
    ///
    /// [`TimestampError::OutOfRange`].
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        let time = Self(micros);
        if (Self::MIN..=Self::MAX).contains(&time) { Ok(time) } else { Err(TimestampError::OutOfRange) }
    }

    /// `[any]` Microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// `[any]` The time of day now.
    #[must_use]
    pub fn now() -> Self {
        Self::try_from(SystemTime::now()).unwrap_or(Self(0))
    }

    /// `[any]` As SQLite has it: `2026-01-31 12:00:00.000000`.
    #[must_use]
    pub fn to_sql_text(self) -> String {
        let text = format!("{:.6}", self.jiff());
        text.replace('T', " ").trim_end_matches('Z').to_owned()
    }

    /// `[any]` Reads what [`to_sql_text`](Self::to_sql_text) writes, and what SQLite's `CURRENT_TIMESTAMP` gives, which has
    /// no fraction.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Syntax`].
    pub fn from_sql_text(text: &str) -> Result<Self, TimestampError> {
        let form = b"0000-00-00 00:00:00.000000";
        let fits = text.bytes().zip(form).all(|(found, form)| match form {
            b'0' => found.is_ascii_digit(),
            form => found == *form,
        });
        // A leap second would be taken for the one before.
        if !fits || !matches!(text.len(), 19 | 21..=26) || text.get(17..19) == Some("60") {
            return Err(TimestampError::Syntax);
        }
        let (date, time) = text.split_at(10);
        format!("{date}T{}Z", time.trim_start()).parse()
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jiff().fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError::Syntax)?;
        Self::from_micros(time.as_microsecond())
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = TimestampError;

    /// Cuts what is finer than a microsecond.
    fn try_from(time: SystemTime) -> Result<Self, TimestampError> {
        let micros = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()),
            Err(before) => i64::try_from(before.duration().as_micros()).map(|micros| -micros),
        };
        Self::from_micros(micros.map_err(|_| TimestampError::OutOfRange)?)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_micros(time.0.unsigned_abs());
        if time.0 < 0 { Self::UNIX_EPOCH - span } else { Self::UNIX_EPOCH + span }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            /// From a row.
            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Timestamp, E> {
                Timestamp::from_micros(micros).map_err(E::custom)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Timestamp, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_newtype_struct(NAME, Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Under Miri a case takes long.
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_time_comes_back_as_it_was(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let time = Timestamp::from_micros(micros).expect("in range");
            prop_assert_eq!(Timestamp::from_sql_text(&time.to_sql_text()), Ok(time));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            prop_assert_eq!(time.to_sql_text().len(), 26);
        }

        #[test]
        fn the_texts_sort_as_the_times(a in Timestamp::MIN.0..=Timestamp::MAX.0, b in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let text = |micros| Timestamp(micros).to_sql_text();
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }
    }

    #[test]
    fn what_sqlite_writes_is_read() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        assert_eq!(Timestamp::from_sql_text("2026-01-31 12:00:00"), Ok(noon));
        assert_eq!(Timestamp::from_sql_text("2026-01-31 12:00:00.000"), Ok(noon));
        for text in [
            "",
            "2026-01-31",
            "2026-01-31 12:00",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00.",
            "2026-01-31 12:00:00Z",
            "2026-01-31 12:00:60",
            "2026-02-30 12:00:00",
            "2026-01-31 12:00:00.0000001",
            "+026-01-31 12:00:00",
        ] {
            assert_eq!(Timestamp::from_sql_text(text), Err(TimestampError::Syntax), "{text}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_times() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(Timestamp::from_micros(Timestamp::MAX.0 + 1), Err(TimestampError::OutOfRange));
        assert_eq!(Timestamp::from_micros(i64::MIN), Err(TimestampError::OutOfRange));
    }
}
