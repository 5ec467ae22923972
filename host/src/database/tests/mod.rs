//! A plugin's calls against real databases, through the table and the SDK.

mod escapes_postgres;
mod escapes_sqlite;
#[cfg(unix)]
mod files;
mod migrations;
mod schemas;
mod server;
mod statements;
mod upgrades;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
};

use streamspace_plugin::{
    abi::FaultKind,
    database::{Database, DatabaseError as SdkError},
    params,
};
use tempfile::TempDir;

use self::server::Server;
use super::{DatabaseError, Databases};
use crate::{
    config,
    handles::Opened,
    store::{self, DataDir},
};

/// A host's data folder, and what plugins have in it.
struct Host {
    folder: TempDir,
    databases: Databases,
    server: Option<Server>,
}

/// A plugin that was started.
struct Plugin {
    sql: Database,
    _opened: Opened,
}

impl Host {
    fn sqlite() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut config::Database)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let mut settings = config::Database::default();
        change(&mut settings);
        let databases = Databases::new(&data, &settings, None);
        Self { folder, databases, server: None }
    }

    fn postgres() -> Self {
        Self::postgres_with(Server::new(), |_| {})
    }

    fn postgres_with(server: Server, change: impl FnOnce(&mut config::Database)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let text = format!("url = \"{}\"", server.url());
        let mut settings: config::Database = toml::from_str(&text).expect("settings");
        change(&mut settings);
        // The table of what was applied is one of the host's own.
        let own =
            store::Database::open(data.path(), &settings, server::network()).expect("the host's tables");
        let databases = Databases::new(&data, &settings, own.postgres());
        Self { folder, databases, server: Some(server) }
    }

    /// The server, of a host on PostgreSQL.
    fn server(&self) -> &Server {
        self.server.as_ref().expect("a host on PostgreSQL")
    }

    /// The folder that a plugin's files are in.
    fn package(&self, plugin: &str) -> PathBuf {
        self.folder.path().join("packages").join(plugin)
    }

    /// Writes a file of a migration, for both databases.
    fn migration(&self, plugin: &str, file: &str, sql: &str) {
        for dialect in ["sqlite", "postgres"] {
            let path = self.package(plugin).join("migrations").join(dialect).join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, sql).expect("a file");
        }
    }

    fn try_start(&self, plugin: &str) -> Result<Plugin, DatabaseError> {
        let database = self.databases.prepare(plugin, ["events", "database"], &self.package(plugin))?;
        Ok(Plugin::of(database))
    }

    fn start(&self, plugin: &str) -> Plugin {
        self.try_start(plugin).unwrap_or_else(|why| panic!("{plugin}: {why}"))
    }

    fn data_of(&self, plugin: &str) -> PathBuf {
        self.folder.path().join("plugin-data").join(plugin)
    }
}

impl Plugin {
    fn of(database: super::PluginDatabase) -> Self {
        let (capability, opened) = super::open_database(database);
        Self { sql: Database::new(Some(capability.bind().expect("its own table"))), _opened: opened }
    }

    fn exec(&self, sql: &str) -> Result<u64, SdkError> {
        self.sql.exec(sql, params![])
    }

    #[track_caller]
    fn done(&self, sql: &str) -> u64 {
        self.exec(sql).unwrap_or_else(|why| panic!("{sql}: {why:?}"))
    }

    #[track_caller]
    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        self.sql.query_one(&sql, params![]).unwrap_or_else(|why| panic!("{sql}: {why:?}")).expect("a row")
    }
}

/// What an error is, for a comparison.
fn kind(error: &SdkError) -> Option<FaultKind> {
    Some(match error {
        SdkError::Denied(_) => FaultKind::DENIED,
        SdkError::Invalid(_) => FaultKind::INVALID,
        SdkError::Sql(_) => FaultKind::SQL,
        SdkError::Constraint(_) => FaultKind::CONSTRAINT,
        SdkError::Busy(_) => FaultKind::BUSY,
        SdkError::TimedOut(_) => FaultKind::TIMED_OUT,
        SdkError::TooLarge(_) => FaultKind::TOO_LARGE,
        SdkError::Unreachable(_) => FaultKind::UNREACHABLE,
        SdkError::Closed(_) => FaultKind::CLOSED,
        _ => return None,
    })
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T, SdkError>, expected: FaultKind) -> String {
    let why = result.expect_err("it fails");
    assert_eq!(kind(&why), Some(expected), "{why:?}");
    why.to_string()
}

fn exists(path: &Path) -> bool {
    path.try_exists().expect("a readable folder")
}

/// Makes tests of functions that take a `&Host`: of each, one on SQLite and one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&super::super::Host::sqlite());
            })+
        }

        mod postgres {
            $(#[test]
            fn $name() {
                super::$name(&super::super::Host::postgres());
            })+
        }
    };
}

use on_both;
