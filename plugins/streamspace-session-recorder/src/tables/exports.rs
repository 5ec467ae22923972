//! `recording_exports`: what recordings were made into.

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
};

const COLUMNS: &str = "id, recording_id, format, status, storage_path, file_size_bytes, error_message, requested_by, created_at, \
     finished_at";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Export {
    pub(crate) id: String,
    pub(crate) recording_id: String,
    /// `webm` or `vnc`.
    pub(crate) format: String,
    /// `queued`, `running`, `done` or `failed`.
    pub(crate) status: String,
    #[serde(skip_serializing)]
    pub(crate) storage_path: String,
    pub(crate) file_size_bytes: i64,
    pub(crate) error_message: Option<String>,
    pub(crate) requested_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Writes down that an export is wanted, or wanted again after one that failed. Answers whether there is something to do.
pub(crate) fn want(database: &Database, new: &Export) -> Result<bool, DatabaseError> {
    let sql = format!(
        "INSERT INTO recording_exports ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (recording_id, format) DO UPDATE SET status = excluded.status, error_message = NULL, \
         requested_by = excluded.requested_by, created_at = excluded.created_at, finished_at = NULL \
         WHERE recording_exports.status = 'failed'"
    );
    let changed = database.exec(
        &sql,
        params![
            new.id,
            new.recording_id,
            new.format,
            new.status,
            new.storage_path,
            new.file_size_bytes,
            new.error_message,
            new.requested_by,
            new.created_at,
            new.finished_at,
        ],
    )?;
    Ok(changed > 0)
}

pub(crate) fn get(
    database: &Database,
    recording: &str,
    format: &str,
) -> Result<Option<Export>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM recording_exports WHERE recording_id = $1 AND format = $2");
    database.query_one(&sql, params![recording, format])
}

pub(crate) fn of(database: &Database, recording: &str) -> Result<Vec<Export>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM recording_exports WHERE recording_id = $1 ORDER BY format");
    database.query(&sql, params![recording])
}

/// The one that waits for the longest time.
pub(crate) fn next(database: &Database) -> Result<Option<Export>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM recording_exports WHERE status = 'queued' ORDER BY created_at, id LIMIT 1"
    );
    database.query_one(&sql, params![])
}

/// Takes one that waits. Answers whether it was still waiting.
pub(crate) fn take(database: &Database, id: &str) -> Result<bool, DatabaseError> {
    let sql = "UPDATE recording_exports SET status = 'running' WHERE id = $1 AND status = 'queued'";
    Ok(database.exec(sql, params![id])? > 0)
}

pub(crate) fn finish(
    database: &Database,
    id: &str,
    came_to: &Result<u64, String>,
) -> Result<(), DatabaseError> {
    let (status, bytes, error) = match came_to {
        Ok(bytes) => ("done", i64::try_from(*bytes).unwrap_or(i64::MAX), None),
        Err(why) => ("failed", 0, Some(why.as_str())),
    };
    let sql = "UPDATE recording_exports SET status = $1, file_size_bytes = $2, error_message = $3, finished_at = $4 WHERE id = $5";
    database.exec(sql, params![status, bytes, error, Timestamp::now(), id])?;
    Ok(())
}

/// Has those that a process was at when it ended wait again.
pub(crate) fn wait_again(database: &Database) -> Result<u64, DatabaseError> {
    database.exec("UPDATE recording_exports SET status = 'queued' WHERE status = 'running'", params![])
}
