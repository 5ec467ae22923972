//! Every key of the configuration: where it is and what it takes.

use std::net::SocketAddr;

use toml::Value;
use url::Host;

use super::catalog::PlainHttp;
use super::database::DatabaseUrl;
use super::log::{Format, Level};
use super::outbound::{Network, StaticAddress};
use super::packages::Packages;
use super::server::Metrics;
use super::sign_in::SecureCookie;
use super::sync::Sync;

/// A key and what it takes.
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Path,
    SocketAddress,
    Integer {
        min: i64,
        max: i64,
    },
    OneOf(&'static [&'static str]),
    /// Where the data is. May hold a password, so that no error shows it.
    DatabaseUrl,
    /// A list of topics with wildcards.
    Topics,
    /// A list of networks.
    Networks,
    /// A list of requirements on versions.
    Versions,
    /// A list of what plans name.
    Items,
    /// A table of levels by plugin.
    Levels,
    /// A table of addresses by name.
    Hosts,
}

/// What is wrong with a value: what follows the key in the path (empty for the value itself), and what should have
/// been there instead of what.
pub(super) struct Mismatch {
    pub(super) below: String,
    pub(super) expected: String,
    pub(super) found: String,
}

const MIB: i64 = 1024 * 1024;
const GIB: i64 = 1024 * MIB;

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

const fn int(path: &'static str, min: i64, max: i64) -> Key {
    Key { path, kind: Kind::Integer { min, max } }
}

pub(super) const KEYS: &[Key] = &[
    key("data_dir", Kind::Path),
    key("server.address", Kind::SocketAddress),
    int("server.workers", 0, 1024),
    int("server.max_body_bytes", 1024, GIB),
    int("server.shutdown_deadline_secs", 1, 3600),
    int("sign_in.idle_secs", 1, 2_592_000),
    int("sign_in.lifetime_secs", 1, 31_536_000),
    key("sign_in.secure_cookie", Kind::OneOf(SecureCookie::NAMES)),
    key("sign_in.trusted_proxies", Kind::Networks),
    int("server.max_streams", 0, 10_000),
    int("server.max_viewers", 0, 100_000),
    int("server.max_sockets", 0, 100_000),
    key("server.metrics", Kind::OneOf(Metrics::NAMES)),
    key("log.level", Kind::OneOf(Level::NAMES)),
    key("log.format", Kind::OneOf(Format::NAMES)),
    int("log.plugin_lines_per_second", 1, 1_000_000),
    int("log.keep_bytes", 0, 64 * MIB),
    key("log.plugins", Kind::Levels),
    key("database.url", Kind::DatabaseUrl),
    key("database.ca_file", Kind::Path),
    int("database.connections", 1, 64),
    int("database.wait_deadline_secs", 1, 300),
    int("database.plugin_connections", 1, 64),
    int("database.statement_deadline_secs", 1, 3600),
    int("database.transaction_deadline_secs", 1, 3600),
    int("database.max_rows", 1, 1_000_000_000),
    int("database.max_value_bytes", 1024, GIB),
    int("database.max_plugin_bytes", MIB, 1024 * GIB),
    int("database.backup_deadline_secs", 60, 7 * 24 * 3600),
    key("storage.sync", Kind::OneOf(Sync::NAMES)),
    int("events.max_data_bytes", 1024, 16 * MIB),
    int("events.max_pending", 1, 16 * MIB),
    key("events.durable", Kind::Topics),
    key("events.sync", Kind::OneOf(Sync::NAMES)),
    int("events.commit_deadline_secs", 1, 300),
    int("events.keep_secs", 0, 31_536_000),
    int("events.keep_bytes", MIB, 1024 * GIB),
    int("events.hold_secs", 60, 315_360_000),
    int("events.hold_bytes", MIB, 10_240 * GIB),
    int("plugins.load_deadline_secs", 1, 3600),
    int("plugins.drain_deadline_secs", 1, 3600),
    int("plugins.handler_deadline_secs", 1, 3600),
    int("plugins.panic_limit", 1, 1000),
    int("plugins.panic_window_secs", 1, 86_400),
    int("plugins.max_requests", 1, 1024),
    int("plugins.max_sockets", 0, 100_000),
    int("plugins.max_message_bytes", 1024, GIB),
    int("plugins.socket_send_deadline_secs", 1, 3600),
    int("plugins.socket_silence_secs", 1, 86_400),
    int("plugins.probe_deadline_secs", 1, 600),
    int("plugins.keep_generations", 0, 50),
    int("plugins.health_gate_secs", 0, 3600),
    int("plugins.health_gate_failures", 0, 1_000_000),
    key("plugins.denied_compilers", Kind::Versions),
    int("packages.max_bytes", MIB, 4 * GIB),
    key("packages.preapproved", Kind::Items),
    int("sessions.keep_deleted_secs", 0, 315_360_000),
    int("outbound.connect_timeout_secs", 1, 300),
    int("outbound.total_timeout_secs", 1, 3600),
    int("outbound.max_request_bytes", 1024, GIB),
    int("outbound.max_response_bytes", 1024, GIB),
    int("outbound.max_redirects", 0, 20),
    int("outbound.max_concurrent_per_plugin", 1, 1024),
    key("outbound.allow_addresses", Kind::Networks),
    key("outbound.ca_file", Kind::Path),
    key("outbound.hosts", Kind::Hosts),
    int("catalog.sync_interval_secs", 0, 31_536_000),
    int("catalog.connect_timeout_secs", 1, 300),
    int("catalog.idle_timeout_secs", 1, 600),
    int("catalog.index_timeout_secs", 1, 120),
    int("catalog.package_timeout_secs", 1, 86_400),
    int("catalog.max_package_bytes", MIB, 16 * GIB),
    key("catalog.plain_http", Kind::OneOf(PlainHttp::NAMES)),
    key("catalog.ca_file", Kind::Path),
];

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a table that holds keys.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The key or section whose path is most like `path`.
pub(super) fn closest(path: &str) -> &'static str {
    let keys = KEYS.iter().map(|key| key.path);
    let sections = KEYS.iter().filter_map(|key| key.path.split_once('.')).map(|(section, _)| section);
    keys.chain(sections)
        .min_by_key(|known| strsim::damerau_levenshtein(known, path))
        .expect("the table of keys is not empty")
}

