//! Figures of all recordings, and what a new one is measured by.

use serde::Serialize;
use streamspace_plugin::{
    database::{Database, Dialect},
    prelude::*,
};

use super::recordings::LIVE;
use crate::rules::quota::Used;

#[derive(Debug, Serialize)]
pub(crate) struct OfUser {
    user_id: String,
    recordings: u64,
    duration_seconds: f64,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct OfMonth {
    month: String,
    recordings: u64,
    duration_seconds: f64,
    size_bytes: u64,
}

/// With the platform's names where it has some.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    total_recordings: u64,
    active_recordings: u64,
    completed_recordings: u64,
    failed_recordings: u64,
    held_recordings: u64,
    total_duration: f64,
    total_size: u64,
    by_user: Vec<OfUser>,
    /// The last twelve months in which something was recorded.
    by_month: Vec<OfMonth>,
    /// Bytes of recordings, which is what limits count.
    storage_used: u64,
    /// 0 is no limit.
    storage_limit: u64,
    /// Bytes of what recordings were made into: beside that, and for a while.
    exports_size: u64,
}

pub(crate) fn of(database: &Database, storage_limit: u64) -> Result<Stats, DatabaseError> {
    let count = |condition: &str| -> Result<u64, DatabaseError> {
        let sql = format!("SELECT COUNT(*) FROM session_recordings {condition}");
        Ok(database.query_one(&sql, params![])?.unwrap_or(0))
    };
    let sums = "SELECT CAST(COALESCE(SUM(duration_seconds), 0) AS DOUBLE PRECISION), \
                CAST(COALESCE(SUM(file_size_bytes), 0) AS BIGINT) FROM session_recordings";
    let (total_duration, recorded): (f64, u64) = database.query_one(sums, params![])?.unwrap_or((0.0, 0));
    let exported: Option<u64> = database.query_one(
        "SELECT CAST(COALESCE(SUM(file_size_bytes), 0) AS BIGINT) FROM recording_exports",
        params![],
    )?;
    let columns =
        "COUNT(*), CAST(SUM(duration_seconds) AS DOUBLE PRECISION), CAST(SUM(file_size_bytes) AS BIGINT)";
    let users: Vec<(String, u64, f64, u64)> = database.query(
        &format!(
            "SELECT user_id, {columns} FROM session_recordings GROUP BY user_id ORDER BY COUNT(*) DESC, user_id LIMIT 20"
        ),
        params![],
    )?;
    let month = match database.dialect()? {
        Dialect::POSTGRES => "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM')",
        _ => "substr(started_at, 1, 7)",
    };
    let months: Vec<(String, u64, f64, u64)> = database.query(
        &format!("SELECT {month}, {columns} FROM session_recordings GROUP BY 1 ORDER BY 1 DESC LIMIT 12"),
        params![],
    )?;
    Ok(Stats {
        total_recordings: count("")?,
        active_recordings: count(&format!("WHERE status IN {LIVE}"))?,
        completed_recordings: count("WHERE status IN ('completed', 'truncated')")?,
        failed_recordings: count("WHERE status = 'failed'")?,
        held_recordings: {
            let sql = "SELECT COUNT(*) FROM session_recordings WHERE legal_hold = $1";
            database.query_one(sql, params![true])?.unwrap_or(0)
        },
        total_duration,
        total_size: recorded,
        by_user: users
            .into_iter()
            .map(|(user_id, recordings, duration_seconds, size_bytes)| OfUser {
                user_id,
                recordings,
                duration_seconds,
                size_bytes,
            })
            .collect(),
        by_month: months
            .into_iter()
            .map(|(month, recordings, duration_seconds, size_bytes)| OfMonth {
                month,
                recordings,
                duration_seconds,
                size_bytes,
            })
            .collect(),
        storage_used: recorded,
        storage_limit,
        exports_size: exported.unwrap_or(0),
    })
}

/// What there is already when a session of `user` is to be recorded.
pub(crate) fn used(database: &Database, user: &str) -> Result<Used, DatabaseError> {
    let live = format!("SELECT COUNT(*) FROM session_recordings WHERE status IN {LIVE}");
    let bytes = "SELECT CAST(COALESCE(SUM(file_size_bytes), 0) AS BIGINT) FROM session_recordings";
    Ok(Used {
        running: database.query_one(&live, params![])?.unwrap_or(0),
        running_of_user: database.query_one(&format!("{live} AND user_id = $1"), params![user])?.unwrap_or(0),
        bytes: database.query_one(bytes, params![])?.unwrap_or(0),
        bytes_of_user: database
            .query_one(&format!("{bytes} WHERE user_id = $1"), params![user])?
            .unwrap_or(0),
    })
}
