use serde::{Deserialize, Serialize};

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Until the disk has it: it survives a power cut.
    #[default]
    Full,
    /// Until the operating system, or PostgreSQL, has it: it survives the end of the host. A power cut, or the end of
    /// the PostgreSQL server, may cost the last moments.
    Normal,
}

impl Sync {
    pub(super) const NAMES: &'static [&'static str] = &["full", "normal"];
}
