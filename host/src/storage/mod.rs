//! The host's half of `storage/1`: plugins' keys and values, in a file of each plugin's or in PostgreSQL.
//!
//! A call runs on the plugin's own thread. What callers write at the same time is committed together (`group.rs`). What
//! they come to is worked out first and then written (`change.rs`); the backends only read and write rows.

mod capability;
mod change;
mod error;
mod group;
mod postgres;
mod sqlite;

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use streamspace_plugin::storage::{Applied, ListedValue, StoredValue};

pub use self::{
    capability::open as open_storage,
    change::{Action, Change, Expected},
    error::StorageError,
};
use self::{
    change::{Answer, Write},
    group::Group,
    postgres::PostgresPool,
    sqlite::SqliteFile,
};
use crate::{
    clock::unix_time_us,
    config::{self, Sync},
    postgres::Postgres,
};

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// The most changes that are made together.
pub const MAX_CHANGES: usize = 1000;
/// The most keys of one answer.
pub const MAX_LIST: usize = 1000;
const DEFAULT_LIST: usize = 100;
/// A list ends early where its values have this many bytes, but never before its first one.
const LIST_BYTES: usize = 4 * 1024 * 1024;

/// What tells the time: microseconds since 1970-01-01 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + std::marker::Sync>;

/// Where all plugins' storage is.
pub struct Storage {
    place: Place,
    limits: Limits,
    clock: Clock,
    /// What is open: two versions of a plugin that run side by side share it.
    open: Mutex<HashMap<String, Weak<Opening>>>,
}

enum Place {
    /// The folder of plugins' files.
    Files(PathBuf),
    Postgres(Arc<PostgresPool>),
}

#[derive(Debug, Clone)]
struct Limits {
    sync: Sync,
    wait: Duration,
    max_value_bytes: usize,
    max_file_bytes: u64,
}

impl Storage {
    /// Storage below the data folder, or in `postgres` if there is that. Opens and connects to nothing yet.
    #[must_use]
    pub fn new(config: &config::Config, postgres: Option<Postgres>) -> Self {
        let database = &config.database;
        let limits = Limits {
            sync: config.storage.sync,
            wait: Duration::from_secs(database.wait_deadline_secs),
            max_value_bytes: usize::try_from(database.max_value_bytes).unwrap_or(usize::MAX),
            max_file_bytes: database.max_plugin_bytes,
        };
        let place = match postgres {
            Some(postgres) => Place::Postgres(Arc::new(PostgresPool::new(
                postgres,
                database.connections,
                limits.wait,
                limits.sync,
            ))),
            None => Place::Files(config.data_dir.join("plugin-data")),
        };
        Self { place, limits, clock: Arc::new(unix_time_us), open: Mutex::default() }
    }

