//! Many at once.

use std::thread;

use streamspace_host::storage::{Action, Expected, StorageError};
use streamspace_tests::{Backend, on_both_backends};

use crate::support::{Place, add, change, make, set, value};

const THREADS: usize = 8;
const EACH: usize = 50;

on_both_backends!(
    no_increment_is_lost,
    no_compare_and_set_is_lost_between_two_openings,
    one_callers_conflict_is_not_another_callers,
    readers_see_whole_batches,
);

fn no_increment_is_lost(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut last = 0;
                for _ in 0..EACH {
                    let number = make(&keys, add("count", 1)).unwrap().number;
                    assert!(number > last);
                    last = number;
                }
            });
        }
    });
    assert_eq!(value(&keys, "count").unwrap(), (THREADS * EACH).to_string().into_bytes());
}

fn no_compare_and_set_is_lost_between_two_openings(backend: &Backend) {
    let place = Place::on(backend);
    // As when a new version of a plugin begins while the old one ends.
    let openings = [place.keys(), place.keys()];
    make(&openings[0], set("count", b"0")).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let keys = &openings[thread % openings.len()];
            scope.spawn(move || {
                for _ in 0..EACH / 5 {
                    loop {
                        let stored = keys.get("count").unwrap().unwrap();
                        let number: u64 = serde_json::from_slice(&stored.value).unwrap();
                        let next = (number + 1).to_string().into_bytes();
                        let action = Action::Set(next.into());
                        match make(keys, change("count", action, Expected::Revision(stored.revision))) {
                            Ok(_) => break,
                            Err(StorageError::Conflict { .. }) => {}
                            Err(why) => panic!("{why}"),
                        }
                    }
                }
            });
        }
    });
    let expected = THREADS * (EACH / 5);
    assert_eq!(value(&openings[0], "count").unwrap(), expected.to_string().into_bytes());
}

fn one_callers_conflict_is_not_another_callers(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    make(&keys, set("taken", b"0")).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let keys = &keys;
            scope.spawn(move || {
                for number in 0..EACH {
                    let key = format!("{thread}/{number}");
                    let action = Action::Set(b"1"[..].into());
                    let batch = vec![set(&key, b"1"), change("taken", action, Expected::Absent)];
                    if thread % 2 == 0 {
                        make(keys, set(&key, b"1")).unwrap();
                    } else {
                        assert!(matches!(keys.apply(batch), Err(StorageError::Conflict { .. })));
                    }
                }
            });
        }
    });
    let stored = keys.list("", "", 1000, false).unwrap();
    let mut threads: Vec<_> = stored.iter().filter_map(|listed| listed.key.split_once('/')).collect();
    threads.retain(|(thread, _)| thread.parse::<usize>().unwrap() % 2 == 1);
    assert_eq!((stored.len(), threads.len()), (THREADS / 2 * EACH + 1, 0));
}

fn readers_see_whole_batches(backend: &Backend) {
    let place = Place::on(backend);
    let keys = place.keys();
    let batch = |value: &str| {
        let names = ["a", "b", "c"];
        keys.apply(names.iter().map(|name| set(name, value.as_bytes())).collect()).unwrap();
    };
    batch("0");
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=EACH).for_each(|number| batch(&number.to_string())));
        while !writer.is_finished() {
            let listed = keys.list("", "", 0, true).unwrap();
            let values: Vec<_> = listed.iter().map(|listed| listed.value.as_slice()).collect();
            assert!(values.len() == 3 && values.windows(2).all(|pair| pair[0] == pair[1]), "{values:?}");
        }
    });
}
