//! What a plugin's SQL may not do to SQLite: each fails and has no effect, alone, in a transaction and in a migration.

use super::*;

/// Statements that must not be run, with what would be there if they were.
const ESCAPES: &[&str] = &[
    // Other files.
    "ATTACH '{}/out.db' AS other",
    "ATTACH DATABASE 'file:{}/out.db?mode=rwc' AS other",
    "ATTACH /* x */ '{}/out.db' /* y */ AS other",
    "attach ':memory:' as other",
    "ATTACH '' AS other",
    "ATTACH ('{}' || '/out.db') AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM main",
    "VACUUM INTO '{}/out.db'",
    "VACUUM main INTO ('{}' || '/out.db')",
    "SELECT load_extension('{}/out.so')",
    "SELECT load_extension('{}/out.so', 'entry')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{}/out.db', 'x')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT sqlite_log(1, 'x')",
    // What the connection is.
    "PRAGMA writable_schema = ON",
    "PRAGMA writable_schema = RESET",
    "PRAGMA main.writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = OFF",
    "PRAGMA main . journal_mode(DELETE)",
    "PRAGMA \"journal_mode\" = DELETE",
    "PRAGMA/**/[journal_mode]/**/=/**/DELETE",
    "PRAGMA synchronous = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store_directory = '{}'",
    "PRAGMA data_store_directory = '{}'",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA max_page_count = 1000000000",
    "PRAGMA trusted_schema = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA legacy_alter_table = ON",
    "PRAGMA cell_size_check = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA key = 'x'",
    "PRAGMA rekey = 'x'",
    "PRAGMA mmap_size = 1000000000",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA soft_heap_limit = 1",
    "PRAGMA cache_size = 1000000000",
    "PRAGMA cache_spill = OFF",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
    "PRAGMA schema_version = 7",
    "PRAGMA busy_timeout = 1000000",
    "PRAGMA query_only = ON",
    "PRAGMA threads = 8",
    "PRAGMA secure_delete = ON",
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA incremental_vacuum(1)",
    "PRAGMA page_size = 512",
    "PRAGMA encoding = 'UTF-16'",
    "PRAGMA database_list",
    "PRAGMA module_list",
    "PRAGMA optimize",
    "PRAGMA shrink_memory",
    "SELECT * FROM pragma_writable_schema",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_journal_mode('delete')",
    "SELECT * FROM pragma_max_page_count",
    "EXPLAIN ATTACH '{}/out.db' AS other",
    // What is beneath the tables.
    "DELETE FROM sqlite_schema",
    "DELETE FROM sqlite_master",
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (n)' WHERE name = 't'",
    "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (n)')",
    "DROP TABLE sqlite_schema",
    "REPLACE INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (n)')",
    "WITH x AS (SELECT 1) DELETE FROM sqlite_schema",
    "CREATE TRIGGER x AFTER INSERT ON sqlite_schema BEGIN SELECT 1; END",
    "CREATE TABLE sqlite_x (n INTEGER) STRICT",
    "SELECT * FROM sqlite_dbpage",
    "UPDATE sqlite_dbpage SET data = zeroblob(4096)",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM dbstat",
    "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM tables_used('SELECT 1')",
    "UPDATE words_data SET block = x'00'",
    "DELETE FROM words_config",
    "DROP TABLE words_content",
    // What lives for one connection.
    "CREATE TEMP TABLE x (n INTEGER) STRICT",
    "CREATE TEMPORARY TABLE x AS SELECT 1",
    "CREATE TABLE temp.x (n INTEGER) STRICT",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER temp.x AFTER INSERT ON main.t BEGIN SELECT 1; END",
    "CREATE INDEX temp.x ON t (n)",
    "INSERT INTO temp.sqlite_schema VALUES ('table', 'x', 'x', 2, '')",
    // Modules that hold more than tables.
    "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
    "CREATE VIRTUAL TABLE x USING dbstat",
    "CREATE VIRTUAL TABLE x USING sqlite_dbpage",
    "CREATE VIRTUAL TABLE x USING fts3(a)",
    "CREATE VIRTUAL TABLE x USING fts4(a, tokenize=icu)",
    "CREATE VIRTUAL TABLE x USING fts3tokenize('simple')",
    "CREATE VIRTUAL TABLE temp.x USING fts5(a)",
    "CREATE VIRTUAL TABLE x USING nothing",
    // Tables that take values of any type.
    "CREATE TABLE x (n INTEGER)",
    "CREATE TABLE IF NOT EXISTS x (n INTEGER) WITHOUT ROWID",
    "CREATE TABLE x AS SELECT 1 AS n",
    // In the place of the host's list.
    "CREATE TABLE streamspace_migrations (n INTEGER) STRICT",
    "CREATE TABLE \"STREAMSPACE_migrations\" (n INTEGER) STRICT",
    "CREATE VIEW streamspace_migrations AS SELECT 1",
    "CREATE VIRTUAL TABLE streamspace_migrations USING fts5(a)",
    "ALTER TABLE t RENAME TO streamspace_migrations",
    "ALTER TABLE t RENAME TO sqlite_x",
    "ALTER TABLE words RENAME TO streamspace_migrations",
    "DROP TABLE IF EXISTS main . [streamspace_migrations]",
    "INSERT OR REPLACE INTO `streamspace_migrations` SELECT 1, 'x', 'x', 'x'",
    // Names that look like others.
    "\u{ff21}TTACH '{}/out.db' AS other",
    "ATTACH\u{a0}'{}/out.db' AS other",
    "\u{feff}VACUUM INTO '{}/out.db'",
];

