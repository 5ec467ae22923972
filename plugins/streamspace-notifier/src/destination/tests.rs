//! The way of messages to a provider that answers as it is told.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{from_value, json};
use streamspace_plugin::prelude::{Context, Result};

use super::*;
use crate::{keys::tests::InMemory, pace::Limit, routing::Route, settings::Settings, testing::Sample};

#[derive(Debug, Default)]
struct Acme {
    /// What it answers to the next ones; then that it has them.
    answers: Mutex<VecDeque<Verdict>>,
    sent: Mutex<Vec<String>>,
    never_folds: bool,
    never_suppresses: bool,
    /// Why nothing is to be sent.
    skips: Option<&'static str>,
    calls: AtomicU32,
}

impl Provider for Acme {
    const NAME: &'static str = "Acme";
    const LIMITS: &'static [Limit] = &[Limit::new(3, 1), Limit::new(10, 100)];
    type Config = ();
    type Target = ();
    type Message = String;

    fn configure(_: &Context, (): ()) -> Result<(Self, Settings<()>)> {
        panic!("there is no host")
    }

    fn folds(&self, _: &Notification, (): &()) -> bool {
        !self.never_folds
    }

    fn suppresses(&self, _: &Notification, (): &()) -> bool {
        !self.never_suppresses
    }

    fn skips(&self, _: &Notification, (): &(), _: &Delivery<'_>) -> Result<Option<String>, StorageError> {
        Ok(self.skips.map(str::to_owned))
    }

    fn render(&self, notification: &Notification, (): &()) -> String {
        format!("{}: {}", notification.title, notification.subject)
    }

    fn send(&self, message: &String, (): &(), _: &Delivery<'_>) -> Outcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let verdict = self.answers.lock().expect("no panic").pop_front().unwrap_or(Verdict::Sent);
        if verdict == Verdict::Sent {
            self.sent.lock().expect("no panic").push(message.clone());
        }
        verdict.into()
    }
}

/// A destination, its provider, and a clock that stands still unless it is told.
struct Bench {
    acme: Acme,
    to: Destination<Acme>,
    ledger: Ledger,
    start: Now,
    window: Duration,
}

impl Bench {
    fn new(per_hour: Option<u32>, quiet: Option<Value>) -> Self {
        let settings = DestinationSettings {
            name: "ops".into(),
            topics: Vec::new(),
            route: Route::default(),
            quiet: quiet.map(|quiet| from_value(quiet).expect("quiet hours")),
            per_hour,
            target: (),
        };
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_355_200); // 2026-01-02T12:00:00Z
        Self {
            acme: Acme::default(),
            to: Destination::new(settings, 0),
            ledger: Ledger::new(InMemory::default()),
            // In the future, so that no time passes but what a test says.
            start: Now { instant: Instant::now() + Duration::from_secs(3600), system: noon },
            window: Duration::from_secs(60),
        }
    }

    fn answering(self, verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        self.acme.answers.lock().expect("no panic").extend(verdicts);
        self
    }

    fn at(&self, seconds: u64) -> Now {
        let later = Duration::from_secs(seconds);
        Now { instant: self.start.instant + later, system: self.start.system + later }
    }

    fn deliver_at(&self, seconds: u64, sample: &Sample) -> Delivered {
        let notification = sample.notification();
        sample.with(|event| {
            self.to.deliver(&self.acme, &self.ledger, &notification, event, self.window, self.at(seconds))
        })
    }

    fn deliver(&self, sample: &Sample) -> Handled {
        self.deliver_at(0, sample).handled
    }

    fn digest_at(&self, seconds: u64) -> Option<String> {
        self.to.send_digest(&self.acme, &self.ledger, self.at(seconds)).expect("the ledger is in memory")
    }

    fn sent(&self) -> Vec<String> {
        self.acme.sent.lock().expect("no panic").clone()
    }

    fn calls(&self) -> u32 {
        self.acme.calls.load(Ordering::Relaxed)
    }

    fn state(&self, sample: &Sample) -> State {
        let id = Uuid::from_bytes(sample.id());
        self.ledger.record("ops", id).expect("the ledger is in memory").expect("a record").state
    }

    fn health(&self) -> Health {
        self.to.health(self.at(0))
    }
}

/// An event of its own, about a session of its own.
fn created(n: u16) -> Sample {
    Sample::new("session.created", json!({"id": format!("s-{n}"), "user": "ada"})).numbered(n)
}

fn failed(n: u16) -> Sample {
    Sample::new("session.failed", json!({"id": format!("s-{n}"), "error": "boom"})).numbered(n)
}

fn again(reason: &str) -> Verdict {
    Verdict::Again { after: None, reason: reason.into() }
}

