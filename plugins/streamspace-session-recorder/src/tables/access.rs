//! `recording_access_log` and `recording_playback`: who did what with a recording.

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    database::{Database, Statements, Timestamp},
    prelude::*,
};

use super::new_id;

/// Longest header that is written down, in characters.
const MAX_HEADER: usize = 200;

/// Who, and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) user: &'a str,
    /// As a proxy in front of the host says.
    pub(crate) address: Option<&'a str>,
    pub(crate) agent: Option<&'a str>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    id: String,
    recording_id: String,
    user_id: String,
    action: String,
    detail: String,
    accessed_at: Timestamp,
    ip_address: Option<String>,
    user_agent: Option<String>,
}

/// Writes down that somebody did something. What cannot be written down is not done.
pub(crate) fn log(
    statements: &Statements,
    recording: &str,
    by: &By<'_>,
    action: &str,
    detail: &str,
) -> Result<(), DatabaseError> {
    let cut = |text: Option<&str>| text.map(|text| text.chars().take(MAX_HEADER).collect::<String>());
    let sql = "INSERT INTO recording_access_log (id, recording_id, user_id, action, detail, accessed_at, ip_address, user_agent) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let detail: String = detail.chars().take(MAX_HEADER).collect();
    // 45 characters are the longest IPv6 address, and the platform's column.
    let address = by.address.map(|address| address.chars().take(45).collect::<String>());
    statements.exec(
        sql,
        params![new_id(), recording, by.user, action, detail, Timestamp::now(), address, cut(by.agent)],
    )?;
    Ok(())
}

/// The newest first.
pub(crate) fn of(
    database: &Database,
    recording: &str,
    limit: u32,
    skip: u64,
) -> Result<(Vec<Access>, u64), DatabaseError> {
    let sql = "SELECT id, recording_id, user_id, action, detail, accessed_at, ip_address, user_agent FROM recording_access_log \
               WHERE recording_id = $1 ORDER BY accessed_at DESC, id DESC LIMIT $2 OFFSET $3";
    let page = database.query(sql, params![recording, limit, skip])?;
    let count = "SELECT COUNT(*) FROM recording_access_log WHERE recording_id = $1";
    Ok((page, database.query_one(count, params![recording])?.unwrap_or(0)))
}

/// Where somebody is in a recording.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) position: i64,
    pub(crate) speed: f64,
}

pub(crate) fn position(
    database: &Database,
    recording: &str,
    user: &str,
) -> Result<Option<Position>, DatabaseError> {
    let sql = "SELECT position, speed FROM recording_playback WHERE recording_id = $1 AND user_id = $2";
    database.query_one(sql, params![recording, user])
}

pub(crate) fn set_position(
    database: &Database,
    recording: &str,
    user: &str,
    at: Position,
) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO recording_playback (id, recording_id, user_id, started_at, position, speed) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (recording_id, user_id) DO UPDATE SET position = excluded.position, speed = excluded.speed";
    database.exec(sql, params![new_id(), recording, user, Timestamp::now(), at.position, at.speed])?;
    Ok(())
}
