//! Schemas, roles and sessions in PostgreSQL.

use std::{thread, time::Duration};

use streamspace_plugin::params;

use super::*;

#[test]
fn a_role_is_bare_and_its_password_is_new_at_each_start() {
    let host = Host::postgres();
    let verifier = || {
        let sql = "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'plugin_fenced_%' ORDER BY rolname DESC LIMIT 1";
        host.server().superuser(sql).concat()
    };
    host.start("fenced");
    let first = verifier();
    assert!(first.starts_with("SCRAM-SHA-256$"), "{first}");
    let plugin = host.start("fenced");
    assert_ne!(verifier(), first);
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)));
    let rights = host.server().superuser(
        "SELECT concat(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit) \
         FROM pg_roles WHERE rolname LIKE 'plugin_fenced_%'",
    );
    assert!(rights.contains(&"ffffff10".to_owned()), "{rights:?}");
}

#[test]
fn the_log_of_the_server_gets_no_password() {
    let host = Host::postgres();
    // What the server would log.
    host.server().superuser(&format!("ALTER ROLE {} SET log_statement = 'all'", host.server().name));
    let plugin = host.start("quiet");
    host.start("quiet");
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)));
    let data = std::env::var("STREAMSPACE_TEST_POSTGRES_DATA").expect("scripts/postgres sets it");
    let log = fs::read_to_string(Path::new(&data).with_file_name("server.log")).expect("the server's log");
    let told = log.lines().filter(|line| line.contains("\"plugin_quiet_") && line.contains("PASSWORD"));
    let told: Vec<_> = told.collect();
    assert!(told.len() >= 2, "the server does not log what it is to log");
    assert!(told.iter().all(|line| line.contains("PASSWORD 'SCRAM-SHA-256$")), "{told:?}");
    let shown = format!("{:?} {:?}", host.databases, plugin.sql);
    assert!(!shown.contains("secret") && !shown.contains("SCRAM"), "{shown}");
}

#[test]
fn a_host_without_the_rights_says_what_to_do() {
    let host = Host::postgres();
    host.server().superuser(&format!("ALTER ROLE {} NOCREATEROLE", host.server().name));
    let why = host.try_start("x").map(drop).expect_err("it may not");
    assert_eq!(why.code(), "SSP-DAT-121");
    assert!(why.to_string().contains("CREATEROLE") && why.to_string().contains(&host.server().name), "{why}");
    let host = Host::postgres();
    host.server().superuser(&format!("ALTER DATABASE {} OWNER TO CURRENT_USER", host.server().name));
    let why = host.try_start("x").map(drop).expect_err("it may not");
    assert_eq!(why.code(), "SSP-DAT-121");
    assert!(why.to_string().contains("OWNER TO"), "{why}");
}

#[test]
fn a_role_that_was_given_more_is_not_used() {
    let host = Host::postgres();
    host.start("more");
    let role = host.server().superuser(&format!(
        "SELECT rolname FROM pg_roles JOIN pg_stat_activity ON usename = rolname WHERE datname = '{}' AND rolname LIKE 'plugin_%' \
         UNION SELECT grantee::regrole::text FROM pg_database, aclexplode(datacl) WHERE datname = '{0}' AND grantee <> datdba AND grantee <> 0",
        host.server().name
    ));
    let role =
        role.iter().find(|role| role.contains("plugin_more")).expect("a role").trim_matches('"').to_owned();
    for (give, take) in [
        ("ALTER ROLE \"{}\" CREATEDB", "ALTER ROLE \"{}\" NOCREATEDB"),
        ("ALTER ROLE \"{}\" SUPERUSER", "ALTER ROLE \"{}\" NOSUPERUSER"),
        ("GRANT pg_read_server_files TO \"{}\"", "REVOKE pg_read_server_files FROM \"{}\""),
        ("GRANT USAGE ON SCHEMA public TO \"{}\"", "REVOKE USAGE ON SCHEMA public FROM \"{}\""),
        ("GRANT USAGE ON SCHEMA streamspace TO \"{}\"", "REVOKE USAGE ON SCHEMA streamspace FROM \"{}\""),
    ] {
        host.server().superuser(&give.replace("{}", &role));
        let why = host.try_start("more").map(drop).expect_err(give);
        assert!(matches!(why.code(), "SSP-DAT-122" | "SSP-DAT-123"), "{give}: {why}");
        host.server().superuser(&take.replace("{}", &role));
        host.start("more");
    }
}

