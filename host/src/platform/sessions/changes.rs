//! What changes sessions.

use serde::Deserialize;
use streamspace_plugin::events::payload;
use uuid::Uuid;

use super::{
    Access, Caller, ConnectionView, MAX_CONNECTIONS, MAX_SHARES, NewConnection, NewSession, Right,
    SessionError, SessionPatch, SessionResources, SessionView, Sessions, State, Usage, Viewer, input, now_us,
    rows::{self, ConnectionRow, Row, ShareRow, Whole},
    told,
};
use crate::{
    events::{Emitted, Stop},
    store::Connection,
};

type Changed<T> = Result<T, Stop<SessionError>>;

/// A step to another state.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionStep)]
pub struct Step {
    /// The state.
    pub state: State,
    /// Why, at most 1024 bytes. Of a failure, what went wrong.
    #[serde(default)]
    pub reason: String,
    /// Of a failure: the stack trace, at most 16 KiB.
    #[serde(default)]
    pub stack: Option<String>,
}

/// Whether a session's user does something.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "lowercase", deny_unknown_fields)]
#[schema(as = SessionActivity)]
pub enum Activity {
    /// Nothing.
    Idle {
        /// For how long, in seconds. At most 315360000 (10 years).
        idle_seconds: u64,
    },
    /// Something.
    Active,
}

/// 10 years.
const MAX_IDLE_SECONDS: u64 = 315_360_000;

