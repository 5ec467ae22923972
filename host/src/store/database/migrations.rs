//! Brings the host's own tables up to date.

use diesel::{
    RunQueryDsl,
    connection::SimpleConnection,
    migration::{Migration, MigrationSource, MigrationVersion},
    sql_types::Bool,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Connection, DatabaseError};
use crate::config::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// The version of the newest migration that this host has for the database of `url`.
pub(crate) fn newest(url: &DatabaseUrl) -> String {
    let versions = match url.postgres() {
        None => versions::<diesel::sqlite::Sqlite>(&SQLITE),
        Some(_) => versions::<diesel::pg::Pg>(&POSTGRES),
    };
    versions.unwrap_or_default().last().map(MigrationVersion::to_string).unwrap_or_default()
}

/// The versions that this host knows, in order.
fn versions<B: diesel::backend::Backend>(
    source: &EmbeddedMigrations,
) -> diesel::migration::Result<Vec<MigrationVersion<'static>>>
where
    EmbeddedMigrations: MigrationSource<B>,
{
    let mut versions: Vec<_> =
        source.migrations()?.iter().map(|migration| migration.name().version().as_owned()).collect();
    versions.sort();
    Ok(versions)
}

/// What was applied to the tables in a file, in order.
pub(super) fn applied(connection: &mut diesel::SqliteConnection) -> Result<Vec<String>, DatabaseError> {
    let mut applied = connection.applied_migrations().map_err(|why| migration(&*why))?;
    applied.sort();
    Ok(applied.iter().map(MigrationVersion::to_string).collect())
}

/// The names of the migrations that this host has for the database of `url` and that are not `applied`, in order.
///
/// # Errors
///
/// [`DatabaseError::Newer`] for one that this host does not have.
pub(super) fn pending(url: &DatabaseUrl, applied: &[String]) -> Result<Vec<String>, DatabaseError> {
    let known = match url.postgres() {
        None => names::<diesel::sqlite::Sqlite>(&SQLITE),
        Some(_) => names::<diesel::pg::Pg>(&POSTGRES),
    };
    let known = known.map_err(|why| migration(&*why))?;
    if let Some(found) = applied.iter().find(|applied| !known.iter().any(|(version, _)| version == *applied))
    {
        let known = known.last().map(|(version, _)| version.clone()).unwrap_or_default();
        return Err(DatabaseError::Newer { found: found.clone(), known });
    }
    let pending = known.into_iter().filter(|(version, _)| !applied.contains(version));
    Ok(pending.map(|(_, name)| name).collect())
}

/// Version and name of each migration that this host knows, in order.
fn names<B: diesel::backend::Backend>(
    source: &EmbeddedMigrations,
) -> diesel::migration::Result<Vec<(String, String)>>
where
    EmbeddedMigrations: MigrationSource<B>,
{
    let mut names: Vec<_> = source
        .migrations()?
        .iter()
        .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
        .collect();
    names.sort();
    Ok(names)
}

/// Makes the tables in an empty file that a host had to which these migrations were applied, be they another database's.
pub(super) fn make_as_of(
    connection: &mut diesel::SqliteConnection,
    applied: &[String],
) -> Result<(), DatabaseError> {
    // Makes the list of them.
    connection.applied_migrations().map_err(|why| migration(&*why))?;
    let mut all =
        MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).map_err(|why| migration(&*why))?;
    all.sort_by_key(|one| one.name().version().as_owned());
    for one in all.iter().filter(|one| applied.contains(&one.name().version().to_string())) {
        connection.run_migration(&**one).map_err(|why| migration(&*why))?;
    }
    Ok(())
}

/// Whether there is something to run, or to refuse.
pub(super) fn are_wanted(connection: &mut Connection) -> Result<bool, DatabaseError> {
    match connection {
        Connection::Sqlite(connection) => are_wanted_on(connection, &SQLITE),
        Connection::Postgres(connection) => {
            let list =
                diesel::dsl::sql::<Bool>("to_regclass('streamspace.__diesel_schema_migrations') IS NOT NULL");
            let is_there = diesel::select(list).get_result(connection).map_err(|why| migration(&why))?;
            if is_there { are_wanted_on(connection, &POSTGRES) } else { Ok(true) }
        }
    }
}

