//! Statements, their parameters and limits, and transactions.

use std::{ops::ControlFlow, panic, thread, time::Duration};

use streamspace_plugin::{Error, params};

use super::*;

on_both!(
    placeholders_may_come_in_any_order_and_more_than_once,
    placeholders_and_parameters_that_do_not_match_are_refused,
    one_statement_is_run_at_a_time,
    changed_rows_are_counted,
    a_query_of_many_rows_can_be_broken_off,
    a_change_that_is_not_kept_is_told_even_if_its_rows_are_broken_off,
    a_query_ends_at_its_deadline_also_while_its_rows_come,
    a_query_for_one_row_takes_no_two,
    a_transaction_is_all_or_nothing,
    a_transaction_ends_with_a_failed_statement,
    transactions_do_not_nest,
    a_transaction_is_over_when_its_body_is,
    transactions_in_sql_are_refused,
    constraints_are_told,
    a_plugin_sees_its_own_tables_only,
    a_plugin_without_the_permission_is_told,
    a_closed_plugin_is_told,
);

const ITEMS: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)";

fn items(plugin: &Plugin) {
    let strict = plugin.sql.dialect().expect("a dialect").name() == Some("sqlite");
    plugin.done(&format!("{ITEMS}{}", if strict { " STRICT" } else { "" }));
}

fn add(sql: &streamspace_plugin::database::Statements, id: i32, name: &str) -> Result<u64, SdkError> {
    sql.exec("INSERT INTO items (id, name) VALUES ($1, $2)", params![id, name])
}

fn placeholders_may_come_in_any_order_and_more_than_once(host: &Host) {
    let plugin = host.start("statements");
    let row = plugin.sql.query_one::<(String, String, String)>(
        "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)",
        params!["one", "two"],
    );
    assert_eq!(row, Ok(Some(("two".to_owned(), "one".to_owned(), "two".to_owned()))));
    let in_text = plugin.sql.query_one::<String>("SELECT '$1' || CAST($1 AS TEXT) -- $2", params!["x"]);
    assert_eq!(in_text, Ok(Some("$1x".to_owned())));
}

fn placeholders_and_parameters_that_do_not_match_are_refused(host: &Host) {
    let plugin = host.start("statements");
    for (sql, params) in [
        ("SELECT CAST($1 AS TEXT)", params![] as &[&dyn streamspace_plugin::database::ToValue]),
        ("SELECT CAST($2 AS TEXT)", params!["a"]),
        ("SELECT 1", params!["a"]),
        ("SELECT CAST($1 AS TEXT)", params!["a", "b"]),
        ("SELECT CAST($1 AS TEXT), CAST($3 AS TEXT)", params!["a", "b", "c"]),
    ] {
        let why = plugin.sql.query::<streamspace_plugin::database::Json<()>>(sql, params).expect_err(sql);
        assert!(matches!(kind(&why), Some(FaultKind::INVALID | FaultKind::SQL)), "{sql}: {why:?}");
    }
    for sql in ["SELECT ?", "SELECT ?1", "SELECT :a", "SELECT @a", "SELECT $a"] {
        let why = plugin.sql.exec(sql, params!["a"]).expect_err(sql);
        assert!(matches!(kind(&why), Some(FaultKind::INVALID | FaultKind::SQL)), "{sql}: {why:?}");
    }
}

fn one_statement_is_run_at_a_time(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    add(&plugin.sql, 1, "a").expect("one");
    for sql in ["SELECT 1; DELETE FROM items", "DELETE FROM items; SELECT 1", "SELECT 1; SELECT 2; SELECT 3"]
    {
        let why = plugin.exec(sql).expect_err(sql);
        assert!(matches!(kind(&why), Some(FaultKind::INVALID | FaultKind::SQL)), "{sql}: {why:?}");
    }
    for sql in ["SELECT 1\0", "SELECT 1\0; DELETE FROM items", "\0SELECT 1", "SELECT '\0'"] {
        fails(plugin.exec(sql), FaultKind::INVALID);
    }
    assert_eq!(plugin.count("items"), 1, "nothing of them was done");
    plugin.done("SELECT 1; -- and no more\n");
}

