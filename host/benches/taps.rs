//! What a tap costs the relay of a stream: for a piece that is handed over, and in throughput and added time over loopback, with
//! none, one and four taps.
//!
//! A handler touches the first and the last byte of each chunk and counts. Of every number of taps nine rounds are taken, in turn, so
//! that what else the machine does meets all of them.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    cell::Cell,
    hint::black_box,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream as StdStream},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use streamspace_host::{
    platform::sessions::Access,
    streams::{About, Conversation, Gone, Outgoing, Shown, Streams, Tap, TapOptions, Target, Tee, relay},
};
use streamspace_plugin::{
    abi::Fault,
    streams::{Chunk, ClosedView, Overflow, StreamView},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    runtime::{Builder, Runtime},
};

const ROUNDS: usize = 9;
/// Pieces of a round over loopback, and their size: what the relay reads at once.
const PIECES: usize = 16 * 1024;
const PIECE: usize = 32 * 1024;
/// Pieces of a round that goes nowhere.
const HANDED_OVER: usize = 20_000;

fn main() {
    // `cargo test` runs benchmarks to see whether they work, and filters name what is not here.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    hand_over(&runtime);
    loopback(&runtime);
}

/// Counts what it is handed.
#[derive(Default)]
struct Sink {
    chunks: AtomicU64,
    touched: AtomicU64,
}

impl Sink {
    // Not inlined, as a call into a plugin is not.
    #[inline(never)]
    fn touch(&self, bytes: &[u8]) {
        let ends = u64::from(bytes[0]) + u64::from(bytes[bytes.len() - 1]);
        self.touched.fetch_add(ends, Ordering::Relaxed);
        self.chunks.fetch_add(1, Ordering::Relaxed);
    }
}

impl Target for Sink {
    fn open(&self, _: u32, _: StreamView<'_>) -> Result<bool, Fault> {
        Ok(true)
    }

