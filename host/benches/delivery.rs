//! Events per second from one emitter, which is at most 4,096 events ahead, to the handlers of 1 and of 10 consumers.
//! An item is an event that all consumers have handled.

mod support {
    pub(crate) mod bus;
    pub(crate) mod payload;
    pub(crate) mod plugin;
    pub(crate) mod touch;
}

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use streamspace_host::{
    events::{Bus, Consumer, Next, Refused, Scratch, Target},
    loader::Library,
    runtime::Workers,
};
use streamspace_plugin::{
    abi::{Bound, ROption},
    events::{Batch, ConsumersRef, Progress},
};
use tokio::{
    runtime::{self, Runtime},
    sync::broadcast,
};

use self::support::{
    bus,
    payload::payload,
    plugin,
    touch::{Handler, Touch},
};

const CONSUMERS: [usize; 2] = [1, 10];
/// Events of one sample.
const EVENTS: u64 = 100_000;
/// How far the emitter may be ahead of the slowest consumer.
const WINDOW: u64 = 4096;
/// After how many events the emitter looks how far ahead it is.
const LOOK: u64 = 64;
const TOPIC: &str = "bench.touch";

fn main() {
    divan::main();
}

/// How many events one consumer has handled. Written by whoever holds the consumer, on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Tally(AtomicU64);

impl Tally {
    fn add(&self, events: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + events, Ordering::Release);
    }
}

fn handled(tallies: &[Arc<Tally>]) -> u64 {
    tallies.iter().map(|tally| tally.0.load(Ordering::Acquire)).min().unwrap_or_default()
}

fn tallies(consumers: usize) -> Vec<Arc<Tally>> {
    (0..consumers).map(|_| Arc::default()).collect()
}

/// Where one consumer's batches go.
struct Counting<D> {
    deliver: D,
    tally: Arc<Tally>,
}

impl<D: Fn(u32, Batch<'_>) -> Progress + Send + Sync> Target for Counting<D> {
    fn deliver(&self, consumer: u32, batch: Batch<'_>) -> Progress {
        let progress = (self.deliver)(consumer, batch);
        self.tally.add(progress.acknowledged);
        progress
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn refused(&self, _: &Consumer, refused: &Refused<'_>) {
        panic!("the handler refuses: {}", refused.reason);
    }
}

/// A bus with its workers, and a plugin for each consumer.
struct Flow {
    bus: Arc<Bus>,
    workers: Arc<Workers>,
    tallies: Vec<Arc<Tally>>,
    emitted: u64,
}

impl Flow {
    fn new(targets: impl IntoIterator<Item = (Arc<dyn Target>, Arc<Tally>)>) -> Self {
        let bus = bus::new();
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let workers = Arc::new(Workers::start(logger).expect("threads"));
        bus.run_on(Arc::clone(&workers) as _);
        let mut tallies = Vec::new();
        for (number, (target, tally)) in targets.into_iter().enumerate() {
            let consumers = bus
                .subscribe(&format!("streamspace-bench-{number}").into(), &[bus::consumer("touch", TOPIC)])
                .expect("a consumer");
            bus.resume(&consumers, &target);
            tallies.push(tally);
        }
        Self { bus, workers, tallies, emitted: 0 }
    }

    /// Emits the events of one sample and waits until they are handled.
    fn run(&mut self, data: &Bytes) {
        for _ in 0..EVENTS {
            if self.emitted.is_multiple_of(LOOK) {
                self.wait(WINDOW - LOOK);
            }
            self.bus.emit(bus::event(TOPIC, "", data)).expect("accepted");
            self.emitted += 1;
        }
        self.wait(0);
    }

    fn wait(&self, ahead: u64) {
        while self.emitted - handled(&self.tallies) > ahead {
            thread::yield_now();
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let _ = self.workers.stop(Instant::now() + Duration::from_secs(1));
    }
}

fn bench(bencher: Bencher<'_, '_>, mut flow: Flow) {
    let data = payload();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| flow.run(&data));
    let dropped: u64 = flow.bus.consumers().iter().map(|consumer| consumer.counts().dropped).sum();
    assert_eq!(dropped, 0, "the window keeps the queues from overflowing");
}

/// The bus and its workers, with a handler in the host.
#[divan::bench(args = CONSUMERS, sample_size = 1, sample_count = 25)]
fn bus_native(bencher: Bencher<'_, '_>, consumers: usize) {
    let targets = tallies(consumers).into_iter().map(|tally| {
        let handler: Box<dyn Handler> = Box::new(Touch::default());
        let deliver = move |_: u32, batch: Batch<'_>| {
            for view in batch.events.as_slice() {
                handler.handle(view.data.as_slice());
            }
            Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
        };
        (Arc::new(Counting { deliver, tally: Arc::clone(&tally) }) as Arc<dyn Target>, tally)
    });
    bench(bencher, Flow::new(targets));
}

/// The bus and its workers, with a plugin per consumer, each a library of its own.
#[divan::bench(args = CONSUMERS, sample_size = 1, sample_count = 25)]
fn bus_plugins(bencher: Bencher<'_, '_>, consumers: usize) {
    // A file that is loaded twice is one library: each plugin gets a copy.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let targets = tallies(consumers).into_iter().enumerate().map(|(number, tally)| {
        let file: PathBuf = folder.path().join(format!("libtouch_{number}.so"));
        std::fs::copy(plugin::library(), &file).expect("copied");
        let plugin: Bound<ConsumersRef> = plugin::start(&Library::open(&file).expect("a plugin"));
        let deliver =
            move |consumer: u32, batch: Batch<'_>| plugin.table.deliver()(plugin.handle, consumer, batch);
        (Arc::new(Counting { deliver, tally: Arc::clone(&tally) }) as Arc<dyn Target>, tally)
    });
    bench(bencher, Flow::new(targets));
}

