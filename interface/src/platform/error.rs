use crate::{
    abi::{Fault, FaultKind},
    decode::Mismatch,
};

/// Why nothing was read or changed.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// fn handled(error: PlatformError) -> Handled {
///     match error {
///         // Somebody else was quicker.
///         PlatformError::Conflict(_) | PlatformError::NotFound(_) => Handled::Ack,
///         error if error.is_transient() => Handled::retry(error.to_string()),
///         error => Handled::reject(error.to_string()),
///     }
/// }
/// # assert!(matches!(handled(PlatformError::Unavailable), Handled::Reject { .. }));
/// ```
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlatformError {
    /// This host has no `platform/1`.
    #[error("this host offers neither sessions nor users (`platform/1`)")]
    Unavailable,
    /// The manifest's permissions do not include the one that the sentence names.
    #[error("{0}")]
    PermissionDenied(String),
    /// There is nothing of this id.
    #[error("{0}")]
    NotFound(String),
    /// A value is not one that the host takes.
    #[error("{0}")]
    Invalid(String),
    /// The session's state does not lead to the one that was asked for, or its id is another's.
    #[error("{0}")]
    Conflict(String),
    /// The call could block, and a route that is inline must not.
    #[error("{0}")]
    WouldBlock(String),
    /// What the host answered is not of the shape that this SDK knows.
    #[error("the host's answer is not of the shape expected, at `{path}`: {reason}")]
    Decode {
        /// Where.
        path: String,
        /// What was expected there.
        reason: String,
    },
    /// No answer came in time. A change may have been made or not.
    #[error("{0}")]
    TimedOut(String),
    /// The host's database cannot be reached, or its disk is full. Nothing was changed.
    #[error("{0}")]
    Unreachable(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl PlatformError {
    /// Whether the same call may succeed later, without anybody doing anything about it in the plugin.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Unreachable(_) | Self::Other(_))
    }
}

impl From<Mismatch> for PlatformError {
    fn from(why: Mismatch) -> Self {
        Self::Decode { path: why.path, reason: why.reason }
    }
}

impl From<Fault> for PlatformError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::DENIED => Self::PermissionDenied(message),
            FaultKind::NOT_FOUND => Self::NotFound(message),
            FaultKind::INVALID => Self::Invalid(message),
            FaultKind::CONFLICT => Self::Conflict(message),
            FaultKind::WOULD_BLOCK => Self::WouldBlock(message),
            FaultKind::TIMED_OUT => Self::TimedOut(message),
            FaultKind::UNREACHABLE => Self::Unreachable(message),
            _ => Self::Other(message),
        }
    }
}
