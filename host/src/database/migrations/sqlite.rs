//! Migrations of a database file. What was applied is in a table of it that the plugin's own SQL only reads.

use std::time::Instant;

use streamspace_plugin::abi::Fault;

use super::{
    super::{
        session::Session as _,
        sqlite::{HISTORY, ScriptFault, SqliteSession},
    },
    Applied, History, Migration, MigrationError, Script,
};

impl History for SqliteSession {
    fn applied(&mut self) -> Result<Vec<Applied>, MigrationError> {
        // Also for a plugin without migrations, so that it cannot make a table of this name.
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {HISTORY} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, \
             applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))) STRICT"
        );
        let select = format!("SELECT version, name, sha256 FROM {HISTORY} ORDER BY version");
        self.as_host(|connection| {
            connection.execute_batch(&create)?;
            let mut select = connection.prepare(&select)?;
            let rows = select.query_map([], |row| {
                Ok(Applied { version: row.get(0)?, name: row.get(1)?, sha256: row.get(2)? })
            })?;
            rows.collect()
        })
        .map_err(MigrationError::History)
    }

    fn apply(&mut self, migration: &Migration, deadline: Instant) -> Result<(), MigrationError> {
        in_transaction(self, &migration.up, deadline, |session| {
            let insert = format!("INSERT INTO {HISTORY} (version, name, sha256) VALUES (?1, ?2, ?3)");
            session.as_host(|connection| {
                connection.execute(&insert, (migration.version, &migration.name, &migration.up.sha256))
            })
        })
    }

    fn undo(
        &mut self,
        migration: &Migration,
        down: &Script,
        deadline: Instant,
    ) -> Result<(), MigrationError> {
        in_transaction(self, down, deadline, |session| {
            let delete = format!("DELETE FROM {HISTORY} WHERE version = ?1");
            session.as_host(|connection| connection.execute(&delete, [migration.version]))
        })
    }
}

fn in_transaction(
    session: &mut SqliteSession,
    script: &Script,
    deadline: Instant,
    note: impl FnOnce(&mut SqliteSession) -> Result<usize, Fault>,
) -> Result<(), MigrationError> {
    session.begin(deadline).map_err(MigrationError::History)?;
    let failed = |failed| MigrationError::failed(script, failed);
    let done = session.script(&script.text, deadline).map_err(failed).and_then(|statements| {
        note(session).map_err(MigrationError::History)?;
        let line = script.text.lines().count().max(1);
        // A reference that leads nowhere is found here.
        let committed = session.commit(deadline);
        committed.map_err(|fault| failed(ScriptFault { statement: statements, line, fault }))
    });
    if done.is_err() {
        session.rollback();
    }
    done
}
