use semver::VersionReq;
use serde::{Deserialize, Serialize};

/// `[plugins]`: deadlines and limits for plugins' code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// How long a plugin may take to load and enable, in seconds. 1 to 3600, default 30.
    pub load_deadline_secs: u64,
    /// How long a plugin that is being disabled may finish what it has begun, in seconds. 1 to 3600, default 10.
    pub drain_deadline_secs: u64,
    /// How long one call of a handler may take, in seconds. 1 to 3600, default 60.
    pub handler_deadline_secs: u64,
    /// Panics within [`panic_window_secs`](Self::panic_window_secs) after which a plugin is quarantined. 1 to 1000,
    /// default 5.
    pub panic_limit: u32,
    /// The window in which panics are counted, in seconds. 1 to 86400, default 60.
    pub panic_window_secs: u64,
    /// How many requests to the routes of one plugin may run at once. 1 to 1024, default 64.
    pub max_requests: u32,
    /// How many WebSockets of one plugin may be open at a time. 0 to 100000, default 256.
    pub max_sockets: usize,
    /// The largest message that a client may send through a plugin's WebSocket, in bytes. 1024 to 1073741824 (1 GiB),
    /// default 1048576 (1 MiB).
    pub max_message_bytes: usize,
    /// How long a client of a plugin's WebSocket may take nothing of what is sent to it, in seconds. 1 to 3600, default 30.
    pub socket_send_deadline_secs: u64,
    /// After how long without any sign a client of a plugin's WebSocket is gone, in seconds; it is asked for one four times as
    /// often. 1 to 86400, default 60.
    pub socket_silence_secs: u64,
    /// How long the first load of a library, in a child process, may take, in seconds. 1 to 600, default 10.
    pub probe_deadline_secs: u64,
    /// How many earlier versions of a plugin are kept, to go back to. 0 to 50, default 3.
    pub keep_generations: u32,
    /// For how long a new version is watched after it has taken the place of another, in seconds. 0 to 3600, default 5.
    pub health_gate_secs: u64,
    /// How many calls of its handlers may fail or panic meanwhile; with one more, the version before is put back. 0 to
    /// 1000000, default 3.
    pub health_gate_failures: u64,
    /// The compilers whose plugins are refused: requirements on the version of `rustc`, as in `Cargo.toml`. Default:
    /// those that are known to compile correct programs wrongly.
    pub denied_compilers: Vec<VersionReq>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            load_deadline_secs: 30,
            drain_deadline_secs: 10,
            handler_deadline_secs: 60,
            panic_limit: 5,
            panic_window_secs: 60,
            max_requests: 64,
            max_sockets: 256,
            max_message_bytes: 1024 * 1024,
            socket_send_deadline_secs: 30,
            socket_silence_secs: 60,
            probe_deadline_secs: 10,
            keep_generations: 3,
            health_gate_secs: 5,
            health_gate_failures: 3,
            denied_compilers: known_bad_compilers(),
        }
    }
}

/// Releases of `rustc` whose bugs make plugins that nobody can rebuild dangerous.
fn known_bad_compilers() -> Vec<VersionReq> {
    // 1.98.0 leaves empty places in some vtables: https://github.com/rust-lang/rust/issues/161441
    ["=1.98.0"].iter().filter_map(|version| VersionReq::parse(version).ok()).collect()
}
