//! Migrations, and what becomes of one that fails.

use super::*;

on_both!(
    each_is_applied_once_and_in_order,
    one_that_fails_leaves_nothing_and_says_where,
    packages_that_do_not_fit_the_data_are_refused,
    they_are_undone_to_a_version,
    what_was_applied_is_not_the_plugins_to_change,
    transactions_are_not_theirs,
    a_reference_that_leads_nowhere_fails_the_migration,
    they_need_the_permission,
);

fn strict(host: &Host) -> &'static str {
    if host.databases.dialect() == streamspace_plugin::database::Dialect::SQLITE { " STRICT" } else { "" }
}

fn visits(host: &Host, plugin: &str) {
    let strict = strict(host);
    let up =
        format!("-- Visits.\nCREATE TABLE visits (id INTEGER PRIMARY KEY, who TEXT NOT NULL){strict};\n");
    host.migration(plugin, "0001_visits/up.sql", &up);
    host.migration(plugin, "0001_visits/down.sql", "DROP TABLE visits;");
}

fn each_is_applied_once_and_in_order(host: &Host) {
    visits(host, "m");
    host.migration("m", "0002_first/up.sql", "INSERT INTO visits VALUES (1, 'a;b''c'); /* ; */ ;\n\n;");
    assert_eq!(host.start("m").count("visits"), 1);
    host.migration("m", "0003_second/up.sql", "INSERT INTO visits VALUES (2, 'b')");
    assert_eq!(host.start("m").count("visits"), 2);
    assert_eq!(host.start("m").count("visits"), 2);
}

fn one_that_fails_leaves_nothing_and_says_where(host: &Host) {
    visits(host, "m");
    let broken = "INSERT INTO visits VALUES (1, 'a');\n-- And\n\nINSERT INTO nowhere\n VALUES (1);";
    host.migration("m", "0002_broken/up.sql", broken);
    let why = host.try_start("m").map(drop).expect_err("it fails");
    assert_eq!(why.code(), "SSP-DAT-114");
    let text = why.to_string();
    assert!(text.contains("0002_broken/up.sql, line 4 (statement 2)") && text.contains("nowhere"), "{text}");
    // The one before it stays, and a better one is applied.
    host.migration("m", "0002_broken/up.sql", "INSERT INTO visits VALUES (1, 'a')");
    assert_eq!(host.start("m").count("visits"), 1);
}

fn packages_that_do_not_fit_the_data_are_refused(host: &Host) {
    let code = || host.try_start("m").map(drop).expect_err("it does not fit").code();
    visits(host, "m");
    host.migration("m", "0005_more/up.sql", "INSERT INTO visits VALUES (1, 'a')");
    host.start("m");
    host.migration("m", "0005_more/up.sql", "INSERT INTO visits VALUES (2, 'b')");
    assert_eq!(code(), "SSP-DAT-115");
    host.migration("m", "0005_more/up.sql", "INSERT INTO visits VALUES (1, 'a')");
    host.migration("m", "0003_late/up.sql", "INSERT INTO visits VALUES (3, 'c')");
    assert_eq!(code(), "SSP-DAT-117");
    fs::remove_dir_all(host.package("m")).expect("it was there");
    visits(host, "m");
    assert_eq!(code(), "SSP-DAT-116");
    host.migration("m", "0005_more/up.sql", "INSERT INTO visits VALUES (1, 'a')");
    assert_eq!(host.start("m").count("visits"), 1, "none of this did anything");
}

fn they_are_undone_to_a_version(host: &Host) {
    visits(host, "m");
    host.migration("m", "0002_a/up.sql", "INSERT INTO visits VALUES (2, 'a')");
    host.migration("m", "0002_a/down.sql", "DELETE FROM visits WHERE id = 2");
    host.migration("m", "0003_b/up.sql", "INSERT INTO visits VALUES (3, 'b')");
    let undo = |version| host.databases.rollback_to("m", &host.package("m"), version);
    assert_eq!(host.start("m").count("visits"), 2);
    assert_eq!(undo(1).expect_err("the third has no way back").code(), "SSP-DAT-118");
    host.migration("m", "0003_b/down.sql", "DELETE FROM nowhere");
    assert_eq!(undo(1).expect_err("nor is this one").code(), "SSP-DAT-114");
    host.migration("m", "0003_b/down.sql", "DELETE FROM visits WHERE id = 3");
    undo(1).expect("now there is");
    fs::remove_dir_all(host.package("m")).expect("it was there");
    visits(host, "m");
    assert_eq!(host.start("m").count("visits"), 0, "the older version fits again");
    undo(0).expect("all of them");
    assert_eq!(host.start("m").count("visits"), 0, "and it is made anew");
}

