//! One more viewer, with desktops that are made up: what it says, what it keeps, and how it ends.

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
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
    capture::{Backoff, Capture, Control, Encode, Ended, Options, Pace, Settings, SharedViewer},
    scene::Moment,
};

use self::support::{
    conversation::assert_same,
    reel::{Kept, Reel},
};

const DEADLINE: Duration = Duration::from_secs(20);
const ALL: Area = Area::new(0, 0, 64, 48);

/// A desktop, on a connection of its own.
struct Desktop {
    stream: TcpStream,
    parser: ClientParser,
    received: Vec<u8>,
    encoder: Encoder,
    screen: Framebuffer,
    encodings: Vec<Encoding>,
    shared: bool,
    requests: usize,
}

/// What a viewer said after the handshake.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Request { incremental: bool, area: Area },
    Continuous { enable: bool, area: Area },
    Fence { flags: u32, payload: Vec<u8> },
    Other,
}

impl Desktop {
    fn say(&mut self, message: &ServerMessage<'_>) {
        self.parser.heard(message);
        self.send(&message.to_bytes());
    }

    /// The viewer may have gone.
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// The next thing that the viewer says; none if it has gone.
    fn hear<T>(&mut self, mut take: impl FnMut(&mut Self, &ClientMessage<'_>) -> T) -> Option<T> {
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

    fn next(&mut self) -> Option<Said> {
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
    fn request(&mut self) -> Option<bool> {
        loop {
            if let Said::Request { incremental, area } = self.next()? {
                assert_eq!(area, self.screen.area());
                return Some(incremental);
            }
        }
    }

    fn handshake(&mut self, version: Version, security: SecurityType) {
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

    fn begin(&mut self) {
        self.handshake(Version::V3_8, SecurityType::NONE);
        assert_eq!(self.request(), Some(false), "the first one is for all");
        self.fill(ALL, 1);
    }

    /// Draws, and sends what was drawn in the encoding that the viewer likes best.
    fn fill(&mut self, area: Area, red: u8) {
        self.screen.fill(area, [red, 1, 2, 255]).expect("inside");
        let mut bytes = Vec::new();
        self.encoder.update(&self.screen, &[area], self.encodings[0], &mut bytes).expect("it is encoded");
        self.send(&bytes);
    }

    fn rect(&mut self, area: Area, encoding: Encoding) {
        let mut bytes = ServerMessage::Update { rects: 1 }.to_bytes();
        let (format, payload) = (PixelFormat::BGRX, &[][..]);
        ServerMessage::Rect(Rect { area, encoding, format, payload, last: true }).write(&mut bytes);
        self.send(&bytes);
    }

    /// Answers requests with nothing new until the viewer has gone.
    fn until_gone(&mut self) {
        while self.request().is_some() {
            self.send(&ServerMessage::Update { rects: 0 }.to_bytes());
        }
    }
}

/// What became of a viewer.
struct Seen {
    ended: Ended,
    reel: Reel,
    desktop: Desktop,
}

fn view(
    settings: Settings,
    options: Options,
    password: Option<&[u8]>,
    desktop: impl FnOnce(&mut Desktop, &Control) + Send + 'static,
) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let control = Arc::new(Control::default());
    let of_desktop = Arc::clone(&control);
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
        };
        desktop(&mut made, &of_desktop);
        made.stream.shutdown(std::net::Shutdown::Both).ok();
        made
    });
    let stream = TcpStream::connect(address).expect("the desktop");
    let mut viewer = SharedViewer::new(stream, settings, &options, password);
    let mut capture = Capture::new(Reel::default(), options);
    let began = Instant::now();
    let clock = || Moment(u64::try_from(began.elapsed().as_micros()).expect("a test is short"));
    let ended = viewer.run(&mut capture, clock, &control).expect("a reel takes all");
    drop(viewer);
    let desktop = thread.join().expect("the desktop did as it should");
    Seen { ended, reel: capture.into_sink(), desktop }
}

