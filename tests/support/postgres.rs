//! Databases on the PostgreSQL server of `scripts/postgres`, and servers that a test may stop.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use postgres::{Client, NoTls};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use uuid::Uuid;

use crate::{DEADLINE, wait_for, workspace};

/// A database with an owner of its own, as an operator makes them for a host: it may log in and make roles, and is no
/// superuser. Both go with the value, and so do the roles that hold anything in the database.
///
/// Its collation is not that of bytes, so that what relies on an order has to say which.
#[derive(Debug)]
pub struct PostgresDatabase {
    superuser: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// A new one on the server of `scripts/postgres`.
    ///
    /// # Panics
    ///
    /// When there is no such server, or it makes none.
    #[must_use]
    pub fn new() -> Self {
        let superuser = env::var("STREAMSPACE_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!(
                "this test needs a PostgreSQL server, and STREAMSPACE_TEST_POSTGRES is not set: run it with \
                 `scripts/postgres cargo test …`"
            )
        });
        Self::on(&superuser)
    }

    fn on(superuser: &str) -> Self {
        let name = format!("streamspace_{}", Uuid::new_v4().simple());
        let password = Uuid::new_v4().simple().to_string();
        let mut client = connect(superuser);
        for statement in [
            format!("CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{password}'"),
            format!(
                "CREATE DATABASE {name} OWNER {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
            ),
        ] {
            client.batch_execute(&statement).unwrap_or_else(|why| panic!("no database for a test: {why:?}"));
        }
        let url = with(superuser, &format!("{name}:{password}"), &name);
        Self { superuser: superuser.to_owned(), name, url }
    }

    /// The URL of the database, for its owner: what `database.url` takes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection of the superuser's to the database.
    ///
    /// # Panics
    ///
    /// When there is none to be had.
    #[must_use]
    pub fn superuser(&self) -> Client {
        let user = user(&self.superuser);
        connect(&with(&self.superuser, user, &self.name))
    }

    /// A connection of the owner's.
    ///
    /// # Panics
    ///
    /// When there is none to be had.
    #[must_use]
    pub fn owner(&self) -> Client {
        connect(&self.url)
    }

    fn remove(&self) -> Result<(), postgres::Error> {
        let mut client = Client::connect(&self.superuser, NoTls)?;
        // Roles are the whole server's. Those that have a part in the database are its plugins'.
        let roles = client.query(
            "SELECT DISTINCT role.rolname::text FROM pg_shdepend AS part
             JOIN pg_roles AS role ON part.refclassid = 'pg_authid'::regclass AND part.refobjid = role.oid
             JOIN pg_database AS base ON base.datname = $1
             WHERE (part.dbid = base.oid OR part.classid = 'pg_database'::regclass AND part.objid = base.oid)
             AND NOT role.rolsuper",
            &[&self.name],
        )?;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))?;
        let roles = roles.iter().map(|row| row.get::<_, String>(0));
        for role in roles.chain([self.name.clone()]) {
            client.batch_execute(&format!("DROP ROLE IF EXISTS \"{role}\""))?;
        }
        Ok(())
    }
}

impl Default for PostgresDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // The server is thrown away too; a test may have stopped it.
        let _ = self.remove();
    }
}

/// A server of a test's own, which it may stop and start again.
#[derive(Debug)]
pub struct PostgresServer {
    script: Child,
    /// The script's command reads it to its end, and ends then.
    input: Option<ChildStdin>,
    superuser: String,
    ctl: PathBuf,
    data: PathBuf,
}

impl PostgresServer {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        const TELL: &str = r#"printf '%s\n' "$STREAMSPACE_TEST_POSTGRES" "$STREAMSPACE_TEST_POSTGRES_CTL" \
            "$STREAMSPACE_TEST_POSTGRES_DATA"; exec cat"#;
        let mut script = Command::new(workspace().join("scripts/postgres"))
            .args(["sh", "-c", TELL])
            .env_remove("STREAMSPACE_TEST_POSTGRES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = script.stdin.take();
        let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
        let mut line =
            || lines.next().unwrap_or_else(|| panic!("scripts/postgres started no server")).unwrap();
        let (superuser, ctl, data) = (line(), line().into(), line().into());
        Self { script, input, superuser, ctl, data }
    }

    /// A new database on it.
    #[must_use]
    pub fn database(&self) -> PostgresDatabase {
        PostgresDatabase::on(&self.superuser)
    }

    /// Ends it at once by SIGKILL.
    ///
    /// # Panics
    ///
    /// When it does not run, or does not end.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        let pid = file.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        wait_for(DEADLINE, "the end of the server", || test_kill_process(pid).is_err().then_some(()));
    }

    /// Ends it without a checkpoint, as a crash does.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&self) {
        assert!(self.ctl(&["stop", "-m", "immediate"]), "the server does not stop");
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&self) {
        // After a SIGKILL its children hold its memory for a moment.
        wait_for(DEADLINE, "the server to start", || self.ctl(&["start"]).then_some(()));
    }

    fn ctl(&self, arguments: &[&str]) -> bool {
        // What it starts inherits its output, and would keep a pipe open.
        let mut command = Command::new(&self.ctl);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.input.take());
        // The script ends the server within its own deadline.
        let _ = self.script.wait();
    }
}

fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap_or_else(|why| panic!("PostgreSQL for tests: {why:?}"))
}

/// `user:password` of a URL.
fn user(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split_once('@').unwrap().0
}

/// The same server, for another user and another database.
fn with(url: &str, user: &str, database: &str) -> String {
    let (_, address) = url.rsplit_once('@').unwrap();
    let address = Path::new(address).parent().unwrap().to_str().unwrap();
    format!("postgres://{user}@{address}/{database}")
}