fn start(host: &Host) -> Plugin {
    let plugin = host.start("escapes");
    plugin.done("CREATE TABLE t (n INTEGER) STRICT");
    plugin.done("CREATE VIRTUAL TABLE words USING fts5(word)");
    plugin
}

fn outside(host: &Host) -> PathBuf {
    let outside = host.folder.path().join("outside");
    fs::create_dir_all(&outside).expect("a folder");
    outside
}

/// What is in the database: its tables and other things, with their SQL.
fn schema(plugin: &Plugin) -> Vec<(String, String, Option<String>)> {
    plugin.sql.query("SELECT type, name, sql FROM sqlite_schema ORDER BY name", params![]).expect("a schema")
}

#[test]
fn nothing_leads_out_of_the_file() {
    let host = Host::sqlite();
    let plugin = start(&host);
    let outside = outside(&host);
    let before = schema(&plugin);
    for escape in ESCAPES {
        let sql = escape.replace("{}", outside.to_str().expect("UTF-8"));
        // Twice: the second time it might be compiled already.
        for _ in 0..2 {
            assert!(plugin.exec(&sql).is_err(), "{sql}");
        }
        assert!(plugin.sql.query::<serde_json::Value>(&sql, params![]).is_err(), "{sql}");
        let within: Result<(), SdkError> =
            plugin.sql.transaction(|transaction| transaction.exec(&sql, params![]).map(drop));
        assert!(within.is_err(), "{sql}");
        assert_eq!(schema(&plugin), before, "{sql}");
    }
    assert_eq!(fs::read_dir(outside).expect("a folder").count(), 0);
    plugin.done("INSERT INTO t VALUES (1)");
    plugin.done("INSERT INTO words VALUES ('one')");
    let mode: String = sqlite_says(&host, "PRAGMA journal_mode");
    assert_eq!(mode, "wal");
}

/// What another connection to the file says.
fn sqlite_says(host: &Host, sql: &str) -> String {
    let file = host.data_of("escapes").join("database.db");
    rusqlite::Connection::open(file).expect("a file").query_row(sql, [], |row| row.get(0)).expect("a row")
}

#[test]
fn nothing_leads_out_of_the_file_with_parameters() {
    let host = Host::sqlite();
    let plugin = start(&host);
    let file = outside(&host).join("out.db");
    let path = file.to_str().expect("UTF-8");
    for sql in ["ATTACH $1 AS other", "VACUUM INTO $1", "ATTACH $1 AS main", "SELECT writefile($1, 'x')"] {
        assert!(plugin.sql.exec(sql, params![path]).is_err(), "{sql}");
    }
    assert!(!exists(&file));
}

