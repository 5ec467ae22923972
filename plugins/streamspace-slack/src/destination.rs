//! One destination: what it was sent, whether it still works, and the way of an event to it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use streamspace_plugin::{
    events::Event,
    prelude::{Handled, HttpError},
};

use crate::{
    config::Target,
    message,
    pacing::{Pace, Wait},
    render,
    verdict::{Answer, Verdict, judge},
};

/// How many events are remembered as sent.
const REMEMBERED: usize = 1024;

/// A destination and its state, which lasts as long as the configuration.
#[derive(Debug)]
pub(crate) struct Destination {
    target: Target,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    /// The ids of the events sent last, the oldest first.
    sent: VecDeque<[u8; 16]>,
    /// Why nothing can be sent any more.
    broken: Option<String>,
}

/// What an event has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the host is told.
    Settled(Handled),
    /// The webhook turned out to be dead, with this event.
    Broke { reason: String },
}

impl Destination {
    pub(crate) fn new(target: Target) -> Self {
        let pace = Pace::new(target.per_hour);
        let state = State { pace, sent: VecDeque::new(), broken: None };
        Self { target, state: Mutex::new(state) }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends `event` with `post`, which takes the body of the request, unless it is not wanted, was sent before, or has
    /// to wait. Nothing is locked while it is being sent.
    pub(crate) fn deliver(
        &self,
        event: &Event<'_>,
        now: Instant,
        post: impl FnOnce(Vec<u8>) -> Result<Answer, HttpError>,
    ) -> Outcome {
        let notification = match message::notification(event, self.target.style.include_details) {
            Ok(notification) => notification,
            Err(why) => return Outcome::Settled(Handled::reject(why.to_string())),
        };
        if !self.target.route.wants(notification.severity, &notification.about) {
            return Outcome::Settled(Handled::Ack);
        }
        let id = event.id().into_bytes();
        if let Some(settled) = self.state().before_sending(&id, now) {
            return Outcome::Settled(settled);
        }
        let body = render::message(&notification, &self.target.style).to_string().into_bytes();
        let verdict = judge(&post(body), SystemTime::now());
        self.state().after_sending(id, &verdict);
        match verdict {
            Verdict::Broken { reason } => Outcome::Broke { reason },
            verdict => Outcome::Settled(verdict.into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What becomes of an event that is not sent now; otherwise it is counted as being sent.
    fn before_sending(&mut self, id: &[u8; 16], now: Instant) -> Option<Handled> {
        if self.sent.contains(id) {
            return Some(Handled::Ack);
        }
        if let Some(reason) = &self.broken {
            return Some(Handled::reject(reason));
        }
        match self.pace.admit(now) {
            Ok(()) => None,
            Err(Wait::Second(wait)) => {
                Some(Handled::defer(to_the_millisecond(wait), "Slack takes one message a second"))
            }
            Err(Wait::Hour(wait)) => Some(Handled::defer(
                to_the_millisecond(wait),
                "the messages of this hour (`rateLimit`) are used up",
            )),
        }
    }

    fn after_sending(&mut self, id: [u8; 16], verdict: &Verdict) {
        if *verdict == Verdict::Sent {
            if self.sent.len() == REMEMBERED {
                self.sent.pop_front();
            }
            self.sent.push_back(id);
            return;
        }
        self.pace.not_sent();
        if let Verdict::Broken { reason } = verdict {
            self.broken = Some(reason.clone());
        }
    }
}

/// The host counts milliseconds: rounded up, so that the event does not come back a moment too early.
fn to_the_millisecond(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::{
        config::{Config, tests::address},
        golden::Sample,
    };

    fn destination(change: Value) -> Destination {
        let mut entry = json!({"name": "ops", "webhookUrl": address("hunter2"), "topics": ["session.*"]});
        entry.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let config: Config =
            from_value(json!({"rateLimit": 5, "destinations": [entry]})).expect("a configuration");
        Destination::new(config.into_targets().expect("destinations").remove(0))
    }

    /// An event of its own.
    fn created(n: u16) -> Sample {
        Sample::new("session.created", json!({"id": "s-1", "user": "ada", "template": "gimp"})).numbered(n)
    }

    fn answer(status: u16) -> Result<Answer, HttpError> {
        Ok(Answer { status, retry_after: None, code: None })
    }

    fn sent(destination: &Destination, event: &Sample, now: Instant, status: u16) -> (Outcome, bool) {
        let asked = Cell::new(false);
        let outcome = event.with(|event| {
            destination.deliver(event, now, |_| {
                asked.set(true);
                answer(status)
            })
        });
        (outcome, asked.get())
    }

    const ACK: Outcome = Outcome::Settled(Handled::Ack);

    #[test]
    fn a_wanted_event_is_sent_once() {
        let ops = destination(json!({}));
        let now = Instant::now();
        assert_eq!(sent(&ops, &created(1), now, 200), (ACK, true));
        assert_eq!(sent(&ops, &created(1), now, 200), (ACK, false), "it came a second time");
        assert_eq!(sent(&ops, &created(2), now, 200), (ACK, true));
    }

    #[test]
    fn what_failed_is_sent_again() {
        let ops = destination(json!({}));
        let now = Instant::now();
        let (outcome, _) = sent(&ops, &created(1), now, 503);
        assert_eq!(outcome, Outcome::Settled(Handled::retry("Slack answered 503")));
        assert_eq!(sent(&ops, &created(1), now, 200), (ACK, true));
    }

    #[test]
    fn only_so_many_events_are_remembered() {
        let mut state = State { pace: Pace::new(1), sent: VecDeque::new(), broken: None };
        for n in 0..=u16::try_from(REMEMBERED).expect("small") {
            state.after_sending(created(n).id(), &Verdict::Sent);
        }
        assert_eq!(state.sent.len(), REMEMBERED);
        assert!(!state.sent.contains(&created(0).id()));
        assert!(state.sent.contains(&created(1).id()));
    }

    #[test]
    fn what_is_not_wanted_is_acknowledged_unsent() {
        let now = Instant::now();
        for route in
            [json!({"users": ["bob"]}), json!({"templates": ["firefox"]}), json!({"minSeverity": "warning"})]
        {
            assert_eq!(sent(&destination(route.clone()), &created(1), now, 200), (ACK, false), "{route}");
        }
        let route = json!({"users": ["bob", "ada"], "templates": ["gimp"], "minSeverity": "info"});
        assert_eq!(sent(&destination(route), &created(1), now, 200), (ACK, true));
    }

    #[test]
    fn too_many_at_once_wait_without_being_sent() {
        let ops = destination(json!({}));
        let now = Instant::now();
        let outcomes: Vec<_> = (0..5).map(|n| sent(&ops, &created(n), now, 200)).collect();
        let wait = Handled::defer(Duration::from_secs(1), "Slack takes one message a second");
        assert_eq!(outcomes[2], (ACK, true));
        assert_eq!(outcomes[3], (Outcome::Settled(wait.clone()), false));
        assert_eq!(outcomes[4], (Outcome::Settled(wait), false));
        assert_eq!(sent(&ops, &created(3), now + Duration::from_secs(1), 200), (ACK, true));
    }

    #[test]
    fn the_hour_defers_and_drops_nothing() {
        let ops = destination(json!({}));
        let start = Instant::now();
        for n in 0..5 {
            assert_eq!(sent(&ops, &created(n), start + Duration::from_secs(n.into()), 200), (ACK, true));
        }
        let (outcome, asked) = sent(&ops, &created(9), start + Duration::from_secs(600), 200);
        let Outcome::Settled(Handled::Defer { after, reason }) = outcome else { panic!("{outcome:?}") };
        assert!(!asked && reason.contains("rateLimit"), "{reason}");
        assert_eq!(after, Duration::from_secs(3000));
        assert_eq!(sent(&ops, &created(9), start + Duration::from_secs(3600), 200), (ACK, true));
    }

    #[test]
    fn a_dead_webhook_is_reported_once_and_not_asked_again() {
        let ops = destination(json!({}));
        let now = Instant::now();
        let (outcome, _) = sent(&ops, &created(1), now, 404);
        let Outcome::Broke { reason } = outcome else { panic!("{outcome:?}") };
        for n in 2..10 {
            let rejected = Outcome::Settled(Handled::reject(reason.clone()));
            assert_eq!(
                sent(&ops, &created(n), now, 200),
                (rejected, false),
                "rejected at once, without pacing"
            );
        }
    }

    #[test]
    fn a_payload_of_another_shape_is_rejected_unsent() {
        let (outcome, asked) =
            sent(&destination(json!({})), &Sample::new("session.created", json!([])), Instant::now(), 200);
        assert!(!asked);
        assert!(matches!(outcome, Outcome::Settled(Handled::Reject { .. })), "{outcome:?}");
    }

    #[test]
    fn the_body_is_the_message_and_nothing_shows_the_webhook() {
        let ops = destination(json!({}));
        let body = RefCell::new(Vec::new());
        created(1).with(|event| {
            ops.deliver(event, Instant::now(), |bytes| {
                *body.borrow_mut() = bytes;
                answer(404)
            })
        });
        let body: Value = serde_json::from_slice(&body.borrow()).expect("JSON");
        assert_eq!(body["text"], "ada's gimp session was created.");
        assert!(!body.to_string().contains("hunter2"));
        assert!(!format!("{ops:?}").contains("hunter2"));
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(to_the_millisecond(Duration::from_nanos(1)), Duration::from_millis(1));
        assert_eq!(to_the_millisecond(Duration::from_micros(1_500)), Duration::from_millis(2));
        assert_eq!(to_the_millisecond(Duration::from_secs(1)), Duration::from_secs(1));
    }
}
