//! A plugin's role: how its sessions connect.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use streamspace_plugin::abi::{Fault, FaultKind};

use super::{
    super::{Limits, session},
    schemas::Inner,
    session::PostgresSession,
};
use crate::hex::hex;

/// The longest identifier, in bytes. <https://www.postgresql.org/docs/current/limits.html>
const MAX_IDENTIFIER: usize = 63;
/// When to ask again a server that has no room for another session.
const AGAIN: Duration = Duration::from_millis(50);

/// The names that a plugin has in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) plugin: String,
    /// Unique in the database.
    pub(super) schema: String,
    /// Unique in the server, whose roles are those of all its databases.
    pub(super) role: String,
}

impl Names {
    /// `plugin_NAME`, and as a role with a mark of the database behind it. A name that would be too long is cut, and has a
    /// mark of itself in place of the rest. Names of plugins have no `_`, so that none looks like another's.
    pub(super) fn new(plugin: &str, database: &str) -> Self {
        let fitting = |suffix: &str| {
            let whole = format!("plugin_{plugin}{suffix}");
            if whole.len() <= MAX_IDENTIFIER {
                return whole;
            }
            let mark = mark(plugin, 16);
            let room = MAX_IDENTIFIER - "plugin_".len() - 1 - mark.len() - suffix.len();
            let begin: String = plugin.chars().take(room).collect();
            format!("plugin_{begin}_{mark}{suffix}")
        };
        Self {
            plugin: plugin.to_owned(),
            schema: fitting(""),
            role: fitting(&format!("_{}", mark(database, 8))),
        }
    }
}

fn mark(text: &str, digits: usize) -> String {
    let mut mark = hex(&Sha256::digest(text));
    mark.truncate(digits);
    mark
}

/// How another program connects as a plugin. Has no `Debug`: the password is a secret.
pub(crate) struct PluginLogin {
    pub(crate) schema: String,
    pub(crate) role: String,
    pub(crate) password: String,
}

/// What makes the sessions of one plugin.
#[derive(Clone)]
pub(in crate::database) struct PostgresRole {
    pub(super) server: Arc<Inner>,
    pub(super) names: Names,
    /// Holds the password.
    config: Arc<Mutex<tokio_postgres::Config>>,
}

impl PostgresRole {
    pub(super) fn new(server: Arc<Inner>, names: Names, password: &str) -> Self {
        let config = Mutex::new(config(&server, &names, password));
        Self { server, names, config: Arc::new(config) }
    }

    /// Its schema, and what lets a program in as the role.
    pub(in crate::database) fn login(&self) -> PluginLogin {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let password = config.get_password().unwrap_or_default();
        PluginLogin {
            schema: self.names.schema.clone(),
            role: self.names.role.clone(),
            password: String::from_utf8_lossy(password).into_owned(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.server.limits
    }

    pub(super) fn session(&self) -> Result<PostgresSession, Fault> {
        let until = Instant::now() + self.limits().wait;
        loop {
            match self.connect_once() {
                // The server may take a moment to see that sessions have ended.
                Err(fault) if fault.kind == FaultKind::BUSY && Instant::now() < until => thread::sleep(AGAIN),
                done => return done,
            }
        }
    }

    fn connect_once(&self) -> Result<PostgresSession, Fault> {
        let config = || self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match PostgresSession::connect(self, &config()) {
            Err(Refused::Password) => {
                // A role may change its own password, which nobody knows then.
                let password = self.server.renew(&self.names).map_err(|why| {
                    Fault::new(FaultKind::UNREACHABLE, format_args!("the plugin's role in PostgreSQL: {why}"))
                })?;
                let renewed = self::config(&self.server, &self.names, &password);
                *self.config.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                PostgresSession::connect(self, &config()).map_err(Fault::from)
            }
            other => other.map_err(Fault::from),
        }
    }
}

/// Why there is no session.
pub(super) enum Refused {
    Password,
    Other(Fault),
}

impl From<Refused> for Fault {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Password => Self::new(
                FaultKind::UNREACHABLE,
                "PostgreSQL does not let the plugin's role in: see `pg_hba.conf`",
            ),
            Refused::Other(fault) => fault,
        }
    }
}

fn config(server: &Inner, names: &Names, password: &str) -> tokio_postgres::Config {
    let mut config = server.postgres.config().clone();
    let milliseconds = |limit: std::time::Duration| limit.as_millis().min(i32::MAX as u128);
    // What the session begins with, whatever the role's own settings are, and comes back to by RESET.
    config.user(&names.role).password(password).application_name(&names.schema).options(format!(
        "-c search_path=\"{}\" -c lock_timeout={} -c statement_timeout={} -c idle_in_transaction_session_timeout={} \
         -c TimeZone=UTC",
        names.schema,
        milliseconds(server.limits.wait),
        // The host cancels what is late. This is for the time when there is no host any more.
        milliseconds(server.limits.transaction_deadline.max(server.limits.statement_deadline) * 2),
        milliseconds(server.limits.transaction_deadline * 2),
    ));
    config
}

impl session::Connect for PostgresRole {
    fn connect(&self) -> Result<Box<dyn session::Session>, Fault> {
        Ok(Box::new(self.session()?))
    }
}

impl fmt::Debug for PostgresRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresRole").field(&self.names.role).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_are_each_plugins_own() {
        let short = Names::new("streamspace-slack", "streamspace");
        assert_eq!(short.schema, "plugin_streamspace-slack");
        assert!(short.role.starts_with("plugin_streamspace-slack_") && short.role.len() == 33, "{short:?}");
        assert_ne!(short.role, Names::new("streamspace-slack", "another").role);
        let long = |last: char| Names::new(&format!("{}{last}", "a".repeat(63)), "streamspace");
        for names in [long('a'), long('b')] {
            assert!(names.schema.len() <= MAX_IDENTIFIER && names.role.len() <= MAX_IDENTIFIER, "{names:?}");
        }
        assert_ne!(long('a').schema, long('b').schema);
        assert_ne!(long('a').role, long('b').role);
    }
}
