//! Changes, and what they come to: worked out before anything is written, so that a backend writes what holds and never
//! takes anything back.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use streamspace_plugin::storage::Applied;

use super::StorageError;

/// What a change does to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<'a> {
    /// Puts a value there.
    Set(Cow<'a, [u8]>),
    /// Removes it.
    Delete,
    /// Adds to the integer that is there.
    Add(i64),
}

/// What must hold for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Any,
    /// It is not there.
    Absent,
    /// It has this revision.
    Revision(u64),
}

/// A change of one key. Its parts were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// What is done to it.
    pub action: Action<'a>,
    /// After how many microseconds it goes by itself, 0 for never.
    pub ttl_us: u64,
    /// What must hold.
    pub expected: Expected,
}

impl Change<'_> {
    /// Whether what is there decides what becomes of it.
    fn depends(&self) -> bool {
        self.expected != Expected::Any || !matches!(self.action, Action::Set(_))
    }

    fn into_owned(self) -> Change<'static> {
        Change {
            key: Cow::Owned(self.key.into_owned()),
            action: match self.action {
                Action::Set(value) => Action::Set(Cow::Owned(value.into_owned())),
                Action::Delete => Action::Delete,
                Action::Add(amount) => Action::Add(amount),
            },
            ttl_us: self.ttl_us,
            expected: self.expected,
        }
    }
}

/// What one caller wants to have written.
#[derive(Debug)]
pub(super) enum Write<'a> {
    /// Changes, all of them or none.
    Changes(Vec<Change<'a>>),
    /// Every key that begins with a text goes. Answered by one `Applied` with their number.
    RemovePrefix(Cow<'a, str>),
}

impl Write<'_> {
    pub(super) fn into_owned(self) -> Write<'static> {
        match self {
            Self::Changes(changes) => Write::Changes(changes.into_iter().map(Change::into_owned).collect()),
            Self::RemovePrefix(prefix) => Write::RemovePrefix(Cow::Owned(prefix.into_owned())),
        }
    }
}

/// What became of a caller's write.
pub(super) type Answer = Result<Vec<Applied>, StorageError>;

/// What is stored under a key.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    pub(super) value: Cow<'a, [u8]>,
    pub(super) revision: u64,
    pub(super) expires_us: u64,
}

/// A value longer than this is no integer, and is not read to add to it.
pub(super) const LONGEST_INTEGER: usize = 32;

/// The keys whose rows [`plan`] needs.
pub(super) fn keys_to_read<'a>(sets: &[&'a [Change<'a>]]) -> BTreeSet<&'a str> {
    let changes = sets.iter().flat_map(|set| set.iter());
    changes.filter(|change| change.depends()).map(|change| &*change.key).collect()
}

/// What sets of changes come to.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// For each set.
    pub(super) answers: Vec<Answer>,
    /// What is to be stored under the keys that change; `None` for those that go.
    pub(super) after: Overlay<'a>,
}

/// What keys come to have, as far as they were changed.
pub(super) type Overlay<'a> = BTreeMap<&'a str, Option<Row<'a>>>;

/// Works out sets of changes, one after the other. `before` has the rows of [`keys_to_read`], as far as there are any.
pub(super) fn plan<'a>(
    sets: &[&'a [Change<'a>]],
    before: &HashMap<String, Row<'static>>,
    now_us: u64,
    mut revision: impl FnMut() -> u64,
) -> Plan<'a> {
    let mut plan = Plan { answers: Vec::with_capacity(sets.len()), after: Overlay::new() };
    for set in sets {
        let mut own = Overlay::new();
        let answer = set
            .iter()
            .map(|change| {
                let key: &'a str = &change.key;
                let row = own.get(key).or_else(|| plan.after.get(key)).map(Option::as_ref);
                let row =
                    row.unwrap_or_else(|| before.get(key)).filter(|row| !is_over(row.expires_us, now_us));
                let (after, applied) = work_out(change, row, now_us, &mut revision)?;
                own.insert(key, after);
                Ok(applied)
            })
            .collect::<Answer>();
        if answer.is_ok() {
            plan.after.extend(own);
        }
        plan.answers.push(answer);
    }
    plan
}

