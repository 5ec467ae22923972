//! `session_recordings`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamspace_plugin::{
    database::{Database, Json, Statements, Timestamp},
    prelude::*,
};

use crate::rules::{
    rights::Facts,
    state::{State, Step},
};

/// All columns that are read.
pub(crate) const COLUMNS: &str = "id, session_id, recording_type, storage_path, file_size_bytes, duration_seconds, started_at, ended_at, \
     status, error_message, created_by, created_at, updated_at, user_id, file_hash, format, metadata, retention_days, expires_at, \
     is_automatic, reason, template, policy_id, policy_name, allow_playback, allow_download, legal_hold, notified, ended_by, continues, by_permission";

/// States in which a session is being recorded.
pub(crate) const LIVE: &str = "('starting', 'recording', 'paused')";

/// A recording, with the platform's names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "columns")]
pub(crate) struct Recording {
    pub(crate) id: String,
    pub(crate) session_id: String,
    pub(crate) recording_type: String,
    /// Where it is on this machine: nothing that a client needs.
    #[serde(skip_serializing)]
    pub(crate) storage_path: String,
    pub(crate) file_size_bytes: i64,
    pub(crate) duration_seconds: f64,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) status: State,
    pub(crate) error_message: Option<String>,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) user_id: String,
    pub(crate) file_hash: Option<String>,
    pub(crate) format: String,
    pub(crate) metadata: Json<Map<String, Value>>,
    pub(crate) retention_days: u32,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) is_automatic: bool,
    pub(crate) reason: String,
    pub(crate) template: String,
    pub(crate) policy_id: Option<String>,
    pub(crate) policy_name: Option<String>,
    pub(crate) allow_playback: bool,
    pub(crate) allow_download: bool,
    pub(crate) legal_hold: bool,
    pub(crate) notified: bool,
    pub(crate) ended_by: Option<String>,
    pub(crate) continues: Option<String>,
    /// Whether who started it was permitted to have everybody's sessions recorded.
    pub(crate) by_permission: bool,
}

impl Recording {
    pub(crate) fn facts(&self, is_shared: bool) -> Facts<'_> {
        Facts {
            owner: &self.user_id,
            created_by: &self.created_by,
            is_shared,
            is_automatic: self.is_automatic,
            allows_playback: self.allow_playback,
            allows_download: self.allow_download,
            is_held: self.legal_hold,
        }
    }
}

pub(crate) fn get(database: &Database, id: &str) -> Result<Option<Recording>, DatabaseError> {
    database.query_one(&format!("SELECT {COLUMNS} FROM session_recordings WHERE id = $1"), params![id])
}

/// The one that runs of a session.
pub(crate) fn live_of(database: &Database, session: &str) -> Result<Option<Recording>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM session_recordings WHERE session_id = $1 AND status IN {LIVE}");
    database.query_one(&sql, params![session])
}

/// The newest of a session.
pub(crate) fn last_of(database: &Database, session: &str) -> Result<Option<Recording>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM session_recordings WHERE session_id = $1 ORDER BY started_at DESC, id DESC LIMIT 1"
    );
    database.query_one(&sql, params![session])
}

/// Those that are not over: what runs, and what a process has left.
pub(crate) fn unfinished(database: &Database) -> Result<Vec<Recording>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM session_recordings WHERE status IN ('starting', 'recording', 'paused', 'finalising') ORDER BY id"
    );
    database.query(&sql, params![])
}

pub(crate) fn insert(statements: &Statements, new: &Recording) -> Result<(), DatabaseError> {
    let sql = format!(
        "INSERT INTO session_recordings ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)"
    );
    statements.exec(
        &sql,
        params![
            new.id,
            new.session_id,
            new.recording_type,
            new.storage_path,
            new.file_size_bytes,
            new.duration_seconds,
            new.started_at,
            new.ended_at,
            new.status.name(),
            new.error_message,
            new.created_by,
            new.created_at,
            new.updated_at,
            new.user_id,
            new.file_hash,
            new.format,
            new.metadata,
            new.retention_days,
            new.expires_at,
            new.is_automatic,
            new.reason,
            new.template,
            new.policy_id,
            new.policy_name,
            new.allow_playback,
            new.allow_download,
            new.legal_hold,
            new.notified,
            new.ended_by,
            new.continues,
            new.by_permission,
        ],
    )?;
    Ok(())
}

