//! `database/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
};

use crate::abi::{Handle, Outcome, RowSink, TransactionBody};

/// The capability's id.
pub const ID: &str = "database/1";

/// What a [`ValueView`] is. A number and not an enum: either side refuses a value that it does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueKind(pub u32);

impl ValueKind {
    /// SQL's `NULL`.
    pub const NULL: Self = Self(0);
    /// A whole number, in `number`.
    pub const INTEGER: Self = Self(1);
    /// A floating-point number, its bits in `number`.
    pub const REAL: Self = Self(2);
    /// A text, in `bytes`, UTF-8 without NUL.
    pub const TEXT: Self = Self(3);
    /// Bytes, in `bytes`.
    pub const BLOB: Self = Self(4);
    /// 0 or 1, in `number`.
    pub const BOOL: Self = Self(5);
    /// Microseconds since 1970-01-01 UTC, in `number`.
    pub const TIMESTAMP: Self = Self(6);
    /// A JSON value, in `bytes`.
    pub const JSON: Self = Self(7);
}

/// One value, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ValueView<'a> {
    /// What it is.
    pub kind: ValueKind,
    /// The value, of the kinds that are numbers; else 0.
    pub number: i64,
    /// The value, of the kinds that are bytes; else empty.
    pub bytes: RSlice<'a, u8>,
}

/// A statement, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct StatementView<'a> {
    /// One statement, with `$1`, `$2`, … for its parameters.
    pub sql: RStr<'a>,
    /// The parameters' values, `$1` first.
    pub parameters: RSlice<'a, ValueView<'a>>,
    /// Milliseconds for the statement, 0 for the operator's limit; more than that limit means the limit.
    pub deadline_ms: u64,
    /// The most rows that a query reads, 0 for the operator's limit; more means the limit. More rows are an error.
    pub max_rows: u64,
}

/// A row, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RowView<'a> {
    /// The columns' names, the same for every row of a query.
    pub columns: RSlice<'a, RStr<'a>>,
    /// The columns' values.
    pub values: RSlice<'a, ValueView<'a>>,
}

/// What database there is. A number and not an enum: a plugin takes one that it does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect(pub u32);

impl Dialect {
    /// SQLite.
    pub const SQLITE: Self = Self(1);
    /// PostgreSQL.
    pub const POSTGRES: Self = Self(2);

    /// The name of the folder that the migrations of this dialect are in; `None` if this side does not know it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::SQLITE => Some("sqlite"),
            Self::POSTGRES => Some("postgres"),
            _ => None,
        }
    }
}

/// `database/1`, the host's half. `exec` and `query` take the plugin's handle, or that of a transaction.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = DatabaseRef)))]
#[sabi(missing_field(option))]
pub struct Database {
    /// `[worker]` `[setup]` and threads of the plugin's own: runs a statement and answers how many rows it changed. What
    /// it returns as rows is dropped.
    pub exec: extern "C" fn(Handle, StatementView<'_>) -> Outcome<u64>,
    /// `[worker]` `[setup]` and threads of the plugin's own: runs a statement, hands over its rows until the sink wants no
    /// more, and answers how many were handed over. Rows that were handed over before an error are not taken back.
    pub query: extern "C" fn(Handle, StatementView<'_>, RowSink<'_>) -> Outcome<u64>,
    /// `[worker]` `[setup]` and threads of the plugin's own: begins a transaction, runs the body with a handle of its own,
    /// which is valid until the body ends, and commits if it succeeds. Within another transaction it is an error. When a
    /// statement failed, the transaction is undone even if the body succeeds.
    pub transaction: extern "C" fn(Handle, TransactionBody<'_>) -> Outcome<()>,
    /// `[any]` What database there is.
    #[sabi(last_prefix_field)]
    pub dialect: extern "C" fn(Handle) -> Outcome<Dialect>,
}
