//! Starting, stopping, pausing, marking.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
};

use super::{MAX_BODY, by, note, recording, session, viewer};
use crate::{
    SessionRecorder,
    rules::{rights::Act, state::Step},
    start::{Ask, Asked},
    studio::Running,
    tables::{approvals, holds, recordings},
};

/// Longest text of a marker, in bytes.
const MAX_TEXT: usize = 1000;

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.post("/sessions/{id}/recordings/start", start).body_limit(MAX_BODY).describe(
        "Has a session recorded: the caller's own, shared ones that the caller may use, with `recording.write` everybody's",
    );
    on.post("/sessions/recordings/{id}/stop", stop).describe("Has a recording end");
    on.post("/recordings/{id}/stop", stop).describe("The same");
    on.post("/recordings/{id}/pause", |plugin: &SessionRecorder, request: &Request<'_>| {
        pause(plugin, request, true)
    })
    .describe("Nothing is recorded until it is resumed");
    on.post("/recordings/{id}/resume", |plugin: &SessionRecorder, request: &Request<'_>| {
        pause(plugin, request, false)
    })
    .describe("Goes on after a pause");
    on.post("/recordings/{id}/markers", mark)
        .body_limit(MAX_BODY)
        .describe("Notes something at a moment of a recording; of one that runs, at this one");
    on.get("/recordings/{id}/markers", markers).describe("What was noted in a recording");
    on.get("/sessions/{id}/recordings/notice", notice)
        .describe("Whether a session is being recorded, and what its user is told");
    on.post("/sessions/{id}/recordings/consent", consent)
        .body_limit(MAX_BODY)
        .describe("Whether the session's user agrees to be recorded");
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Start {
    format: Option<String>,
    reason: Option<String>,
    retention_days: Option<u32>,
    metadata: Map<String, Value>,
    notify: Option<bool>,
}

fn start(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let wanted: Start = if request.body().is_empty() { Start::default() } else { request.json()? };
    let session = session(desk, request)?;
    let caller = request.caller();
    let ask = Ask {
        by: caller.name().to_owned(),
        format: wanted.format,
        reason: wanted.reason.unwrap_or_default(),
        retention_days: wanted.retention_days,
        metadata: wanted.metadata,
        notify: wanted.notify,
        by_permission: viewer(&caller).writes,
        ..Ask::default()
    };
    match desk.start(&session, &ask, Some(&by(request)))? {
        Asked::Recording(recording) => {
            let mut answer = json!({
                "recording_id": recording.id, "session_id": recording.session_id, "status": recording.status.name(),
                "policy": recording.policy_name, "notice": recording.notified.then_some(&desk.config.consent_banner),
            });
            if let Some(note) = desk.running(&recording.id).as_ref().and_then(Running::note) {
                answer["note"] = note.into();
            }
            Ok(Response::json(&answer).with_status(201))
        }
        Asked::Waiting(approval) => {
            let answer = json!({ "approval_id": approval, "session_id": session.id, "status": "pending" });
            Ok(Response::json(&answer).with_status(202))
        }
    }
}

fn stop(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Control)?;
    if found.status.is_over() {
        let why = format!("the recording is {} already", found.status.name());
        return Err(Problem::new(409, why).into());
    }
    note(desk, request, &found, "stop", "")?;
    let is_over = desk.stop(&found.id, "user")?;
    let now = recordings::get(desk.context.database(), &found.id)?.unwrap_or(found);
    let answer = json!({
        "recording_id": now.id, "status": now.status.name(), "duration": now.duration_seconds, "file_size": now.file_size_bytes,
        "file_hash": now.file_hash, "error": now.error_message,
    });
    Ok(Response::json(&answer).with_status(if is_over { 200 } else { 202 }))
}

