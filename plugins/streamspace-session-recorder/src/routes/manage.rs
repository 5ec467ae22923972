//! Deleting, holding, verifying, and who did what.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
};

use super::{ADMIN, MAX_BODY, note, over, recording};
use crate::{
    SessionRecorder,
    rules::rights::Act,
    tables::{access, holds},
};

/// Longest reason, in bytes.
const MAX_REASON: usize = 1000;

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.delete("/recordings/{id}", delete)
        .body_limit(MAX_BODY)
        .describe("Deletes a recording. A tombstone says that there was one");
    on.post("/recordings/cleanup", cleanup)
        .permission(ADMIN)
        .timeout(Duration::from_secs(120))
        .describe("Deletes the recordings whose time is over, now");
    on.post("/recordings/sweep", sweep)
        .permission(ADMIN)
        .timeout(Duration::from_secs(120))
        .describe("Looks for files without a recording, and recordings without files, now");
    on.get("/recordings/{id}/access-log", access_log)
        .permission(ADMIN)
        .describe("Who did what with a recording, also with one that was deleted");
    on.put("/recordings/{id}/hold", hold)
        .permission(ADMIN)
        .body_limit(MAX_BODY)
        .describe("Puts a recording under legal hold: nothing deletes it");
    on.delete("/recordings/{id}/hold", lift)
        .permission(ADMIN)
        .describe("Lifts the legal hold of a recording");
    on.post("/recordings/{id}/verify", verify)
        .permission(ADMIN)
        .timeout(Duration::from_secs(300))
        .describe("Looks whether a recording is unaltered");
}

fn delete(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Delete)?;
    if !found.status.is_over() {
        return Err(Problem::new(409, "the recording has not ended: stop it first").into());
    }
    note(desk, request, &found, "delete", "")?;
    if desk.delete(&found, request.caller().name(), "somebody asked for it")? {
        Ok(Response::status(204))
    } else {
        Err(Problem::new(409, "the recording has changed meanwhile: look at it again").into())
    }
}

fn cleanup(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    Ok(Response::json(&plugin.desk().clean_up(request.caller().name())?))
}

fn sweep(plugin: &SessionRecorder, _: &Request<'_>) -> Result<Response> {
    Ok(Response::json(&plugin.desk().sweep()?))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Slice {
    page: Option<u32>,
    page_size: Option<u32>,
}

fn access_log(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let slice: Slice = request.query()?;
    let (page, page_size) = (slice.page.unwrap_or(1).max(1), slice.page_size.unwrap_or(50).clamp(1, 500));
    let id = request.param("id").unwrap_or_default();
    let skip = u64::from(page - 1) * u64::from(page_size);
    let (entries, total) = access::of(plugin.desk().context.database(), id, page_size, skip)?;
    Ok(Response::json(
        &json!({ "access_log": entries, "total": total, "page": page, "page_size": page_size }),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

fn hold(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Audit)?;
    let Reason { reason } = request.json()?;
    if reason.trim().is_empty() || reason.len() > MAX_REASON || reason.contains('\0') {
        return Err(Problem::new(422, format!("`reason`: expected 1 to {MAX_REASON} bytes")).into());
    }
    if !holds::place(desk.context.database(), &found.id, &reason, request.caller().name())? {
        return Err(Problem::new(404, "there is no such recording").into());
    }
    note(desk, request, &found, "hold", &reason)?;
    Ok(Response::json(&json!({ "recording_id": found.id, "legal_hold": true })))
}

fn lift(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Audit)?;
    if holds::lift(desk.context.database(), &found.id, request.caller().name())? == 0 {
        return Err(Problem::new(409, "the recording is not under hold").into());
    }
    note(desk, request, &found, "lift-hold", "")?;
    Ok(Response::json(&json!({ "recording_id": found.id, "legal_hold": false })))
}

fn verify(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Audit)?;
    let folder = over(&found)?;
    let looked = desk.studio.verify(&found.id, &folder, &desk.key);
    // What cannot be read at all is not unaltered either.
    let (is_whole, hash, report) = match looked {
        Ok(verified) => (verified.is_whole, verified.hash, verified.report),
        Err(why) => (false, None, json!({ "wrong": why.to_string() })),
    };
    let is_known = hash.is_some() && hash == found.file_hash;
    let is_whole = is_whole && is_known;
    note(desk, request, &found, "verify", if is_whole { "unaltered" } else { "altered" })?;
    Ok(Response::json(&json!({
        "recording_id": found.id, "valid": is_whole, "hash": hash, "expected_hash": found.file_hash, "report": report,
    })))
}
