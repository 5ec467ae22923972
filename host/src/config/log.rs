use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// `[log]`: the host's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is written: `trace`, `debug`, `info`, `warning`, `error` or `critical`. Default
    /// `info`.
    pub level: Level,
    /// `text` for people, `json` for machines, `auto` for text on a terminal and JSON elsewhere. Default `auto`.
    pub format: Format,
    /// Lines a second one plugin may write; what comes beyond is counted and dropped. 1 to 1000000, default 200.
    pub plugin_lines_per_second: u32,
    /// Bytes of the latest lines that are kept in memory, for each plugin and for the host; 0 keeps none. 0 to 67108864
    /// (64 MiB), default 262144 (256 KiB).
    pub keep_bytes: usize,
    /// `[log.plugins]`: a level of its own for a plugin, by the plugin's name. Default empty.
    pub plugins: BTreeMap<String, Level>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::Info,
            format: Format::Auto,
            plugin_lines_per_second: 200,
            keep_bytes: 256 * 1024,
            plugins: BTreeMap::new(),
        }
    }
}

/// How severe a line of the log is, least severe first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What an operator wants to know.
    Info,
    /// Something may need attention.
    Warning,
    /// Something failed.
    Error,
    /// The host cannot go on.
    Critical,
}

impl Level {
    /// The names of the levels, as the configuration spells them, least severe first.
    pub const NAMES: &'static [&'static str] = &["trace", "debug", "info", "warning", "error", "critical"];

    /// The level's name, as the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// The names of the formats, as the configuration spells them.
    pub const NAMES: &'static [&'static str] = &["auto", "json", "text"];
}
