//! When a job is due next.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use jiff::{Timestamp, tz::TimeZone};
use job_scheduler_ng::Cron;

use crate::clock;

/// When a job runs.
#[derive(Debug, Clone)]
pub(super) enum When {
    /// As a clock shows it.
    Pattern(Box<Pattern>),
    /// So long after the last time.
    Every(Duration),
}

/// A pattern of times in a time zone.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) cron: Cron,
    pub(super) time_zone: TimeZone,
    /// Whether second, minute and hour are given, so that it is the day's times that count and not what the clock shows.
    pub(super) is_fixed: bool,
}

impl When {
    /// The first time after a moment, in microseconds since 1970-01-01 UTC.
    pub(super) fn next_after(&self, time_us: u64) -> Option<u64> {
        match self {
            Self::Every(distance) => time_us.checked_add(clock::micros(*distance)),
            Self::Pattern(pattern) => {
                let second = i64::try_from(time_us / 1_000_000).ok()?;
                u64::try_from(pattern.next_after(second)?).ok()?.checked_mul(1_000_000)
            }
        }
    }
}

impl Pattern {
    /// In seconds since 1970-01-01 UTC.
    ///
    /// The pattern is looked for as if the time zone's offset of the moment held for ever. What is found behind a change
    /// of the offset is looked for again from there: so the times come in their order.
    fn next_after(&self, second: i64) -> Option<i64> {
        let (mut from, mut inclusive) = (second, false);
        loop {
            let offset = self.offset(from)?;
            let local = DateTime::from_timestamp(from, 0)?.with_timezone(&FixedOffset::east_opt(offset)?);
            let found = self.cron.find_next_occurrence(&local, inclusive).ok()?.timestamp();
            if self.offset(found)? == offset {
                if self.is_fixed && self.came_before(found, offset) {
                    (from, inclusive) = (found, false);
                    continue;
                }
                return Some(found);
            }
            let change = self.change(from, found, offset)?;
            let gap = i64::from(self.offset(change)? - offset);
            if self.is_fixed && found < change + gap {
                // The clock never shows it.
                return Some(change);
            }
            (from, inclusive) = (change, true);
        }
    }

    /// Seconds to the east, at a moment.
    fn offset(&self, second: i64) -> Option<i32> {
        Some(self.time_zone.to_offset(Timestamp::from_second(second).ok()?).seconds())
    }

    /// The first moment between two at which the offset is no longer this one.
    fn change(&self, mut from: i64, mut to: i64, offset: i32) -> Option<i64> {
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            if self.offset(middle)? == offset {
                from = middle;
            } else {
                to = middle;
            }
        }
        Some(to)
    }

    /// Whether the clock has shown the time of a moment already, before it was put back.
    fn came_before(&self, second: i64, offset: i32) -> bool {
        let Ok(at) = Timestamp::from_second(second) else { return false };
        let ambiguous = self.time_zone.to_ambiguous_timestamp(at.to_zoned(self.time_zone.clone()).datetime());
        match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Fold { before, .. } => before.seconds() != offset,
            _ => false,
        }
    }
}