impl Sessions {
    /// Makes a session that is pending, and answers whether it is a new one. With an id or a key that a session was created
    /// with by the same request, it is that session.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn create(
        &self,
        caller: &Caller,
        new: NewSession,
        key: Option<String>,
    ) -> Result<(SessionView, bool), SessionError> {
        new.check()?;
        if let Some(key) = &key {
            input::check_key(key)?;
        }
        let is_own = match &caller.sees {
            Viewer::Everything => true,
            Viewer::User(user) | Viewer::All(Some(user)) => *user == new.owner,
            Viewer::All(None) => false,
        };
        if !is_own {
            return Err(SessionError::Forbidden { id: new.owner, what: "create, for this user," });
        }
        let (request, viewer) = (new.fingerprint(), caller.sees.clone());
        let id = new.id.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        self.change(caller, move |connection, emitted| {
            let known = match &key {
                Some(key) => rows::find_by_key(connection, key)?,
                None => None,
            };
            if let Some(row) = known {
                let taken = || ("the idempotency key", key.clone().unwrap_or_default());
                return same(connection, row, &request, &viewer, taken);
            }
            if let Some(row) = rows::find(connection, &id)? {
                return same(connection, row, &request, &viewer, || ("the id", id.clone()));
            }
            let now = now_us();
            let row = Row {
                id: id.clone(),
                owner: new.owner.clone(),
                template: new.template.clone(),
                state: State::Pending.name().to_owned(),
                reason: String::new(),
                cpu: new.resources.cpu.clone(),
                memory: new.resources.memory.clone(),
                storage: new.resources.storage.clone(),
                rfb_address: None,
                url: None,
                idle_timeout_secs: new.idle_timeout_secs.map(signed),
                persistent_home: new.persistent_home,
                created_us: now,
                updated_us: now,
                request: request.clone(),
                idempotency_key: key.clone(),
            };
            rows::insert(connection, &row, &new.tags)?;
            let whole = whole(connection, row)?;
            emitted.emit("session.created", &id, &told::session(&whole));
            Ok((SessionView::new(whole, &viewer), true))
        })
    }

    /// Changes what is known of a session.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn patch(&self, caller: &Caller, id: &str, patch: SessionPatch) -> Result<SessionView, SessionError> {
        patch.check()?;
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let needed = if patch.is_for_controllers() { Right::Manage } else { Right::Own };
            let before = allowed(connection, &viewer, &id, needed, "change")?;
            in_state(&before, "a change", "not `deleting` or `deleted`", State::is_alive)?;
            if matches!(patch.rfb_address, Some(Some(_))) {
                in_state(&before, "an RFB address", "`creating` or `running`", State::has_desktop)?;
            }
            let mut row = before.clone();
            row.apply(&patch);
            let tags_before = rows::tags(connection, &id)?;
            let tags = match &patch.tags {
                Some(tags) => sorted(tags),
                None => tags_before.clone(),
            };
            let other_resources = row.resources() != before.resources();
            let other_tags = tags != tags_before;
            if !other_resources && !other_tags && row.same_details(&before) {
                return Ok(SessionView::new(whole(connection, row)?, &viewer));
            }
            row.updated_us = now_us();
            rows::update(connection, &row)?;
            if other_tags {
                rows::set_tags(connection, &id, &tags)?;
            }
            let whole = whole(connection, row)?;
            emitted.emit("session.updated", &id, &told::session(&whole));
            if other_resources {
                let resources = told::resources(&whole.row.resources());
                let updated =
                    payload::SessionResourcesUpdated { session: told::session_ref(&whole.row), resources };
                emitted.emit("session.resources.updated", &id, &updated);
            }
            if other_tags {
                let updated = payload::SessionTagsUpdated { session: told::session_ref(&whole.row), tags };
                emitted.emit("session.tags.updated", &id, &updated);
            }
            Ok(SessionView::new(whole, &viewer))
        })
    }

    /// Has a session take a step to another state.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; of the kind `Transition` if its state does not lead there.
    pub fn transition(&self, caller: &Caller, id: &str, step: Step) -> Result<SessionView, SessionError> {
        input::check_reason(&step.reason, step.stack.as_deref())?;
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Own, "change the state of")?;
            let whole = take_step(connection, emitted, row, &step, &viewer)?;
            Ok(SessionView::new(whole, &viewer))
        })
    }

    /// Has a session go. It is `deleting` until a controller says that it is gone; one that is on its way, or gone, is left
    /// alone.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn delete(&self, caller: &Caller, id: &str) -> Result<SessionView, SessionError> {
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Own, "delete")?;
            let whole = if row.state().is_alive() {
                let step = Step { state: State::Deleting, reason: String::new(), stack: None };
                take_step(connection, emitted, row, &step, &viewer)?
            } else {
                whole(connection, row)?
            };
            Ok(SessionView::new(whole, &viewer))
        })
    }

    /// A session that runs is alive, and uses so much.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn heartbeat(&self, caller: &Caller, id: &str, usage: Usage) -> Result<(), SessionError> {
        usage.check()?;
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Manage, "report on")?;
            in_state(&row, "a heartbeat", "`running`", is_running)?;
            let mut activity = rows::activity(connection, &id)?;
            activity.heartbeat_us = Some(now_us());
            activity.cpu_usage = usage.cpu;
            activity.memory_usage = usage.memory;
            activity.storage_usage = usage.storage;
            rows::set_activity(connection, &activity)?;
            told::heartbeat(emitted, &row, usage);
            Ok(())
        })
    }

    /// A session's user does something, or nothing.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn activity(&self, caller: &Caller, id: &str, now: Activity) -> Result<SessionView, SessionError> {
        if let Activity::Idle { idle_seconds } = now
            && idle_seconds > MAX_IDLE_SECONDS
        {
            return Err(SessionError::Invalid {
                field: "idle_seconds",
                expected: format!("at most {MAX_IDLE_SECONDS}"),
                found: idle_seconds.to_string(),
            });
        }
        let (session, is_idle) = (id, matches!(now, Activity::Idle { .. }));
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        let changed = self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Manage, "report on")?;
            in_state(&row, "activity", "`running`", is_running)?;
            match now {
                Activity::Active => be_active(connection, emitted, &row)?,
                Activity::Idle { idle_seconds } => {
                    let mut activity = rows::activity(connection, &id)?;
                    activity.idle = true;
                    activity.active_us = Some(now_us() - signed(idle_seconds) * 1_000_000);
                    rows::set_activity(connection, &activity)?;
                    let session = told::session_ref(&row);
                    let idle = payload::SessionIdle { session, idle_duration: idle_seconds };
                    emitted.emit("session.idle", &id, &idle);
                }
            }
            Ok(SessionView::new(whole(connection, row)?, &viewer))
        })?;
        if is_idle {
            self.inputs.be_idle(session);
        }
        Ok(changed)
    }

    /// Somebody has connected to a session that runs. Answers whether the connection is a new one.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn connect(
        &self,
        caller: &Caller,
        id: &str,
        new: NewConnection,
    ) -> Result<(ConnectionView, bool), SessionError> {
        new.check()?;
        let (id, viewer) = (id.to_owned(), caller.sees.clone());
        let connection_id = new.id.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Manage, "connect to")?;
            in_state(&row, "a connection", "`running`", is_running)?;
            let mut others = rows::connections(connection, &id)?;
            if let Some(known) = others.iter().position(|other| other.id == connection_id) {
                return Ok((others.swap_remove(known).into(), false));
            }
            full(&id, "connections", signed(others.len() as u64), MAX_CONNECTIONS)?;
            let connected = ConnectionRow {
                session: id.clone(),
                id: connection_id.clone(),
                client_address: new.client_address.map(|address| address.to_string()).unwrap_or_default(),
                user_agent: new.user_agent.clone(),
                connected_us: now_us(),
            };
            rows::add_connection(connection, &connected)?;
            told::connected(emitted, &row, &connected);
            be_active(connection, emitted, &row)?;
            Ok((connected.into(), true))
        })
    }

    /// A connection to a session has ended.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn disconnect(&self, caller: &Caller, id: &str, connection_id: &str) -> Result<(), SessionError> {
        let (id, connection_id, viewer) = (id.to_owned(), connection_id.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Manage, "disconnect from")?;
            let known = rows::connections(connection, &id)?;
            let Some(known) = known.iter().find(|known| known.id == connection_id) else {
                return absent(&id, "connection", &connection_id);
            };
            rows::remove_connection(connection, &id, &connection_id)?;
            told::disconnected(emitted, &row, known, now_us());
            Ok(())
        })
    }

    /// Lets another user use a session, or use it otherwise than before.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn share(
        &self,
        caller: &Caller,
        id: &str,
        user: &str,
        access: Access,
    ) -> Result<SessionView, SessionError> {
        input::check_name("user", user)?;
        let (id, user, viewer) = (id.to_owned(), user.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let row = allowed(connection, &viewer, &id, Right::Own, "share")?;
            in_state(&row, "a share", "not `deleting` or `deleted`", State::is_alive)?;
            if row.owner == user {
                return Err(Stop::Refused(SessionError::Invalid {
                    field: "user",
                    expected: "another user than the owner".to_owned(),
                    found: "the owner".to_owned(),
                }));
            }
            let known = rows::share(connection, &id, &user)?;
            if known.as_ref().is_none_or(|known| known.access != access.name()) {
                if known.is_none() {
                    full(&id, "shares", rows::count_shares(connection, &id)?, MAX_SHARES)?;
                }
                let share = ShareRow {
                    session: id.clone(),
                    shared_with: user.clone(),
                    access: access.name().to_owned(),
                    shared_us: now_us(),
                };
                rows::put_share(connection, &share)?;
                let permissions = match access {
                    Access::View => vec!["view".to_owned()],
                    Access::Control => vec!["view".to_owned(), "control".to_owned()],
                };
                let shared = payload::SessionShared {
                    session: told::session_ref(&row),
                    shared_with: user.clone(),
                    permissions,
                };
                emitted.emit("session.shared", &id, &shared);
            }
            Ok(SessionView::new(whole(connection, row)?, &viewer))
        })
    }

    /// Lets another user use a session no longer. The user may ask for it too.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn unshare(&self, caller: &Caller, id: &str, user: &str) -> Result<(), SessionError> {
        input::check_name("user", user)?;
        let (id, user, viewer) = (id.to_owned(), user.to_owned(), caller.sees.clone());
        self.change(caller, move |connection, emitted| {
            let leaves = matches!(&viewer, Viewer::User(name) | Viewer::All(Some(name)) if *name == user);
            let needed = if leaves { Right::Shared } else { Right::Own };
            let row = allowed(connection, &viewer, &id, needed, "take away shares of")?;
            if !rows::remove_share(connection, &id, &user)? {
                return absent(&id, "share with", &user);
            }
            let session = told::session_ref(&row);
            let unshared = payload::SessionUnshared { session, unshared_from: user.clone() };
            emitted.emit("session.unshared", &id, &unshared);
            Ok(())
        })
    }
}

