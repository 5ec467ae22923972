use serde::{Deserialize, Serialize};

/// `[sessions]`: desktop sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// How long a session that was deleted can still be looked up, in seconds. 0 to 315360000 (10 years), default 2592000
    /// (30 days).
    pub keep_deleted_secs: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { keep_deleted_secs: 30 * 24 * 3600 }
    }
}
