//! What is said, and how it ends.

use std::time::Duration;

use streamspace_rfb::{
    Area, Encoding, Limits,
    message::{Fence, Secret, SecurityType, ServerMessage, Version},
};
use streamspace_session_recorder::capture::{Backoff, Control, Encode, Ended, Options, Settings};

use crate::{
    often, patient,
    support::{
        conversation::assert_same,
        made_up::{ALL, Desktop, view},
        reel::Kept,
    },
};

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
