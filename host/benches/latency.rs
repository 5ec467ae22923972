//! The time from an emit to the handler's entry, over all consumers: its median and its 99th percentile.
//!
//! "Back to back": the next event is emitted when all consumers have handled the last. "1 kHz": an event per
//! millisecond, the emitter sleeps in between. Of every peer five rounds are taken, in turn, so that what else the
//! machine does meets all of them; the figures are the medians over the rounds.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod support {
    pub(crate) mod bus;
}

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use streamspace_host::{
    events::{Consumer, Refused, Target},
    runtime::Workers,
};
use streamspace_plugin::{
    abi::ROption,
    events::{Batch, Progress},
};
use tokio::{
    runtime::{self, Runtime},
    sync::broadcast,
};

use self::support::bus;

const ROUNDS: usize = 5;
/// A round back to back ends after this time or number of events.
const BACK_TO_BACK: (Duration, u64) = (Duration::from_millis(500), 100_000);
/// A round at 1 kHz ends after this number of events.
const PACED: u64 = 1500;
const PERIOD: Duration = Duration::from_millis(1);
/// The part of a round, from its beginning, that is not counted: one in so many.
const WARM_UP: usize = 10;
/// Stamps in flight at most; a power of two.
const SLOTS: u64 = 4096;
const TOPIC: &str = "bench.touch";

fn main() {
    // `cargo test` runs benchmarks to see whether they work, and filters name what is not here.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    for pace in [Pace::BackToBack, Pace::Khz] {
        for consumers in [1, 10] {
            println!("\n{pace}, {consumers} consumer(s); medians of {ROUNDS} rounds (lowest–highest), µs");
            println!("{:<32} {:>24} {:>26}", "", "p50", "p99");
            let mut rounds: Vec<Vec<(Duration, Duration)>> = vec![Vec::new(); PEERS.len()];
            for _ in 0..ROUNDS {
                for ((_, peer), rounds) in PEERS.iter().zip(&mut rounds) {
                    rounds.push(percentiles(peer(pace, consumers)));
                }
            }
            for ((name, _), rounds) in PEERS.iter().zip(rounds) {
                let (p50, p99): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
                println!("{name:<32} {:>24} {:>26}", summary(p50), summary(p99));
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Pace {
    BackToBack,
    Khz,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackToBack => "Back to back",
            Self::Khz => "1 kHz",
        })
    }
}

impl Pace {
    /// Whether a round that began then goes on after this number of events.
    fn goes_on(self, since: Instant, events: u64) -> bool {
        match self {
            Self::BackToBack => events < BACK_TO_BACK.1 && since.elapsed() < BACK_TO_BACK.0,
            Self::Khz => events < PACED,
        }
    }
}

/// Takes one round and answers with all latencies.
type Peer = fn(Pace, usize) -> Vec<Duration>;

const PEERS: [(&str, Peer); 4] = [
    ("bus", bus),
    ("tokio broadcast, current thread", broadcast_current_thread),
    ("tokio broadcast, 2 workers", broadcast_2_workers),
    ("crossbeam to one thread", crossbeam_one_thread),
];

fn percentiles(mut latencies: Vec<Duration>) -> (Duration, Duration) {
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    (at(50), at(99))
}

fn summary(mut rounds: Vec<Duration>) -> String {
    rounds.sort_unstable();
    let micros = |at: usize| rounds[at].as_secs_f64() * 1e6;
    format!("{:.2} ({:.2}–{:.2})", micros(rounds.len() / 2), micros(0), micros(rounds.len() - 1))
}

/// When each event was emitted. An event's payload begins with its slot.
struct Stamps {
    epoch: Instant,
    emitted: Vec<AtomicU64>,
    payloads: Vec<Bytes>,
}

