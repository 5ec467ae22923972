//! What a plugin's SQL may not do to PostgreSQL: each fails and has no effect, alone, in a transaction and in a migration.

use super::*;

/// `{host}` is the host's user, `{role}` the plugin's, `{other_role}` another's, `{other}` that plugin's schema, `{database}`
/// the database.
const ESCAPES: &[&str] = &[
    // To be somebody else.
    "SET ROLE \"{host}\"",
    "SET SESSION AUTHORIZATION \"{host}\"",
    "SET LOCAL ROLE \"{host}\"",
    "SELECT set_config('role', '{host}', false)",
    "SELECT set_config('session_authorization', '{host}', false)",
    "DO $$ BEGIN EXECUTE 'SET ROLE \"{host}\"'; END $$",
    "GRANT \"{host}\" TO \"{role}\"",
    "GRANT pg_read_server_files TO \"{role}\"",
    "GRANT pg_signal_backend TO \"{role}\"",
    "ALTER ROLE \"{role}\" SUPERUSER",
    "ALTER ROLE \"{role}\" CREATEROLE",
    "ALTER ROLE \"{role}\" CREATEDB",
    "ALTER ROLE \"{role}\" BYPASSRLS",
    "ALTER ROLE \"{role}\" CONNECTION LIMIT 1000",
    "ALTER ROLE \"{role}\" RENAME TO mine",
    "ALTER ROLE \"{host}\" PASSWORD 'x'",
    "ALTER ROLE \"{host}\" SET search_path = 'x'",
    "ALTER ROLE ALL SET search_path = 'x'",
    "CREATE ROLE mine",
    "CREATE USER mine SUPERUSER",
    "DROP ROLE \"{host}\"",
    "REASSIGN OWNED BY \"{host}\" TO \"{role}\"",
    "DROP OWNED BY \"{host}\"",
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"{host}\" GRANT ALL ON TABLES TO \"{role}\"",
    "CREATE USER MAPPING FOR \"{host}\" SERVER x",
    "SET session_replication_role = replica",
    "SET log_statement = 'none'",
    "SET allow_system_table_mods = on",
    "SET lo_compat_privileges = on",
    "SET session_preload_libraries = 'x'",
    "SET dynamic_library_path = '/tmp'",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "ALTER ROLE \"{role}\" SET session_preload_libraries = 'x'",
    "ALTER ROLE \"{host}\" IN DATABASE \"{database}\" SET search_path = 'x'",
    "ALTER ROLE \"{role}\" VALID UNTIL 'infinity'",
    "ALTER ROLE \"{role}\" INHERIT",
    "ALTER ROLE \"{role}\" NOLOGIN",
    "DROP ROLE \"{role}\"",
    "COMMENT ON ROLE \"{role}\" IS 'x'",
    // Its own rights, for another.
    "GRANT \"{role}\" TO \"{other_role}\"",
    "GRANT \"{role}\" TO \"{host}\" WITH ADMIN OPTION",
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO \"{role}\"",
    "ALTER FUNCTION pg_catalog.pg_read_file(text) OWNER TO \"{role}\"",
    // Others' tables.
    "SELECT * FROM streamspace.plugin_migrations",
    "INSERT INTO streamspace.plugin_migrations VALUES ('x', 1, 'x', 'x', 'x', 'x')",
    "DROP SCHEMA streamspace CASCADE",
    "CREATE TABLE streamspace.mine (n int)",
    "ALTER SCHEMA streamspace RENAME TO mine",
    "GRANT USAGE ON SCHEMA streamspace TO \"{role}\"",
    "SELECT * FROM {other}.t",
    "INSERT INTO {other}.t VALUES (1)",
    "TRUNCATE {other}.t",
    "DROP TABLE {other}.t",
    "DROP SCHEMA {other} CASCADE",
    "CREATE TABLE {other}.mine (n int)",
    "CREATE VIEW mine AS SELECT * FROM {other}.t",
    "CREATE TABLE mine () INHERITS ({other}.t)",
    "CREATE TABLE mine (LIKE {other}.t)",
    "CREATE TABLE mine (n bigint REFERENCES {other}.t (n))",
    "SELECT {other}.f()",
    "SELECT * FROM {other}.v",
    "LOCK TABLE {other}.t",
    "COMMENT ON TABLE {other}.t IS 'mine'",
    "ALTER TABLE {other}.t OWNER TO \"{role}\"",
    "ALTER TABLE {other}.t SET SCHEMA \"plugin_escapes\"",
    "CREATE INDEX mine ON {other}.t (n)",
    "CREATE POLICY mine ON {other}.t",
    "CREATE RULE mine AS ON INSERT TO {other}.t DO INSTEAD NOTHING",
    "CREATE TRIGGER mine BEFORE TRUNCATE ON {other}.t EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ANALYZE {other}.t",
    "VACUUM {other}.t",
    "CLUSTER {other}.t",
    "REINDEX TABLE {other}.t",
    "REINDEX DATABASE \"{database}\"",
    "REINDEX SYSTEM \"{database}\"",
    // By number, which names no schema.
    "SELECT nextval(oid::regclass) FROM pg_class WHERE relname = 's' AND relnamespace = '{other}'::regnamespace",
    "SELECT setval(oid::regclass, 7) FROM pg_class WHERE relname = 's' AND relnamespace = '{other}'::regnamespace",
    "SELECT pg_sequence_last_value(oid) FROM pg_class WHERE relname = 's' AND relnamespace = '{other}'::regnamespace",
    "SELECT table_to_xml(oid, true, false, '') FROM pg_class WHERE relname = 't' AND relnamespace = '{other}'::regnamespace",
    // By functions that run what they are given.
    "SELECT query_to_xml('SELECT * FROM {other}.t', true, false, '')",
    "SELECT schema_to_xml('plugin_other', true, false, '')",
    "SELECT * FROM ts_stat('SELECT CAST(sha256 AS tsvector) FROM streamspace.plugin_migrations')",
    "CREATE TABLE public.mine (n int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION pg_catalog.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    "DROP SCHEMA \"plugin_escapes\" CASCADE",
    "ALTER SCHEMA \"plugin_escapes\" RENAME TO mine",
    "COMMENT ON SCHEMA \"plugin_escapes\" IS 'StreamSpace plugin other'",
    "ALTER SCHEMA \"plugin_escapes\" OWNER TO \"{role}\"",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM {other}.t LOOP END LOOP; END $$",
    "DO $$ BEGIN EXECUTE 'SELECT * FROM streamspace.plugin_migrations'; END $$",
    // Places of its own that others see.
    "CREATE SCHEMA mine",
    "CREATE SCHEMA AUTHORIZATION \"{role}\"",
    "CREATE DATABASE mine",
    "ALTER DATABASE \"{database}\" SET search_path = 'x'",
    "ALTER DATABASE \"{database}\" OWNER TO \"{role}\"",
    "DROP DATABASE \"{database}\"",
    "ALTER DATABASE \"{database}\" CONNECTION LIMIT 0",
    "COMMENT ON DATABASE \"{database}\" IS 'x'",
    "CREATE TEMP TABLE mine (n int)",
    "CREATE TEMPORARY VIEW mine AS SELECT 1",
    "CREATE TABLE pg_temp.mine (n int)",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT 1 INTO TEMP mine",
    "CREATE TABLESPACE mine LOCATION '/tmp'",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "CREATE SUBSCRIPTION mine CONNECTION 'dbname=x' PUBLICATION x",
    "CREATE TABLE mine (n int) TABLESPACE pg_global",
    "CREATE CAST (text AS int) WITH INOUT AS IMPLICIT",
    "CREATE TYPE mine (INPUT = int4in, OUTPUT = int4out)",
    "CREATE ACCESS METHOD mine TYPE INDEX HANDLER bthandler",
    "CREATE OPERATOR CLASS mine DEFAULT FOR TYPE int USING btree AS OPERATOR 1 <",
    "CREATE CONVERSION pg_catalog.mine FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION f()",
    "LISTEN mine",
    "UNLISTEN *",
    "NOTIFY mine, 'x'",
    // Code that is no SQL, and files and programs.
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION file_fdw",
    "CREATE EXTENSION hstore",
    "CREATE EXTENSION plperl",
    "CREATE LANGUAGE plpython3u",
    "SELECT dblink_connect('dbname={database}')",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE c AS '/tmp/x.so', 'x'",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    "LOAD 'dblink'",
    "LOAD '/tmp/x.so'",
    "DROP EXTENSION plpgsql",
    "ALTER EXTENSION plpgsql SET SCHEMA \"plugin_escapes\"",
    "CREATE TEXT SEARCH TEMPLATE mine (LEXIZE = dsimple_lexize)",
    "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = simple, STOPWORDS = '../../../../../../etc/passwd')",
    "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = ispell, DICTFILE = '/etc/passwd')",
    "CREATE SERVER mine FOREIGN DATA WRAPPER x",
    "CREATE FOREIGN DATA WRAPPER mine",
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/streamspace-escape'",
    "COPY (SELECT 1) TO '/tmp/streamspace-escape'",
    "COPY t FROM '/etc/passwd'",
    "COPY t FROM PROGRAM 'id'",
    "COPY t TO STDOUT",
    "COPY t FROM STDIN",
    "DO $$ BEGIN EXECUTE 'COPY t FROM PROGRAM ''id'''; END $$",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_ls_logdir()",
    "SELECT pg_ls_waldir()",
    "SELECT pg_stat_file('PG_VERSION')",
    "SELECT pg_current_logfile()",
    "SELECT pg_read_file('PG_VERSION', 0, 10, true)",
    "SELECT pg_ls_tmpdir()",
    "SELECT pg_ls_archive_statusdir()",
    "SHOW data_directory",
    "SELECT current_setting('hba_file')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/streamspace-escape')",
    "SELECT lo_get({object})",
    "SELECT lo_open({object}, 131072)",
    "SELECT lo_open({object}, 262144)",
    "SELECT lo_put({object}, 0, 'x')",
    "SELECT lo_unlink({object})",
    "SELECT lo_create({object})",
    "ALTER LARGE OBJECT {object} OWNER TO \"{role}\"",
    "GRANT ALL ON LARGE OBJECT {object} TO \"{role}\"",
    "COMMENT ON LARGE OBJECT {object} IS 'mine'",
    "SELECT * FROM pg_largeobject",
    // The server and those connected to it.
    "ALTER SYSTEM SET work_mem = '1GB'",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_promote()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_terminate_backend({pid})",
    "SELECT pg_cancel_backend({pid})",
    "SELECT pg_log_backend_memory_contexts({pid})",
    "SELECT pg_logical_emit_message(true, 'x', 'x') FROM pg_authid",
    "SELECT pg_create_physical_replication_slot('mine')",
    "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    "SELECT pg_replication_origin_create('mine')",
    "SELECT pg_stat_reset()",
    "SELECT pg_stat_reset_shared('bgwriter')",
    "SELECT pg_backup_start('x')",
    "SELECT pg_wal_replay_pause()",
    "SELECT pg_import_system_collations('plugin_escapes')",
    "SELECT pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')",
    "CHECKPOINT",
    // Secrets.
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT rolpassword FROM pg_authid",
    "SELECT umoptions FROM pg_user_mapping",
    "SELECT subconninfo FROM pg_subscription",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_ident_file_mappings",
    "SELECT * FROM pg_config",
    "SELECT * FROM pg_backend_memory_contexts",
    "SELECT * FROM pg_file_settings",
    "SELECT * FROM pg_statistic",
    "UPDATE pg_catalog.pg_roles SET rolsuper = true",
    "UPDATE pg_catalog.pg_class SET relowner = 10",
    "DELETE FROM pg_catalog.pg_namespace",
    // Comments, and other ways to write a name.
    "/* x /* y */ */ SET/**/ROLE/**/\"{host}\"",
    "-- x\rSET ROLE U&\"{host}\"",
    "COPY/**/t/**/FROM/**/PROGRAM/**/'id'",
    "SELECT U&\"pg\\005fread_file\"(U&'PG\\005fVERSION')",
    "SELECT \"pg_catalog\" . /* x */ \"pg_ls_dir\" ('/')",
    "\u{ff23}OPY t FROM PROGRAM 'id'",
    "COPY\u{a0}t FROM PROGRAM 'id'",
    "\u{feff}COPY t FROM PROGRAM 'id'",
    "SELECT pg_read\u{200b}_file('PG_VERSION')",
    "SELECT * FROM stream\u{17f}pace.plugin_migrations",
];

