//! Numbers that cross the interface keep their meaning for ever. New ones are added here; none is changed or used again.

use streamspace_plugin::{
    abi::{ABI_MAJOR, FaultKind},
    database::{Dialect, ValueKind},
    events::{Refusal, Verdict},
    routes::BodyKind,
    storage::{ChangeKind, ExpectedKind},
};

#[test]
fn the_interface_is_number_1() {
    assert_eq!(ABI_MAJOR, 1);
}

#[test]
fn kinds_of_faults_keep_their_numbers() {
    let kinds = [
        (FaultKind::FAILED, 1, "FAILED"),
        (FaultKind::PANICKED, 2, "PANICKED"),
        (FaultKind::CLOSED, 3, "CLOSED"),
        (FaultKind::INVALID, 4, "INVALID"),
        (FaultKind::DENIED, 5, "DENIED"),
        (FaultKind::UNSUPPORTED, 6, "UNSUPPORTED"),
        (FaultKind::TOO_LARGE, 7, "TOO_LARGE"),
        (FaultKind::TIMED_OUT, 8, "TIMED_OUT"),
        (FaultKind::WOULD_BLOCK, 9, "WOULD_BLOCK"),
        (FaultKind::UNKNOWN_HOST, 101, "UNKNOWN_HOST"),
        (FaultKind::ADDRESS_REFUSED, 102, "ADDRESS_REFUSED"),
        (FaultKind::CONNECT, 103, "CONNECT"),
        (FaultKind::TLS, 104, "TLS"),
        (FaultKind::CONNECTION_LOST, 105, "CONNECTION_LOST"),
        (FaultKind::REDIRECT_REFUSED, 106, "REDIRECT_REFUSED"),
        (FaultKind::CONSTRAINT, 201, "CONSTRAINT"),
        (FaultKind::BUSY, 202, "BUSY"),
        (FaultKind::SQL, 203, "SQL"),
        (FaultKind::CONFLICT, 204, "CONFLICT"),
        (FaultKind::UNREACHABLE, 205, "UNREACHABLE"),
        (FaultKind::NOT_FOUND, 251, "NOT_FOUND"),
        (FaultKind::CLIENT_GONE, 301, "CLIENT_GONE"),
    ];
    for (kind, number, name) in kinds {
        assert_eq!((kind.0, kind.name()), (number, Some(name)));
    }
    let named = (0..10_000).filter(|number| FaultKind(*number).name().is_some()).count();
    assert_eq!(named, kinds.len(), "a kind that is not listed here");
}

#[test]
fn verdicts_keep_their_numbers() {
    let verdicts = [Verdict::RETRY, Verdict::DEFER, Verdict::REJECT, Verdict::PANICKED];
    assert_eq!(verdicts.map(|verdict| verdict.0), [1, 2, 3, 4]);
    assert_eq!(Refusal::BACKOFF, u64::MAX);
}

#[test]
fn changes_and_conditions_of_storage_keep_their_numbers() {
    assert_eq!([ChangeKind::SET.0, ChangeKind::DELETE.0, ChangeKind::ADD.0], [1, 2, 3]);
    assert_eq!([ExpectedKind::ANY.0, ExpectedKind::ABSENT.0, ExpectedKind::REVISION.0], [0, 1, 2]);
}

#[test]
fn kinds_of_bodies_keep_their_numbers() {
    let kinds = [BodyKind::BYTES, BodyKind::FILE, BodyKind::PROBLEM, BodyKind::STREAMED];
    assert_eq!(kinds.map(|kind| kind.0), [1, 2, 3, 4]);
}

#[test]
fn log_levels_are_those_of_slog() {
    let levels = [
        slog::Level::Critical,
        slog::Level::Error,
        slog::Level::Warning,
        slog::Level::Info,
        slog::Level::Debug,
        slog::Level::Trace,
    ];
    assert_eq!(levels.map(|level| level.as_usize()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn kinds_of_values_and_dialects_keep_their_numbers() {
    let kinds = [
        ValueKind::NULL,
        ValueKind::INTEGER,
        ValueKind::REAL,
        ValueKind::TEXT,
        ValueKind::BLOB,
        ValueKind::BOOL,
        ValueKind::TIMESTAMP,
        ValueKind::JSON,
    ];
    assert_eq!(kinds.map(|kind| kind.0), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!([Dialect::SQLITE, Dialect::POSTGRES].map(|dialect| dialect.0), [1, 2]);
}
