//! One more viewer, with desktops that are made up: what it says, what it keeps, and how it ends.

mod support;

use std::{
    io,
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use streamspace_rfb::{
    Area, Encoding, Limits,
    message::{Fence, Secret, SecurityType, ServerMessage, Version},
};
use streamspace_session_recorder::{
    capture::{
        Backoff, Capture, Connection, Control, Encode, Ended, Options, Pace, Received, Settings, SharedViewer,
    },
    scene::{Moment, Side},
};

use self::support::{
    conversation::{Conversation, assert_same},
    made_up::{ALL, DEADLINE, Desktop, Said, view},
    reel::{Kept, Reel},
};

fn often() -> Options {
    Options { frames_per_second: 1_000, ..Options::default() }
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
        // Only what is looked for is quick, so that nothing else can come first.
        let (patient, short) = (patient(), Duration::from_millis(300));
        let settings = match expected {
            _ if expected.contains("handshake") => Settings { handshake: short, ..patient },
            _ if expected.contains("a message or an update") => Settings { stall: short, ..patient },
            _ if expected.contains("no sign") => Settings { stall: short, probe: short, ..patient },
            _ => patient,
        };
        let seen = view(settings, options, None, script);
        assert!(seen.ended.to_string().contains(expected), "{expected}: {}", seen.ended);
        let last = seen.reel.scenes.last().map(|(_, scene)| scene.clone());
        assert_eq!(last, Some(Kept::Gap(seen.ended.to_string())));
    }
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let seen = view(patient(), often(), Some(b"wrong"), |desktop, _| {
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
        let end = Instant::now() + DEADLINE;
        while !desktop.paused.load(Relaxed) {
            assert!(Instant::now() < end, "it does not pause");
            thread::sleep(Duration::from_millis(1));
        }
        // What was asked for before still comes.
        desktop.fill(Area::new(5, 5, 9, 9), 100);
        desktop.taken();
        // Time enough to ask in, for one that would.
        thread::sleep(Duration::from_millis(50));
        desktop.taken();
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

/// A connection that gives bytes, and takes all.
struct Played<'a>(std::slice::Chunks<'a, u8>);

impl Connection for Played<'_> {
    fn receive(&mut self, into: &mut [u8], _: Duration) -> io::Result<Received> {
        let Some(piece) = self.0.next() else { return Ok(Received::End) };
        into[..piece.len()].copy_from_slice(piece);
        Ok(Received::Bytes(piece.len()))
    }

    fn send(&mut self, _: &[u8], _: Duration) -> io::Result<()> {
        Ok(())
    }
}

fn play(bytes: &[u8], piece: usize) -> (Ended, Reel) {
    let limits = Limits { pixels: 1 << 16, ..Options::LIMITS };
    let options = Options { limits, most_buffered: 1 << 18, ..often() };
    let mut viewer = SharedViewer::new(Played(bytes.chunks(piece)), patient(), &options, Some(b"secret"));
    let mut capture = Capture::new(Reel::default(), options);
    let ended = viewer.run(&mut capture, || Moment(0), &Control::default()).expect("a reel takes all");
    assert!(viewer.memory() < 1 << 20, "{} bytes", viewer.memory());
    (ended, capture.into_sink())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn garbage_ends_it_with_a_reason(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        begun in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1_usize..400,
    ) {
        let mut said = Conversation::begun(32, 24);
        said.fill(said.screen.area(), 7, Encoding::RAW);
        let of_desktop = said.pieces.iter().filter(|(side, _)| begun && *side == Side::Desktop);
        let mut sent: Vec<u8> = of_desktop.flat_map(|(_, bytes)| bytes.clone()).chain(bytes).collect();
        for (index, value) in changes {
            if !sent.is_empty() {
                let index = index.index(sent.len());
                sent[index] = value;
            }
        }
        let (ended, reel) = play(&sent, piece);
        prop_assert!(!matches!(ended, Ended::Stopped));
        let last = reel.scenes.last().map(|(_, scene)| scene.clone());
        prop_assert_eq!(last, Some(Kept::Gap(ended.to_string())));
        // What was kept can be shown.
        reel.screen();
    }
}