fn changed_rows_are_counted(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    assert_eq!(plugin.done("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')"), 3);
    assert_eq!(plugin.done("UPDATE items SET name = name || 'x' WHERE id > 1"), 2);
    assert_eq!(plugin.done("UPDATE items SET name = name || 'x' WHERE id > 100"), 0);
    assert_eq!(plugin.done("CREATE INDEX by_name ON items (name)"), 0);
    assert_eq!(plugin.done("SELECT * FROM items"), 0);
    assert_eq!(plugin.done("WITH all_of_them AS (SELECT * FROM items) SELECT * FROM all_of_them"), 0);
    let names: Vec<String> =
        plugin.sql.query("DELETE FROM items WHERE id > $1 RETURNING name", params![1]).expect("rows");
    assert_eq!(names.len(), 2);
    assert_eq!(plugin.done("DELETE FROM items"), 1);
}

fn a_query_of_many_rows_can_be_broken_off(host: &Host) {
    let plugin = host.start("statements");
    let numbers =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n";
    let mut seen = 0;
    let broken = plugin.sql.for_each(numbers, params![], |i: i64| {
        seen += 1;
        if i == 1234 { ControlFlow::Break(i) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((broken, seen), (Ok(Some(1234)), 1234));
    assert_eq!(
        plugin.sql.query::<i64>(numbers, params![]).expect("rows").len(),
        3000,
        "and again, all of them"
    );
    // While rows come, other statements may be run.
    let mut within = 0;
    plugin
        .sql
        .for_each("SELECT 1 UNION ALL SELECT 2", params![], |_: i64| {
            within += plugin.sql.query_one::<i64>("SELECT 1", params![]).expect("a number").expect("a row");
            ControlFlow::<()>::Continue(())
        })
        .expect("rows");
    assert_eq!(within, 2);
}

fn a_change_that_is_not_kept_is_told_even_if_its_rows_are_broken_off(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    let strict =
        if plugin.sql.dialect().expect("a dialect").name() == Some("sqlite") { " STRICT" } else { "" };
    plugin.done(&format!(
        "CREATE TABLE notes (item INTEGER REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED){strict}"
    ));
    let insert = "INSERT INTO notes VALUES (99), (100) RETURNING item";
    let broken = plugin.sql.for_each(insert, params![], |item: i64| ControlFlow::Break(item));
    fails(broken, FaultKind::CONSTRAINT);
    assert_eq!(plugin.count("notes"), 0);
}

fn a_query_ends_at_its_deadline_also_while_its_rows_come(host: &Host) {
    let plugin = host.start("statements");
    let quick = plugin.sql.with_deadline(Duration::from_millis(200));
    let numbers =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) SELECT i FROM n";
    let mut last = 0;
    let result = quick.for_each(numbers, params![], |i: i64| {
        // From here on it is late.
        if i == 1 {
            thread::sleep(Duration::from_millis(300));
        }
        last = i;
        ControlFlow::<()>::Continue(())
    });
    fails(result, FaultKind::TIMED_OUT);
    assert!(last < 500_000);
    // What is broken off after its deadline is what the plugin wanted.
    let broken = quick.for_each(numbers, params![], |i: i64| {
        thread::sleep(Duration::from_millis(300));
        ControlFlow::Break(i)
    });
    assert_eq!(broken, Ok(Some(1)));
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)));
}

fn a_query_for_one_row_takes_no_two(host: &Host) {
    let plugin = host.start("statements");
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1 WHERE 1 = 0", params![]), Ok(None));
    fails(plugin.sql.query_one::<i64>("SELECT 1 UNION SELECT 2", params![]), FaultKind::INVALID);
}