fn often() -> Options {
    Options { frames_per_second: 1_000, ..Options::default() }
}

fn quick() -> Settings {
    let short = Duration::from_millis(300);
    Settings {
        handshake: short,
        stall: short,
        probe: short,
        look: Duration::from_millis(5),
        ..Settings::default()
    }
}

fn patient() -> Settings {
    Settings { look: Duration::from_millis(5), ..Settings::default() }
}

#[test]
fn every_version_and_encoding_is_viewed() {
    let encodings = [Encode::Zrle, Encode::Tight, Encode::TightJpeg(6), Encode::Hextile, Encode::Raw];
    let versions = [Version::V3_3, Version::V3_7, Version::V3_8];
    for (index, encode) in encodings.into_iter().enumerate() {
        for security in [SecurityType::NONE, SecurityType::VNC] {
            let version = versions[index % 3];
            let settings = Settings { encode, ..patient() };
            let seen = view(settings, often(), Some(b"secret"), move |desktop, control| {
                desktop.handshake(version, security);
                for red in 0..5 {
                    assert_eq!(desktop.request(), Some(red > 0));
                    desktop.fill(if red == 0 { ALL } else { Area::new(3, 3, 20, 10) }, red);
                }
                // The next request says that the last update was taken.
                desktop.request();
                control.stop();
                desktop.until_gone();
            });
            assert!(matches!(seen.ended, Ended::Stopped), "{}", seen.ended);
            assert!(seen.desktop.shared, "the others stay");
            assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
            assert_eq!(seen.reel.count(|scene| matches!(scene, Kept::Gap(_))), 0);
            let wanted = &seen.desktop.encodings;
            for encoding in [
                Encoding::ZRLE,
                Encoding::TIGHT,
                Encoding::HEXTILE,
                Encoding::COPY_RECT,
                Encoding::CURSOR,
                Encoding::DESKTOP_SIZE,
                Encoding::EXTENDED_DESKTOP_SIZE,
                Encoding::LAST_RECT,
                Encoding::FENCE,
                Encoding::DESKTOP_NAME,
            ] {
                assert!(wanted.contains(&encoding), "{encoding}");
            }
            let lossy = wanted.contains(&Encoding::jpeg_quality(6));
            assert_eq!(lossy, encode == Encode::TightJpeg(6));
        }
    }
}

