use serde::{Deserialize, Serialize};

/// `[storage]`: plugins' key-value storage. Where it is, is `[database]`'s.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// What a change waits for before its call ends. Default `full`.
    pub sync: Sync,
}

/// What a change of a plugin's storage waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// The disk: a change that was answered survives a power cut.
    #[default]
    Full,
    /// The operating system: a change that was answered survives the end of the host, and a power cut may take the last
    /// ones. Nothing is damaged by that.
    Normal,
}

impl Sync {
    pub(super) const NAMES: &'static [&'static str] = &["full", "normal"];
}
