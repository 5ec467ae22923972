//! What an emit costs the emitter: the time of 1,000 emits, while nothing delivers. A microsecond of a sample is thus
//! a nanosecond of an emit.

mod support {
    pub(crate) mod bus;
    pub(crate) mod payload;
}

use std::sync::Arc;

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use streamspace_host::events::{Bus, Consumer, Next, Refused, Scheduler, Scratch, Target};
use streamspace_plugin::{
    abi::ROption,
    events::{Batch, ConsumerSpec, Progress},
};
use tokio::sync::broadcast;

use self::support::{bus, payload::payload};

/// Emits of one sample.
const EMITS: usize = 1000;
const TOPIC: &str = "session.created";

fn main() {
    divan::main();
}

/// Leaves everything where it is: the samples are drained in between.
struct Nobody;

impl Scheduler for Nobody {
    fn ready(&self, _: &[Arc<Consumer>]) {}
}

/// Acknowledges everything.
struct Sink;

impl Target for Sink {
    fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
        Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn refused(&self, _: &Consumer, _: &Refused<'_>) {}
}

/// A bus whose consumers have these filters, up to a hundred of them in a plugin.
fn bus_with(filters: &[String]) -> Arc<Bus> {
    let bus = bus::new();
    bus.run_on(Arc::new(Nobody));
    let target: Arc<dyn Target> = Arc::new(Sink);
    for (number, filters) in filters.chunks(100).enumerate() {
        let specs: Vec<ConsumerSpec> = filters
            .iter()
            .enumerate()
            .map(|(number, filter)| bus::consumer(&format!("consumer-{number}"), filter))
            .collect();
        let plugin = format!("streamspace-bench-{number}").into();
        let consumers = bus.subscribe(&plugin, &specs).expect("consumers");
        bus.resume(&consumers, &target);
    }
    bus
}

fn same(consumers: usize) -> Vec<String> {
    vec![TOPIC.to_owned(); consumers]
}

fn others(consumers: usize) -> Vec<String> {
    (0..consumers).map(|number| format!("other-{number}.created")).collect()
}

/// Measures emits of the topics in turn.
fn bench(bencher: Bencher<'_, '_>, bus: &Bus, topics: &[String], subject: &str) {
    let data = payload();
    let mut topics = topics.iter().cycle();
    let mut scratch = Scratch::default();
    bencher
        .with_inputs(|| {
            for consumer in bus.consumers() {
                if consumer.counts().pending > 0 {
                    while !matches!(consumer.run(&mut scratch), Next::Nothing | Next::Empty) {}
                    consumer.let_go();
                }
            }
        })
        .counter(ItemsCount::new(EMITS))
        .bench_local_values(|()| {
            for topic in topics.by_ref().take(EMITS) {
                bus.emit(bus::event(topic, subject, &data)).expect("accepted");
            }
        });
}

#[divan::bench(args = [1, 10, 100], sample_size = 1)]
fn matching(bencher: Bencher<'_, '_>, consumers: usize) {
    bench(bencher, &bus_with(&same(consumers)), &same(1), "");
}

/// The subject is the one part of an event that is copied.
#[divan::bench(sample_size = 1)]
fn matching_1_with_a_subject(bencher: Bencher<'_, '_>) {
    bench(bencher, &bus_with(&same(1)), &same(1), "session-0123456789");
}

#[divan::bench(sample_size = 1)]
fn matching_1_beside_100_others(bencher: Bencher<'_, '_>) {
    bench(bencher, &bus_with(&[same(1), others(100)].concat()), &same(1), "");
}

#[divan::bench(sample_size = 1)]
fn matching_1_of_10_000(bencher: Bencher<'_, '_>) {
    bench(bencher, &bus_with(&[same(1), others(9_999)].concat()), &same(1), "");
}

#[divan::bench(sample_size = 1)]
fn matching_0_of_10_000(bencher: Bencher<'_, '_>) {
    bench(bencher, &bus_with(&others(10_000)), &same(1), "");
}

/// More topics than the bus remembers: each emit looks its topic up token by token.
#[divan::bench(sample_size = 1)]
fn matching_1_by_one_of_ever_new_topics(bencher: Bencher<'_, '_>) {
    let bus = bus_with(&[vec!["session.*.created".to_owned()], others(100)].concat());
    let data = payload();
    for number in 0..1024 {
        bus.emit(bus::event(&format!("first.{number}"), "", &data)).expect("accepted");
    }
    let topics: Vec<_> = (0..4 * EMITS).map(|number| format!("session.s{number}.created")).collect();
    bench(bencher, &bus, &topics, "");
}

/// As many sends as there are consumers, each with a channel of its own.
#[divan::bench(args = [1, 10, 100], sample_size = 1)]
fn peer_crossbeam_each(bencher: Bencher<'_, '_>, consumers: usize) {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..consumers).map(|_| crossbeam_channel::bounded::<Bytes>(4096)).unzip();
    let data = payload();
    bencher
        .with_inputs(|| receivers.iter().for_each(|receiver| while receiver.try_recv().is_ok() {}))
        .counter(ItemsCount::new(EMITS))
        .bench_local_values(|()| {
            for _ in 0..EMITS {
                for sender in &senders {
                    sender.try_send(Bytes::clone(&data)).expect("there is room");
                }
            }
        });
}

/// One send for all consumers, which each clone the payload later.
#[divan::bench(args = [1, 10, 100], sample_size = 1)]
fn peer_tokio_broadcast(bencher: Bencher<'_, '_>, consumers: usize) {
    let (sender, _) = broadcast::channel::<Bytes>(4096);
    let mut receivers: Vec<_> = (0..consumers).map(|_| sender.subscribe()).collect();
    let data = payload();
    bencher
        .with_inputs(|| receivers.iter_mut().for_each(|receiver| while receiver.try_recv().is_ok() {}))
        .counter(ItemsCount::new(EMITS))
        .bench_local_values(|()| {
            for _ in 0..EMITS {
                sender.send(Bytes::clone(&data)).expect("there are receivers");
            }
        });
}
