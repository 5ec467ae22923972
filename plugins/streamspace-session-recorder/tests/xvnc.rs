//! Against TigerVNC's server: the last state that scenes make is what was drawn.

mod support;

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use des::{
    Des,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use streamspace_rfb::{
    Applied, Area, Encoding, Framebuffer, PixelFormat, Screen,
    message::{ClientMessage, Screens, Version},
};
use streamspace_session_recorder::{
    capture::{
        Capture, Connection, Control, Encode, Ended, Following, Options, Pace, Received, Settings,
        SharedViewer, Tee, WireTee, decode_wire,
    },
    scene::{Moment, Side},
};

use self::support::{
    conversation::assert_same,
    desktop::{Random, desktop, picture},
    reel::{Kept, Reel},
    viewer::Viewer,
    xserver::{DEADLINE, Painter, XServer},
};

const WIDTH: u16 = 643;
const HEIGHT: u16 = 481;

/// Draws, copies and draws again.
fn changes(painter: &mut Painter, drawn: &mut Framebuffer, rounds: u64, mut each: impl FnMut()) {
    let random = &mut Random::new(5);
    for _ in 0..rounds {
        let area = Area::new(random.below(WIDTH - 120), random.below(HEIGHT - 120), 117, 93);
        picture(drawn, area, random);
        painter.put(drawn, area);
        let to = Area::new(random.below(200), random.below(100), 300, 200);
        let from = (random.below(200), random.below(200));
        drawn.copy(from, to).expect("inside");
        painter.copy(from, to);
        each();
    }
}

fn same(screen: Option<&Framebuffer>, drawn: &Framebuffer) -> bool {
    screen.is_some_and(|screen| screen.area() == drawn.area() && screen.pixels() == drawn.pixels())
}

/// A connection that says how much came, and lets what came be looked at.
struct Watched<'a> {
    stream: TcpStream,
    bytes: &'a AtomicUsize,
}

impl Connection for Watched<'_> {
    fn receive(&mut self, into: &mut [u8], within: Duration) -> io::Result<Received> {
        let received = self.stream.receive(into, within)?;
        if let Received::Bytes(count) = received {
            self.bytes.fetch_add(count, Relaxed);
        }
        Ok(received)
    }

    fn send(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        self.stream.send(bytes, within)
    }
}

/// A reel that another thread looks at.
#[derive(Clone, Copy)]
struct Shared<'a>(&'a Mutex<(Reel, Option<Framebuffer>)>);

impl streamspace_session_recorder::scene::Sink for Shared<'_> {
    type Error = std::convert::Infallible;

    fn put(
        &mut self,
        at: Moment,
        scene: &streamspace_session_recorder::scene::Scene<'_>,
    ) -> Result<(), Self::Error> {
        let mut kept = self.0.lock().expect("nobody panicked");
        let (reel, screen) = &mut *kept;
        support::reel::show(screen, scene);
        reel.put(at, scene)
    }
}

