//! The server's side of RFB, without a connection.

use std::{collections::VecDeque, time::Duration};

use proptest::prelude::*;
use streamspace_rfb::{
    Area, Encoding, Framebuffer, Limits, Pixel, PixelFormat,
    message::{ClientMessage, CutText, Fence, Screens, Version},
};
use streamspace_session_recorder::{
    replay::{Player, Viewer, ViewerError},
    scene::Moment,
};

use crate::{
    desktop::desktop,
    recording::{Kept, Maker, Recording, SECOND, at_work, cursor, slowly},
    watcher::Watcher,
};

/// A viewer of a recording, and what it is connected with: nothing but memory.
struct Desk {
    player: Player<Recording>,
    viewer: Viewer,
    watcher: Watcher,
    out: Vec<u8>,
    keys: VecDeque<u32>,
    now: Duration,
    /// Bytes that pass at once.
    piece: usize,
    /// The longest update.
    most: usize,
}

impl Desk {
    fn new(recording: &Recording, version: Version, piece: usize) -> Self {
        let mut out = Vec::new();
        Self {
            player: Player::new(recording.clone(), Limits::default()).expect("it begins"),
            viewer: Viewer::new("Recording 7", &mut out),
            watcher: Watcher::new(version),
            out,
            keys: VecDeque::new(),
            now: Duration::ZERO,
            piece,
            most: 0,
        }
    }

    /// Passes what there is, in both directions, until nobody has anything to say.
    fn settle(&mut self) -> Result<(), ViewerError> {
        loop {
            self.viewer.look(self.player.screen_mut());
            let (cursor, version) = (self.player.cursor(), self.player.cursor_version());
            self.viewer.update(self.player.screen(), cursor, version, &mut self.out)?;
            if self.out.is_empty() && self.watcher.out.is_empty() {
                return Ok(());
            }
            self.most = self.most.max(self.out.len());
            for piece in std::mem::take(&mut self.out).chunks(self.piece) {
                self.watcher.hear(piece);
            }
            let said: Vec<u8> = self.watcher.out.drain(..).collect();
            for piece in said.chunks(self.piece) {
                self.viewer.receive(piece, &mut self.out, &mut self.keys)?;
            }
        }
    }

    /// Until the handshake is over; what it wants, and that it asks for the first update.
    fn begin(&mut self, format: PixelFormat, encodings: &[Encoding]) {
        self.settle().expect("the handshake");
        assert!(self.watcher.is_ready() && self.viewer.is_ready());
        self.watcher.want(format, encodings);
        self.watcher.ask(false);
        self.settle().expect("the first update");
    }

    fn play_to(&mut self, moment: u64) {
        self.player.play(self.now);
        while self.player.position() < Moment(moment) && self.player.is_playing() {
            self.now += Duration::from_millis(300);
            self.player.advance(self.now).expect("it plays");
            self.settle().expect("it is served");
        }
    }
}

const SIZES: [Encoding; 2] = [Encoding::DESKTOP_SIZE, Encoding::EXTENDED_DESKTOP_SIZE];

fn formats() -> Vec<PixelFormat> {
    let big = |format: PixelFormat| PixelFormat { big_endian: true, ..format };
    let deep = PixelFormat { depth: 30, shift: [20, 10, 0], max: [1023; 3], ..PixelFormat::BGRX };
    vec![
        PixelFormat::BGRX,
        PixelFormat::RGBX,
        big(PixelFormat::RGBX),
        deep,
        PixelFormat::RGB565,
        big(PixelFormat::RGB565),
        PixelFormat::BGR233,
        PixelFormat::MAPPED,
        PixelFormat { bits: 16, depth: 16, ..PixelFormat::MAPPED },
    ]
}

/// What is left of pixels in a format.
fn lossy(screen: &Framebuffer, format: PixelFormat) -> Vec<Pixel> {
    let max = if format.true_colour { format.max } else { PixelFormat::BGR233.max };
    let colour = |value: u8, max: u16| {
        let (value, max) = (u32::from(value), u32::from(max));
        let there = (value * max + 127) / 255;
        match format.true_colour {
            true => ((there * 510 + max) / (2 * max)) as u8,
            false => ((there * 65_535 / max) >> 8) as u8,
        }
    };
    let pixel = |pixel: &Pixel| {
        let [red, green, blue] = [0, 1, 2].map(|i| colour(pixel[i], max[i]));
        [red, green, blue, 255]
    };
    screen.pixels().iter().map(pixel).collect()
}

