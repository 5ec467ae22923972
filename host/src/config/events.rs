use serde::{Deserialize, Serialize};

/// `[events]`: events and their consumers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Largest data of one event, in bytes. 1024 to 16777216 (16 MiB), default 262144 (256 KiB).
    pub max_data_bytes: usize,
    /// Ceiling on the events waiting for one consumer, whatever that consumer asks for. 1 to 16777216, default 65536.
    pub max_pending: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self { max_data_bytes: 256 * 1024, max_pending: 65_536 }
    }
}
