//! A desktop that is made up, and a viewer of it.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use streamspace_rfb::{
    Area, Encoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{
        ClientMessage, ClientParser, Fence, Progress, Rect, Secret, SecurityType, ServerInit, ServerMessage,
        Version,
    },
};
use streamspace_session_recorder::{
    capture::{Capture, Control, Ended, Options, Settings, SharedViewer},
    scene::{Moment, Scene, Sink},
};

use super::reel::Reel;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const ALL: Area = Area::new(0, 0, 64, 48);

/// A desktop, on a connection of its own.
pub(crate) struct Desktop {
    pub(crate) stream: TcpStream,
    parser: ClientParser,
    received: Vec<u8>,
    encoder: Encoder,
    pub(crate) screen: Framebuffer,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) shared: bool,
    pub(crate) requests: usize,
    /// Whether the sink was told of a pause.
    pub(crate) paused: Arc<AtomicBool>,
}

/// A reel that tells of a pause.
struct Telling(Reel, Arc<AtomicBool>);

impl Sink for Telling {
    type Error = Infallible;

    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Infallible> {
        self.0.put(at, scene)?;
        if *scene == Scene::Paused {
            self.1.store(true, Relaxed);
        }
        Ok(())
    }
}

/// What a viewer said after the handshake.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Request { incremental: bool, area: Area },
    Continuous { enable: bool, area: Area },
    Fence { flags: u32, payload: Vec<u8> },
    Other,
}

impl Desktop {
    pub(crate) fn say(&mut self, message: &ServerMessage<'_>) {
        self.parser.heard(message);
        self.send(&message.to_bytes());
    }

    /// The viewer may have gone.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// The next thing that the viewer says; none if it has gone.
    pub(crate) fn hear<T>(&mut self, mut take: impl FnMut(&mut Self, &ClientMessage<'_>) -> T) -> Option<T> {
        loop {
            let received = std::mem::take(&mut self.received);
            if let Progress::Message { consumed, message } = self.parser.parse(&received).expect("a message")
            {
                let taken = take(self, &message);
                self.received = received[consumed..].to_vec();
                return Some(taken);
            }
            self.received = received;
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    pub(crate) fn next(&mut self) -> Option<Said> {
        self.hear(|desktop, message| match *message {
            ClientMessage::UpdateRequest { incremental, area } => {
                desktop.requests += 1;
                Said::Request { incremental, area }
            }
            ClientMessage::ContinuousUpdates { enable, area } => Said::Continuous { enable, area },
            ClientMessage::Fence(Fence { flags, payload }) => {
                Said::Fence { flags, payload: payload.to_vec() }
            }
            ClientMessage::SetPixelFormat(format) => {
                desktop.encoder.set_format(format).expect("a format");
                Said::Other
            }
            ClientMessage::SetEncodings(encodings) => {
                desktop.encodings = encodings.iter().collect();
                Said::Other
            }
            ref other => panic!("a viewer that only looks says {other:?}"),
        })
    }

    /// Waits for a request; answers whether it was for changes alone, or none if the viewer has gone.
    pub(crate) fn request(&mut self) -> Option<bool> {
        loop {
            if let Said::Request { incremental, area } = self.next()? {
                assert_eq!(area, self.screen.area());
                return Some(incremental);
            }
        }
    }

    pub(crate) fn handshake(&mut self, version: Version, security: SecurityType) {
        self.say(&ServerMessage::Version(version));
        let answered = self.hear(|_, message| *message == ClientMessage::Version(version));
        assert_eq!(answered, Some(true));
        if version == Version::V3_3 {
            self.say(&ServerMessage::Security(security));
        } else {
            self.say(&ServerMessage::SecurityTypes(&[19, security.0, 16]));
            assert_eq!(self.hear(|_, message| *message == ClientMessage::Security(security)), Some(true));
        }
        if security == SecurityType::VNC {
            self.say(&ServerMessage::Challenge(Secret(&[7; 16])));
            self.hear(|_, message| assert!(matches!(message, ClientMessage::Response(_)), "{message:?}"));
        }
        if version == Version::V3_8 || security == SecurityType::VNC {
            self.say(&ServerMessage::SecurityResult { code: 0, reason: None });
        }
        self.shared = self.hear(|_, message| *message == ClientMessage::Init { shared: true }) == Some(true);
        let format = PixelFormat::RGB565;
        let (width, height) = (self.screen.width(), self.screen.height());
        self.say(&ServerMessage::Init(ServerInit { width, height, format, name: b"made up" }));
    }

    pub(crate) fn begin(&mut self) {
        self.handshake(Version::V3_8, SecurityType::NONE);
        assert_eq!(self.request(), Some(false), "the first one is for all");
        self.fill(ALL, 1);
    }

    /// Draws, and sends what was drawn in the encoding that the viewer likes best.
    pub(crate) fn fill(&mut self, area: Area, red: u8) {
        self.screen.fill(area, [red, 1, 2, 255]).expect("inside");
        let mut bytes = Vec::new();
        self.encoder.update(&self.screen, &[area], self.encodings[0], &mut bytes).expect("it is encoded");
        self.send(&bytes);
    }

    /// Waits until the viewer has taken all that was sent. Panics if it asks for something meanwhile.
    pub(crate) fn taken(&mut self) {
        self.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST, payload: b"taken?" }));
        loop {
            match self.next().expect("a viewer") {
                Said::Fence { payload, .. } if payload == b"taken?" => return,
                Said::Request { .. } => panic!("it asks for something"),
                _ => {}
            }
        }
    }