/// A backlog of `WINDOW` events, handed to the plugin in batches: delivery without its emitter.
#[divan::bench(sample_size = 1)]
fn backlog_plugin(bencher: Bencher<'_, '_>) {
    let plugin: Bound<ConsumersRef> = plugin::start(&Library::open(plugin::library()).expect("a plugin"));
    let deliver =
        move |consumer: u32, batch: Batch<'_>| plugin.table.deliver()(plugin.handle, consumer, batch);
    let target: Arc<dyn Target> = Arc::new(Counting { deliver, tally: Arc::default() });
    // Nobody runs the consumer but the benchmark.
    let bus = bus::new();
    let consumers = bus.subscribe(&"p".into(), &[bus::consumer("touch", TOPIC)]).expect("a consumer");
    bus.resume(&consumers, &target);
    let (consumer, data, mut scratch) = (&consumers[0], payload(), Scratch::default());
    bencher
        .with_inputs(|| {
            for _ in 0..WINDOW {
                bus.emit(bus::event(TOPIC, "", &data)).expect("accepted");
            }
        })
        .counter(ItemsCount::new(WINDOW))
        .bench_local_values(|()| {
            while let Next::Again = consumer.run(&mut scratch) {}
            consumer.let_go()
        });
}

/// The same backlog in a bounded channel, with the same handler called directly.
#[divan::bench(sample_size = 1)]
fn backlog_peer_crossbeam(bencher: Bencher<'_, '_>) {
    let (sender, receiver) = crossbeam_channel::bounded::<Bytes>(WINDOW as usize);
    let (handler, data): (Box<dyn Handler>, _) = (Box::new(Touch::default()), payload());
    bencher
        .with_inputs(|| {
            for _ in 0..WINDOW {
                sender.send(Bytes::clone(&data)).expect("there is room");
            }
        })
        .counter(ItemsCount::new(WINDOW))
        .bench_local_values(|()| {
            while let Ok(data) = receiver.try_recv() {
                handler.handle(&data);
            }
        });
}

/// A bounded channel to one thread that calls all handlers: a slow one holds up the others.
#[divan::bench(args = CONSUMERS, sample_size = 1, sample_count = 25)]
fn peer_crossbeam_one_thread(bencher: Bencher<'_, '_>, consumers: usize) {
    let (sender, receiver) = crossbeam_channel::bounded::<Bytes>(WINDOW as usize);
    let tally = Arc::new(Tally::default());
    let thread = thread::spawn({
        let tally = Arc::clone(&tally);
        let handlers: Vec<Box<dyn Handler>> =
            (0..consumers).map(|_| Box::new(Touch::default()) as _).collect();
        move || {
            for data in receiver {
                for handler in &handlers {
                    handler.handle(&data);
                }
                tally.add(1);
            }
        }
    });
    let (data, tallies) = (payload(), [tally]);
    let mut emitted = 0;
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        for _ in 0..EVENTS {
            sender.send(Bytes::clone(&data)).expect("the thread receives");
        }
        emitted += EVENTS;
        while handled(&tallies) < emitted {
            thread::yield_now();
        }
    });
    drop(sender);
    thread.join().expect("the thread ends");
}

/// A task per consumer, all on the emitter's thread.
#[divan::bench(args = CONSUMERS, sample_size = 1, sample_count = 25)]
fn peer_tokio_broadcast_current_thread(bencher: Bencher<'_, '_>, consumers: usize) {
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    broadcast(bencher, &runtime, consumers);
}

/// A task per consumer, on the emitter's and another thread.
#[divan::bench(args = CONSUMERS, sample_size = 1, sample_count = 25)]
fn peer_tokio_broadcast_2_workers(bencher: Bencher<'_, '_>, consumers: usize) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    broadcast(bencher, &runtime, consumers);
}

fn broadcast(bencher: Bencher<'_, '_>, runtime: &Runtime, consumers: usize) {
    let data = payload();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        // The emitter is a task as well, as a request's handler is.
        let sample = runtime.spawn(broadcast_sample(consumers, Bytes::clone(&data)));
        runtime.block_on(sample).expect("the sample ends");
    });
}

async fn broadcast_sample(consumers: usize, data: Bytes) {
    let (sender, _) = broadcast::channel::<Bytes>(WINDOW as usize);
    let tallies = tallies(consumers);
    for tally in &tallies {
        let (mut receiver, tally) = (sender.subscribe(), Arc::clone(tally));
        let handler: Box<dyn Handler> = Box::new(Touch::default());
        tokio::spawn(async move {
            loop {
                match receiver.recv().await {
                    Ok(data) => {
                        handler.handle(&data);
                        tally.add(1);
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                    Err(lagged) => panic!("the window keeps consumers from lagging: {lagged}"),
                }
            }
        });
    }
    for emitted in 0..EVENTS {
        if emitted.is_multiple_of(LOOK) {
            while emitted - handled(&tallies) > WINDOW - LOOK {
                tokio::task::yield_now().await;
            }
        }
        sender.send(Bytes::clone(&data)).expect("there are receivers");
    }
    while handled(&tallies) < EVENTS {
        tokio::task::yield_now().await;
    }
}