fn pause(plugin: &SessionRecorder, request: &Request<'_>, pause: bool) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Control)?;
    let step = if pause { Step::Pause } else { Step::Resume };
    let to = found.status.after(step).map_err(|why| Problem::new(409, why))?;
    let running = desk.running(&found.id).ok_or_else(|| {
        Problem::new(409, "the recording does not run here any more: it is about to be ended")
    })?;
    note(desk, request, &found, if pause { "pause" } else { "resume" }, "")?;
    if !recordings::step(desk.context.database(), &found.id, step)? {
        return Err(Problem::new(409, "the recording has changed meanwhile: look at it again").into());
    }
    running.pause(pause);
    Ok(Response::json(&json!({ "recording_id": found.id, "status": to.name() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    kind: String,
    #[serde(default)]
    text: String,
    at_ms: Option<i64>,
}

fn mark(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Control)?;
    let mark: Mark = request.json()?;
    let words = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=64).contains(&mark.kind.len()) || !mark.kind.chars().all(words) {
        return Err(Problem::new(422, "`kind`: expected 1 to 64 lower-case letters, digits and `-`").into());
    }
    if mark.text.len() > MAX_TEXT || mark.text.contains('\0') {
        return Err(Problem::new(422, format!("`text`: expected up to {MAX_TEXT} bytes")).into());
    }
    let running = desk.running(&found.id);
    let at_ms = match (mark.at_ms, &running) {
        (Some(at), _) if at >= 0 => at,
        (None, Some(running)) => i64::try_from(running.progress().length / 1000).unwrap_or(i64::MAX),
        _ => {
            return Err(
                Problem::new(422, "`at_ms`: expected milliseconds from the recording's beginning").into()
            );
        }
    };
    if let (Some(running), None) = (&running, mark.at_ms) {
        running.mark(&mark.kind, &mark.text);
    }
    let database = desk.context.database();
    let id = holds::mark(database, &found.id, at_ms, &mark.kind, &mark.text, request.caller().name())?;
    Ok(Response::json(&json!({ "id": id, "at_ms": at_ms })).with_status(201))
}

fn markers(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    Ok(Response::json(&json!({ "markers": holds::markers(desk.context.database(), &found.id)? })))
}

/// What a console shows beside a desktop. Whoever asks sees the recording, as in lists; whether there is a text depends on `notified`.
fn notice(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let session = session(desk, request)?;
    let database = desk.context.database();
    let live = recordings::live_of(database, &session.id)?;
    let person = desk.person(&session.owner)?;
    let all = crate::tables::policies::all(database)?;
    let decision = desk.decide(&all, &session.owner, &person, &session.template);
    let wants_consent = decision.policy.is_some_and(|policy| policy.rules.require_consent);
    let consent = approvals::consent(database, &session.id, &session.owner)?;
    let notified = live.as_ref().is_some_and(|live| live.notified);
    let text = (notified || (wants_consent && consent.is_none())).then_some(&desk.config.consent_banner);
    Ok(Response::json(&json!({
        "recording": live.is_some(), "status": live.as_ref().map(|live| live.status.name()),
        "recording_id": live.as_ref().map(|live| &live.id), "notice": text,
        "consent_required": wants_consent, "consent": consent,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    accepted: bool,
}

fn consent(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let session = session(desk, request)?;
    let Consent { accepted } = request.json()?;
    if session.owner != request.caller().name() {
        return Err(Problem::new(403, "only the session's user agrees to be recorded").into());
    }
    let database = desk.context.database();
    approvals::set_consent(database, &session.id, &session.owner, accepted, &desk.config.consent_banner)?;
    if !accepted
        && let Some(live) = recordings::live_of(database, &session.id)?
        && let Some(policy) = &live.policy_id
        && crate::tables::policies::get(database, policy)?.is_some_and(|policy| policy.rules.require_consent)
    {
        // Whoever does not agree any more is not recorded any more.
        desk.stop(&live.id, "consent")?;
    }
    Ok(Response::json(&json!({ "session_id": session.id, "accepted": accepted })))
}
