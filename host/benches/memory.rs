//! Whether memory stays flat: the resident memory of this process while 10 million ephemeral events, and then 1 million
//! durable ones by 64 emitters, go through the bus to a consumer each. Takes some minutes.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod support {
    pub(crate) mod payload;
}

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use streamspace_host::{
    config,
    events::{Bus, Consumer, Limits, NewEvent, Refused, Target},
    runtime::Workers,
    store::Database,
};
use streamspace_plugin::{
    abi::ROption,
    events::{Batch, ConsumerSpec, Progress},
};

use self::support::payload::payload;

const EPHEMERAL: u64 = 10_000_000;
const DURABLE: u64 = 1_000_000;
const EMITTERS: u64 = 64;
/// How far the emitter of ephemeral events may be ahead.
const WINDOW: u64 = 4096;
/// How many lines are printed for each kind.
const LINES: u64 = 10;

/// Counts what it is given.
#[derive(Default)]
struct Counting(AtomicU64);

impl Target for Counting {
    fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
        self.0.fetch_add(batch.events.len() as u64, Ordering::Release);
        Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn refused(&self, _: &Consumer, refused: &Refused<'_>) {
        panic!("the handler refuses: {}", refused.reason);
    }
}

impl Counting {
    fn wait(&self, least: u64) {
        while self.0.load(Ordering::Acquire) < least {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

fn event<'a>(topic: &'a str, source: &Arc<str>, data: &Bytes) -> NewEvent<'a> {
    NewEvent {
        topic,
        source: Arc::clone(source),
        subject: "",
        time_us: None,
        data: data.clone(),
        attributes: Bytes::new(),
    }
}

/// A consumer of `topic`, and what it counts.
fn consumer(bus: &Bus, topic: &str, durable: bool) -> Arc<Counting> {
    let spec = ConsumerSpec { filters: vec![topic.into()].into(), durable, ..ConsumerSpec::named("count") };
    let consumers = bus.subscribe(&topic.into(), &[spec]).expect("a consumer");
    let counting = Arc::new(Counting::default());
    bus.resume(&consumers, &(Arc::clone(&counting) as Arc<dyn Target>));
    counting
}

/// The resident memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let network = tokio::runtime::Runtime::new().expect("a runtime");
    let database =
        Database::open(folder.path(), &config::Database::default(), network.handle()).expect("a database");
    let limits = Limits {
        max_data_bytes: 1024 * 1024,
        max_pending: 65_536,
        handler_deadline: Duration::from_secs(60),
    };
    // So that removing what is old takes part.
    let events = config::Events { keep_bytes: 64 * 1024 * 1024, ..config::Events::default() };
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let bus = Bus::open(limits, &events, &Arc::new(database), &logger).expect("a bus");
    let workers = Arc::new(Workers::start(logger).expect("threads"));
    bus.run_on(Arc::clone(&workers) as _);
    let (data, source) = (payload(), Arc::<str>::from("/streamspace/bench"));

    println!("kind       events      MiB  log MiB");
    let ephemeral = consumer(&bus, "bench.ephemeral", false);
    for line in 1..=LINES {
        let (from, to) = ((line - 1) * EPHEMERAL / LINES, line * EPHEMERAL / LINES);
        for number in from..to {
            if number.is_multiple_of(64) {
                ephemeral.wait(number.saturating_sub(WINDOW));
            }
            bus.emit(event("bench.ephemeral", &source, &data)).expect("accepted");
        }
        ephemeral.wait(to);
        println!("ephemeral  {to:>9}  {:>5}        –", resident());
    }

    let durable = consumer(&bus, "bench.durable", true);
    let log = bus.log().expect("a log");
    for line in 1..=LINES {
        thread::scope(|scope| {
            for _ in 0..EMITTERS {
                scope.spawn(|| {
                    for _ in 0..DURABLE / LINES / EMITTERS {
                        bus.emit(event("bench.durable", &source, &data)).expect("accepted");
                    }
                });
            }
        });
        let emitted = line * (DURABLE / LINES / EMITTERS) * EMITTERS;
        durable.wait(emitted);
        println!("durable    {emitted:>9}  {:>5}  {:>7}", resident(), log.bytes() / 1024 / 1024);
    }
    log.stop(Instant::now() + Duration::from_secs(10));
    let busy = workers.stop(Instant::now() + Duration::from_secs(1));
    assert_eq!(busy, 0, "threads that are busy still");
}
