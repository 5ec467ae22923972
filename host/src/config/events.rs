use serde::{Deserialize, Serialize};

use super::Sync;

/// `[events]`: events, the log of the durable ones, and their consumers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Largest data of one event, in bytes. 1024 to 16777216 (16 MiB), default 262144 (256 KiB).
    pub max_data_bytes: usize,
    /// Ceiling on the events waiting in memory for one consumer, whatever that consumer asks for. 1 to 16777216,
    /// default 65536.
    pub max_pending: usize,
    /// Topics, with wildcards, whose events are written to the log whether a durable consumer wants them or not. Default
    /// `session.>`, `user.>`, `plugin.*`.
    pub durable: Vec<String>,
    /// What being accepted waits for. Default `full`.
    pub sync: Sync,
    /// How long accepting a durable event may take, in seconds. 1 to 300, default 10.
    pub commit_deadline_secs: u64,
    /// How long events stay in the log that no consumer waits for, in seconds. 0 to 31536000 (a year), default 604800 (a
    /// week).
    pub keep_secs: u64,
    /// How much of the log may be events that no consumer waits for, in bytes of data. 1048576 (1 MiB) to 1099511627776
    /// (1 TiB), default 1073741824 (1 GiB).
    pub keep_bytes: u64,
    /// How long events wait for a durable consumer that does not take them, in seconds. 60 to 315360000 (10 years),
    /// default 2592000 (30 days).
    pub hold_secs: u64,
    /// How much the log may hold in all, in bytes of data. 1048576 (1 MiB) to 10995116277760 (10 TiB), default 10737418240
    /// (10 GiB).
    pub hold_bytes: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            max_data_bytes: 256 * 1024,
            max_pending: 65_536,
            durable: ["session.>", "user.>", "plugin.*"].map(str::to_owned).to_vec(),
            sync: Sync::Full,
            commit_deadline_secs: 10,
            keep_secs: 7 * 24 * 3600,
            keep_bytes: 1024 * 1024 * 1024,
            hold_secs: 30 * 24 * 3600,
            hold_bytes: 10 * 1024 * 1024 * 1024,
        }
    }
}
