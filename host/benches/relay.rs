//! What the way through the host costs a desktop's stream, in chunks of 32 KiB from a desktop to its viewer: how much goes
//! through, what the relay's thread works for a chunk, and how long a chunk is on its way.
//!
//! Peers of the same run: no relay at all; a bare splice of two TCP connections, which has neither HTTP nor WebSocket, understands
//! nothing and ends nobody; and the platform's own relay, built anew, with base64 in JSON. All of them run on one thread each, with
//! the same runtime. Of every peer rounds are taken in turn; the figures are medians over the rounds.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod support {
    pub(crate) mod ends;
}

use std::{
    cell::Cell,
    fs,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use streamspace_host::{
    http::viewer::{self, PROTOCOL, Viewer},
    platform::sessions::Access,
    streams::{self, About, Conversation, Streams, Tee},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use self::support::ends::{self, CHUNK, Desktop, Wire};

const ROUNDS: usize = 5;
/// Chunks of a round of throughput: 256 MiB.
const BULK: u64 = 8192;
/// Chunks of a round of latency, and the time between them.
const PACED: (u64, Duration) = (400, Duration::from_millis(2));
/// The part of a round of latency that is not counted: one in so many.
const WARM_UP: usize = 10;

/// A way from a desktop to a viewer: a name, how the viewer is sent it, and what starts it, which answers where it listens.
type Way = (&'static str, Wire, fn(SocketAddr) -> SocketAddr);

const WAYS: [Way; 4] = [
    ("no relay", Wire::Bare, |desktop| desktop),
    ("TCP splice", Wire::Bare, splice),
    ("the relay", Wire::Binary, |desktop| serve(desktop, "relay", relayed)),
    ("base64 in JSON", Wire::Base64, |desktop| serve(desktop, "base64", in_json)),
];

fn main() {
    // `cargo test` runs benchmarks to see whether they work.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let mut ways: Vec<_> = WAYS
        .iter()
        .map(|(name, wire, start)| {
            let desktop = Desktop::start();
            let viewer = ends::Viewer::connect(start(desktop.address), *wire);
            (name, desktop, viewer)
        })
        .collect();
    let mut figures: Vec<[Vec<f64>; 4]> = ways.iter().map(|_| Default::default()).collect();
    for round in 0..=ROUNDS {
        for ((_, desktop, viewer), figures) in ways.iter_mut().zip(&mut figures) {
            let before = cpu();
            let (took, _) = viewer.take(desktop, BULK, None);
            let worked = cpu() - before;
            let (chunks, every) = PACED;
            let (_, mut ways) = viewer.take(desktop, chunks, Some(every));
            let mut counted = ways.split_off(ways.len() / WARM_UP);
            counted.sort_unstable();
            // The first round fills caches and buffers.
            if round > 0 {
                figures[0].push(BULK as f64 * CHUNK as f64 / took.as_secs_f64() / 1e9);
                figures[1].push(worked / BULK as f64 / 1e3);
                figures[2].push(micros(counted[counted.len() / 2]));
                figures[3].push(micros(counted[counted.len() * 99 / 100]));
            }
        }
    }
    println!("\nchunks of 32 KiB; medians of {ROUNDS} rounds (lowest–highest)");
    println!(
        "{:<16} {:>22} {:>22} {:>24} {:>24}",
        "", "GB/s", "relay's CPU, µs/chunk", "on its way p50, µs", "p99, µs"
    );
    for ((name, ..), figures) in ways.iter().zip(figures) {
        let [bulk, worked, p50, p99] = figures.map(summary);
        println!("{name:<16} {bulk:>22} {worked:>22} {p50:>24} {p99:>24}");
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn summary(mut figures: Vec<f64>) -> String {
    figures.sort_unstable_by(f64::total_cmp);
    let (lowest, highest) = (figures[0], figures[figures.len() - 1]);
    format!("{:.2} ({lowest:.2}–{highest:.2})", figures[figures.len() / 2])
}

/// What the threads of this process but the ends' have worked, in ns.
fn cpu() -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("Linux tells of threads");
    let of = |thread: fs::DirEntry| -> Option<f64> {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let is_end =
            name.trim() == "desktop" || thread.file_name().to_str() == Some(&std::process::id().to_string());
        let worked = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        (!is_end).then(|| worked.split(' ').next()?.parse().ok()).flatten()
    };
    threads.flatten().filter_map(of).sum()
}

/// What carries bytes between two TCP connections, and no more.
fn splice(desktop: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("an option of sockets");
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
            let (viewer, _) = listener.accept().await.expect("a viewer");
            let desktop = TcpStream::connect(desktop).await.expect("a desktop");
            for stream in [&viewer, &desktop] {
                stream.set_nodelay(true).expect("an option of TCP");
            }
            let (from_viewer, to_viewer) = viewer.into_split();
            let (from_desktop, to_desktop) = desktop.into_split();
            tokio::join!(copy(from_viewer, to_desktop), copy(from_desktop, to_viewer));
        });
    };
    thread::Builder::new().name("splice".into()).spawn(run).expect("a thread");
    address
}

async fn copy(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

type Handler = fn(TcpStream, actix_ws::Session, actix_ws::MessageStream);

/// A web server with one thread, which gives each WebSocket to a handler, with a desktop of its own.
fn serve(desktop: SocketAddr, name: &str, handler: Handler) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let run = move || {
        rt::System::new().block_on(async move {
            let app = move || {
                let open = move |request: HttpRequest, payload: web::Payload| async move {
                    let (response, session, messages) =
                        actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])?;
                    let stream = streams::connect("bench", &desktop.to_string()).await.expect("a desktop");
                    handler(stream, session, messages);
                    Ok::<HttpResponse, actix_web::Error>(response)
                };
                App::new().route("/vnc", web::get().to(open))
            };
            let server = HttpServer::new(app).workers(1).tcp_nodelay(true).listen(listener);
            server.expect("the port is there").run().await.expect("it serves until the process ends");
        });
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).expect("a thread");
    address
}

