//! Storage on a backend, with a clock that a test sets.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use streamspace_host::{
    config::Config,
    postgres::Postgres,
    storage::{Action, Change, Expected, PluginStorage, Storage, StorageError},
    store::Database,
};
use streamspace_plugin::storage::Applied;
use streamspace_tests::Backend;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Storage, and what it stands on.
pub(crate) struct Place {
    pub(crate) storage: Arc<Storage>,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) folder: TempDir,
    config: Config,
}

/// When every test begins, microseconds since 1970.
pub(crate) const BEGIN: u64 = 1_700_000_000_000_000;

fn network() -> &'static Runtime {
    static NETWORK: OnceLock<Runtime> = OnceLock::new();
    NETWORK.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

impl Place {
    pub(crate) fn on(backend: &Backend) -> Self {
        Self::with(backend, |_| ())
    }

    pub(crate) fn with(backend: &Backend, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: folder.path().join("data"), ..Config::default() };
        if let Backend::Postgres(database) = backend {
            let url = serde_json::to_string(database.url()).unwrap();
            config.database.url = serde_json::from_str(&url).unwrap();
        }
        change(&mut config);
        prepare(&config, network());
        let clock = Arc::new(AtomicU64::new(BEGIN));
        let storage = open(&config, &clock);
        Self { storage, clock, folder, config }
    }

    /// As after a restart of the host.
    pub(crate) fn reopen(&mut self) {
        self.storage = open(&self.config, &self.clock);
    }

    pub(crate) fn advance(&self, micros: u64) {
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }

    pub(crate) fn keys(&self) -> PluginStorage {
        self.storage.of("a-plugin")
    }
}

/// As a host does before plugins have storage: the table of PostgreSQL is one of its own.
pub(crate) fn prepare(config: &Config, network: &Runtime) {
    if config.database.url.postgres().is_some() {
        Database::open(&config.data_dir, &config.database, network.handle()).unwrap();
    }
}

fn open(config: &Config, clock: &Arc<AtomicU64>) -> Arc<Storage> {
    let postgres = Postgres::new(&config.database, network().handle()).unwrap();
    let clock = Arc::clone(clock);
    Arc::new(Storage::new(config, postgres).with_clock(Arc::new(move || clock.load(Ordering::SeqCst))))
}

pub(crate) fn set<'a>(key: &'a str, value: &'a [u8]) -> Change<'a> {
    change(key, Action::Set(Cow::Borrowed(value)), Expected::Any)
}

pub(crate) fn add(key: &str, amount: i64) -> Change<'_> {
    change(key, Action::Add(amount), Expected::Any)
}

pub(crate) fn delete(key: &str) -> Change<'_> {
    change(key, Action::Delete, Expected::Any)
}

pub(crate) fn change<'a>(key: &'a str, action: Action<'a>, expected: Expected) -> Change<'a> {
    Change { key: Cow::Borrowed(key), action, ttl_us: 0, expected }
}

/// Makes one change.
pub(crate) fn make(keys: &PluginStorage, change: Change<'_>) -> Result<Applied, StorageError> {
    keys.apply(vec![change]).map(|applied| applied[0])
}

/// The value under a key.
pub(crate) fn value(keys: &PluginStorage, key: &str) -> Option<Vec<u8>> {
    keys.get(key).unwrap().map(|stored| stored.value.into_vec())
}
