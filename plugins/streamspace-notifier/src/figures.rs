//! What is counted of a destination since the plugin was loaded.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::ledger::{State, millis};

/// Counters and the last times.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// Messages that the provider has: digests are one.
    pub(crate) sent: u64,
    /// Tries that did not work.
    pub(crate) failed: u64,
    /// Messages that were given up.
    pub(crate) dead: u64,
    /// Events that became a line of a digest.
    pub(crate) folded: u64,
    /// Repetitions.
    pub(crate) suppressed: u64,
    /// Messages of which nothing was to be sent.
    pub(crate) skipped: u64,
    /// Tries, and how long the provider took for all of them, in microseconds.
    pub(crate) tries: u64,
    pub(crate) tries_us: u64,
    /// How long the message that was sent last had been waiting since its event, in milliseconds.
    pub(crate) queue_age_ms: u64,
    /// When one was sent last, in milliseconds since 1970.
    pub(crate) last_sent_ms: Option<u64>,
    /// When a try failed last, and why.
    pub(crate) last_error_ms: Option<u64>,
    pub(crate) last_error: Option<String>,
    /// Tries that failed since one worked.
    pub(crate) failures: u32,
}

impl Figures {
    pub(crate) fn tried(&mut self, took: Duration) {
        self.tries += 1;
        self.tries_us += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    }

    pub(crate) fn came_to(&mut self, state: State) {
        match state {
            State::Sent => self.sent += 1,
            State::Retrying => {}
            State::Dead => self.dead += 1,
            State::Folded => self.folded += 1,
            State::Suppressed => self.suppressed += 1,
            State::Skipped => self.skipped += 1,
        }
    }

    pub(crate) fn arrived(&mut self, occurred_at: SystemTime, now: SystemTime) {
        self.queue_age_ms = millis(now).saturating_sub(millis(occurred_at));
        self.last_sent_ms = Some(millis(now));
        self.failures = 0;
    }

    pub(crate) fn did_not_arrive(&mut self, reason: &str, now: SystemTime) {
        self.failed += 1;
        self.failures += 1;
        self.last_error_ms = Some(millis(now));
        self.last_error = Some(reason.to_owned());
    }
}
