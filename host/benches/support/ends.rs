//! The two ends of a relay: a desktop that sends chunks, and a viewer that counts what it gets of them.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// What a chunk is, in bytes.
pub(crate) const CHUNK: usize = 32 * 1024;
/// Chunks whose times are known at once; a power of two.
const SLOTS: usize = 1 << 16;
const VERSION: &[u8; 12] = b"RFB 003.008\n";
/// 4x3 pixels, 32 bits, no name.
const INIT: [u8; 24] = [0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 0];

/// How a viewer is sent what a desktop sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As it is.
    Bare,
    /// In binary messages of a WebSocket.
    Binary,
    /// In base64, in text messages of a WebSocket.
    Base64,
}

/// When chunks were sent, in ns since the beginning.
struct Sent(Vec<AtomicU64>, Instant);

impl Sent {
    fn now(&self) -> u64 {
        u64::try_from(self.1.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn slot(&self, chunk: u64) -> &AtomicU64 {
        &self.0[chunk as usize % SLOTS]
    }
}

/// A desktop that waits for its one viewer, and then sends what it is told.
pub(crate) struct Desktop {
    pub(crate) address: SocketAddr,
    go: mpsc::Sender<(u64, Option<Duration>)>,
    sent: Arc<Sent>,
}

impl Desktop {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (go, told) = mpsc::channel::<(u64, Option<Duration>)>();
        let sent = Arc::new(Sent((0..SLOTS).map(|_| AtomicU64::new(0)).collect(), Instant::now()));
        let noted = Arc::clone(&sent);
        let run = move || {
            let (mut stream, _) = listener.accept().expect("the relay connects");
            stream.set_nodelay(true).expect("an option of TCP");
            shake_hands(&mut stream).expect("the relay carries a handshake");
            let chunk = vec![7; CHUNK];
            let mut number = 0;
            while let Ok((chunks, pace)) = told.recv() {
                let began = Instant::now();
                for n in 0..chunks {
                    if let Some(pace) = pace {
                        let due = pace.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
                        thread::sleep(due.saturating_sub(began.elapsed()));
                    }
                    noted.slot(number).store(noted.now(), Ordering::Release);
                    stream.write_all(&chunk).expect("the relay takes chunks");
                    number += 1;
                }
            }
        };
        thread::Builder::new().name("desktop".into()).spawn(run).expect("a thread");
        Self { address, go, sent }
    }
}

fn shake_hands(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 12];
    stream.write_all(VERSION)?;
    stream.read_exact(&mut answer)?;
    stream.write_all(&[1, 1])?;
    stream.read_exact(&mut answer[..1])?;
    stream.write_all(&[0; 4])?;
    stream.read_exact(&mut answer[..1])?;
    stream.write_all(&INIT)
}

/// A viewer that has shaken hands.
pub(crate) struct Viewer {
    stream: TcpStream,
    wire: Wire,
    buffer: Vec<u8>,
    frame: Frame,
    /// Bytes of RFB so far.
    received: u64,
    /// Where the first chunk begins.
    start: u64,
    chunks: u64,
}

/// Where a viewer is in a message of a WebSocket.
#[derive(Default)]
struct Frame {
    head: Vec<u8>,
    rest: u64,
    letters: u64,
}

impl Viewer {
    pub(crate) fn connect(address: SocketAddr, wire: Wire) -> Self {
        let mut stream = TcpStream::connect(address).expect("the relay listens");
        stream.set_nodelay(true).expect("an option of TCP");
        if wire != Wire::Bare {
            upgrade(&mut stream);
        }
        let frame = Frame::default();
        let mut viewer =
            Self { stream, wire, buffer: vec![0; 256 * 1024], frame, received: 0, start: 0, chunks: 0 };
        let mut said: u64 = 0;
        for (count, answer) in [(12, &VERSION[..]), (2, &[1]), (4, &[1]), (INIT.len() as u64, &[])] {
            said += count;
            while viewer.received < said {
                viewer.read();
            }
            if !answer.is_empty() {
                viewer.send(answer);
            }
        }
        viewer.start = said;
        viewer
    }

    fn send(&mut self, bytes: &[u8]) {
        // A mask of zeros hides nothing, which is its right.
        let head = [0x82, 0x80 | bytes.len() as u8, 0, 0, 0, 0];
        let head = if self.wire == Wire::Bare { &[][..] } else { &head };
        self.stream.write_all(&[head, bytes].concat()).expect("the relay takes what a viewer says");
    }

    fn read(&mut self) {
        let count = self.stream.read(&mut self.buffer).expect("the relay sends");
        assert!(count > 0, "the relay has ended");
        if self.wire == Wire::Bare {
            self.received += count as u64;
            return;
        }
        let mut at = 0;
        while at < count {
            if self.frame.rest == 0 {
                self.frame.head.push(self.buffer[at]);
                at += 1;
                self.frame.rest = length(&self.frame.head).unwrap_or(0);
                if self.frame.rest > 0 {
                    self.frame.head.clear();
                }
                continue;
            }
            let part = (count - at).min(usize::try_from(self.frame.rest).unwrap_or(usize::MAX));
            let bytes = &self.buffer[at..at + part];
            self.frame.rest -= part as u64;
            at += part;
            if self.wire == Wire::Binary {
                self.received += part as u64;
                continue;
            }
            // Four letters are three bytes, and a message is decoded when it is whole.
            self.frame.letters +=
                (part - bytes.iter().rev().take_while(|byte| **byte == b'=').count()) as u64;
            if self.frame.rest == 0 {
                self.received += std::mem::take(&mut self.frame.letters) * 3 / 4;
            }
        }
    }

    /// How many whole chunks have come.
    fn whole(&self) -> u64 {
        (self.received - self.start) / CHUNK as u64
    }

    /// Takes chunks, and answers how long all took and how long each one did.
    pub(crate) fn take(
        &mut self,
        desktop: &Desktop,
        chunks: u64,
        pace: Option<Duration>,
    ) -> (Duration, Vec<Duration>) {
        let began = Instant::now();
        let mut took = Vec::with_capacity(usize::try_from(chunks).unwrap_or(0));
        desktop.go.send((chunks, pace)).expect("the desktop is there");
        let until = self.chunks + chunks;
        while self.chunks < until {
            self.read();
            let now = desktop.sent.now();
            for chunk in self.chunks..self.whole() {
                let sent = desktop.sent.slot(chunk).load(Ordering::Acquire);
                took.push(Duration::from_nanos(now.saturating_sub(sent)));
            }
            self.chunks = self.whole();
        }
        (began.elapsed(), took)
    }
}

/// How long a message is, of which this is the head; `None` if it is not whole.
fn length(head: &[u8]) -> Option<u64> {
    match (head.get(1)?, head.len()) {
        (127, 10) => head[2..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
        (126, 4) => head[2..].first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into()),
        (short @ 0..126, 2) => Some(u64::from(*short)),
        _ => None,
    }
}

fn upgrade(stream: &mut TcpStream) {
    const ASKED: &[u8] = b"GET /vnc HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: binary\r\n\r\n";
    stream.write_all(ASKED).expect("the relay listens");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the relay answers");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", head.escape_ascii());
}
