//! The rules of delivery, without threads: each test runs the consumers itself.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Instant,
};

use bytes::Bytes;
use streamspace_plugin::{
    abi::{ROption, RString},
    events::{Batch, ConsumerSpec, Progress, Refusal, Verdict},
};

use super::*;
use crate::{config, store::Database};

mod change;
mod switch;

/// A plugin that answers as it is told to, event by event, and acknowledges where it is told nothing.
#[derive(Default)]
struct Plugin {
    answers: Mutex<HashMap<String, VecDeque<Refusal>>>,
    seen: Mutex<Vec<(String, u32)>>,
    fates: Mutex<Vec<Fate>>,
}

impl Plugin {
    fn refuse(self, data: &str, answers: impl IntoIterator<Item = (Verdict, u64)>) -> Self {
        let answers =
            answers.into_iter().map(|(verdict, after_ms)| Refusal { verdict, after_ms, reason: "no".into() });
        self.answers.lock().expect("a lock").insert(data.to_owned(), answers.collect());
        self
    }

    fn seen(&self) -> Vec<(String, u32)> {
        self.seen.lock().expect("a lock").clone()
    }

    fn data(&self) -> Vec<String> {
        self.seen().into_iter().map(|(data, _)| data).collect()
    }
}

impl Target for Plugin {
    fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
        for (number, event) in (0..).zip(batch.events.iter()) {
            let data = String::from_utf8_lossy(&event.data).into_owned();
            self.seen.lock().expect("a lock").push((data.clone(), event.attempt));
            let refusal = self.answers.lock().expect("a lock").get_mut(&data).and_then(VecDeque::pop_front);
            if let Some(refusal) = refusal {
                return Progress { acknowledged: number, stopped_at: ROption::RSome(refusal) };
            }
        }
        Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn refused(&self, _: &Consumer, refused: &Refused<'_>) {
        self.fates.lock().expect("a lock").push(refused.fate);
    }
}

#[derive(Default)]
struct ByHand(Mutex<Vec<Arc<Consumer>>>, AtomicBool);

impl Scheduler for ByHand {
    fn ready(&self, consumers: &[Arc<Consumer>]) {
        self.0.lock().expect("a lock").extend(consumers.iter().cloned());
        assert!(!self.1.swap(false, Ordering::Relaxed), "told to panic");
    }
}

impl ByHand {
    /// Runs what is ready, waiting for tries that are due within a second, until there is nothing more to come.
    fn run(&self, bus: &Bus) {
        let mut scratch = Scratch::default();
        loop {
            let Some(consumer) = self.0.lock().expect("a lock").pop() else {
                let log = bus.log().expect("a log");
                assert!(
                    log.flush(Instant::now() + Duration::from_secs(30)),
                    "the log has something to do for ever"
                );
                if self.0.lock().expect("a lock").is_empty() {
                    return;
                }
                continue;
            };
            let mut next = consumer.run(&mut scratch);
            if let Next::Empty = next {
                next = consumer.let_go();
            }
            match next {
                Next::Again => self.ready(&[consumer]),
                Next::At(due) if due < Instant::now() + Duration::from_secs(1) => {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    if consumer.wake() {
                        self.ready(&[consumer]);
                    }
                }
                Next::At(_) | Next::Nothing | Next::Empty => {}
            }
        }
    }
}

struct House {
    bus: Arc<Bus>,
    hand: Arc<ByHand>,
    database: Arc<Database>,
    folder: Arc<tempfile::TempDir>,
}

/// Unused by SQLite, and asked for all the same.
static NETWORK: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