impl Row {
    pub(super) fn resources(&self) -> SessionResources {
        SessionResources { cpu: self.cpu.clone(), memory: self.memory.clone(), storage: self.storage.clone() }
    }

    fn apply(&mut self, patch: &SessionPatch) {
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut self.template, &patch.template);
        if let Some(resources) = &patch.resources {
            set(&mut self.cpu, &resources.cpu);
            set(&mut self.memory, &resources.memory);
            set(&mut self.storage, &resources.storage);
        }
        if let Some(address) = &patch.rfb_address {
            self.rfb_address.clone_from(address);
        }
        if let Some(url) = &patch.url {
            self.url.clone_from(url);
        }
        if let Some(secs) = patch.idle_timeout_secs {
            self.idle_timeout_secs = secs.map(signed);
        }
        self.persistent_home = patch.persistent_home.unwrap_or(self.persistent_home);
    }

    /// Whether what a patch may change, resources apart, is the same.
    fn same_details(&self, other: &Self) -> bool {
        self.template == other.template
            && self.rfb_address == other.rfb_address
            && self.url == other.url
            && self.idle_timeout_secs == other.idle_timeout_secs
            && self.persistent_home == other.persistent_home
    }
}

/// The session, if it may be seen and this may be done with it.
fn allowed(
    connection: &mut Connection,
    viewer: &Viewer,
    id: &str,
    needed: Right,
    what: &'static str,
) -> Changed<Row> {
    let missing = || Stop::Refused(SessionError::NotFound { id: id.to_owned() });
    if input::check_id("id", id).is_err() {
        return Err(missing());
    }
    let row = rows::find(connection, id)?.ok_or_else(missing)?;
    match Right::of(connection, viewer, &row)? {
        Right::None => Err(missing()),
        right if right >= needed => Ok(row),
        _ => Err(Stop::Refused(SessionError::Forbidden { id: id.to_owned(), what })),
    }
}

