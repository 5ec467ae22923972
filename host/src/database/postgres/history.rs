//! Migrations of a schema. They are run by the plugin's role; what was applied is written by the host, in a table that the
//! role does not see.
//!
//! Two roles cannot write in one transaction, and a migration that could become the host would not be fenced in. So the
//! host writes first that the migration is being applied, and in which transaction. Whether that was committed, PostgreSQL
//! itself knows, also after a crash of either.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use streamspace_plugin::abi::{Fault, FaultKind};
use tokio_postgres::Client;

use super::{
    PostgresRole, PostgresSchemas, lexer,
    schemas::{Inner, server},
};
use crate::database::{
    DatabaseError,
    migrations::{Applied, History, Migration, MigrationError, Script},
    session::{Session as _, Statement},
    sqlite::ScriptFault,
};

/// The id of the transaction that is under way.
const TRANSACTION: &str = "SELECT pg_catalog.pg_current_xact_id()::text";

pub(in crate::database) struct PostgresHistory {
    server: Arc<Inner>,
    /// The host's own connection.
    client: Client,
    role: PostgresRole,
}

impl PostgresHistory {
    pub(in crate::database) fn open(
        schemas: &PostgresSchemas,
        role: &PostgresRole,
    ) -> Result<Self, DatabaseError> {
        let server = Arc::clone(schemas.inner());
        let client = server.blocking(server.connect())?;
        Ok(Self { server, client, role: role.clone() })
    }

    /// Runs the host's own statement.
    fn host<T>(
        &self,
        run: impl AsyncFnOnce(&Client, &str) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, MigrationError> {
        let plugin = self.role.names.plugin.as_str();
        let done = self.server.blocking(async {
            run(&self.client, plugin).await.map_err(server("writing the list of migrations"))
        });
        done.map_err(|why| MigrationError::History(Fault::new(FaultKind::UNREACHABLE, why)))
    }

    /// Brings the rows of migrations that a host was in the middle of to what became of them.
    fn settle(&self) -> Result<(), MigrationError> {
        const DONE: &str = "pg_catalog.pg_xact_status(transaction::xid8)";
        let settle = format!(
            "DELETE FROM streamspace.plugin_migrations WHERE plugin = '{plugin}'
               AND (state = 'applying' AND {DONE} = 'aborted' OR state = 'undoing' AND {DONE} = 'committed');
             UPDATE streamspace.plugin_migrations SET state = 'applied' WHERE plugin = '{plugin}'
               AND (state = 'applying' AND {DONE} = 'committed' OR state = 'undoing' AND {DONE} = 'aborted');",
            plugin = self.role.names.plugin
        );
        let open =
            "SELECT count(*) FROM streamspace.plugin_migrations WHERE plugin = $1 AND state <> 'applied'";
        let until = Instant::now() + self.server.limits.wait;
        loop {
            let left = self.host(async |client, plugin| {
                client.batch_execute(&settle).await?;
                client.query_one(open, &[&plugin]).await?.try_get::<_, i64>(0)
            })?;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                let reason = "whether a migration was committed is not known to PostgreSQL: it is still under way, or too \
                              long ago. See the rows of streamspace.plugin_migrations whose state is not `applied`";
                return Err(MigrationError::History(Fault::new(FaultKind::FAILED, reason)));
            }
            // A session that was ended undoes what it did.
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn in_transaction(
        &mut self,
        migration: &Migration,
        script: &Script,
        deadline: Instant,
        note: impl AsyncFnOnce(&Client, &str, &str) -> Result<u64, tokio_postgres::Error>,
    ) -> Result<(), MigrationError> {
        let mut session = self.role.session().map_err(MigrationError::History)?;
        session.begin(deadline).map_err(MigrationError::History)?;
        let transaction = session.host_query(TRANSACTION, deadline).map_err(MigrationError::History)?;
        let mut statements = 0;
        let last = script.text.lines().count().max(1);
        let ran = lexer::split(&script.text).into_iter().try_for_each(|piece| {
            statements += 1;
            let statement = Statement { sql: piece.sql, parameters: &[], deadline, max_rows: u64::MAX };
            let run = session.exec(&statement).map(drop);
            run.map_err(|fault| ScriptFault { statement: statements, line: piece.line, fault })
        });
        let failed = |failed| MigrationError::failed(script, failed);
        let at_end = |fault| failed(ScriptFault { statement: statements, line: last, fault });
        let done = ran.map_err(failed).and_then(|()| {
            if session.host_query(TRANSACTION, deadline).map_err(at_end)? != transaction {
                let reason = "a statement of it ended the transaction";
                return Err(at_end(Fault::new(FaultKind::INVALID, reason)));
            }
            self.host(async |client, plugin| note(client, plugin, &transaction).await)?;
            session.commit(deadline).map_err(at_end)
        });
        if done.is_err() {
            session.rollback();
        }
        drop(session);
        match done {
            Ok(()) => self.settle(),
            Err(why) => {
                // It may have been committed all the same, when the connection was lost.
                self.settle()?;
                let applied = self.applied()?.iter().any(|applied| applied.version == migration.version);
                let is_up = script.file == migration.up.file;
                if applied == is_up { Ok(()) } else { Err(why) }
            }
        }
    }
}

impl History for PostgresHistory {
    fn applied(&mut self) -> Result<Vec<Applied>, MigrationError> {
        self.settle()?;
        self.host(async |client, plugin| {
            let select = "SELECT version, name, sha256 FROM streamspace.plugin_migrations WHERE plugin = $1 \
                          ORDER BY version";
            let rows = client.query(select, &[&plugin]).await?;
            let read = |row: &tokio_postgres::Row| {
                Ok(Applied { version: row.try_get(0)?, name: row.try_get(1)?, sha256: row.try_get(2)? })
            };
            rows.iter().map(read).collect()
        })
    }

    fn apply(&mut self, migration: &Migration, deadline: Instant) -> Result<(), MigrationError> {
        let Migration { version, name, up, .. } = migration;
        self.in_transaction(migration, up, deadline, async |client, plugin, transaction| {
            let insert = "INSERT INTO streamspace.plugin_migrations (plugin, version, name, sha256, state, transaction) \
                          VALUES ($1, $2, $3, $4, 'applying', $5)";
            client.execute(insert, &[&plugin, version, name, &up.sha256, &transaction]).await
        })
    }

    fn undo(
        &mut self,
        migration: &Migration,
        down: &Script,
        deadline: Instant,
    ) -> Result<(), MigrationError> {
        self.in_transaction(migration, down, deadline, async |client, plugin, transaction| {
            let update = "UPDATE streamspace.plugin_migrations SET state = 'undoing', transaction = $3 \
                          WHERE plugin = $1 AND version = $2";
            client.execute(update, &[&plugin, &migration.version, &transaction]).await
        })
    }
}