impl House {
    fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().expect("a folder")), config::Events::default())
    }

    fn at(folder: Arc<tempfile::TempDir>, events: config::Events) -> Self {
        Self::with(&config::Database::default(), folder, events)
    }

    fn with(database: &config::Database, folder: Arc<tempfile::TempDir>, events: config::Events) -> Self {
        let limits =
            Limits { max_data_bytes: 100, max_pending: 1000, handler_deadline: Duration::from_secs(60) };
        let database = Database::open(folder.path(), database, NETWORK.handle());
        let database = Arc::new(database.expect("a database"));
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let bus = Bus::open(limits, &events, &database, &logger).expect("a bus");
        let hand = Arc::new(ByHand::default());
        bus.run_on(Arc::clone(&hand) as Arc<dyn Scheduler>);
        Self { bus, hand, database, folder }
    }

    /// What a host finds that starts after this one was killed.
    fn after_a_crash(&self) -> Self {
        self.bus.log().expect("a log").stop(Instant::now() + Duration::from_secs(10));
        Self::at(Arc::clone(&self.folder), config::Events::default())
    }

    fn run(&self) {
        self.hand.run(&self.bus);
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        DeadLetters::new(Arc::clone(&self.database)).list("p", &Which::default(), 0, 100).expect("a list")
    }

    fn plugin(&self, spec: ConsumerSpec, plugin: Plugin) -> (Vec<Arc<Consumer>>, Arc<Plugin>) {
        let consumers = self.bus.subscribe(&"p".into(), &[spec]).expect("a good consumer");
        let plugin = Arc::new(plugin);
        self.bus.resume(&consumers, &(Arc::clone(&plugin) as Arc<dyn Target>));
        (consumers, plugin)
    }

    fn emit(&self, topic: &str, data: &str) {
        let event = NewEvent {
            topic,
            source: "test".into(),
            subject: "",
            time_us: None,
            data: Bytes::copy_from_slice(data.as_bytes()),
            attributes: Bytes::new(),
        };
        self.bus.emit(event).expect("accepted");
    }

    fn emit_all(&self, data: &str) {
        for data in data.split(' ') {
            self.emit("t.x", data);
        }
    }
}

fn spec(durable: bool) -> ConsumerSpec {
    ConsumerSpec {
        filters: vec![RString::from("t.*")].into(),
        durable,
        max_deliver: 3,
        backoff_ms: vec![1].into(),
        ..ConsumerSpec::named("c")
    }
}

const BACKOFF: u64 = Refusal::BACKOFF;

#[test]
fn a_retry_keeps_the_order_and_counts_its_tries() {
    let house = House::new();
    let plugin = Plugin::default().refuse("b", [(Verdict::RETRY, BACKOFF), (Verdict::RETRY, 2)]);
    let (consumers, plugin) = house.plugin(spec(true), plugin);
    house.emit_all("a b c");
    house.run();
    let expected =
        [("a", 1), ("b", 1), ("b", 2), ("b", 3), ("c", 1)].map(|(data, attempt)| (data.to_owned(), attempt));
    assert_eq!(plugin.seen(), expected);
    let counts = consumers[0].counts();
    assert_eq!((counts.delivered, counts.retried, counts.pending), (3, 2, 0));
}

#[test]
fn with_room_in_flight_others_pass_an_event_that_waits() {
    let house = House::new();
    let plugin = Plugin::default().refuse("a", [(Verdict::RETRY, 30)]);
    let (_, plugin) = house.plugin(ConsumerSpec { max_in_flight: 2, ..spec(true) }, plugin);
    house.emit_all("a b c");
    house.run();
    assert_eq!(plugin.data(), ["a", "b", "c", "a"]);
}

#[test]
fn with_room_in_flight_later_events_do_not_wait_for_the_next_try() {
    let house = House::new();
    let plugin = Plugin::default().refuse("a", [(Verdict::RETRY, 60_000)]);
    let (_, plugin) = house.plugin(ConsumerSpec { max_in_flight: 2, ..spec(true) }, plugin);
    house.emit_all("a");
    house.run();
    house.emit_all("b");
    house.run();
    assert_eq!(plugin.data(), ["a", "b"], "`a` waits for a minute");
}

#[test]
fn what_fails_too_often_becomes_a_dead_letter_and_frees_the_way() {
    let house = House::new();
    let plugin =
        Plugin::default().refuse("a", [(Verdict::RETRY, 1), (Verdict::PANICKED, 1), (Verdict::RETRY, 1)]);
    let (_, plugin) = house.plugin(spec(true), plugin);
    house.emit_all("a b");
    house.run();
    assert_eq!(plugin.data(), ["a", "a", "a", "b"]);
    let letters = house.dead_letters();
    assert_eq!((letters.len(), letters[0].attempts, letters[0].reason.as_str()), (1, 3, "no"));
    assert_eq!(plugin.fates.lock().expect("a lock").last(), Some(&Fate::DeadLetter));
}