impl Stamps {
    fn new() -> Arc<Self> {
        let payload = |slot: u64| {
            let mut data = slot.to_le_bytes().to_vec();
            data.resize(512, b'x');
            Bytes::from(data)
        };
        Arc::new(Self {
            epoch: Instant::now(),
            emitted: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            payloads: (0..SLOTS).map(payload).collect(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).expect("a round is short")
    }

    /// The payload of event number `number`, which is emitted right after this.
    fn stamp(&self, number: u64) -> Bytes {
        let slot = (number % SLOTS) as usize;
        let data = Bytes::clone(&self.payloads[slot]);
        self.emitted[slot].store(self.now(), Ordering::Release);
        data
    }
}

/// One consumer's handler: notes when it is entered. On a cache line of its own.
#[repr(align(128))]
struct Handler {
    stamps: Arc<Stamps>,
    handled: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
}

impl Handler {
    fn handle(&self, data: &[u8]) {
        let now = self.stamps.now();
        let slot = u64::from_le_bytes(data[..8].try_into().expect("8 bytes")) as usize;
        let latency = Duration::from_nanos(now - self.stamps.emitted[slot].load(Ordering::Acquire));
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
        self.handled.fetch_add(1, Ordering::Release);
    }
}

/// One round: its stamps and handlers.
#[derive(Clone)]
struct Round {
    stamps: Arc<Stamps>,
    handlers: Arc<[Arc<Handler>]>,
}

impl Round {
    fn new(consumers: usize) -> Self {
        let stamps = Stamps::new();
        let handler = |_| {
            Arc::new(Handler {
                stamps: Arc::clone(&stamps),
                handled: AtomicU64::new(0),
                latencies: Mutex::new(Vec::with_capacity(BACK_TO_BACK.1 as usize)),
            })
        };
        Self { handlers: (0..consumers).map(handler).collect(), stamps }
    }

    fn is_handled(&self, events: u64) -> bool {
        self.handlers.iter().all(|handler| handler.handled.load(Ordering::Acquire) >= events)
    }

    /// Emits from this thread.
    fn emit(&self, pace: Pace, emit: impl Fn(Bytes)) {
        let since = Instant::now();
        let mut events = 0;
        while pace.goes_on(since, events) {
            emit(self.stamps.stamp(events));
            events += 1;
            match pace {
                Pace::BackToBack => self.wait(events),
                Pace::Khz => {
                    let next = since + PERIOD * u32::try_from(events).expect("a round is short");
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            }
        }
        self.wait(events);
    }

    /// Spins, and makes room for the handlers when they take long.
    fn wait(&self, events: u64) {
        let mut spins = 0;
        while !self.is_handled(events) {
            spins += 1;
            if spins < 1000 {
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }

    /// As [`emit`](Self::emit), from a task.
    async fn emit_from_task(&self, pace: Pace, emit: impl Fn(Bytes)) {
        let since = Instant::now();
        let mut events = 0;
        while pace.goes_on(since, events) {
            emit(self.stamps.stamp(events));
            events += 1;
            match pace {
                Pace::BackToBack => self.wait_in_task(events).await,
                Pace::Khz => {
                    let next = since + PERIOD * u32::try_from(events).expect("a round is short");
                    tokio::time::sleep_until(next.into()).await;
                }
            }
        }
        self.wait_in_task(events).await;
    }

    async fn wait_in_task(&self, events: u64) {
        while !self.is_handled(events) {
            tokio::task::yield_now().await;
        }
    }

    /// All latencies but those of the warm-up.
    fn latencies(&self) -> Vec<Duration> {
        let mut all = Vec::new();
        for handler in &*self.handlers {
            let latencies = handler.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend_from_slice(&latencies[latencies.len() / WARM_UP..]);
        }
        all
    }
}

impl Target for Handler {
    fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
        for view in batch.events.as_slice() {
            self.handle(view.data.as_slice());
        }
        Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn refused(&self, _: &Consumer, refused: &Refused<'_>) {
        panic!("the handler refuses: {}", refused.reason);
    }
}

/// The bus and its workers, a plugin per consumer.
fn bus(pace: Pace, consumers: usize) -> Vec<Duration> {
    let round = Round::new(consumers);
    let bus = bus::new();
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let workers = Arc::new(Workers::start(logger).expect("threads"));
    bus.run_on(Arc::clone(&workers) as _);
    for (number, handler) in round.handlers.iter().enumerate() {
        let plugin = format!("streamspace-bench-{number}").into();
        let consumers = bus.subscribe(&plugin, &[bus::consumer("touch", TOPIC)]).expect("a consumer");
        bus.resume(&consumers, &(Arc::clone(handler) as _));
    }
    round.emit(pace, |data| {
        bus.emit(bus::event(TOPIC, "", &data)).expect("accepted");
    });
    assert_eq!(workers.stop(Instant::now() + Duration::from_secs(1)), 0, "the workers end");
    round.latencies()
}

/// A bounded channel to one thread that calls all handlers.
fn crossbeam_one_thread(pace: Pace, consumers: usize) -> Vec<Duration> {
    let round = Round::new(consumers);
    let (sender, receiver) = crossbeam_channel::bounded::<Bytes>(SLOTS as usize);
    let handlers = Arc::clone(&round.handlers);
    let thread = thread::spawn(move || {
        for data in receiver {
            for handler in &*handlers {
                handler.handle(&data);
            }
        }
    });
    round.emit(pace, |data| sender.send(data).expect("the thread receives"));
    drop(sender);
    thread.join().expect("the thread ends");
    round.latencies()
}

/// A task per consumer, all on the emitter's thread.
fn broadcast_current_thread(pace: Pace, consumers: usize) -> Vec<Duration> {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    broadcast(&runtime, pace, consumers)
}

/// A task per consumer, on the emitter's and another thread.
fn broadcast_2_workers(pace: Pace, consumers: usize) -> Vec<Duration> {
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
    broadcast(&runtime, pace, consumers)
}

fn broadcast(runtime: &Runtime, pace: Pace, consumers: usize) -> Vec<Duration> {
    let round = Round::new(consumers);
    let emitter = Round::clone(&round);
    let task = runtime.spawn(async move {
        let (sender, _) = broadcast::channel::<Bytes>(SLOTS as usize);
        for handler in &*emitter.handlers {
            let (mut receiver, handler) = (sender.subscribe(), Arc::clone(handler));
            tokio::spawn(async move {
                while let Ok(data) = receiver.recv().await {
                    handler.handle(&data);
                }
            });
        }
        emitter
            .emit_from_task(pace, |data| {
                sender.send(data).expect("there are receivers");
            })
            .await;
    });
    runtime.block_on(task).expect("the round ends");
    round.latencies()
}