    fn deliver(&self, _: u32, _: u64, chunks: &[Chunk<'_>]) -> Result<bool, Fault> {
        chunks.iter().for_each(|chunk| self.touch(chunk.bytes()));
        Ok(true)
    }

    fn closed(&self, _: u32, _: u64, _: ClosedView<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn failed(&self, _: &Tap, _: &str, _: &Fault) {}
}

/// Streams with so many taps.
struct Tapped {
    streams: Arc<Streams>,
    taps: Vec<Arc<Tap>>,
    sink: Arc<Sink>,
    /// Bytes that were offered to each tap.
    sent: Cell<u64>,
}

impl Tapped {
    fn new(taps: usize, overflow: Overflow) -> Self {
        let (streams, sink) = (Streams::new(1), Arc::<Sink>::default());
        let plugin: Arc<str> = "bench".into();
        let start = |number: usize| {
            let options = TapOptions {
                name: format!("t{number}"),
                overflow,
                ring_bytes: 8 * 1024 * 1024,
                description: String::new(),
                deadline: Duration::from_secs(60),
            };
            Tap::start(&plugin, number as u32, options, Arc::clone(&sink) as _).expect("a thread")
        };
        let taps: Vec<_> = (0..taps).map(start).collect();
        streams.attach(&plugin, &taps);
        Self { streams, taps, sink, sent: Cell::new(0) }
    }

    fn tee(&self) -> Tee {
        Tee::new(&self.streams, About::default())
    }

    fn lost(&self) -> u64 {
        self.taps.iter().map(|tap| tap.figures().lost_bytes.load(Ordering::Relaxed)).sum()
    }

    /// Waits until the taps have had what was sent, but what they lost.
    fn settle(&self, sent: usize) {
        self.sent.set(self.sent.get() + sent as u64);
        let seen = |tap: &Tap| {
            tap.figures().bytes.load(Ordering::Relaxed) + tap.figures().lost_bytes.load(Ordering::Relaxed)
        };
        while self.taps.iter().any(|tap| seen(tap) < self.sent.get()) {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        self.taps.iter().for_each(|tap| tap.detach());
        for tap in &self.taps {
            let _ = tap.drain(Instant::now() + Duration::from_secs(10));
        }
    }
}

/// The median, with the lowest and the highest.
fn summary(mut values: Vec<f64>) -> String {
    values.sort_unstable_by(f64::total_cmp);
    format!("{:.1} ({:.1}–{:.1})", values[values.len() / 2], values[0], values[values.len() - 1])
}

/// What a piece costs the relay's thread, and what until all have had it, beside a plain call.
fn hand_over(runtime: &Runtime) {
    println!(
        "A piece of 32 KiB that goes nowhere; medians of {ROUNDS} rounds (lowest–highest), ns a piece\n"
    );
    println!("{:<24} {:>28} {:>32}", "", "on the relay's thread", "until the taps have had all");
    let piece = Bytes::from(vec![7; PIECE]);
    let shown = Shown { data: piece.clone(), is_masked: false };
    let plain = Sink::default();
    let round = |_| {
        let began = Instant::now();
        for _ in 0..HANDED_OVER {
            black_box(&plain).touch(black_box(&piece));
        }
        began.elapsed().as_nanos() as f64 / HANDED_OVER as f64
    };
    let plain = summary((0..ROUNDS).map(round).collect());
    println!("{:<24} {plain:>28} {plain:>32}", "a plain call");
    for taps in [0, 1, 4] {
        let tapped = Tapped::new(taps, Overflow::BLOCK);
        let (mut passed, mut had) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let tee = tapped.tee();
            let began = Instant::now();
            runtime.block_on(async {
                for _ in 0..HANDED_OVER {
                    tee.to_viewer(&shown).await;
                }
            });
            passed.push(began.elapsed().as_nanos() as f64 / HANDED_OVER as f64);
            drop(tee);
            tapped.settle(HANDED_OVER * PIECE);
            had.push(began.elapsed().as_nanos() as f64 / HANDED_OVER as f64);
        }
        println!("{:<24} {:>28} {:>32}", format!("{taps} taps"), summary(passed), summary(had));
    }
}

/// What a desktop of one pixel says before its first update: version 3.8, no password, well, and its size.
const DESKTOP: &[u8] =
    b"RFB 003.008\n\x01\x01\0\0\0\0\0\x01\0\x01\x20\x18\0\x01\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\0";
/// What a viewer says to that.
const VIEWER: [&[u8]; 3] = [b"RFB 003.008\n", b"\x01", b"\x01"];

/// A viewer that is a socket.
struct Socket(OwnedWriteHalf);

impl Outgoing for Socket {
    async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.0.write_all(&piece).await.map_err(|_| Gone)
    }
}

/// Two ends of a connection over loopback.
fn pair() -> (StdStream, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = StdStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (far, _) = listener.accept().expect("the other end");
    (near, far)
}

fn of_tokio(stream: StdStream) -> TcpStream {
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream).expect("a socket")
}

/// Sends a round's pieces through `carry`, from one socket to another. Answers gigabytes a second.
fn through(carry: impl FnOnce(StdStream, StdStream)) -> f64 {
    let ((mut desktop, from), (to, mut viewer)) = (pair(), pair());
    let sending = thread::spawn(move || {
        let piece = vec![7; PIECE];
        desktop.write_all(DESKTOP).expect("the relay takes it");
        for _ in 0..PIECES {
            desktop.write_all(&piece).expect("the relay takes it");
        }
        // What the viewer said is read: a connection that is closed with something unread in it is reset, and what is on its way is lost.
        desktop.shutdown(Shutdown::Write).expect("a connection");
        let _ = io::copy(&mut desktop, &mut io::sink());
    });
    let receiving = thread::spawn(move || {
        let (mut buffer, mut count) = (vec![0; 256 * 1024], 0);
        loop {
            match viewer.read(&mut buffer).expect("the relay goes on") {
                0 => return count,
                read => count += read,
            }
        }
    });
    let began = Instant::now();
    carry(from, to);
    sending.join().expect("it sends all");
    assert_eq!(receiving.join().expect("it gets all"), DESKTOP.len() + PIECES * PIECE);
    (PIECES * PIECE) as f64 / began.elapsed().as_secs_f64() / 1e9
}

/// The least that a relay can be: reads and writes, with one buffer.
async fn splice(from: StdStream, to: StdStream) {
    let (mut from, mut to) = (of_tokio(from), of_tokio(to));
    let mut buffer = BytesMut::with_capacity(PIECE);
    loop {
        buffer.clear();
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => to.write_all(&buffer).await.expect("the viewer takes it"),
        }
    }
}

