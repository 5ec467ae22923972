use crate::abi::{Fault, FaultKind};

/// Why a stream was not joined, or a desktop not connected to.
///
/// ```
/// # use streamspace_plugin::{prelude::*, streams::StreamError};
/// fn worth_another_try(error: &StreamError) -> bool {
///     matches!(error, StreamError::Unreachable(_) | StreamError::Full(_))
/// }
/// # assert!(!worth_another_try(&StreamError::Unavailable));
/// ```
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// This host has no `streams/1`.
    #[error("this host offers no streams of sessions (`streams/1`)")]
    Unavailable,
    /// The manifest's permissions do not include the one that the sentence names.
    #[error("{0}")]
    PermissionDenied(String),
    /// There is no such session, or the plugin has no such tap.
    #[error("{0}")]
    NotFound(String),
    /// The session does not run, or its desktop is not known.
    #[error("{0}")]
    NotRunning(String),
    /// The desktop, or the host's database, cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The plugin has as many connections as it may.
    #[error("{0}")]
    Full(String),
    /// The call could block, and a route that is inline must not.
    #[error("{0}")]
    WouldBlock(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Fault> for StreamError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::DENIED => Self::PermissionDenied(message),
            FaultKind::NOT_FOUND => Self::NotFound(message),
            FaultKind::CONFLICT => Self::NotRunning(message),
            FaultKind::CONNECT | FaultKind::UNREACHABLE | FaultKind::TIMED_OUT => Self::Unreachable(message),
            FaultKind::TOO_LARGE => Self::Full(message),
            FaultKind::WOULD_BLOCK => Self::WouldBlock(message),
            _ => Self::Other(message),
        }
    }
}
