//! A plugin's file is full or locked, the disk takes nothing, the file is no storage: errors, and what comes after them.

use std::{env, fs, process::Command};

use streamspace_host::storage::StorageError;
use streamspace_tests::Backend;

use crate::support::{Place, delete, make, set, value};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_full_file_refuses_what_is_too_much_and_takes_again_what_has_room() {
    let place = Place::with(&Backend::Sqlite, |config| config.database.max_plugin_bytes = MIB);
    let keys = place.keys();
    let large = vec![b'1'; 100 * 1024];
    let mut stored = 0;
    let why = loop {
        match make(&keys, set(&format!("k{stored}"), &large)) {
            Ok(_) => stored += 1,
            Err(why) => break why,
        }
        assert!(stored < 20, "the limit does not hold");
    };
    assert!(matches!(why, StorageError::Full { limit: MIB }), "{why}");
    assert!(stored >= 8, "{stored}");
    for _ in 0..3 {
        assert!(matches!(make(&keys, set("more", &large)), Err(StorageError::Full { .. })));
    }
    assert_eq!(value(&keys, "k0").unwrap(), large);
    make(&keys, set("k0", b"1")).unwrap();
    make(&keys, set("more", &large)).unwrap();
    make(&keys, delete("k1")).unwrap();
    assert_eq!(keys.remove_prefix("k").unwrap(), stored - 1);
}

#[test]
fn a_caller_whose_value_is_too_much_does_not_take_others_with_it() {
    let place = Place::with(&Backend::Sqlite, |config| config.database.max_plugin_bytes = MIB);
    let keys = place.keys();
    let large = vec![b'1'; 2 * 1024 * 1024];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (keys, large) = (&keys, &large);
            scope.spawn(move || {
                for number in 0..20 {
                    let key = format!("{thread}/{number}");
                    if thread == 0 {
                        assert!(matches!(make(keys, set(&key, large)), Err(StorageError::Full { .. })));
                    } else {
                        make(keys, set(&key, b"1")).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(keys.list("", "", 1000, false).unwrap().len(), 60);
}

#[test]
fn a_file_that_is_no_storage_is_named_and_left_alone() {
    let place = Place::on(&Backend::Sqlite);
    let folder = place.folder.path().join("data/plugin-data/a-plugin");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("storage.db");
    fs::write(&file, "no database at all, but long enough to look like one".repeat(100)).unwrap();
    let keys = place.keys();
    let why = make(&keys, set("a", b"1")).unwrap_err();
    assert!(matches!(&why, StorageError::Damaged { path, .. } if *path == file), "{why}");
    // Whoever puts it right need not restart the host.
    fs::remove_file(&file).unwrap();
    make(&keys, set("a", b"1")).unwrap();
}

#[test]
fn a_file_that_somebody_else_locks_is_busy_for_those_who_write_and_not_for_those_who_read() {
    let place = Place::with(&Backend::Sqlite, |config| config.database.wait_deadline_secs = 1);
    let keys = place.keys();
    make(&keys, set("a", b"1")).unwrap();
    let file = place.folder.path().join("data/plugin-data/a-plugin/storage.db");
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM storage").unwrap();
    assert!(matches!(make(&keys, set("a", b"2")), Err(StorageError::Busy { .. })));
    assert!(matches!(make(&keys, delete("a")), Err(StorageError::Busy { .. })));
    assert_eq!(value(&keys, "a").unwrap(), b"1");
    other.execute_batch("ROLLBACK").unwrap();
    make(&keys, set("a", b"2")).unwrap();
    assert_eq!(value(&keys, "a").unwrap(), b"2");
}

/// What the child of the next test does: its files may have 512 KiB.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    if env::var_os("TEST_STORAGE_CHILD").is_none() {
        return;
    }
    let place = Place::on(&Backend::Sqlite);
    let keys = place.keys();
    make(&keys, set("small", b"1")).unwrap();
    let large = vec![b'1'; MIB as usize];
    for _ in 0..2 {
        let why = make(&keys, set("large", &large)).unwrap_err();
        assert!(matches!(why, StorageError::File { .. }), "{why}");
        assert!(why.to_string().contains("disk"), "{why}");
        assert_eq!(value(&keys, "small").unwrap(), b"1");
        assert_eq!(value(&keys, "large"), None);
        make(&keys, set("small", b"1")).unwrap();
    }
}

#[test]
fn a_disk_that_takes_no_more_is_an_error_and_what_fits_is_taken_still() {
    // A limit on the size of files stands for a full disk: the system refuses a write half-way.
    let script = r#"trap "" XFSZ; ulimit -f 1024; exec "$0" --exact quota::child --ignored --nocapture"#;
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .env("TEST_STORAGE_CHILD", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