#[test]
fn an_event_that_comes_twice_is_sent_once() {
    let bench = Bench::new(None, None);
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.sent(), ["Session created: s-1"]);
    assert_eq!(bench.state(&created(1)), State::Sent);
}

#[test]
fn what_was_sent_is_not_sent_again_because_it_cannot_be_written_down() {
    let bench = Bench::new(None, None);
    let bench = Bench { ledger: Ledger::new(InMemory::full()), ..bench };
    let delivered = bench.deliver_at(0, &created(1));
    assert_eq!(delivered.handled, Handled::Ack);
    assert!(delivered.unwritten.is_some(), "the operator is told");
    // What was not sent is not lost for it.
    bench.acme.answers.lock().expect("no panic").push_back(again("busy"));
    assert!(matches!(bench.deliver(&created(2)), Handled::Retry { .. }));
}

#[test]
fn what_failed_is_sent_again_and_counts_its_tries() {
    let bench = Bench::new(None, None).answering([again("Acme answered 503")]);
    assert_eq!(bench.deliver(&created(1)), Handled::retry("Acme answered 503"));
    assert_eq!((bench.state(&created(1)), bench.health().state), (State::Retrying, "failing"));
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    let record =
        bench.ledger.record("ops", Uuid::from_bytes(created(1).id())).expect("read").expect("a record");
    assert_eq!((record.state, record.attempts, record.reason), (State::Sent, 2, None));
    assert_eq!(bench.health().state, "ok");
}

#[test]
fn the_last_try_is_written_down_as_the_last() {
    let bench = Bench::new(None, None).answering([again("Acme answered 503")]);
    let notification = created(1).notification();
    created(1).at_try(MAX_DELIVER, |event| {
        bench.to.deliver(&bench.acme, &bench.ledger, &notification, event, bench.window, bench.at(0))
    });
    assert_eq!(bench.state(&created(1)), State::Dead);
}

#[test]
fn a_dead_letter_that_the_host_replays_is_sent() {
    let bench = Bench::new(None, None).answering([Verdict::Refused { reason: "no".into() }]);
    assert_eq!(bench.deliver(&created(1)), Handled::reject("no"));
    assert_eq!(bench.state(&created(1)), State::Dead);
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.state(&created(1)), State::Sent);
}

#[test]
fn the_same_is_not_said_again_within_the_window() {
    let bench = Bench::new(None, None);
    let twice = Sample::new("session.error", json!({"id": "s-1", "error": "boom"})).numbered(2);
    assert_eq!(bench.deliver(&failed(1)), Handled::Ack);
    assert_eq!(bench.deliver(&twice), Handled::Ack);
    assert_eq!(bench.deliver(&failed(3)), Handled::Ack, "another session");
    assert_eq!(bench.sent(), ["Session failed: s-1", "Session failed: s-3"]);
    assert_eq!((bench.state(&twice), bench.health().figures.suppressed), (State::Suppressed, 1));
}

#[test]
fn what_did_not_arrive_is_no_reason_to_suppress_the_next() {
    let bench = Bench::new(None, None).answering([Verdict::Refused { reason: "no".into() }]);
    let twice = Sample::new("session.error", json!({"id": "s-1", "error": "boom"})).numbered(2);
    assert_eq!(bench.deliver(&failed(1)), Handled::reject("no"));
    assert_eq!(bench.deliver(&twice), Handled::Ack);
    assert_eq!(bench.sent(), ["Session error: s-1"]);
}

#[test]
fn what_changed_in_between_is_said_again() {
    let bench = Bench::new(None, None);
    let started = Sample::new("session.started", json!({"id": "s-1"})).numbered(2);
    for sample in [failed(1), started, Sample::new("session.failed", json!({"id": "s-1"})).numbered(3)] {
        assert_eq!(bench.deliver(&sample), Handled::Ack);
    }
    assert_eq!(bench.sent(), ["Session failed: s-1", "Session started: s-1", "Session failed: s-1"]);
}

#[test]
fn without_a_window_nothing_is_a_repetition() {
    let bench = Bench { window: Duration::ZERO, ..Bench::new(None, None) };
    let twice = Sample::new("session.error", json!({"id": "s-1", "error": "boom"})).numbered(2);
    assert_eq!((bench.deliver(&failed(1)), bench.deliver(&twice)), (Handled::Ack, Handled::Ack));
    assert_eq!(bench.sent().len(), 2);
}

