//! Sessions, as the host shows them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Platform, PlatformError, Reader, read, written};
use crate::{abi::RStr, events::payload::Resources};

/// The platform's desktop sessions. Made by [`Platform::sessions`].
#[derive(Debug, Clone, Copy)]
pub struct Sessions(pub(super) Platform);

/// A state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SessionState {
    /// Asked for. No controller has begun to make its desktop.
    Pending,
    /// A controller makes its desktop.
    Creating,
    /// Its desktop can be used.
    Running,
    /// Its desktop rests, and can be woken: by the step to `Running`.
    Hibernated,
    /// Something went wrong.
    Failed,
    /// It is to go, for good.
    Deleting,
    /// Nothing but this record is left of it.
    Deleted,
    /// One that this SDK does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Hibernated => "hibernated",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
        })
    }
}

/// A session. Times are RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The user whose it is.
    pub owner: String,
    /// What its desktop is made from.
    pub template: String,
    /// Its state.
    pub state: SessionState,
    /// Why it has that state; empty if nobody said.
    pub reason: String,
    /// What it asks for.
    pub resources: Resources,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Who else may use it.
    pub shares: Vec<Share>,
    /// How many are connected.
    pub connected: u64,
    /// Whether its user does nothing.
    pub idle: bool,
    /// After how many seconds without its user it may be put to rest. The host does not do so by itself.
    pub idle_timeout_secs: Option<u64>,
    /// Whether the user's files outlive it.
    pub persistent_home: bool,
    /// Where a browser opens it.
    pub url: Option<String>,
    /// What it used at its last heartbeat, if there was one.
    pub usage: Option<Usage>,
    /// When it was created.
    pub created_at: String,
    /// When it was last changed, heartbeats and activity apart.
    pub updated_at: String,
    /// When its user was last active.
    pub last_activity_at: Option<String>,
    /// When the last heartbeat came.
    pub last_heartbeat_at: Option<String>,
}

/// Somebody else who may use a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Share {
    /// The user.
    pub user: String,
    /// `view` or `control`.
    pub access: String,
    /// Since when.
    pub shared_at: String,
}

/// What a session uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Processor, in cores.
    pub cpu: f64,
    /// Memory, in bytes.
    pub memory: f64,
    /// Storage, in bytes.
    pub storage: f64,
}

/// Which sessions. All that is given must hold; nothing is given for all of them.
///
/// ```
/// use streamspace_plugin::platform::{SessionFilter, SessionState};
///
/// let running = SessionFilter { state: Some(SessionState::Running), ..SessionFilter::default() };
/// # assert!(running.owner.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SessionFilter {
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// In which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<SessionState>,
    /// From which template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// With which tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Shared with which user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<String>,
    /// What id, owner or template contain, whatever the case of ASCII letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where to begin: [`SessionPage::next`] of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most, 1 to 500; 100 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Sessions, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionPage {
    /// Some of them.
    pub sessions: Vec<Session>,
    /// Where to go on, as [`SessionFilter::after`]. `None` behind the last.
    pub next: Option<String>,
}

/// A session to be made.
///
/// ```
/// use streamspace_plugin::platform::NewSession;
///
/// let new = NewSession { tags: vec!["course".into()], ..NewSession::new("ada", "firefox") };
/// # assert!(new.id.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewSession {
    /// Its id: 1 to 64 letters, digits, `-`, `_` and `.`, the first a letter or digit. Without one, the host makes a UUID. With
    /// the id of a session that was created by the same request, that session is answered: so a call that is repeated makes
    /// one session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The user whose it is. 1 to 255 bytes.
    pub owner: String,
    /// What its desktop is made from. 1 to 255 bytes.
    pub template: String,
    /// What it asks for.
    pub resources: Resources,
    /// At most 32 of 1 to 64 bytes.
    pub tags: Vec<String>,
    /// After how many seconds without its user it may be put to rest, 1 to 31536000 (a year).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_secs: Option<u64>,
    /// Whether the user's files outlive it.
    pub persistent_home: bool,
}

impl NewSession {
    /// A session of `owner`, from `template`, that asks for nothing else.
    #[must_use]
    pub fn new(owner: impl Into<String>, template: impl Into<String>) -> Self {
        Self { owner: owner.into(), template: template.into(), ..Self::default() }
    }
}

#[derive(Serialize)]
struct Step<'a> {
    state: SessionState,
    reason: &'a str,
}

