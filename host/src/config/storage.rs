use serde::{Deserialize, Serialize};

use super::Sync;

/// `[storage]`: plugins' key-value storage. Where it is, is `[database]`'s.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// What a change waits for before its call ends. Default `full`.
    pub sync: Sync,
}
