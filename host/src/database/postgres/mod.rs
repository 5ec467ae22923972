//! A plugin's schema in PostgreSQL, and the role that has it.

mod fault;
mod history;
mod lexer;
mod role;
mod schemas;
mod session;
mod value;

pub(crate) use self::role::PluginLogin;
pub(super) use self::{history::PostgresHistory, role::PostgresRole, schemas::PostgresSchemas};
