//! The date until which a plugin may be unsigned.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::TrustError;
use crate::clock;

/// The furthest date, in days from now.
const MAX_DAYS: i64 = 366;
const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

/// Reads a date, such as `2026-12-31`: the end of that day in UTC, in microseconds since 1970-01-01 UTC.
///
/// # Errors
///
/// [`TrustError::Until`] for what is no date, is past, or is more than a year away.
pub fn parse_until(text: &str) -> Result<u64, TrustError> {
    parse_at(text, clock::unix_time_us())
}

fn parse_at(text: &str, now_us: u64) -> Result<u64, TrustError> {
    let refused = || {
        let example = date_of(now_us + 30 * DAY_US);
        TrustError::Until { found: text.chars().take(40).collect(), example }
    };
    let date: Date = text.parse().map_err(|_| refused())?;
    // A date alone: a time of day would be read and not be meant.
    if date.to_string() != text {
        return Err(refused());
    }
    let end = date.tomorrow().ok().and_then(|next| next.to_zoned(TimeZone::UTC).ok()).ok_or_else(refused)?;
    let until = u64::try_from(end.timestamp().as_microsecond()).map_err(|_| refused())?;
    let furthest = now_us + MAX_DAYS as u64 * DAY_US;
    if until <= now_us || until > furthest { Err(refused()) } else { Ok(until) }
}

/// The last day on which what ends at `until_us` is allowed.
#[must_use]
pub fn until_date(until_us: u64) -> String {
    date_of(until_us.saturating_sub(1))
}

fn date_of(us: u64) -> String {
    let time = i64::try_from(us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    time.map(|time| time.to_zoned(TimeZone::UTC).date().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26T12:00:00Z.
    const NOW: u64 = 1_795_694_400_000_000;

    #[test]
    fn a_date_means_its_whole_day() {
        let until = parse_at("2026-12-31", NOW).expect("a date");
        assert_eq!(clock::rfc3339(until), "2027-01-01T00:00:00Z");
        assert_eq!(until_date(until), "2026-12-31");
        parse_at("2026-11-26", NOW).expect("the rest of today");
    }

    #[test]
    fn what_is_past_far_away_or_no_date_is_refused() {
        for text in ["2026-11-25", "2028-01-01", "2026-12-31T10:00", "20261231", "soon", "", "2026-13-01"] {
            let refused = parse_at(text, NOW).expect_err(text);
            assert!(refused.to_string().contains("2026-12-26"), "{refused}");
        }
    }
}
