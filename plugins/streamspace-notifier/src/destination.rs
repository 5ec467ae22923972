//! One destination: whether it still works, how fast it is, and the way of a message to it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;
use serde_json::Value;
use streamspace_plugin::{
    events::Event,
    prelude::{Handled, StorageError},
};
use uuid::Uuid;

use crate::{
    digest,
    figures::Figures,
    ledger::{Claimed, Ledger, Line, Record, State, StoredEvent, millis},
    notification::{Kind, Notification, Severity},
    pace::{Pace, Wait},
    provider::{Delivery, Outcome, Provider, Verdict},
    settings::DestinationSettings,
};

/// How often a message is tried before it becomes a dead letter: with the default back-off, about half an hour.
pub(crate) const MAX_DELIVER: u32 = 8;
/// What has to wait longer becomes a line of a digest, so that what comes behind it does not wait too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest payload that is kept for sending it again, in bytes.
const MAX_KEPT: usize = 16 * 1024;
/// How long a digest that did not arrive waits: doubled with each failure, up to the last.
const DIGEST_BACKOFF: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(600)];

/// A destination and its state, which lasts as long as the configuration.
#[derive(Debug)]
pub(crate) struct Destination<P: Provider> {
    pub(crate) settings: DestinationSettings<P::Target>,
    state: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    pace: Pace,
    figures: Figures,
    /// Why nothing can be sent any more.
    broken: Option<String>,
    /// Lines of the next digest.
    waiting: u64,
    /// Digests that did not arrive, one after the other, and when the next is tried.
    digests_failed: u32,
    next_digest: Option<Instant>,
}

/// The time, in both ways that it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) system: SystemTime,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), system: SystemTime::now() }
    }

    /// The time after something that took a while: what a provider says of waits counts from its answer on.
    fn go_on(self) -> Self {
        let took = self.instant.elapsed();
        Self { instant: self.instant + took, system: self.system + took }
    }
}

/// What a message has come to, and what the operator has to know of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) handled: Handled,
    /// Why the destination broke with it.
    pub(crate) broke: Option<String>,
    /// Why it is not written down that it was sent.
    pub(crate) unwritten: Option<StorageError>,
}

impl From<Handled> for Delivered {
    fn from(handled: Handled) -> Self {
        Self { handled, broke: None, unwritten: None }
    }
}

/// What a destination is like now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    pub(crate) name: String,
    /// `ok`, `idle` if nothing was sent yet, `failing`, `limited`, `quiet` or `broken`.
    pub(crate) state: &'static str,
    /// Why, if it is not well.
    pub(crate) reason: Option<String>,
    /// Lines of the next digest.
    pub(crate) waiting: u64,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

