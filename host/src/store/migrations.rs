//! The migrations in a plugin's folder: which files there are.
//!
//! ```text
//! migrations/
//!   sqlite/0001_visits/up.sql      down.sql beside it, if it can be undone
//!   postgres/0001_visits/up.sql
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{StoreError, error::failed, regular::within};

/// The folders of the dialects.
const DIALECTS: [&str; 2] = ["sqlite", "postgres"];
/// The files of one migration. The first must be there.
const FILES: [&str; 2] = ["up.sql", "down.sql"];

/// The most migrations of a plugin for one database.
const MAX_MIGRATIONS: usize = 1000;
/// The largest file of a migration, in bytes.
pub(crate) const MAX_MIGRATION_BYTES: u64 = 1024 * 1024;

/// The files of the migrations in a plugin's folder, by their paths in it and in order.
///
/// # Errors
///
/// [`StoreError`] for a folder that has no `up.sql`, for too many, and for links that lead out of the plugin's folder.
pub(crate) fn migration_files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    let Some(root) = sub_folder(folder, "migrations")? else { return Ok(files) };
    for dialect in DIALECTS {
        let Some(of_dialect) = sub_folder(&root, dialect)? else { continue };
        let mut names = Vec::new();
        for entry in fs::read_dir(&of_dialect).map_err(failed("read", &of_dialect))? {
            let entry = entry.map_err(failed("read", &of_dialect))?;
            if names.len() == MAX_MIGRATIONS {
                return Err(unacceptable(
                    of_dialect,
                    format!("at most {MAX_MIGRATIONS} migrations"),
                    "more".to_owned(),
                ));
            }
            let name = entry.file_name().into_string().map_err(|name| {
                unacceptable(of_dialect.join(&name), "a name in UTF-8".to_owned(), "another one".to_owned())
            })?;
            // Editors and systems leave files such as `.DS_Store` behind.
            if !name.starts_with('.') && sub_folder(&of_dialect, &name)?.is_some() {
                names.push(name);
            }
        }
        names.sort();
        for name in names {
            let migration = of_dialect.join(&name);
            for file in FILES {
                let path = within(&migration, file)?;
                if path.is_file() {
                    files.push(Path::new("migrations").join(dialect).join(&name).join(file));
                } else if file == FILES[0] {
                    let found = "a folder without it".to_owned();
                    return Err(unacceptable(
                        migration,
                        "a migration with a file `up.sql`".to_owned(),
                        found,
                    ));
                }
            }
        }
    }
    Ok(files)
}

/// A folder in a folder; `None` if there is none. A link is none: what it leads to may be anywhere.
fn sub_folder(folder: &Path, name: &str) -> Result<Option<PathBuf>, StoreError> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(Some(path)),
        Ok(metadata) if metadata.is_symlink() => {
            Err(unacceptable(path, "a folder".to_owned(), "a link".to_owned()))
        }
        Ok(_) => Ok(None),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(failed("read", &path)(why)),
    }
}

fn unacceptable(path: PathBuf, expected: String, found: String) -> StoreError {
    StoreError::File { path, expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "SELECT 1;").expect("a file");
        }
        folder
    }

    #[test]
    fn the_files_are_those_of_both_dialects_in_order() {
        let folder = make(&[
            "migrations/sqlite/2_b/up.sql",
            "migrations/sqlite/1_a/up.sql",
            "migrations/sqlite/1_a/down.sql",
            "migrations/sqlite/1_a/notes.md",
            "migrations/sqlite/.DS_Store",
            "migrations/postgres/1_a/up.sql",
            "migrations/mysql/1_a/up.sql",
        ]);
        let files = migration_files(folder.path()).expect("files");
        let files: Vec<_> = files.iter().map(|file| file.to_str().expect("UTF-8")).collect();
        assert_eq!(
            files,
            [
                "migrations/sqlite/1_a/up.sql",
                "migrations/sqlite/1_a/down.sql",
                "migrations/sqlite/2_b/up.sql",
                "migrations/postgres/1_a/up.sql",
            ]
        );
        assert!(migration_files(make(&["manifest.json"]).path()).expect("no files").is_empty());
    }

    #[test]
    fn what_is_no_migration_is_refused() {
        let folder = make(&["migrations/sqlite/1_a/down.sql"]);
        assert!(matches!(migration_files(folder.path()), Err(StoreError::File { .. })));
        let many: Vec<_> = (0..=MAX_MIGRATIONS).map(|n| format!("migrations/sqlite/{n}_a/up.sql")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(migration_files(make(&many).path()), Err(StoreError::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_folder_are_refused() {
        use std::os::unix::fs::symlink;
        let outside = make(&["1_a/up.sql"]);
        for link in ["migrations", "migrations/sqlite", "migrations/sqlite/1_a"] {
            let folder = make(&[]);
            let path = folder.path().join(link);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            symlink(outside.path(), &path).expect("a link");
            assert!(matches!(migration_files(folder.path()), Err(StoreError::File { .. })), "{link}");
        }
        let folder = make(&["migrations/sqlite/1_a/x"]);
        let link = folder.path().join("migrations/sqlite/1_a/up.sql");
        symlink(outside.path().join("1_a/up.sql"), link).expect("a link");
        assert!(matches!(migration_files(folder.path()), Err(StoreError::File { .. })));
    }
}