#[test]
fn how_it_ends_is_said_and_is_a_gap() {
    type Script = Box<dyn FnOnce(&mut Desktop, &Control) + Send>;
    let wait = |desktop: &mut Desktop| while desktop.next().is_some() {};
    let ends: Vec<(&str, Script)> = vec![
        ("the desktop closed the connection", Box::new(|desktop, _| desktop.begin())),
        (
            "the handshake with the desktop was not over after 0.3 s",
            Box::new(move |desktop, _| {
                desktop.hear(|_, _| ());
            }),
        ),
        (
            "a message or an update",
            Box::new(move |desktop, _| {
                desktop.begin();
                desktop.send(&[0, 0, 0]);
                wait(desktop);
            }),
        ),
        (
            "a message or an update",
            Box::new(move |desktop, _| {
                desktop.begin();
                desktop.send(&[0, 0, 0, 1]);
                wait(desktop);
            }),
        ),
        (
            "the desktop gave no sign",
            Box::new(move |desktop, _| {
                desktop.begin();
                desktop.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST, payload: b"" }));
                wait(desktop);
            }),
        ),
        (
            "cannot be read: the type of a server's message",
            Box::new(move |desktop, _| {
                desktop.begin();
                desktop.send(&[99; 50]);
                wait(desktop);
            }),
        ),
        (
            "cannot be read: the version of the protocol",
            Box::new(move |desktop, _| {
                desktop.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                desktop.hear(|_, _| ());
            }),
        ),
        (
            "refused the viewer: too many",
            Box::new(|desktop, _| {
                desktop.say(&ServerMessage::Version(Version::V3_8));
                desktop.hear(|_, _| ());
                desktop.say(&ServerMessage::Refused { version: Version::V3_8, reason: b"too many" });
                desktop.hear(|_, _| ());
            }),
        ),
        (
            "wants a password, and none was given",
            Box::new(|desktop, _| {
                desktop.say(&ServerMessage::Version(Version::V3_8));
                desktop.hear(|_, _| ());
                desktop.say(&ServerMessage::SecurityTypes(&[2, 19]));
                desktop.hear(|_, _| ());
            }),
        ),
        (
            "one of the security types [19, 16]",
            Box::new(|desktop, _| {
                desktop.say(&ServerMessage::Version(Version::V3_8));
                desktop.hear(|_, _| ());
                desktop.say(&ServerMessage::SecurityTypes(&[19, 16]));
                desktop.hear(|_, _| ());
            }),
        ),
        (
            "a message of the desktop has",
            Box::new(move |desktop, _| {
                desktop.begin();
                desktop.screen.resize(4_000, 4_000, &Limits::default()).expect("within the limits");
                desktop.rect(Area::new(0, 0, 4_000, 4_000), Encoding::DESKTOP_SIZE);
                let mut bytes = ServerMessage::Update { rects: 1 }.to_bytes();
                for side in [0_u16, 0, 4_000, 4_000, 0, 0] {
                    bytes.extend(side.to_be_bytes());
                }
                desktop.send(&[&bytes[..], &[9; 100]].concat());
                wait(desktop);
            }),
        ),
    ];
    for (expected, script) in ends {
        let options = Options { most_buffered: 1 << 20, ..often() };
        let seen = view(quick(), options, None, script);
        assert!(seen.ended.to_string().contains(expected), "{expected}: {}", seen.ended);
        let last = seen.reel.scenes.last().map(|(_, scene)| scene.clone());
        assert_eq!(last, Some(Kept::Gap(seen.ended.to_string())));
    }
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let seen = view(quick(), often(), Some(b"wrong"), |desktop, _| {
        desktop.say(&ServerMessage::Version(Version::V3_8));
        desktop.hear(|_, _| ());
        desktop.say(&ServerMessage::SecurityTypes(&[2]));
        desktop.hear(|_, _| ());
        desktop.say(&ServerMessage::Challenge(Secret(&[7; 16])));
        desktop.hear(|_, _| ());
        desktop.say(&ServerMessage::SecurityResult { code: 1, reason: Some(b"Authentication failed") });
        // More than a server may say.
        desktop.send(b"garbage");
    });
    assert!(matches!(&seen.ended, Ended::Refused(why) if why == "Authentication failed"), "{}", seen.ended);
    assert!(!seen.ended.is_worth_a_try());
    assert!(Ended::Closed.is_worth_a_try());
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..9).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    backoff.reset();
    assert_eq!(backoff.wait().as_millis(), 500);
}