#[test]
fn the_last_picture_is_exact_in_every_encoding_and_format() {
    let (recording, last) = at_work(5, Some(3), 1);
    for encoding in [Encoding::TIGHT, Encoding::ZRLE, Encoding::HEXTILE, Encoding::RAW] {
        for format in formats() {
            let mut desk = Desk::new(&recording, Version::V3_8, 1_000);
            desk.begin(format, &[Encoding::COPY_RECT, encoding, Encoding::DESKTOP_SIZE]);
            assert_eq!(desk.watcher.name, "Recording 7");
            desk.play_to(u64::MAX);
            assert!(desk.player.is_at_end());
            assert!(desk.watcher.screen.pixels() == lossy(&last, format), "{encoding} {format:?}");
            let others = |seen: &&Encoding| **seen != encoding && **seen != Encoding::DESKTOP_SIZE;
            assert_eq!(desk.watcher.seen.iter().find(others), None);
            assert!(desk.watcher.updates > 5);
        }
    }
}

#[test]
fn every_version_and_pieces_of_one_byte() {
    let (recording, last) = at_work(2, Some(1), 2);
    for version in [Version::V3_3, Version::V3_7, Version::V3_8] {
        let mut desk = Desk::new(&recording, version, 1);
        desk.begin(PixelFormat::BGRX, &[Encoding::TIGHT, Encoding::EXTENDED_DESKTOP_SIZE]);
        desk.play_to(u64::MAX);
        assert!(desk.watcher.screen.pixels() == last.pixels(), "{version:?}");
    }
}

#[test]
fn wherever_it_goes_the_viewer_sees_it() {
    let (recording, _) = at_work(8, Some(4), 3);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    let encodings = [Encoding::ZRLE, Encoding::DESKTOP_SIZE, Encoding::CURSOR];
    desk.begin(PixelFormat::RGBX, &encodings);
    for moment in [7 * SECOND, 0, 3 * SECOND, 8 * SECOND, 4_100_000, 3_900_000, 3_900_001, 12] {
        desk.player.seek(Moment(moment), desk.now).expect("there");
        desk.settle().expect("it is served");
        let (screen, cursor) = slowly(&recording, moment);
        assert!(desk.watcher.screen.pixels() == screen.pixels(), "at {moment}");
        if let Some(cursor) = cursor {
            assert_eq!(desk.watcher.cursor, Some(cursor), "at {moment}");
        }
    }
}

#[test]
fn a_viewer_that_cannot_have_another_size_sees_what_fits() {
    let mut maker = Maker::new(desktop(100, 80, 1));
    maker.screen = desktop(70, 120, 2);
    maker.picture(SECOND);
    maker.screen = desktop(200, 200, 3);
    maker.picture(2 * SECOND);
    let mut desk = Desk::new(&maker.recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &[Encoding::HEXTILE]);
    for moment in [0, SECOND, 2 * SECOND, SECOND, 0] {
        desk.player.seek(Moment(moment), desk.now).expect("there");
        desk.settle().expect("it is served");
        let (shown, seen) = (slowly(&maker.recording, moment).0, &desk.watcher.screen);
        assert_eq!((seen.width(), seen.height()), (100, 80));
        for (y, x) in (0..80).flat_map(|y| (0..100_usize).map(move |x| (y, x))) {
            let expected = shown.row(y).get(x).copied().unwrap_or([0, 0, 0, 255]);
            assert_eq!(seen.row(y)[x], expected, "{x},{y} at {moment}");
        }
    }
}

