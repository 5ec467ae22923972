//! Brings the host's own tables up to date.

use diesel::{
    connection::SimpleConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Connection, DatabaseError};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// The version of the newest migration that this host knows.
pub(crate) fn newest() -> String {
    let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = SQLITE.migrations().unwrap_or_default();
    known.iter().map(|migration| migration.name().version().to_string()).max().unwrap_or_default()
}

/// Runs what the database does not have yet, each migration in a transaction. Refuses a database that has more.
pub(super) fn run(connection: &mut Connection) -> Result<(), DatabaseError> {
    match connection {
        Connection::Sqlite(connection) => run_on(connection, &SQLITE),
        Connection::Postgres(connection) => {
            // Nobody else has a right to it by default.
            let schema = "CREATE SCHEMA IF NOT EXISTS streamspace";
            connection.batch_execute(schema).map_err(|why| migration(&why))?;
            run_on(connection, &POSTGRES)
        }
    }
}

fn run_on<C, B>(connection: &mut C, source: &EmbeddedMigrations) -> Result<(), DatabaseError>
where
    B: diesel::backend::Backend,
    C: MigrationHarness<B>,
    EmbeddedMigrations: MigrationSource<B>,
{
    let known: Vec<Box<dyn Migration<B>>> = source.migrations().map_err(|why| migration(&*why))?;
    let mut known: Vec<_> = known.iter().map(|migration| migration.name().version().as_owned()).collect();
    known.sort();
    let applied = connection.applied_migrations().map_err(|why| migration(&*why))?;
    if let Some(found) = applied.iter().find(|applied| !known.contains(applied)) {
        let known = known.last().map(MigrationVersion::to_string).unwrap_or_default();
        return Err(DatabaseError::Newer { found: found.to_string(), known });
    }
    connection.run_pending_migrations(Embedded(source)).map_err(|why| migration(&*why))?;
    Ok(())
}

fn migration(why: &(dyn std::error::Error + 'static)) -> DatabaseError {
    DatabaseError::Migration { reason: why.to_string() }
}

/// The harness wants a source of its own.
struct Embedded<'a>(&'a EmbeddedMigrations);

impl<B: diesel::backend::Backend> MigrationSource<B> for Embedded<'_>
where
    EmbeddedMigrations: MigrationSource<B>,
{
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<B>>>> {
        self.0.migrations()
    }
}