#[test]
fn sessions_that_the_server_ended_are_replaced() {
    let host = Host::postgres();
    let plugin = host.start("back");
    plugin.done("CREATE TABLE t (n bigint)");
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND usename LIKE 'plugin_%'",
        host.server().name
    );
    for _ in 0..3 {
        assert_eq!(plugin.count("t"), 0);
        assert!(!host.server().superuser(&end).is_empty());
        // The end may arrive in the middle of the next call, and not after it.
        let again = || plugin.sql.query_one::<i64>("SELECT COUNT(*) FROM t", params![]);
        assert_eq!(again().or_else(|_| again()), Ok(Some(0)));
    }
    // In the middle of a transaction it is told.
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        transaction.exec("INSERT INTO t VALUES (1)", params![])?;
        host.server().superuser(&end);
        transaction.exec("INSERT INTO t VALUES (2)", params![]).map(drop)
    });
    fails(result, FaultKind::UNREACHABLE);
    assert_eq!(plugin.count("t"), 0);
}

#[test]
fn a_statement_is_cancelled_at_its_deadline_whatever_the_plugin_set() {
    let host = Host::postgres();
    let plugin = host.start("slow");
    let quick = plugin.sql.with_deadline(Duration::from_millis(100));
    fails(quick.query_one::<()>("SELECT pg_sleep(60)", params![]), FaultKind::TIMED_OUT);
    let unlimited = "SELECT set_config('statement_timeout', '0', false)";
    plugin.sql.query::<String>(unlimited, params![]).expect("it may");
    fails(quick.exec("SELECT pg_sleep(60)", params![]), FaultKind::TIMED_OUT);
    // One that catches being cancelled is ended with its session.
    let stubborn = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    fails(quick.exec(stubborn, params![]), FaultKind::TIMED_OUT);
    let left = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND state = 'active' AND query LIKE 'DO %'",
        host.server().name
    );
    let gone = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        host.server().superuser(&left).is_empty()
    });
    assert!(gone, "it runs on");
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)), "and the plugin goes on");
}

#[test]
fn a_large_query_that_is_broken_off_leaves_the_plugin_as_it_was() {
    use std::ops::ControlFlow;
    let host = Host::with_one_session();
    let plugin = host.start("broken");
    plugin.done("CREATE TABLE t (n bigint)");
    let endless = "SELECT generate_series(1, 1000000000)";
    for _ in 0..3 {
        let first = plugin.sql.for_each(endless, params![], |n: i64| ControlFlow::Break(n));
        assert_eq!(first, Ok(Some(1)));
    }
    // What a statement changes is changed, however many of its rows are wanted.
    let first = plugin.sql.for_each(
        "INSERT INTO t SELECT generate_series(1, 5000) RETURNING n",
        params![],
        |n: i64| ControlFlow::Break(n),
    );
    assert_eq!((first, plugin.count("t")), (Ok(Some(1)), 5000));
    let within: Result<i64, SdkError> = plugin.sql.transaction(|transaction| {
        transaction.for_each("SELECT generate_series(1, 5000)", params![], |n: i64| ControlFlow::Break(n))?;
        transaction.exec("DELETE FROM t WHERE n > 10", params![])?;
        Ok(transaction.query_one("SELECT COUNT(*) FROM t", params![])?.unwrap_or(0))
    });
    assert_eq!(within, Ok(10));
}

