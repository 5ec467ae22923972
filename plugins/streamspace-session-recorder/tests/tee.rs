//! What a viewer and a desktop say to each other, followed: the order of both, and when it ends.

mod support;

use proptest::prelude::*;
use streamspace_rfb::{
    Area, Encoding, PixelFormat,
    message::{ClientMessage, SecurityType, ServerMessage, Version},
};
use streamspace_session_recorder::{
    capture::{Capture, Clipboard, Following, Input, Options, Tee, TeeEnd, WireTee, decode_wire},
    scene::{Moment, Side},
};

use self::support::{
    conversation::{Conversation, assert_same, follow},
    desktop::content,
    reel::{Kept, Reel},
};

const ALL: Area = Area::new(0, 0, 60, 50);

fn often() -> Options {
    Options { frames_per_second: 1_000, ..Options::default() }
}

fn both(options: Options) -> (Tee, Capture<Reel>) {
    (Tee::new(&options), Capture::new(Reel::default(), options))
}

fn gaps(reel: &Reel) -> Vec<&str> {
    let mut gaps = Vec::new();
    for (_, scene) in &reel.scenes {
        if let Kept::Gap(why) = scene {
            gaps.push(why.as_str());
        }
    }
    gaps
}

#[test]
fn every_handshake_is_followed() {
    for version in [Version::V3_3, Version::V3_7, Version::V3_8] {
        for security in [SecurityType::NONE, SecurityType::VNC] {
            for most in [1, 7, usize::MAX] {
                let mut said = Conversation::new(ALL.width, ALL.height);
                said.handshake(version, security);
                said.fill(ALL, 5, Encoding::ZRLE);
                let (mut tee, mut capture) = both(often());
                let following = follow(&mut tee, &mut capture, Moment(0), &said.pieces, most);
                assert_eq!(following, Following::Yes, "{version:?} {security}: {:?}", tee.ended());
                assert_same(capture.sink().screen().as_ref(), &said.screen);
            }
        }
    }
}

#[test]
fn a_side_that_comes_too_early_waits_for_the_other() {
    for version in [Version::V3_3, Version::V3_7, Version::V3_8] {
        let mut said = Conversation::new(ALL.width, ALL.height);
        said.handshake(version, SecurityType::VNC);
        said.fill(ALL, 5, Encoding::ZRLE);
        let of = |side| said.pieces.iter().filter(move |(from, _)| *from == side).cloned();
        for first in [Side::Desktop, Side::Viewer] {
            let second = if first == Side::Desktop { Side::Viewer } else { Side::Desktop };
            // All of the one, and then all of the other. If the desktop's comes first, its pixels are in a format that it is too
            // late to hear of.
            let pieces: Vec<_> = of(first).chain(of(second)).collect();
            let (mut tee, mut capture) = both(often());
            let following = follow(&mut tee, &mut capture, Moment(0), &pieces, 5);
            assert_eq!(following, Following::Yes, "{version:?} {first:?}: {:?}", tee.ended());
            if first == Side::Viewer {
                assert_same(capture.sink().screen().as_ref(), &said.screen);
            }
        }
    }
}

#[test]
fn another_format_holds_from_the_next_update_on() {
    let mut said = Conversation::begun(ALL.width, ALL.height);
    said.fill(ALL, 5, Encoding::RAW);
    // The update that was asked for begins before the viewer changes the format, and ends after it.
    said.screen.write(ALL, content(1, ALL.width, ALL.height, 2).pixels()).expect("inside");
    let mut update = Conversation::new(ALL.width, ALL.height);
    update.screen.write(ALL, said.screen.pixels()).expect("inside");
    update.update(ALL, Encoding::RAW);
    let (_, bytes) = update.pieces.swap_remove(0);
    said.pieces.push((Side::Desktop, bytes[..9].to_vec()));
    said.viewer(&ClientMessage::SetPixelFormat(PixelFormat::RGBX));
    said.ask();
    said.pieces.push((Side::Desktop, bytes[9..].to_vec()));
    said.set_format(PixelFormat::RGBX);
    said.fill(Area::new(3, 3, 9, 9), 77, Encoding::RAW);
    let (mut tee, mut capture) = both(often());
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, usize::MAX), Following::Yes);
    capture.finish(Moment(0)).expect("a reel takes all");
    assert_same(capture.sink().screen().as_ref(), &said.screen);
}

