//! Key-value storage: `storage/1`.
//!
//! Every plugin has keys of its own, which survive the plugin's restart, its disabling and a reinstall. A key is 1 to 512
//! bytes of UTF-8 without NUL. A value is anything that serde writes as JSON. A change is on the disk when its call ends,
//! unless the operator chose otherwise (`storage.sync`). The manifest needs the permission `storage`.

mod batch;
mod error;
mod list;
mod table;

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    batch::Batch,
    error::StorageError,
    list::{Entries, Keys},
    table::{
        Applied, ChangeKind, ChangeView, Expected, ExpectedKind, ID, ListView, ListedValue,
        Storage as StorageTable, StorageRef, StoredValue,
    },
};
use crate::{
    abi::{Bound, RSlice, RStr},
    decode,
};

/// The plugin's own keys and values. Made by [`Context::storage`](crate::Context::storage).
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Visit { user: String, count: u32 }
///
/// fn visited(context: &Context, user: &str) -> Result<u32> {
///     let key = format!("visits/{user}");
///     let count = context.storage().get::<Visit>(&key)?.map_or(0, |visit| visit.count) + 1;
///     context.storage().set(&key, &Visit { user: user.to_owned(), count })?;
///     Ok(count)
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Storage(Option<Bound<StorageRef>>);

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The key.
    pub key: String,
    /// The value.
    pub value: T,
    /// Another one after each change. None is given a second time, unless the operator purged what the plugin keeps. For
    /// [`Storage::compare_and_set`].
    pub revision: u64,
    /// When the key goes by itself, microseconds since 1970-01-01 UTC; `None` for never.
    pub expires_us: Option<u64>,
}

impl<T: DeserializeOwned> Entry<T> {
    fn new(key: &str, value: &[u8], revision: u64, expires_us: u64) -> Result<Self, StorageError> {
        let value = decode::decode(value).map_err(|why| StorageError::decode(key, why))?;
        Ok(Self { key: key.to_owned(), value, revision, expires_us: (expires_us > 0).then_some(expires_us) })
    }
}

impl Storage {
    pub(crate) fn new(host: Option<Bound<StorageRef>>) -> Self {
        Self(host)
    }

