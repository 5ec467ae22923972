use crate::{
    abi::{Fault, FaultKind},
    decode::Mismatch,
};

/// Why nothing was read or changed. The messages name keys, never values.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// use streamspace_plugin::storage::StorageError;
///
/// fn handled(error: StorageError) -> Handled {
///     match error {
///         error if error.is_transient() => Handled::retry(error.to_string()),
///         error => Handled::reject(error.to_string()),
///     }
/// }
/// # assert!(matches!(handled(StorageError::Unavailable), Handled::Reject { .. }));
/// ```
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageError {
    /// This host has no `storage/1`.
    #[error("this host offers no storage (`storage/1`)")]
    Unavailable,
    /// The manifest's permissions do not include `storage`.
    #[error("{0}")]
    PermissionDenied(String),
    /// A key or a change is not valid, or what is under a key is no integer that can be added to.
    #[error("{0}")]
    Invalid(String),
    /// A value cannot be written as JSON.
    #[error("the value for `{key}` cannot be written as JSON: {reason}")]
    Encode {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// What is under a key does not have the shape of the type that was asked for.
    #[error("what is stored under `{key}` is not of the shape expected, at `{path}`: {reason}")]
    Decode {
        /// The key.
        key: String,
        /// Where in the value.
        path: String,
        /// What was expected there. Shows no value.
        reason: String,
    },
    /// A condition did not hold: somebody else was quicker. Nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// A value or a batch is larger than the host takes, or the plugin's storage is full.
    #[error("{0}")]
    TooLarge(String),
    /// Others were in the way for too long. Nothing was changed.
    #[error("{0}")]
    Busy(String),
    /// No answer came in time. A change may have been made or not.
    #[error("{0}")]
    TimedOut(String),
    /// The database cannot be reached, or its disk is full.
    #[error("{0}")]
    Unreachable(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl StorageError {
    /// Whether the same call may succeed later, without anybody doing anything about it in the plugin.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::TimedOut(_) | Self::Unreachable(_) | Self::Other(_))
    }

    pub(super) fn decode(key: &str, why: Mismatch) -> Self {
        Self::Decode { key: key.to_owned(), path: why.path, reason: why.reason }
    }
}

impl From<Fault> for StorageError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::DENIED => Self::PermissionDenied(message),
            FaultKind::INVALID => Self::Invalid(message),
            FaultKind::CONFLICT => Self::Conflict(message),
            FaultKind::TOO_LARGE => Self::TooLarge(message),
            FaultKind::BUSY => Self::Busy(message),
            FaultKind::TIMED_OUT => Self::TimedOut(message),
            FaultKind::UNREACHABLE => Self::Unreachable(message),
            _ => Self::Other(message),
        }
    }
}