/// A host with two plugins, and the words that stand for what the one may not touch.
struct Scene {
    host: Host,
    plugin: Plugin,
    words: Vec<(&'static str, String)>,
    /// The host's own session, which is not to be ended.
    _connected: tokio_postgres::Client,
}

fn scene() -> Scene {
    let host = Host::postgres();
    let other = host.start("other");
    other.done("CREATE TABLE t (n bigint PRIMARY KEY)");
    other.done("CREATE VIEW v AS SELECT * FROM t");
    other
        .done("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT COUNT(*) FROM t'");
    other.done("CREATE SEQUENCE s");
    let object: i64 = other
        .sql
        .query_one("SELECT lo_from_bytea(0, 'secret')", params![])
        .expect("an object")
        .expect("a row");
    // Even what its owner gives away is behind its schema.
    other.done("GRANT ALL ON t, v TO PUBLIC");
    let plugin = host.start("escapes");
    plugin.done("CREATE TABLE t (n bigint)");
    let role_of = |plugin: &Plugin| {
        let role = plugin.sql.query_one::<String>("SELECT CAST(current_user AS text)", params![]);
        role.expect("a name").expect("a row")
    };
    let (role, other_role) = (role_of(&plugin), role_of(&other));
    let name = host.server().name.clone();
    let (connected, pid) = host.server().connected();
    let words = vec![
        ("{host}", name.clone()),
        ("{database}", name),
        ("{role}", role),
        ("{other_role}", other_role),
        ("{other}", "\"plugin_other\"".to_owned()),
        ("{object}", object.to_string()),
        ("{pid}", pid.to_string()),
    ];
    Scene { host, plugin, words, _connected: connected }
}

impl Scene {
    fn sql(&self, escape: &str) -> String {
        self.words.iter().fold(escape.to_owned(), |sql, (word, meaning)| sql.replace(word, meaning))
    }

