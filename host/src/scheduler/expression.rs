//! What an expression says: from a text to a [`When`].

use std::time::Duration;

use jiff::tz::TimeZone;
use job_scheduler_ng::Cron;

use super::when::{Pattern, When};

/// The longest distance of `@every`.
const MAX_EVERY: Duration = Duration::from_secs(366 * 24 * 3600);

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The expression cannot be read.
    #[error(
        "the expression `{expression}` cannot be read: {reason}. Write for example `*/5 * * * *`, `@daily` or `@every 90s`"
    )]
    Expression {
        /// What was written.
        expression: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no such time zone.
    #[error("there is no time zone `{0}`: expected an IANA name such as `Europe/Berlin`")]
    TimeZone(String),
}

/// Reads an expression. Its own time zone comes before `time_zone`, which is empty for UTC.
pub(super) fn read(expression: &str, time_zone: &str) -> Result<When, ExpressionError> {
    let wrong = |reason: String| ExpressionError::Expression { expression: expression.to_owned(), reason };
    let text = expression.trim();
    let prefixed = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    let (zone, text) = match prefixed {
        Some(rest) => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        None => (time_zone, text),
    };
    let zone = if zone.is_empty() { "UTC" } else { zone };
    let time_zone = TimeZone::get(zone).map_err(|_| ExpressionError::TimeZone(zone.to_owned()))?;
    let text = text.trim();
    if let Some(distance) = text.strip_prefix("@every") {
        return every(distance.trim()).map(When::Every).map_err(wrong);
    }
    let text = named(text).map_err(wrong)?;
    let fields: Vec<&str> = text.split_whitespace().collect();
    if !matches!(fields.len(), 5 | 6) {
        return Err(wrong(format!(
            "expected five fields, or six with the second first, found {}",
            fields.len()
        )));
    }
    let cron: Cron = text.parse().map_err(|why| wrong(format!("{why}")))?;
    // The second, minute and hour are in front of the day, the month and the day of the week.
    let times = fields.get(..fields.len() - 3).unwrap_or_default();
    let is_fixed = !times.iter().any(|field| field.contains('*'));
    let when = When::Pattern(Box::new(Pattern { cron, time_zone, is_fixed }));
    if when.next_after(0).is_none() {
        return Err(wrong("there is no such day".to_owned()));
    }
    Ok(when)
}

/// Fields in place of a name or of one of the platform's intervals.
fn named(text: &str) -> Result<String, String> {
    let fields = match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" | "monthly" => "0 0 1 * *",
        "@weekly" | "weekly" => "0 0 * * 0",
        "@daily" | "@midnight" | "daily" | "24h" | "24 hours" | "1 day" => "0 0 * * *",
        "@hourly" | "hourly" | "1h" | "1 hour" => "0 * * * *",
        "1m" | "1 minute" => "* * * * *",
        "5m" | "5 minutes" => "*/5 * * * *",
        "10m" | "10 minutes" => "*/10 * * * *",
        "15m" | "15 minutes" => "*/15 * * * *",
        "30m" | "30 minutes" => "*/30 * * * *",
        "2h" | "2 hours" => "0 */2 * * *",
        "4h" | "4 hours" => "0 */4 * * *",
        "6h" | "6 hours" => "0 */6 * * *",
        "12h" | "12 hours" => "0 */12 * * *",
        name if name.starts_with('@') => return Err("there is no such name".to_owned()),
        _ => text,
    };
    Ok(fields.to_owned())
}

