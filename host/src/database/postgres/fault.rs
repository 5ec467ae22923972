//! What PostgreSQL says, as plugins are told.

use streamspace_plugin::abi::{Fault, FaultKind};
use tokio_postgres::{
    Error,
    error::{DbError, ErrorPosition, Severity},
};

/// What went wrong. The server's details and hints stay away: they have values in them.
pub(super) fn fault(error: &Error) -> Fault {
    match error.as_db_error() {
        Some(said) => Fault::new(kind(said), format_args!("{} ({})", words(said), said.code().code())),
        None if error.is_closed()
            || std::error::Error::source(error).is_some_and(|why| why.is::<std::io::Error>()) =>
        {
            Fault::new(
                FaultKind::UNREACHABLE,
                "the connection to PostgreSQL was lost: whether the statement was run is not known",
            )
        }
        None => Fault::new(FaultKind::SQL, crate::postgres::reason(error)),
    }
}

/// Whether the session may be used after this.
pub(super) fn spoils_the_session(error: &Error) -> bool {
    match error.as_db_error() {
        Some(said) => !matches!(said.parsed_severity(), Some(Severity::Error)),
        // A value that was not sent spoils nothing; anything else leaves the session nobody knows where.
        None => true,
    }
}

/// Whether a statement that was prepared has to be prepared again.
pub(super) fn is_stale(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| match said.code().code() {
        // "cached plan must not change result type", and a statement that is not there any more.
        "0A000" => said.message().contains("cached plan"),
        code => code == "26000",
    })
}

/// Whether the server did not let the role in.
pub(super) fn is_refused(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| matches!(said.code().code(), "28P01" | "28000"))
}

/// Whether the server has no room for another session, of this role or at all.
pub(super) fn is_full(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| said.code().code() == "53300")
}

/// The message; where it repeats what a value was, without that.
fn words(said: &DbError) -> String {
    match (said.code().code(), said.position()) {
        ("42601", Some(ErrorPosition::Original(at))) => format!("{}, at character {at}", said.message()),
        // The syntax of a value, such as a `tsquery`.
        ("42601", None) => without_quoted(said.message()),
        (code, _) if code.starts_with("22") => without_quoted(said.message()),
        _ => said.message().to_owned(),
    }
}

/// `invalid input syntax for type integer: …`, `value … is out of range for type smallint`.
fn without_quoted(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn kind(said: &DbError) -> FaultKind {
    let code = said.code().code();
    match code {
        "57014" => return FaultKind::TIMED_OUT,
        // Deadlock, serialization failure, lock not available, no free connection.
        "40P01" | "40001" | "55P03" | "53300" => return FaultKind::BUSY,
        "42501" => return FaultKind::DENIED,
        // Disk full; idle too long in a transaction.
        "53100" => return FaultKind::UNREACHABLE,
        "25P03" => return FaultKind::TIMED_OUT,
        _ => {}
    }
    match code.get(..2) {
        Some("23") => FaultKind::CONSTRAINT,
        Some("22") => FaultKind::INVALID,
        Some("08" | "57" | "58" | "XX") => FaultKind::UNREACHABLE,
        Some("54" | "53") => FaultKind::TOO_LARGE,
        Some("28") => FaultKind::DENIED,
        _ => FaultKind::SQL,
    }
}
