//! `recording_holds`, `recording_tombstones` and `recording_markers`.

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
};

use super::new_id;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hold {
    id: String,
    reason: String,
    placed_by: String,
    placed_at: Timestamp,
    lifted_by: Option<String>,
    lifted_at: Option<Timestamp>,
}

/// Puts a recording under hold. Several may hold it: it is free when all are lifted.
pub(crate) fn place(database: &Database, recording: &str, reason: &str, by: &str) -> Result<bool> {
    database.transaction(|transaction| -> Result<bool> {
        let held = "UPDATE session_recordings SET legal_hold = $1 WHERE id = $2";
        if transaction.exec(held, params![true, recording])? == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO recording_holds (id, recording_id, reason, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5)";
        transaction.exec(sql, params![new_id(), recording, reason, by, Timestamp::now()])?;
        Ok(true)
    })
}

/// Lifts all holds of a recording. Answers how many there were.
pub(crate) fn lift(database: &Database, recording: &str, by: &str) -> Result<u64> {
    database.transaction(|transaction| -> Result<u64> {
        let sql = "UPDATE recording_holds SET lifted_by = $1, lifted_at = $2 WHERE recording_id = $3 AND lifted_at IS NULL";
        let lifted = transaction.exec(sql, params![by, Timestamp::now(), recording])?;
        transaction.exec("UPDATE session_recordings SET legal_hold = $1 WHERE id = $2", params![false, recording])?;
        Ok(lifted)
    })
}

pub(crate) fn of(database: &Database, recording: &str) -> Result<Vec<Hold>, DatabaseError> {
    let sql = "SELECT id, reason, placed_by, placed_at, lifted_by, lifted_at FROM recording_holds WHERE recording_id = $1 \
               ORDER BY placed_at, id LIMIT 200";
    database.query(sql, params![recording])
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    recording_id: String,
    session_id: String,
    user_id: String,
    created_by: String,
    started_at: Timestamp,
    duration_seconds: f64,
    file_size_bytes: i64,
    file_hash: Option<String>,
    deleted_by: String,
    deleted_at: Timestamp,
    why: String,
}

/// The newest first.
pub(crate) fn tombstones(
    database: &Database,
    limit: u32,
    skip: u64,
) -> Result<Vec<Tombstone>, DatabaseError> {
    let sql = "SELECT recording_id, session_id, user_id, created_by, started_at, duration_seconds, file_size_bytes, file_hash, \
               deleted_by, deleted_at, why FROM recording_tombstones ORDER BY deleted_at DESC, recording_id DESC LIMIT $1 OFFSET $2";
    database.query(sql, params![limit, skip])
}

/// Whether there was a recording that was deleted.
pub(crate) fn has_tombstone(database: &Database, recording: &str) -> Result<bool, DatabaseError> {
    let sql = "SELECT COUNT(*) FROM recording_tombstones WHERE recording_id = $1";
    let count: Option<u64> = database.query_one(sql, params![recording])?;
    Ok(count.unwrap_or(0) > 0)
}

/// Forgets what was deleted before.
pub(crate) fn forget(database: &Database, before: Timestamp) -> Result<u64, DatabaseError> {
    database.exec("DELETE FROM recording_tombstones WHERE deleted_at < $1", params![before])
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Marker {
    id: String,
    pub(crate) at_ms: i64,
    pub(crate) kind: String,
    pub(crate) text: String,
    created_by: String,
    created_at: Timestamp,
}

pub(crate) fn mark(
    database: &Database,
    recording: &str,
    at_ms: i64,
    kind: &str,
    text: &str,
    by: &str,
) -> Result<String, DatabaseError> {
    let id = new_id();
    let sql = "INSERT INTO recording_markers (id, recording_id, at_ms, kind, text, created_by, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    database.exec(sql, params![id, recording, at_ms, kind, text, by, Timestamp::now()])?;
    Ok(id)
}

pub(crate) fn markers(database: &Database, recording: &str) -> Result<Vec<Marker>, DatabaseError> {
    let sql = "SELECT id, at_ms, kind, text, created_by, created_at FROM recording_markers WHERE recording_id = $1 \
               ORDER BY at_ms, id LIMIT 10000";
    database.query(sql, params![recording])
}