fn work_out<'a>(
    change: &'a Change<'a>,
    row: Option<&Row<'_>>,
    now_us: u64,
    revision: &mut impl FnMut() -> u64,
) -> Result<(Option<Row<'a>>, Applied), StorageError> {
    let holds = match change.expected {
        Expected::Any => true,
        Expected::Absent => row.is_none(),
        Expected::Revision(revision) => row.is_some_and(|row| row.revision == revision),
    };
    if !holds {
        return Err(StorageError::Conflict {
            key: change.key.to_string(),
            expected: match change.expected {
                Expected::Revision(revision) => format!("revision {revision}"),
                _ => "no such key".to_owned(),
            },
            found: row.map_or_else(|| "no such key".to_owned(), |row| format!("revision {}", row.revision)),
        });
    }
    let expires_us = expires(change.ttl_us, now_us);
    match &change.action {
        Action::Set(value) => {
            let revision = revision();
            let value = Cow::Borrowed(&**value);
            Ok((Some(Row { value, revision, expires_us }), Applied { revision, number: 0 }))
        }
        Action::Delete => Ok((None, Applied { revision: 0, number: i64::from(row.is_some()) })),
        Action::Add(amount) => {
            let invalid = |reason: &str| StorageError::Invalid {
                what: format!("adding to the key `{}`", change.key),
                reason: reason.to_owned(),
            };
            let number = match row {
                None => 0,
                Some(row) => serde_json::from_slice::<i64>(&row.value)
                    .map_err(|_| invalid("expected an integer of 64 bits there, found something else"))?,
            };
            let number =
                number.checked_add(*amount).ok_or_else(|| invalid("the sum does not fit into 64 bits"))?;
            let revision = revision();
            let value = Cow::Owned(number.to_string().into_bytes());
            // A counter that is there keeps its own time.
            let expires_us = row.map_or(expires_us, |row| row.expires_us);
            Ok((Some(Row { value, revision, expires_us }), Applied { revision, number }))
        }
    }
}

/// Whether a key that expires then is gone.
pub(super) fn is_over(expires_us: u64, now_us: u64) -> bool {
    expires_us > 0 && expires_us <= now_us
}

/// When a key goes that is set now. Databases have signed integers.
pub(super) fn expires(ttl_us: u64, now_us: u64) -> u64 {
    if ttl_us == 0 { 0 } else { now_us.saturating_add(ttl_us).min(i64::MAX as u64) }
}

/// The least text that is greater than every text with this prefix; `None` if there is none.
///
/// The order of UTF-8's bytes is that of the characters.
pub(super) fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters.
        let next = (u32::from(last) + 1..=0xE000).chain([u32::from(last) + 1]).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_character() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("", None),
            ("a\u{10FFFF}", Some("b")),
            ("\u{10FFFF}", None),
            ("\u{D7FF}", Some("\u{E000}")),
            ("\u{7F}", Some("\u{80}")),
            ("%_", Some("%`")),
        ] {
            assert_eq!(behind(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    fn set(key: &str, expected: Expected) -> Change<'_> {
        let action = Action::Set(Cow::Borrowed(b"1"));
        Change { key: key.into(), action, ttl_us: 0, expected }
    }

    #[test]
    fn a_set_whose_condition_fails_leaves_no_trace_and_others_do_not_see_it() {
        let first = [set("a", Expected::Any), set("b", Expected::Revision(7))];
        let second = [set("a", Expected::Absent)];
        let mut next = 0;
        let plan = plan(&[&first, &second], &HashMap::new(), 0, || {
            next += 1;
            next
        });
        assert!(matches!(&plan.answers[0], Err(StorageError::Conflict { key, .. }) if key == "b"));
        assert!(plan.answers[1].is_ok());
        assert_eq!(plan.after.keys().copied().collect::<Vec<_>>(), ["a"]);
    }
}
