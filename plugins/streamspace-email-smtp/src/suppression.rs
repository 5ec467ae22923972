//! Addresses that get no mail: there is nobody, or somebody who wants none.
//!
//! ```text
//! suppression/ADDRESS   since when, and why
//! ```

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use streamspace_notifier::text;
use streamspace_plugin::prelude::{Context, StorageError};

const PREFIX: &str = "suppression/";

/// Why an address is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cause {
    /// Its server says that there is nobody.
    Bounce,
    /// Somebody there followed a link.
    Unsubscribed,
}

/// An address of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppression {
    pub(crate) cause: Cause,
    /// In the server's words.
    pub(crate) reason: String,
    /// RFC 3339.
    pub(crate) since: String,
}

impl Suppression {
    pub(crate) fn now(cause: Cause, reason: String) -> Self {
        Self { cause, reason, since: text::rfc3339(SystemTime::now()) }
    }
}

/// Puts an address on the list.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn add(context: &Context, address: &str, why: &Suppression) -> Result<(), StorageError> {
    context.storage().set(&key(address), why).map(drop)
}

/// Whether an address is on the list.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn has(context: &Context, address: &str) -> Result<bool, StorageError> {
    Ok(context.storage().get::<Suppression>(&key(address))?.is_some())
}

/// Takes an address off the list; whether it was there.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn remove(context: &Context, address: &str) -> Result<bool, StorageError> {
    context.storage().delete(&key(address))
}

/// A part of the list, behind an address.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn page(
    context: &Context,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(String, Suppression)>, StorageError> {
    let after = after.map(key);
    let page = context.storage().list(PREFIX, after.as_deref(), limit)?;
    Ok(page.into_iter().map(|entry| (entry.key.trim_start_matches(PREFIX).to_owned(), entry.value)).collect())
}

/// Servers may tell capitals apart, and none does.
fn key(address: &str) -> String {
    format!("{PREFIX}{}", address.to_ascii_lowercase().replace('\0', " "))
}