#[test]
fn a_reject_is_final_and_a_deferral_costs_no_try() {
    let house = House::new();
    let plugin = Plugin::default()
        .refuse("a", [(Verdict::REJECT, 0)])
        .refuse("b", [(Verdict::DEFER, 1), (Verdict::DEFER, 1), (Verdict::DEFER, 1), (Verdict::DEFER, 1)]);
    let (consumers, plugin) = house.plugin(spec(true), plugin);
    house.emit_all("a b");
    house.run();
    let attempts: Vec<u32> = plugin.seen().into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, [1; 6]);
    let counts = consumers[0].counts();
    assert_eq!((counts.dead, counts.delivered), (1, 1));
}

#[test]
fn a_verdict_from_the_future_is_a_retry() {
    let house = House::new();
    let plugin = Plugin::default().refuse("a", [(Verdict(77), 1)]);
    let (consumers, plugin) = house.plugin(spec(true), plugin);
    house.emit_all("a");
    house.run();
    assert_eq!(plugin.data(), ["a", "a"]);
    assert_eq!(consumers[0].counts().delivered, 1);
}

#[test]
fn a_plugin_that_settles_nothing_is_not_called_for_ever() {
    struct Mute;
    impl Target for Mute {
        fn deliver(&self, _: u32, _: Batch<'_>) -> Progress {
            Progress { acknowledged: 0, stopped_at: ROption::RNone }
        }

        fn redact(&self, text: &str) -> String {
            text.to_owned()
        }

        fn refused(&self, _: &Consumer, _: &Refused<'_>) {}
    }
    let house = House::new();
    let consumers = house.bus.subscribe(&"p".into(), &[spec(true)]).expect("a good consumer");
    house.bus.resume(&consumers, &(Arc::new(Mute) as Arc<dyn Target>));
    house.emit_all("a");
    house.run();
    assert_eq!(house.dead_letters().len(), 1);
}

#[test]
fn an_ephemeral_consumer_gets_each_event_at_most_once() {
    let house = House::new();
    let plugin = Plugin::default().refuse("a", [(Verdict::RETRY, 1)]);
    let (consumers, plugin) = house.plugin(spec(false), plugin);
    house.emit_all("a b");
    house.run();
    assert_eq!(plugin.data(), ["a", "b"]);
    let counts = consumers[0].counts();
    assert_eq!((counts.failed, counts.delivered, counts.dead), (1, 1, 0));
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_it() {
    let house = House::new();
    let (consumers, plugin) = house.plugin(ConsumerSpec { max_pending: 2, ..spec(false) }, Plugin::default());
    house.emit_all("a b c d");
    house.run();
    assert_eq!(plugin.data(), ["c", "d"]);
    let counts = consumers[0].counts();
    assert_eq!((counts.dropped, counts.high_water), (2, 2));
}

#[test]
fn a_durable_consumer_waits_while_its_plugin_is_away_and_an_ephemeral_one_misses() {
    for (durable, expected) in [(true, vec!["a", "b", "c"]), (false, vec!["c"])] {
        let house = House::new();
        let (consumers, first) = house.plugin(spec(durable), Plugin::default());
        assert!(house.bus.detach(&consumers, Instant::now() + Duration::from_secs(5)).is_empty());
        house.emit_all("a b");
        house.run();
        assert_eq!(first.data(), Vec::<String>::new());
        let (_, second) = house.plugin(spec(durable), Plugin::default());
        house.emit_all("c");
        house.run();
        assert_eq!(second.data(), expected, "durable: {durable}");
    }
}

#[test]
fn what_is_too_large_or_has_no_topic_is_refused() {
    let house = House::new();
    let event = |topic, bytes| NewEvent {
        topic,
        source: "test".into(),
        subject: "",
        time_us: None,
        data: Bytes::from(vec![b'1'; bytes]),
        attributes: Bytes::new(),
    };
    assert_eq!(house.bus.emit(event("t", 101)), Err(EmitError::TooLarge { found: 101, limit: 100 }));
    assert!(matches!(house.bus.emit(event("t..x", 1)), Err(EmitError::Topic(_))));
    assert!(house.bus.emit(event("t", 100)).is_ok());
}

#[test]
fn consumers_that_are_none_are_refused() {
    let house = House::new();
    let subscribe = |specs: &[ConsumerSpec]| house.bus.subscribe(&"p".into(), specs).expect_err("refused");
    assert!(matches!(
        subscribe(&[ConsumerSpec { name: "A b".into(), ..spec(true) }]),
        SubscribeError::Name(_)
    ));
    assert!(matches!(subscribe(&[spec(true), spec(true)]), SubscribeError::Duplicate(_)));
    let none = ConsumerSpec { filters: Vec::new().into(), ..spec(true) };
    assert!(matches!(subscribe(&[none]), SubscribeError::NoFilter(_)));
    let wrong = ConsumerSpec { filters: vec!["t.>.x".into()].into(), ..spec(true) };
    assert!(matches!(subscribe(&[wrong]), SubscribeError::Filter { .. }));
    assert!(house.bus.consumers().is_empty());
}

#[test]
fn what_was_accepted_is_delivered_after_a_crash_and_what_was_acknowledged_is_not_again() {
    let house = House::new();
    let (_, first) = house.plugin(spec(true), Plugin::default());
    house.emit_all("a b");
    house.run();
    assert_eq!(first.data(), ["a", "b"]);
    let consumers = house.bus.consumers();
    assert!(house.bus.detach(&consumers, Instant::now() + Duration::from_secs(5)).is_empty());
    house.emit_all("c d");
    let house = house.after_a_crash();
    assert_eq!(house.bus.consumers()[0].counts().pending, 2);
    let (_, second) = house.plugin(spec(true), Plugin::default());
    house.emit_all("e");
    house.run();
    assert_eq!(second.data(), ["c", "d", "e"]);
}

#[test]
fn tries_and_back_off_survive_a_crash() {
    let house = House::new();
    let (_, _) = house.plugin(spec(true), Plugin::default().refuse("a", [(Verdict::RETRY, 3_600_000)]));
    house.emit_all("a b");
    house.run();
    let house = house.after_a_crash();
    let (consumers, second) = house.plugin(spec(true), Plugin::default());
    house.run();
    assert_eq!(second.data(), Vec::<String>::new(), "`a` waits for an hour, and `b` for `a`");
    assert_eq!(consumers[0].counts().pending, 2);
}

#[test]
fn a_dead_letter_survives_a_crash_and_is_tried_again_as_if_for_the_first_time() {
    let house = House::new();
    let (_, _) = house.plugin(spec(true), Plugin::default().refuse("a", [(Verdict::REJECT, 0)]));
    house.emit_all("a b");
    house.run();
    let house = house.after_a_crash();
    let (consumers, second) = house.plugin(spec(true), Plugin::default());
    house.run();
    assert_eq!(second.data(), Vec::<String>::new());
    assert_eq!((consumers[0].counts().dead, house.dead_letters().len()), (1, 1));
    let letters = DeadLetters::new(Arc::clone(&house.database));
    assert_eq!(house.bus.replay(&letters, "p", &Which::default()).expect("replayed"), 1);
    house.run();
    assert_eq!(second.seen(), [("a".to_owned(), 1)]);
    assert_eq!((consumers[0].counts().dead, house.dead_letters().len()), (0, 0));
}

#[test]
fn a_full_memory_falls_back_to_the_log_and_keeps_the_order() {
    let house = House::new();
    let (consumers, plugin) =
        house.plugin(ConsumerSpec { max_pending: 2, batch: 2, ..spec(true) }, Plugin::default());
    house.run();
    let all: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    house.emit_all(&all.join(" "));
    assert_eq!(consumers[0].counts().pending, 50);
    house.run();
    assert_eq!(plugin.data(), all);
    let counts = consumers[0].counts();
    assert_eq!((counts.pending, counts.dropped, counts.delivered), (0, 0, 50));
}

#[test]
fn a_new_consumer_may_begin_at_the_oldest_event_there_is() {
    let house = House::new();
    let (_, _) = house.plugin(spec(true), Plugin::default());
    house.emit_all("a b");
    house.run();
    for (name, from_start, expected) in [("late", false, vec!["c"]), ("all", true, vec!["a", "b", "c"])] {
        let spec = ConsumerSpec { name: name.into(), from_start, ..spec(true) };
        let consumers = house.bus.subscribe(&name.into(), &[spec]).expect("a good consumer");
        let plugin = Arc::new(Plugin::default());
        house.bus.resume(&consumers, &(Arc::clone(&plugin) as Arc<dyn Target>));
        house.run();
        if name == "late" {
            house.emit_all("c");
            house.run();
        }
        assert_eq!(plugin.data(), expected, "{name}");
    }
}

#[test]
fn a_consumer_that_is_replaced_while_it_is_read_for_is_read_for_again() {
    let house = House::new();
    let (old, _) = house.plugin(spec(true), Plugin::default());
    house.run();
    // The reader was asked, and has not come yet.
    assert!(old[0].fall_behind());
    house.emit_all("a");
    let (new, plugin) = house.plugin(spec(true), Plugin::default());
    house.run();
    assert_eq!(plugin.data(), ["a"]);
    assert_eq!(new[0].counts().pending, 0);
}

#[test]
fn what_a_handler_that_hangs_has_in_its_hands_is_given_to_the_next_instance() {
    /// Holds what it is given until it is let go.
    struct Hanging(Mutex<mpsc::Receiver<()>>);
    impl Target for Hanging {
        fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
            self.0.lock().expect("a lock").recv().expect("let go");
            Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
        }

        fn redact(&self, text: &str) -> String {
            text.to_owned()
        }

        fn refused(&self, _: &Consumer, _: &Refused<'_>) {}
    }
    let house = House::new();
    // One that was refused, which is due again, and one that is new.
    let (_, _) = house.plugin(spec(true), Plugin::default().refuse("a", [(Verdict::RETRY, 60_000)]));
    house.emit_all("a b");
    house.run();
    let house = house.after_a_crash();
    let consumers = house.bus.subscribe(&"p".into(), &[spec(true)]).expect("a good consumer");
    let (go, wait) = mpsc::channel();
    let hanging = Hanging(Mutex::new(wait));
    house.bus.resume(&consumers, &(Arc::new(hanging) as Arc<dyn Target>));
    consumers[0].make_due();
    assert!(house.bus.log().expect("a log").flush(Instant::now() + Duration::from_secs(30)));
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| consumers[0].run(&mut Scratch::default()));
        let until = Instant::now() + Duration::from_secs(30);
        while consumers[0].running_for().is_none() {
            assert!(Instant::now() < until, "the handler is not called");
            std::thread::yield_now();
        }
        let (_, next) = house.plugin(spec(true), Plugin::default());
        house.run();
        assert_eq!(next.data(), ["a", "b"]);
        go.send(()).expect("it waits");
        hanging.join().expect("it ends");
    });
    house.run();
    // Nothing of it is left for a third.
    let house = house.after_a_crash();
    assert_eq!(house.bus.consumers()[0].counts().pending, 0);
}

