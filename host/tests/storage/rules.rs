//! What the model does not show: limits, other plugins, and what a purge leaves.

use std::{fs, os::unix::fs::PermissionsExt};

use streamspace_host::storage::{Action, Expected, StorageError};
use streamspace_tests::{Backend, on_both_backends};

use crate::support::{Place, add, change, delete, make, set, value};

on_both_backends!(
    a_key_is_1_to_512_bytes_without_nul,
    a_value_and_a_batch_have_limits,
    a_list_of_large_values_ends_early_and_goes_on_behind,
    plugins_do_not_see_each_other_and_a_purge_removes_one_of_them,
    a_conflict_names_the_key_and_not_the_value,
    what_is_no_integer_is_not_added_to,
    keys_that_expired_are_swept_when_others_are_written,
    a_revision_is_not_used_again_for_a_key_that_was_deleted,
);

fn a_key_is_1_to_512_bytes_without_nul(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    for key in ["", "a\0b", &"x".repeat(513), &"é".repeat(257)] {
        assert!(matches!(make(&keys, set(key, b"1")), Err(StorageError::Invalid { .. })), "{key:?}");
        assert!(matches!(keys.get(key), Err(StorageError::Invalid { .. })), "{key:?}");
    }
    for key in ["\u{10ffff}".repeat(128), "x".repeat(512), " ".to_owned(), "\n".to_owned()] {
        make(&keys, set(&key, b"1")).unwrap();
        assert_eq!(value(&keys, &key).unwrap(), b"1");
        let whole = keys.list(&key, "", 0, false).unwrap();
        assert_eq!(whole.len(), 1, "{key:?}");
    }
}

fn a_value_and_a_batch_have_limits(backend: &Backend) {
    let place = Place::with(backend, |config| config.database.max_value_bytes = 2048);
    let keys = place.keys();
    make(&keys, set("a", &[b'1'; 2048])).unwrap();
    let why = make(&keys, set("b", &[b'1'; 2049])).unwrap_err();
    assert!(why.to_string().contains("2048 bytes (`database.max_value_bytes`)"), "{why}");
    let names: Vec<String> = (0..1001).map(|number| format!("n{number}")).collect();
    let many = |count: usize| names.iter().take(count).map(|name| set(name, b"1")).collect::<Vec<_>>();
    assert!(matches!(keys.apply(many(1001)), Err(StorageError::TooLarge { .. })));
    assert_eq!(keys.apply(many(1000)).unwrap().len(), 1000);
    assert_eq!(keys.list("n", "", 1000, false).unwrap().len(), 1000);
    assert!(matches!(keys.list("n", "", 1001, false), Err(StorageError::TooLarge { .. })));
    assert_eq!(keys.apply(Vec::new()).unwrap(), []);
}

fn a_list_of_large_values_ends_early_and_goes_on_behind(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    let large = vec![b'1'; 3 * 1024 * 1024];
    for key in ["a", "b", "c"] {
        make(&keys, set(key, &large)).unwrap();
    }
    let mut after = String::new();
    let mut found = Vec::new();
    loop {
        let page = keys.list("", &after, 10, true).unwrap();
        let Some(last) = page.last() else { break };
        after = last.key.to_string();
        assert_eq!(page.len(), 1);
        found.push(after.clone());
    }
    assert_eq!(found, ["a", "b", "c"]);
    assert_eq!(keys.list("", "", 10, false).unwrap().len(), 3);
}

fn plugins_do_not_see_each_other_and_a_purge_removes_one_of_them(backend: &Backend) {
    let place = Place::on(backend);
    let (one, other) = (place.storage.of("one"), place.storage.of("one-more"));
    make(&one, set("a", b"1")).unwrap();
    make(&other, set("a", b"2")).unwrap();
    assert_eq!((value(&one, "a").unwrap(), value(&other, "a").unwrap()), (b"1".to_vec(), b"2".to_vec()));
    if matches!(backend, Backend::Sqlite) {
        let folder = place.folder.path().join("data/plugin-data/one");
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.clone()), 0o700);
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(entry.unwrap().path()), 0o600);
        }
        fs::write(folder.join("database.db"), "another room's").unwrap();
    }
    drop(one);
    place.storage.purge("one").unwrap();
    place.storage.purge("one").unwrap();
    place.storage.purge("never-there").unwrap();
    if matches!(backend, Backend::Sqlite) {
        let folder = place.folder.path().join("data/plugin-data/one");
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["database.db"]);
    }
    assert_eq!(value(&place.storage.of("one"), "a"), None);
    assert_eq!(value(&other, "a").unwrap(), b"2");
}

fn a_conflict_names_the_key_and_not_the_value(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    let first = make(&keys, set("token", b"\"s3cret\"")).unwrap();
    let action = || Action::Set(b"\"other\""[..].into());
    let batch = vec![set("beside", b"1"), change("token", action(), Expected::Absent)];
    let why = keys.apply(batch).unwrap_err();
    assert!(matches!(&why, StorageError::Conflict { key, .. } if key == "token"));
    assert!(why.to_string().contains("`token`") && !why.to_string().contains("s3cret"), "{why}");
    assert_eq!(value(&keys, "beside"), None);
    make(&keys, change("token", action(), Expected::Revision(first.revision))).unwrap();
    let late = make(&keys, change("token", action(), Expected::Revision(first.revision)));
    assert!(matches!(late, Err(StorageError::Conflict { .. })));
}

fn what_is_no_integer_is_not_added_to(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    let long = format!("{}7", " ".repeat(100));
    for (key, value) in
        [("text", "\"7\""), ("real", "7.5"), ("large", "9223372036854775808"), ("long", &long)]
    {
        make(&keys, set(key, value.as_bytes())).unwrap();
        let why = make(&keys, add(key, 1)).unwrap_err();
        assert!(matches!(why, StorageError::Invalid { .. }), "{key}: {why}");
        assert!(!why.to_string().contains(value), "{why}");
    }
    make(&keys, add("most", i64::MAX)).unwrap();
    assert!(matches!(make(&keys, add("most", 1)), Err(StorageError::Invalid { .. })));
    assert_eq!(make(&keys, add("most", i64::MIN)).unwrap().number, -1);
    assert_eq!(make(&keys, delete("most")).unwrap().number, 1);
    assert_eq!(make(&keys, delete("most")).unwrap().number, 0);
}

fn keys_that_expired_are_swept_when_others_are_written(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    let names: Vec<String> = (0..350).map(|number| format!("n{number}")).collect();
    keys.apply(
        names.iter().map(|name| streamspace_host::storage::Change { ttl_us: 5, ..set(name, b"1") }).collect(),
    )
    .unwrap();
    place.advance(10);
    assert!(keys.list("", "", 0, false).unwrap().is_empty(), "they are invisible at once");
    for number in 0..10 {
        place.advance(2_000_000);
        make(&keys, set(&format!("other{number}"), b"1")).unwrap();
    }
    // Those that are still there would be counted.
    assert_eq!(keys.remove_prefix("n").unwrap(), 0);
}

fn a_revision_is_not_used_again_for_a_key_that_was_deleted(backend: &Backend) {
    let mut place = Place::on(backend);
    let old = make(&place.keys(), set("a", b"1")).unwrap().revision;
    make(&place.keys(), delete("a")).unwrap();
    // Not even by a host whose clock was set back.
    place.clock.store(1, std::sync::atomic::Ordering::SeqCst);
    place.reopen();
    assert!(make(&place.keys(), set("a", b"2")).unwrap().revision > old);
}
