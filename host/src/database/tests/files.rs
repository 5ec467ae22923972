//! The file of a plugin's database, and that it is gone when it is to be gone.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).permissions().mode() & 0o777
}

#[test]
fn the_file_is_its_owners_alone() {
    let host = Host::sqlite();
    let plugin = host.start("private");
    plugin.done("CREATE TABLE t (n INTEGER) STRICT");
    let folder = host.data_of("private");
    assert_eq!(mode(&folder), 0o700);
    for file in ["database.db", "database.db-wal", "database.db-shm"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let host = Host::sqlite();
    host.start("kept").done("CREATE TABLE t (n INTEGER) STRICT");
    assert_eq!(host.start("kept").count("t"), 0);
}

#[test]
fn purging_removes_the_plugins_own_files_and_no_other() {
    let host = Host::sqlite();
    for plugin in ["gone", "gone-not"] {
        host.start(plugin).done("CREATE TABLE t (n INTEGER) STRICT");
    }
    let beside = host.data_of("gone").join("beside.txt");
    fs::write(&beside, "of another room").expect("a file");
    host.databases.purge("gone").expect("it is removed");
    let left: Vec<_> = fs::read_dir(host.data_of("gone")).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(exists(&beside));
    assert_eq!(host.start("gone-not").count("t"), 0);
    host.databases.purge("gone").expect("again");
    host.databases.purge("never-there").expect("nothing to do");
    fails(host.start("gone").exec("SELECT * FROM t"), FaultKind::SQL);
}

#[test]
fn what_is_no_database_is_an_error_with_its_path() {
    let host = Host::sqlite();
    fs::create_dir_all(host.data_of("broken")).expect("a folder");
    fs::write(
        host.data_of("broken").join("database.db"),
        "not a database, and long enough to see it".repeat(100),
    )
    .expect("a file");
    let why = host.try_start("broken").map(drop).expect_err("no database");
    assert_eq!(why.code(), "SSP-DAT-101");
    assert!(why.to_string().contains("broken/database.db"), "{why}");
}
