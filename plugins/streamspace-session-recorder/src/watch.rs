//! What follows sessions: by their events, and by a look at all of them now and then, which finds what events could not tell.

use std::{
    collections::HashMap,
    sync::{PoisonError, TryLockError},
    time::{Duration, Instant},
};

use streamspace_plugin::{
    database::Timestamp,
    platform::{Session, SessionFilter, SessionState},
    prelude::*,
};

use crate::{
    desk::{Desk, seconds},
    start::{Ask, Asked, Person},
    tables::{
        approvals, exports, policies,
        recordings::{self, Recording},
    },
};

/// How long after a recording was broken off it is gone on with: a host that is away for longer has been given up.
const GO_ON: Duration = Duration::from_secs(3600);
/// How long is waited after a session could not be recorded, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Sessions that are remembered for that. What is beyond is tried each time.
const MAX_TRIES: usize = 10_000;

/// Sessions that could not be recorded, and when that is tried again.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    next: HashMap<String, (Instant, Duration)>,
    /// What came to nothing, by session: the next try is in its place.
    vain: HashMap<String, String>,
}

impl Tries {
    fn is_due(&self, session: &str, now: Instant) -> bool {
        self.next.get(session).is_none_or(|(next, _)| *next <= now)
    }

    fn failed(&mut self, session: &str, now: Instant) {
        if self.next.len() < MAX_TRIES || self.next.contains_key(session) {
            let wait = self.next.get(session).map_or(FIRST_WAIT, |(_, wait)| (*wait * 2).min(LONGEST_WAIT));
            self.next.insert(session.to_owned(), (now + wait, wait));
        }
    }

    /// Nobody waits for the next try.
    fn hurry(&mut self, session: &str) {
        self.next.remove(session);
    }

    fn in_vain(&mut self, session: &str, recording: &str) {
        if self.vain.len() < MAX_TRIES || self.vain.contains_key(session) {
            self.vain.insert(session.to_owned(), recording.to_owned());
        }
    }

    fn went_well(&mut self, session: &str) {
        self.next.remove(session);
        self.vain.remove(session);
    }
}

impl Desk {
    /// Something happened to a session.
    pub(crate) fn follow(&self, event: &Event<'_>) -> Result<()> {
        let session: payload::Session = event.decode()?;
        if session.id.is_empty() {
            return Ok(());
        }
        if matches!(event.topic(), "session.started" | "session.woken" | "session.updated") {
            // An event may be old: what counts is how the session is now.
            if let Some(session) = self.context.platform().sessions().get(&session.id)? {
                self.watch_tries(|tries| tries.hurry(&session.id));
                self.try_to_record(&session, &mut HashMap::new());
            }
        } else if matches!(event.topic(), "session.shared" | "session.unshared") {
            if let Some(live) = recordings::live_of(self.context.database(), &session.id)? {
                self.look_at_right(&live)?;
            }
        } else {
            self.stop_session(&session.id, "session");
            self.went_well(&session.id);
        }
        Ok(())
    }

    /// Has a recording end that somebody began who may no longer.
    fn look_at_right(&self, live: &Recording) -> Result<()> {
        if live.is_automatic {
            return Ok(());
        }
        let session = self.context.platform().sessions().get(&live.session_id)?;
        // With one that does not run, its recordings end anyway.
        let Some(session) = session.filter(|session| session.state == SessionState::Running) else {
            return Ok(());
        };
        if !self.may_record(&session, &live.created_by, live.by_permission)? {
            info!(
                self.context.logger(), "A recording ends: who began it may no longer use the session.";
                "session" => &live.session_id, "recording" => &live.id, "user" => &live.created_by
            );
            self.stop_session(&live.session_id, "rights");
        }
        Ok(())
    }

    /// Looks after everything: what was left, what runs, and what should run and does not.
    pub(crate) fn keep_watch(&self) -> Result<()> {
        let salvaged = self.salvage()?;
        if salvaged > 0 {
            info!(self.context.logger(), "Recordings that a process had left were brought to an end."; "count" => salvaged);
        }
        for id in self.ids() {
            if let Some(progress) = self.progress(&id) {
                let length = seconds(progress.length);
                recordings::progress(self.context.database(), &id, progress.bytes, length)?;
            }
        }
        for live in recordings::unfinished(self.context.database())? {
            self.look_at_right(&live)?;
        }
        if !self.config.enabled {
            return Ok(());
        }
        let filter = SessionFilter { state: Some(SessionState::Running), ..SessionFilter::default() };
        let mut people = HashMap::new();
        for session in self.context.platform().sessions().all(filter) {
            if self.is_closed() {
                break;
            }
            self.try_to_record(&session?, &mut people);
        }
        Ok(())
    }

    /// As [`record_if_due`](Self::record_if_due). What fails is tried again at the next look.
    fn try_to_record(&self, session: &Session, people: &mut HashMap<String, Person>) {
        if let Err(why) = self.record_if_due(session, people) {
            info!(self.context.logger(), "A session is not recorded yet."; "session" => &session.id, "reason" => %why);
        }
    }

