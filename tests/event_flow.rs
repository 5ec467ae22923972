//! Events on their way from those who emit them to the consumers: in order, whole, and to nobody else.
#![forbid(unsafe_code)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Emitter, Host, Installation, LogLine, wait_for};

const PLUGIN: &str = "fixture-counter";

fn start(consumers: &Value) -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({"consumers": consumers})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn number(consumer: &Value, name: &str) -> u64 {
    consumer[name].as_u64().unwrap_or_else(|| panic!("`{name}` is no number in {consumer}"))
}

/// What `consumer` says it counted, after the event with `"last": true`.
fn counted(host: &Host, consumer: &str) -> LogLine {
    host.logged(&format!("{consumer} to have counted"), |line| {
        line.message() == "Counted." && line.text("consumer") == consumer
    })
}

#[test]
fn a_million_events_arrive_in_order_and_none_is_lost() {
    const EMITTERS: u64 = 4;
    const BATCH: u64 = 1000;
    const EACH: u64 = 250_000;
    const TOTAL: u64 = EMITTERS * EACH;
    const MAX_PENDING: u64 = 65_536;

    let consumers =
        json!([{"name": "count", "topics": ["test.count", "test.end"], "max_pending": MAX_PENDING}]);
    let host =
        Installation::new().set("log.level", "info").plugin(PLUGIN, &json!({"consumers": consumers})).start();
    host.wait_state(PLUGIN, "running");
    // An ephemeral consumer drops what its queue cannot hold, so the emitters keep what is under way below that.
    let (posted, delivered) = (AtomicU64::new(0), AtomicU64::new(0));
    let refresh = || {
        let now = number(&host.consumer(PLUGIN, "count"), "delivered");
        delivered.fetch_max(now, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        for emitter in 0..EMITTERS {
            let (posted, delivered, refresh) = (&posted, &delivered, &refresh);
            let mut emitter = Emitter::new(host.api(), "test.count", emitter);
            scope.spawn(move || {
                for _ in 0..EACH / BATCH {
                    let mine = posted.fetch_add(BATCH, Ordering::SeqCst) + BATCH;
                    wait_for(DEADLINE, "room in the queue", || {
                        let room = || mine - delivered.load(Ordering::SeqCst).min(mine) <= MAX_PENDING;
                        if !room() {
                            refresh();
                        }
                        room().then_some(())
                    });
                    emitter.batch(BATCH);
                }
            });
        }
    });
    host.post_event("test.end", &json!({"emitter": EMITTERS, "n": 0, "last": true}));
    let line = counted(&host, "count");
    assert_eq!((line.field("seen"), line.field("out_of_order")), (&json!(TOTAL + 1), &json!(0)));

    let consumer = host.wait_count(PLUGIN, "count", "delivered", TOTAL + 1);
    assert_eq!((number(&consumer, "dropped"), number(&consumer, "pending")), (0, 0), "{consumer}");
    assert!((1..=MAX_PENDING).contains(&number(&consumer, "high_water")), "{consumer}");
    host.stop();
}

#[test]
fn a_slow_consumer_slows_nobody_and_what_it_misses_is_counted() {
    const TOTAL: u64 = 20_000;
    let host = start(&json!([
        {"name": "fast", "topics": ["test.count"]},
        {"name": "slow", "topics": ["test.count"], "work_micros": 1000, "max_pending": 100, "batch": 10},
    ]));
    let mut emitter = Emitter::new(host.api(), "test.count", 1);
    for _ in 0..TOTAL / 1000 {
        emitter.batch(1000);
    }
    let fast = host.wait_count(PLUGIN, "fast", "delivered", TOTAL);
    assert_eq!((number(&fast, "delivered"), number(&fast, "dropped")), (TOTAL, 0), "{fast}");

    let slow = host.wait_for(DEADLINE, "the slow consumer to be done", || {
        let slow = host.consumer(PLUGIN, "slow");
        (number(&slow, "delivered") + number(&slow, "dropped") >= TOTAL).then_some(slow)
    });
    assert_eq!(number(&slow, "delivered") + number(&slow, "dropped"), TOTAL, "{slow}");
    assert!(number(&slow, "dropped") > 0 && number(&slow, "high_water") <= 100, "{slow}");
    host.logged("the lag to be reported", |line| {
        line.is_of(PLUGIN) && line.contains("plugin.lagging") && line.contains("slow")
    });
    // What did arrive is the newest, in order.
    let stopped = host.stop();
    let summary = stopped.log.wait(DEADLINE, "the slow consumer's summary", |line| {
        line.message() == "Unloading." && line.text("consumer") == "slow"
    });
    assert_eq!((summary.field("last"), summary.field("out_of_order")), (&json!(TOTAL - 1), &json!(0)));
}