impl Kind {
    /// Whether the value is a TOML string, so that an environment variable is taken as it stands.
    pub(super) fn is_string(&self) -> bool {
        matches!(self, Self::Path | Self::SocketAddress | Self::OneOf(_) | Self::DatabaseUrl)
    }

    /// Everything wrong with `value`.
    pub(super) fn check(&self, value: &Value) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        let mut check = |below: String, value: &Value, problem: Option<String>| {
            if let Some(expected) = problem {
                let found = match self {
                    Self::DatabaseUrl => {
                        "something else, which is not shown since it may hold a password".to_owned()
                    }
                    _ => describe(value),
                };
                wrong.push(Mismatch { below, expected, found });
            }
        };
        match (self, value) {
            (Self::Networks, Value::Array(networks)) => {
                for (index, network) in networks.iter().enumerate() {
                    check(format!("[{index}]"), network, expect_network(network));
                }
            }
            (Self::Topics, Value::Array(topics)) => {
                for (index, topic) in topics.iter().enumerate() {
                    check(format!("[{index}]"), topic, expect_topic(topic));
                }
            }
            (Self::Versions, Value::Array(versions)) => {
                for (index, version) in versions.iter().enumerate() {
                    check(format!("[{index}]"), version, expect_version(version));
                }
            }
            (Self::Items, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    check(format!("[{index}]"), item, expect_item(item));
                }
            }
            (Self::Levels, Value::Table(levels)) => {
                for (plugin, level) in levels {
                    check(format!(".{plugin}"), level, expect_one_of(level, Level::NAMES));
                }
            }
            (Self::Hosts, Value::Table(hosts)) => {
                for (name, address) in hosts {
                    check(format!(".{name}"), address, expect_host(name, address));
                }
            }
            _ => check(String::new(), value, self.expect_whole(value)),
        }
        wrong
    }

    /// What `value` should have been, unless it is that.
    fn expect_whole(&self, value: &Value) -> Option<String> {
        match self {
            Self::Path => unless(value.as_str().is_some_and(|path| !path.is_empty()), "a path"),
            Self::SocketAddress => unless(
                value.as_str().is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
                "an IP address and a port, such as \"127.0.0.1:8080\"",
            ),
            Self::Integer { min, max } => unless(
                value.as_integer().is_some_and(|number| (*min..=*max).contains(&number)),
                &format!("a whole number from {min} to {max}"),
            ),
            Self::OneOf(names) => expect_one_of(value, names),
            Self::DatabaseUrl => {
                unless(value.as_str().is_some_and(DatabaseUrl::is_valid), DatabaseUrl::EXPECTED)
            }
            Self::Topics => Some("a list of topics, such as [\"session.>\", \"billing.*\"]".to_owned()),
            Self::Networks => Some("a list of addresses and networks, such as [\"10.0.0.0/8\"]".to_owned()),
            Self::Versions => Some("a list of versions, such as [\"=1.98.0\"]".to_owned()),
            Self::Items => {
                Some("a list of what may be consented to, such as [\"permission:database\"]".to_owned())
            }
            Self::Levels => Some("a table of levels by plugin, such as { slack = \"debug\" }".to_owned()),
            Self::Hosts => {
                Some("a table of addresses by name, such as { \"api.test\" = \"10.0.0.5\" }".to_owned())
            }
        }
    }
}

