//! `recording_approvals` and `recording_consents`: who has to agree before a session is recorded.

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
};

const COLUMNS: &str = "id, session_id, user_id, template, policy_id, policy_name, requested_by, is_automatic, format, reason, status, \
     decided_by, decided_at, note, recording_id, created_at, by_permission";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) id: String,
    pub(crate) session_id: String,
    pub(crate) user_id: String,
    pub(crate) template: String,
    pub(crate) policy_id: String,
    pub(crate) policy_name: String,
    pub(crate) requested_by: String,
    pub(crate) is_automatic: bool,
    pub(crate) format: String,
    pub(crate) reason: String,
    /// `pending`, `approved` or `refused`.
    pub(crate) status: String,
    pub(crate) decided_by: Option<String>,
    pub(crate) decided_at: Option<Timestamp>,
    pub(crate) note: String,
    pub(crate) recording_id: Option<String>,
    pub(crate) created_at: Timestamp,
    /// Whether who asked was permitted to have everybody's sessions recorded.
    pub(crate) by_permission: bool,
}

/// Asks, unless that is asked already: then it is the question that is open.
pub(crate) fn ask(database: &Database, new: &Approval) -> Result<String, DatabaseError> {
    let sql = format!(
        "INSERT INTO recording_approvals ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT DO NOTHING"
    );
    let asked = database.exec(
        &sql,
        params![
            new.id,
            new.session_id,
            new.user_id,
            new.template,
            new.policy_id,
            new.policy_name,
            new.requested_by,
            new.is_automatic,
            new.format,
            new.reason,
            new.status,
            new.decided_by,
            new.decided_at,
            new.note,
            new.recording_id,
            new.created_at,
            new.by_permission,
        ],
    )?;
    if asked > 0 {
        return Ok(new.id.clone());
    }
    let sql = "SELECT id FROM recording_approvals WHERE session_id = $1 AND status = 'pending'";
    Ok(database.query_one(sql, params![new.session_id])?.unwrap_or_default())
}

pub(crate) fn get(database: &Database, id: &str) -> Result<Option<Approval>, DatabaseError> {
    database.query_one(&format!("SELECT {COLUMNS} FROM recording_approvals WHERE id = $1"), params![id])
}

/// The newest first, of one status or all.
pub(crate) fn list(database: &Database, status: Option<&str>) -> Result<Vec<Approval>, DatabaseError> {
    let rest = "ORDER BY created_at DESC, id DESC LIMIT 200";
    match status {
        Some(status) => database.query(
            &format!("SELECT {COLUMNS} FROM recording_approvals WHERE status = $1 {rest}"),
            params![status],
        ),
        None => database.query(&format!("SELECT {COLUMNS} FROM recording_approvals {rest}"), params![]),
    }
}

/// Decides an open question. Answers whether it was one.
pub(crate) fn decide(
    database: &Database,
    id: &str,
    status: &str,
    by: &str,
    note: &str,
) -> Result<bool, DatabaseError> {
    let sql = "UPDATE recording_approvals SET status = $1, decided_by = $2, decided_at = $3, note = $4 \
               WHERE id = $5 AND status = 'pending'";
    Ok(database.exec(sql, params![status, by, Timestamp::now(), note, id])? > 0)
}

/// Notes which recording came of it.
pub(crate) fn led_to(database: &Database, id: &str, recording: &str) -> Result<(), DatabaseError> {
    let sql = "UPDATE recording_approvals SET recording_id = $1 WHERE id = $2";
    database.exec(sql, params![recording, id])?;
    Ok(())
}

/// What was decided last of a session's recording by itself.
pub(crate) fn last_automatic(database: &Database, session: &str) -> Result<Option<Approval>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM recording_approvals WHERE session_id = $1 AND is_automatic = $2 ORDER BY created_at DESC, id DESC LIMIT 1"
    );
    database.query_one(&sql, params![session, true])
}

/// What a user said to being recorded in a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) accepted: bool,
    pub(crate) notice: String,
    pub(crate) given_at: Timestamp,
}

pub(crate) fn consent(
    database: &Database,
    session: &str,
    user: &str,
) -> Result<Option<Consent>, DatabaseError> {
    let sql =
        "SELECT accepted, notice, given_at FROM recording_consents WHERE session_id = $1 AND user_id = $2";
    database.query_one(sql, params![session, user])
}

pub(crate) fn set_consent(
    database: &Database,
    session: &str,
    user: &str,
    accepted: bool,
    notice: &str,
) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO recording_consents (session_id, user_id, accepted, notice, given_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (session_id, user_id) DO UPDATE SET accepted = excluded.accepted, notice = excluded.notice, \
               given_at = excluded.given_at";
    database.exec(sql, params![session, user, accepted, notice, Timestamp::now()])?;
    Ok(())
}
