//! Random calls, beside a model: a map with a clock.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use streamspace_host::storage::{Action, Change, Expected, StorageError};
use streamspace_tests::{Backend, on_both_backends};

use crate::support::{BEGIN, Place};

on_both_backends!(it_is_a_map_with_a_clock);

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Wanted>),
    Get(String),
    List { prefix: String, after: String, limit: usize, with_values: bool },
    RemovePrefix(String),
    Advance(u64),
    Reopen,
}

#[derive(Debug, Clone)]
struct Wanted {
    key: String,
    action: Action<'static>,
    ttl_us: u64,
    condition: Condition,
}

#[derive(Debug, Clone)]
enum Condition {
    Any,
    Absent,
    /// That the key is as it is now, or was this many changes ago.
    Now,
    Revision(u64),
}

#[derive(Debug, Clone)]
struct Value {
    bytes: Vec<u8>,
    revision: u64,
    expires_us: u64,
}

/// Keys that are each other's prefixes, wildcards, and several bytes a character: some on either side of surrogates.
fn key() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "%",
        "_",
        "\\",
        "'",
        "é",
        "z",
        "\u{7f}",
        "\u{80}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{10ffff}",
    ]);
    vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), key()]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let value = prop_oneof![
        4 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => vec(any::<u8>(), 0..40),
        1 => Just(b"\"text\"".to_vec()),
    ];
    let action = prop_oneof![
        4 => value.prop_map(|value| Action::Set(Cow::Owned(value))),
        2 => Just(Action::Delete),
        3 => prop_oneof![-3_i64..4, any::<i64>()].prop_map(Action::Add),
    ];
    let condition = prop_oneof![
        6 => Just(Condition::Any),
        1 => Just(Condition::Absent),
        2 => Just(Condition::Now),
        1 => any::<u64>().prop_map(Condition::Revision),
    ];
    (key(), action, prop_oneof![3 => Just(0), 1 => 1_u64..1000, 1 => Just(u64::MAX)], condition)
        .prop_map(|(key, action, ttl_us, condition)| Wanted { key, action, ttl_us, condition })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(wanted(), 1..6).prop_map(Step::Apply),
        4 => key().prop_map(Step::Get),
        4 => (prefix(), prefix(), 0_usize..6, any::<bool>())
            .prop_map(|(prefix, after, limit, with_values)| Step::List { prefix, after, limit, with_values }),
        1 => prefix().prop_map(Step::RemovePrefix),
        3 => (1_u64..2000).prop_map(Step::Advance),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Default)]
struct Model {
    values: BTreeMap<String, Value>,
    now_us: u64,
    /// The greatest revision so far.
    greatest: u64,
}

impl Model {
    fn visible(&self) -> BTreeMap<&String, &Value> {
        let there = |value: &Value| value.expires_us == 0 || value.expires_us > self.now_us;
        self.values.iter().filter(|(_, value)| there(value)).collect()
    }

    /// What one change comes to; the revision is not known yet.
    fn change(&mut self, change: &Change<'_>) -> Result<i64, ()> {
        let now = self.visible().get(&change.key.to_string()).map(|value| (*value).clone());
        let holds = match change.expected {
            Expected::Any => true,
            Expected::Absent => now.is_none(),
            Expected::Revision(revision) => now.as_ref().is_some_and(|value| value.revision == revision),
        };
        if !holds {
            return Err(());
        }
        let own = match change.ttl_us {
            0 => 0,
            ttl => self.now_us.saturating_add(ttl).min(i64::MAX as u64),
        };
        let (bytes, expires_us, number) = match &change.action {
            Action::Delete => {
                self.values.remove(&*change.key);
                return Ok(now.is_some().into());
            }
            Action::Set(bytes) => (bytes.to_vec(), own, 0),
            Action::Add(amount) => {
                let before = now.as_ref().map_or(Ok(0), |value| serde_json::from_slice::<i64>(&value.bytes));
                let sum = before.map_err(|_| ())?.checked_add(*amount).ok_or(())?;
                let expires = now.as_ref().map_or(own, |value| value.expires_us);
                (sum.to_string().into_bytes(), expires, sum)
            }
        };
        self.values.insert(change.key.to_string(), Value { bytes, revision: 0, expires_us });
        Ok(number)
    }
}

