//! What SQLite says, as plugins are told.

use rusqlite::ErrorCode;
use streamspace_plugin::abi::{Fault, FaultKind};

/// What went wrong, before it is known in what.
pub(super) struct Said {
    pub(super) kind: FaultKind,
    message: String,
}

impl Said {
    pub(super) fn at(self, what: &str) -> Fault {
        Fault::new(self.kind, format_args!("{what}: {}", self.message))
    }
}

impl From<Said> for Fault {
    fn from(said: Said) -> Self {
        Self::new(said.kind, said.message)
    }
}

/// What begins so goes on with a piece of a value when it is said of a statement that runs: with what FTS5 and JSON stumble
/// over, and with the names that FTS5 finds in a query.
const OF_VALUES: [&str; 6] = [
    "bad JSON path",
    "fts5: syntax error near",
    "no such column",
    "no such function",
    "parse error in rank function",
    "unknown special query",
];

/// What a statement failed with that runs, and so knows the values of its parameters.
pub(super) fn without_value(fault: Fault) -> Fault {
    match OF_VALUES.iter().find(|begin| fault.message.starts_with(**begin)) {
        Some(begin) => Fault::new(fault.kind, format_args!("{begin} …")),
        None => fault,
    }
}

pub(super) fn fault(error: &rusqlite::Error) -> Said {
    let said = |kind, message: String| Said { kind, message };
    let (code, words) = match error {
        rusqlite::Error::SqliteFailure(why, words) => (why.code, words.clone()),
        // Its own form has the whole statement in it.
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.code, Some(msg.clone())),
        rusqlite::Error::MultipleStatement => {
            return said(FaultKind::INVALID, "expected one statement, found more".to_owned());
        }
        other => return said(FaultKind::SQL, other.to_string()),
    };
    let words = words.unwrap_or_else(|| error.to_string());
    match code {
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => said(FaultKind::CONSTRAINT, words),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => said(
            FaultKind::BUSY,
            format!("{words}: another transaction of the plugin writes. Try again, or write less in one"),
        ),
        ErrorCode::OperationInterrupted => said(
            FaultKind::TIMED_OUT,
            "the statement took longer than its deadline (`database.statement_deadline_secs`, or what the plugin set)"
                .to_owned(),
        ),
        ErrorCode::TooBig => said(FaultKind::TOO_LARGE, words),
        ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            said(FaultKind::DENIED, words)
        }
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase => said(FaultKind::UNREACHABLE, words),
        // What the API is used wrongly for is a text of comments alone.
        ErrorCode::ApiMisuse => said(FaultKind::INVALID, "expected a statement, found none".to_owned()),
        ErrorCode::OutOfMemory => said(FaultKind::TOO_LARGE, words),
        _ => said(FaultKind::SQL, words),
    }
}