#[test]
fn nothing_leads_out_of_the_file_in_a_migration() {
    let host = Host::sqlite();
    let outside = outside(&host);
    for (number, escape) in ESCAPES.iter().enumerate() {
        let sql = escape.replace("{}", outside.to_str().expect("UTF-8"));
        let plugin = format!("m{number}");
        let script = format!(
            "CREATE TABLE t (n INTEGER) STRICT; CREATE VIRTUAL TABLE words USING fts5(word);\n{sql};"
        );
        host.migration(&plugin, "1_escape/up.sql", &script);
        let why = host.try_start(&plugin).map(drop).expect_err(&sql);
        assert_eq!(why.code(), "SSP-DAT-114", "{sql}: {why}");
        assert!(why.to_string().contains("line 2 (statement 3)"), "{sql}: {why}");
    }
    assert_eq!(fs::read_dir(outside).expect("a folder").count(), 0);
}

#[test]
fn a_trigger_or_a_view_is_no_way_around() {
    let host = Host::sqlite();
    let plugin = start(&host);
    for sql in [
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT load_extension('x'); END",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM streamspace_migrations; END",
        "CREATE VIEW x AS SELECT load_extension('x')",
        "CREATE INDEX x ON t (load_extension('x'))",
        "CREATE TABLE x (n TEXT, m TEXT DEFAULT (load_extension('x'))) STRICT",
        "CREATE TABLE x (n TEXT, m TEXT GENERATED ALWAYS AS (load_extension(n))) STRICT",
        "CREATE TABLE x (n TEXT CHECK (writefile('x', n) > 0)) STRICT",
    ] {
        let _ = plugin.exec(sql);
        assert!(plugin.exec("INSERT INTO t VALUES (1)").is_ok() || plugin.count("t") == 0, "{sql}");
        assert!(plugin.exec("INSERT INTO x (n) VALUES ('a')").is_err(), "{sql}");
        for kind in ["TRIGGER", "VIEW", "INDEX", "TABLE"] {
            let _ = plugin.exec(&format!("DROP {kind} x"));
        }
        plugin.done("DELETE FROM t");
    }
    let applied = sqlite_says(&host, "SELECT CAST(COUNT(*) AS TEXT) FROM streamspace_migrations");
    assert_eq!(applied, "0");
}

#[test]
fn what_plugins_need_is_allowed() {
    let host = Host::sqlite();
    let plugin = start(&host);
    for sql in [
        "CREATE TABLE IF NOT EXISTS a (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP) STRICT",
        "CREATE UNIQUE INDEX a_t ON a (t)",
        "CREATE INDEX a_part ON a (lower(t)) WHERE t IS NOT NULL",
        "CREATE VIEW v AS SELECT id, t FROM a",
        "CREATE TRIGGER r AFTER INSERT ON a BEGIN INSERT INTO t VALUES (NEW.id); END",
        "INSERT INTO a (t) VALUES ('x') ON CONFLICT (t) DO UPDATE SET t = excluded.t",
        "ALTER TABLE a ADD COLUMN n INTEGER",
        "ALTER TABLE a RENAME COLUMN n TO m",
        "ALTER TABLE a DROP COLUMN m",
        "ALTER TABLE a RENAME TO b",
        "PRAGMA table_info(b)",
        "PRAGMA foreign_key_check",
        "PRAGMA integrity_check",
        "PRAGMA user_version",
        "SELECT * FROM pragma_table_info('b')",
        "SELECT * FROM pragma_table_list",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT datetime('now'), strftime('%Y', 'now'), random(), hex(randomblob(8))",
        "INSERT INTO words VALUES ('hello world')",
        "SELECT highlight(words, 0, '<', '>') FROM words WHERE words MATCH 'hello' ORDER BY rank",
        "INSERT INTO words (words) VALUES ('rebuild')",
        "INSERT INTO words (words) VALUES ('optimize')",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
        "INSERT INTO boxes VALUES (1, 0, 1)",
        "SELECT id FROM boxes WHERE x0 >= 0",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT sum(i) OVER () FROM n",
        "EXPLAIN QUERY PLAN SELECT * FROM b",
        "ANALYZE",
        "REINDEX",
        "DROP TRIGGER r",
        "DROP VIEW v",
        "DROP INDEX a_part",
        "DROP TABLE b",
        "DROP TABLE words",
        "DROP TABLE boxes",
    ] {
        plugin.done(sql);
        // And once more, now that it is in the cache: but for what is there or gone already.
        if sql.starts_with("SELECT") || sql.starts_with("PRAGMA") {
            plugin.done(sql);
        }
    }
}