#[test]
fn a_short_wait_is_waited_for_and_a_long_one_becomes_a_digest() {
    let bench = Bench::new(None, None);
    for n in 0..3 {
        assert_eq!(bench.deliver(&created(n)), Handled::Ack);
    }
    let defer = Handled::defer(Duration::from_secs(1), "Acme takes no more messages now");
    assert_eq!(bench.deliver(&created(3)), defer);
    for n in 3..10 {
        assert_eq!(bench.deliver_at(u64::from(n), &created(n)).handled, Handled::Ack);
    }
    assert_eq!(bench.sent().len(), 10);
    for n in 10..15 {
        assert_eq!(bench.deliver_at(20, &created(n)).handled, Handled::Ack, "it becomes a line");
        assert_eq!(bench.state(&created(n)), State::Folded);
    }
    assert_eq!(bench.digest_at(30), None);
    assert_eq!(bench.sent().len(), 10, "the provider takes nothing yet");
    assert_eq!(bench.digest_at(100), None);
    assert_eq!(bench.sent()[10], "5 more events: ");
    assert_eq!((bench.health().waiting, bench.health().figures.folded), (0, 5));
    assert_eq!(bench.digest_at(101), None);
    assert_eq!(bench.sent().len(), 11, "and nothing is sent twice");
}

#[test]
fn the_operators_hour_folds_and_what_is_critical_goes() {
    let bench = Bench::new(Some(1), None);
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.deliver(&created(2)), Handled::Ack);
    assert_eq!(bench.deliver(&failed(3)), Handled::Ack);
    assert_eq!(bench.sent(), ["Session created: s-1", "Session failed: s-3"]);
    assert_eq!(bench.digest_at(3599), None);
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.digest_at(3600), None);
    assert_eq!(bench.sent()[2], "1 more event: ");
}

#[test]
fn what_waits_is_not_overtaken() {
    let bench = Bench::new(Some(1), None);
    for n in 1..=2 {
        assert_eq!(bench.deliver(&created(n)), Handled::Ack);
    }
    assert_eq!(bench.deliver_at(3600, &created(3)).handled, Handled::Ack);
    assert_eq!(bench.state(&created(3)), State::Folded, "there is room, and another one waits");
    assert_eq!(bench.digest_at(3601), None);
    assert_eq!(bench.sent(), ["Session created: s-1", "2 more events: "]);
}

#[test]
fn quiet_hours_gather_all_but_what_is_critical() {
    let bench = Bench::new(None, Some(json!({"from": "11:00", "to": "13:00"})));
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.deliver(&failed(2)), Handled::Ack);
    assert_eq!((bench.sent().len(), bench.health().state), (1, "quiet"));
    assert_eq!(bench.digest_at(3599), None);
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.digest_at(3600), None);
    assert_eq!(bench.sent(), ["Session failed: s-2", "1 more event: "]);
}

#[test]
fn what_may_not_fold_waits() {
    let mut bench = Bench::new(Some(1), Some(json!({"from": "11:00", "to": "13:00"})));
    bench.acme.never_folds = true;
    bench
        .acme
        .answers
        .lock()
        .expect("no panic")
        .push_back(Verdict::Limited { after: Duration::from_secs(600), reason: "slowly".into() });
    assert_eq!(bench.deliver(&created(1)), Handled::defer(Duration::from_secs(600), "slowly"));
    assert_eq!(
        bench.deliver_at(100, &created(2)).handled,
        Handled::defer(Duration::from_secs(500), "Acme takes no more messages now")
    );
    assert_eq!(bench.deliver_at(600, &created(1)).handled, Handled::Ack);
    assert_eq!(bench.deliver_at(600, &created(2)).handled, Handled::Ack);
    assert_eq!(bench.sent().len(), 2, "neither quiet hours nor the hour's limit hold it");
}

#[test]
fn too_fast_is_no_try() {
    let limited = |seconds| Verdict::Limited { after: Duration::from_secs(seconds), reason: "slowly".into() };
    let bench = Bench::new(None, None).answering([limited(7), limited(600)]);
    assert_eq!(bench.deliver(&created(1)), Handled::defer(Duration::from_secs(7), "slowly"));
    assert_eq!(bench.health().state, "limited");
    let defer = Handled::defer(Duration::from_secs(5), "Acme takes no more messages now");
    assert_eq!(bench.deliver_at(2, &created(2)).handled, defer, "and holds for the others");
    assert_eq!(bench.calls(), 1);
    assert_eq!(bench.deliver_at(7, &created(1)).handled, Handled::Ack, "a long wait becomes a digest");
    assert_eq!(bench.state(&created(1)), State::Folded);
    assert_eq!(bench.digest_at(600), None);
    assert_eq!(bench.sent(), [""; 0]);
    assert_eq!(bench.digest_at(607), None);
    assert_eq!(bench.sent(), ["1 more event: "]);
}

#[test]
fn a_broken_destination_is_reported_once_and_not_asked_again() {
    let bench = Bench::new(None, None).answering([Verdict::Broken { reason: "gone".into() }]);
    let first = bench.deliver_at(0, &created(1));
    assert_eq!(first, Delivered { broke: Some("gone".into()), ..Handled::reject("gone").into() });
    for n in 2..10 {
        assert_eq!(bench.deliver_at(0, &created(n)), Handled::reject("gone").into());
    }
    assert_eq!(bench.calls(), 1);
    assert_eq!(bench.health().state, "broken");
    assert_eq!(bench.health().figures.dead, 9);
}

