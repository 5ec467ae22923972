//! Lists, one, figures.

use serde_json::json;
use streamspace_plugin::{
    prelude::*,
    routes::{Request, Response},
};

use super::{ADMIN, READ, recording, sight};
use crate::{
    SessionRecorder,
    rules::rights::Act,
    tables::{
        exports,
        find::{self, Wanted},
        holds, stats,
    },
};

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.get("/recordings", list)
        .describe("Recordings, a page at a time: session_id, status, format, start_date, end_date, created_by, user_id, search, sort, order, page, page_size");
    on.get("/recordings/stats", figures).permission(READ).describe("Figures of all recordings");
    on.get("/recordings/tombstones", tombstones)
        .permission(ADMIN)
        .describe("What was deleted, by whom, and why");
    on.get("/recordings/{id}", one).describe("A recording");
    on.get("/recordings/{id}/holds", all_holds)
        .permission(ADMIN)
        .describe("Who holds a recording, and who lifted that");
}

fn list(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let wanted: Wanted = request.query()?;
    let sight = sight(desk, request, wanted.mine.unwrap_or(false))?;
    Ok(Response::json(&find::page(desk.context.database(), &wanted, &sight)?.json()))
}

fn one(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let mut found = recording(desk, request, Act::See)?;
    if let Some(progress) = desk.progress(&found.id) {
        found.file_size_bytes = i64::try_from(progress.bytes).unwrap_or(i64::MAX);
        found.duration_seconds = crate::desk::seconds(progress.length);
    }
    let mut answer = serde_json::to_value(&found)?;
    answer["exports"] = json!(exports::of(desk.context.database(), &found.id)?);
    Ok(Response::json(&answer))
}

fn figures(plugin: &SessionRecorder, _: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    Ok(Response::json(&stats::of(desk.context.database(), desk.config.quota_bytes)?))
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Slice {
    limit: Option<u32>,
    skip: Option<u64>,
}

fn tombstones(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let slice: Slice = request.query()?;
    let limit = slice.limit.unwrap_or(100).clamp(1, 1000);
    let skip = slice.skip.unwrap_or(0).min(u64::from(u32::MAX));
    let all = holds::tombstones(plugin.desk().context.database(), limit, skip)?;
    Ok(Response::json(&json!({ "tombstones": all })))
}

fn all_holds(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Audit)?;
    Ok(Response::json(&json!({ "holds": holds::of(desk.context.database(), &found.id)? })))
}
