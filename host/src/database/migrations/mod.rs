//! A plugin's migrations: in order, each once, each whole or not at all.

mod files;
mod sqlite;

use std::time::{Duration, Instant};

use streamspace_plugin::abi::Fault;

pub use self::files::PackageMigrations;
pub(super) use self::files::{Migration, Script};
use super::{DatabaseError, sqlite::ScriptFault};

/// Why migrations were not applied or not undone. The plugin's data is as the last one that was left it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// A migration's files are not as they must be.
    #[error("the migration {file} is not acceptable: expected {expected}, found {found}")]
    Files {
        /// The file or folder, in the plugin's.
        file: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// There are migrations, and the manifest does not ask for a database.
    #[error(
        "the plugin has migrations and no permission for a database: add \"database\" to the manifest's `permissions`"
    )]
    NoPermission,
    /// There are migrations for the other database alone.
    #[error(
        "the plugin has migrations for {has} and none for {wanted}, which `database.url` names: it does not support this \
         database"
    )]
    OtherDialect {
        /// The dialect that it has migrations for.
        has: &'static str,
        /// The one that is used.
        wanted: &'static str,
    },
    /// A statement failed.
    #[error("{file}, line {line} (statement {statement}): {fault}. Nothing of this migration was done")]
    Failed {
        /// The file, in the plugin's folder.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The statement's number in the file, from 1.
        statement: usize,
        /// What the database said.
        fault: Fault,
    },
    /// A migration was applied, and its file is another now.
    #[error(
        "the migration {file} was applied already and has been changed since: restore it, and make the change in a new \
         migration"
    )]
    Changed {
        /// The file, in the plugin's folder.
        file: String,
    },
    /// A migration was applied, and the package does not have it.
    #[error(
        "the migration {version}_{name} was applied to the plugin's data, and this version of the plugin does not have it: \
         it is older than the data. Install the version that wrote them, or a newer one"
    )]
    Missing {
        /// Its version.
        version: i64,
        /// Its name when it was applied.
        name: String,
    },
    /// A migration comes before one that was applied.
    #[error(
        "the migration {file} comes before {applied}, which was applied already: give it a version above"
    )]
    OutOfOrder {
        /// The file, in the plugin's folder.
        file: String,
        /// The newest version that was applied.
        applied: i64,
    },
    /// A migration cannot be undone.
    #[error("the migration {version}_{name} has no `down.sql`: it cannot be undone")]
    NoDown {
        /// Its version.
        version: i64,
        /// Its name.
        name: String,
    },
    /// A migration of a version that is to take another's place could not be undone if that failed.
    #[error(
        "the migration {version}_{name} has no `down.sql`, so that there would be no way back if the new version failed. \
         Stop the plugin first (`streamspace plugin disable`), make a backup, and upgrade it then"
    )]
    NoWayBack {
        /// Its version.
        version: i64,
        /// Its name.
        name: String,
    },
    /// What was applied cannot be read or written.
    #[error("the list of the migrations that were applied cannot be used: {0}")]
    History(Fault),
}

impl MigrationError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files { .. } => "SSP-DAT-111",
            Self::NoPermission => "SSP-DAT-112",
            Self::OtherDialect { .. } => "SSP-DAT-113",
            Self::Failed { .. } => "SSP-DAT-114",
            Self::Changed { .. } => "SSP-DAT-115",
            Self::Missing { .. } => "SSP-DAT-116",
            Self::OutOfOrder { .. } => "SSP-DAT-117",
            Self::NoDown { .. } => "SSP-DAT-118",
            Self::History(_) => "SSP-DAT-119",
            Self::NoWayBack { .. } => "SSP-DAT-120",
        }
    }

    pub(super) fn failed(script: &Script, failed: ScriptFault) -> Self {
        let ScriptFault { statement, line, fault } = failed;
        Self::Failed { file: script.file.clone(), line, statement, fault }
    }
}

/// One that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) sha256: String,
}

/// A plugin's data and what was done to it.
pub(super) trait History {
    /// What was applied, by version.
    fn applied(&mut self) -> Result<Vec<Applied>, MigrationError>;

    /// Runs `up.sql` and notes it, both or neither.
    fn apply(&mut self, migration: &Migration, deadline: Instant) -> Result<(), MigrationError>;

    /// Runs `down` and forgets the migration, both or neither.
    fn undo(&mut self, migration: &Migration, down: &Script, deadline: Instant)
    -> Result<(), MigrationError>;
}

