//! What is counted while plugins work, and read when somebody asks.
//!
//! Counting is adding to an atomic that is at hand: no lock, nothing allocated, nothing looked up. Whatever can be asked
//! of the object that has it, such as a consumer's queue, is not counted here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use streamspace_plugin::websocket::ClosedKind;

use crate::clock;

/// The upper bounds of a histogram's buckets, in microseconds.
pub(crate) const BOUNDS_US: [u64; 17] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// How long something took, each time.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// The last one has what is above all bounds.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one time. Two additions.
    pub(crate) fn note_us(&self, us: u64) {
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts one time.
    pub(crate) fn note(&self, time: Duration) {
        self.note_us(clock::micros(time));
    }

    /// Goes on where another one is.
    pub(crate) fn copy_from(&self, other: &Self) {
        for (to, from) in self.buckets.iter().zip(&other.buckets) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.sum_us.store(other.sum_us.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many times in each bucket, and all times together in seconds.
    pub(crate) fn read(&self) -> (Vec<u64>, f64) {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        (counts, self.sum_us.load(Ordering::Relaxed) as f64 / 1e6)
    }
}

/// Counters, one for each of `N` kinds.
#[derive(Debug)]
pub(crate) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counters<N> {
    /// Counts one of a kind; one that is none of them counts as the last.
    pub(crate) fn note(&self, kind: usize) {
        self.0[kind.min(N - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts several of a kind.
    pub(crate) fn add(&self, kind: usize, count: u64) {
        self.0[kind.min(N - 1)].fetch_add(count, Ordering::Relaxed);
    }

    /// All of them.
    pub(crate) fn read(&self) -> [u64; N] {
        std::array::from_fn(|kind| self.0[kind].load(Ordering::Relaxed))
    }
}

/// The classes of a status, as [`PluginFigures::requests`] counts them.
pub(crate) const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The levels, as the log counts them: `slog`'s numbers, less one.
pub(crate) const LEVELS: [&str; 6] = ["critical", "error", "warning", "info", "debug", "trace"];
/// What can become of an outbound request, as [`PluginFigures::outbound`] counts it.
pub(crate) const OUTBOUND_OUTCOMES: [&str; 11] = [
    "answered",
    "invalid",
    "denied",
    "unknown_host",
    "address_refused",
    "connect",
    "tls",
    "timed_out",
    "too_large",
    "redirect_refused",
    "failed",
];

/// What is counted of one plugin, from the host's start on, however often the plugin is loaded.
#[derive(Debug, Default)]
pub(crate) struct PluginFigures {
    /// Requests to its routes, by [`STATUS_CLASSES`].
    pub(crate) requests: Counters<5>,
    /// Until the answer, or its beginning.
    pub(crate) request_time: Histogram,
    /// Outbound requests, by [`OUTBOUND_OUTCOMES`].
    pub(crate) outbound: Counters<11>,
    /// Lines that it logged, by [`LEVELS`].
    pub(crate) lines: Counters<6>,
    /// Lines that it logged beyond its limit.
    pub(crate) lines_left_out: AtomicU64,
    /// Panics of its handlers.
    pub(crate) panics: AtomicU64,
    /// Messages of its sockets, by [`DIRECTIONS`].
    pub(crate) socket_messages: Counters<2>,
    /// What is in them, in bytes.
    pub(crate) socket_bytes: Counters<2>,
    /// Sockets that were closed, by [`CLOSED`].
    pub(crate) sockets_closed: Counters<8>,
}

/// Which way a message of a socket goes.
pub(crate) const DIRECTIONS: [&str; 2] = ["in", "out"];

/// Why a socket was closed.
pub(crate) const CLOSED: [&str; 8] =
    ["client", "gone", "silent", "slow", "too_large", "protocol", "stopping", "plugin"];

impl PluginFigures {
    /// Counts a message of a socket, by its direction.
    pub(crate) fn note_socket_message(&self, direction: usize, bytes: usize) {
        self.socket_messages.note(direction);
        self.socket_bytes.add(direction, bytes as u64);
    }

    /// Counts a socket that was closed.
    pub(crate) fn note_socket_closed(&self, kind: ClosedKind) {
        // The kinds are numbered from 1 on, in this order.
        let kind = usize::try_from(kind.0).unwrap_or_default().clamp(1, CLOSED.len());
        self.sockets_closed.note(kind - 1);
    }

    /// Counts a request.
    pub(crate) fn note_request(&self, status: u16, took: Duration) {
        self.requests.note(usize::from(status / 100).saturating_sub(1));
        self.request_time.note(took);
    }
}

/// The figures of all plugins.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<String, Arc<PluginFigures>>>);

impl Figures {
    /// Those of one plugin. Asked for when it is loaded, not when something is counted.
    pub(crate) fn of(&self, plugin: &str) -> Arc<PluginFigures> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(plugin.to_owned()).or_default())
    }

    /// Forgets a plugin that is gone.
    pub(crate) fn forget(&self, plugin: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }

    /// All of them, by plugin.
    pub(crate) fn all(&self) -> Vec<(String, Arc<PluginFigures>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(plugin, figures)| (plugin.clone(), Arc::clone(figures))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_of_the_next_bound() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 60_000_000, 60_000_001] {
            histogram.note_us(us);
        }
        let (counts, sum) = histogram.read();
        assert_eq!((counts[0], counts[1], counts[16], counts[17]), (2, 1, 1, 1));
        assert!((sum - 120.000_202).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_status_is_counted_by_its_class() {
        let figures = PluginFigures::default();
        for status in [100, 200, 204, 404, 503, 999, 0] {
            figures.note_request(status, Duration::ZERO);
        }
        assert_eq!(figures.requests.read(), [2, 2, 0, 1, 2]);
    }

    #[test]
    fn a_plugin_that_comes_back_is_counted_on() {
        let figures = Figures::default();
        figures.of("p").lines.note(3);
        assert_eq!(figures.of("p").lines.read()[3], 1);
        figures.forget("p");
        assert_eq!(figures.of("p").lines.read()[3], 0);
    }
}