/// `1h30m`, in whole seconds.
fn every(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a distance such as `90s` or `1h30m` behind `@every`".to_owned();
    let (mut seconds, mut number) = (0_u64, None::<u64>);
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            let shifted = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(u64::from(digit)));
            number = Some(shifted.ok_or_else(wrong)?);
            continue;
        }
        let unit = match letter {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let part = number.take().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    let distance = Duration::from_secs(seconds);
    if number.is_some() || distance.is_zero() {
        return Err(wrong());
    }
    if distance > MAX_EVERY {
        return Err("the distance is at most 366 days".to_owned());
    }
    Ok(distance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// The first moments after one, as RFC 3339.
    fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let when = read(expression, zone).unwrap_or_else(|why| panic!("{why}"));
        let after: jiff::Timestamp = after.parse().expect("a time");
        let mut at = u64::try_from(after.as_microsecond()).expect("after 1970");
        let mut found = Vec::new();
        for _ in 0..count {
            at = when.next_after(at).expect("a next one");
            found.push(clock::rfc3339(at));
        }
        found
    }

    #[track_caller]
    fn comes(expression: &str, zone: &str, after: &str, expected: &[&str]) {
        assert_eq!(next(expression, zone, after, expected.len()), expected, "{expression}");
    }

    #[test]
    fn every_form_is_read() {
        let from = "2026-01-01T00:00:30.5Z";
        comes("*/5 * * * *", "", from, &["2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"]);
        comes("*/20 * * * * *", "", from, &["2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"]);
        comes(
            "0 9-10,12 * jan mon-FRI",
            "",
            from,
            &["2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z", "2026-01-02T09:00:00Z"],
        );
        comes("0 0 ? * 7", "", from, &["2026-01-04T00:00:00Z"]);
        comes("@yearly", "", from, &["2027-01-01T00:00:00Z"]);
        comes("@annually", "", from, &["2027-01-01T00:00:00Z"]);
        comes("@monthly", "", from, &["2026-02-01T00:00:00Z"]);
        comes("@weekly", "", from, &["2026-01-04T00:00:00Z"]);
        comes("@midnight", "", from, &["2026-01-02T00:00:00Z"]);
        comes("@hourly", "", from, &["2026-01-01T01:00:00Z"]);
        comes("@every 90s", "", from, &["2026-01-01T00:02:00.5Z", "2026-01-01T00:03:30.5Z"]);
        comes("@every 1h30m", "", from, &["2026-01-01T01:30:30.5Z"]);
        for (interval, at) in [
            ("1m", "00:01:00"),
            ("5 minutes", "00:05:00"),
            ("30m", "00:30:00"),
            ("1 hour", "01:00:00"),
            ("6h", "06:00:00"),
            ("12 hours", "12:00:00"),
        ] {
            comes(interval, "", from, &[&format!("2026-01-01T{at}Z")]);
        }
        comes("daily", "", from, &["2026-01-02T00:00:00Z"]);
    }

    #[test]
    fn a_time_zone_stands_in_front_or_beside() {
        let from = "2026-01-01T00:00:00Z";
        comes("0 9 * * *", "Europe/Berlin", from, &["2026-01-01T08:00:00Z"]);
        comes("TZ=Asia/Tokyo 0 9 * * *", "Europe/Berlin", from, &["2026-01-02T00:00:00Z"]);
        comes("CRON_TZ=America/New_York @daily", "", from, &["2026-01-01T05:00:00Z"]);
    }

    #[test]
    fn a_fixed_time_that_does_not_exist_comes_once_at_the_change() {
        let before = "2026-03-28T12:00:00Z";
        comes("30 2 * * *", "Europe/Berlin", before, &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        // Two of them, and one that is the moment of the change.
        comes(
            "15,45 2,3 * * *",
            "Europe/Berlin",
            "2026-03-29T00:59:59Z",
            &["2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z", "2026-03-29T01:45:00Z", "2026-03-30T00:15:00Z"],
        );
        comes(
            "0 2-4 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        );
        // What keeps to the clock has nothing to make up for.
        comes(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"],
        );
    }

    #[test]
    fn a_fixed_time_that_exists_twice_comes_once() {
        let before = "2026-10-24T12:00:00Z";
        comes("30 2 * * *", "Europe/Berlin", before, &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        // Asked between the two.
        comes("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &["2026-10-26T01:30:00Z"]);
        // What keeps to the clock comes whenever the clock shows it, in the order of time.
        comes(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"],
        );
        comes("@every 1h", "Europe/Berlin", "2026-10-25T00:00:00Z", &["2026-10-25T01:00:00Z"]);
    }

    #[test]
    fn a_change_far_ahead_is_seen() {
        comes(
            "0 12 1 7 *",
            "Europe/Berlin",
            "2026-01-01T00:00:00Z",
            &["2026-07-01T10:00:00Z", "2027-07-01T10:00:00Z"],
        );
        comes("0 0 29 2 *", "Europe/Berlin", "2026-07-01T00:00:00Z", &["2028-02-28T23:00:00Z"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        for wrong in [
            "",
            "soon",
            "* * * *",
            "* * * * * * *",
            "61 * * * *",
            "* 25 * * *",
            "*/0 * * * *",
            "@fortnightly",
            "@every",
            "@every 0s",
            "@every 5",
            "@every -5s",
            "@every 99999999999999999999h",
            "@every 9000h",
            "7m",
            "3 hours",
            "0 0 31 2 *",
            "TZ=Europe/Berlin",
        ] {
            let refused = read(wrong, "").map(|_| ()).expect_err(wrong);
            assert!(matches!(refused, ExpressionError::Expression { .. }), "{wrong}: {refused}");
        }
        let no_zone = Err(ExpressionError::TimeZone("Europe/Atlantis".to_owned()));
        assert_eq!(read("* * * * *", "Europe/Atlantis").map(|_| ()), no_zone);
        assert_eq!(read("TZ=Europe/Atlantis * * * * *", "").map(|_| ()), no_zone);
    }
}