#[test]
fn a_shared_viewer_keeps_what_was_drawn() {
    for (encode, pace) in [
        (Encode::Zrle, Pace::Asked),
        (Encode::Zrle, Pace::Continuous),
        (Encode::Tight, Pace::Asked),
        (Encode::Tight, Pace::Continuous),
        (Encode::Hextile, Pace::Asked),
        (Encode::Raw, Pace::Asked),
    ] {
        let Some(server) = XServer::start(WIDTH, HEIGHT) else { return };
        let mut painter = Painter::connect(&server);
        let mut drawn = desktop(WIDTH, HEIGHT, 42);
        painter.put(&drawn, drawn.area());
        let (control, bytes) = (Control::default(), AtomicUsize::new(0));
        let kept = Mutex::new((Reel::default(), None));
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server");
        let settings = Settings { encode, pace, look: Duration::from_millis(5), ..Settings::default() };
        let options = Options { frames_per_second: 60, ..Options::default() };
        thread::scope(|scope| {
            let viewer = scope.spawn(|| {
                let connection = Watched { stream, bytes: &bytes };
                let mut viewer = SharedViewer::new(connection, settings, &options, None);
                let mut capture = Capture::new(Shared(&kept), options.clone());
                let began = Instant::now();
                let clock = || Moment(u64::try_from(began.elapsed().as_micros()).expect("short"));
                viewer.run(&mut capture, clock, &control).expect("a reel takes all")
            });
            let shown = |drawn: &Framebuffer| {
                let end = Instant::now() + DEADLINE;
                while !same(kept.lock().expect("nobody panicked").1.as_ref(), drawn) {
                    assert!(!viewer.is_finished(), "it has ended");
                    assert!(
                        Instant::now() < end,
                        "{encode:?} {pace:?}: the scenes do not become what was drawn"
                    );
                    thread::sleep(Duration::from_millis(2));
                }
            };
            shown(&drawn);
            changes(&mut painter, &mut drawn, 8, || {});
            shown(&drawn);
            control.stop();
            let ended = viewer.join().expect("it did not panic");
            assert!(matches!(ended, Ended::Stopped), "{ended}");
        });
        let (reel, _) = kept.into_inner().expect("nobody panicked");
        assert_same(reel.screen().as_ref(), &drawn);
        assert_eq!(reel.count(|scene| matches!(scene, Kept::Gap(_))), 0);
        assert!(reel.count(|scene| matches!(scene, Kept::Cursor(Some(_)))) > 0, "the pointer has a shape");
        assert!(bytes.load(Relaxed) > 10_000);
    }
}

#[test]
fn a_desktop_of_another_size_is_kept_as_it_is() {
    for pace in [Pace::Asked, Pace::Continuous] {
        let Some(server) = XServer::start(WIDTH, HEIGHT) else { return };
        let mut painter = Painter::connect(&server);
        let (control, kept) = (Control::default(), Mutex::new((Reel::default(), None)));
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server");
        let settings = Settings { pace, look: Duration::from_millis(5), ..Settings::default() };
        let options = Options { frames_per_second: 60, ..Options::default() };
        thread::scope(|scope| {
            let viewer = scope.spawn(|| {
                let mut viewer = SharedViewer::new(stream, settings, &options, None);
                let mut capture = Capture::new(Shared(&kept), options.clone());
                let began = Instant::now();
                let clock = || Moment(u64::try_from(began.elapsed().as_micros()).expect("short"));
                viewer.run(&mut capture, clock, &control).expect("a reel takes all")
            });
            let wait = |until: &dyn Fn(&Framebuffer) -> bool| {
                let end = Instant::now() + DEADLINE;
                while !kept.lock().expect("nobody panicked").1.as_ref().is_some_and(until) {
                    assert!(!viewer.is_finished(), "it has ended");
                    assert!(Instant::now() < end, "{pace:?}: the scenes do not become what was drawn");
                    thread::sleep(Duration::from_millis(2));
                }
            };
            for (width, height) in [(800, 600), (320, 200), (1024, 768)] {
                // Another viewer has it changed.
                let mut other = Viewer::connect(&server, Version::V3_8);
                other.ask(None, &[Encoding::RAW, Encoding::EXTENDED_DESKTOP_SIZE]);
                let screen = loop {
                    other.update(false);
                    let layout = other.said.iter().rev().find_map(|said| match said {
                        Applied::Layout(layout) => Some(layout.screens[0]),
                        _ => None,
                    });
                    if let Some(screen) = layout {
                        break screen;
                    }
                };
                let screens = Screens::to_bytes(&[Screen { area: Area::new(0, 0, width, height), ..screen }]);
                let screens = Screens::from_bytes(&screens);
                other.send(&ClientMessage::SetDesktopSize { width, height, screens });
                wait(&|shown| (shown.width(), shown.height()) == (width, height));
                let drawn = desktop(width, height, width.into());
                painter.put(&drawn, drawn.area());
                wait(&|shown| same(Some(shown), &drawn));
            }
            control.stop();
            let ended = viewer.join().expect("it did not panic");
            assert!(matches!(ended, Ended::Stopped), "{ended}");
        });
    }
}

