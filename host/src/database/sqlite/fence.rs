//! What a plugin's SQL may do to its database file, asked by SQLite itself whenever it compiles a statement, and how
//! long it may take.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// The table that knows which migrations were applied. Only the host writes it.
pub(in crate::database) const HISTORY: &str = "streamspace_migrations";

/// Pragmas that only tell something of the plugin's own database, with whatever argument, and one that has references be
/// checked at the end of the transaction that is under way. FTS5 asks for `data_version`.
const TELLING: [&str; 15] = [
    "collation_list",
    "compile_options",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that tell something without an argument, and change it with one.
const TELLING_ALONE: [&str; 5] = ["freelist_count", "page_count", "page_size", "user_version", "encoding"];

/// Virtual tables that hold nothing but what is in the database.
const MODULES: [&str; 4] = ["fts5", "fts5vocab", "rtree", "rtree_i32"];

/// Tables that are there in every database and show, or would change, what is beneath the tables or beside them.
const HIDDEN: [&str; 5] = ["bytecode", "dbstat", "sqlite_dbpage", "sqlite_stmt", "tables_used"];

/// Functions that reach beyond the database.
const FUNCTIONS: [&str; 6] =
    ["edit", "fts3_tokenizer", "load_extension", "readfile", "sqlite_log", "writefile"];

/// The state that the hooks of one connection share with it.
#[derive(Debug)]
pub(super) struct Fence {
    /// Whether it is the host's own statement.
    host: AtomicBool,
    /// Whether the statement makes a table.
    creates_table: AtomicBool,
    denied: Mutex<Option<String>>,
    /// Microseconds after `base` at which a statement is interrupted.
    deadline: AtomicU64,
    base: Instant,
}

impl Fence {
    pub(super) fn new() -> Self {
        Self {
            host: AtomicBool::new(true),
            creates_table: AtomicBool::new(false),
            denied: Mutex::default(),
            deadline: AtomicU64::new(u64::MAX),
            base: Instant::now(),
        }
    }

    /// Runs `f` as the host. Only with statements that the host wrote.
    pub(super) fn as_host<T>(&self, f: impl FnOnce() -> T) -> T {
        self.host.store(true, Ordering::Relaxed);
        let answer = f();
        self.host.store(false, Ordering::Relaxed);
        answer
    }

    /// Begins a plugin's statement.
    pub(super) fn begin(&self, deadline: Instant) {
        let micros = deadline.saturating_duration_since(self.base).as_micros();
        self.deadline.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.host.store(false, Ordering::Relaxed);
        self.creates_table.store(false, Ordering::Relaxed);
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the time is over.
    pub(super) fn is_late(&self) -> bool {
        self.base.elapsed().as_micros() >= u128::from(self.deadline.load(Ordering::Relaxed))
    }

    pub(super) fn creates_table(&self) -> bool {
        self.creates_table.load(Ordering::Relaxed)
    }

    /// What was denied last.
    pub(super) fn denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn judge(&self, context: &AuthContext<'_>) -> Authorization {
        // A trigger that the host's statement fires is the plugin's all the same.
        if self.host.load(Ordering::Relaxed) && context.accessor.is_none() {
            return Authorization::Allow;
        }
        match judge(context) {
            Ok(()) => {
                if matches!(context.action, AuthAction::CreateTable { .. }) {
                    self.creates_table.store(true, Ordering::Relaxed);
                }
                Authorization::Allow
            }
            Err(what) => {
                *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                Authorization::Deny
            }
        }
    }
}

/// Whether a plugin may do this; if not, what it is.
fn judge(context: &AuthContext<'_>) -> Result<(), String> {
    // Actions on the connection itself name no database. Altering a table has the database elsewhere, and in its place the
    // column that is dropped.
    let database = match context.action {
        AuthAction::AlterTable { database_name, .. } => Some(database_name),
        _ => context.database_name,
    };
    if let Some(database) = database
        && !database.eq_ignore_ascii_case("main")
        && !matches!(context.action, AuthAction::Read { .. } | AuthAction::Select)
        // Renaming a column looks for it there too. There is nothing, and nobody but SQLite writes it.
        && !matches!(context.action, AuthAction::Update { table_name: "sqlite_temp_master", .. })
    {
        return Err(format!("to use the database `{database}`"));
    }
    let history = |table: &str| {
        if table.eq_ignore_ascii_case(HISTORY) {
            Err(format!("to change `{HISTORY}`, which is the host's"))
        } else {
            Ok(())
        }
    };
    match context.action {
        AuthAction::Select
        | AuthAction::Recursive
        | AuthAction::Analyze { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. } => Ok(()),
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::DropTrigger { table_name, .. } => history(table_name),
        AuthAction::Read { table_name, .. } => match listed(&HIDDEN, table_name) {
            true => Err(format!("to read `{table_name}`")),
            false => Ok(()),
        },
        AuthAction::Function { function_name } => match listed(&FUNCTIONS, function_name) {
            true => Err(format!("to call `{function_name}`")),
            false => Ok(()),
        },
        AuthAction::CreateVtable { table_name, module_name } => {
            history(table_name)?;
            match listed(&MODULES, module_name) {
                true => Ok(()),
                false => Err(format!("to make a virtual table of the module `{module_name}`")),
            }
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let alone = pragma_value.is_none() && listed(&TELLING_ALONE, pragma_name);
            match alone || listed(&TELLING, pragma_name) {
                true => Ok(()),
                false => Err(format!("to use the pragma `{pragma_name}`")),
            }
        }
        AuthAction::Attach { .. } => Err("to attach a file, which VACUUM does too".to_owned()),
        AuthAction::Detach { .. } => Err("to detach a file".to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            Err("to begin or end transactions in SQL: use `transaction` of the SDK".to_owned())
        }
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. } => {
            Err("to use temporary tables, views and triggers, which no other call would find".to_owned())
        }
        _ => Err("what this host does not know".to_owned()),
    }
}

fn listed(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