#[test]
fn a_lock_is_not_waited_for_for_ever() {
    let host = Host::postgres_with(Server::new(), |settings| settings.wait_deadline_secs = 1);
    let plugin = host.start("locks");
    plugin.done("CREATE TABLE t (n bigint PRIMARY KEY)");
    plugin.done("INSERT INTO t VALUES (1)");
    let result: Result<(), SdkError> = plugin.sql.transaction(|transaction| {
        transaction.exec("UPDATE t SET n = 2", params![])?;
        thread::scope(|scope| {
            let reader = scope.spawn(|| plugin.count("t"));
            let writer = scope.spawn(|| plugin.exec("UPDATE t SET n = 3"));
            assert_eq!(reader.join().expect("no panic"), 1);
            fails(writer.join().expect("no panic"), FaultKind::BUSY);
        });
        Ok(())
    });
    assert_eq!(result, Ok(()));
}

#[test]
fn a_session_that_was_changed_is_not_used_again() {
    let host = Host::with_one_session();
    let plugin = host.start("changed");
    let path =
        || plugin.sql.query_one::<String>("SHOW search_path", params![]).expect("it shows").expect("a row");
    let before = path();
    assert_eq!(before, "\"plugin_changed\"");
    plugin.done("SET search_path = pg_catalog");
    assert_eq!(path(), before);
    plugin.done("PREPARE p AS SELECT 1");
    assert!(plugin.exec("EXECUTE p").is_err());
    plugin.done("DO $$ BEGIN PERFORM set_config('search_path', 'pg_catalog', false); END $$");
    assert_eq!(path(), before);
    // A transaction that the text of a statement does not show.
    assert!(plugin.exec("COPY t FROM STDIN").is_err());
    assert_eq!(path(), before);
}

impl Host {
    fn with_one_session() -> Self {
        Self::postgres_with(Server::new(), |settings| settings.plugin_connections = 1)
    }
}

#[test]
fn a_statement_is_prepared_again_when_its_table_has_changed() {
    let host = Host::postgres();
    let plugin = host.start("stale");
    plugin.done("CREATE TABLE t (a bigint)");
    plugin.done("INSERT INTO t VALUES (1)");
    let all = || plugin.sql.query::<serde_json::Value>("SELECT * FROM t", params![]).expect("rows");
    assert_eq!(all(), [serde_json::json!({"a": 1})]);
    plugin.done("ALTER TABLE t ADD COLUMN b text");
    assert_eq!(all(), [serde_json::json!({"a": 1, "b": null})]);
}

#[test]
fn a_server_without_room_for_another_session_is_asked_again_and_named_as_busy() {
    let host = Host::postgres_with(Server::new(), |settings| settings.wait_deadline_secs = 1);
    let plugin = host.start("crowded");
    let role = "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'plugin_crowded'";
    let rights = host.server().superuser(role).remove(0);
    let role = rights.split(&['{', ',', '"', '\\', '='][..]).find(|word| word.starts_with("plugin_crowded_"));
    let limit = |limit: i32| {
        host.server().superuser(&format!(
            "ALTER ROLE \"{}\" CONNECTION LIMIT {limit}",
            role.expect("the plugin's role")
        ))
    };
    limit(0);
    let why = fails(plugin.exec("SELECT 1"), FaultKind::BUSY);
    assert!(why.contains("53300"), "{why}");
    limit(3);
    plugin.done("CREATE TABLE t (n bigint)");
}