impl<P: Provider> Destination<P> {
    pub(crate) fn new(settings: DestinationSettings<P::Target>, waiting: u64) -> Self {
        let pace = Pace::new(P::limits(&settings.target), settings.per_hour);
        let state = Inner {
            pace,
            figures: Figures::default(),
            broken: None,
            waiting,
            digests_failed: 0,
            next_digest: None,
        };
        Self { settings, state: Mutex::new(state) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Sends the message of `event`, unless it was sent before, repeats another one, or has to wait.
    pub(crate) fn deliver(
        &self,
        provider: &P,
        ledger: &Ledger,
        notification: &Notification,
        event: &Event<'_>,
        window: Duration,
        now: Now,
    ) -> Delivered {
        match self.try_to_deliver(provider, ledger, notification, event, window, now) {
            Ok(delivered) => delivered,
            // What is not written down would be forgotten, or sent again.
            Err(why) => {
                Handled::retry(format!("what became of the message cannot be written down: {why}")).into()
            }
        }
    }

    fn try_to_deliver(
        &self,
        provider: &P,
        ledger: &Ledger,
        notification: &Notification,
        event: &Event<'_>,
        window: Duration,
        now: Now,
    ) -> Result<Delivered, StorageError> {
        let id = event.id();
        let before = ledger.record(self.name(), id)?;
        if let Some(record) = &before
            && !matches!(record.state, State::Retrying | State::Dead)
        {
            // The host delivers it a second time: it was killed before it knew that this is done.
            return Ok(Handled::Ack.into());
        }
        let is_new = before.is_none();
        let mut record = before.unwrap_or_else(|| record_of(notification, Some(event)));
        record.changed_ms = millis(now.system);

        let skipped = {
            let (attempt, progress) = (event.attempt(), &record.progress);
            let delivery = Delivery { id, attempt, notification, progress, ledger, destination: self.name() };
            provider.skips(notification, &self.settings.target, &delivery)?
        };
        if let Some(reason) = skipped {
            if is_new {
                self.state().figures.came_to(State::Skipped);
            } else {
                self.write(ledger, id, &mut record, State::Skipped, Some(reason), None)?;
            }
            return Ok(Handled::Ack.into());
        }
        if let Some(reason) = self.broken() {
            self.write(ledger, id, &mut record, State::Dead, Some(reason.clone()), None)?;
            return Ok(Handled::reject(reason).into());
        }
        let suppresses = provider.suppresses(notification, &self.settings.target);
        let said = Claimed::new(notification.claim.as_ref().filter(|_| suppresses), window);
        if let Some(claimed) = said
            && let Some(other) = ledger.repeated(self.name(), claimed)?
            && other != id
        {
            let reason = format!("it repeats {}.{other}", self.name());
            self.write(ledger, id, &mut record, State::Suppressed, Some(reason), None)?;
            return Ok(Handled::Ack.into());
        }
        let folds = provider.folds(notification, &self.settings.target);
        let urgent = notification.severity >= Severity::Critical || !folds;

        let quiet =
            self.settings.quiet.as_ref().is_some_and(|quiet| quiet.hold(notification.severity, now.system));
        if folds && (quiet || (!urgent && self.state().waiting > 0)) {
            let reason =
                if quiet { "it waits for the end of the quiet hours" } else { "others wait before it" };
            self.fold(ledger, id, &mut record, notification, reason, said)?;
            return Ok(Handled::Ack.into());
        }
        let admitted = self.state().pace.admit(now.instant, urgent);
        if let Err(wait) = admitted {
            let (wait, reason) = match wait {
                Wait::Provider(wait) => (wait, format!("{} takes no more messages now", P::NAME)),
                Wait::Operator(wait) => {
                    (wait, "the messages of this hour (`rateLimit`) are used up".to_owned())
                }
            };
            if folds && wait > PATIENCE {
                self.fold(ledger, id, &mut record, notification, &reason, said)?;
                return Ok(Handled::Ack.into());
            }
            return Ok(Handled::defer(to_the_millisecond(wait), reason).into());
        }

        let outcome = self.send(provider, ledger, id, event.attempt(), notification, &record.progress, now);
        record.attempts += 1;
        record.status = outcome.status;
        record.progress = outcome.progress;
        let now = now.go_on();
        self.after_sending(&outcome.verdict, urgent, outcome.hold, now);
        Ok(match outcome.verdict {
            Verdict::Sent => {
                self.state().figures.arrived(notification.occurred_at, now.system);
                // It was sent, whatever becomes of the note: trying again would send it twice.
                let unwritten = self.write(ledger, id, &mut record, State::Sent, None, said).err();
                Delivered { unwritten, ..Handled::Ack.into() }
            }
            Verdict::Skipped { reason } => {
                self.write(ledger, id, &mut record, State::Skipped, Some(reason), said)?;
                Handled::Ack.into()
            }
            Verdict::Limited { after, reason } if folds && after > PATIENCE => {
                self.fold(ledger, id, &mut record, notification, &reason, said)?;
                Handled::Ack.into()
            }
            Verdict::Limited { after, reason } => {
                self.write(ledger, id, &mut record, State::Retrying, Some(reason.clone()), None)?;
                Handled::defer(to_the_millisecond(after), reason).into()
            }
            Verdict::Again { after, reason } => {
                let state = if event.attempt() < MAX_DELIVER { State::Retrying } else { State::Dead };
                self.write(ledger, id, &mut record, state, Some(reason.clone()), None)?;
                Handled::Retry { after, reason }.into()
            }
            Verdict::Refused { reason } => {
                self.write(ledger, id, &mut record, State::Dead, Some(reason.clone()), None)?;
                Handled::reject(reason).into()
            }
            Verdict::Broken { reason } => {
                self.write(ledger, id, &mut record, State::Dead, Some(reason.clone()), None)?;
                Delivered { broke: Some(reason.clone()), ..Handled::reject(reason).into() }
            }
        })
    }

    /// Sends the digest, if one is due; answers with why the destination broke, if it did.
    ///
    /// # Errors
    ///
    /// When what waits cannot be read or written.
    pub(crate) fn send_digest(
        &self,
        provider: &P,
        ledger: &Ledger,
        now: Now,
    ) -> Result<Option<String>, StorageError> {
        {
            let mut state = self.state();
            let due = state.next_digest.is_none_or(|next| next <= now.instant);
            let quiet = self.settings.quiet.as_ref().is_some_and(|quiet| quiet.are_at(now.system));
            if state.waiting == 0 || !due || quiet || state.broken.is_some() {
                return Ok(None);
            }
            if state.pace.admit(now.instant, false).is_err() {
                return Ok(None);
            }
        }
        let lines = ledger.lines(self.name(), digest::MAX_LINES)?;
        if lines.is_empty() {
            self.state().waiting = 0;
            return Ok(None);
        }
        let said: Vec<Line> = lines.iter().map(|(_, line)| line.clone()).collect();
        let notification = digest::notification(&said, now.system);
        let id = Uuid::now_v7();
        let mut record = record_of(&notification, None);
        record.changed_ms = millis(now.system);
        let outcome = self.send(provider, ledger, id, 1, &notification, &Value::Null, now);
        record.attempts = 1;
        record.status = outcome.status;
        record.progress = outcome.progress;
        let now = now.go_on();
        self.after_sending(&outcome.verdict, false, outcome.hold, now);
        let mut broke = None;
        match outcome.verdict {
            Verdict::Sent | Verdict::Skipped { .. } => {
                self.state().figures.arrived(notification.occurred_at, now.system);
                self.write(ledger, id, &mut record, State::Sent, None, None)?;
                ledger.remove_lines(&lines)?;
                let mut state = self.state();
                state.waiting = state.waiting.saturating_sub(lines.len() as u64);
                state.digests_failed = 0;
                state.next_digest = None;
                return Ok(None);
            }
            Verdict::Limited { after, .. } => {
                self.state().next_digest = Some(now.instant + after);
                return Ok(None);
            }
            Verdict::Broken { ref reason } => broke = Some(reason.clone()),
            Verdict::Again { .. } | Verdict::Refused { .. } => {}
        }
        // The lines stay. They are tried again, however often it takes.
        let mut state = self.state();
        let wait = DIGEST_BACKOFF[0].saturating_mul(1 << state.digests_failed.min(10)).min(DIGEST_BACKOFF[1]);
        state.digests_failed += 1;
        state.next_digest = Some(now.instant + wait);
        Ok(broke)
    }

    /// Sends a message now, whatever limits the operator has set, and writes down what became of it. For what somebody asked
    /// for by hand.
    ///
    /// # Errors
    ///
    /// When that cannot be written down.
    pub(crate) fn send_now(
        &self,
        provider: &P,
        ledger: &Ledger,
        id: Uuid,
        notification: &Notification,
        before: Option<Record>,
        now: Now,
    ) -> Result<Record, StorageError> {
        let mut record = before.unwrap_or_else(|| record_of(notification, None));
        record.changed_ms = millis(now.system);
        let attempt = record.attempts + 1;
        let outcome = self.send(provider, ledger, id, attempt, notification, &record.progress, now);
        record.attempts = attempt;
        record.status = outcome.status;
        record.progress = outcome.progress;
        let (state, reason) = match outcome.verdict {
            Verdict::Sent => (State::Sent, None),
            Verdict::Skipped { reason } => (State::Skipped, Some(reason)),
            Verdict::Limited { reason, .. }
            | Verdict::Again { reason, .. }
            | Verdict::Refused { reason }
            | Verdict::Broken { reason } => (State::Dead, Some(reason)),
        };
        let now = now.go_on();
        if let Some(hold) = outcome.hold {
            self.state().pace.hold(now.instant, hold);
        }
        match &reason {
            Some(reason) if state == State::Dead => self.state().figures.did_not_arrive(reason, now.system),
            _ => {
                // It works again, or never did not.
                let mut inner = self.state();
                inner.figures.arrived(now.system, now.system);
                inner.broken = None;
            }
        }
        self.write(ledger, id, &mut record, state, reason, None)?;
        Ok(record)
    }

    pub(crate) fn health(&self, now: Now) -> Health {
        let state = self.state();
        let held = state.pace.held(now.instant);
        let quiet = self.settings.quiet.as_ref().is_some_and(|quiet| quiet.are_at(now.system));
        let figures = state.figures.clone();
        let (name, reason) = match &state.broken {
            Some(reason) => ("broken", Some(reason.clone())),
            None if figures.failures > 0 && !held.is_zero() => ("limited", figures.last_error.clone()),
            None if figures.failures > 0 => ("failing", figures.last_error.clone()),
            None if !held.is_zero() => {
                ("limited", Some(format!("{} takes nothing for {} s more", P::NAME, held.as_secs() + 1)))
            }
            None if quiet => ("quiet", Some("it is within the quiet hours".to_owned())),
            None if figures.last_sent_ms.is_none() => ("idle", None),
            None => ("ok", None),
        };
        Health { name: self.settings.name.clone(), state: name, reason, waiting: state.waiting, figures }
    }

    #[expect(clippy::too_many_arguments, reason = "they become the fields of a `Delivery`")]
    fn send(
        &self,
        provider: &P,
        ledger: &Ledger,
        id: Uuid,
        attempt: u32,
        notification: &Notification,
        progress: &Value,
        now: Now,
    ) -> Outcome {
        let message = provider.render(notification, &self.settings.target);
        let delivery = Delivery { id, attempt, notification, progress, ledger, destination: self.name() };
        // Nothing is locked while it is being sent.
        let outcome = provider.send(&message, &self.settings.target, &delivery);
        self.state().figures.tried(now.instant.elapsed());
        outcome
    }

    fn after_sending(&self, verdict: &Verdict, urgent: bool, hold: Option<Duration>, now: Now) {
        let mut state = self.state();
        if let Some(hold) = hold {
            state.pace.hold(now.instant, hold);
        }
        match verdict {
            Verdict::Sent => return,
            Verdict::Skipped { .. } => {}
            Verdict::Limited { after, reason } => {
                state.pace.hold(now.instant, *after);
                state.figures.did_not_arrive(reason, now.system);
            }
            Verdict::Again { reason, .. } | Verdict::Refused { reason } => {
                state.figures.did_not_arrive(reason, now.system);
            }
            Verdict::Broken { reason } => {
                state.figures.did_not_arrive(reason, now.system);
                state.broken = Some(reason.clone());
            }
        }
        state.pace.not_sent(urgent);
    }

    fn fold(
        &self,
        ledger: &Ledger,
        id: Uuid,
        record: &mut Record,
        notification: &Notification,
        reason: &str,
        said: Option<Claimed<'_>>,
    ) -> Result<(), StorageError> {
        record.state = State::Folded;
        record.reason = Some(reason.to_owned());
        let line = Line {
            topic: notification.topic.clone(),
            severity: notification.severity,
            summary: notification.summary.clone(),
            occurred_ms: millis(notification.occurred_at),
        };
        ledger.fold(self.name(), id, record, &line, said)?;
        let mut state = self.state();
        state.waiting += 1;
        state.figures.came_to(State::Folded);
        Ok(())
    }

    fn write(
        &self,
        ledger: &Ledger,
        id: Uuid,
        record: &mut Record,
        state: State,
        reason: Option<String>,
        said: Option<Claimed<'_>>,
    ) -> Result<(), StorageError> {
        record.state = state;
        record.reason = reason;
        self.state().figures.came_to(state);
        ledger.write(self.name(), id, record, said)
    }

    fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    fn state(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_of(notification: &Notification, event: Option<&Event<'_>>) -> Record {
    let stored = event.filter(|event| event.data().len() <= MAX_KEPT).and_then(|event| {
        Some(StoredEvent {
            source: event.source().to_owned(),
            subject: event.subject().unwrap_or_default().to_owned(),
            time_us: millis(event.time()).saturating_mul(1000),
            data: String::from_utf8(event.data().to_vec()).ok()?,
        })
    });
    Record {
        kind: notification.kind,
        state: State::Retrying,
        topic: notification.topic.clone(),
        subject: notification.subject.clone(),
        severity: notification.severity,
        title: notification.title.clone(),
        occurred_ms: millis(notification.occurred_at),
        changed_ms: 0,
        attempts: 0,
        status: None,
        reason: None,
        progress: Value::Null,
        event: if notification.kind == Kind::Event { stored } else { None },
    }
}

/// The host counts milliseconds: rounded up, so that the event does not come back a moment too early.
fn to_the_millisecond(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