#[test]
fn a_format_is_changed_while_updates_come_by_themselves() {
    let mut said = Conversation::begun(ALL.width, ALL.height);
    said.desktop(&ServerMessage::EndOfContinuousUpdates);
    said.viewer(&ClientMessage::ContinuousUpdates { enable: true, area: ALL });
    said.fill(ALL, 5, Encoding::RAW);
    said.viewer(&ClientMessage::ContinuousUpdates { enable: false, area: ALL });
    said.viewer(&ClientMessage::SetPixelFormat(PixelFormat::RGBX));
    said.viewer(&ClientMessage::ContinuousUpdates { enable: true, area: ALL });
    // On its way already.
    said.fill(Area::new(0, 0, 9, 9), 200, Encoding::RAW);
    said.desktop(&ServerMessage::EndOfContinuousUpdates);
    said.set_format(PixelFormat::RGBX);
    said.fill(Area::new(9, 9, 9, 9), 100, Encoding::RAW);
    let (mut tee, mut capture) = both(often());
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, usize::MAX), Following::Yes);
    capture.finish(Moment(0)).expect("a reel takes all");
    assert_same(capture.sink().screen().as_ref(), &said.screen);
}

#[test]
fn a_format_that_may_hold_or_not_ends_it() {
    let mut said = Conversation::begun(ALL.width, ALL.height);
    said.fill(ALL, 5, Encoding::RAW);
    // The same again means nothing.
    said.viewer(&ClientMessage::SetPixelFormat(PixelFormat::BGRX));
    let (mut tee, mut capture) = both(often());
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.take(), 99), Following::Yes);
    said.viewer(&ClientMessage::SetPixelFormat(PixelFormat::RGBX));
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, 99), Following::No);
    assert_eq!(tee.ended(), Some(&TeeEnd::Format));
    assert_eq!(gaps(capture.sink()).len(), 1);
}

#[test]
fn the_end_of_a_connection_is_a_gap_with_a_reason() {
    let ends = |expected: &str, end: &mut dyn FnMut(&mut Conversation, &mut Tee, &mut Capture<Reel>)| {
        let mut said = Conversation::begun(ALL.width, ALL.height);
        said.fill(ALL, 5, Encoding::RAW);
        let (mut tee, mut capture) = both(Options { frames_per_second: 1, ..Options::default() });
        assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.take(), 99), Following::Yes);
        said.fill(Area::new(1, 1, 9, 9), 6, Encoding::RAW);
        assert_eq!(follow(&mut tee, &mut capture, Moment(9), &said.take(), 99), Following::Yes);
        end(&mut said, &mut tee, &mut capture);
        let _ = follow(&mut tee, &mut capture, Moment(10), &said.take(), 99);
        let found = gaps(capture.sink());
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
        // What was seen last is kept before it.
        let scenes = &capture.sink().scenes;
        assert!(matches!(scenes[scenes.len() - 2].1, Kept::Patch { .. }), "{expected}");
        assert_eq!(
            tee.take(Moment(11), Side::Desktop, 0, &[2], &mut capture).expect("a reel"),
            Following::No
        );
        // Another connection goes on with the same recording.
        let mut again = Conversation::begun(ALL.width, ALL.height);
        again.fill(ALL, 9, Encoding::ZRLE);
        let mut tee = Tee::new(capture.options());
        let at = Moment(9_000_000);
        assert_eq!(follow(&mut tee, &mut capture, at, &again.pieces, 99), Following::Yes);
        assert_same(capture.sink().screen().as_ref(), &again.screen);
    };
    ends("1234 bytes of the desktop were lost", &mut |_, tee, capture| {
        let taken = tee.take(Moment(9), Side::Desktop, 1234, &[], capture).expect("a reel takes all");
        assert_eq!(taken, Following::No);
    });
    ends("1 bytes of the viewer were lost", &mut |_, tee, capture| {
        assert_eq!(tee.take(Moment(9), Side::Viewer, 1, &[], capture).expect("a reel"), Following::No);
    });
    ends("found encoding 21", &mut |said, _, _| said.rect(ALL, Encoding(21), &[0; 900]));
    ends("the right of a rectangle", &mut |said, _, _| {
        said.rect(Area::new(59, 0, 2, 1), Encoding::RAW, &[0; 8]);
    });
    ends("the type of a server's message", &mut |said, _, _| {
        said.pieces.push((Side::Desktop, vec![99; 9]));
    });
    ends("the type of a client's message", &mut |said, _, _| {
        said.pieces.push((Side::Viewer, vec![99; 9]));
    });
    ends("the connection ended: the viewer went", &mut |_, tee, capture| {
        tee.closed(Moment(9), "the viewer went", capture).expect("a reel takes all");
        tee.closed(Moment(9), "again", capture).expect("a reel takes all");
    });
}