fn a_transaction_is_all_or_nothing(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    let done: Result<i64, SdkError> = plugin.sql.transaction(|transaction| {
        add(transaction, 1, "a")?;
        add(transaction, 2, "b")?;
        Ok(transaction.query_one("SELECT COUNT(*) FROM items", params![])?.unwrap_or(0))
    });
    assert_eq!((done, plugin.count("items")), (Ok(2), 2));
    let failed: Result<(), Error> = plugin.sql.transaction(|transaction| {
        add(transaction, 3, "c")?;
        Err(Error::permanent("the author's own"))
    });
    let why = failed.expect_err("it failed");
    assert!(why.is_permanent() && why.to_string() == "the author's own", "{why}");
    assert_eq!(plugin.count("items"), 2);
    let panicked = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        plugin.sql.transaction::<(), SdkError>(|transaction| {
            add(transaction, 4, "d")?;
            panic!("boom");
        })
    }));
    assert_eq!(panicked.expect_err("it panics").downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(plugin.count("items"), 2);
    add(&plugin.sql, 5, "e").expect("the plugin goes on");
}

fn a_transaction_ends_with_a_failed_statement(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        add(transaction, 1, "a")?;
        fails(add(transaction, 1, "again"), FaultKind::CONSTRAINT);
        let why = fails(add(transaction, 2, "b"), FaultKind::CONSTRAINT);
        assert!(why.contains("is over"), "{why}");
        // And it does not give the error back.
        Ok(())
    });
    fails(result, FaultKind::CONSTRAINT);
    assert_eq!(plugin.count("items"), 0);
}

fn transactions_do_not_nest(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        fails(plugin.sql.transaction::<(), SdkError>(|_| Ok(())), FaultKind::INVALID);
        fails(add(&plugin.sql, 1, "beside it"), FaultKind::INVALID);
        add(transaction, 2, "within it").map(drop)
    });
    assert_eq!((result, plugin.count("items")), (Ok(()), 1));
}

fn a_transaction_is_over_when_its_body_is(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    let kept = plugin.sql.transaction::<_, SdkError>(|transaction| Ok(**transaction)).expect("it succeeds");
    fails(add(&kept, 1, "late"), FaultKind::CLOSED);
    // In the middle of a query there is no other statement of the same transaction.
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        transaction.for_each("SELECT 1", params![], |_: i64| {
            fails(add(transaction, 1, "amid"), FaultKind::INVALID);
            ControlFlow::<()>::Continue(())
        })?;
        add(transaction, 2, "after").map(drop)
    });
    assert_eq!((result, plugin.count("items")), (Ok(()), 1));
}

fn transactions_in_sql_are_refused(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    for sql in [
        "BEGIN",
        "begin immediate",
        "/* x */ BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK TO a",
        "-- x\n ROLLBACK",
    ] {
        assert!(plugin.exec(sql).is_err(), "{sql}");
        let within: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
            add(transaction, 1, "a")?;
            assert!(transaction.exec(sql, params![]).is_err(), "{sql}");
            Ok(())
        });
        assert!(within.is_err(), "{sql}");
        assert_eq!(plugin.count("items"), 0, "{sql}");
    }
    add(&plugin.sql, 1, "a").expect("the plugin goes on");
}

fn constraints_are_told(host: &Host) {
    let plugin = host.start("statements");
    items(&plugin);
    add(&plugin.sql, 1, "hunter2").expect("one");
    let why = fails(add(&plugin.sql, 2, "hunter2"), FaultKind::CONSTRAINT);
    assert!(!why.contains("hunter2"), "no value is told: {why}");
    fails(plugin.sql.exec("INSERT INTO items (id) VALUES (3)", params![]), FaultKind::CONSTRAINT);
    fails(plugin.exec("SELECT * FROM nowhere"), FaultKind::SQL);
    fails(plugin.exec("SELEKT 1"), FaultKind::SQL);
    fails(plugin.exec(""), FaultKind::INVALID);
    fails(plugin.exec(" -- nothing\n"), FaultKind::INVALID);
}