/// Takes a recording that came to nothing out of the tables: the next try is in its place. Answers whether it did.
pub(crate) fn replace(statements: &Statements, vain: &str, by: &str) -> Result<bool, DatabaseError> {
    let sql = "DELETE FROM session_recordings WHERE id = $1 AND status = 'failed' AND legal_hold = $2";
    if statements.exec(sql, params![vain, false])? == 0 {
        return Ok(false);
    }
    for table in ["recording_markers", "recording_playback", "recording_exports"] {
        statements.exec(&format!("DELETE FROM {table} WHERE recording_id = $1"), params![vain])?;
    }
    let sql = "UPDATE recording_approvals SET recording_id = $1 WHERE recording_id = $2";
    statements.exec(sql, params![by, vain])?;
    Ok(true)
}

/// Takes a step, from whatever state allows it. Answers whether one did.
pub(crate) fn step(database: &Database, id: &str, step: Step) -> Result<bool, DatabaseError> {
    let now = Timestamp::now();
    for from in State::ALL {
        if let Ok(to) = from.after(step) {
            let sql =
                "UPDATE session_recordings SET status = $1, updated_at = $2 WHERE id = $3 AND status = $4";
            if database.exec(sql, params![to.name(), now, id, from.name()])? > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// How a recording ended.
#[derive(Debug, Clone)]
pub(crate) struct End<'a> {
    pub(crate) status: State,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) hash: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    pub(crate) by: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

/// Writes down how a recording ended, if that is not known yet. Answers whether it was not.
pub(crate) fn end(database: &Database, id: &str, end: &End<'_>) -> Result<bool, DatabaseError> {
    let sql = "UPDATE session_recordings SET status = $1, file_size_bytes = $2, duration_seconds = $3, file_hash = $4, \
               error_message = $5, ended_by = $6, ended_at = $7, expires_at = $8, updated_at = $9 \
               WHERE id = $10 AND status IN ('starting', 'recording', 'paused', 'finalising')";
    let bytes = i64::try_from(end.bytes).unwrap_or(i64::MAX);
    let changed = database.exec(
        sql,
        params![
            end.status.name(),
            bytes,
            end.seconds,
            end.hash,
            end.error,
            end.by,
            end.at,
            end.expires,
            Timestamp::now(),
            id
        ],
    )?;
    Ok(changed > 0)
}

/// What is known of a recording that runs. What it came to stays as it is, if it is over by now.
pub(crate) fn progress(database: &Database, id: &str, bytes: u64, seconds: f64) -> Result<(), DatabaseError> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    database.exec(&progressed(), params![bytes, seconds, Timestamp::now(), id])?;
    Ok(())
}

fn progressed() -> String {
    format!(
        "UPDATE session_recordings SET file_size_bytes = $1, duration_seconds = $2, updated_at = $3 WHERE id = $4 AND status IN {LIVE}"
    )
}

/// There is more of a recording that is over.
pub(crate) fn grown(database: &Database, id: &str, bytes: u64) -> Result<(), DatabaseError> {
    let sql = "UPDATE session_recordings SET file_size_bytes = $1, updated_at = $2 WHERE id = $3 AND status IN ('completed', 'truncated')";
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    database.exec(sql, params![bytes, Timestamp::now(), id])?;
    Ok(())
}

/// What is said of a recording whose files are gone, at the beginning.
pub(crate) const GONE: &str = "its files are gone, and nobody has deleted it";

/// Reads the id, path, state, error and end of those that must have files, and of those that had.
pub(crate) fn with_files() -> String {
    format!(
        "SELECT id, storage_path, status, error_message, ended_by FROM session_recordings \
         WHERE status IN ('completed', 'truncated') OR (status = 'failed' AND error_message LIKE '{GONE}%')"
    )
}

/// The files of a recording are gone. Answers whether it is as it was.
pub(crate) fn lose(database: &Database, id: &str, why: &str) -> Result<bool, DatabaseError> {
    let sql = "UPDATE session_recordings SET status = 'failed', error_message = $1, updated_at = $2 \
               WHERE id = $3 AND status IN ('completed', 'truncated')";
    Ok(database.exec(sql, params![why, Timestamp::now(), id])? > 0)
}

/// They are there again.
pub(crate) fn bring_back(
    database: &Database,
    id: &str,
    status: State,
    error: Option<&str>,
) -> Result<bool, DatabaseError> {
    let sql = format!(
        "UPDATE session_recordings SET status = $1, error_message = $2, updated_at = $3 \
         WHERE id = $4 AND status = 'failed' AND error_message LIKE '{GONE}%'"
    );
    Ok(database.exec(&sql, params![status.name(), error, Timestamp::now(), id])? > 0)
}

/// What is over and was not put under hold.
pub(crate) fn expired(
    database: &Database,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Recording>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM session_recordings WHERE expires_at IS NOT NULL AND expires_at <= $1 AND legal_hold = $2 \
         AND status IN ('completed', 'failed', 'truncated') ORDER BY expires_at LIMIT $3"
    );
    database.query(&sql, params![now, false, most])
}

