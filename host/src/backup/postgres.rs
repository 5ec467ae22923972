//! A whole PostgreSQL database, by the server's own programs.
//!
//! The dump has no owners: the roles of plugins are named after the database that they are in. Restoring makes them anew, and
//! each plugin's tables as that plugin's role.
//!
//! A table may call functions while it is filled, in its checks. Those are a plugin's code: so it is the plugin that connects
//! to fill it, with no more rights than it has when it runs. `SET ROLE` could be undone by such a function.

use std::{
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime;
use tokio_postgres::config::{Host, SslMode};

use super::BackupError;
use crate::{
    config::{self, Config},
    database::{Databases, PluginLogin},
    postgres::{Postgres, PostgresError, reason},
    store::{DataDir, KEY_VARIABLE, PREVIOUS_KEY_VARIABLE},
};

/// The database of `database.url`.
pub(super) struct Server<'a> {
    config: &'a config::Database,
    postgres: Postgres,
    databases: Databases,
}

impl<'a> Server<'a> {
    /// `None` with SQLite.
    pub(super) fn of(config: &'a Config, network: &runtime::Handle) -> Result<Option<Self>, BackupError> {
        let Some(postgres) = Postgres::new(&config.database, network)? else { return Ok(None) };
        let data = config.data_dir.as_path();
        let data = DataDir::open(data).map_err(|why| BackupError::Io {
            what: "use the data folder",
            path: data.to_owned(),
            source: std::io::Error::other(why),
        })?;
        let databases = Databases::new(&data, &config.database, Some(&postgres));
        Ok(Some(Self { config: &config.database, postgres, databases }))
    }

    /// The plugins that have tables.
    pub(super) fn plugins(&self) -> Result<Vec<String>, BackupError> {
        Ok(self.databases.in_postgres()?)
    }

    /// The newest migration of the host's own tables; empty if there are none yet.
    pub(super) fn migration(&self) -> Result<String, BackupError> {
        self.ask_own("SELECT max(version) FROM streamspace.__diesel_schema_migrations")
    }

    /// The id of the key that secrets are sealed with; empty if there are none.
    pub(super) fn key(&self) -> Result<String, BackupError> {
        self.ask_own("SELECT encode(substr(config, 2, 8), 'hex') FROM streamspace.plugins LIMIT 1")
    }

    /// Asks the host's own tables; an empty text if there are none yet.
    fn ask_own(&self, sql: &str) -> Result<String, BackupError> {
        match self.ask("SELECT to_regclass('streamspace.plugins') IS NOT NULL")?.as_str() {
            "t" => self.ask(sql),
            _ => Ok(String::new()),
        }
    }

    /// Runs SQL of the host and answers the last text in it.
    fn ask(&self, sql: &str) -> Result<String, BackupError> {
        let failed = |why: &tokio_postgres::Error| PostgresError::Connect {
            server: format!("{:?}", self.postgres),
            reason: reason(why),
        };
        Ok(self.postgres.network().block_on(async {
            let (client, connection) = self.postgres.connect().await?;
            let driver = tokio::spawn(connection);
            let rows = client.simple_query(sql).await;
            driver.abort();
            let rows = rows.map_err(|why| failed(&why))?;
            let text = rows.iter().rev().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            Ok::<_, PostgresError>(text.unwrap_or_default())
        })?)
    }

    /// Writes the database to `target`.
    pub(super) fn dump(&self, target: &Path) -> Result<(), BackupError> {
        let mut command = self.program("pg_dump");
        command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(target);
        run("pg_dump", command, deadline(self.config))
    }

    /// Reads a dump to its end. It goes nowhere.
    pub(super) fn check(&self, source: &Path) -> Result<(), BackupError> {
        let mut command = Command::new("pg_restore");
        command.arg("--file=-").arg(source).stdout(Stdio::null());
        run("pg_restore", command, deadline(self.config))
    }

