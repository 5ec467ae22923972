use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_postgres::config::Host;

/// `[database]`: where the host and its plugins keep their data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite` for files in the data directory, or the URL of a PostgreSQL database, 15 or newer:
    /// `postgres://user:password@host/database`. Default `sqlite`.
    pub url: DatabaseUrl,
    /// Certificates that PostgreSQL's is checked against, as PEM, instead of the system's roots. Default none.
    pub ca_file: Option<std::path::PathBuf>,
    /// Connections for administration, beside the two of the event log. 1 to 64, default 4.
    pub connections: u32,
    /// How long connecting, and waiting for a free connection or a lock, may take, in seconds. 1 to 300, default 5.
    pub wait_deadline_secs: u64,
    /// Connections of one plugin. 1 to 64, default 4.
    pub plugin_connections: u32,
    /// How long one statement of a plugin may run, in seconds. 1 to 3600, default 30.
    pub statement_deadline_secs: u64,
    /// How long a transaction of a plugin may last, in seconds. 1 to 3600, default 60.
    pub transaction_deadline_secs: u64,
    /// The most rows that one query of a plugin reads. 1 to 1000000000, default 1000000.
    pub max_rows: u64,
    /// The largest text or blob in a plugin's rows, and the largest value under a key, in bytes. 1024 to 1073741824 (1
    /// GiB), default 16777216 (16 MiB).
    pub max_value_bytes: u64,
    /// The largest database file of one plugin, in bytes; SQLite only. 1048576 (1 MiB) to 1099511627776 (1 TiB),
    /// default 1073741824 (1 GiB).
    pub max_plugin_bytes: u64,
    /// How long `pg_dump` and `pg_restore` may each run, in seconds. 60 to 604800 (a week), default 14400 (4 hours).
    pub backup_deadline_secs: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::default(),
            ca_file: None,
            connections: 4,
            wait_deadline_secs: 5,
            plugin_connections: 4,
            statement_deadline_secs: 30,
            transaction_deadline_secs: 60,
            max_rows: 1_000_000,
            max_value_bytes: 16 * 1024 * 1024,
            max_plugin_bytes: 1024 * 1024 * 1024,
            backup_deadline_secs: 4 * 3600,
        }
    }
}

/// What [`Database::url`] holds. It is written, and has a `Debug` form, without user, password and parameters: the
/// configuration is shown to people.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(super) const EXPECTED: &'static str = "sqlite, or a URL such as postgres://streamspace@127.0.0.1/streamspace, in \
                                               whose password an `@` is written as %40";

    /// The URL of a PostgreSQL database; `None` for SQLite.
    #[must_use]
    pub fn postgres(&self) -> Option<&str> {
        (self.0 != "sqlite").then_some(self.0.as_str())
    }

    /// Whether `text` is one.
    pub(super) fn is_valid(text: &str) -> bool {
        let postgres = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
        // What follows the first `@` is taken for the host, which is shown: not the rest of a password.
        let host_is_one = |host: &Host| !matches!(host, Host::Tcp(name) if name.contains('@'));
        let config = || text.parse::<tokio_postgres::Config>().ok();
        text == "sqlite"
            || (postgres(text) && config().is_some_and(|config| config.get_hosts().iter().all(host_is_one)))
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite".to_owned())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(url) = self.postgres() else { return f.write_str("sqlite") };
        // A list of hosts is no URL to others.
        match url::Url::parse(url) {
            Ok(url) => {
                write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
            Err(_) => f.write_str("postgres://…"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_would_be_taken_for_the_host_is_refused() {
        assert!(!DatabaseUrl::is_valid("postgres://ada:hunter@2@db.example/main"));
        assert!(DatabaseUrl::is_valid("postgres://ada:hunter%402@db.example/main"));
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, expected) in [
            ("sqlite", "sqlite"),
            (
                "postgres://ada:hunter2@db.example:5433/main?sslmode=require",
                "postgres://db.example:5433/main",
            ),
            ("postgresql://db.example/main?password=hunter2", "postgres://db.example/main"),
            ("postgres://ada:hunter2@one:1,two:2/main", "postgres://…"),
        ] {
            assert!(DatabaseUrl::is_valid(url), "{url}");
            let url = DatabaseUrl(url.to_owned());
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (expected, expected));
            assert_eq!(serde_json::to_value(&url).expect("a text"), expected);
        }
    }
}