#[test]
fn what_the_pointer_looks_like_comes_as_the_viewer_takes_it() {
    let half = streamspace_rfb::Cursor {
        pixels: vec![[200, 100, 50, 255], [0; 4]],
        width: 2,
        height: 1,
        x: 0,
        y: 0,
    };
    let mut maker = Maker::new(desktop(60, 40, 1));
    maker.cursor(SECOND, Some(cursor(3)));
    maker.cursor(2 * SECOND, Some(half.clone()));
    maker.cursor(3 * SECOND, None);
    for shape in [Encoding::CURSOR, Encoding::CURSOR_WITH_ALPHA, Encoding::VMWARE_CURSOR] {
        let mut desk = Desk::new(&maker.recording, Version::V3_8, 4_096);
        desk.begin(PixelFormat::BGRX, &[Encoding::RAW, shape]);
        assert_eq!(desk.watcher.cursor, None);
        for (moment, expected) in
            [(SECOND, Some(cursor(3))), (2 * SECOND, Some(half.clone())), (3 * SECOND, None)]
        {
            desk.player.seek(Moment(moment), desk.now).expect("there");
            desk.settle().expect("it is served");
            let expected = expected.unwrap_or_default();
            assert_eq!(desk.watcher.cursor.as_ref(), Some(&expected), "{shape}");
        }
    }
}

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let (recording, last) = at_work(6, None, 5);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.watcher.asks = false;
    desk.begin(PixelFormat::BGRX, &[Encoding::RAW]);
    let updates = desk.watcher.updates;
    desk.play_to(u64::MAX);
    assert_eq!(desk.watcher.updates, updates);
    assert!(desk.viewer.is_behind());
    desk.watcher.ask(true);
    desk.settle().expect("one update");
    assert_eq!(desk.watcher.updates, updates + 1);
    assert!(desk.watcher.screen.pixels() == last.pixels(), "all that has changed is in it");
    assert!(!desk.viewer.is_behind());
    desk.watcher.ask(true);
    desk.settle().expect("nothing");
    assert_eq!(desk.watcher.updates, updates + 1, "nothing has changed");
    desk.watcher.ask(false);
    desk.settle().expect("all of it");
    assert_eq!(desk.watcher.updates, updates + 2);
    // The screen raw, its head, and heads of rectangles.
    assert!(desk.most < last.pixels().len() * 4 * 2, "{}", desk.most);
}

#[test]
fn a_viewer_may_ask_for_a_part() {
    let (recording, last) = at_work(4, None, 6);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.watcher.asks = false;
    desk.settle().expect("the handshake");
    desk.watcher.want(PixelFormat::BGRX, &[Encoding::ZRLE]);
    desk.play_to(u64::MAX);
    let all = desk.watcher.screen.area();
    let (left, right) = (Area::new(0, 0, 100, all.height), Area::new(100, 0, all.width - 100, all.height));
    for part in [left, right] {
        desk.watcher.say(&ClientMessage::UpdateRequest { incremental: true, area: part });
        desk.settle().expect("a part");
    }
    assert!(desk.watcher.screen.pixels() == last.pixels());
    let updates = desk.watcher.updates;
    desk.watcher.ask(true);
    desk.settle().expect("nothing is left");
    assert_eq!(desk.watcher.updates, updates);
}

#[test]
fn updates_without_requests_stop_at_fences_that_are_not_answered() {
    let (recording, last) = at_work(9, None, 7);
    let encodings = [Encoding::ZRLE, Encoding::FENCE, Encoding::CONTINUOUS_UPDATES];
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &encodings);
    assert!(desk.watcher.continuous);
    desk.watcher.answers_fences = false;
    let updates = desk.watcher.updates;
    desk.play_to(u64::MAX);
    assert_eq!(desk.watcher.updates, updates + Viewer::FENCES);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &encodings);
    desk.play_to(u64::MAX);
    assert!(desk.watcher.screen.pixels() == last.pixels());
    assert!(desk.watcher.updates > 2 * Viewer::FENCES);
}

#[test]
fn fences_are_answered_and_wishes_are_refused() {
    let (recording, _) = at_work(1, None, 8);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &[&SIZES[..], &[Encoding::FENCE]].concat());
    assert_eq!(desk.watcher.fences, 1, "it says that it has fences");
    let flags = Fence::REQUEST | Fence::SYNC;
    let fence = ClientMessage::Fence(Fence { flags, payload: b"mine" });
    desk.viewer.receive(&fence.to_bytes(), &mut desk.out, &mut desk.keys).expect("a fence");
    let mut answer = vec![248, 0, 0, 0];
    answer.extend(Fence::SYNC.to_be_bytes());
    answer.push(4);
    answer.extend(b"mine");
    assert_eq!(std::mem::take(&mut desk.out), answer);
    let screens = Screens::from_bytes(&[]);
    desk.watcher.say(&ClientMessage::SetDesktopSize { width: 10, height: 10, screens });
    desk.watcher.say(&ClientMessage::CutText(CutText::Plain(b"secret")));
    desk.watcher.say(&ClientMessage::Pointer { buttons: 1, more: None, x: 3, y: 4 });
    desk.watcher.press(0x20);
    desk.settle().expect("it is served");
    assert_eq!(desk.watcher.wishes_refused, 1);
    assert_eq!(desk.keys, [0x20]);
}

