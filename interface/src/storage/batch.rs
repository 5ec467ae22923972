//! Changes that are made together.

use std::time::Duration;

use serde::Serialize;

use super::{Applied, ChangeKind, ChangeView, Expected, ExpectedKind, Storage, StorageError};
use crate::abi::{RSlice, RStr};

/// Changes that are made together: all of them, or none. Made by [`Storage::batch`].
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// fn paid(context: &Context, invoice: u32) -> Result<()> {
///     context
///         .storage()
///         .batch()
///         .delete(&format!("open/{invoice}"))
///         .insert(&format!("paid/{invoice}"), &invoice)
///         .increment("paid", 1)
///         .apply()?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "nothing is changed before `apply`"]
pub struct Batch {
    storage: Storage,
    changes: Vec<Change>,
    /// The first value that could not be written.
    failed: Option<StorageError>,
}

#[derive(Debug)]
struct Change {
    key: String,
    kind: ChangeKind,
    value: Vec<u8>,
    amount: i64,
    ttl_ms: u64,
    expected: Expected,
}

pub(super) const ANY: Expected = Expected { kind: ExpectedKind::ANY, revision: 0 };
pub(super) const ABSENT: Expected = Expected { kind: ExpectedKind::ABSENT, revision: 0 };

pub(super) fn at(revision: u64) -> Expected {
    Expected { kind: ExpectedKind::REVISION, revision }
}

/// Milliseconds, at least one: 0 would mean for ever.
pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl Batch {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage, changes: Vec::new(), failed: None }
    }

    fn push(mut self, key: &str, kind: ChangeKind, amount: i64, ttl_ms: u64, expected: Expected) -> Self {
        self.changes.push(Change { key: key.to_owned(), kind, value: Vec::new(), amount, ttl_ms, expected });
        self
    }

    fn put<T: Serialize + ?Sized>(mut self, key: &str, value: &T, ttl_ms: u64, expected: Expected) -> Self {
        match super::encode(key, value) {
            Ok(value) => self.changes.push(Change {
                key: key.to_owned(),
                kind: ChangeKind::SET,
                value,
                amount: 0,
                ttl_ms,
                expected,
            }),
            Err(why) => self.failed = self.failed.or(Some(why)),
        }
        self
    }

    /// As [`Storage::set`].
    pub fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Self {
        self.put(key, value, 0, ANY)
    }

    /// As [`Storage::set_for`].
    pub fn set_for<T: Serialize + ?Sized>(self, key: &str, value: &T, ttl: Duration) -> Self {
        self.put(key, value, millis(ttl), ANY)
    }

    /// Puts a value under a key; if the key is there already, nothing of the batch is done.
    pub fn insert<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Self {
        self.put(key, value, 0, ABSENT)
    }

    /// Puts a value under a key; if the key's revision is another one, nothing of the batch is done.
    pub fn compare_and_set<T: Serialize + ?Sized>(self, key: &str, revision: u64, value: &T) -> Self {
        self.put(key, value, 0, at(revision))
    }

    /// Removes a key, if it is there.
    pub fn delete(self, key: &str) -> Self {
        self.push(key, ChangeKind::DELETE, 0, 0, ANY)
    }

    /// Removes a key; if its revision is another one, nothing of the batch is done.
    pub fn compare_and_delete(self, key: &str, revision: u64) -> Self {
        self.push(key, ChangeKind::DELETE, 0, 0, at(revision))
    }

    /// As [`Storage::increment`].
    pub fn increment(self, key: &str, by: i64) -> Self {
        self.push(key, ChangeKind::ADD, by, 0, ANY)
    }

    /// As [`Storage::increment_for`].
    pub fn increment_for(self, key: &str, by: i64, ttl: Duration) -> Self {
        self.push(key, ChangeKind::ADD, by, millis(ttl), ANY)
    }

    /// `[worker]` `[setup]` Makes the changes in their order, and answers for each of them. At most 1000.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] when a condition does not hold; the message names its key. Nothing is changed whenever
    /// this fails, except that [`StorageError::TimedOut`] and [`StorageError::Unreachable`] may leave it open.
    pub fn apply(self) -> Result<Vec<Applied>, StorageError> {
        if let Some(why) = self.failed {
            return Err(why);
        }
        let views: Vec<ChangeView<'_>> = self
            .changes
            .iter()
            .map(|change| ChangeView {
                key: RStr::from_str(&change.key),
                kind: change.kind,
                value: RSlice::from_slice(&change.value),
                amount: change.amount,
                ttl_ms: change.ttl_ms,
                expected: change.expected,
            })
            .collect();
        self.storage.apply(&views)
    }
}