fn it_is_a_map_with_a_clock(backend: &Backend) {
    let shared = RefCell::new((Place::on(backend), 0));
    let cases = if matches!(backend, Backend::Sqlite) { 96 } else { 48 };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let outcome = runner.run(&vec(step(), 1..40), |steps| {
        let (place, plugins) = &mut *shared.borrow_mut();
        *plugins += 1;
        let plugin = format!("plugin-{plugins}");
        place.clock.store(BEGIN, std::sync::atomic::Ordering::SeqCst);
        let mut keys = place.storage.of(&plugin);
        let mut model = Model { now_us: BEGIN, ..Model::default() };
        for step in steps {
            match step {
                Step::Advance(micros) => {
                    place.advance(micros);
                    model.now_us += micros;
                }
                Step::Reopen => {
                    place.reopen();
                    keys = place.storage.of(&plugin);
                }
                Step::Get(key) => {
                    let found = keys.get(&key).unwrap();
                    let expected = model.visible().get(&key).map(|value| (*value).clone());
                    prop_assert_eq!(
                        found.map(|stored| (stored.value.into_vec(), stored.revision, stored.expires_us)),
                        expected.map(|value| (value.bytes, value.revision, value.expires_us))
                    );
                }
                Step::List { prefix, after, limit, with_values } => {
                    let listed = keys.list(&prefix, &after, limit, with_values).unwrap();
                    let visible = model.visible();
                    let expected = visible
                        .into_iter()
                        .filter(|(key, _)| key.starts_with(&prefix) && **key > after)
                        .take(if limit == 0 { 100 } else { limit })
                        .map(|(key, value)| {
                            let bytes = if with_values { value.bytes.clone() } else { Vec::new() };
                            (key.clone(), bytes, value.revision, value.expires_us)
                        })
                        .collect::<Vec<_>>();
                    let listed = listed
                        .into_iter()
                        .map(|listed| {
                            (
                                listed.key.into_string(),
                                listed.value.into_vec(),
                                listed.revision,
                                listed.expires_us,
                            )
                        })
                        .collect::<Vec<_>>();
                    prop_assert_eq!(listed, expected);
                }
                Step::RemovePrefix(prefix) => {
                    let removed = keys.remove_prefix(&prefix).unwrap();
                    let visible =
                        model.visible().keys().filter(|key| key.starts_with(&prefix)).count() as u64;
                    let all = model.values.keys().filter(|key| key.starts_with(&prefix)).count() as u64;
                    // Those whose time is over count as long as nobody has swept them away.
                    prop_assert!((visible..=all).contains(&removed), "{removed} of {visible} to {all}");
                    model.values.retain(|key, _| !key.starts_with(&prefix));
                }
                Step::Apply(wanted) => apply(&keys, &mut model, &wanted)?,
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|why| panic!("{why}"));
}

fn apply(
    keys: &streamspace_host::storage::PluginStorage,
    model: &mut Model,
    wanted: &[Wanted],
) -> Result<(), TestCaseError> {
    let changes: Vec<Change<'_>> = wanted
        .iter()
        .map(|wanted| Change {
            key: Cow::Borrowed(&wanted.key),
            action: wanted.action.clone(),
            ttl_us: wanted.ttl_us,
            expected: match wanted.condition {
                Condition::Any => Expected::Any,
                Condition::Absent => Expected::Absent,
                Condition::Now => model
                    .values
                    .get(&wanted.key)
                    .map_or(Expected::Absent, |value| Expected::Revision(value.revision)),
                Condition::Revision(revision) => Expected::Revision(revision),
            },
        })
        .collect();
    let before = model.values.clone();
    let mut numbers = Vec::new();
    for change in &changes {
        match model.change(change) {
            Ok(number) => numbers.push(number),
            Err(()) => {
                model.values = before;
                let why = keys.apply(changes).expect_err("the model refuses it");
                let refused = matches!(why, StorageError::Conflict { .. } | StorageError::Invalid { .. });
                prop_assert!(refused, "{}", why);
                return Ok(());
            }
        }
    }
    let applied = keys.apply(changes.clone()).unwrap();
    prop_assert_eq!(applied.iter().map(|applied| applied.number).collect::<Vec<_>>(), numbers);
    for (change, applied) in changes.iter().zip(applied) {
        if change.action == Action::Delete {
            prop_assert_eq!(applied.revision, 0);
        } else {
            prop_assert!(applied.revision > model.greatest, "{} after {}", applied.revision, model.greatest);
            model.greatest = applied.revision;
            // A later change of the same batch may have removed it.
            if let Some(value) = model.values.get_mut(&*change.key) {
                value.revision = applied.revision;
            }
        }
    }
    Ok(())
}