/// Hands on what a viewer and the server say, and keeps it in the order in which it came.
fn relay(viewer: TcpStream, server: TcpStream, said: &'static Mutex<Vec<(Side, Vec<u8>)>>) {
    let other = |stream: &TcpStream| stream.try_clone().expect("a handle");
    for (from, mut source, mut target) in
        [(Side::Viewer, other(&viewer), other(&server)), (Side::Desktop, server, viewer)]
    {
        thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = source.read(&mut piece) {
                // Before it is sent on, so that an answer to it stands behind it.
                said.lock().expect("nobody panicked").push((from, piece[..count].to_vec()));
                if target.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
            target.shutdown(std::net::Shutdown::Both).ok();
        });
    }
}

#[test]
fn what_a_viewer_sees_is_what_its_tee_keeps() {
    let fenced = [Encoding::FENCE, Encoding::CONTINUOUS_UPDATES];
    for (version, encoding, format, continuous) in [
        (Version::V3_8, Encoding::ZRLE, None, false),
        (Version::V3_3, Encoding::TIGHT, Some(PixelFormat::RGBX), false),
        (Version::V3_7, Encoding::HEXTILE, Some(PixelFormat::RGB565), false),
        (Version::V3_8, Encoding::RRE, None, false),
        (Version::V3_8, Encoding::RAW, Some(PixelFormat::BGR233), false),
        (Version::V3_8, Encoding::TIGHT, Some(PixelFormat::RGBX), true),
    ] {
        let Some(mut server) = XServer::start(WIDTH, HEIGHT) else { return };
        let mut painter = Painter::connect(&server);
        let mut drawn = desktop(WIDTH, HEIGHT, 42);
        painter.put(&drawn, drawn.area());
        let said: &'static Mutex<Vec<(Side, Vec<u8>)>> = Box::leak(Box::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let behind = std::mem::replace(&mut server.port, listener.local_addr().expect("bound").port());
        thread::spawn(move || {
            let (viewer, _) = listener.accept().expect("a viewer");
            relay(viewer, TcpStream::connect(("127.0.0.1", behind)).expect("the server"), said);
        });
        let mut viewer = Viewer::connect(&server, version);
        let mut encodings = vec![encoding, Encoding::COPY_RECT, Encoding::LAST_RECT, Encoding::CURSOR];
        encodings.extend(fenced.iter().filter(|_| continuous));
        viewer.ask(format, &encodings);
        viewer.update(false);
        if continuous {
            while !viewer.continuous {
                viewer.step();
            }
            let area = viewer.all();
            viewer.send(&ClientMessage::ContinuousUpdates { enable: true, area });
        }
        for _ in 0..5 {
            changes(&mut painter, &mut drawn, 1, || {});
            let lossy = format.is_some_and(|format| format.bits < 32);
            match (continuous, lossy) {
                (true, _) => {
                    while viewer.screen.pixels() != drawn.pixels() {
                        viewer.step();
                    }
                }
                // Its colours are not those that were drawn. It is compared in the end.
                (false, true) => viewer.update(true),
                (false, false) => viewer.until(|screen| screen.pixels() == drawn.pixels()),
            }
        }
        server.port = behind;
        let mut plain = Viewer::connect(&server, Version::V3_8);
        plain.ask(format, &[Encoding::RAW]);
        plain.update(false);
        let seen = plain.screen;
        if !continuous {
            viewer.until(|screen| screen.pixels() == seen.pixels());
        }
        let options = Options::default();
        let (mut tee, mut capture) = (Tee::new(&options), Capture::new(Reel::default(), options.clone()));
        let (mut wire, mut kept) = (WireTee::new(&options).expect("it fits"), Reel::default());
        let (mut at, end) = (Moment(0), Instant::now() + DEADLINE);
        // The viewer may have seen the last state in the middle of an update, the end of which is still to come.
        while !same(capture.framebuffer(), &seen) {
            assert!(Instant::now() < end, "{encoding}: the tee does not see what the viewer sees");
            // It answers the server's fences, without which the server would send no more.
            viewer.update(false);
            for (from, bytes) in std::mem::take(&mut *said.lock().expect("nobody panicked")) {
                at.0 += 3_000;
                let following = tee.take(at, from, 0, &bytes, &mut capture).expect("a reel takes all");
                assert_eq!(following, Following::Yes, "{encoding}: {:?}", tee.ended());
                let following = wire.take(at, from, 0, &bytes, &mut kept).expect("a reel takes all");
                assert_eq!(following, Following::Yes, "{encoding}: {:?}", wire.ended());
            }
        }
        capture.finish(Moment(u64::MAX)).expect("a reel takes all");
        assert_same(capture.sink().screen().as_ref(), &seen);
        let mut decoded = Capture::new(Reel::default(), options);
        decode_wire(&mut kept, &mut decoded).expect("reels");
        assert_same(decoded.sink().screen().as_ref(), &seen);
    }
}