    /// `[worker]` `[setup]` The value under a key; `None` if there is none.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn cursor(context: &Context) -> Result<u64> {
    ///     Ok(context.storage().get("cursor")?.unwrap_or(0))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`]; of the variant `Decode` if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        Ok(self.get_entry(key)?.map(|entry| entry.value))
    }

    /// `[worker]` `[setup]` The value under a key, with its revision and the time at which it goes by itself.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_entry<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Entry<T>>, StorageError> {
        let host = self.0.ok_or(StorageError::Unavailable)?;
        let stored = host.table.get()(host.handle, RStr::from_str(key)).into_result()?.into_option();
        stored.map(|stored| Entry::new(key, &stored.value, stored.revision, stored.expires_us)).transpose()
    }

    /// `[worker]` `[setup]` Puts a value under a key, whatever is there, and answers with its revision.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn remember(context: &Context, cursor: u64) -> Result<()> {
    ///     context.storage().set("cursor", &cursor)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<u64, StorageError> {
        self.put(key, value, 0, batch::ANY)
    }

    /// `[worker]` `[setup]` As [`set`](Self::set); the key goes by itself after `ttl`, in whole milliseconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streamspace_plugin::prelude::*;
    /// fn sign_in(context: &Context, session: &str, user: &str) -> Result<()> {
    ///     context.storage().set_for(&format!("session/{session}"), user, Duration::from_secs(3600))?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn set_for<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<u64, StorageError> {
        self.put(key, value, batch::millis(ttl), batch::ANY)
    }

    /// `[worker]` `[setup]` Puts a value under a key that is not there yet, and answers with its revision; `None` if the key
    /// is there.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// /// Whether this event is seen for the first time.
    /// fn is_first(context: &Context, event: &Event<'_>) -> Result<bool> {
    ///     Ok(context.storage().insert(&format!("seen/{}", event.id()), &true)?.is_some())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    #[must_use = "nothing is stored if the key is there"]
    pub fn insert<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<Option<u64>, StorageError> {
        if_it_held(self.put(key, value, 0, batch::ABSENT))
    }

    /// `[worker]` `[setup]` Puts a value under a key that has this revision still, and answers with the new one; `None` if it
    /// has another one, or is gone.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// /// Adds to a list that others add to as well.
    /// fn join(context: &Context, name: &str) -> Result<()> {
    ///     loop {
    ///         let stored = context.storage().get_entry::<Vec<String>>("members")?;
    ///         let done = match stored {
    ///             None => context.storage().insert("members", &[name])?,
    ///             Some(mut members) => {
    ///                 members.value.push(name.to_owned());
    ///                 context.storage().compare_and_set("members", members.revision, &members.value)?
    ///             }
    ///         };
    ///         if done.is_some() {
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    #[must_use = "nothing is stored if the revision is another one"]
    pub fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        revision: u64,
        value: &T,
    ) -> Result<Option<u64>, StorageError> {
        if_it_held(self.put(key, value, 0, batch::at(revision)))
    }

    /// `[worker]` `[setup]` Removes a key, and answers whether it was there.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn delete(&self, key: &str) -> Result<bool, StorageError> {
        Ok(first(self.batch().delete(key).apply()?)?.number != 0)
    }

    /// `[worker]` `[setup]` Adds to the integer under a key, and answers with the sum. A key that is not there counts as 0.
    /// [`get`](Self::get) reads it as any other value.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn next_invoice(context: &Context) -> Result<i64> {
    ///     Ok(context.storage().increment("invoices", 1)?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StorageError`]; of the variant `Invalid` if what is there is no integer, or the sum does not fit into 64 bits.
    pub fn increment(&self, key: &str, by: i64) -> Result<i64, StorageError> {
        Ok(first(self.batch().increment(key, by).apply()?)?.number)
    }

    /// `[worker]` `[setup]` As [`increment`](Self::increment); a counter that is not there yet goes by itself after `ttl`.
    /// One that is there keeps its own time. So it counts what happens in a window, which begins with the first.
    ///
    /// # Errors
    ///
    /// As [`increment`](Self::increment).
    pub fn increment_for(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, StorageError> {
        Ok(first(self.batch().increment_for(key, by, ttl).apply()?)?.number)
    }

    /// Begins a list of changes that are made together. Changes nothing before [`Batch::apply`].
    pub fn batch(&self) -> Batch {
        Batch::new(*self)
    }

    /// `[worker]` `[setup]` Removes every key that begins with `prefix`, byte for byte, and answers with their number, those
    /// included whose time was over but which were there still. All of them go at once. An empty prefix removes all keys.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn clear(&self, prefix: &str) -> Result<u64, StorageError> {
        let host = self.0.ok_or(StorageError::Unavailable)?;
        Ok(host.table.remove_prefix()(host.handle, RStr::from_str(prefix)).into_result()?)
    }

    fn put<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl_ms: u64,
        expected: Expected,
    ) -> Result<u64, StorageError> {
        let value = encode(key, value)?;
        let change = ChangeView {
            key: RStr::from_str(key),
            kind: ChangeKind::SET,
            value: RSlice::from_slice(&value),
            amount: 0,
            ttl_ms,
            expected,
        };
        Ok(first(self.apply(&[change])?)?.revision)
    }

    fn apply(&self, changes: &[ChangeView<'_>]) -> Result<Vec<Applied>, StorageError> {
        let host = self.0.ok_or(StorageError::Unavailable)?;
        Ok(host.table.apply()(host.handle, RSlice::from_slice(changes)).into_result()?.into_vec())
    }
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, StorageError> {
    serde_json::to_vec(value)
        .map_err(|why| StorageError::Encode { key: key.to_owned(), reason: why.to_string() })
}

fn first(applied: Vec<Applied>) -> Result<Applied, StorageError> {
    applied.first().copied().ok_or_else(|| StorageError::Other("the host answered for no change".to_owned()))
}

fn if_it_held(revision: Result<u64, StorageError>) -> Result<Option<u64>, StorageError> {
    match revision {
        Ok(revision) => Ok(Some(revision)),
        Err(StorageError::Conflict(_)) => Ok(None),
        Err(why) => Err(why),
    }
}
