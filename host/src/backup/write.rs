//! Writing a backup.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::runtime;

use super::{BackupError, DUMP, FACTS, FORMAT, Facts, PLUGIN_DATA, PLUGINS, failed, postgres};
use crate::{
    clock,
    config::Config,
    store::{DATABASE_FILE, make_temporary_dir},
};

/// Writes a backup of what the host with this configuration keeps. It may run meanwhile.
///
/// # Errors
///
/// [`BackupError`]; there is no file then.
pub fn write(config: &Config, file: &Path, network: &runtime::Handle) -> Result<Facts, BackupError> {
    if file.exists() {
        return Err(BackupError::Exists { path: file.to_owned() });
    }
    let data = config.data_dir.as_path();
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside its place, with mode 0600, and gone if this fails.
    let archive = tempfile::NamedTempFile::new_in(folder).map_err(failed("write in", folder))?;
    // SQLite and `pg_dump` would let others read what they write there.
    let staging = make_temporary_dir(folder, ".backup-").map_err(failed("make a folder in", folder))?;
    let (taken, own) = (staging.path().join("taken"), staging.path().join("own"));

    let server = postgres::Server::of(config, network)?;
    let (tables, migration, key) = match &server {
        Some(server) => {
            let of_server = (server.plugins()?, server.migration()?, server.key()?);
            server.dump(&own)?;
            of_server
        }
        None => {
            take(&data.join(DATABASE_FILE), &own)?;
            let migration = ask(&own, "SELECT max(version) FROM __diesel_schema_migrations")?;
            // Whoever makes the backup need not have the key.
            (
                Vec::new(),
                migration,
                ask(&own, "SELECT lower(hex(substr(config, 2, 8))) FROM plugins LIMIT 1")?,
            )
        }
    };
    let facts = Facts {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: clock::rfc3339(clock::unix_time_us()),
        database: if config.database.url.postgres().is_some() { "postgres" } else { "sqlite" }.to_owned(),
        plugins: folders(&data.join(PLUGINS))?,
        tables,
        migration,
        key,
    };
    let mut tar = tar::Builder::new(archive.as_file());
    tar.follow_symlinks(false);
    // Some file systems have holes in any file with zeros; restoring takes plain files alone.
    tar.sparse(false);
    let mut add = |path: &Path, name: &Path| {
        tar.append_path_with_name(path, name).map_err(failed("add to the backup", path))
    };
    let text = serde_json::to_vec_pretty(&facts).unwrap_or_default();
    fs::write(&taken, text).map_err(failed("write", &taken))?;
    add(&taken, Path::new(FACTS))?;
    add(&own, Path::new(if server.is_some() { DUMP } else { DATABASE_FILE }))?;
    for path in files(&data.join(PLUGINS))? {
        let name = path.strip_prefix(data).unwrap_or(&path);
        add(&path, name)?;
    }
    for path in files(&data.join(PLUGIN_DATA))? {
        // The files beside a database are its own.
        if path.extension().is_some_and(|extension| extension == "db") {
            take(&path, &taken)?;
            add(&taken, path.strip_prefix(data).unwrap_or(&path))?;
        }
    }
    tar.finish().map_err(failed("write", archive.path()))?;
    drop(tar);
    archive.as_file().sync_all().map_err(failed("write", archive.path()))?;
    archive.persist_noclobber(file).map_err(|why| failed("write", file)(why.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write in", folder))?;
    Ok(facts)
}

/// The first text that a query finds in a database; empty if there is none.
fn ask(path: &Path, sql: &str) -> Result<String, BackupError> {
    let failed =
        |why: rusqlite::Error| BackupError::Database { path: path.to_owned(), reason: why.to_string() };
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let found =
        database.query_row(sql, [], |row| row.get::<_, Option<String>>(0)).optional().map_err(failed)?;
    Ok(found.flatten().unwrap_or_default())
}

/// Copies a database, which may be in use, to `target`: one transaction's view of it, without free pages.
fn take(path: &Path, target: &Path) -> Result<(), BackupError> {
    let failed =
        |why: rusqlite::Error| BackupError::Database { path: path.to_owned(), reason: why.to_string() };
    match fs::remove_file(target) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(super::failed("remove", target)(why)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed)?;
    database.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    database.execute("VACUUM INTO ?1", [target.to_string_lossy()]).map_err(failed)?;
    Ok(())
}

/// The names of the folders in a folder, which need not be there.
fn folders(path: &Path) -> Result<Vec<String>, BackupError> {
    let mut names: Vec<String> = entries(path)?
        .into_iter()
        .filter(|path| path.is_dir())
        .filter_map(|path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// All regular files below a folder, which need not be there. What is being put there is left out.
fn files(path: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    for entry in entries(path)? {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let metadata = fs::symlink_metadata(&entry).map_err(failed("read", &entry))?;
        if metadata.is_dir() && !hidden {
            found.extend(files(&entry)?);
        } else if metadata.is_file() && !hidden {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let listing = match fs::read_dir(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(failed("read", path))?,
    };
    listing.map(|entry| entry.map(|entry| entry.path()).map_err(failed("read", path))).collect()
}