#[test]
fn types_that_plugins_are_not_given_say_so() {
    let host = Host::postgres();
    let plugin = host.start("types");
    for of in ["date", "interval", "point", "int4[]", "inet", "record"] {
        let sql = match of {
            "record" => "SELECT ROW(1, 2)".to_owned(),
            _ => format!("SELECT CAST(NULL AS {of}) AS c"),
        };
        let why = fails(plugin.sql.query::<serde_json::Value>(&sql, params![]), FaultKind::INVALID);
        assert!(why.contains("cast it"), "{why}");
    }
    let found = plugin.sql.query_one::<(String, String, String, i64, f64, String)>(
        "SELECT '00000000-0000-0000-0000-00000000000a'::uuid, -12345.6700::numeric, 0.0001::numeric, 7::smallint, 0.5::real, 'x'::char(3)",
        params![],
    );
    let text = |text: &str| text.to_owned();
    let expected = (
        text("00000000-0000-0000-0000-00000000000a"),
        text("-12345.6700"),
        text("0.0001"),
        7,
        0.5,
        text("x  "),
    );
    assert_eq!(found, Ok(Some(expected)));
    for number in
        ["0", "1", "10000", "100000000", "-1.5", "99999999999999999999.0001", "0.00", "1e30", "12e-7", "NaN"]
    {
        let sql = format!("SELECT '{number}'::numeric, ('{number}'::numeric)::text");
        let (ours, theirs) =
            plugin.sql.query_one::<(String, String)>(&sql, params![]).expect("a number").expect("a row");
        assert_eq!(ours, theirs);
    }
    plugin.done("CREATE TYPE mood AS ENUM ('good', 'bad')");
    plugin.done("CREATE DOMAIN small AS integer CHECK (VALUE < 10)");
    plugin.done("CREATE TABLE t (m mood, s small, u uuid, n numeric, f real, i smallint)");
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6)";
    let uuid = "00000000-0000-0000-0000-00000000000a";
    let add = |m: &str, s: i64, u: &str, n: &str, f: f64, i: i64| {
        plugin.sql.exec(insert, params![m, s, u, n, f, i])
    };
    assert_eq!(add("good", 1, uuid, "1.50", 0.5, 3), Ok(1));
    fails(add("ugly", 1, uuid, "1", 0.5, 3), FaultKind::INVALID);
    fails(add("good", 11, uuid, "1", 0.5, 3), FaultKind::CONSTRAINT);
    fails(add("good", 1 << 40, uuid, "1", 0.5, 3), FaultKind::INVALID);
    fails(add("good", 1, "no uuid", "1", 0.5, 3), FaultKind::INVALID);
    fails(add("good", 1, uuid, "one", 0.5, 3), FaultKind::INVALID);
    fails(add("good", 1, uuid, "1", 0.1, 3), FaultKind::INVALID);
    fails(add("good", 1, uuid, "1", 0.5, 40_000), FaultKind::INVALID);
    assert_eq!(plugin.count("t"), 1);
    fails(
        plugin.sql.query_one::<serde_json::Value>("SELECT 'infinity'::timestamptz", params![]),
        FaultKind::INVALID,
    );
}