fn a_plugin_sees_its_own_tables_only(host: &Host) {
    let (one, other) = (host.start("one"), host.start("other"));
    items(&one);
    items(&other);
    add(&one.sql, 1, "a").expect("one");
    assert_eq!((one.count("items"), other.count("items")), (1, 0));
}

fn a_plugin_without_the_permission_is_told(host: &Host) {
    let database = host.databases.prepare("bare", ["events", "database.read"], &host.package("bare"));
    let plugin = Plugin::of(database.expect("nothing is made"));
    let why = fails(plugin.exec("SELECT 1"), FaultKind::DENIED);
    assert!(why.contains("\"database\"") && why.contains("permissions"), "{why}");
    fails(plugin.sql.transaction::<(), SdkError>(|_| Ok(())), FaultKind::DENIED);
    assert!(!exists(&host.data_of("bare")));
}

fn a_closed_plugin_is_told(host: &Host) {
    let Plugin { sql, _opened } = host.start("closed");
    drop(_opened);
    fails(sql.exec("SELECT 1", params![]), FaultKind::CLOSED);
    fails(sql.dialect(), FaultKind::CLOSED);
}

#[test]
fn no_error_of_sqlite_repeats_a_value() {
    let host = Host::sqlite();
    let plugin = host.start("values");
    plugin.done("CREATE VIRTUAL TABLE words USING fts5(word)");
    plugin.done("INSERT INTO words VALUES ('a')");
    for (sql, value) in [
        ("SELECT * FROM words WHERE words MATCH $1", "a \"hunter2"),
        ("SELECT * FROM words WHERE words MATCH $1", "a + (hunter2"),
        ("SELECT * FROM words WHERE words MATCH $1", "AND hunter2"),
        ("SELECT * FROM words WHERE words MATCH $1", "hunter2: a"),
        ("SELECT * FROM words WHERE words MATCH 'a' AND rank MATCH $1 ORDER BY rank", "hunter2()"),
        ("SELECT * FROM words WHERE words MATCH 'a' AND rank MATCH $1 ORDER BY rank", "hunter2("),
        ("SELECT * FROM words WHERE words MATCH $1", "*hunter2"),
        ("INSERT INTO words (words) VALUES ($1)", "hunter2"),
        ("SELECT json_extract('{}', $1)", "hunter2"),
        ("SELECT json_extract($1, '$')", "{hunter2"),
        ("SELECT 'a' LIKE 'a' ESCAPE $1", "hunter2"),
    ] {
        let why = plugin.sql.query::<serde_json::Value>(sql, params![value]).expect_err(sql).to_string();
        assert!(!why.contains("hunter2"), "{sql}: {why}");
        let why = plugin.sql.exec(sql, params![value]).expect_err(sql).to_string();
        assert!(!why.contains("hunter2"), "{sql}: {why}");
    }
    // What the statement itself says is told.
    let why = fails(plugin.exec("SELECT hunter2 FROM words"), FaultKind::SQL);
    assert!(why.contains("hunter2"), "{why}");
}

#[test]
fn a_statement_ends_at_its_deadline() {
    let host = Host::sqlite();
    let plugin = host.start("slow");
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
    let quick = plugin.sql.with_deadline(Duration::from_millis(50));
    let why = fails(quick.query_one::<i64>(endless, params![]), FaultKind::TIMED_OUT);
    assert!(why.contains("deadline"), "{why}");
    // What a trigger does counts too.
    plugin.done("CREATE TABLE t (i INTEGER) STRICT");
    plugin.done(&format!("CREATE VIEW endless AS {endless}"));
    plugin.done("CREATE TRIGGER again AFTER INSERT ON t BEGIN SELECT * FROM endless; END");
    fails(quick.exec("INSERT INTO t VALUES (1)", params![]), FaultKind::TIMED_OUT);
    assert_eq!(plugin.count("t"), 0);
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)), "the session goes on");
}

/// A host on either database, with these settings.
fn on_each(change: impl Fn(&mut config::Database)) -> [Host; 2] {
    [Host::with(&change), Host::postgres_with(Server::new(), &change)]
}