fn loopback(runtime: &Runtime) {
    println!(
        "\n{PIECES} pieces of 32 KiB over loopback, one way; medians of {ROUNDS} rounds (lowest–highest)\n"
    );
    println!("{:<24} {:>24} {:>26} {:>12}", "", "GB/s", "against no tap, %", "lost, %");
    let kinds = [("splice", None), ("no tap", Some(0)), ("1 tap", Some(1)), ("4 taps", Some(4))];
    let tapped: Vec<_> =
        kinds.iter().map(|(_, taps)| taps.map(|taps| Tapped::new(taps, Overflow::GAP))).collect();
    let mut rates = vec![Vec::new(); kinds.len()];
    for _ in 0..ROUNDS {
        for (tapped, rates) in tapped.iter().zip(&mut rates) {
            rates.push(match tapped {
                None => through(|from, to| runtime.block_on(splice(from, to))),
                Some(tapped) => {
                    let rate = through(|from, to| {
                        runtime.block_on(async {
                            let tee = tapped.tee();
                            let (_kept, viewer) = of_tokio(to).into_split();
                            let said = VIEWER.iter().map(|said| Ok(Bytes::from_static(said)));
                            let viewer_says =
                                stream::iter(said).chain(stream::pending::<Result<Bytes, Gone>>());
                            let conversation = Conversation::new(Access::Control);
                            let relayed = pin!(relay(
                                viewer_says,
                                Socket(viewer),
                                of_tokio(from),
                                conversation,
                                &tee,
                                || {}
                            ));
                            let _ = relayed.await;
                        });
                    });
                    // What the viewer says is shown to taps as well.
                    tapped.settle(
                        DESKTOP.len() + VIEWER.iter().map(|said| said.len()).sum::<usize>() + PIECES * PIECE,
                    );
                    rate
                }
            });
        }
    }
    for (((name, _), rates_of), tapped) in kinds.iter().zip(&rates).zip(&tapped) {
        let against = rates_of.iter().zip(&rates[1]).map(|(own, none)| (own / none - 1.0) * 100.0).collect();
        let lost = tapped.as_ref().map_or(0.0, |tapped| {
            let all = ROUNDS * PIECES * PIECE * tapped.taps.len().max(1);
            tapped.lost() as f64 / all as f64 * 100.0
        });
        println!("{name:<24} {:>24} {:>26} {lost:>12.2}", rates_10(rates_of), summary(against));
    }
    println!("\nWhat passing a piece to taps took the relay's thread, µs\n");
    println!("{:<24} {:>10} {:>10} {:>16}", "", "p50", "p99", "p50 after 50 ms");
    for taps in [0, 1, 4] {
        let tapped = Tapped::new(taps, Overflow::GAP);
        // As of a desktop that is used; and one piece at a time, when the taps' threads sleep.
        let used = |n: u32| Duration::from_micros(if n.is_multiple_of(10) { 5_000 } else { 200 });
        let mut times = runtime.block_on(paced(&tapped, 10_000, used));
        let mut after = runtime.block_on(paced(&tapped, 200, |_| Duration::from_millis(50)));
        times.sort_unstable();
        after.sort_unstable();
        let at = |percent: usize| times[times.len() * percent / 100].as_nanos() as f64 / 1000.0;
        let first = after[after.len() / 2].as_nanos() as f64 / 1000.0;
        println!("{:<24} {:>10.2} {:>10.2} {first:>16.2}", format!("{taps} taps"), at(50), at(99));
        black_box(tapped.sink.touched.load(Ordering::Relaxed));
    }
}

fn rates_10(rates: &[f64]) -> String {
    let mut rates = rates.to_vec();
    rates.sort_unstable_by(f64::total_cmp);
    format!("{:.2} ({:.2}–{:.2})", rates[rates.len() / 2], rates[0], rates[rates.len() - 1])
}

/// What passing so many pieces on takes, each after the pause that follows the one before.
async fn paced(tapped: &Tapped, pieces: u32, pause: impl Fn(u32) -> Duration) -> Vec<Duration> {
    let tee = tapped.tee();
    let mut times = Vec::with_capacity(pieces as usize);
    let mut buffer = BytesMut::new();
    for n in 0..pieces {
        buffer.resize(PIECE, n as u8);
        let shown = Shown { data: buffer.split().freeze(), is_masked: false };
        let began = Instant::now();
        tee.to_viewer(&shown).await;
        times.push(began.elapsed());
        thread::sleep(pause(n));
    }
    times
}
