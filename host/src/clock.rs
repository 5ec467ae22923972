//! The time of day.

use std::time::SystemTime;

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn unix_time_us() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
