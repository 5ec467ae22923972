//! `recording_exports`: what recordings were made into.

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
};

const COLUMNS: &str = "id, recording_id, format, status, storage_path, file_size_bytes, error_message, requested_by, created_at, \
     finished_at, expires_at";

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
    /// When its file goes, unless it is downloaded before.
    pub(crate) expires_at: Option<Timestamp>,
}

/// Writes down that an export is wanted, or wanted again after one that failed. Answers whether there is something to do.
pub(crate) fn want(database: &Database, new: &Export) -> Result<bool, DatabaseError> {
    let sql = format!(
        "INSERT INTO recording_exports ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
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
            new.expires_at,
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

/// Those that wait, the one that waits for the longest time first.
pub(crate) fn waiting(database: &Database, most: u32) -> Result<Vec<Export>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM recording_exports WHERE status = 'queued' ORDER BY created_at, id LIMIT $1"
    );
    database.query(&sql, params![most])
}

/// Those that somebody is at, or was when it ended.
pub(crate) fn running(database: &Database) -> Result<Vec<Export>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM recording_exports WHERE status = 'running' ORDER BY id");
    database.query(&sql, params![])
}

/// Takes one that waits. Answers whether it was still waiting.
pub(crate) fn take(database: &Database, id: &str) -> Result<bool, DatabaseError> {
    let sql = "UPDATE recording_exports SET status = 'running' WHERE id = $1 AND status = 'queued'";
    Ok(database.exec(sql, params![id])? > 0)
}

/// Has one wait again that was not made to its end.
pub(crate) fn give_back(database: &Database, id: &str) -> Result<(), DatabaseError> {
    let sql = "UPDATE recording_exports SET status = 'queued' WHERE id = $1 AND status = 'running'";
    database.exec(sql, params![id])?;
    Ok(())
}

/// Writes down what came of one. Answers whether it is still wanted: its recording may have been deleted meanwhile.
pub(crate) fn finish(
    database: &Database,
    id: &str,
    came_to: &Result<u64, String>,
    expires: Timestamp,
) -> Result<bool, DatabaseError> {
    let (status, bytes, error, expires) = match came_to {
        Ok(bytes) => ("done", i64::try_from(*bytes).unwrap_or(i64::MAX), None, Some(expires)),
        Err(why) => ("failed", 0, Some(why.as_str()), None),
    };
    let sql = "UPDATE recording_exports SET status = $1, file_size_bytes = $2, error_message = $3, finished_at = $4, \
               expires_at = $5 WHERE id = $6 AND status = 'running'";
    Ok(database.exec(sql, params![status, bytes, error, Timestamp::now(), expires, id])? > 0)
}

/// Has a file stay that is used. Answers whether it is still there.
pub(crate) fn keep(database: &Database, id: &str, expires: Timestamp) -> Result<bool, DatabaseError> {
    let sql = "UPDATE recording_exports SET expires_at = $1 WHERE id = $2 AND status = 'done'";
    Ok(database.exec(sql, params![expires, id])? > 0)
}

/// Those whose time is over.
pub(crate) fn over(database: &Database, now: Timestamp) -> Result<Vec<Export>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM recording_exports WHERE status = 'done' AND expires_at <= $1 ORDER BY id"
    );
    database.query(&sql, params![now])
}

/// Forgets one whose time is over. Answers whether it still was.
pub(crate) fn forget(database: &Database, id: &str, now: Timestamp) -> Result<bool, DatabaseError> {
    let sql = "DELETE FROM recording_exports WHERE id = $1 AND status = 'done' AND expires_at <= $2";
    Ok(database.exec(sql, params![id, now])? > 0)
}