    /// What there is in the whole database and server, as far as plugins might change it.
    fn state(&self) -> Vec<String> {
        let state = self.sql(
            "SELECT concat('namespace ', nspname, nspowner::regrole, nspacl) FROM pg_namespace UNION ALL
             SELECT concat('class ', relnamespace::regnamespace, relname, relowner::regrole, relacl) FROM pg_class
               WHERE relnamespace <> 'pg_toast'::regnamespace AND (oid >= 16384 OR relkind = 'v' OR relname = 'pg_authid') UNION ALL
             SELECT concat('function ', pronamespace::regnamespace, proname) FROM pg_proc WHERE oid >= 16384 UNION ALL
             SELECT concat('role ', rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolconnlimit)
               FROM pg_roles WHERE has_database_privilege(oid, current_database(), 'CONNECT') AND rolname NOT LIKE 'pg\\_%' UNION ALL
             SELECT concat('extension ', extname) FROM pg_extension UNION ALL
             SELECT concat('object ', oid, lomowner::regrole) FROM pg_largeobject_metadata UNION ALL
             SELECT concat('member ', roleid::regrole, member::regrole) FROM pg_auth_members
               WHERE has_database_privilege(roleid, current_database(), 'CONNECT') AND roleid >= 16384 UNION ALL
             SELECT concat('database ', datname, datdba::regrole, datacl, datconnlimit) FROM pg_database
               WHERE datname = current_database() UNION ALL
             SELECT concat('setting ', setconfig) FROM pg_db_role_setting, pg_database d
               WHERE setdatabase = d.oid AND d.datname = current_database() UNION ALL
              SELECT concat('host ', COUNT(*)) FROM pg_stat_activity
               WHERE usename = current_database() AND pid = {pid} UNION ALL
             SELECT concat('rows ', COUNT(*)) FROM \"plugin_other\".t ORDER BY 1",
        );
        self.host.server().superuser(&state)
    }

