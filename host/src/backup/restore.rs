//! Restoring a backup.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};
use tokio::runtime;

use super::{BackupError, DUMP, FACTS, FORMAT, Facts, PLUGIN_DATA, PLUGINS, failed, postgres, write};
use crate::{
    clock,
    config::{Config, Sync},
    store::{DATABASE_FILE, DataDir, Database, SecretKeys, make_temporary_dir, newest_migration},
};

/// The largest `backup.json`, in bytes.
const MAX_FACTS_BYTES: u64 = 1024 * 1024;

/// The zeros at the end of an archive.
const END_BYTES: usize = 1024;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup is of.
    pub facts: Facts,
    /// The folder where what was there before is now, if there was something.
    pub before: Option<PathBuf>,
    /// A backup of what was in PostgreSQL before, if there was something.
    pub database: Option<PathBuf>,
}

/// Replaces what a stopped host keeps by what is in a backup. The caller holds the data folder's lock.
///
/// # Errors
///
/// [`BackupError`]; unless it is [`BackupError::Half`], nothing is changed before the last step, which moves folders.
pub fn restore(
    config: &Config,
    data: &DataDir,
    file: &Path,
    network: &runtime::Handle,
) -> Result<Restored, BackupError> {
    let staging =
        make_temporary_dir(data.path(), ".restore-").map_err(failed("make a folder in", data.path()))?;
    let facts = unpack(file, staging.path())?;
    let not_a_backup = |expected: &str, found: String| BackupError::NotABackup {
        path: file.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let here = if config.database.url.postgres().is_some() { "postgres" } else { "sqlite" };
    if facts.database != here {
        let expected = format!("one of a host on {here}, as `database.url` says");
        return Err(not_a_backup(&expected, format!("one on {}", facts.database)));
    }
    if here == "sqlite" && !staging.path().join(DATABASE_FILE).is_file() {
        return Err(not_a_backup(DATABASE_FILE, "none".to_owned()));
    }
    for path in databases(staging.path())? {
        if let Err(found) = check(&path) {
            return Err(not_a_backup("whole databases", format!("{}: {found}", path.display())));
        }
    }
    let known = newest_migration(&config.database.url);
    if facts.migration > known {
        return Err(BackupError::Newer { found: facts.migration, known });
    }
    if !facts.key.is_empty() && !SecretKeys::find(data.path())?.is_some_and(|keys| keys.has(&facts.key)) {
        return Err(BackupError::OtherKey { key: facts.key });
    }
    let dump = staging.path().join(DUMP);
    let name = format!("before-restore-{}", clock::rfc3339(clock::unix_time_us()).replace(':', "-"));
    let before = data.path().join(&name);
    let mut database = None;
    if let Some(server) = postgres::Server::of(config, network)? {
        if !dump.is_file() {
            return Err(not_a_backup("a dump of the database", "none".to_owned()));
        }
        // The data folder's lock says nothing about hosts with another one.
        let _alone = Database::new(data.path(), &config.database, network)?.connect_alone(Sync::Full)?;
        // What is in the database goes before all of the dump was read.
        server.check(&dump)?;
        if !server.migration()?.is_empty() {
            let file = before.with_added_extension("tar");
            write(config, &file, network)?;
            database = Some(file);
        }
        server
            .load(&dump, &facts.tables)
            .map_err(|why| BackupError::Half { before: database.clone(), source: Box::new(why) })?;
    }
    data.replace(staging.path(), &name).map_err(failed("move what was restored into", data.path()))?;
    Ok(Restored { facts, before: before.is_dir().then_some(before), database })
}

/// Unpacks a backup into an empty folder and answers what it is of.
fn unpack(file: &Path, folder: &Path) -> Result<Facts, BackupError> {
    let not_a_backup = |expected: &str, found: String| BackupError::NotABackup {
        path: file.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let damaged = |why: std::io::Error| not_a_backup("a whole tar archive", why.to_string());
    let archive = File::open(file).map_err(failed("read", file))?;
    let mut archive = tar::Archive::new(archive);
    let mut facts = None;
    let mut end = 0;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        end = entry.raw_file_position().saturating_add(entry.size()).saturating_add(511) / 512 * 512;
        if facts.is_none() {
            if path != Path::new(FACTS) {
                return Err(not_a_backup(FACTS, path.display().to_string()));
            }
            let mut text = Vec::new();
            entry.take(MAX_FACTS_BYTES).read_to_end(&mut text).map_err(damaged)?;
            let found: Facts =
                serde_json::from_slice(&text).map_err(|why| not_a_backup(FACTS, why.to_string()))?;
            if found.format != FORMAT {
                return Err(not_a_backup(
                    &format!("format {FORMAT}"),
                    format!("format {}, written by version {}", found.format, found.version),
                ));
            }
            facts = Some(found);
            continue;
        }
        let known = path == Path::new(DATABASE_FILE)
            || path == Path::new(DUMP)
            || matches!(path.components().next(), Some(Component::Normal(first)) if first == PLUGINS || first == PLUGIN_DATA);
        if !known || !entry.header().entry_type().is_file() {
            return Err(not_a_backup("files of a host", path.display().to_string()));
        }
        entry.set_preserve_permissions(false);
        // Never outside of the folder, whatever its path says.
        if !entry.unpack_in(folder).map_err(damaged)? {
            return Err(not_a_backup("files of a host", path.display().to_string()));
        }
    }
    let facts = facts.ok_or_else(|| not_a_backup(FACTS, "nothing".to_owned()))?;
    // One that was cut between two files looks whole to who reads the files alone.
    let mut mark = [1; END_BYTES];
    let mut archive = archive.into_inner();
    let read = archive.seek(SeekFrom::Start(end)).and_then(|_| archive.read_exact(&mut mark));
    if read.is_err() || mark != [0; END_BYTES] {
        return Err(not_a_backup("a whole tar archive", "one without its end".to_owned()));
    }
    protect(folder)?;
    Ok(facts)
}

/// Gives what was unpacked the modes that the host would have given it.
fn protect(folder: &Path) -> Result<(), BackupError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
            let path = entry.map_err(failed("read", folder))?.path();
            let is_folder = path.is_dir();
            let library =
                path.starts_with(folder) && path.components().any(|part| part.as_os_str() == PLUGINS);
            let mode = match (is_folder, library) {
                (true, _) => 0o700,
                (false, true) => 0o400,
                (false, false) => 0o600,
            };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed("protect", &path))?;
            if is_folder {
                protect(&path)?;
            }
        }
    }
    Ok(())
}

/// The database files in a folder.
fn databases(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    let own = folder.join(DATABASE_FILE);
    found.extend(own.is_file().then_some(own));
    let plugins = folder.join(PLUGIN_DATA);
    if !plugins.is_dir() {
        return Ok(found);
    }
    for plugin in fs::read_dir(&plugins).map_err(failed("read", &plugins))? {
        let plugin = plugin.map_err(failed("read", &plugins))?.path();
        for file in fs::read_dir(&plugin).map_err(failed("read", &plugin))? {
            found.push(file.map_err(failed("read", &plugin))?.path());
        }
    }
    Ok(found)
}

fn check(path: &Path) -> Result<(), String> {
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|why| why.to_string())?;
    let said: String = database
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|why| why.to_string())?;
    if said == "ok" { Ok(()) } else { Err(said) }
}
