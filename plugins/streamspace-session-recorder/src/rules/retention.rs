//! For how long recordings are kept.

use streamspace_plugin::database::Timestamp;

const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// When a recording that ended then may be deleted; never, if it is kept for 0 days or what is over is not deleted.
pub(crate) fn expiry(ended: Timestamp, days: u32, is_enabled: bool) -> Option<Timestamp> {
    if days == 0 || !is_enabled {
        return None;
    }
    let micros = ended.as_micros().saturating_add(i64::from(days).saturating_mul(DAY_US));
    Some(Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX))
}

/// Whether a recording is to go.
pub(crate) fn is_over(expires: Option<Timestamp>, is_held: bool, now: Timestamp) -> bool {
    !is_held && expires.is_some_and(|expires| expires <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn days_are_counted_from_the_end() {
        let ended = at("2026-01-31T12:00:00Z");
        assert_eq!(expiry(ended, 30, true), Some(at("2026-03-02T12:00:00Z")));
        assert_eq!(expiry(ended, 0, true), None);
        assert_eq!(expiry(ended, 30, false), None);
        assert_eq!(expiry(Timestamp::MAX, 36_500, true), Some(Timestamp::MAX));
    }

    #[test]
    fn a_hold_outlives_the_time() {
        let expires = Some(at("2026-01-01T00:00:00Z"));
        let (before, after) = (at("2025-12-31T23:59:59Z"), at("2026-01-01T00:00:00Z"));
        assert!(is_over(expires, false, after) && !is_over(expires, false, before));
        assert!(!is_over(expires, true, after) && !is_over(None, false, after));
    }
}