#[test]
fn what_cannot_be_followed_from_the_beginning_says_so() {
    let (mut tee, mut capture) = both(often());
    assert_eq!(tee.joined(Moment(0), &mut capture).expect("a reel takes all"), Following::No);
    assert_eq!(tee.ended(), Some(&TeeEnd::Late));
    for version in [Version::V3_3, Version::V3_8] {
        let mut said = Conversation::new(ALL.width, ALL.height);
        said.handshake(version, SecurityType::VENCRYPT);
        let (mut tee, mut capture) = both(often());
        assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, 3), Following::No);
        assert!(matches!(tee.ended(), Some(TeeEnd::Opaque(_))), "{:?}", tee.ended());
        assert!(gaps(capture.sink())[0].contains("VeNCrypt"), "{:?}", gaps(capture.sink()));
    }
}

#[test]
fn what_is_kept_of_a_message_is_bounded() {
    let mut said = Conversation::begun(ALL.width, ALL.height);
    said.fill(ALL, 5, Encoding::RAW);
    let (mut tee, mut capture) = both(Options { most_buffered: 4_000, ..often() });
    // As a whole it need not be kept.
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, usize::MAX), Following::Yes);
    assert!(tee.memory() < 4_096, "{}", tee.memory());
    said.take();
    said.fill(ALL, 6, Encoding::RAW);
    assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, 100), Following::No);
    let expected = TeeEnd::TooLong { from: Side::Desktop, bytes: 12 + 60 * 50 * 4, most: 4_000 };
    assert_eq!(tee.ended(), Some(&expected));
    assert_eq!(tee.memory(), 0);
}

#[test]
fn bytes_that_are_kept_as_they_are_make_the_same_pictures() {
    let mut said = Conversation::begun(ALL.width, ALL.height);
    for kind in 0..8 {
        said.screen.write(ALL, content(kind, ALL.width, ALL.height, 9).pixels()).expect("inside");
        said.update(ALL, Encoding::TIGHT);
    }
    said.viewer(&ClientMessage::Key { down: true, symbol: 0x61 });
    said.viewer(&ClientMessage::Pointer { buttons: 1, more: None, x: 3, y: 4 });
    said.desktop(&ServerMessage::CutText(streamspace_rfb::message::CutText::Plain(b"secret")));
    said.fill(Area::new(1, 1, 5, 5), 6, Encoding::ZRLE);
    let everything = Options { input: Input::Full, clipboard: Clipboard::Text, ..often() };
    for (options, keys, texts) in
        [(everything.clone(), 1, 1), (Options { input: Input::Metadata, ..often() }, 1, 0), (often(), 0, 0)]
    {
        let (mut wire, mut reel) = (WireTee::new(&options).expect("it fits"), Reel::default());
        for (index, (from, bytes)) in said.pieces.iter().enumerate() {
            for piece in bytes.chunks(701) {
                let at = Moment(index as u64 * 2_000);
                let taken = wire.take(at, *from, 0, piece, &mut reel).expect("a reel takes all");
                assert_eq!(taken, Following::Yes, "{:?}", wire.ended());
            }
        }
        assert!(reel.scenes.iter().all(|(_, scene)| matches!(scene, Kept::Wire { .. })));
        let secret = reel.count(|scene| match scene {
            Kept::Wire { bytes, .. } => bytes.windows(6).any(|part| part == b"secret"),
            _ => false,
        });
        assert_eq!(secret, texts);
        // Whatever is wanted of it afterwards, there is no more in it.
        let mut capture = Capture::new(Reel::default(), everything.clone());
        decode_wire(&mut reel, &mut capture).expect("reels");
        let decoded = capture.into_sink();
        assert_same(decoded.screen().as_ref(), &said.screen);
        assert_eq!(gaps(&decoded), [""; 0]);
        let key = |keysym| decoded.count(|scene| *scene == Kept::Key { down: true, keysym });
        assert_eq!(decoded.count(|scene| matches!(scene, Kept::Key { .. })), keys);
        assert_eq!(key(Some(0x61)), usize::from(options.input == Input::Full));
        assert_eq!(decoded.count(|scene| matches!(scene, Kept::Clipboard { .. })), texts);
    }
    let redact = vec![ALL];
    assert!(WireTee::new(&Options { redact, ..often() }).is_err(), "nothing can be redacted in it");
}

