//! Secrets of a configuration: found, hidden, and put back.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::place::Place;

/// What stands in the place of a secret that is shown.
pub const REDACTED: &str = "[secret]";

/// Shortest secret that is looked for in logs, in characters: a shorter one would hide ordinary words.
const MIN_CHARS: usize = 6;

/// Collects the texts of all secrets in `value`.
pub(super) fn collect(place: &Place<'_>, value: &Value, found: &mut BTreeSet<String>) {
    if place.is_secret() {
        return collect_all(value, found);
    }
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| collect(&place.key(key), value, found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| collect(&place.item(i), item, found))
        }
        _ => {}
    }
}

fn collect_all(value: &Value, found: &mut BTreeSet<String>) {
    let mut add = |text: &str| {
        if text.chars().count() >= MIN_CHARS && text != REDACTED {
            found.insert(text.to_owned());
        }
    };
    match value {
        Value::String(text) => add(text),
        Value::Number(number) => add(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect_all(item, found)),
        Value::Object(object) => object.values().for_each(|value| collect_all(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// `value` with [`REDACTED`] for each secret. What is not set, `null` or an empty string, stays as it is.
pub(super) fn redact(place: &Place<'_>, value: &Value) -> Value {
    if place.is_secret() {
        return if is_unset(value) { value.clone() } else { REDACTED.into() };
    }
    match value {
        Value::Object(object) => Value::Object(
            object.iter().map(|(key, value)| (key.clone(), redact(&place.key(key), value))).collect(),
        ),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| redact(&place.item(i), item)).collect()
        }
        scalar => scalar.clone(),
    }
}

fn is_unset(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// `new` with the secrets of `old` where it holds [`REDACTED`]. `None` where there is nothing to put back: the mark itself
/// must never become a password.
pub(super) fn unredact(place: &Place<'_>, new: Value, old: Option<&Value>) -> Option<Value> {
    if place.is_secret() && new == REDACTED {
        return old.cloned();
    }
    Some(match new {
        Value::Object(object) => {
            let put_back = |(key, value): (String, Value)| {
                let before = old.and_then(|old| old.as_object()?.get(&key));
                let value = unredact(&place.key(&key), value, before)?;
                Some((key, value))
            };
            Value::Object(object.into_iter().filter_map(put_back).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let before = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let partners = partners(&items, before);
            items
                .into_iter()
                .zip(partners)
                .enumerate()
                .filter_map(|(i, (item, partner))| {
                    unredact(&place.item(i), item, partner.and_then(|index| before.get(index)))
                })
                .collect()
        }
        scalar => scalar,
    })
}

/// For each item the old one it is the new version of: the one of the same `name` (the n-th of them for the n-th), or, for an
/// item without a name, the one at the same index. A name that is new has none: it must not inherit another's secret.
fn partners(items: &[Value], old: &[Value]) -> Vec<Option<usize>> {
    let name = |item: &Value| item.as_object()?.get("name").map(Value::to_string);
    let mut named: HashMap<String, VecDeque<usize>> = HashMap::new();
    for (i, item) in old.iter().enumerate() {
        if let Some(name) = name(item) {
            named.entry(name).or_default().push_back(i);
        }
    }
    let partner = |(i, item)| match name(item) {
        Some(name) => named.get_mut(&name)?.pop_front(),
        None => old.get(i).filter(|before| name(before).is_none()).map(|_| i),
    };
    items.iter().enumerate().map(partner).collect()
}