fn are_wanted_on<C, B>(connection: &mut C, source: &EmbeddedMigrations) -> Result<bool, DatabaseError>
where
    B: diesel::backend::Backend,
    C: MigrationHarness<B>,
    EmbeddedMigrations: MigrationSource<B>,
{
    let known = versions(source).map_err(|why| migration(&*why))?;
    let mut applied = connection.applied_migrations().map_err(|why| migration(&*why))?;
    applied.sort();
    Ok(applied != known)
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
    let known = versions(source).map_err(|why| migration(&*why))?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use streamspace_tests::PostgresDatabase;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{
        config,
        store::{Database, database::PostgresConnection},
    };

    fn network() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    }

    fn settings(database: &PostgresDatabase) -> config::Database {
        toml::from_str(&format!("url = \"{}\"", database.url())).expect("settings")
    }

    fn open(settings: &config::Database, network: &Runtime) -> Result<Database, DatabaseError> {
        Database::open(Path::new(""), settings, network.handle())
    }

    /// Runs `work` on a connection of the host's, whose tables nobody brought up to date.
    fn on_server<T>(
        settings: &config::Database,
        network: &Runtime,
        work: impl FnOnce(&mut PostgresConnection) -> T,
    ) -> T {
        let database = Database::new(Path::new(""), settings, network.handle()).expect("settings");
        match database.connect(config::Sync::Full).expect("a connection") {
            Connection::Sqlite(_) => panic!("not PostgreSQL"),
            Connection::Postgres(mut connection) => work(&mut connection),
        }
    }

    /// What a host made that has the first migration only: its rooms made the rest, when a plugin wanted it.
    const OF_THE_ROOMS: &str = r#"
        CREATE TABLE streamspace.plugin_storage (
            plugin text COLLATE "C" NOT NULL,
            key text COLLATE "C" NOT NULL,
            value bytea NOT NULL,
            revision bigint NOT NULL,
            expires_us bigint NOT NULL,
            PRIMARY KEY (plugin, key)
        );
        CREATE INDEX plugin_storage_expiring
            ON streamspace.plugin_storage (plugin, expires_us) WHERE expires_us > 0;
        CREATE SEQUENCE streamspace.plugin_storage_revisions;
        CREATE TABLE streamspace.plugin_migrations (
           plugin text NOT NULL,
           version bigint NOT NULL,
           name text NOT NULL,
           sha256 text NOT NULL,
           state text NOT NULL,
           transaction text NOT NULL,
           applied_at timestamptz NOT NULL DEFAULT now(),
           PRIMARY KEY (plugin, version)
        );
        REVOKE ALL ON streamspace.plugin_migrations FROM PUBLIC;
        SELECT nextval('streamspace.plugin_storage_revisions'), nextval('streamspace.plugin_storage_revisions');
        INSERT INTO streamspace.plugin_storage VALUES ('a-plugin', 'a', '1', 2097152, 0);
        INSERT INTO streamspace.plugin_migrations VALUES ('a-plugin', 1, 'first', 'x', 'applied', '700');"#;

    fn made_by_the_version_before(settings: &config::Database, network: &Runtime) {
        on_server(settings, network, |connection| {
            connection.batch_execute("CREATE SCHEMA streamspace").expect("a schema");
            connection.run_next_migration(Embedded(&POSTGRES)).expect("the first migration");
            connection.batch_execute(OF_THE_ROOMS).expect("what the rooms made");
        });
    }

    /// Columns, indexes, sequences, owners and rights in the host's schema.
    fn shape(database: &PostgresDatabase) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', relname, relkind, attnum, attname, format_type(atttypid, atttypmod), collname,
                     attnotnull, pg_get_expr(adbin, adrelid), pg_get_indexdef(c.oid), seqtypid, seqincrement,
                     relowner = (SELECT datdba FROM pg_database WHERE datname = current_database()),
                     (SELECT bool_and(grantee = relowner) FROM aclexplode(relacl)))
                   FROM pg_class AS c
                   LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
                   LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
                   LEFT JOIN pg_collation AS l ON l.oid = attcollation
                   LEFT JOIN pg_sequence ON seqrelid = c.oid
                   WHERE relnamespace = 'streamspace'::regnamespace ORDER BY 1";
        database.owner().query(sql, &[]).expect("a shape").iter().map(|row| row.get(0)).collect()
    }

    #[test]
    fn what_the_rooms_of_an_earlier_host_made_is_taken_over_with_all_that_is_in_it() {
        let (old, new, network) = (PostgresDatabase::new(), PostgresDatabase::new(), network());
        made_by_the_version_before(&settings(&old), &network);
        open(&settings(&old), &network).expect("it is brought up to date");
        open(&settings(&new), &network).expect("it is made");
        let (found, expected) = (shape(&old), shape(&new));
        assert!(expected.iter().any(|line| line.starts_with("plugin_storage_expiring i")), "{expected:#?}");
        assert_eq!(found, expected);
        let kept = "SELECT (SELECT revision FROM streamspace.plugin_storage),
                    (SELECT version FROM streamspace.plugin_migrations), nextval('streamspace.plugin_storage_revisions')";
        let row = old.owner().query_one(kept, &[]).expect("a row");
        assert_eq!((row.get(0), row.get(1), row.get(2)), (2_097_152_i64, 1_i64, 3_i64));
    }

    #[test]
    fn a_database_is_not_changed_beneath_a_host_that_runs() {
        let (server, network) = (PostgresDatabase::new(), network());
        let settings = config::Database { wait_deadline_secs: 1, ..settings(&server) };
        made_by_the_version_before(&settings, &network);
        let earlier = Database::new(Path::new(""), &settings, network.handle()).expect("settings");
        let running = earlier.connect_alone(config::Sync::Full).expect("it is alone");
        let before = shape(&server);
        let why = open(&settings, &network).map(drop).expect_err("a host runs");
        assert!(matches!(why, DatabaseError::InUse), "{why}");
        assert_eq!(shape(&server), before);
        drop(running);
        let newer = open(&settings, &network).expect("it is brought up to date");
        assert_ne!(shape(&server), before);
        // Where nothing is to be done, it is looked into beside a host that runs.
        let _running = newer.connect_alone(config::Sync::Full).expect("it is alone");
        open(&settings, &network).expect("it is up to date");
    }

    #[test]
    fn hosts_that_begin_at_the_same_time_do_not_get_in_each_others_way() {
        let (server, network) = (PostgresDatabase::new(), network());
        let settings = config::Database { wait_deadline_secs: 60, ..settings(&server) };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open(&settings, &network).expect("it is made"));
            }
        });
    }

    fn back_and_forth<B, C>(connection: &mut C, source: &EmbeddedMigrations, left: impl Fn(&mut C) -> i64)
    where
        B: diesel::backend::Backend,
        C: MigrationHarness<B>,
        EmbeddedMigrations: MigrationSource<B>,
    {
        for _ in 0..2 {
            connection.run_pending_migrations(Embedded(source)).expect("up");
            assert!(left(connection) > 5);
            connection.revert_all_migrations(Embedded(source)).expect("down");
            assert_eq!(left(connection), 1, "the list of migrations is all that is left");
        }
    }

    #[test]
    fn every_migration_can_be_undone_and_made_again() {
        use diesel::{Connection as _, QueryableByName, SqliteConnection, sql_types::BigInt};
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let mut sqlite = SqliteConnection::establish(":memory:").expect("a database");
        back_and_forth(&mut sqlite, &SQLITE, |connection| {
            let sql = "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table'";
            diesel::sql_query(sql).get_result::<Count>(connection).expect("a count").count
        });
        let (database, network) = (PostgresDatabase::new(), network());
        on_server(&settings(&database), &network, |connection| {
            connection.batch_execute("CREATE SCHEMA streamspace").expect("a schema");
            back_and_forth(connection, &POSTGRES, |connection| {
                let sql = "SELECT count(*) AS count FROM pg_class \
                           WHERE relnamespace = 'streamspace'::regnamespace AND relkind IN ('r', 'S')";
                diesel::sql_query(sql).get_result::<Count>(connection).expect("a count").count
            });
        });
    }
}