impl Sessions {
    /// `[worker]` `[setup]` A page of the sessions that `filter` names, the newest first. Needs the permission
    /// `read:sessions`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::SessionFilter;
    ///
    /// fn newest(context: &Context, owner: &str) -> Result<Option<String>> {
    ///     let filter = SessionFilter { owner: Some(owner.into()), limit: Some(1), ..SessionFilter::default() };
    ///     let page = context.platform().sessions().list(&filter)?;
    ///     Ok(page.sessions.into_iter().next().map(|session| session.id))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`].
    pub fn list(&self, filter: &SessionFilter) -> Result<SessionPage, PlatformError> {
        let host = self.0.host()?;
        read(host.table.list_sessions()(host.handle, written(filter)?.as_slice().into()).into_result()?)
    }

    /// `[worker]` `[setup]` All sessions that `filter` names, the newest first, page by page: each of
    /// [`SessionFilter::limit`]. One that is made meanwhile may be missing.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::{SessionFilter, SessionState};
    ///
    /// fn running(context: &Context) -> Result<usize> {
    ///     let filter = SessionFilter { state: Some(SessionState::Running), ..SessionFilter::default() };
    ///     let mut count = 0;
    ///     for session in context.platform().sessions().all(filter) {
    ///         session?;
    ///         count += 1;
    ///     }
    ///     Ok(count)
    /// }
    /// ```
    pub fn all(&self, filter: SessionFilter) -> impl Iterator<Item = Result<Session, PlatformError>> + use<> {
        let sessions = *self;
        Reader::new(move |after| {
            let filter = SessionFilter { after: after.or_else(|| filter.after.clone()), ..filter.clone() };
            sessions.list(&filter).map(|page| (page.sessions, page.next))
        })
    }

    /// `[worker]` `[setup]` The session with this id; `None` if there is none. Needs the permission `read:sessions`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn owner(context: &Context, id: &str) -> Result<Option<String>> {
    ///     Ok(context.platform().sessions().get(id)?.map(|session| session.owner))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`].
    pub fn get(&self, id: &str) -> Result<Option<Session>, PlatformError> {
        let host = self.0.host()?;
        let found = host.table.get_session()(host.handle, RStr::from_str(id)).into_result()?;
        found.into_option().map(read).transpose()
    }

    /// `[worker]` `[setup]` Makes a session, which is pending then: a controller makes its desktop. `session.created` has the
    /// plugin as its source. Needs the permission `write:sessions`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::NewSession;
    ///
    /// fn open(context: &Context, event: &Event<'_>, user: &str) -> Result<String> {
    ///     // An event that is handled twice makes one session.
    ///     let id = Some(format!("course-{}", event.id()));
    ///     let new = NewSession { id, ..NewSession::new(user, "jupyter") };
    ///     Ok(context.platform().sessions().create(&new)?.id)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`]; of the variant `Conflict` if the id is that of a session that another request has made.
    pub fn create(&self, new: &NewSession) -> Result<Session, PlatformError> {
        let host = self.0.host()?;
        read(host.table.create_session()(host.handle, written(new)?.as_slice().into()).into_result()?)
    }

    /// `[worker]` `[setup]` Has a session take a step to another state, for a reason of at most 1024 bytes. The events that
    /// tell of it have the plugin as their source. Needs the permission `write:sessions`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::SessionState;
    ///
    /// fn rest(context: &Context, id: &str) -> Result<()> {
    ///     match context.platform().sessions().transition(id, SessionState::Hibernated, "nobody is there") {
    ///         Ok(_) | Err(PlatformError::Conflict(_)) => Ok(()),
    ///         Err(why) => Err(why.into()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`]; of the variant `Conflict` if its state does not lead there.
    pub fn transition(&self, id: &str, state: SessionState, reason: &str) -> Result<Session, PlatformError> {
        let host = self.0.host()?;
        let step = written(&Step { state, reason })?;
        let done = host.table.transition_session()(host.handle, RStr::from_str(id), step.as_slice().into());
        read(done.into_result()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_a_newer_host_is_read() {
        let text = r#"{"id": "s1", "state": "thawing", "usage": {"cpu": 0.5, "gpu": 1}, "unheard_of": []}"#;
        let session: Session = serde_json::from_str(text).expect("a session");
        assert_eq!((session.state, session.usage.map(|usage| usage.cpu)), (SessionState::Unknown, Some(0.5)));
    }

    #[test]
    fn a_filter_says_nothing_of_what_is_not_asked() {
        let filter = SessionFilter { state: Some(SessionState::Running), ..SessionFilter::default() };
        assert_eq!(serde_json::to_string(&filter).expect("JSON"), r#"{"state":"running"}"#);
    }
}
