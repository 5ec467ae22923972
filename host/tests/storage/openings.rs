//! Two openings of one plugin's keys in PostgreSQL, as when a new version of a plugin begins while the old one ends; and keys
//! that are too many for one statement.

use std::thread;

use streamspace_host::storage::{Action, Change, Expected};
use streamspace_tests::{Backend, DEADLINE, PostgresDatabase, wait_for};

use crate::support::{Place, change, make, set, value};

/// How many sessions of the host's user wait for a lock.
fn waiting(database: &PostgresDatabase) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'";
    database.owner().query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn what_one_sets_is_not_lost_to_what_another_had_looked_at_before() {
    let backend = Backend::postgres();
    let place = Place::on(&backend);
    let Backend::Postgres(database) = &backend else { unreachable!() };
    // One host has one opening of a plugin, which two versions of it share: this is another one.
    let other_place = Place::on(&backend);
    let (old, new) = (place.keys(), other_place.keys());
    make(&old, set("first", b"0")).unwrap();
    let looked_at = make(&old, set("second", b"0")).unwrap().revision;
    let mut other = database.owner();
    let mut transaction = other.transaction().unwrap();
    transaction
        .batch_execute("UPDATE streamspace.plugin_storage SET value = '9' WHERE key = 'first'")
        .unwrap();
    thread::scope(|scope| {
        // It has read the second key, and waits for the first before it writes either.
        let batch = vec![
            set("first", b"1"),
            change("second", Action::Set(b"1"[..].into()), Expected::Revision(looked_at)),
        ];
        let compared = scope.spawn(|| old.apply(batch));
        wait_for(DEADLINE, "the first to wait", || (waiting(database) == 1).then_some(()));
        let later = scope.spawn(|| make(&new, set("second", b"2")));
        wait_for(DEADLINE, "the second", || (later.is_finished() || waiting(database) == 2).then_some(()));
        transaction.rollback().unwrap();
        compared.join().unwrap().unwrap();
        later.join().unwrap().unwrap();
    });
    assert_eq!(value(&old, "second").unwrap(), b"2");
}

#[test]
fn a_key_that_is_set_anew_is_not_swept() {
    let backend = Backend::postgres();
    let place = Place::on(&backend);
    let Backend::Postgres(database) = &backend else { unreachable!() };
    let keys = place.keys();
    make(&keys, Change { ttl_us: 5, ..set("session", b"1") }).unwrap();
    place.advance(2_000_000);
    let mut other = database.owner();
    let mut transaction = other.transaction().unwrap();
    transaction.batch_execute("UPDATE streamspace.plugin_storage SET expires_us = 0").unwrap();
    thread::scope(|scope| {
        // The sweep comes with it.
        let writer = scope.spawn(|| make(&keys, set("other", b"1")));
        wait_for(DEADLINE, "the sweep", || (writer.is_finished() || waiting(database) == 1).then_some(()));
        transaction.commit().unwrap();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(value(&keys, "session").unwrap(), b"1");
}

#[test]
fn a_purge_removes_any_number_of_keys_in_parts() {
    let backend = Backend::postgres();
    let place = Place::on(&backend);
    let Backend::Postgres(database) = &backend else { unreachable!() };
    let mut owner = database.owner();
    owner
        .batch_execute(
            "CREATE FUNCTION streamspace.few() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF (SELECT count(*) FROM gone) > 1000 THEN RAISE 'too many for one statement'; END IF;
               RETURN NULL;
             END $$;
             CREATE TRIGGER few AFTER DELETE ON streamspace.plugin_storage REFERENCING OLD TABLE AS gone
               FOR EACH STATEMENT EXECUTE FUNCTION streamspace.few();
             INSERT INTO streamspace.plugin_storage SELECT 'one', 'k' || n, '1', n, 0 FROM generate_series(1, 2500) AS n;
             INSERT INTO streamspace.plugin_storage VALUES ('one-more', 'k', '1', 1, 0)",
        )
        .unwrap();
    place.storage.purge("one").unwrap();
    let left: Vec<String> = owner
        .query("SELECT plugin FROM streamspace.plugin_storage", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left, ["one-more"]);
}
