//! Tables while another version takes a plugin's place, and the way back.

use super::*;

on_both!(
    a_version_that_is_kept_has_its_tables,
    what_is_taken_back_keeps_what_was_written_since,
    a_crash_leaves_the_way_back_to_the_next_start,
    what_an_older_version_does_not_know_is_undone_at_the_end,
    a_migration_that_fails_takes_those_before_it_along,
    without_a_way_down_there_is_the_copy_or_a_refusal,
    the_way_back_of_a_version_that_was_kept_is_nobodys,
    what_was_not_taken_back_is_before_the_next_upgrade,
);

const PERMISSIONS: [&str; 1] = ["database"];

/// Three versions: the second adds a column, and can take it away again if `with_down`. The third has the same tables.
fn versions(host: &Host, with_down: bool) {
    let strict = if host.server.is_none() { " STRICT" } else { "" };
    for version in ["old", "new", "next"] {
        host.migration(version, "0001_t/up.sql", &format!("CREATE TABLE t (a INTEGER){strict}"));
        host.migration(version, "0001_t/down.sql", "DROP TABLE t");
    }
    for version in ["new", "next"] {
        host.migration(version, "0002_b/up.sql", "ALTER TABLE t ADD COLUMN b INTEGER");
        if with_down {
            host.migration(version, "0002_b/down.sql", "ALTER TABLE t DROP COLUMN b");
        }
    }
}

/// Starts a version of the plugin `p`.
fn started(host: &Host, version: &str) -> Plugin {
    Plugin::of(host.databases.prepare("p", PERMISSIONS, &host.package(version)).expect("it starts"))
}

fn try_upgrade(host: &Host, from: &str, to: &str) -> Result<Plugin, DatabaseError> {
    host.databases.upgrade("p", PERMISSIONS, &host.package(from), &host.package(to)).map(Plugin::of)
}

fn has_b(plugin: &Plugin) -> bool {
    plugin.exec("UPDATE t SET b = 1 WHERE a = -1").is_ok()
}

fn a_version_that_is_kept_has_its_tables(host: &Host) {
    versions(host, true);
    let old = started(host, "old");
    let new = try_upgrade(host, "old", "new").expect("it fits");
    // Both, side by side.
    old.exec("INSERT INTO t (a) VALUES (1)").expect("the old one runs on");
    new.exec("INSERT INTO t (a, b) VALUES (2, 2)").expect("the new one runs");
    host.databases.finish("p", &host.package("old"), &host.package("new")).expect("nothing");
    host.databases.keep("p").expect("kept");
    drop((old, new));
    assert_eq!(started(host, "new").count("t"), 2);
}

fn what_is_taken_back_keeps_what_was_written_since(host: &Host) {
    versions(host, true);
    let old = started(host, "old");
    let new = try_upgrade(host, "old", "new").expect("it fits");
    new.exec("INSERT INTO t (a, b) VALUES (2, 2)").expect("the new one runs");
    drop(new);
    host.databases.take_back("p", &host.package("old"), &host.package("new")).expect("there is a way");
    assert!(!has_b(&old));
    assert_eq!(old.count("t"), 1);
}

fn a_crash_leaves_the_way_back_to_the_next_start(host: &Host) {
    versions(host, true);
    drop(started(host, "old"));
    drop(try_upgrade(host, "old", "new").expect("it fits"));
    let old = started(host, "old");
    assert!(!has_b(&old));
    drop(old);
    // The record was written, and then it crashed.
    drop(try_upgrade(host, "old", "new").expect("it fits"));
    let new = started(host, "new");
    assert!(has_b(&new) && !host.data_of("p").join("upgrade").exists());
}

fn what_an_older_version_does_not_know_is_undone_at_the_end(host: &Host) {
    versions(host, true);
    let new = started(host, "new");
    let (from, to) = (host.package("new"), host.package("old"));
    let old = try_upgrade(host, "new", "old").expect("it can be undone");
    assert!(has_b(&new), "while both are there");
    host.databases.finish("p", &from, &to).expect("undone");
    assert!(!has_b(&old));
    // Not kept after all.
    host.databases.take_back("p", &from, &to).expect("done again");
    assert!(has_b(&new));
    versions(host, false);
    fs::remove_file(from.join("migrations/sqlite/0002_b/down.sql")).expect("it was there");
    fs::remove_file(from.join("migrations/postgres/0002_b/down.sql")).expect("it was there");
    assert_eq!(try_upgrade(host, "new", "old").map(drop).expect_err("no way down").code(), "SSP-DAT-118");
}

fn a_migration_that_fails_takes_those_before_it_along(host: &Host) {
    versions(host, true);
    host.migration("new", "0003_c/up.sql", "NONSENSE");
    host.migration("new", "0003_c/down.sql", "SELECT 1");
    let old = started(host, "old");
    assert_eq!(try_upgrade(host, "old", "new").map(drop).expect_err("nonsense").code(), "SSP-DAT-114");
    assert!(!has_b(&old));
    drop(old);
    drop(started(host, "old"));
}

fn without_a_way_down_there_is_the_copy_or_a_refusal(host: &Host) {
    versions(host, false);
    let old = started(host, "old");
    old.exec("INSERT INTO t (a) VALUES (1)").expect("a row");
    let upgraded = try_upgrade(host, "old", "new");
    if host.server.is_some() {
        assert_eq!(upgraded.map(drop).expect_err("no way down").code(), "SSP-DAT-120");
        return;
    }
    let new = upgraded.expect("there is a copy");
    new.exec("INSERT INTO t (a, b) VALUES (2, 2)").expect("the new one runs");
    host.databases.take_back("p", &host.package("old"), &host.package("new")).expect("the copy");
    // Also for what was connected all the time.
    assert!(!has_b(&old) && !has_b(&new));
    assert_eq!(old.count("t"), 1);
}

/// The record was written, and nobody removed the mark: a version after that one does not lose its tables.
fn the_way_back_of_a_version_that_was_kept_is_nobodys(host: &Host) {
    versions(host, true);
    drop(started(host, "old"));
    let new = try_upgrade(host, "old", "new").expect("it fits");
    new.exec("INSERT INTO t (a, b) VALUES (2, 2)").expect("the new one runs");
    drop(new);
    let next = started(host, "next");
    assert_eq!(next.exec("DELETE FROM t WHERE b = 2").expect("the column is there"), 1);
    assert!(!host.data_of("p").join("upgrade").exists());
}

fn what_was_not_taken_back_is_before_the_next_upgrade(host: &Host) {
    versions(host, true);
    let old = started(host, "old");
    drop(try_upgrade(host, "old", "new").expect("it fits"));
    // Its files say how, and are damaged for now.
    for dialect in ["sqlite", "postgres"] {
        fs::write(host.package("new").join(format!("migrations/{dialect}/0002_b/down.sql")), "NONSENSE")
            .expect("written");
    }
    let copy = host.data_of("p").join("upgrade/database.before");
    if host.server.is_none() {
        fs::remove_file(copy).expect("there was a copy");
    }
    host.databases.take_back("p", &host.package("old"), &host.package("new")).expect_err("no way back");
    assert_eq!(try_upgrade(host, "old", "next").map(drop).expect_err("not before").code(), "SSP-DAT-114");
    versions(host, true);
    drop(try_upgrade(host, "old", "next").expect("it was taken back"));
    host.databases.take_back("p", &host.package("old"), &host.package("next")).expect("there is a way");
    assert!(!has_b(&old));
}