fn what_was_applied_is_not_the_plugins_to_change(host: &Host) {
    visits(host, "m");
    let plugin = host.start("m");
    let history = match host.databases.dialect() {
        streamspace_plugin::database::Dialect::SQLITE => "streamspace_migrations",
        _ => "streamspace.plugin_migrations",
    };
    for sql in [
        "DELETE FROM {}",
        "UPDATE {} SET version = 7",
        "INSERT INTO {} (version, name, sha256) VALUES (7, 'x', 'x')",
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN x TEXT",
        "ALTER TABLE {} RENAME TO mine",
        "CREATE INDEX mine ON {} (name)",
        "CREATE TRIGGER mine AFTER INSERT ON {} BEGIN SELECT 1; END",
        "WITH x AS (SELECT 1) DELETE FROM {}",
        "REPLACE INTO {} (version, name, sha256) VALUES (1, 'x', 'x')",
    ] {
        let sql = sql.replace("{}", history);
        assert!(plugin.exec(&sql).is_err(), "{sql}");
        assert!(plugin.exec(&sql.to_uppercase()).is_err(), "{sql}");
    }
    // Nor by a way around.
    let _ =
        plugin.exec(&format!("CREATE TRIGGER mine AFTER INSERT ON visits BEGIN DELETE FROM {history}; END"));
    let _ = plugin.exec("INSERT INTO visits VALUES (9, 'x')");
    host.start("m");
    host.migration("bad", "1_bad/up.sql", &format!("DELETE FROM {history}"));
    assert_eq!(host.try_start("bad").map(drop).expect_err("not in a migration either").code(), "SSP-DAT-114");
}

fn transactions_are_not_theirs(host: &Host) {
    visits(host, "m");
    for sql in ["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT x", "END"] {
        let script = format!("INSERT INTO visits VALUES (7, 'x'); {sql}; INSERT INTO visits VALUES (8, 'x')");
        host.migration("m", "0002_bad/up.sql", &script);
        assert_eq!(host.try_start("m").map(drop).expect_err(sql).code(), "SSP-DAT-114", "{sql}");
    }
    fs::remove_dir_all(host.package("m")).expect("it was there");
    visits(host, "m");
    assert_eq!(host.start("m").count("visits"), 0);
}

fn a_reference_that_leads_nowhere_fails_the_migration(host: &Host) {
    visits(host, "m");
    let notes = format!(
        "CREATE TABLE notes (visit INTEGER REFERENCES visits (id) DEFERRABLE INITIALLY DEFERRED){};
         INSERT INTO notes VALUES (99);",
        strict(host)
    );
    host.migration("m", "0002_notes/up.sql", &notes);
    assert_eq!(host.try_start("m").map(drop).expect_err("it leads nowhere").code(), "SSP-DAT-114");
    host.migration("m", "0002_notes/up.sql", &notes.replace("99", "NULL"));
    assert_eq!(host.start("m").count("notes"), 1);
}

fn they_need_the_permission(host: &Host) {
    visits(host, "m");
    let why =
        host.databases.prepare("m", ["events"], &host.package("m")).map(drop).expect_err("no permission");
    assert_eq!(why.code(), "SSP-DAT-112");
}

#[test]
fn a_trigger_that_the_hosts_own_statement_fires_is_the_plugins() {
    let host = Host::sqlite();
    visits(&host, "m");
    host.migration("m", "0002_more/up.sql", "INSERT INTO visits VALUES (1, 'a')");
    host.migration("m", "0002_more/down.sql", "DELETE FROM visits");
    let plugin = host.start("m");
    // What the host deletes from its list would go on to this table, and from there to a trigger.
    plugin.done(
        "CREATE TABLE trap (version INTEGER REFERENCES streamspace_migrations (version) ON DELETE CASCADE) STRICT",
    );
    plugin.done(
        "CREATE TRIGGER spring AFTER DELETE ON trap BEGIN UPDATE streamspace_migrations SET sha256 = 'x'; END",
    );
    plugin.done("INSERT INTO trap VALUES (2)");
    drop(plugin);
    let undone = host.databases.rollback_to("m", &host.package("m"), 1);
    assert_eq!(undone.expect_err("the trigger is not allowed").code(), "SSP-DAT-119");
    assert_eq!(host.start("m").count("visits"), 1, "nothing was done");
}

#[test]
fn a_table_that_is_not_strict_fails_the_migration() {
    let host = Host::sqlite();
    host.migration(
        "m",
        "1_lax/up.sql",
        "CREATE TABLE fine (n INTEGER) STRICT;\nCREATE TABLE lax (n INTEGER);",
    );
    let why = host.try_start("m").map(drop).expect_err("it is not strict").to_string();
    assert!(why.contains("line 2 (statement 2)") && why.contains("STRICT"), "{why}");
    assert_eq!(host.try_start("m").map(drop).expect_err("again").code(), "SSP-DAT-114");
}
