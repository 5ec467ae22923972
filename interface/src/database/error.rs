//! How a call of the database fails.

use crate::abi::{Fault, FaultKind};

/// Why something was not done with the database. No variant's text holds a parameter's value.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseError {
    /// This host has no `database/1`.
    #[error("this host offers no database (`database/1`)")]
    Unavailable,
    /// The manifest does not have the permission, or the statement does what a plugin may not.
    #[error("{0}")]
    Denied(String),
    /// A parameter, the number of parameters, or the use of a transaction is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The database refused the statement.
    #[error("{0}")]
    Sql(String),
    /// A constraint of the data refused it: a key that exists, a missing reference, a wrong type, a check.
    #[error("{0}")]
    Constraint(String),
    /// Another transaction holds what it needs, or came before it. Try again, the whole transaction if it was one.
    #[error("{0}")]
    Busy(String),
    /// A deadline passed. Nothing of the statement or the transaction was done, unless the message says that this is not known:
    /// the deadline passed while it was committed.
    #[error("{0}")]
    TimedOut(String),
    /// There are more rows, a value is larger, or there is more data than the operator allows.
    #[error("{0}")]
    TooLarge(String),
    /// The database cannot be reached, or its disk is full. If the connection was lost in the middle, the message says that it is
    /// not known whether the statement or the transaction was done.
    #[error("{0}")]
    Unreachable(String),
    /// A row does not have the shape of the type that it is read as.
    #[error("{0}")]
    Decode(String),
    /// The plugin is being unloaded, or the transaction is over.
    #[error("{0}")]
    Closed(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl DatabaseError {
    /// Whether the same may succeed later: true for what is busy or away, false for what the statement itself is.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::TimedOut(_) | Self::Unreachable(_))
    }
}

impl From<Fault> for DatabaseError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::DENIED => Self::Denied(message),
            FaultKind::INVALID => Self::Invalid(message),
            FaultKind::SQL => Self::Sql(message),
            FaultKind::CONSTRAINT => Self::Constraint(message),
            FaultKind::BUSY => Self::Busy(message),
            FaultKind::TIMED_OUT => Self::TimedOut(message),
            FaultKind::TOO_LARGE => Self::TooLarge(message),
            FaultKind::UNREACHABLE => Self::Unreachable(message),
            FaultKind::CLOSED => Self::Closed(message),
            _ => Self::Other(message),
        }
    }
}