/// Applies what is not applied yet. Each migration may take as long as `limit`.
pub(super) fn apply(
    history: &mut dyn History,
    wanted: &[Migration],
    limit: Duration,
) -> Result<(), DatabaseError> {
    let applied = history.applied()?;
    for pending in pending(&applied, wanted)? {
        history.apply(pending, Instant::now() + limit)?;
    }
    Ok(())
}

/// What is to be applied for a version that takes the place of another one, which has `older`. What was applied and the new
/// version does not have must come after all that it has, and be undone by the other one's files.
pub(super) fn between<'a>(
    applied: &[Applied],
    older: &[Migration],
    wanted: &'a [Migration],
) -> Result<Vec<&'a Migration>, MigrationError> {
    let newest = wanted.last().map_or(0, |last| last.version);
    let is_wanted = |applied: &Applied| wanted.iter().any(|wanted| wanted.version == applied.version);
    let (known, others): (Vec<_>, Vec<_>) = applied.iter().cloned().partition(is_wanted);
    for Applied { version, name, .. } in others {
        match older.iter().find(|older| older.version == version) {
            Some(migration) if version > newest && migration.down.is_some() => {}
            Some(_) if version > newest => return Err(MigrationError::NoDown { version, name }),
            _ => return Err(MigrationError::Missing { version, name }),
        }
    }
    pending(&known, wanted)
}

/// Undoes what was applied after `version`, the newest first.
pub(super) fn rollback_to(
    history: &mut dyn History,
    known: &[Migration],
    version: i64,
    limit: Duration,
) -> Result<(), DatabaseError> {
    let applied = history.applied()?;
    let later = applied.iter().rev().filter(|applied| applied.version > version);
    // All that is missing is found before anything is undone.
    let steps = later.map(|applied| {
        let Applied { version, name, .. } = applied.clone();
        let migration = known.iter().find(|known| known.version == version);
        let Some(migration) = migration else {
            return Err(MigrationError::Missing { version, name });
        };
        match &migration.down {
            Some(down) => Ok((migration, down)),
            None => Err(MigrationError::NoDown { version, name }),
        }
    });
    for (migration, down) in steps.collect::<Result<Vec<_>, _>>()? {
        history.undo(migration, down, Instant::now() + limit)?;
    }
    Ok(())
}

/// Those that are to be applied, in order.
fn pending<'a>(applied: &[Applied], wanted: &'a [Migration]) -> Result<Vec<&'a Migration>, MigrationError> {
    for applied in applied {
        let Some(known) = wanted.iter().find(|wanted| wanted.version == applied.version) else {
            return Err(MigrationError::Missing { version: applied.version, name: applied.name.clone() });
        };
        if known.up.sha256 != applied.sha256 {
            return Err(MigrationError::Changed { file: known.up.file.clone() });
        }
    }
    let newest = applied.iter().map(|applied| applied.version).max().unwrap_or(0);
    let is_applied = |version| applied.iter().any(|applied| applied.version == version);
    let pending: Vec<_> = wanted.iter().filter(|wanted| !is_applied(wanted.version)).collect();
    match pending.iter().find(|pending| pending.version < newest) {
        Some(late) => Err(MigrationError::OutOfOrder { file: late.up.file.clone(), applied: newest }),
        None => Ok(pending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(version: i64, up: &str) -> Migration {
        let script = |name: &str, text: &str| Script::new(&format!("{version}_x/{name}"), text.to_owned());
        Migration { version, name: "x".to_owned(), up: script("up.sql", up), down: None }
    }

    fn applied(version: i64, up: &str) -> Applied {
        let Migration { name, up, .. } = migration(version, up);
        Applied { version, name, sha256: up.sha256 }
    }

    #[test]
    fn what_was_not_applied_is_pending() {
        let wanted = [migration(1, "a"), migration(2, "b"), migration(30, "c")];
        let versions = |applied: &[Applied]| {
            pending(applied, &wanted).map(|all| all.iter().map(|one| one.version).collect::<Vec<_>>())
        };
        assert_eq!(versions(&[]).expect("all"), [1, 2, 30]);
        assert_eq!(versions(&[applied(1, "a"), applied(2, "b")]).expect("one"), [30]);
    }

    #[test]
    fn a_package_that_does_not_fit_the_data_is_refused() {
        let wanted = [migration(1, "a"), migration(2, "b")];
        let why = |applied: &[Applied]| pending(applied, &wanted).expect_err("it does not fit").code();
        assert_eq!(why(&[applied(1, "changed")]), "SSP-DAT-115");
        assert_eq!(why(&[applied(1, "a"), applied(2, "b"), applied(3, "c")]), "SSP-DAT-116");
        assert_eq!(why(&[applied(2, "b")]), "SSP-DAT-117");
    }
}
