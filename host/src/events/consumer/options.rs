//! What a consumer asks for.

use std::time::Duration;

/// What a consumer asked for, within the host's limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Unique within the plugin.
    pub name: String,
    /// The topics it wants.
    pub filters: Vec<String>,
    /// Whether events wait while the plugin is away, and are tried again.
    pub durable: bool,
    /// How often an event is tried.
    pub max_deliver: u32,
    /// The waits before the second, third, … try; the last one repeats. Not empty.
    pub backoff: Vec<Duration>,
    /// How many events may wait for their next try while others pass. 1: strict order.
    pub max_in_flight: usize,
    /// The most events of one call.
    pub batch: usize,
    /// The most events in memory.
    pub max_pending: usize,
    /// After what time a call is reported as hanging.
    pub deadline: Duration,
}

impl Options {
    /// The defaults, for a consumer called `name` that wants nothing yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filters: Vec::new(),
            durable: false,
            max_deliver: 8,
            backoff: [1, 5, 30, 120, 600].map(Duration::from_secs).to_vec(),
            max_in_flight: 1,
            batch: 256,
            max_pending: 65_536,
            deadline: Duration::from_secs(60),
        }
    }
}
