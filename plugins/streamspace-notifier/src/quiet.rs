//! Quiet hours: when only what is urgent is sent.

use std::time::SystemTime;

use jiff::{civil::Time, tz::TimeZone};
use serde::Deserialize;

use crate::{notification::Severity, text};

/// Hours of each day in which messages are gathered instead of sent. From `from` on, and before `to`; over midnight if `to` is
/// the earlier one.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "QuietHoursConfig")]
pub struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
    except: Severity,
}

/// As the configuration has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuietHoursConfig {
    from: String,
    to: String,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default = "critical")]
    except: Severity,
}

fn utc() -> String {
    "UTC".into()
}

fn critical() -> Severity {
    Severity::Critical
}

impl TryFrom<QuietHoursConfig> for QuietHours {
    type Error = String;

    fn try_from(config: QuietHoursConfig) -> Result<Self, String> {
        let time = |key: &str, text: &str| {
            Time::strptime("%H:%M", text)
                .map_err(|_| format!("quietHours: `{key}` is `{text}`: expected a time such as 22:30"))
        };
        let (from, to) = (time("from", &config.from)?, time("to", &config.to)?);
        if from == to {
            return Err(format!(
                "quietHours: `from` and `to` are both {}: that is no time at all",
                config.from
            ));
        }
        let zone = TimeZone::get(&config.time_zone).map_err(|_| {
            format!("quietHours: `timeZone` is `{}`: expected a name such as Europe/Berlin", config.time_zone)
        })?;
        Ok(Self { from, to, zone, except: config.except })
    }
}

impl QuietHours {
    /// Whether a message of this severity has to wait at this time.
    #[must_use]
    pub fn hold(&self, severity: Severity, now: SystemTime) -> bool {
        severity < self.except && self.are_at(now)
    }

    /// Whether it is quiet at this time. When clocks change, what a clock on the wall shows decides.
    #[must_use]
    pub fn are_at(&self, now: SystemTime) -> bool {
        let time = text::timestamp(now).to_zoned(self.zone.clone()).time();
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn hours(value: Value) -> QuietHours {
        from_value(value).expect("quiet hours")
    }

    fn at(time: &str) -> SystemTime {
        time.parse::<jiff::Timestamp>().expect("a time").into()
    }

    #[test]
    fn they_begin_and_end_to_the_minute() {
        let hours = hours(json!({"from": "09:00", "to": "17:30"}));
        for (time, quiet) in
            [("08:59:59", false), ("09:00:00", true), ("17:29:59", true), ("17:30:00", false)]
        {
            assert_eq!(hours.are_at(at(&format!("2026-01-02T{time}Z"))), quiet, "{time}");
        }
    }

    #[test]
    fn they_go_over_midnight_and_by_the_clock_of_their_place() {
        let hours = hours(json!({"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin"}));
        for (time, quiet) in [
            ("2026-01-02T20:59:00Z", false),
            ("2026-01-02T21:00:00Z", true),
            ("2026-01-03T04:59:00Z", true),
            ("2026-01-03T05:00:00Z", false),
            // In summer the clock is an hour ahead.
            ("2026-07-02T20:00:00Z", true),
            ("2026-07-03T04:00:00Z", false),
        ] {
            assert_eq!(hours.are_at(at(time)), quiet, "{time}");
        }
    }

    #[test]
    fn what_is_urgent_does_not_wait() {
        let now = at("2026-01-02T23:00:00Z");
        let night = hours(json!({"from": "22:00", "to": "06:00"}));
        assert!(night.hold(Severity::Error, now) && !night.hold(Severity::Critical, now));
        let night = hours(json!({"from": "22:00", "to": "06:00", "except": "warning"}));
        assert!(night.hold(Severity::Info, now) && !night.hold(Severity::Warning, now));
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_name() {
        for (value, told) in [
            (json!({"from": "25:00", "to": "06:00"}), "`from` is `25:00`"),
            (json!({"from": "22:00", "to": "6"}), "`to` is `6`"),
            (json!({"from": "22:00", "to": "22:00"}), "both"),
            (json!({"from": "22:00", "to": "06:00", "timeZone": "Berlin"}), "`timeZone` is `Berlin`"),
        ] {
            let why = from_value::<QuietHours>(value).expect_err("refused").to_string();
            assert!(why.contains(told), "{why}");
        }
    }
}