    /// Replaces what is in the database by what is in `source`, which has tables of these plugins. If it fails in the
    /// middle, the database has a part of it.
    pub(super) fn load(&self, source: &Path, plugins: &[String]) -> Result<(), BackupError> {
        for plugin in self.plugins()? {
            self.databases.purge(&plugin)?;
        }
        for plugin in plugins {
            if let Some(login) = self.databases.empty_schema(plugin)? {
                self.restore(source, &login.schema, Some(&login))?;
            }
        }
        // Last, since making a schema empty forgets which migrations it had.
        self.ask("DROP SCHEMA IF EXISTS streamspace CASCADE; CREATE SCHEMA streamspace")?;
        self.restore(source, "streamspace", None)
    }

    fn restore(&self, source: &Path, schema: &str, plugin: Option<&PluginLogin>) -> Result<(), BackupError> {
        let mut command = self.program("pg_restore");
        if let Some(PluginLogin { role, password, .. }) = plugin {
            command.env("PGUSER", role).env("PGPASSWORD", password);
        }
        command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
        command.arg(format!("--schema={schema}"));
        command.arg(source);
        run("pg_restore", command, deadline(self.config))
    }

    /// A program for the database. Where it is and who asks goes by the environment: other users see a command's arguments.
    fn program(&self, name: &str) -> Command {
        let config = self.postgres.config();
        let mut command = Command::new(name);
        let hosts = config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        command.env("PGHOST", hosts.collect::<Vec<_>>().join(","));
        let ports: Vec<String> = config.get_ports().iter().map(ToString::to_string).collect();
        if !ports.is_empty() {
            command.env("PGPORT", ports.join(","));
        }
        if let Some(user) = config.get_user() {
            command.env("PGUSER", user);
        }
        if let Some(password) = config.get_password() {
            command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
        }
        // The programs know of no roots but those of a file.
        command.env(
            "PGSSLMODE",
            match (config.get_ssl_mode(), &self.config.ca_file) {
                (SslMode::Disable, _) => "disable",
                (SslMode::Require, Some(_)) => "verify-full",
                (SslMode::Require, None) => "require",
                _ => "prefer",
            },
        );
        if let Some(file) = &self.config.ca_file {
            command.env("PGSSLROOTCERT", file);
        }
        command.env("PGCONNECT_TIMEOUT", self.config.wait_deadline_secs.to_string());
        command.args(["--no-password", "--dbname"]);
        command.arg(config.get_dbname().or(config.get_user()).unwrap_or_default());
        command
    }
}

fn deadline(config: &config::Database) -> Duration {
    Duration::from_secs(config.backup_deadline_secs)
}

/// Runs a program to its end, or until `deadline` has passed.
fn run(program: &'static str, mut command: Command, deadline: Duration) -> Result<(), BackupError> {
    let failed = |reason: String| BackupError::Program { program, reason };
    // Not its business.
    command.env_remove(KEY_VARIABLE).env_remove(PREVIOUS_KEY_VARIABLE);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| failed(why.to_string()))?;
    let said = child.stderr.take().map(|stderr| thread::spawn(move || first_lines(stderr)));
    let until = Instant::now() + deadline;
    let status = loop {
        match child.try_wait().map_err(|why| failed(why.to_string()))? {
            Some(status) => break status,
            None if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            None => {
                // It may have ended meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                let seconds = deadline.as_secs();
                return Err(failed(format!(
                    "it did not end within {seconds} s (`database.backup_deadline_secs`) and was ended"
                )));
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
    Err(failed(format!("{status}: {said}")))
}

/// The first lines of what a program says. The rest is read as well: a program that nobody listens to stops.
fn first_lines(mut said: impl Read) -> String {
    let mut begin = Vec::new();
    let _ = (&mut said).take(16 * 1024).read_to_end(&mut begin);
    let _ = io::copy(&mut said, &mut io::sink());
    let text = String::from_utf8_lossy(&begin);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(5).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let why = run("sh", shell("exec sleep 600"), Duration::from_millis(50)).expect_err("no end");
        assert!(why.to_string().contains("database.backup_deadline_secs"), "{why}");
    }

    #[test]
    fn what_a_program_complains_of_is_told_and_more_of_it_does_not_stop_it() {
        let complains = "echo first >&2; yes 'and more' | head -c 1000000 >&2; exit 3";
        let why = run("sh", shell(complains), Duration::from_secs(60)).expect_err("failed").to_string();
        assert!(why.contains("exit status: 3: first; and more"), "{why}");
        assert!(why.len() < 1000, "{why}");
    }
}