#[test]
fn a_plugin_that_is_gone_leaves_nothing_behind() {
    let house = House::new();
    let (_, _) = house.plugin(spec(true), Plugin::default().refuse("a", [(Verdict::REJECT, 0)]));
    house.emit_all("a");
    house.run();
    house.bus.forget("p");
    house.run();
    let house = house.after_a_crash();
    assert!(house.bus.consumers().is_empty());
    assert!(house.dead_letters().is_empty());
}

#[test]
fn only_durable_topics_and_those_that_a_durable_consumer_wants_are_in_the_log() {
    let house = House::new();
    let log = house.bus.log().expect("a log");
    house.emit("t.x", "1");
    assert_eq!(log.head(), 0);
    house.emit("session.created", "1");
    assert_eq!(log.head(), 1);
    let (_, _) = house.plugin(spec(true), Plugin::default());
    house.emit("t.x", "1");
    assert_eq!(log.head(), 2);
}

#[test]
fn events_of_many_emitters_are_each_delivered_once_and_in_each_ones_order() {
    const EMITTERS: usize = 6;
    const EVENTS: usize = 100;
    let house = House::new();
    let (consumers, plugin) = house.plugin(spec(true), Plugin::default());
    house.run();
    std::thread::scope(|scope| {
        for emitter in 0..EMITTERS {
            let house = &house;
            scope.spawn(move || {
                for number in 0..EVENTS {
                    let data = format!("{emitter} {number}");
                    // Some wait for the commit, and write if nobody does; others leave it to the log's thread.
                    if number % 3 > 0 {
                        house.emit("t.x", &data);
                        continue;
                    }
                    let event = NewEvent {
                        topic: "t.x",
                        source: "test".into(),
                        subject: "",
                        time_us: None,
                        data: Bytes::from(data),
                        attributes: Bytes::new(),
                    };
                    let (done, answer) = mpsc::channel();
                    let done = Box::new(move |result| drop(done.send(result)));
                    house.bus.emit_all(vec![event], done).expect("taken");
                    answer.recv_timeout(Duration::from_secs(30)).expect("an answer").expect("accepted");
                }
            });
        }
    });
    house.run();
    let seen = plugin.data();
    assert_eq!(seen.len(), EMITTERS * EVENTS);
    for emitter in 0..EMITTERS {
        let of_it: Vec<_> = seen.iter().filter(|data| data.starts_with(&format!("{emitter} "))).collect();
        let expected: Vec<_> = (0..EVENTS).map(|number| format!("{emitter} {number}")).collect();
        assert_eq!(of_it, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!(house.bus.log().expect("a log").head(), (EMITTERS * EVENTS) as u64);
    assert_eq!(consumers[0].counts().pending, 0);
}

#[test]
fn a_panic_while_events_are_handed_over_stops_neither_the_log_nor_an_event() {
    let house = House::new();
    let (_, plugin) = house.plugin(spec(true), Plugin::default());
    house.run();
    house.hand.1.store(true, Ordering::Relaxed);
    // The emitter writes, and so it panics.
    assert!(catch_unwind(AssertUnwindSafe(|| house.emit("t.x", "a"))).is_err());
    house.emit("t.x", "b");
    house.run();
    assert_eq!(plugin.data(), ["a", "b"]);
}

/// What a tap has: the numbers of the log and the topics.
fn went_by(tap: &Tap) -> Vec<(u64, String)> {
    let item = |item| match item {
        Item::Event(number, event) => (number, event.topic.to_string()),
        Item::Notice(kind, data) => (0, format!("{kind} {data}")),
    };
    tap.take(usize::MAX).into_iter().map(item).collect()
}

#[test]
fn one_who_watches_sees_events_with_their_numbers_and_news() {
    let house = House::new();
    let tap = house.bus.tap(vec!["session.*".to_owned(), "x".to_owned()], true, 2).expect("a tap");
    for topic in ["session.created", "x", "y", "session.ended"] {
        let event = NewEvent {
            topic,
            source: "test".into(),
            subject: "",
            time_us: None,
            data: Bytes::from_static(b"1"),
            attributes: Bytes::new(),
        };
        house.bus.emit(event).expect("accepted");
    }
    house.bus.notice("test:news", || serde_json::json!(7));
    let expected = [(1, "session.created"), (0, "x"), (2, "session.ended"), (0, "test:news 7")];
    assert_eq!(went_by(&tap), expected.map(|(number, topic)| (number, topic.to_owned())));
    house.bus.untap(&tap);
    house.bus.notice("test:news", || unreachable!("nobody listens"));
    assert_eq!(house.bus.taps(), (0, 0));
}

#[test]
fn as_many_watch_as_may_and_none_when_the_host_stops() {
    let house = House::new();
    let tap = |limit| house.bus.tap(vec![">".to_owned()], false, limit);
    let first = tap(1).expect("the first");
    assert_eq!(tap(1).err(), Some(TapError::Full(1)));
    // One that is too slow makes room.
    let event = Arc::new(Event {
        id: uuid::Uuid::nil(),
        time_us: 0,
        topic: "t".into(),
        source: "test".into(),
        subject: "".into(),
        data: Bytes::new(),
        attributes: Bytes::new(),
    });
    while first.lost() == 0 {
        house.bus.hand_over(&event, 0);
    }
    let second = tap(1).expect("there is room again");
    assert_eq!(house.bus.taps(), (1, 1));
    house.bus.close_taps();
    assert!(second.is_closed());
    assert_eq!(tap(10).err(), Some(TapError::Stopping));
}