fn unless(valid: bool, expected: &str) -> Option<String> {
    (!valid).then(|| expected.to_owned())
}

fn expect_one_of(value: &Value, names: &[&str]) -> Option<String> {
    let valid = value.as_str().is_some_and(|text| names.contains(&text));
    unless(valid, &format!("one of {}", names.join(", ")))
}

fn expect_topic(value: &Value) -> Option<String> {
    let valid = value.as_str().is_some_and(|text| crate::topic::check_filter(text).is_ok());
    unless(
        valid,
        "a topic: tokens of letters, digits, `_` and `-` with dots between, where `*` is one token and a final `>` the rest",
    )
}

fn expect_network(value: &Value) -> Option<String> {
    unless(value.as_str().is_some_and(|text| text.parse::<Network>().is_ok()), Network::EXPECTED)
}

fn expect_version(version: &Value) -> Option<String> {
    let valid = version.as_str().is_some_and(|text| semver::VersionReq::parse(text).is_ok());
    unless(valid, "a version as in Cargo.toml, such as \"=1.98.0\" or \">=1.90, <1.92\"")
}

fn expect_item(item: &Value) -> Option<String> {
    let kinds = Packages::KINDS.join(", ");
    unless(
        item.as_str().is_some_and(Packages::is_item),
        &format!("one of {kinds}, a colon, and a name or `*`, such as \"permission:database\""),
    )
}

fn expect_host(name: &str, address: &Value) -> Option<String> {
    if !matches!(Host::parse(name), Ok(Host::Domain(_))) {
        return Some("a host's name as the key".to_owned());
    }
    unless(
        address.as_str().is_some_and(|text| text.parse::<StaticAddress>().is_ok()),
        StaticAddress::EXPECTED,
    )
}

/// A value as an error shows it: with its type where the text alone does not show it, and never long.
pub(super) fn describe(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = match value {
        Value::Table(_) => return "a table".to_owned(),
        Value::Array(_) => return "a list".to_owned(),
        Value::String(text) => format!("the string {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number:?}"),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Config;

    fn paths(prefix: &str, table: &toml::Table, into: &mut BTreeSet<String>) {
        for (name, value) in table {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) if is_section(&path) => paths(&path, inner, into),
                _ => drop(into.insert(path)),
            }
        }
    }

    #[test]
    fn the_table_and_the_structs_have_the_same_keys() {
        let mut config = Config::default();
        config.outbound.ca_file = Some("roots.pem".into());
        config.database.ca_file = Some("roots.pem".into());
        config.catalog.ca_file = Some("roots.pem".into());
        let table = toml::Table::try_from(&config).expect("the configuration is representable");
        let mut found = BTreeSet::new();
        paths("", &table, &mut found);
        assert_eq!(found, KEYS.iter().map(|key| key.path.to_owned()).collect());
    }

    #[test]
    fn every_default_is_within_its_range() {
        let table = toml::Table::try_from(Config::default()).expect("the defaults are representable");
        for key in KEYS.iter().filter(|key| !key.path.ends_with(".ca_file")) {
            let value = key.path.split('.').fold(None, |at: Option<&Value>, name| match at {
                None => table.get(name),
                Some(value) => value.get(name),
            });
            assert!(key.kind.check(value.expect("every key has a default")).is_empty(), "{}", key.path);
        }
    }
}
