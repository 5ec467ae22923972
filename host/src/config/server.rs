use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// `[server]`: the HTTP edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The IP address and port to listen on; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub address: SocketAddr,
    /// Worker threads of the HTTP server; 0 is one per core. 0 to 1024, default 0.
    pub workers: usize,
    /// Largest accepted request body, in bytes. 1024 to 1073741824 (1 GiB), default 1048576 (1 MiB).
    pub max_body_bytes: usize,
    /// How long a shutdown waits for requests under way, in seconds. 1 to 3600, default 30.
    pub shutdown_deadline_secs: u64,
    /// How many may watch `GET /api/v1/stream` at a time. 0 to 10000, default 64.
    pub max_streams: usize,
    /// How many may be at desktops through this host at a time. 0 to 100000, default 1000.
    pub max_viewers: usize,
    /// How many WebSockets of plugins may be open through this host at a time. 0 to 100000, default 1000.
    pub max_sockets: usize,
    /// Who may read `GET /metrics`: `token` for whoever holds the administrator's token, `open` for anybody. Default
    /// `token`.
    pub metrics: Metrics,
}

/// Who may read the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// Whoever holds the administrator's token.
    Token,
    /// Anybody.
    Open,
}

impl Metrics {
    /// The names, as the configuration spells them.
    pub const NAMES: &'static [&'static str] = &["token", "open"];
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            max_body_bytes: 1024 * 1024,
            shutdown_deadline_secs: 30,
            max_streams: 64,
            max_viewers: 1000,
            max_sockets: 1000,
            metrics: Metrics::Token,
        }
    }
}