/// Removes a recording from the tables and leaves a tombstone, unless it is under hold or still runs. Answers whether it did.
pub(crate) fn bury(database: &Database, dead: &Recording, by: &str, why: &str) -> Result<bool> {
    let now = Timestamp::now();
    database.transaction(|transaction| -> Result<bool> {
        let gone = "DELETE FROM session_recordings WHERE id = $1 AND legal_hold = $2 \
                    AND status IN ('completed', 'failed', 'truncated')";
        for table in ["recording_markers", "recording_playback", "recording_exports"] {
            let sql = format!(
                "DELETE FROM {table} WHERE recording_id IN (SELECT id FROM session_recordings WHERE id = $1 AND legal_hold = $2 \
                 AND status IN ('completed', 'failed', 'truncated'))"
            );
            transaction.exec(&sql, params![dead.id, false])?;
        }
        if transaction.exec(gone, params![dead.id, false])? == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO recording_tombstones (recording_id, session_id, user_id, created_by, started_at, duration_seconds, \
                   file_size_bytes, file_hash, deleted_by, deleted_at, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        transaction.exec(
            sql,
            params![
                dead.id,
                dead.session_id,
                dead.user_id,
                dead.created_by,
                dead.started_at,
                dead.duration_seconds,
                dead.file_size_bytes,
                dead.file_hash,
                by,
                now,
                why
            ],
        )?;
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;

    #[test]
    fn what_a_recording_came_to_is_not_written_over() {
        let tables = Connection::open_in_memory().expect("memory");
        tables.execute_batch(include_str!("../../migrations/sqlite/0001_recordings/up.sql")).expect("tables");
        let now = "2026-01-01 00:00:00.000000";
        for status in State::ALL {
            let sql = "INSERT INTO session_recordings (id, session_id, storage_path, started_at, created_by, created_at, updated_at, \
                       user_id, status, metadata, retention_days, is_automatic, allow_playback, allow_download, legal_hold, notified, \
                       by_permission, file_size_bytes) VALUES ($1, $1, '/r', $2, 'ada', $2, $2, 'ada', $1, '{}', 30, 0, 1, 1, 0, 0, 0, 100)";
            tables.execute(sql, params![status.name(), now]).expect("a recording");
            tables.execute(&progressed(), params![7, 0.5, now, status.name()]).expect("a statement");
            let sql = "SELECT file_size_bytes FROM session_recordings WHERE id = $1";
            let bytes: i64 = tables.query_row(sql, params![status.name()], |row| row.get(0)).expect("a row");
            let is_live = matches!(status, State::Starting | State::Recording | State::Paused);
            assert_eq!(bytes, if is_live { 7 } else { 100 }, "{status:?}");
        }
    }
}
