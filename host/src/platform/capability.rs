//! The host's half of `platform/1`.

use std::sync::{Arc, LazyLock};

use serde::{Serialize, de::DeserializeOwned};
use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, ROption, RSlice, RStr, RVec, guard},
    platform::{PlatformRef, PlatformTable},
};

use super::{
    UserFilter, Users,
    sessions::{
        Caller, Filter, MAX_PAGE, NewSession, SessionError, SessionPage, SessionView, Sessions, Step, Viewer,
    },
};
use crate::{
    blocking,
    events::LogError,
    handles::{Handles, Opened},
    store::DatabaseError,
};

/// What one plugin may do with sessions and users.
#[derive(Debug)]
pub(crate) struct PluginPlatform {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) plugin: Arc<str>,
    /// What the plugin was granted.
    pub(crate) permissions: Vec<String>,
}

static PLATFORMS: LazyLock<Handles<PluginPlatform>> = LazyLock::new(Handles::new);

/// Gives a plugin its half, for as long as the [`Opened`] is kept.
pub(crate) fn open(platform: PluginPlatform) -> (Capability, Opened) {
    let opened = PLATFORMS.open(Arc::new(platform));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> PlatformRef {
    static TABLE: LazyLock<PlatformRef> = LazyLock::new(|| {
        PlatformTable { list_sessions, get_session, create_session, transition_session, list_users, get_user }
            .leak_into_prefix()
    });
    *TABLE
}

/// A permission: a verb and what it is about.
#[derive(Debug, Clone, Copy)]
struct Needed {
    verb: &'static str,
    subject: &'static str,
}

const READ_SESSIONS: Needed = Needed { verb: "read", subject: "sessions" };
const WRITE_SESSIONS: Needed = Needed { verb: "write", subject: "sessions" };
const READ_USERS: Needed = Needed { verb: "read", subject: "users" };

impl Needed {
    /// Whether a permission is this one, in any of the platform's spellings: `read:sessions`, `sessions:read`,
    /// `sessions.read`, and `read/write` for both verbs.
    fn is(self, permission: &str) -> bool {
        let verb = |verb: &str| verb == self.verb || verb == "read/write";
        let parts = [(":", false), (":", true), (".", true)];
        parts.into_iter().any(|(separator, subject_first)| match permission.split_once(separator) {
            Some((subject, said)) if subject_first => subject == self.subject && verb(said),
            Some((said, subject)) => subject == self.subject && verb(said),
            None => false,
        })
    }
}

impl PluginPlatform {
    fn check(&self, needed: Needed) -> Result<(), Fault> {
        if self.permissions.iter().any(|permission| needed.is(permission)) {
            return Ok(());
        }
        let (plugin, Needed { verb, subject }) = (&self.plugin, needed);
        Err(Fault::new(
            FaultKind::DENIED,
            format_args!(
                "the plugin `{plugin}` may not {verb} {subject}: add \"{verb}:{subject}\" to the `permissions` of its manifest"
            ),
        ))
    }

    fn caller(&self) -> Caller {
        Caller::plugin(&self.plugin)
    }
}

/// Runs a call, which may wait, with what `handle` names, if the plugin is permitted it.
fn call<T>(
    what: &str,
    needed: Needed,
    handle: Handle,
    entry: impl FnOnce(&PluginPlatform) -> Result<T, Fault>,
) -> Outcome<T> {
    guard(what, || {
        blocking::check(what)?;
        let platform = PLATFORMS.get(handle)?;
        platform.check(needed)?;
        entry(&platform)
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn list_sessions(handle: Handle, filter: RSlice<'_, u8>) -> Outcome<RVec<u8>> {
    call("the host's `list_sessions`", READ_SESSIONS, handle, |platform| {
        let filter: Filter = read("the filter", &filter)?;
        let page = platform.sessions.list(&Viewer::Everything, &filter).map_err(fault)?;
        let sessions = page.sessions.into_iter().map(shown).collect();
        written(&SessionPage { sessions, ..page })
    })
}

extern "C" fn get_session(handle: Handle, id: RStr<'_>) -> Outcome<ROption<RVec<u8>>> {
    call("the host's `get_session`", READ_SESSIONS, handle, |platform| {
        match platform.sessions.get(&Viewer::Everything, id.as_str()) {
            Err(SessionError::NotFound { .. }) => Ok(ROption::RNone),
            Ok(session) => written(&shown(session)).map(ROption::RSome),
            Err(why) => Err(fault(why)),
        }
    })
}

extern "C" fn create_session(handle: Handle, new: RSlice<'_, u8>) -> Outcome<RVec<u8>> {
    call("the host's `create_session`", WRITE_SESSIONS, handle, |platform| {
        let new: NewSession = read("the session", &new)?;
        let (session, _) = platform.sessions.create(&platform.caller(), new, None).map_err(fault)?;
        written(&shown(session))
    })
}

extern "C" fn transition_session(handle: Handle, id: RStr<'_>, step: RSlice<'_, u8>) -> Outcome<RVec<u8>> {
    call("the host's `transition_session`", WRITE_SESSIONS, handle, |platform| {
        let step: Step = read("the step", &step)?;
        let session = platform.sessions.transition(&platform.caller(), id.as_str(), step).map_err(fault)?;
        written(&shown(session))
    })
}

extern "C" fn list_users(handle: Handle, filter: RSlice<'_, u8>) -> Outcome<RVec<u8>> {
    call("the host's `list_users`", READ_USERS, handle, |platform| {
        let filter: UserFilter = read("the filter", &filter)?;
        if !(1..=MAX_PAGE).contains(&filter.limit.unwrap_or(1)) {
            return Err(Fault::new(FaultKind::INVALID, format_args!("`limit`: expected 1 to {MAX_PAGE}")));
        }
        written(&platform.users.list(&filter).map_err(of_database)?)
    })
}

extern "C" fn get_user(handle: Handle, user: RStr<'_>) -> Outcome<ROption<RVec<u8>>> {
    call("the host's `get_user`", READ_USERS, handle, |platform| {
        if user.contains('\0') {
            // Nobody is called so, and one of the databases takes no such text.
            return Ok(ROption::RNone);
        }
        let found = platform.users.get(user.as_str()).map_err(of_database)?;
        Ok(found.map(|user| written(&user)).transpose()?.into())
    })
}

/// A session as plugins see it: not where its desktop is, and not where its users are.
fn shown(session: SessionView) -> SessionView {
    SessionView { rfb_address: None, connections: None, ..session }
}

fn read<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let path = why.path().to_string();
        Fault::new(
            FaultKind::INVALID,
            format_args!("{what} is not as expected, at `{path}`: {}", why.into_inner()),
        )
    })
}

fn written(value: &impl Serialize) -> Result<RVec<u8>, Fault> {
    serde_json::to_vec(value).map(RVec::from).map_err(|why| Fault::new(FaultKind::FAILED, why))
}

fn of_database(why: DatabaseError) -> Fault {
    fault(why.into())
}

fn fault(why: SessionError) -> Fault {
    let kind = match &why {
        SessionError::NotFound { .. } | SessionError::Absent { .. } => FaultKind::NOT_FOUND,
        SessionError::Invalid { .. } => FaultKind::INVALID,
        SessionError::Transition { .. }
        | SessionError::Taken { .. }
        | SessionError::State { .. }
        | SessionError::NoDesktop { .. }
        | SessionError::Full { .. } => FaultKind::CONFLICT,
        SessionError::Forbidden { .. } => FaultKind::DENIED,
        SessionError::Log(LogError::Late { .. }) => FaultKind::TIMED_OUT,
        SessionError::Database(_) | SessionError::Log(_) => FaultKind::UNREACHABLE,
        SessionError::Refused { .. } => FaultKind::FAILED,
    };
    Fault::new(kind, format_args!("{why} ({})", why.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_the_same_in_every_spelling_and_no_other() {
        for said in
            ["read:sessions", "sessions:read", "sessions.read", "read/write:sessions", "sessions:read/write"]
        {
            assert!(READ_SESSIONS.is(said), "{said}");
        }
        for said in [
            "sessions",
            "read",
            "write:sessions",
            "read:users",
            "read.sessions",
            "xread:sessions",
            "admin",
            "read:",
            "",
        ] {
            assert!(!READ_SESSIONS.is(said), "{said}");
        }
        assert!(WRITE_SESSIONS.is("write:sessions") && READ_USERS.is("users.read"));
    }
}
