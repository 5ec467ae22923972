//! Reading many keys.

use std::{collections::VecDeque, fmt, marker::PhantomData};

use serde::de::DeserializeOwned;

use super::{Entry, ListView, ListedValue, Storage, StorageError};
use crate::abi::RStr;

impl Storage {
    /// `[worker]` `[setup]` One page of the keys that begin with `prefix`, byte for byte, in the order of their bytes:
    /// those behind the key `after`, at most `limit`. A limit of 0 means 100; 1000 is the most.
    ///
    /// There may be fewer than `limit` where values are large. The last page is the empty one.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn list<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Entry<T>>, StorageError> {
        let page = self.page(prefix, after.unwrap_or_default(), limit, true)?;
        page.iter().map(entry).collect()
    }

    /// Every key that begins with `prefix`, byte for byte, with its value, in the order of the keys' bytes. Reads a page at
    /// a time: `[worker]` `[setup]`. What is changed meanwhile may be in it or not.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn open_invoices(context: &Context) -> Result<f64> {
    ///     let mut sum = 0.0;
    ///     for invoice in context.storage().entries::<f64>("invoice/") {
    ///         sum += invoice?.value;
    ///     }
    ///     Ok(sum)
    /// }
    /// ```
    #[must_use]
    pub fn entries<T: DeserializeOwned>(&self, prefix: &str) -> Entries<T> {
        Entries { pages: Pages::new(*self, prefix, true), of: PhantomData }
    }

    /// Every key that begins with `prefix`, as [`entries`](Self::entries), without the values.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn sessions(context: &Context) -> Result<Vec<String>> {
    ///     Ok(context.storage().keys("session/").collect::<Result<_, _>>()?)
    /// }
    /// ```
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Keys {
        Keys(Pages::new(*self, prefix, false))
    }

    fn page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
        with_values: bool,
    ) -> Result<Vec<ListedValue>, StorageError> {
        let host = self.0.ok_or(StorageError::Unavailable)?;
        let (prefix, after) = (RStr::from_str(prefix), RStr::from_str(after));
        let view = ListView { prefix, after, limit, with_values };
        Ok(host.table.list()(host.handle, view).into_result()?.into_vec())
    }
}

fn entry<T: DeserializeOwned>(listed: &ListedValue) -> Result<Entry<T>, StorageError> {
    Entry::new(&listed.key, &listed.value, listed.revision, listed.expires_us)
}

struct Pages {
    storage: Storage,
    prefix: String,
    after: String,
    with_values: bool,
    page: VecDeque<ListedValue>,
    ended: bool,
}

impl Pages {
    fn new(storage: Storage, prefix: &str, with_values: bool) -> Self {
        let (prefix, page) = (prefix.to_owned(), VecDeque::new());
        Self { storage, prefix, after: String::new(), with_values, page, ended: false }
    }

    fn next(&mut self) -> Option<Result<ListedValue, StorageError>> {
        if self.page.is_empty() && !self.ended {
            match self.storage.page(&self.prefix, &self.after, 0, self.with_values) {
                Ok(page) => self.page = page.into(),
                Err(why) => {
                    self.ended = true;
                    return Some(Err(why));
                }
            }
            match self.page.back() {
                Some(last) => self.after = last.key.to_string(),
                None => self.ended = true,
            }
        }
        self.page.pop_front().map(Ok)
    }
}

/// The iterator of [`Storage::entries`]. Ends after an error of the host.
pub struct Entries<T> {
    pages: Pages,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Entries<T> {
    type Item = Result<Entry<T>, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.pages.next()?.and_then(|listed| entry(&listed)))
    }
}

impl<T> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("prefix", &self.pages.prefix).finish_non_exhaustive()
    }
}

/// The iterator of [`Storage::keys`]. Ends after an error.
pub struct Keys(Pages);

impl Iterator for Keys {
    type Item = Result<String, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map(|listed| listed.key.into_string()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}