#[test]
fn purging_removes_the_plugins_own_data_and_no_other() {
    let host = Host::postgres();
    for plugin in ["gone", "gone-not"] {
        host.migration(plugin, "1_t/up.sql", "CREATE TABLE t (n bigint)");
        let plugin = host.start(plugin);
        plugin.done("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
        plugin.sql.query::<i64>("SELECT lo_creat(-1)", params![]).expect("a large object");
    }
    host.databases.purge("gone").expect("it is removed");
    let owned = host.server().superuser(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'plugin%' UNION ALL \
         SELECT 'large object' FROM pg_largeobject_metadata UNION ALL \
         SELECT plugin FROM streamspace.plugin_migrations ORDER BY 1",
    );
    assert_eq!(owned, ["gone-not", "large object", "plugin_gone-not"]);
    assert_eq!(host.start("gone-not").count("t"), 0);
    host.databases.purge("gone").expect("again");
    host.databases.purge("never-there").expect("nothing to do");
    host.migration("gone", "1_t/up.sql", "CREATE TABLE t (n bigint, again boolean)");
    assert_eq!(host.start("gone").count("t"), 0, "and it is made anew");
}

#[test]
fn a_migration_that_a_host_was_in_the_middle_of_is_known_to_be_done_or_not() {
    let host = Host::postgres();
    host.migration("m", "1_t/up.sql", "CREATE TABLE t (n bigint)");
    let plugin = host.start("m");
    // As a host leaves it that is killed after the commit.
    host.server().superuser("UPDATE streamspace.plugin_migrations SET state = 'applying'");
    drop(plugin);
    assert_eq!(host.start("m").count("t"), 0);
    assert_eq!(host.server().superuser("SELECT state FROM streamspace.plugin_migrations"), ["applied"]);
    // And before it: a transaction that was undone.
    host.migration("m", "2_u/up.sql", "CREATE TABLE u (n bigint)");
    let undone = host.server().superuser("BEGIN; SELECT pg_current_xact_id()::text; ROLLBACK").concat();
    host.server().superuser(&format!(
        "INSERT INTO streamspace.plugin_migrations VALUES ('m', 2, 'u', 'x', 'applying', '{undone}')"
    ));
    assert_eq!(host.start("m").count("u"), 0);
    let undoing = "UPDATE streamspace.plugin_migrations SET state = 'undoing' WHERE version = 2";
    host.server().superuser(undoing);
    host.server().superuser("SELECT 1");
    // Its transaction was committed, so that it is not applied any more: it is tried again, and the table is there.
    assert_eq!(host.try_start("m").map(drop).expect_err("the table is there").code(), "SSP-DAT-114");
}

#[test]
fn a_role_that_changed_its_own_password_is_given_another() {
    let host = Host::postgres();
    let plugin = host.start("own");
    let role = plugin
        .sql
        .query_one::<String>("SELECT CAST(current_user AS text)", params![])
        .expect("a name")
        .expect("a row");
    plugin.done(&format!("ALTER ROLE \"{role}\" PASSWORD 'mine'"));
    plugin.done(&format!("ALTER ROLE \"{role}\" SET search_path = pg_catalog"));
    assert_eq!(plugin.sql.query_one::<i64>("SELECT 1", params![]), Ok(Some(1)));
    let path = plugin.sql.query_one::<String>("SHOW search_path", params![]);
    assert_eq!(path, Ok(Some("\"plugin_own\"".to_owned())));
}

#[test]
fn no_error_repeats_a_value() {
    let host = Host::postgres();
    let plugin = host.start("values");
    for sql in [
        "SELECT CAST(CAST($1 AS text) AS integer)",
        "SELECT CAST(CAST($1 AS text) AS smallint)",
        "SELECT CAST(CAST($1 AS text) AS double precision)",
        "SELECT CAST(CAST($1 AS text) AS timestamptz)",
        "SELECT CAST(CAST($1 AS text) AS jsonb)",
        "SELECT CAST(CAST($1 AS text) AS jsonpath)",
        "SELECT CAST(CAST($1 AS text) AS uuid)",
        "SELECT to_tsquery('simple', $1)",
        "SELECT date_trunc($1, now())",
        "SELECT decode($1, 'hex')",
        "SELECT 'a' ~ $1",
    ] {
        for value in ["hunter2 hunter2 (", "987654321987654321", "(\"hunter2\" \"hunter2\"", "1e987654321"] {
            if let Err(why) = plugin.sql.exec(sql, params![value]) {
                let text = why.to_string();
                assert!(!text.contains("hunter2") && !text.contains("987654321"), "{sql}: {text}");
            }
        }
    }
}

#[test]
fn settings_that_a_role_gave_itself_are_gone_at_the_next_start() {
    let host = Host::postgres();
    let plugin = host.start("own");
    let who = "SELECT CAST(current_user AS text), CAST(current_database() AS text)";
    let (role, database) =
        plugin.sql.query_one::<(String, String)>(who, params![]).expect("names").expect("a row");
    for place in [String::new(), format!("IN DATABASE \"{database}\" ")] {
        plugin.done(&format!("ALTER ROLE \"{role}\" {place}SET default_transaction_read_only = on"));
    }
    host.start("own").done("CREATE TABLE t (n bigint)");
}

#[test]
fn a_plugin_that_was_removed_while_it_was_open_does_not_come_back() {
    let host = Host::postgres();
    let plugin = host.start("leaked");
    plugin.done("CREATE TABLE t (n bigint)");
    host.databases.purge("leaked").expect("it is removed");
    for _ in 0..2 {
        fails(plugin.exec("SELECT 1"), FaultKind::UNREACHABLE);
    }
    let left = host.server().superuser(
        "SELECT rolname FROM pg_roles, pg_database d WHERE d.datname = current_database() \
           AND rolname LIKE 'plugin\\_%' AND has_database_privilege(pg_roles.oid, d.oid, 'CONNECT') UNION ALL \
         SELECT nspname FROM pg_namespace WHERE nspname LIKE 'plugin\\_%'",
    );
    assert_eq!(left, Vec::<String>::new());
}