/// Killed when it is dropped, and its password's file with it.
struct Locked {
    child: Child,
    file: std::path::PathBuf,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_file(&self.file).ok();
    }
}

#[test]
fn a_password_lets_it_in() {
    // So that one that is missing is skipped, or fails, as elsewhere.
    if XServer::start(64, 64).is_none() {
        return;
    }
    // How a server's file has it: encrypted with a key that everybody knows.
    let key = [23_u8, 82, 107, 6, 35, 78, 88, 7].map(u8::reverse_bits);
    let mut password = (*b"pa55w0rd").into();
    Des::new(&key.into()).encrypt_block(&mut password);
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let file = std::env::temp_dir().join(format!("streamspace-capture-{}-{port}", std::process::id()));
    std::fs::write(&file, password).expect("a file");
    let mut child = Command::new("Xvnc")
        .args(["-geometry", "64x64", "-depth", "24", "-displayfd", "1", "-nolisten", "tcp", "-ac"])
        .args(["-rfbport", &port.to_string(), "-interface", "127.0.0.1", "-SecurityTypes", "VncAuth"])
        .arg("-rfbauth")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was started before");
    let mut output = child.stdout.take().expect("piped");
    let _server = Locked { child, file };
    // It says its display once it takes connections.
    let mut display = [0; 1];
    output.read_exact(&mut display).expect("a display");
    let view = |password: Option<&[u8]>| {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server");
        let settings = Settings { look: Duration::from_millis(5), ..Settings::default() };
        let options = Options::default();
        let mut viewer = SharedViewer::new(stream, settings, &options, password);
        let control = Control::default();
        let kept = Mutex::new((Reel::default(), None));
        let mut capture = Capture::new(Shared(&kept), options);
        let begun = Instant::now();
        // The clock is asked in each turn, and what was kept tells when to stop.
        let clock = || {
            assert!(begun.elapsed() < DEADLINE, "nothing is seen");
            if kept.lock().expect("nobody panicked").1.is_some() {
                control.stop();
            }
            Moment(begun.elapsed().as_micros() as u64)
        };
        viewer.run(&mut capture, clock, &control).expect("a reel takes all")
    };
    assert!(matches!(view(None), Ended::Password));
    let wrong = view(Some(b"password"));
    assert!(matches!(&wrong, Ended::Refused(why) if why.contains("failure")), "{wrong}");
    let right = view(Some(b"pa55w0rd, of which eight bytes count"));
    assert!(matches!(right, Ended::Stopped), "{right}");
}
