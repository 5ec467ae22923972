//! `recording_policies`.

use serde::Deserialize;
use serde_json::{Map, Value};
use streamspace_plugin::{
    database::{Database, Json, Timestamp},
    prelude::*,
};

use super::new_id;
use crate::rules::policy::{Policy, Rules};

const COLUMNS: &str = "id, name, description, auto_record, recording_format, retention_days, apply_to_users, apply_to_teams, \
     apply_to_templates, require_reason, allow_user_playback, allow_user_download, require_approval, require_consent, \
     notify_on_recording, metadata, enabled, priority, created_at, updated_at";

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "columns")]
struct Row {
    id: String,
    name: String,
    description: String,
    auto_record: bool,
    recording_format: String,
    retention_days: u32,
    apply_to_users: Json<Vec<String>>,
    apply_to_teams: Json<Vec<String>>,
    apply_to_templates: Json<Vec<String>>,
    require_reason: bool,
    allow_user_playback: bool,
    allow_user_download: bool,
    require_approval: bool,
    require_consent: bool,
    notify_on_recording: bool,
    metadata: Json<Map<String, Value>>,
    enabled: bool,
    priority: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Policy {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            rules: Rules {
                name: row.name,
                description: row.description,
                auto_record: row.auto_record,
                recording_format: row.recording_format,
                retention_days: row.retention_days,
                apply_to_users: row.apply_to_users.0,
                apply_to_teams: row.apply_to_teams.0,
                apply_to_templates: row.apply_to_templates.0,
                require_reason: row.require_reason,
                allow_user_playback: row.allow_user_playback,
                allow_user_download: row.allow_user_download,
                require_approval: row.require_approval,
                require_consent: row.require_consent,
                notify_on_recording: row.notify_on_recording,
                metadata: row.metadata.0,
                enabled: row.enabled,
                priority: row.priority,
            },
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

/// All, the highest priority first. There are as many as administrators write: few.
pub(crate) fn all(database: &Database) -> Result<Vec<Policy>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM recording_policies ORDER BY priority DESC, created_at, id");
    let rows: Vec<Row> = database.query(&sql, params![])?;
    Ok(rows.into_iter().map(Policy::from).collect())
}

pub(crate) fn get(database: &Database, id: &str) -> Result<Option<Policy>, DatabaseError> {
    let row: Option<Row> = database
        .query_one(&format!("SELECT {COLUMNS} FROM recording_policies WHERE id = $1"), params![id])?;
    Ok(row.map(Policy::from))
}

/// Writes a new one down, and answers its id.
pub(crate) fn insert(database: &Database, rules: &Rules) -> Result<String, DatabaseError> {
    let id = new_id();
    let sql = format!(
        "INSERT INTO recording_policies ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18, $19, $19)"
    );
    write(database, &sql, &id, rules)?;
    Ok(id)
}

/// Gives a policy other rules. Answers whether it is there.
pub(crate) fn update(database: &Database, id: &str, rules: &Rules) -> Result<bool, DatabaseError> {
    let sql = "UPDATE recording_policies SET name = $2, description = $3, auto_record = $4, recording_format = $5, \
               retention_days = $6, apply_to_users = $7, apply_to_teams = $8, apply_to_templates = $9, require_reason = $10, \
               allow_user_playback = $11, allow_user_download = $12, require_approval = $13, require_consent = $14, \
               notify_on_recording = $15, metadata = $16, enabled = $17, priority = $18, updated_at = $19 WHERE id = $1";
    Ok(write(database, sql, id, rules)? > 0)
}

/// With what makes a policy: the columns in their order, of which the last is the time.
fn write(database: &Database, sql: &str, id: &str, rules: &Rules) -> Result<u64, DatabaseError> {
    database.exec(
        sql,
        params![
            id,
            rules.name,
            rules.description,
            rules.auto_record,
            rules.recording_format,
            rules.retention_days,
            Json(&rules.apply_to_users),
            Json(&rules.apply_to_teams),
            Json(&rules.apply_to_templates),
            rules.require_reason,
            rules.allow_user_playback,
            rules.allow_user_download,
            rules.require_approval,
            rules.require_consent,
            rules.notify_on_recording,
            Json(&rules.metadata),
            rules.enabled,
            rules.priority,
            Timestamp::now(),
        ],
    )
}

pub(crate) fn delete(database: &Database, id: &str) -> Result<bool, DatabaseError> {
    Ok(database.exec("DELETE FROM recording_policies WHERE id = $1", params![id])? > 0)
}