    /// Sees that the viewer does not ask for anything at the time that it is now.
    pub(crate) fn unasked(&mut self) {
        // It may have looked at the clock before it took the first. Behind that it has looked again when it takes the second.
        self.taken();
        self.taken();
    }

    pub(crate) fn rect(&mut self, area: Area, encoding: Encoding) {
        let mut bytes = ServerMessage::Update { rects: 1 }.to_bytes();
        let (format, payload) = (PixelFormat::BGRX, &[][..]);
        ServerMessage::Rect(Rect { area, encoding, format, payload, last: true }).write(&mut bytes);
        self.send(&bytes);
    }

    /// Answers requests with nothing new until the viewer has gone.
    pub(crate) fn until_gone(&mut self) {
        while self.request().is_some() {
            self.send(&ServerMessage::Update { rects: 0 }.to_bytes());
        }
    }
}

/// A clock that stands at where it was set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn set(&self, micros: u64) {
        self.0.store(micros, SeqCst);
    }
}

/// What became of a viewer.
pub(crate) struct Seen {
    pub(crate) ended: Ended,
    pub(crate) reel: Reel,
    pub(crate) desktop: Desktop,
}

pub(crate) fn view(
    settings: Settings,
    options: Options,
    password: Option<&[u8]>,
    desktop: impl FnOnce(&mut Desktop, &Control) + Send + 'static,
) -> Seen {
    let began = Instant::now();
    let clock = || Moment(u64::try_from(began.elapsed().as_micros()).expect("a test is short"));
    look(clock, settings, options, password, desktop)
}

/// As [`view`], without a password, by a clock that the desktop sets.
pub(crate) fn view_by_clock(
    settings: Settings,
    options: Options,
    desktop: impl FnOnce(&mut Desktop, &Control, &Clock) + Send + 'static,
) -> Seen {
    let clock = Clock::default();
    let of_desktop = clock.clone();
    let now = || Moment(clock.0.load(SeqCst));
    look(now, settings, options, None, move |made, control| desktop(made, control, &of_desktop))
}

fn look(
    clock: impl Fn() -> Moment,
    settings: Settings,
    options: Options,
    password: Option<&[u8]>,
    desktop: impl FnOnce(&mut Desktop, &Control) + Send + 'static,
) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let control = Arc::new(Control::default());
    let of_desktop = Arc::clone(&control);
    let paused = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&paused);
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a viewer");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        stream.set_write_timeout(Some(DEADLINE)).expect("a time-out");
        let mut made = Desktop {
            stream,
            parser: ClientParser::new(Limits::default()),
            received: Vec::new(),
            encoder: Encoder::new(PixelFormat::RGB565).expect("a format"),
            screen: Framebuffer::new(ALL.width, ALL.height, &Limits::default()).expect("small"),
            encodings: Vec::new(),
            shared: false,
            requests: 0,
            paused: told,
        };
        desktop(&mut made, &of_desktop);
        made.stream.shutdown(std::net::Shutdown::Both).ok();
        made
    });
    let stream = TcpStream::connect(address).expect("the desktop");
    let mut viewer = SharedViewer::new(stream, settings, &options, password);
    let mut capture = Capture::new(Telling(Reel::default(), paused), options);
    let ended = viewer.run(&mut capture, clock, &control).expect("a reel takes all");
    drop(viewer);
    let desktop = thread.join().expect("the desktop did as it should");
    Seen { ended, reel: capture.into_sink().0, desktop }
}