#[test]
fn the_operators_limit_holds_over_what_a_consumer_asks_for() {
    let consumers = json!([
        {"name": "slow", "topics": ["test.count"], "work_micros": 1000, "max_pending": 10_000, "batch": 10},
    ]);
    let host = Installation::new()
        .set("events.max_pending", 50)
        .plugin(PLUGIN, &json!({"consumers": consumers}))
        .start();
    host.wait_state(PLUGIN, "running");
    Emitter::new(host.api(), "test.count", 1).batch(1000);
    let slow = host.wait_for(DEADLINE, "the slow consumer to be done", || {
        let slow = host.consumer(PLUGIN, "slow");
        (number(&slow, "delivered") + number(&slow, "dropped") >= 1000).then_some(slow)
    });
    assert!(number(&slow, "high_water") <= 50 && number(&slow, "dropped") > 0, "{slow}");
}

#[test]
fn filters_take_whole_tokens() {
    let filters = [
        ("exact", "session.created", 1),
        ("longer", "session.create", 1),
        ("star", "session.*", 3),
        ("middle", "session.*.late", 1),
        ("rest", "session.>", 4),
        ("first", "*.created", 2),
    ];
    let consumers: Vec<Value> = filters
        .iter()
        .map(|(name, filter, _)| json!({"name": name, "topics": [filter, "test.end"]}))
        .collect();
    let host = start(&json!(consumers));
    for topic in [
        "session.created",
        "session.create",
        "session.createdx",
        "session.created.late",
        "session",
        "user.created",
        "sessions.create",
    ] {
        host.post_event(topic, &json!({}));
    }
    // Each consumer takes its events in order: after the last one nothing of those before is under way.
    host.post_event("test.end", &json!({"last": true}));
    for (name, filter, count) in filters {
        assert_eq!(counted(&host, name).field("seen"), &json!(count + 1), "`{filter}`");
    }
}

#[test]
fn a_consumer_of_everything_is_given_everything() {
    let host = start(&json!([{"name": "all", "topics": [">"]}]));
    for topic in ["session", "session.created", "a.b.c.d.e"] {
        host.post_event(topic, &json!({}));
    }
    host.post_event("test.end", &json!({"last": true}));
    // The host's own events may be among them.
    let line = counted(&host, "all");
    assert!(line.field("seen").as_u64() >= Some(4), "{}", line.raw);
}

#[test]
fn two_filters_of_a_consumer_that_match_an_event_deliver_it_once() {
    let host = start(&json!([{"name": "count", "topics": ["test.count", "test.*", "test.>"]}]));
    host.post_event("test.count", &json!({"n": 1}));
    host.post_event("test.count", &json!({"n": 2, "last": true}));
    assert_eq!(counted(&host, "count").field("seen"), 2);
}

#[test]
fn a_plugins_own_events_reach_consumers() {
    let host = start(&json!([
        {"name": "count", "topics": ["test.count"]},
        {"name": "echo", "topics": ["plugin.fixture-counter.*"]},
    ]));
    host.post_event("test.count", &json!({"n": 1, "last": true}));
    host.wait_count(PLUGIN, "echo", "delivered", 1);
}

#[test]
fn events_are_taken_over_many_connections_at_once() {
    const EMITTERS: u64 = 32;
    let host = start(&json!([{"name": "count", "topics": ["test.count"]}]));
    let accepted = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for emitter in 0..EMITTERS {
            let accepted = Arc::clone(&accepted);
            let mut emitter = Emitter::new(host.api(), "test.count", emitter);
            scope.spawn(move || {
                for _ in 0..50 {
                    emitter.batch(10);
                    accepted.fetch_add(10, Ordering::SeqCst);
                }
            });
        }
    });
    let total = accepted.load(Ordering::SeqCst);
    assert_eq!(total, EMITTERS * 500);
    let consumer = host.wait_count(PLUGIN, "count", "delivered", total);
    assert_eq!(number(&consumer, "delivered"), total);
    let stopped = host.stop();
    assert!(stopped.log.has(|line| line.message() == "Unloading." && line.field("out_of_order") == 0));
}
