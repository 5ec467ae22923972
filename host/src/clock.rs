//! The time of day.

use std::time::{Duration, SystemTime};

/// The time since 1970-01-01 UTC.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn unix_time_us() -> u64 {
    micros(unix_time())
}

/// `time` in whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A time in microseconds since 1970-01-01 UTC as people and programs read it: RFC 3339.
pub(crate) fn rfc3339(unix_time_us: u64) -> String {
    let time = i64::try_from(unix_time_us).ok().and_then(|time| jiff::Timestamp::from_microsecond(time).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}
