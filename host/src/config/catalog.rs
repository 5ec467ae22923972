use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[catalog]`: catalogues of plugins, and downloads from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// How often all catalogues are synced by a running host, in seconds; 0 for never. 0 to 31536000 (a year), default 0:
    /// `streamspace catalog sync` does it when it is asked to.
    pub sync_interval_secs: u64,
    /// How long a connection may take, name resolution and TLS included, in seconds. 1 to 300, default 10.
    pub connect_timeout_secs: u64,
    /// How long nothing may come of a download before it is tried again, in seconds. 1 to 600, default 30.
    pub idle_timeout_secs: u64,
    /// How long reading an index may take in all, and its signature, in seconds. 1 to 120, default 30.
    pub index_timeout_secs: u64,
    /// How long a package may take in all, interruptions included, in seconds. 1 to 86400 (a day), default 3600.
    pub package_timeout_secs: u64,
    /// Largest package that is downloaded, in bytes. 1048576 (1 MiB) to 17179869184 (16 GiB), default 1073741824 (1 GiB).
    pub max_package_bytes: u64,
    /// From where a catalogue may be read without TLS: `loopback`, or `anywhere`. Signatures and hashes are checked either
    /// way; without TLS others see what is read, and may keep news away until the index expires. Default `loopback`.
    pub plain_http: PlainHttp,
    /// A PEM file with root certificates that are trusted besides the platform's. A relative path is taken from the
    /// working directory. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            sync_interval_secs: 0,
            connect_timeout_secs: 10,
            idle_timeout_secs: 30,
            index_timeout_secs: 30,
            package_timeout_secs: 3600,
            max_package_bytes: 1024 * 1024 * 1024,
            plain_http: PlainHttp::Loopback,
            ca_file: None,
        }
    }
}

/// From where a catalogue may be read without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlainHttp {
    /// From this machine.
    #[default]
    Loopback,
    /// From everywhere.
    Anywhere,
}

impl PlainHttp {
    pub(super) const NAMES: &'static [&'static str] = &["loopback", "anywhere"];
}
