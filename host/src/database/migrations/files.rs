//! The migrations in a plugin's files.

use std::path::Path;

use sha2::{Digest, Sha256};
use streamspace_plugin::database::Dialect;

use super::MigrationError;
use crate::{
    hex::hex,
    store::{MAX_MIGRATION_BYTES, migration_files, read_bounded},
};

/// One migration.
#[derive(Debug, Clone)]
pub(in crate::database) struct Migration {
    pub(in crate::database) version: i64,
    pub(in crate::database) name: String,
    pub(in crate::database) up: Script,
    pub(in crate::database) down: Option<Script>,
}

/// One of its files.
#[derive(Debug, Clone)]
pub(in crate::database) struct Script {
    /// Where it is in the plugin's folder: `migrations/sqlite/0001_visits/up.sql`.
    pub(in crate::database) file: String,
    pub(in crate::database) text: String,
    pub(in crate::database) sha256: String,
}

impl Script {
    pub(super) fn new(file: &str, text: String) -> Self {
        Self { file: file.to_owned(), sha256: hex(&Sha256::digest(&text)), text }
    }
}

/// All migrations in a plugin's folder, for both databases.
#[derive(Debug, Default)]
pub struct PackageMigrations {
    sqlite: Vec<Migration>,
    postgres: Vec<Migration>,
}

impl PackageMigrations {
    /// Reads those in `package`, the folder of the manifest.
    ///
    /// # Errors
    ///
    /// [`MigrationError::Files`].
    pub fn read(package: &Path) -> Result<Self, MigrationError> {
        let unreadable = |why: crate::store::StoreError| MigrationError::Files {
            file: "folder".to_owned(),
            expected: "files that can be read",
            found: why.to_string(),
        };
        let mut all = Self::default();
        for path in migration_files(package).map_err(unreadable)? {
            let file = path.components().map(|part| part.as_os_str().to_string_lossy());
            let file = file.collect::<Vec<_>>().join("/");
            let content = read_bounded(&package.join(&path), MAX_MIGRATION_BYTES).map_err(unreadable)?;
            // SQLite would take a NUL for the end.
            let text = String::from_utf8(content).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or_else(|| MigrationError::Files {
                file: file.clone(),
                expected: "a text in UTF-8 without NUL",
                found: "other bytes".to_owned(),
            })?;
            all.add(&file, text)?;
        }
        all.sqlite.sort_by_key(|migration| migration.version);
        all.postgres.sort_by_key(|migration| migration.version);
        for of_dialect in [&all.sqlite, &all.postgres] {
            let twice = of_dialect.windows(2).find(|pair| pair[0].version == pair[1].version);
            if let Some([_, second]) = twice {
                return Err(MigrationError::Files {
                    file: second.up.file.clone(),
                    expected: "a version of its own",
                    found: format!("a second migration {}", second.version),
                });
            }
        }
        Ok(all)
    }

    /// `migrations/sqlite/0001_visits/up.sql` comes before the `down.sql` beside it.
    fn add(&mut self, file: &str, text: String) -> Result<(), MigrationError> {
        let mut parts = file.split('/').skip(1);
        let (dialect, folder, name) = (parts.next(), parts.next().unwrap_or_default(), parts.next());
        let of_dialect = if dialect == Some("sqlite") { &mut self.sqlite } else { &mut self.postgres };
        let parsed = folder.split_once('_').and_then(|(digits, name)| {
            let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            let version = digits.parse::<i64>().ok().filter(|version| *version >= 1)?;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            (!name.is_empty() && name.bytes().all(fits)).then(|| (version, name.to_owned()))
        });
        let Some((version, migration)) = parsed else {
            return Err(MigrationError::Files {
                file: file.to_owned(),
                expected: "a folder named VERSION_NAME, such as 0001_visits: digits, `_`, and letters, digits, `_` or `-`",
                found: format!("`{folder}`"),
            });
        };
        let script = Script::new(file, text);
        match (name, of_dialect.last_mut()) {
            (Some("down.sql"), Some(last)) => last.down = Some(script),
            _ => of_dialect.push(Migration { version, name: migration, up: script, down: None }),
        }
        Ok(())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sqlite.is_empty() && self.postgres.is_empty()
    }

    /// Those for one database, by version.
    pub(in crate::database) fn of(&self, dialect: Dialect) -> Result<&[Migration], MigrationError> {
        let (wanted, other, names) = match dialect {
            Dialect::POSTGRES => (&self.postgres, &self.sqlite, ("postgres", "sqlite")),
            _ => (&self.sqlite, &self.postgres, ("sqlite", "postgres")),
        };
        if wanted.is_empty() && !other.is_empty() {
            return Err(MigrationError::OtherDialect { wanted: names.0, has: names.1 });
        }
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(files: &[(&str, &[u8])]) -> Result<PackageMigrations, MigrationError> {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, content) in files {
            let path = folder.path().join("migrations").join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        PackageMigrations::read(folder.path())
    }

    #[test]
    fn migrations_are_in_the_order_of_their_numbers() {
        let files: &[(&str, &[u8])] =
            &[("sqlite/10_c/up.sql", b"c"), ("sqlite/9_b/up.sql", b"b"), ("sqlite/9_b/down.sql", b"-b")];
        let all = read(files).expect("migrations");
        let found = all.of(Dialect::SQLITE).expect("of SQLite");
        let versions: Vec<_> = found.iter().map(|one| (one.version, one.down.is_some())).collect();
        assert_eq!(versions, [(9, true), (10, false)]);
        assert!(matches!(all.of(Dialect::POSTGRES), Err(MigrationError::OtherDialect { .. })));
        assert!(read(&[]).expect("none").of(Dialect::POSTGRES).expect("none").is_empty());
    }

    #[test]
    fn what_is_no_migration_says_why() {
        for (files, expected) in [
            (&[("sqlite/visits/up.sql", &b""[..])][..], "VERSION_NAME"),
            (&[("sqlite/0_a/up.sql", b"")], "VERSION_NAME"),
            (&[("sqlite/+1_a/up.sql", b"")], "VERSION_NAME"),
            (&[("sqlite/99999999999999999999_a/up.sql", b"")], "VERSION_NAME"),
            (&[("sqlite/1_/up.sql", b"")], "VERSION_NAME"),
            (&[("sqlite/1_a/up.sql", b"\xff")], "UTF-8"),
            (&[("sqlite/1_a/up.sql", b"SELECT 1;\0SELECT 2;")], "NUL"),
            (&[("sqlite/1_a/up.sql", b""), ("sqlite/01_b/up.sql", b"")], "a second migration 1"),
        ] {
            let why = read(files).expect_err("no migrations").to_string();
            assert!(why.contains(expected), "{why}");
        }
        let large = vec![b' '; 1024 * 1024 + 1];
        assert!(read(&[("sqlite/1_a/up.sql", &large)]).is_err());
    }
}