#[test]
fn connections_that_are_kept_as_they_are_stand_behind_gaps() {
    let mut reel = Reel::default();
    for red in [3_u8, 4] {
        let mut said = Conversation::begun(ALL.width, ALL.height);
        said.fill(ALL, red, Encoding::ZRLE);
        let mut wire = WireTee::new(&often()).expect("it fits");
        for (from, bytes) in &said.pieces {
            assert_eq!(
                wire.take(Moment(red.into()), *from, 0, bytes, &mut reel).expect("a reel"),
                Following::Yes
            );
        }
        if red == 3 {
            assert_eq!(
                wire.take(Moment(3), Side::Desktop, 99, &[], &mut reel).expect("a reel"),
                Following::No
            );
            assert_eq!(
                wire.take(Moment(3), Side::Desktop, 0, &[1], &mut reel).expect("a reel"),
                Following::No
            );
        } else {
            wire.closed(Moment(7), "the viewer went", &mut reel).expect("a reel takes all");
        }
    }
    let mut capture = Capture::new(Reel::default(), often());
    decode_wire(&mut reel, &mut capture).expect("reels");
    let kinds: Vec<_> = capture
        .sink()
        .scenes
        .iter()
        .map(|(_, scene)| match scene {
            Kept::Picture { pixels, .. } => format!("picture {}", pixels[0][0]),
            Kept::Gap(why) => why.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    let lost = "99 bytes of the desktop were lost: what follows cannot be decoded";
    assert_eq!(kinds, ["picture 3", lost, "picture 4", "the connection ended: the viewer went"]);
}

/// What both said, with some of it damaged.
fn damaged() -> impl Strategy<Value = Vec<(Side, Vec<u8>)>> {
    let encodings = [Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT];
    let changes = proptest::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
        0..6,
    );
    (prop::sample::select(encodings.to_vec()), 0..8_u8, changes).prop_map(|(encoding, kind, changes)| {
        let mut said = Conversation::begun(32, 24);
        let all = said.screen.area();
        said.screen.write(all, content(kind, 32, 24, 1).pixels()).expect("inside");
        said.update(all, encoding);
        said.fill(Area::new(1, 1, 20, 20), 4, encoding);
        said.copy((0, 0), Area::new(4, 4, 20, 20));
        let mut pieces = said.take();
        for (piece, byte, value) in changes {
            let piece = piece.index(pieces.len());
            let bytes = &mut pieces[piece].1;
            let byte = byte.index(bytes.len());
            bytes[byte] = value;
        }
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_streams_end_with_a_reason_at_most(pieces in damaged(), most in 1_usize..900) {
        // Damage may ask for a screen of another size; the limits hold it small here.
        let limits = streamspace_rfb::Limits { pixels: 1 << 16, ..Options::LIMITS };
        let options = Options { limits, most_buffered: 1 << 18, ..often() };
        let (mut tee, mut capture) = both(options);
        let following = follow(&mut tee, &mut capture, Moment(0), &pieces, most);
        prop_assert_eq!(following == Following::No, tee.ended().is_some());
        prop_assert!(tee.memory() <= 1 << 20);
        capture.finish(Moment(1)).expect("a reel takes all");
        // What was kept can be shown.
        capture.sink().screen();
    }

    #[test]
    fn garbage_ends_with_a_reason_at_most(
        pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..9),
        begun in any::<bool>(),
    ) {
        let (mut tee, mut capture) = both(often());
        if begun {
            let said = Conversation::begun(16, 16);
            prop_assert_eq!(follow(&mut tee, &mut capture, Moment(0), &said.pieces, 9), Following::Yes);
        }
        let side = |desktop| if desktop { Side::Desktop } else { Side::Viewer };
        let pieces: Vec<_> = pieces.into_iter().map(|(desktop, bytes)| (side(desktop), bytes)).collect();
        let _ = follow(&mut tee, &mut capture, Moment(0), &pieces, usize::MAX);
        capture.finish(Moment(1)).expect("a reel takes all");
    }
}
