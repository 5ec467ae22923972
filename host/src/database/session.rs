//! What either database does for a plugin, one call at a time.

use std::time::Instant;

use streamspace_plugin::{
    abi::Fault,
    database::{RowView, Value},
};

/// One statement, with all that bounds it.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) sql: &'a str,
    pub(super) parameters: &'a [Value<'a>],
    pub(super) deadline: Instant,
    pub(super) max_rows: u64,
}

/// Takes a row; `false` if it wants no more.
pub(super) type Sink<'a> = dyn FnMut(RowView<'_>) -> Result<bool, Fault> + 'a;

/// A connection with the rights of one plugin.
pub(super) trait Session: Send {
    /// Runs a statement, drops its rows, and answers how many rows it changed.
    fn exec(&mut self, statement: &Statement<'_>) -> Result<u64, Fault>;

    /// Runs a statement and answers how many rows it gave to `rows`.
    fn query(&mut self, statement: &Statement<'_>, rows: &mut Sink<'_>) -> Result<u64, Fault>;

    /// Begins a transaction.
    fn begin(&mut self, deadline: Instant) -> Result<(), Fault>;

    /// Commits it.
    fn commit(&mut self, deadline: Instant) -> Result<(), Fault>;

    /// Undoes it. A session that cannot is not sound afterwards.
    fn rollback(&mut self);

    /// Whether another call may use it.
    fn is_sound(&self) -> bool;
}

/// Makes sessions.
pub(super) trait Connect: Send + Sync {
    fn connect(&self) -> Result<Box<dyn Session>, Fault>;
}
