//! Approvals: who has to agree before something is recorded.

use serde::Deserialize;
use serde_json::json;
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
};

use super::{ADMIN, MAX_BODY, by};
use crate::{
    SessionRecorder,
    rules::policy::Cause,
    start::{Ask, Asked},
    tables::approvals::{self, Approval},
};

/// Longest note, in bytes.
const MAX_NOTE: usize = 1000;

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.get("/recording-approvals", list)
        .permission(ADMIN)
        .describe("What somebody has to agree to: `status` is pending, approved or refused");
    on.post("/recording-approvals/{id}/approve", |plugin: &SessionRecorder, request: &Request<'_>| {
        decide(plugin, request, true)
    })
    .permission(ADMIN)
    .body_limit(MAX_BODY)
    .describe("Agrees, and has the session recorded");
    on.post("/recording-approvals/{id}/refuse", |plugin: &SessionRecorder, request: &Request<'_>| {
        decide(plugin, request, false)
    })
    .permission(ADMIN)
    .body_limit(MAX_BODY)
    .describe("Does not agree");
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    status: Option<String>,
}

fn list(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let Wanted { status } = request.query()?;
    if status.as_deref().is_some_and(|status| !matches!(status, "pending" | "approved" | "refused")) {
        return Err(Problem::new(422, "`status`: expected pending, approved or refused").into());
    }
    let all = approvals::list(plugin.desk().context.database(), status.as_deref())?;
    Ok(Response::json(&json!({ "approvals": all })))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Note {
    note: String,
}

fn decide(plugin: &SessionRecorder, request: &Request<'_>, agrees: bool) -> Result<Response> {
    let desk = plugin.desk();
    let database = desk.context.database();
    let Note { note } = if request.body().is_empty() { Note::default() } else { request.json()? };
    if note.len() > MAX_NOTE || note.contains('\0') {
        return Err(Problem::new(422, format!("`note`: expected up to {MAX_NOTE} bytes")).into());
    }
    let id = request.param("id").unwrap_or_default();
    let missing = || Problem::new(404, "there is no such question");
    let asked = approvals::get(database, id)?.ok_or_else(missing)?;
    let caller = request.caller();
    if asked.requested_by == caller.name() && !caller.name().is_empty() && !asked.is_automatic {
        return Err(Problem::new(403, "nobody agrees to what they have asked for themselves").into());
    }
    let status = if agrees { "approved" } else { "refused" };
    if !approvals::decide(database, id, status, caller.name(), &note)? {
        return Err(Problem::new(409, format!("the question is {} already", asked.status)).into());
    }
    let recording = if agrees { record(plugin, request, &asked)? } else { None };
    if let Some(recording) = &recording {
        approvals::led_to(database, id, recording)?;
    }
    Ok(Response::json(&json!({ "approval_id": id, "status": status, "recording_id": recording })))
}

/// Has a session recorded that it was agreed on for. None if it does not run any more.
fn record(plugin: &SessionRecorder, request: &Request<'_>, asked: &Approval) -> Result<Option<String>> {
    let desk = plugin.desk();
    let Some(session) = desk.context.platform().sessions().get(&asked.session_id)? else { return Ok(None) };
    let ask = Ask {
        by: asked.requested_by.clone(),
        cause: asked.is_automatic.then_some(Cause::Policy),
        format: Some(asked.format.clone()),
        reason: asked.reason.clone(),
        by_permission: asked.by_permission,
        is_approved: true,
        ..Ask::default()
    };
    match desk.start(&session, &ask, Some(&by(request))) {
        Ok(Asked::Recording(recording)) => Ok(Some(recording.id)),
        Ok(Asked::Waiting(_)) => Ok(None),
        Err(why) => {
            // It was agreed on all the same.
            info!(desk.context.logger(), "What was agreed on is not recorded."; "session" => &session.id, "reason" => %why);
            Ok(None)
        }
    }
}
