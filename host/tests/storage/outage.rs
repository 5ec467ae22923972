//! PostgreSQL goes away and comes back.

use streamspace_host::storage::StorageError;
use streamspace_plugin::storage::Applied;
use streamspace_tests::{Backend, DEADLINE, PostgresServer, wait_for};

use crate::support::{Place, add, make, set, value};

#[test]
fn storage_goes_on_when_the_server_is_back() {
    let server = PostgresServer::start();
    let backend = Backend::Postgres(server.database());
    let place = Place::on(&backend);
    let keys = place.keys();
    make(&keys, set("a", b"1")).unwrap();
    for (round, stop) in [PostgresServer::kill, PostgresServer::stop].into_iter().enumerate() {
        stop(&server);
        let why = make(&keys, set("a", b"2")).unwrap_err();
        assert!(matches!(why, StorageError::Unreachable { .. }), "{why}");
        assert!(matches!(keys.get("a"), Err(StorageError::Unreachable { .. })));
        server.start_again();
        // It may be recovering still.
        wait_for(DEADLINE, "storage", || make(&keys, add("count", 1)).ok());
        assert_eq!(value(&keys, "a").unwrap(), b"1");
        assert_eq!(value(&keys, "count").unwrap(), (round + 1).to_string().into_bytes());
    }
}

#[test]
fn a_server_that_was_restarted_in_between_is_not_noticed() {
    let server = PostgresServer::start();
    let backend = Backend::Postgres(server.database());
    let place = Place::on(&backend);
    let keys = place.keys();
    make(&keys, set("a", b"1")).unwrap();
    server.stop();
    server.start_again();
    let Applied { number, .. } = make(&keys, add("a", 1)).unwrap();
    assert_eq!(number, 2);
}

#[test]
fn a_lock_that_is_held_too_long_is_an_error_and_not_for_ever() {
    let backend = Backend::postgres();
    let place = Place::with(&backend, |config| config.database.wait_deadline_secs = 2);
    let Backend::Postgres(database) = &backend else { unreachable!() };
    let keys = place.keys();
    make(&keys, set("a", b"1")).unwrap();
    let mut other = database.owner();
    let mut transaction = other.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE streamspace.plugin_storage").unwrap();
    for answer in
        [make(&keys, set("a", b"2")).map(drop), make(&keys, add("b", 2)).map(drop), keys.get("a").map(drop)]
    {
        assert!(matches!(answer, Err(StorageError::Busy { .. })), "{answer:?}");
    }
    transaction.rollback().unwrap();
    assert_eq!(make(&keys, add("a", 1)).unwrap().number, 2);
}

#[test]
fn the_table_is_the_hosts_alone() {
    let backend = Backend::postgres();
    let place = Place::on(&backend);
    let Backend::Postgres(database) = &backend else { unreachable!() };
    make(&place.keys(), set("a", b"1")).unwrap();
    let mut owner = database.owner();
    let role = format!("plugin_{}", uuid_of(database.url()));
    owner.batch_execute(&format!("CREATE ROLE {role}")).unwrap();
    let may = "SELECT has_schema_privilege($1::text, 'streamspace', 'usage')
        OR has_table_privilege($1::text, 'streamspace.plugin_storage', 'select, insert, update, delete')";
    assert!(!owner.query_one(may, &[&role]).unwrap().get::<_, bool>(0));
    owner.batch_execute(&format!("DROP ROLE {role}")).unwrap();
}

/// Roles are the whole server's, so that this one has the database's name.
fn uuid_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}
