//! The table of `database/1`.

use std::{
    cell::Cell,
    sync::{Arc, LazyLock, Mutex, TryLockError},
    time::{Duration, Instant},
};

use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, RowSink, TransactionBody, guard},
    database::{DatabaseRef, DatabaseTable, Dialect, StatementView, Value},
};

use super::{
    Limits, MAX_SQL_BYTES, PluginDatabase, parameters,
    pool::Pooled,
    session::{Session, Statement},
};
use crate::{
    blocking,
    handles::{Handles, Opened},
};

/// What a plugin's handle names.
#[derive(Debug)]
enum Door {
    Plugin(Arc<PluginDatabase>),
    Transaction(Box<Transaction>),
}

/// One that is under way.
struct Transaction {
    limits: Limits,
    dialect: Dialect,
    deadline: Instant,
    state: Mutex<State>,
}

struct State {
    /// `None` once it is over.
    session: Option<Pooled>,
    /// What the first statement that failed failed with: nothing is done after it.
    failed: Option<Fault>,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

static DOORS: LazyLock<Handles<Door>> = LazyLock::new(Handles::new);

thread_local! {
    /// Whether this thread is within the body of a transaction.
    static IN_TRANSACTION: Cell<bool> = const { Cell::new(false) };
}

/// Gives a plugin its half.
#[must_use]
pub fn open(database: PluginDatabase) -> (Capability, Opened) {
    let opened = DOORS.open(Arc::new(Door::Plugin(Arc::new(database))));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> DatabaseRef {
    static TABLE: LazyLock<DatabaseRef> =
        LazyLock::new(|| DatabaseTable { exec, query, transaction, dialect }.leak_into_prefix());
    *TABLE
}

extern "C" fn exec(handle: Handle, statement: StatementView<'_>) -> Outcome<u64> {
    guard("the host's `exec`", || run(handle, statement, |session, statement| session.exec(statement)))
        .and_then(|answer| answer)
        .into()
}

extern "C" fn query(handle: Handle, statement: StatementView<'_>, mut sink: RowSink<'_>) -> Outcome<u64> {
    guard("the host's `query`", || {
        run(handle, statement, |session, statement| session.query(statement, &mut |row| sink.push(row)))
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn transaction(handle: Handle, body: TransactionBody<'_>) -> Outcome<()> {
    guard("the host's `transaction`", || {
        blocking::check("a transaction")?;
        match &*DOORS.get(handle)? {
            Door::Plugin(database) => within_transaction(database, body),
            Door::Transaction(_) => Err(nested()),
        }
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn dialect(handle: Handle) -> Outcome<Dialect> {
    guard("the host's `dialect`", || match &*DOORS.get(handle)? {
        Door::Plugin(database) => database.pool().map(|_| database.dialect),
        Door::Transaction(transaction) => Ok(transaction.dialect),
    })
    .and_then(|answer| answer)
    .into()
}

/// Runs one statement, on a connection of the pool or in a transaction.
fn run(
    handle: Handle,
    view: StatementView<'_>,
    run: impl FnOnce(&mut dyn Session, &Statement<'_>) -> Result<u64, Fault>,
) -> Result<u64, Fault> {
    blocking::check("a statement")?;
    match &*DOORS.get(handle)? {
        Door::Plugin(database) => {
            let pool = database.pool()?;
            if IN_TRANSACTION.get() {
                return Err(Fault::new(
                    FaultKind::INVALID,
                    "within a transaction, use the transaction and not the database: the statement would not be part of it",
                ));
            }
            let values = read(&view, &database.limits)?;
            let mut session = pool.take()?;
            // Waiting for a connection is not counted.
            run(&mut *session, &statement(&view, &values, &database.limits, None))
        }
        Door::Transaction(transaction) => {
            let mut state = match transaction.state.try_lock() {
                Ok(state) => state,
                Err(TryLockError::Poisoned(state)) => state.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    return Err(Fault::new(
                        FaultKind::INVALID,
                        "the transaction is in the middle of another statement: read its rows to their end first",
                    ));
                }
            };
            let State { session, failed } = &mut *state;
            if let Some(why) = failed {
                return Err(Fault::new(
                    why.kind,
                    format_args!(
                        "the transaction is over, since an earlier statement failed: {}",
                        why.message
                    ),
                ));
            }
            let session = session.as_mut().ok_or_else(over)?;
            let values = read(&view, &transaction.limits)?;
            let statement = statement(&view, &values, &transaction.limits, Some(transaction.deadline));
            let answer = if Instant::now() < transaction.deadline {
                run(&mut **session, &statement)
            } else {
                Err(late(&transaction.limits))
            };
            if let Err(why) = &answer {
                // PostgreSQL does nothing more after one, and SQLite is to be no other.
                *failed = Some(why.clone());
            }
            answer
        }
    }
}

/// The parameters of a statement whose text either database takes.
fn read<'a>(view: &'a StatementView<'_>, limits: &Limits) -> Result<Vec<Value<'a>>, Fault> {
    if view.sql.len() > MAX_SQL_BYTES {
        return Err(Fault::new(
            FaultKind::TOO_LARGE,
            format_args!(
                "a statement has at most {MAX_SQL_BYTES} bytes, found {}: send values as parameters",
                view.sql.len()
            ),
        ));
    }
    // SQLite would take it for the end.
    if view.sql.contains('\0') {
        return Err(Fault::new(FaultKind::INVALID, "the statement has a NUL in it"));
    }
    parameters::read(view.parameters.as_slice(), limits.max_value_bytes)
}

fn statement<'a>(
    view: &'a StatementView<'_>,
    parameters: &'a [Value<'a>],
    limits: &Limits,
    end: Option<Instant>,
) -> Statement<'a> {
    let at_most = |asked: u64, limit: u64| if asked == 0 { limit } else { asked.min(limit) };
    let limit = u64::try_from(limits.statement_deadline.as_millis()).unwrap_or(u64::MAX);
    let deadline = Instant::now() + Duration::from_millis(at_most(view.deadline_ms, limit));
    Statement {
        sql: view.sql.as_str(),
        parameters,
        deadline: end.map_or(deadline, |end| deadline.min(end)),
        max_rows: at_most(view.max_rows, limits.max_rows),
    }
}

fn within_transaction(database: &PluginDatabase, body: TransactionBody<'_>) -> Result<(), Fault> {
    let pool = database.pool()?;
    if IN_TRANSACTION.get() {
        return Err(nested());
    }
    let mut session = pool.take()?;
    let deadline = Instant::now() + database.limits.transaction_deadline;
    session.begin(deadline)?;
    let transaction = Arc::new(Door::Transaction(Box::new(Transaction {
        limits: database.limits.clone(),
        dialect: database.dialect,
        deadline,
        state: Mutex::new(State { session: Some(session), failed: None }),
    })));
    let opened = DOORS.open(Arc::clone(&transaction));
    IN_TRANSACTION.set(true);
    let done = body.call(opened.handle());
    IN_TRANSACTION.set(false);
    // From here on the plugin's handle names nothing.
    drop(opened);
    let Door::Transaction(transaction) = &*transaction else {
        return Err(over());
    };
    let (mut session, failed) = {
        // A statement that the plugin runs on another thread ends by its own deadline.
        let mut state = transaction.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (state.session.take().ok_or_else(over)?, state.failed.take())
    };
    let result = match (done, failed) {
        (Err(why), _) | (Ok(()), Some(why)) => Err(why),
        (Ok(()), None) if Instant::now() >= deadline => Err(late(&database.limits)),
        (Ok(()), None) => session.commit(deadline),
    };
    if result.is_err() {
        session.rollback();
    }
    result
}

fn nested() -> Fault {
    Fault::new(FaultKind::INVALID, "a transaction cannot be begun within another one: use the one there is")
}

fn over() -> Fault {
    Fault::new(FaultKind::CLOSED, "the transaction is over")
}

fn late(limits: &Limits) -> Fault {
    Fault::new(
        FaultKind::TIMED_OUT,
        format_args!(
            "the transaction lasted longer than {} s (`database.transaction_deadline_secs`), and was undone",
            limits.transaction_deadline.as_secs()
        ),
    )
}