#[test]
fn the_desktop_is_not_asked_more_often_than_wanted() {
    let options = Options { frames_per_second: 50, ..Options::default() };
    let seen = view(patient(), options, None, |desktop, control| {
        desktop.begin();
        let began = Instant::now();
        for red in 0..20 {
            assert_eq!(desktop.request(), Some(true));
            desktop.fill(Area::new(1, 1, 5, 5), red);
        }
        // The first may come at once, and one may have been on its way.
        assert!(began.elapsed() >= Duration::from_millis(18 * 20), "{:?}", began.elapsed());
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn a_desktop_that_answers_nothing_new_is_asked_more_seldom() {
    let options = Options { frames_per_second: 100, ..Options::default() };
    let seen = view(patient(), options, None, |desktop, control| {
        desktop.begin();
        let began = Instant::now();
        for _ in 0..6 {
            desktop.request();
            desktop.send(&ServerMessage::Update { rects: 0 }.to_bytes());
        }
        desktop.request();
        // 20, 40, 80, 160, 320, 640 ms.
        assert!(began.elapsed() >= Duration::from_millis(1_200), "{:?}", began.elapsed());
        desktop.fill(Area::new(1, 1, 5, 5), 9);
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn the_whole_screen_comes_when_it_is_wanted() {
    let seen = view(patient(), often(), None, |desktop, control| {
        desktop.begin();
        assert_eq!(desktop.request(), Some(true));
        // Not answered: nothing has changed.
        control.resync();
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(ALL, 8);
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    assert!(seen.reel.count(|scene| matches!(scene, Kept::Picture { .. })) >= 2);
}

#[test]
fn another_size_has_the_whole_screen_asked_for() {
    let seen = view(patient(), often(), None, |desktop, control| {
        desktop.begin();
        desktop.request();
        desktop.screen.resize(30, 20, &Limits::default()).expect("small");
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(Area::new(0, 0, 30, 20), 5);
        assert_eq!(desktop.request(), Some(true));
        // The same size again is nothing new.
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        assert_eq!(desktop.request(), Some(true));
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn a_pause_asks_for_nothing_and_goes_on_with_the_whole_screen() {
    let seen = view(patient(), often(), None, |desktop, control| {
        desktop.begin();
        desktop.request();
        control.pause(true);
        // What was asked for before still comes.
        thread::sleep(Duration::from_millis(100));
        desktop.fill(Area::new(5, 5, 9, 9), 100);
        thread::sleep(Duration::from_millis(100));
        let before = desktop.requests;
        desktop.stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
        assert_eq!(desktop.next(), None, "{before} requests came before");
        desktop.stream.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        control.pause(false);
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(ALL, 101);
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    let paused = seen.reel.scenes.iter().position(|(_, scene)| *scene == Kept::Paused).expect("a pause");
    assert!(matches!(&seen.reel.scenes[paused + 1].1, Kept::Picture { pixels, .. } if pixels[0][0] == 101));
    let secret = seen.reel.count(|scene| match scene {
        Kept::Picture { pixels, .. } | Kept::Patch { pixels, .. } => {
            pixels.iter().any(|pixel| pixel[0] == 100)
        }
        _ => false,
    });
    assert_eq!(secret, 0, "what was seen during the pause is kept");
}

#[test]
fn updates_come_by_themselves_where_the_desktop_can() {
    let settings = Settings { pace: Pace::Continuous, ..patient() };
    let seen = view(settings, often(), None, |desktop, control| {
        desktop.begin();
        assert!(desktop.encodings.contains(&Encoding::CONTINUOUS_UPDATES));
        desktop.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST | Fence::BEFORE, payload: b"hi" }));
        desktop.say(&ServerMessage::EndOfContinuousUpdates);
        let (mut fenced, mut enabled) = (false, false);
        while !(fenced && enabled) {
            match desktop.next().expect("a viewer") {
                Said::Fence { flags, payload } => {
                    fenced = true;
                    assert_eq!((flags, &*payload), (Fence::BEFORE, &b"hi"[..]));
                }
                Said::Continuous { enable, area } => {
                    enabled = true;
                    assert_eq!((enable, area), (true, ALL));
                }
                _ => {}
            }
        }
        for red in 10..20 {
            desktop.fill(Area::new(3, 3, 9, 9), red);
        }
        desktop.screen.resize(30, 20, &Limits::default()).expect("small");
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        let area = Area::new(0, 0, 30, 20);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: true, area }) {}
        control.pause(true);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: false, area }) {}
        desktop.say(&ServerMessage::EndOfContinuousUpdates);
        control.pause(false);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: true, area }) {}
        desktop.fill(area, 77);
        desktop.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST, payload: b"" }));
        while !matches!(desktop.next().expect("a viewer"), Said::Fence { .. }) {}
        control.stop();
        while desktop.next().is_some() {}
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    assert!(seen.desktop.requests <= 4, "{} requests", seen.desktop.requests);
}
