//! The plugin's routes: the platform's paths, below `/api/plugins/NAME`.

mod agree;
mod control;
mod keys;
mod look;
mod manage;
mod policies;
mod replay;
mod watch;

use std::path::PathBuf;

use streamspace_plugin::{
    platform::{Session, SessionFilter},
    prelude::*,
    routes::{Caller, Problem, Request},
};

use crate::{
    SessionRecorder,
    desk::Desk,
    page,
    rules::rights::{Act, Denied, Viewer, may},
    studio::shelf::is_undecoded,
    tables::{
        access::{self, By},
        find::Sight,
        recordings::{self, Recording},
    },
};

/// See and play everybody's recordings.
pub(crate) const READ: &str = "recording.read";
/// Record everybody's sessions.
pub(crate) const WRITE: &str = "recording.write";
/// Everything: policies, approvals, holds, deletion, who saw what.
pub(crate) const ADMIN: &str = "recording.admin";
/// Largest body, in bytes.
const MAX_BODY: u64 = 256 * 1024;
/// Sessions shared with somebody that are looked at.
const MAX_SHARED: usize = 500;

pub(crate) fn register(on: &mut Registrar<SessionRecorder>) {
    control::register(on);
    look::register(on);
    watch::register(on);
    replay::register(on);
    manage::register(on);
    keys::register(on);
    policies::register(on);
    agree::register(on);
    page::register(on);
}

fn viewer<'a>(caller: &Caller<'a>) -> Viewer<'a> {
    let is_admin = caller.may(ADMIN);
    Viewer {
        name: caller.name(),
        reads: is_admin || caller.may(READ),
        writes: is_admin || caller.may(WRITE),
        is_admin,
    }
}

/// Who calls, for the access log. The address is the one that the host knows: it lets nothing else of this name through.
fn by<'a>(request: &Request<'a>) -> By<'a> {
    By {
        user: request.caller().name(),
        address: request.header("x-forwarded-for"),
        agent: request.header("user-agent"),
    }
}

/// The recording that the path names, if the caller may do this with it.
fn recording(desk: &Desk, request: &Request<'_>, act: Act) -> Result<Recording> {
    let id = request.param("id").unwrap_or_default();
    let hidden = || Error::from(Problem::new(404, "there is no such recording"));
    let found = recordings::get(desk.context.database(), id)?.ok_or_else(hidden)?;
    let caller = request.caller();
    let viewer = viewer(&caller);
    let allowed = may(&viewer, act, &found.facts(false));
    // Only who is refused so may be somebody whom it is shared with.
    let allowed = match allowed {
        Err(Denied::Hidden | Denied::NotStarter) => {
            may(&viewer, act, &found.facts(is_shared(desk, &found.session_id, viewer.name)?))
        }
        allowed => allowed,
    };
    match allowed {
        Ok(()) => Ok(found),
        Err(Denied::Hidden) => Err(hidden()),
        Err(why @ Denied::Held) => Err(Problem::new(409, why).into()),
        Err(why) => Err(Problem::new(403, why).into()),
    }
}

fn is_shared(desk: &Desk, session: &str, user: &str) -> Result<bool> {
    let session = desk.context.platform().sessions().get(session)?;
    Ok(session.is_some_and(|session| session.shares.iter().any(|share| share.user == user)))
}

/// Which recordings the caller sees.
fn sight(desk: &Desk, request: &Request<'_>, only_theirs: bool) -> Result<Sight> {
    let caller = request.caller();
    let viewer = viewer(&caller);
    if (viewer.reads || viewer.writes) && !only_theirs {
        return Ok(Sight::default());
    }
    if viewer.name.is_empty() {
        return Err(Problem::new(403, "recordings are somebody's: sign in with an account").into());
    }
    let filter = SessionFilter { shared_with: Some(viewer.name.to_owned()), ..SessionFilter::default() };
    let mut shared = Vec::new();
    if !only_theirs {
        for session in desk.context.platform().sessions().all(filter).take(MAX_SHARED) {
            shared.push(session?.id);
        }
    }
    Ok(Sight { user: Some(viewer.name.to_owned()), shared })
}

/// The session that the path names, if the caller may look on.
fn session(desk: &Desk, request: &Request<'_>) -> Result<Session> {
    let id = request.param("id").unwrap_or_default();
    let hidden = || Error::from(Problem::new(404, "there is no such session"));
    let session = desk.context.platform().sessions().get(id)?.ok_or_else(hidden)?;
    let caller = request.caller();
    let viewer = viewer(&caller);
    let is_theirs =
        session.owner == viewer.name || session.shares.iter().any(|share| share.user == viewer.name);
    if viewer.writes || is_theirs { Ok(session) } else { Err(hidden()) }
}

/// Writes down what the caller does with a recording.
fn note(desk: &Desk, request: &Request<'_>, of: &Recording, action: &str, detail: &str) -> Result<()> {
    access::log(desk.context.database(), &of.id, &by(request), action, detail)?;
    if desk.config.policies.notify_on_access && matches!(action, "playback" | "download") {
        let told = serde_json::json!({
            "recording_id": of.id, "session_id": of.session_id, "user": of.user_id, "action": action,
            "accessed_by": request.caller().name(),
        });
        desk.context.events().emit("recording.accessed", Some(&of.session_id), &told)?;
    }
    Ok(())
}

/// Where a recording's files are, if it is over and there is something in them.
fn over(of: &Recording) -> Result<PathBuf, Problem> {
    if of.status.is_playable() {
        return Ok(PathBuf::from(&of.storage_path));
    }
    let why = match of.status.is_over() {
        true => "the recording has failed: there is nothing to be seen",
        false => "the recording has not ended: stop it first",
    };
    Err(Problem::new(409, why))
}

/// Where a recording's files are, if there is something to be seen.
fn playable(desk: &Desk, of: &Recording) -> Result<PathBuf, Problem> {
    let folder = over(of)?;
    if !is_undecoded(&folder) {
        return Ok(folder);
    }
    desk.decode(&of.id, &folder);
    Err(Problem::new(
        409,
        "the recording is kept as it went over the wire, and is being decoded: try again in a moment",
    ))
}