    /// Something of a session is recorded.
    pub(crate) fn went_well(&self, session: &str) {
        self.watch_tries(|tries| tries.went_well(session));
    }

    /// An attempt at a session that came to nothing.
    pub(crate) fn in_vain(&self, session: &str, recording: &str) {
        self.watch_tries(|tries| tries.in_vain(session, recording));
    }

    /// The attempt at a session that came to nothing last, if nothing was recorded since.
    pub(crate) fn vain(&self, session: &str) -> Option<String> {
        self.watch_tries(|tries| tries.vain.get(session).cloned())
    }

    /// Has a session recorded, if that is to be and is not.
    fn record_if_due(&self, session: &Session, people: &mut HashMap<String, Person>) -> Result<()> {
        let now = Instant::now();
        if session.state != SessionState::Running
            || !self.watch_tries(|tries| tries.is_due(&session.id, now))
            || recordings::live_of(self.context.database(), &session.id)?.is_some()
        {
            return Ok(());
        }
        let Some(ask) = self.due(session, people)? else { return Ok(()) };
        // Until there is a picture: a desktop that is not there is asked ever more seldom.
        self.watch_tries(|tries| tries.failed(&session.id, now));
        match self.start(session, &ask, None)? {
            Asked::Recording(_) | Asked::Waiting(_) => Ok(()),
        }
    }

    /// Who wants a session to be recorded that is not, if anybody does.
    fn due(&self, session: &Session, people: &mut HashMap<String, Person>) -> Result<Option<Ask>> {
        let database = self.context.database();
        if !people.contains_key(&session.owner) {
            people.insert(session.owner.clone(), self.person(&session.owner)?);
        }
        let nobody = Person::default();
        let person = people.get(&session.owner).unwrap_or(&nobody);
        let all = policies::all(database)?;
        let decision = self.decide(&all, &session.owner, person, &session.template);
        let last = recordings::last_of(database, &session.id)?;
        let since = last.as_ref().and_then(|last| last.ended_at);
        let broken_off = last.filter(|last| {
            let is_recent = since.is_some_and(|ended| {
                let passed = Timestamp::now().as_micros().saturating_sub(ended.as_micros());
                u64::try_from(passed).is_ok_and(|passed| Duration::from_micros(passed) < GO_ON)
            });
            let by = last.ended_by.as_deref();
            is_recent
                && last.status.is_playable()
                && matches!(by, Some("host" | "crash" | "limit" | "desktop"))
        });
        let goes_on = match &broken_off {
            Some(last) if !last.is_automatic => {
                self.may_record(session, &last.created_by, last.by_permission)?
            }
            _ => false,
        };
        let ask = Ask { cause: decision.automatic, ..Ask::default() };
        Ok(match (decision.automatic, broken_off) {
            // Whoever started it agreed to it, and whoever had to agree did.
            (None, Some(last)) if goes_on => Some(Ask {
                by: last.created_by,
                by_permission: last.by_permission,
                format: Some(last.format),
                reason: last.reason,
                retention_days: Some(last.retention_days),
                metadata: last.metadata.0,
                notify: last.notified.then_some(true),
                is_approved: true,
                continues: Some(last.id),
                cause: None,
            }),
            (None, _) => None,
            (Some(_), last) => {
                let answered = approvals::last_automatic(database, &session.id)?;
                match answered.as_ref().map(|answered| answered.status.as_str()) {
                    Some("refused") => None,
                    status => Some(Ask {
                        is_approved: status == Some("approved"),
                        continues: last.map(|last| last.id),
                        ..ask
                    }),
                }
            }
        })
    }

    /// What is done when the plugin begins.
    pub(crate) fn begin_watching(&self) -> Result<()> {
        // No thread of this process is at an export yet.
        exports::wait_again(self.context.database())?;
        self.decode_what_was_left()?;
        self.keep_watch_once()?;
        self.wake_exports();
        Ok(())
    }

    fn watch_tries<R>(&self, with: impl FnOnce(&mut Tries) -> R) -> R {
        with(&mut self.watching.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As [`keep_watch`](Self::keep_watch), unless somebody does so already.
    pub(crate) fn keep_watch_once(&self) -> Result<()> {
        match self.watcher.try_lock() {
            Ok(_watcher) => self.keep_watch(),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Poisoned(_)) => self.keep_watch(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_less_and_less_often() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        assert!(tries.is_due("s", start));
        tries.failed("s", start);
        assert!(
            !tries.is_due("s", start) && tries.is_due("s", start + FIRST_WAIT) && tries.is_due("t", start)
        );
        for _ in 0..20 {
            tries.failed("s", start);
        }
        assert!(!tries.is_due("s", start + FIRST_WAIT) && tries.is_due("s", start + LONGEST_WAIT));
        tries.went_well("s");
        assert!(tries.is_due("s", start));
    }
}