#[test]
fn a_transaction_ends_at_its_deadline() {
    for host in on_each(|settings| settings.transaction_deadline_secs = 1) {
        let plugin = host.start("slow");
        items(&plugin);
        let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
            add(transaction, 1, "a")?;
            thread::sleep(Duration::from_millis(1100));
            Ok(())
        });
        fails(result, FaultKind::TIMED_OUT);
        let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
            thread::sleep(Duration::from_millis(1100));
            add(transaction, 1, "a").map(drop)
        });
        fails(result, FaultKind::TIMED_OUT);
        assert_eq!(plugin.count("items"), 0);
    }
}

#[test]
fn rows_and_values_have_limits() {
    let hosts = on_each(|settings| {
        settings.max_rows = 10;
        settings.max_value_bytes = 2048;
    });
    for host in hosts {
        let plugin = host.start("large");
        let numbers = |most: u32| {
            format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n"
            )
        };
        assert_eq!(plugin.sql.query::<i64>(&numbers(10), params![]).expect("rows").len(), 10);
        let why = fails(plugin.sql.query::<i64>(&numbers(11), params![]), FaultKind::TOO_LARGE);
        assert!(why.contains("database.max_rows"), "{why}");
        let text = |length| "x".repeat(length);
        // Of the statement itself too.
        let sql = |length: usize| format!("SELECT 1{}", " ".repeat(length - 8));
        assert_eq!(plugin.exec(&sql(1024 * 1024)), Ok(0));
        fails(plugin.exec(&sql(1024 * 1024 + 1)), FaultKind::TOO_LARGE);
        let echo = |length| plugin.sql.query_one::<String>("SELECT CAST($1 AS TEXT)", params![text(length)]);
        assert_eq!(echo(2048), Ok(Some(text(2048))));
        fails(echo(2049), FaultKind::TOO_LARGE);
        let doubled = "SELECT CAST($1 AS TEXT) || CAST($1 AS TEXT)";
        fails(plugin.sql.query_one::<String>(doubled, params![text(2000)]), FaultKind::TOO_LARGE);
    }
}

#[test]
fn a_file_that_is_full_is_told() {
    let host = Host::with(|settings| settings.max_plugin_bytes = 1024 * 1024);
    let plugin = host.start("full");
    plugin.done("CREATE TABLE t (b BLOB) STRICT");
    let mut result = Ok(0);
    for _ in 0..40 {
        result = plugin.sql.exec("INSERT INTO t VALUES (zeroblob(65536))", params![]);
        if result.is_err() {
            break;
        }
    }
    let why = fails(result, FaultKind::TOO_LARGE);
    assert!(why.contains("database.max_plugin_bytes"), "{why}");
    plugin.done("DELETE FROM t");
    plugin.done("INSERT INTO t VALUES (zeroblob(65536))");
}

#[test]
fn one_writer_waits_for_another_and_not_for_ever() {
    let host = Host::with(|settings| settings.wait_deadline_secs = 1);
    let plugin = host.start("busy");
    items(&plugin);
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        add(transaction, 1, "a")?;
        // Readers are not held up.
        thread::scope(|scope| {
            let reader = scope.spawn(|| plugin.count("items"));
            let writer = scope.spawn(|| add(&plugin.sql, 2, "b"));
            assert_eq!(reader.join().expect("no panic"), 0);
            fails(writer.join().expect("no panic"), FaultKind::BUSY);
        });
        Ok(())
    });
    assert_eq!((result, plugin.count("items")), (Ok(()), 1));
}

#[test]
fn writers_that_wait_get_their_turn() {
    let host = Host::sqlite();
    let plugin = host.start("turns");
    items(&plugin);
    thread::scope(|scope| {
        for writer in 0..4 {
            let plugin = &plugin;
            scope.spawn(move || {
                for n in 0..25 {
                    let id = writer * 100 + n;
                    add(&plugin.sql, id, &id.to_string()).expect("it is written");
                }
            });
        }
    });
    assert_eq!(plugin.count("items"), 100);
}