    /// The same, by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The keys of one plugin. They are opened when they are first used.
    #[must_use]
    pub fn of(self: &Arc<Self>, plugin: &str) -> PluginStorage {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, other| other.strong_count() > 0);
        let shared = open.get(plugin).and_then(Weak::upgrade).unwrap_or_default();
        open.insert(plugin.to_owned(), Arc::downgrade(&shared));
        PluginStorage { plugin: plugin.to_owned(), all: Arc::clone(self), granted: true, shared }
    }

    /// Removes every key of a plugin, which must not run.
    ///
    /// # Errors
    ///
    /// [`StorageError::File`], [`StorageError::Unreachable`], [`StorageError::Refused`].
    pub fn purge(&self, plugin: &str) -> Result<(), StorageError> {
        // What a handler that hangs has open is not what another installation is given.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
        match &self.place {
            Place::Files(folder) => sqlite::purge(&folder.join(plugin)),
            Place::Postgres(pool) => pool.of(plugin).remove_all(),
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place: &dyn fmt::Debug = match &self.place {
            Place::Files(folder) => folder,
            Place::Postgres(pool) => pool,
        };
        f.debug_struct("Storage").field("place", place).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Rows of one plugin, on either backend.
trait Rows: Send + std::marker::Sync + fmt::Debug {
    fn get(&self, key: &str, now_us: u64) -> Result<Option<StoredValue>, StorageError>;

    /// Keys from `from` on, `from` itself only if it is `included`, up to and without `end`.
    fn list(&self, range: &Range<'_>, now_us: u64) -> Result<Vec<ListedValue>, StorageError>;

    /// Commits sets of changes, each of them whole or not at all, and answers for each. Only one call at a time.
    ///
    /// If this fails, nothing was done, unless the error says that it may.
    fn apply(&self, sets: &[&[Change<'_>]], now_us: u64) -> Result<Vec<Answer>, StorageError>;

    /// Only one call at a time, also of `apply`.
    fn remove_prefix(&self, prefix: &str) -> Result<u64, StorageError>;
}

/// A part of the keys, in their order.
#[derive(Debug)]
struct Range<'a> {
    from: &'a str,
    included: bool,
    end: Option<String>,
    limit: usize,
    with_values: bool,
}

/// The keys of one plugin.
#[derive(Debug)]
pub struct PluginStorage {
    plugin: String,
    all: Arc<Storage>,
    granted: bool,
    shared: Arc<Opening>,
}

#[derive(Debug, Default)]
struct Opening {
    opened: OnceLock<Keys>,
    /// Held while it is opened.
    opening: Mutex<()>,
}

#[derive(Debug)]
struct Keys {
    rows: Box<dyn Rows>,
    group: Group,
}

impl PluginStorage {
    /// The same, if one of the plugin's permissions grants it; otherwise every call is denied.
    #[must_use]
    pub fn granted_by<'a>(self, mut permissions: impl Iterator<Item = &'a str>) -> Self {
        let granted = permissions.any(|permission| matches!(permission, "storage" | "database"));
        Self { granted, ..self }
    }

    /// What is stored under a key.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn get(&self, key: &str) -> Result<Option<StoredValue>, StorageError> {
        let keys = self.keys()?;
        check_key(key)?;
        keys.rows.get(key, self.now_us())
    }

    /// Makes changes, all of them or none.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn apply(&self, changes: Vec<Change<'_>>) -> Result<Vec<Applied>, StorageError> {
        let keys = self.keys()?;
        self.check(&changes)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        keys.submit(Write::Changes(changes), || self.now_us())
    }

    /// At most `limit` keys that begin with `prefix`, and are behind `after`. A limit of 0 means 100.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
        with_values: bool,
    ) -> Result<Vec<ListedValue>, StorageError> {
        let keys = self.keys()?;
        check_text("the prefix", prefix)?;
        check_text("the key to begin behind", after)?;
        let limit = if limit == 0 { DEFAULT_LIST } else { limit };
        if limit > MAX_LIST {
            return Err(StorageError::TooLarge {
                what: "the limit of a list".to_owned(),
                limit: MAX_LIST.to_string(),
                found: limit.to_string(),
            });
        }
        let included = after < prefix;
        let from = if included { prefix } else { after };
        let range = Range { from, included, end: change::behind(prefix), limit, with_values };
        keys.rows.list(&range, self.now_us())
    }

    /// Removes every key that begins with `prefix`, and answers with their number.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn remove_prefix(&self, prefix: &str) -> Result<u64, StorageError> {
        let keys = self.keys()?;
        check_text("the prefix", prefix)?;
        let applied = keys.submit(Write::RemovePrefix(Cow::Borrowed(prefix)), || self.now_us())?;
        Ok(applied.first().and_then(|applied| u64::try_from(applied.number).ok()).unwrap_or_default())
    }

    fn now_us(&self) -> u64 {
        (self.all.clock)()
    }

    fn keys(&self) -> Result<&Keys, StorageError> {
        if let Some(keys) = self.shared.opened.get() {
            return Ok(keys);
        }
        if !self.granted {
            return Err(StorageError::Denied { plugin: self.plugin.clone() });
        }
        let _opening = self.shared.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = self.shared.opened.get() {
            return Ok(keys);
        }
        let limits = &self.all.limits;
        let rows: Box<dyn Rows> = match &self.all.place {
            Place::Files(folder) => Box::new(SqliteFile::open(&folder.join(&self.plugin), limits)?),
            Place::Postgres(pool) => Box::new(pool.of(&self.plugin)),
        };
        Ok(self.shared.opened.get_or_init(|| Keys { rows, group: Group::new(limits.wait) }))
    }

    fn check(&self, changes: &[Change<'_>]) -> Result<(), StorageError> {
        let too_large =
            |what: String, limit: String, found: String| Err(StorageError::TooLarge { what, limit, found });
        if changes.len() > MAX_CHANGES {
            let (limit, found) = (format!("{MAX_CHANGES} changes"), changes.len().to_string());
            return too_large("a batch".to_owned(), limit, found);
        }
        let most = self.all.limits.max_value_bytes;
        for change in changes {
            check_key(&change.key)?;
            if let Action::Set(value) = &change.action
                && value.len() > most
            {
                let limit = format!("{most} bytes (`database.max_value_bytes`)");
                return too_large(format!("the value for `{}`", change.key), limit, value.len().to_string());
            }
        }
        Ok(())
    }
}

impl Keys {
    fn submit(&self, write: Write<'_>, now_us: impl Fn() -> u64) -> Answer {
        // The time at which it is committed: the caller may have waited for its turn.
        self.group.submit(write, |writes| self.commit(writes, now_us()))
    }

    /// Changes go together; the removal of a prefix is a commit of its own.
    fn commit(&self, writes: &[&Write<'_>], now_us: u64) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut sets: Vec<&[Change<'_>]> = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Changes(changes) => sets.push(changes),
                Write::RemovePrefix(prefix) => {
                    self.apply(&std::mem::take(&mut sets), now_us, &mut answers);
                    let number = self.rows.remove_prefix(prefix);
                    answers.push(number.map(|number| {
                        vec![Applied { revision: 0, number: i64::try_from(number).unwrap_or(i64::MAX) }]
                    }));
                }
            }
        }
        self.apply(&sets, now_us, &mut answers);
        answers
    }

    fn apply(&self, sets: &[&[Change<'_>]], now_us: u64, answers: &mut Vec<Answer>) {
        if sets.is_empty() {
            return;
        }
        match self.rows.apply(sets, now_us) {
            Ok(all) => answers.extend(all),
            // One of them may be too much where the others are not.
            Err(why) if sets.len() > 1 && why.may_be_one_callers() => {
                for set in sets {
                    self.apply(&[set], now_us, answers);
                }
            }
            Err(why) => answers.extend(sets.iter().map(|_| Err(why.clone()))),
        }
    }
}

/// Numbers that were set apart for revisions, in a way that no later process gets them again.
#[derive(Debug, Default)]
struct Revisions {
    next: u64,
    end: u64,
}

impl Revisions {
    /// How many are set apart at once.
    const BLOCK: u64 = 1 << 20;

    fn left(&self) -> u64 {
        self.end - self.next
    }

    /// Takes up the block with this number, from 1 on.
    fn refill(&mut self, block: u64) {
        self.next = block * Self::BLOCK;
        self.end = self.next + Self::BLOCK;
    }

    fn take(&mut self) -> u64 {
        debug_assert!(self.next < self.end, "the caller looked how many are left");
        self.next += 1;
        self.next - 1
    }
}

/// Databases have signed integers; none of ours comes near their end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn check_key(key: &str) -> Result<(), StorageError> {
    if key.is_empty() {
        let reason = format!("expected 1 to {MAX_KEY_BYTES} bytes, found none");
        return Err(StorageError::Invalid { what: "a key".to_owned(), reason });
    }
    check_text("a key", key)
}

fn check_text(what: &str, text: &str) -> Result<(), StorageError> {
    let invalid = |reason: String| Err(StorageError::Invalid { what: what.to_owned(), reason });
    if text.len() > MAX_KEY_BYTES {
        return invalid(format!("expected at most {MAX_KEY_BYTES} bytes, found {}", text.len()));
    }
    if text.contains('\0') {
        return invalid("expected a text without NUL, found one".to_owned());
    }
    Ok(())
}