#[test]
fn a_security_type_that_was_not_offered_is_refused_with_a_reason() {
    let (recording, _) = at_work(1, None, 9);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.out.clear();
    let refused = desk.viewer.receive(b"RFB 003.008\n\x02", &mut desk.out, &mut desk.keys);
    assert_eq!(refused, Err(ViewerError::Security(2)));
    assert!(desk.out.ends_with(b"was not offered"));
}

#[test]
fn what_is_kept_of_a_viewer_is_bounded() {
    let (recording, _) = at_work(1, None, 10);
    let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &[]);
    let mut receive = |bytes: &[u8]| {
        let taken = desk.viewer.receive(bytes, &mut desk.out, &mut desk.keys);
        (taken, desk.viewer.kept())
    };
    // A clipboard that is too long is refused before it is there.
    let mut text = vec![6, 0, 0, 0];
    text.extend(Viewer::MESSAGE.to_be_bytes());
    assert_eq!(receive(&text), (Ok(()), 8));
    for _ in 0..Viewer::MESSAGE / 4_096 {
        assert!(receive(&[7; 4_096]).1 <= Viewer::MESSAGE as usize + 8);
    }
    assert_eq!(receive(&[]).1, 0);
    // Wishes that are not waited for cost nothing.
    let format = ClientMessage::SetPixelFormat(PixelFormat::MAPPED).to_bytes();
    let ask = ClientMessage::UpdateRequest { incremental: false, area: Area::new(0, 0, 9, 9) }.to_bytes();
    assert_eq!(receive(&[format, ask].concat().repeat(50_000)), (Ok(()), 0));
    assert_eq!(desk.out.len(), 0);
    text[4..].copy_from_slice(&(Viewer::MESSAGE + 1).to_be_bytes());
    let refused = desk.viewer.receive(&text, &mut desk.out, &mut desk.keys);
    assert!(matches!(refused, Err(ViewerError::Garbage(_))), "{refused:?}");
}

#[test]
fn a_bell_rings_at_the_viewer() {
    let mut maker = Maker::new(desktop(20, 20, 1));
    maker.put(SECOND, Kept::Bell);
    let mut desk = Desk::new(&maker.recording, Version::V3_8, 4_096);
    desk.begin(PixelFormat::BGRX, &[]);
    desk.player.play(desk.now);
    assert!(desk.player.advance(Duration::from_secs(1)).expect("it plays").bell);
    desk.viewer.ring(&mut desk.out);
    desk.settle().expect("it is served");
    assert_eq!(desk.watcher.bells, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn garbage_is_refused_and_nothing_else(
        begun: bool,
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20),
        first in prop::sample::select(vec![0_u8, 2, 3, 4, 5, 6, 150, 248, 250, 251, 255]),
    ) {
        let recording = Maker::new(desktop(20, 20, 1)).recording;
        let mut desk = Desk::new(&recording, Version::V3_8, 4_096);
        if begun {
            desk.begin(PixelFormat::BGRX, &[Encoding::TIGHT]);
            let _ = desk.viewer.receive(&[first], &mut desk.out, &mut desk.keys);
        }
        for piece in pieces {
            let taken = desk.viewer.receive(&piece, &mut desk.out, &mut desk.keys);
            desk.viewer.look(desk.player.screen_mut());
            let updated = desk.viewer.update(desk.player.screen(), None, 0, &mut desk.out);
            prop_assert!(updated.is_ok());
            prop_assert!(desk.viewer.kept() < 2_000 && desk.out.len() < 100_000);
            if taken.is_err() {
                break;
            }
        }
    }
}
