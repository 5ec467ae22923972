//! Keys and values: the host's storage, or memory in tests.

use std::{fmt, time::Duration};

use serde_json::Value;
use streamspace_plugin::prelude::{Context, StorageError};

/// One change of several that are made together.
#[derive(Debug)]
pub(crate) enum Change {
    /// Puts a value there, for a time or for good.
    Set(String, Value, Option<Duration>),
    /// Removes it.
    Delete(String),
}

/// Where a plugin's keys are.
pub(crate) trait Keys: fmt::Debug + Send + Sync {
    fn get(&self, key: &str) -> Result<Option<Value>, StorageError>;
    /// All of them, or none.
    fn apply(&self, changes: Vec<Change>) -> Result<(), StorageError>;
    /// Those that begin with `prefix`, in their order, behind `after`; at most `limit`. The last page is the empty one.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Value)>, StorageError>;
    /// How many begin with `prefix`.
    fn count(&self, prefix: &str) -> Result<u64, StorageError>;
}

impl Keys for Context {
    fn get(&self, key: &str) -> Result<Option<Value>, StorageError> {
        self.storage().get(key)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StorageError> {
        let batch = changes.into_iter().fold(self.storage().batch(), |batch, change| match change {
            Change::Set(key, value, Some(time)) => batch.set_for(&key, &value, time),
            Change::Set(key, value, None) => batch.set(&key, &value),
            Change::Delete(key) => batch.delete(&key),
        });
        batch.apply().map(drop)
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Value)>, StorageError> {
        let page = self.storage().list(prefix, after, limit)?;
        Ok(page.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }

    fn count(&self, prefix: &str) -> Result<u64, StorageError> {
        self.storage().keys(prefix).try_fold(0, |count, key| key.map(|_| count + 1))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::BTreeMap, ops::Bound, sync::Mutex};

    use super::*;

    /// Keys in memory, which never go by themselves.
    #[derive(Debug, Default)]
    pub(crate) struct InMemory {
        keys: Mutex<BTreeMap<String, Value>>,
        full: bool,
    }

    impl InMemory {
        /// One that takes nothing more.
        pub(crate) fn full() -> Self {
            Self { full: true, ..Self::default() }
        }
    }

    impl Keys for InMemory {
        fn get(&self, key: &str) -> Result<Option<Value>, StorageError> {
            Ok(self.keys.lock().expect("no panic").get(key).cloned())
        }

        fn apply(&self, changes: Vec<Change>) -> Result<(), StorageError> {
            if self.full {
                return Err(StorageError::TooLarge("the storage is full".into()));
            }
            let mut keys = self.keys.lock().expect("no panic");
            for change in changes {
                match change {
                    Change::Set(key, value, _) => keys.insert(key, value),
                    Change::Delete(key) => keys.remove(&key),
                };
            }
            Ok(())
        }

        fn list(
            &self,
            prefix: &str,
            after: Option<&str>,
            limit: u32,
        ) -> Result<Vec<(String, Value)>, StorageError> {
            let keys = self.keys.lock().expect("no panic");
            let from =
                after.filter(|after| *after >= prefix).map_or(Bound::Included(prefix), Bound::Excluded);
            let page = keys.range::<str, _>((from, Bound::Unbounded));
            let page = page.take_while(|(key, _)| key.starts_with(prefix)).take(limit as usize);
            Ok(page.map(|(key, value)| (key.clone(), value.clone())).collect())
        }

        fn count(&self, prefix: &str) -> Result<u64, StorageError> {
            Ok(self.keys.lock().expect("no panic").keys().filter(|key| key.starts_with(prefix)).count()
                as u64)
        }
    }
}
