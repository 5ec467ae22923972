//! What there is to know of a consumer: its figures, and how it is doing.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::Consumer;
use crate::figures::Histogram;

/// Figures of a consumer. The counters of what was done start with the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// Events that wait, in memory or in the log, are being handled, or wait for their next try.
    pub pending: u64,
    /// The most events that ever were in memory at once.
    pub high_water: u64,
    /// Acknowledged.
    pub delivered: u64,
    /// Tries that were put off or failed and will be made again.
    pub retried: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Failed in the handler of an ephemeral consumer.
    pub failed: u64,
    /// Dead letters that there are: events that were given up and neither replayed nor dropped.
    pub dead: u64,
    /// Events that the log removed before the consumer had them, since they had waited too long.
    #[serde(default)]
    pub missed: u64,
}

/// How a consumer is doing.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Of a durable consumer: how far it is behind the newest event of the log, counted in numbers of the log. What is
    /// not for it counts until it was passed by.
    pub lag: Option<u64>,
    /// Events that its handler has now.
    pub in_flight: u64,
    /// Events that wait for their next try.
    pub parked: u64,
    /// Events a second that were acknowledged, over the last minute.
    pub rate: f64,
    /// `stopped`, `hanging`, `blocked`, `busy`, `behind` or `idle`.
    pub state: &'static str,
}

impl Consumer {
    /// Its figures now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let queue = self.queue();
        Counts {
            pending: queue.held() as u64 + queue.tail.waiting,
            high_water: queue.high_water as u64,
            delivered: self.delivered.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
            missed: queue.tail.missed,
        }
    }

    /// How it is doing now.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let hanging = self.running_for().is_some_and(|time| time > self.options.deadline);
        let offered = self.log.as_ref().map(|logged| logged.log.offered());
        let queue = self.queue();
        let state = if hanging {
            "hanging"
        } else if !queue.is_open() {
            "stopped"
        } else if queue.running {
            "busy"
        } else if self.is_blocked(&queue) {
            "blocked"
        } else if queue.tail.waiting > 0 || !queue.pending.is_empty() {
            "behind"
        } else {
            "idle"
        };
        Condition {
            lag: self
                .log
                .as_ref()
                .zip(offered)
                .map(|(logged, offered)| logged.log.head().saturating_sub(queue.position(offered))),
            in_flight: queue.in_flight as u64,
            parked: queue.parked.len() as u64,
            rate: self.rate_milli.load(Ordering::Relaxed) as f64 / 1000.0,
            state,
        }
    }

    /// Events that were given up since the host started.
    pub(crate) fn dead_lettered(&self) -> u64 {
        self.dead_lettered.load(Ordering::Relaxed)
    }

    /// How long the calls of the handler took.
    pub(crate) fn call_time(&self) -> &Histogram {
        &self.call_time
    }

    /// Says how many thousandths of an event a second were acknowledged.
    pub(crate) fn set_rate_milli(&self, rate: u64) {
        self.rate_milli.store(rate, Ordering::Relaxed);
    }
}