    #[track_caller]
    fn is_as_before(&self, before: &[String], after_what: &str) {
        let after = self.state();
        let differs: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        let differs = (differs, after.iter().filter(|line| !before.contains(line)).collect::<Vec<_>>());
        assert_eq!(differs, (vec![], vec![]), "{after_what}");
    }
}

#[test]
fn nothing_leads_out_of_the_schema() {
    let scene = scene();
    let before = scene.state();
    for escape in ESCAPES {
        let sql = scene.sql(escape);
        for _ in 0..2 {
            assert!(scene.plugin.exec(&sql).is_err(), "{sql}");
        }
        let within: Result<(), SdkError> =
            scene.plugin.sql.transaction(|transaction| transaction.exec(&sql, params![]).map(drop));
        assert!(within.is_err(), "{sql}");
        scene.is_as_before(&before, &sql);
    }
    assert!(!exists(Path::new("/tmp/streamspace-escape")));
    assert_eq!(scene.plugin.count("t"), 0, "the plugin goes on");
}

#[test]
fn nothing_leads_out_of_the_schema_in_a_migration() {
    let scene = scene();
    let before = scene.state();
    for (number, escape) in ESCAPES.iter().enumerate() {
        let script = format!("CREATE TABLE u (n bigint);\n{};", scene.sql(escape));
        // Under the role that the words are about.
        let _ = fs::remove_dir_all(scene.host.package("escapes"));
        scene.host.migration("escapes", &format!("{}_escape/up.sql", number + 1), &script);
        let why = scene.host.try_start("escapes").map(drop).expect_err(&script);
        assert_eq!(why.code(), "SSP-DAT-114", "{script}: {why}");
        assert!(why.to_string().contains("line 2 (statement 2)"), "{script}: {why}");
    }
    scene.is_as_before(&before, "all of them");
}

#[test]
fn what_changes_a_session_changes_no_more_than_that() {
    let scene = scene();
    for sql in [
        "RESET ROLE",
        "RESET SESSION AUTHORIZATION",
        "RESET ALL",
        "DISCARD ALL",
        "SET ROLE NONE",
        "SET search_path = {other}, streamspace, public",
        "SET statement_timeout = 0",
        "DEALLOCATE ALL",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ] {
        let sql = scene.sql(sql);
        // Some are not allowed outside, some not inside of a transaction.
        let _ = scene.plugin.exec(&sql);
        let looks: Result<(), SdkError> = scene.plugin.sql.transaction(|transaction| {
            transaction.exec(&sql, params![])?;
            transaction.query::<serde_json::Value>("SELECT * FROM plugin_migrations", params![]).map(drop)
        });
        assert!(looks.is_err(), "{sql}");
        let role = scene.plugin.sql.query_one::<(String, String)>(
            "SELECT CAST(current_user AS text), CAST(session_user AS text)",
            params![],
        );
        let (current, session) = role.expect("names").expect("a row");
        assert_eq!(
            (current.as_str(), session.as_str()),
            (scene.words[2].1.as_str(), scene.words[2].1.as_str()),
            "{sql}"
        );
        assert_eq!(scene.plugin.count("t"), 0, "{sql}");
    }
}

#[test]
fn functions_of_a_plugin_are_its_own() {
    let scene = scene();
    let plugin = &scene.plugin;
    // It runs as whoever made it, which is the plugin.
    plugin.done("CREATE FUNCTION who() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT CAST(current_user AS text)'");
    let who = plugin.sql.query_one::<String>("SELECT who()", params![]).expect("a name");
    assert_eq!(who.as_ref(), Some(&scene.words[2].1));
    // It would run as the host, if the host called it.
    plugin.done("CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP SCHEMA streamspace CASCADE'; RETURN NULL; END $$");
    plugin.done("CREATE TRIGGER trap AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION trap()");
    assert!(plugin.exec("INSERT INTO t VALUES (1)").is_err());
    // Names of the catalogue come first, whatever a plugin calls its own.
    plugin.done("CREATE FUNCTION pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 0'");
    plugin.done("CREATE TABLE pg_roles (rolname text)");
    scene.host.start("escapes");
    scene.host.databases.purge("escapes").expect("it is removed");
}
