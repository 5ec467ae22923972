//! Whether somebody does something in sessions whose desktops are reached through the host.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use streamspace_plugin::events::payload;

use super::{Caller, SessionError, Sessions, State, changes, desktop::THROUGH_HOST, now_us, rows, told};
use crate::{
    events::{Emitted, Stop},
    store::Connection,
};

/// How often it is looked whether somebody has become active or idle.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// How often at most it is written down that somebody is active still, in microseconds.
const NOTED_EVERY_US: i64 = 30_000_000;
/// After how long a session is looked at although nothing was done in it: its timeout may be another one, in microseconds.
const LOOKED_AT_EVERY_US: i64 = 60_000_000;

/// When something was done last in a session, whoever did it.
#[derive(Default)]
pub struct Input {
    at_us: AtomicI64,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

impl Input {
    /// Somebody does something now. It costs a look at the clock.
    pub fn note(&self) {
        self.at_us.store(now_us(), Ordering::Relaxed);
    }

    fn at_us(&self) -> i64 {
        self.at_us.load(Ordering::Relaxed)
    }
}

/// The sessions that had viewers, until they are idle and have none.
#[derive(Default)]
pub(super) struct Inputs(Mutex<HashMap<String, Watched>>);

struct Watched {
    input: Arc<Input>,
    /// When somebody was active, as far as that is written down.
    noted_us: i64,
    is_idle: bool,
    /// When it is to be looked at next though nothing is done.
    due_us: i64,
}

impl Watched {
    fn is_to_be_looked_at(&self, now: i64) -> bool {
        let at = self.input.at_us();
        now >= self.due_us || (at > self.noted_us && (self.is_idle || at - self.noted_us >= NOTED_EVERY_US))
    }

    fn has_viewers(&self) -> bool {
        Arc::strong_count(&self.input) > 1
    }
}

/// What a session was found to be.
struct Settled {
    active_us: i64,
    is_idle: bool,
    timeout_us: Option<i64>,
}

impl Inputs {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, session: &str) -> Arc<Input> {
        let mut watched = self.lock();
        let entry = watched.entry(session.to_owned()).or_insert_with(|| Watched {
            input: Arc::default(),
            noted_us: 0,
            is_idle: false,
            due_us: 0,
        });
        // Who connects is active.
        entry.is_idle = false;
        Arc::clone(&entry.input)
    }

    /// A controller says that a session is idle.
    pub(super) fn be_idle(&self, session: &str) {
        if let Some(watched) = self.lock().get_mut(session) {
            (watched.is_idle, watched.noted_us) = (true, now_us());
        }
    }

    fn due(&self, now: i64) -> Vec<(String, i64)> {
        let watched = self.lock();
        let due = watched.iter().filter(|(_, watched)| watched.is_to_be_looked_at(now));
        due.map(|(id, watched)| (id.clone(), watched.input.at_us())).collect()
    }

    fn settle(&self, session: &str, settled: Option<Settled>, now: i64) {
        let mut all = self.lock();
        let Some(watched) = all.get_mut(session) else { return };
        let is_over = match settled {
            None => !watched.has_viewers(),
            Some(Settled { active_us, is_idle, timeout_us }) => {
                (watched.noted_us, watched.is_idle) = (active_us, is_idle);
                let due = timeout_us.filter(|_| !is_idle).map(|timeout| active_us.saturating_add(timeout));
                watched.due_us = due.unwrap_or(i64::MAX).min(now + LOOKED_AT_EVERY_US);
                !watched.has_viewers() && (is_idle || timeout_us.is_none())
            }
        };
        if is_over {
            all.remove(session);
        }
    }
}

impl Sessions {
    /// Where it is noted that somebody does something in a session.
    #[must_use]
    pub fn input(&self, session: &str) -> Arc<Input> {
        self.inputs.watch(session)
    }

    /// Says of sessions that had viewers whether somebody does something there: `session.active` and `session.idle`, the latter
    /// after the session's own timeout. To one at whose desktop others are by ways of their own, whoever lets them in says it.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn look_at_inputs(&self) -> Result<(), SessionError> {
        let now = now_us();
        for (id, at) in self.inputs.due(now) {
            let session = id.clone();
            let settled = self.change(&Caller::administrator(), move |connection, emitted| {
                settle(connection, emitted, &session, at, now)
            })?;
            self.inputs.settle(&id, settled, now);
        }
        Ok(())
    }
}

/// What a session in which something was done at `at` is now. `None` if it does not run.
fn settle(
    connection: &mut Connection,
    emitted: &mut Emitted<'_>,
    id: &str,
    at: i64,
    now: i64,
) -> Result<Option<Settled>, Stop<SessionError>> {
    let Some(row) = rows::find(connection, id)?.filter(|row| row.state() == State::Running) else {
        return Ok(None);
    };
    let mut activity = rows::activity(connection, id)?;
    let known = activity.active_us.unwrap_or(row.updated_us);
    let active = known.max(at);
    let timeout_us = row.idle_timeout_secs.map(|secs| secs.saturating_mul(1_000_000));
    let is_over = timeout_us.is_some_and(|timeout| active.saturating_add(timeout) <= now);
    let mut noted = known;
    if is_over && !activity.idle {
        let others = rows::connections(connection, id)?;
        if others.iter().all(|other| other.id.starts_with(THROUGH_HOST)) {
            (activity.idle, activity.active_us, noted) = (true, Some(active), active);
            rows::set_activity(connection, &activity)?;
            let idle_duration = u64::try_from((now - active) / 1_000_000).unwrap_or(0);
            let idle = payload::SessionIdle { session: told::session_ref(&row), idle_duration };
            emitted.emit("session.idle", id, &idle);
        }
    } else if at > known && (activity.idle || at - known >= NOTED_EVERY_US) {
        changes::be_active_at(connection, emitted, &row, at)?;
        (activity.idle, noted) = (false, at);
    }
    // What is not written down yet is known here all the same.
    Ok(Some(Settled { active_us: noted, is_idle: activity.idle, timeout_us }))
}
