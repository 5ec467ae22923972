//! Playing and taking along.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use streamspace_plugin::{
    database::Timestamp,
    prelude::*,
    routes::{Problem, Request, Response},
};

use super::{MAX_BODY, note, playable, recording};
use crate::{
    SessionRecorder,
    config::Format,
    desk::Desk,
    rules::rights::Act,
    tables::{
        access::{self, Position},
        exports::{self, Export},
        new_id,
        recordings::Recording,
    },
};

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.get("/recordings/{id}/stream", stream)
        .describe("The recording as a video, in ranges. 202 while it is being made");
    on.get("/recordings/{id}/download", download)
        .describe("The recording as a file, in ranges: `format` is webm or vnc. 202 while it is being made");
    on.post("/recordings/{id}/exports", export)
        .body_limit(MAX_BODY)
        .describe("Has a file made of a recording, in the background");
    on.get("/recordings/{id}/exports", all).describe("What was made of a recording, and what is being made");
    on.get("/recordings/{id}/thumbnail", thumbnail)
        .timeout(Duration::from_secs(20))
        .describe("A small picture, of the moment `at_ms`");
    on.get("/recordings/{id}/playback", position).describe("Where the caller is in a recording");
    on.put("/recordings/{id}/playback", set_position)
        .body_limit(MAX_BODY)
        .describe("Notes where the caller is in a recording, and how fast it is played");
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    format: Option<String>,
}

/// The format that is made: what the platform calls `mp4` is a video too.
fn made(wanted: Option<&str>, of: &Recording) -> Result<&'static str, Problem> {
    match Format::of(wanted.unwrap_or(&of.format)) {
        Some(Format::Vnc) => Ok("vnc"),
        Some(Format::Webm | Format::Mp4) => Ok("webm"),
        None => Err(Problem::new(422, "`format`: expected webm or vnc")),
    }
}

/// Sees that something is made of a recording, and answers how far that is.
fn made_of(desk: &Desk, of: &Recording, format: &'static str, by: &str) -> Result<Export> {
    let database = desk.context.database();
    let new = Export {
        id: new_id(),
        recording_id: of.id.clone(),
        format: format.into(),
        status: "queued".into(),
        storage_path: desk.export_path(&of.id, format).to_string_lossy().into_owned(),
        file_size_bytes: 0,
        error_message: None,
        requested_by: by.into(),
        created_at: Timestamp::now(),
        finished_at: None,
        expires_at: None,
    };
    exports::want(database, &new)?;
    desk.wake_exports();
    Ok(exports::get(database, &of.id, format)?.unwrap_or(new))
}

fn file(
    desk: &Desk,
    request: &Request<'_>,
    of: &Recording,
    format: &'static str,
    action: &str,
) -> Result<Response> {
    let database = desk.context.database();
    let export = match exports::get(database, &of.id, format)? {
        Some(export) if export.status == "failed" => {
            let why = export.error_message.unwrap_or_default();
            return Err(Problem::new(
                409,
                format!("it could not be made: {why}. POST /recordings/{}/exports tries again", of.id),
            )
            .into());
        }
        // Its file stays for whoever uses it, and is made anew if it has just gone.
        Some(export)
            if export.status != "done" || exports::keep(database, &export.id, desk.export_expiry())? =>
        {
            export
        }
        _ => made_of(desk, of, format, request.caller().name())?,
    };
    if export.status != "done" {
        return Ok(Response::json(&export).with_status(202).header("Retry-After", "2"));
    }
    note(desk, request, of, action, request.header("range").unwrap_or("whole"))?;
    let media_type = if format == "webm" { "video/webm" } else { "application/octet-stream" };
    let response = Response::file(&export.storage_path)
        .header("Content-Type", media_type)
        .header("Cache-Control", "private, no-store");
    Ok(match action {
        "download" => {
            let extension = if format == "webm" { "webm" } else { "fbs" };
            response.header("Content-Disposition", &format!("attachment; filename=\"{}.{extension}\"", of.id))
        }
        _ => response,
    })
}

fn stream(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    playable(desk, &found)?;
    file(desk, request, &found, "webm", "playback")
}

fn download(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Download)?;
    playable(desk, &found)?;
    let wanted: Wanted = request.query()?;
    let format = made(wanted.format.as_deref(), &found)?;
    file(desk, request, &found, format, "download")
}

fn export(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Download)?;
    playable(desk, &found)?;
    let wanted: Wanted = if request.body().is_empty() { Wanted::default() } else { request.json()? };
    let format = made(wanted.format.as_deref(), &found)?;
    note(desk, request, &found, "export", format)?;
    let export = made_of(desk, &found, format, request.caller().name())?;
    Ok(Response::json(&export).with_status(202))
}

fn all(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::See)?;
    Ok(Response::json(&json!({ "exports": exports::of(desk.context.database(), &found.id)? })))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Moment {
    at_ms: Option<u64>,
}

fn thumbnail(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    let folder = playable(desk, &found)?;
    let Moment { at_ms } = request.query()?;
    let at_ms = at_ms.unwrap_or(0);
    let drawn = desk.studio.thumbnail(&found.id, &folder, &desk.key, at_ms.saturating_mul(1000));
    let picture = drawn.map_err(|why| Problem::new(409, format!("there is no picture: {why}")))?;
    note(desk, request, &found, "thumbnail", &at_ms.to_string())?;
    Ok(Response::bytes(picture.bytes)
        .header("Content-Type", picture.media_type)
        .header("Cache-Control", "private, no-store"))
}

fn position(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    let at = access::position(desk.context.database(), &found.id, request.caller().name())?;
    Ok(Response::json(&at.unwrap_or(Position { position: 0, speed: 1.0 })))
}

fn set_position(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    let at: Position = request.json()?;
    if at.position < 0 || !(0.25..=16.0).contains(&at.speed) {
        return Err(
            Problem::new(422, "expected `position` in milliseconds, and `speed` from 0.25 to 16").into()
        );
    }
    access::set_position(desk.context.database(), &found.id, request.caller().name(), at)?;
    Ok(Response::json(&at))
}