pub(super) fn in_state(
    row: &Row,
    what: &'static str,
    expected: &'static str,
    fits: fn(State) -> bool,
) -> Changed<()> {
    let state = row.state();
    if fits(state) {
        return Ok(());
    }
    Err(Stop::Refused(SessionError::State { id: row.id.clone(), state, what, expected }))
}

pub(super) fn is_running(state: State) -> bool {
    state == State::Running
}

pub(super) fn full(id: &str, what: &'static str, count: i64, limit: i64) -> Changed<()> {
    if count < limit {
        return Ok(());
    }
    Err(Stop::Refused(SessionError::Full { id: id.to_owned(), what, limit }))
}

fn absent(id: &str, what: &'static str, name: &str) -> Changed<()> {
    Err(Stop::Refused(SessionError::Absent { id: id.to_owned(), what, name: name.to_owned() }))
}

/// The session that a request made before, unless it was another request.
fn same(
    connection: &mut Connection,
    row: Row,
    request: &str,
    viewer: &Viewer,
    taken: impl FnOnce() -> (&'static str, String),
) -> Changed<(SessionView, bool)> {
    if row.request != request {
        let (what, value) = taken();
        return Err(Stop::Refused(SessionError::Taken { what, value }));
    }
    Ok((SessionView::new(whole(connection, row)?, viewer), false))
}

fn take_step(
    connection: &mut Connection,
    emitted: &mut Emitted<'_>,
    mut row: Row,
    step: &Step,
    viewer: &Viewer,
) -> Changed<Whole> {
    let (from, to, now) = (row.state(), step.state, now_us());
    if !from.next().contains(&to) {
        return Err(Stop::Refused(SessionError::Transition { id: row.id, from, to }));
    }
    if *viewer != Viewer::Everything && !from.is_for_owners(to) {
        let what = "say what becomes of the desktop of";
        return Err(Stop::Refused(SessionError::Forbidden { id: row.id, what }));
    }
    if from == State::Running {
        // Nobody can be connected to a desktop that is not there.
        for known in rows::connections(connection, &row.id)? {
            told::disconnected(emitted, &row, &known, now);
        }
        rows::remove_connections(connection, &row.id)?;
        let mut activity = rows::activity(connection, &row.id)?;
        activity.idle = false;
        rows::set_activity(connection, &activity)?;
    }
    if !to.has_desktop() {
        // Soon it may be another desktop's.
        row.rfb_address = None;
    }
    to.name().clone_into(&mut row.state);
    row.reason.clone_from(&step.reason);
    row.updated_us = now;
    rows::update(connection, &row)?;
    let whole = whole(connection, row)?;
    told::step(emitted, &whole, from, step.stack.as_deref());
    Ok(whole)
}

/// Notes that a session's user is active.
pub(super) fn be_active(connection: &mut Connection, emitted: &mut Emitted<'_>, row: &Row) -> Changed<()> {
    be_active_at(connection, emitted, row, now_us())
}

/// Notes that a session's user was active a moment ago.
pub(super) fn be_active_at(
    connection: &mut Connection,
    emitted: &mut Emitted<'_>,
    row: &Row,
    at_us: i64,
) -> Changed<()> {
    let mut activity = rows::activity(connection, &row.id)?;
    let was_idle = std::mem::replace(&mut activity.idle, false);
    activity.active_us = Some(at_us);
    rows::set_activity(connection, &activity)?;
    if was_idle {
        let active = payload::SessionActive { session: told::session_ref(row) };
        emitted.emit("session.active", &row.id, &active);
    }
    Ok(())
}

fn whole(connection: &mut Connection, row: Row) -> Changed<Whole> {
    let missing = diesel::result::Error::NotFound;
    rows::whole(connection, vec![row])?.pop().ok_or_else(|| missing.into())
}

fn sorted(tags: &[String]) -> Vec<String> {
    let mut tags = tags.to_vec();
    tags.sort();
    tags.dedup();
    tags
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
