//! PostgreSQL's own programs for a whole database.

use std::{path::Path, process::Command};

use super::BackupError;
use crate::config;

/// Writes the database of `url` to `target`.
pub(super) fn dump(url: &str, config: &config::Database, target: &Path) -> Result<(), BackupError> {
    let mut command = program("pg_dump", url, config);
    command.args(["--format=custom", "--no-password", "--file"]).arg(target);
    run("pg_dump", command)
}

/// Replaces what is in the database of `url` by what is in `source`, whole or not at all.
pub(super) fn load(url: &str, config: &config::Database, source: &Path) -> Result<(), BackupError> {
    let mut command = program("pg_restore", url, config);
    command
        .args(["--clean", "--if-exists", "--no-password", "--single-transaction", "--exit-on-error"])
        .arg(source);
    run("pg_restore", command)
}

/// A program for the database of `url`, whose password is nobody else's business: other users see a command's arguments.
fn program(name: &str, url: &str, config: &config::Database) -> Command {
    let mut command = Command::new(name);
    let mut place = url.to_owned();
    if let Ok(mut parsed) = url::Url::parse(url) {
        if let Some(password) = parsed.password() {
            let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
            command.env("PGPASSWORD", password);
        }
        if parsed.set_password(None).is_ok() {
            place = parsed.to_string();
        }
    }
    if let Some(file) = &config.ca_file {
        command.env("PGSSLROOTCERT", file);
    }
    command.env("PGCONNECT_TIMEOUT", config.wait_deadline_secs.to_string());
    command.arg("--dbname").arg(place);
    command
}

fn run(program: &'static str, mut command: Command) -> Result<(), BackupError> {
    let failed = |reason: String| BackupError::Program { program, reason };
    let output = command.output().map_err(|why| failed(why.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(5).collect();
    Err(failed(format!("{}: {}", output.status, said.join("; "))))
}
