//! A plugin's tables while another version is put in its place.
//!
//! The new version's migrations are applied while the old version runs. Until the new one is kept there is a way back, which a
//! crash leaves too: a mark beside the database says between which versions it was, and the next start takes that way.
//! What was migrated is undone by the `down.sql` of each migration, which keeps what was written since. With SQLite
//! there is also a copy of the file from before, for migrations that have none or whose `down.sql` fails.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use serde::{Deserialize, Serialize};

use super::{
    DatabaseError, Databases, MigrationError, PERMISSION, PackageMigrations, PluginDatabase,
    migrations::{self, History},
    pool::Pool,
    postgres::PostgresHistory,
    session,
};
use crate::store::make_private_dir;

/// The folder in that of the plugin's data.
const FOLDER: &str = "upgrade";
const MARK: &str = "upgrade.json";
/// Not `.db`: it is in no backup.
const COPY: &str = "database.before";

/// The longest mark, in bytes.
const MAX_MARK_BYTES: u64 = 4096;

/// That migrations of a version were begun which is not kept yet.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// The folder of the old version's files, beside the new one's. The way back is taken for this one alone.
    from: String,
    to: String,
    /// The newest migration that was applied before.
    newest: i64,
}

impl Databases {
    /// As [`prepare`](Self::prepare), for a version that is to take the place of one that runs: `from` is the folder of the
    /// files of that one, `to` of the new one. Migrations that only the old one has, which make the new one the older, stay for now.
    /// Either [`keep`](Self::keep) or [`take_back`](Self::take_back) follows. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; the tables are as before then, unless that is what failed.
    pub fn upgrade<'a>(
        &self,
        plugin: &str,
        permissions: impl IntoIterator<Item = &'a str>,
        from: &Path,
        to: &Path,
    ) -> Result<PluginDatabase, DatabaseError> {
        // Of an upgrade before this one.
        self.recover(plugin, from)?;
        let permitted = permissions.into_iter().any(|permission| permission == PERMISSION);
        let of_package = PackageMigrations::read(to)?;
        let (dialect, limits) = (self.dialect(), self.limits.clone());
        if !permitted {
            if !of_package.is_empty() {
                return Err(MigrationError::NoPermission.into());
            }
            return Ok(PluginDatabase { dialect, limits, pool: None });
        }
        let wanted = of_package.of(dialect)?;
        let mut history = self.history(plugin)?;
        let applied = history.applied()?;
        let of_older = PackageMigrations::read(from)?;
        let pending = migrations::between(&applied, of_older.of(dialect).unwrap_or_default(), wanted)?;
        if !pending.is_empty() {
            let without = pending.iter().find(|migration| migration.down.is_none());
            if let (Some(migration), true) = (without, self.postgres.is_some()) {
                let (version, name) = (migration.version, migration.name.clone());
                return Err(MigrationError::NoWayBack { version, name }.into());
            }
            let newest = applied.last().map_or(0, |applied| applied.version);
            self.mark(plugin, from, to, newest)?;
            let limit = self.limits.transaction_deadline;
            let done =
                pending.into_iter().try_for_each(|pending| history.apply(pending, Instant::now() + limit));
            drop(history);
            if let Err(why) = done {
                // Where this fails there is the mark still: whoever comes next tries it again, and says why it fails.
                let _ = self.take_back(plugin, from, to);
                return Err(why.into());
            }
        }
        let connect: Box<dyn session::Connect> = match &self.postgres {
            None => Box::new(self.file(plugin)),
            Some(_) => Box::new(self.role(plugin)?),
        };
        let pool = Pool::new(connect, limits.connections, limits.wait);
        Ok(PluginDatabase { dialect, limits, pool: Some(pool) })
    }

    /// Undoes what the version in `from` has migrated and the one in `to` does not know. The new one runs, and the old one
    /// does nothing any more. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; [`take_back`](Self::take_back) does again what was undone.
    pub fn finish(&self, plugin: &str, from: &Path, to: &Path) -> Result<(), DatabaseError> {
        let (older, newer) = (PackageMigrations::read(to)?, PackageMigrations::read(from)?);
        let dialect = self.dialect();
        if newer.is_empty() {
            return Ok(());
        }
        let version = older.of(dialect)?.last().map_or(0, |last| last.version);
        let mut history = self.history(plugin)?;
        migrations::rollback_to(&mut *history, newer.of(dialect)?, version, self.limits.transaction_deadline)
    }

    /// There is no way back any more. What is left if this fails goes at the next start.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::WayBack`].
    pub fn keep(&self, plugin: &str) -> Result<(), DatabaseError> {
        let folder = self.way_back(plugin);
        let remove = || {
            if !folder.try_exists()? {
                return Ok(());
            }
            // First this: without the mark nobody looks for the rest, and a mark that comes back after a power cut would lead
            // the next upgrade back.
            match fs::remove_file(folder.join(MARK)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => File::open(&folder)?.sync_all()?,
            }
            fs::remove_dir_all(&folder)
        };
        remove().map_err(|why| failed(&folder, why))
    }

    /// Brings the tables back to what the version in `from` knows. It may run; the one in `to` must not. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; it is tried again at the next start.
    pub fn take_back(&self, plugin: &str, from: &Path, to: &Path) -> Result<(), DatabaseError> {
        let limit = self.limits.transaction_deadline;
        let dialect = self.dialect();
        if let Some(mark) = self.read_mark(plugin)? {
            let undone = PackageMigrations::read(to).map_err(DatabaseError::from).and_then(|all| {
                let mut history = self.history(plugin)?;
                migrations::rollback_to(&mut *history, all.of(dialect)?, mark.newest, limit)
            });
            let copy = self.way_back(plugin).join(COPY);
            match undone {
                Err(_) if self.postgres.is_none() && copy.is_file() => self.restore(plugin, &copy)?,
                undone => undone?,
            }
        }
        // Also a copy that was broken off before there was a mark.
        self.keep(plugin)?;
        // What `finish` has undone.
        let of_package = PackageMigrations::read(from)?;
        if of_package.of(dialect).is_ok_and(|wanted| !wanted.is_empty()) {
            let mut history = self.history(plugin)?;
            migrations::apply(&mut *history, of_package.of(dialect)?, limit)?;
        }
        Ok(())
    }

    /// Ends what is left of an upgrade that was broken off, or that failed: `package` is the folder of the version that is
    /// installed. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; it is tried again at the next start.
    pub fn recover(&self, plugin: &str, package: &Path) -> Result<(), DatabaseError> {
        if let Some(mark) = self.read_mark(plugin)?
            && package.file_name().is_some_and(|name| name == mark.from.as_str())
        {
            return self.take_back(plugin, package, &package.with_file_name(&mark.to));
        }
        // The new one was kept. It may have been replaced since, by one that did not touch the tables.
        self.keep(plugin)
    }

    fn history(&self, plugin: &str) -> Result<Box<dyn History>, DatabaseError> {
        Ok(match &self.postgres {
            None => Box::new(self.file(plugin).open().map_err(DatabaseError::Open)?),
            Some(postgres) => Box::new(PostgresHistory::open(postgres, &self.role(plugin)?)?),
        })
    }

    fn way_back(&self, plugin: &str) -> PathBuf {
        self.folder.join(plugin).join(FOLDER)
    }

    /// Makes sure that there is a way back, also after a crash.
    fn mark(&self, plugin: &str, from: &Path, to: &Path, newest: i64) -> Result<(), DatabaseError> {
        let folder = self.way_back(plugin);
        let io = |why| failed(&folder, why);
        for part in [&self.folder, &self.folder.join(plugin), &folder] {
            make_private_dir(part).map_err(io)?;
        }
        if self.postgres.is_none() {
            self.copy(plugin, &folder.join(COPY))?;
        }
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mark = Mark { from: name(from), to: name(to), newest };
        let text = serde_json::to_vec(&mark).map_err(|why| io(why.into()))?;
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(folder.join(MARK)).map_err(|why| why.error)?;
            // Each of them may have been made just now.
            for part in [&folder, &self.folder.join(plugin), &self.folder] {
                File::open(part)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(io)
    }

    fn read_mark(&self, plugin: &str) -> Result<Option<Mark>, DatabaseError> {
        let path = self.way_back(plugin).join(MARK);
        let text = match crate::store::read_bounded(&path, MAX_MARK_BYTES) {
            Ok(text) => text,
            Err(crate::store::StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(why) => return Err(failed(&path, io::Error::other(why))),
        };
        serde_json::from_slice(&text).map(Some).map_err(|why| failed(&path, why.into()))
    }

    /// Copies the plugin's file while it is used.
    fn copy(&self, plugin: &str, copy: &Path) -> Result<(), DatabaseError> {
        // Of an upgrade that was broken off before its mark was written.
        self.remove_copy(copy)?;
        let file = self.file(plugin);
        drop(file.open().map_err(DatabaseError::Open)?);
        super::sqlite::make_file(copy).map_err(|why| failed(copy, why))?;
        self.transfer(&file.path(), copy).map_err(|why| failed(copy, why))
    }

    /// Puts the copy in place of what is in the plugin's file: one transaction, which other connections see at once.
    fn restore(&self, plugin: &str, copy: &Path) -> Result<(), DatabaseError> {
        self.transfer(copy, &self.file(plugin).path()).map_err(|why| failed(copy, why))
    }

    fn remove_copy(&self, copy: &Path) -> Result<(), DatabaseError> {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = copy.as_os_str().to_owned();
            path.push(suffix);
            match fs::remove_file(&path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(failed(copy, why)),
                _ => {}
            }
        }
        Ok(())
    }

    fn transfer(&self, from: &Path, to: &Path) -> io::Result<()> {
        let connect = |path: &Path| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(self.limits.wait)?;
            Ok::<_, rusqlite::Error>(connection)
        };
        let until = Instant::now() + self.limits.transaction_deadline;
        let run = || -> rusqlite::Result<bool> {
            let (source, mut target) = (connect(from)?, connect(to)?);
            // Whole, so that it is one transaction, and from one moment.
            let backup = Backup::new(&source, &mut target)?;
            loop {
                match backup.step(-1)? {
                    StepResult::Done => return Ok(true),
                    _ if Instant::now() >= until => return Ok(false),
                    _ => thread::sleep(Duration::from_millis(20)),
                }
            }
        };
        match run() {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::Error::new(io::ErrorKind::TimedOut, "the database was in use all the time")),
            Err(why) => Err(io::Error::other(why)),
        }
    }
}

fn failed(path: &Path, source: io::Error) -> DatabaseError {
    DatabaseError::WayBack { path: path.to_owned(), source }
}