#[test]
fn a_message_by_hand_that_arrives_mends_a_broken_destination() {
    let bench = Bench::new(None, None).answering([Verdict::Broken { reason: "gone".into() }]);
    let _ = bench.deliver(&created(1));
    let test = digest::test("Acme", "ops", bench.start.system);
    let sent = bench.to.send_now(&bench.acme, &bench.ledger, Uuid::now_v7(), &test, None, bench.at(1));
    assert_eq!(sent.expect("the ledger is in memory").state, State::Sent);
    assert_eq!(bench.deliver(&created(2)), Handled::Ack);
}

#[test]
fn a_digest_that_does_not_arrive_keeps_its_lines() {
    let bench = Bench::new(Some(1), None);
    for n in 1..=3 {
        assert_eq!(bench.deliver(&created(n)), Handled::Ack);
    }
    bench
        .acme
        .answers
        .lock()
        .expect("no panic")
        .extend([again("busy"), Verdict::Refused { reason: "no".into() }]);
    assert_eq!(bench.digest_at(3600), None);
    assert_eq!(bench.digest_at(3629), None);
    assert_eq!(bench.calls(), 2, "it waits before it tries again");
    assert_eq!(bench.digest_at(3630), None);
    assert_eq!(bench.digest_at(3690), None);
    assert_eq!(bench.sent()[1], "2 more events: ");
}

#[test]
fn a_digest_speaks_for_all_that_wait_piece_by_piece() {
    let bench = Bench::new(Some(1), None);
    for n in 0..2_502 {
        assert_eq!(bench.deliver(&created(n)), Handled::Ack);
    }
    for hour in 1..=3 {
        assert_eq!(bench.digest_at(hour * 3600), None);
    }
    assert_eq!(bench.sent()[1..], ["1000 more events: ", "1000 more events: ", "501 more events: "]);
    assert_eq!(bench.ledger.waiting("ops").expect("read"), 0);
}

#[test]
fn the_newest_deliveries_come_first_page_by_page() {
    let bench = Bench::new(Some(3), None);
    for n in 1..=5 {
        assert_eq!(bench.deliver_at(n.into(), &created(n)).handled, Handled::Ack);
    }
    let page = |after: Option<&str>, limit| {
        let (page, next) = bench.ledger.page(after, limit, |to, _| to == "ops").expect("read");
        (page.into_iter().map(|(_, record)| record.subject).collect::<Vec<_>>(), next)
    };
    let (first, next) = page(None, 3);
    assert_eq!(first, ["s-5", "s-4", "s-3"]);
    assert_eq!(page(next.as_deref(), 3), (vec!["s-2".into(), "s-1".into()], None));
    let (folded, _) = bench.ledger.page(None, 10, |_, record| record.state == State::Folded).expect("read");
    assert_eq!(folded.len(), 2);
    assert!(folded[0].0.starts_with("ops."), "{}", folded[0].0);
}

#[test]
fn what_a_provider_skips_counts_for_no_limit_and_leaves_no_record() {
    let mut bench = Bench::new(Some(1), None);
    bench.acme.skips = Some("there is nothing to be told");
    for n in 0..20 {
        assert_eq!(bench.deliver(&created(n)), Handled::Ack);
    }
    let id = Uuid::from_bytes(created(0).id());
    assert_eq!(bench.ledger.record("ops", id).expect("the ledger is in memory"), None);
    assert_eq!((bench.calls(), bench.health().figures.skipped), (0, 20));
    bench.acme.skips = None;
    assert_eq!(bench.deliver(&created(20)), Handled::Ack);
    assert_eq!(bench.sent(), ["Session created: s-20"]);
}

#[test]
fn what_is_being_retried_and_then_skipped_is_told_so() {
    let mut bench = Bench::new(None, None).answering([again("Acme answered 503")]);
    assert_eq!(bench.deliver(&created(1)), Handled::retry("Acme answered 503"));
    bench.acme.skips = Some("it is over");
    assert_eq!(bench.deliver(&created(1)), Handled::Ack);
    assert_eq!(bench.state(&created(1)), State::Skipped);
}

#[test]
fn a_provider_may_want_repetitions() {
    let mut bench = Bench::new(None, None);
    bench.acme.never_suppresses = true;
    let twice = || Sample::new("session.created", json!({"id": "s-1"}));
    assert_eq!(bench.deliver(&twice().numbered(1)), Handled::Ack);
    assert_eq!(bench.deliver(&twice().numbered(2)), Handled::Ack);
    assert_eq!(bench.sent().len(), 2);
}
