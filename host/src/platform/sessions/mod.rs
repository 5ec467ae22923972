//! Desktop sessions: whose they are, what becomes of them, and the events that tell of it.
//!
//! A change, the look whether it is allowed, and its events are one transaction (`Bus::change`). The host makes no
//! desktops: a controller elsewhere does, and says through the API how far it is.

mod changes;
mod desktop;
mod error;
mod input;
mod inputs;
mod page;
mod rows;
mod state;
mod told;
mod view;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use slog::{Logger, error};

pub use self::{
    changes::{Activity, Step},
    desktop::Desktop,
    error::SessionError,
    input::{
        Access, MAX_TAGS, NewConnection, NewSession, ResourcesPatch, SessionPatch, SessionResources, Usage,
    },
    inputs::Input,
    page::{Filter, MAX_PAGE, PAGE},
    state::{State, UnknownState},
    view::{ConnectionView, SessionPage, SessionView, ShareView},
};
use self::{inputs::Inputs, page::Place, rows::Row};
use crate::{
    clock,
    events::{Bus, Emitted, Stop},
    store::{Connection, Database},
};

/// How many other users a session may be shared with.
const MAX_SHARES: i64 = 100;
/// How many connections a session may have.
const MAX_CONNECTIONS: i64 = 100;
/// How many sessions are forgotten in one transaction.
const FORGOTTEN_TOGETHER: i64 = 200;

/// Who asks, and so what there is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody who manages sessions: all of them, and all that is known of them.
    Everything,
    /// Somebody who may look at all of them; beyond that as any user, by name, if there is one.
    All(Option<String>),
    /// A user, by name: own sessions and those that are shared with the user.
    User(String),
}

/// Who changes something.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What the caller may see, and so may change.
    pub sees: Viewer,
    /// The source of the events that tell of it, e.g. `plugin:streamspace-slack`.
    pub source: Arc<str>,
}

impl Caller {
    /// The host's administrator.
    #[must_use]
    pub fn administrator() -> Self {
        Self { sees: Viewer::Everything, source: "streamspace".into() }
    }

    /// An account. What it `sees` follows from what it is permitted.
    #[must_use]
    pub fn account(name: &str, sees: Viewer) -> Self {
        Self { sees, source: format!("user:{name}").into() }
    }

    /// The name of the account, if it is one's.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.source.strip_prefix("user:")
    }

    /// A plugin that may manage sessions.
    #[must_use]
    pub fn plugin(name: &str) -> Self {
        Self { sees: Viewer::Everything, source: format!("plugin:{name}").into() }
    }
}

/// All sessions. Everything here blocks.
pub struct Sessions {
    bus: Arc<Bus>,
    database: Arc<Database>,
    keep_deleted: Duration,
    inputs: Inputs,
    stop: Mutex<Option<mpsc::Sender<()>>>,
}

impl Sessions {
    /// The sessions in `database`, whose changes go through `bus`. Deleted ones are forgotten after `keep_deleted`.
    #[must_use]
    pub fn new(bus: Arc<Bus>, database: Arc<Database>, keep_deleted: Duration) -> Self {
        Self { bus, database, keep_deleted, inputs: Inputs::default(), stop: Mutex::default() }
    }