/// The host's own, with the same WebSocket as in its HTTP interface.
fn relayed(desktop: TcpStream, session: actix_ws::Session, messages: actix_ws::MessageStream) {
    rt::spawn(async move {
        let incoming = viewer::incoming(messages, session.clone(), Rc::new(Cell::new(Instant::now())));
        let conversation = Conversation::new(Access::Control);
        let tee = Tee::new(&Streams::new(1), About::default());
        streams::relay(incoming, Viewer(session), desktop, conversation, &tee, || {}).await
    });
}

/// As the platform does it: an agent reads 32 KiB, and writes them in base64 into a message, which is JSON; the control plane reads
/// that, and sends the base64 as text. The WebSocket between the two is a channel here, of 256 messages as
/// there: that much the platform is better off.
fn in_json(desktop: TcpStream, mut session: actix_ws::Session, messages: actix_ws::MessageStream) {
    let (mut from_desktop, mut to_desktop) = desktop.into_split();
    let (agent, mut control_plane) = mpsc::channel::<String>(256);
    rt::spawn(async move {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = from_desktop.read(&mut buffer).await {
            let payload = json!({"sessionId": "bench", "data": STANDARD.encode(&buffer[..count])});
            let message =
                json!({"type": "vnc_data", "timestamp": "2026-01-31T12:00:00Z", "payload": payload});
            if agent.send(message.to_string()).await.is_err() {
                return;
            }
        }
    });
    let incoming = viewer::incoming(messages, session.clone(), Rc::new(Cell::new(Instant::now())));
    rt::spawn(async move {
        use futures_util::StreamExt;
        let mut incoming = std::pin::pin!(incoming);
        while let Some(Ok(piece)) = incoming.next().await {
            if to_desktop.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    rt::spawn(async move {
        while let Some(message) = control_plane.recv().await {
            let mut message: Value = serde_json::from_str(&message).expect("it was written as JSON");
            let Value::String(data) = message["payload"]["data"].take() else { return };
            if session.text(data).await.is_err() {
                return;
            }
        }
    });
}