    /// Sessions, the newest first.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn list(&self, viewer: &Viewer, filter: &Filter) -> Result<SessionPage, SessionError> {
        filter.check()?;
        let (limit, place) = (filter.limit()?, filter.place()?);
        // One more, to know whether there are more.
        let (mut found, is_more) = self.database.with("list sessions", |connection| {
            let mut rows = rows::list(connection, viewer, filter, place.as_ref(), i64::from(limit) + 1)?;
            let is_more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            Ok((rows::whole(connection, rows)?, is_more))
        })?;
        let last = found.last().filter(|_| is_more);
        let next =
            last.map(|last| Place { created_us: last.row.created_us, id: last.row.id.clone() }.written());
        let sessions = found.drain(..).map(|whole| SessionView::new(whole, viewer)).collect();
        Ok(SessionPage { sessions, next })
    }

    /// One session.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; of the kind `NotFound` also for one that `viewer` may not see.
    pub fn get(&self, viewer: &Viewer, id: &str) -> Result<SessionView, SessionError> {
        let missing = || SessionError::NotFound { id: id.to_owned() };
        if input::check_id("id", id).is_err() {
            return Err(missing());
        }
        let found = self.database.with("read a session", |connection| {
            let Some(row) = rows::find(connection, id)? else { return Ok(None) };
            let right = Right::of(connection, viewer, &row)?;
            let connections = match right {
                Right::None => return Ok(None),
                Right::Shared => None,
                Right::Own | Right::Manage => Some(rows::connections(connection, id)?),
            };
            Ok(rows::whole(connection, vec![row])?.pop().map(|whole| (whole, connections)))
        })?;
        let (whole, connections) = found.ok_or_else(missing)?;
        let connections =
            connections.map(|connections| connections.into_iter().map(ConnectionView::from).collect());
        Ok(SessionView { connections, ..SessionView::new(whole, viewer) })
    }

    /// Runs a change of one session as one transaction with its events.
    fn change<T: Send + 'static>(
        &self,
        caller: &Caller,
        mut work: impl FnMut(&mut Connection, &mut Emitted<'_>) -> Result<T, Stop<SessionError>> + Send + 'static,
    ) -> Result<T, SessionError> {
        let source = Arc::clone(&caller.source);
        let done = self.bus.change(move |connection, emitted| {
            emitted.by(Arc::clone(&source));
            work(connection, emitted)
        });
        done.map_err(SessionError::from)
    }

    /// Forgets sessions that were deleted long ago. Answers how many.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn forget_old(&self) -> Result<usize, SessionError> {
        let before = now_us() - i64::try_from(self.keep_deleted.as_micros()).unwrap_or(i64::MAX);
        let mut all = 0;
        loop {
            let done = self.bus.change(move |connection, _| -> Result<usize, Stop<SessionError>> {
                Ok(rows::forget(connection, before, FORGOTTEN_TOGETHER)?)
            });
            let forgotten = done.map_err(SessionError::from)?;
            all += forgotten;
            if forgotten == 0 {
                return Ok(all);
            }
        }
    }

    /// Starts the thread that forgets old sessions and says whether somebody does something in others, until
    /// [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn look_after(self: &Arc<Self>, logger: &Logger) -> std::io::Result<()> {
        let every = (self.keep_deleted / 2).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let (stop, stopped) = mpsc::channel();
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        let (sessions, logger) = (Arc::clone(self), logger.clone());
        thread::Builder::new().name("ss:sessions".to_owned()).spawn(move || {
            let mut failing = [false; 2];
            let mut failed = |which: usize, done: Result<(), SessionError>, what: &'static str| {
                if let Err(why) = &done
                    && !failing[which]
                {
                    error!(logger, "{}", what; "code" => why.code(), "error" => %why);
                }
                failing[which] = done.is_err();
            };
            let mut forgets = Instant::now();
            loop {
                if Instant::now() >= forgets {
                    failed(0, sessions.forget_old().map(drop), "Old sessions cannot be forgotten.");
                    forgets = Instant::now() + every;
                }
                let looked = sessions.look_at_inputs();
                failed(1, looked, "Whether sessions are idle cannot be written down.");
                // The other end goes when the host stops.
                if stopped.recv_timeout(every.min(inputs::LOOK)) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// Ends what [`look_after`](Self::look_after) started.
    pub fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// What somebody may do with a session; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    None,
    Shared,
    Own,
    Manage,
}

impl Right {
    fn of(connection: &mut Connection, viewer: &Viewer, row: &Row) -> diesel::QueryResult<Self> {
        match viewer {
            Viewer::Everything => Ok(Self::Manage),
            Viewer::All(Some(user)) | Viewer::User(user) if *user == row.owner => Ok(Self::Own),
            Viewer::All(_) => Ok(Self::Shared),
            Viewer::User(user) => {
                let shared = rows::share(connection, &row.id, user)?.is_some();
                Ok(if shared { Self::Shared } else { Self::None })
            }
        }
    }
}

fn now_us() -> i64 {
    i64::try_from(clock::unix_time_us()).unwrap_or(i64::MAX)
}
