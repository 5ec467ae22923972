//! From what a desktop sends to scenes: what is kept, how often, and what is not.

mod support;

use std::time::Duration;

use streamspace_rfb::{
    Area, Encoding, PixelFormat,
    message::{ClientMessage, CutText, ServerMessage},
};
use streamspace_session_recorder::{
    capture::{Capture, Clipboard, Following, Input, Options, Tee},
    scene::{Moment, Side, Source},
};

use self::support::{
    conversation::{Conversation, assert_same, follow},
    desktop::content,
    reel::{Kept, Reel, show},
};

const WIDTH: u16 = 90;
const HEIGHT: u16 = 70;
const ENCODINGS: [Encoding; 4] = [Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT];

/// Something that is captured, with a clock that is set.
struct Session {
    said: Conversation,
    tee: Tee,
    capture: Capture<Reel>,
    now: Moment,
}

impl Session {
    fn new(options: Options) -> Self {
        Self {
            said: Conversation::begun(WIDTH, HEIGHT),
            tee: Tee::new(&options),
            capture: Capture::new(Reel::default(), options),
            now: Moment(0),
        }
    }

    fn at(&mut self, milliseconds: u64) -> &mut Self {
        self.now = Moment(milliseconds * 1_000);
        self
    }

    /// Has all captured that was said.
    fn hear(&mut self) -> Following {
        let pieces = self.said.take();
        follow(&mut self.tee, &mut self.capture, self.now, &pieces, usize::MAX)
    }

    fn fill(&mut self, area: Area, red: u8) {
        self.said.fill(area, red, Encoding::RAW);
        assert_eq!(self.hear(), Following::Yes, "{:?}", self.tee.ended());
    }

    fn reel(&self) -> &Reel {
        self.capture.sink()
    }

    fn pictures(&self) -> usize {
        self.reel().count(|scene| matches!(scene, Kept::Picture { .. }))
    }

    fn patches(&self) -> usize {
        self.reel().count(|scene| matches!(scene, Kept::Patch { .. }))
    }

    fn all(&self) -> Area {
        self.said.screen.area()
    }
}

fn often() -> Options {
    Options { frames_per_second: 1_000, ..Options::default() }
}

/// A conversation with all kinds of content.
fn long(encoding: Encoding, width: u16, height: u16) -> Conversation {
    let mut said = Conversation::begun(width, height);
    let all = said.screen.area();
    for kind in 0..8 {
        let drawn = content(kind, width, height, 3 + u64::from(kind));
        said.screen.write(all, drawn.pixels()).expect("inside");
        said.update(if kind == 0 { all } else { Area::new(3, 2, width - 5, height - 4) }, encoding);
        // What was not sent is not on the screen.
        if kind > 0 {
            said.update(all, Encoding::RAW);
        }
        said.copy((1, 2), Area::new(9, 4, width - 20, height - 20));
    }
    said
}

#[test]
fn the_last_state_is_that_of_the_desktop_in_every_encoding() {
    for encoding in ENCODINGS {
        let mut said = long(encoding, 301, 203);
        let pieces = said.take();
        let options = Options::default();
        let (mut tee, mut capture) = (Tee::new(&options), Capture::new(Reel::default(), options));
        for (index, piece) in pieces.iter().enumerate() {
            let at = Moment(index as u64 * 7_000);
            assert_eq!(
                follow(&mut tee, &mut capture, at, std::slice::from_ref(piece), usize::MAX),
                Following::Yes
            );
        }
        capture.finish(Moment(u64::MAX)).expect("a reel takes all");
        assert_same(capture.sink().screen().as_ref(), &said.screen);
        assert_same(capture.framebuffer(), &said.screen);
        assert!(capture.sink().count(|scene| matches!(scene, Kept::Patch { .. })) > 0);
    }
}

#[test]
fn scenes_are_the_same_wherever_the_stream_is_split() {
    for encoding in ENCODINGS {
        let pieces = long(encoding, 40, 36).take();
        let scenes = |most| {
            let options = often();
            let (mut tee, mut capture) = (Tee::new(&options), Capture::new(Reel::default(), options));
            for (index, piece) in pieces.iter().enumerate() {
                let at = Moment(index as u64 * 1_000);
                assert_eq!(
                    follow(&mut tee, &mut capture, at, std::slice::from_ref(piece), most),
                    Following::Yes
                );
            }
            capture.into_sink()
        };
        let whole = scenes(usize::MAX);
        assert!(whole.scenes.len() > 20);
        for most in [1, 2, 3, 5, 64, 1000] {
            assert!(scenes(most) == whole, "{encoding}, pieces of {most}");
        }
    }
}

#[test]
fn what_comes_too_often_is_kept_once() {
    let mut session = Session::new(Options { frames_per_second: 10, ..Options::default() });
    let area = Area::new(4, 4, 10, 10);
    session.fill(session.all(), 9);
    assert_eq!((session.pictures(), session.patches()), (1, 0));
    for red in 0..50 {
        session.at(u64::from(red)).fill(area, red);
    }
    assert_eq!((session.pictures(), session.patches()), (1, 0), "less than 100 ms have passed");
    let due = session.capture.tick(Moment(50_000)).expect("a reel takes all");
    assert_eq!(due, Some(Moment(100_000)));
    assert_eq!(session.capture.tick(Moment(100_000)).expect("a reel takes all"), None);
    assert_eq!((session.pictures(), session.patches()), (1, 1));
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
    assert_eq!(session.capture.tick(Moment(900_000)).expect("a reel takes all"), None);
    assert_eq!(session.reel().scenes.len(), 2, "nothing has changed since");
}

#[test]
fn who_is_told_to_be_slower_keeps_less_and_then_as_much_as_before() {
    let mut session = Session::new(Options { frames_per_second: 10, ..Options::default() });
    let mut patches = |from: u64, slow_to: u64| {
        session.capture.slow_to(Duration::from_millis(slow_to));
        let before = session.patches();
        for red in 0..20 {
            session.at(from + u64::from(red) * 100).fill(Area::new(4, 4, 10, 10), red);
        }
        session.patches() - before
    };
    assert_eq!(patches(0, 0), 19, "and the picture at the beginning");
    assert_eq!(patches(2_000, 500), 4);
    assert_eq!(patches(4_000, 20), 20, "not more than the options say");
}

#[test]
fn a_clock_that_stands_still_loses_no_last_state() {
    let mut session = Session::new(Options::default());
    session.fill(session.all(), 9);
    for red in 0..200_u8 {
        session.fill(Area::new(u16::from(red) % 80, u16::from(red) % 60, 7, 5), red);
    }
    assert_eq!(session.reel().scenes.len(), 1, "all at the same moment");
    session.capture.finish(Moment(0)).expect("a reel takes all");
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
    assert!(session.patches() <= 32, "{} areas", session.patches());
}

#[test]
fn time_does_not_go_back() {
    let mut session = Session::new(often());
    let all = session.all();
    session.at(5_000).fill(all, 1);
    // The reel itself looks at the order.
    session.at(2_000).fill(Area::new(0, 0, 5, 5), 2);
    session.capture.finish(Moment(0)).expect("a reel takes all");
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
}

#[test]
fn a_picture_comes_now_and_then_while_something_changes() {
    let interval = Duration::from_secs(2);
    let mut session = Session::new(Options { keyframe_interval: interval, ..often() });
    session.fill(session.all(), 0);
    for second in 1..=10 {
        session.at(second * 1_000).fill(Area::new(1, 1, 4, 4), second as u8);
    }
    assert_eq!((session.pictures(), session.patches()), (6, 5));
    session.at(60_000);
    session.capture.tick(session.now).expect("a reel takes all");
    assert_eq!(session.pictures(), 6, "nothing has changed");
    // Whoever begins in the middle sees the same.
    let mut reel = session.reel().clone();
    reel.seek(Moment(7_500_000)).expect("a reel");
    let mut shown = None;
    while let Some((_, scene)) = reel.next().expect("a reel") {
        show(&mut shown, &scene);
    }
    assert_same(shown.as_ref(), &session.said.screen);
}

#[test]
fn another_size_is_another_picture() {
    let mut session = Session::new(often());
    session.fill(session.all(), 3);
    session.at(1_000).said.resize(120, 30);
    assert_eq!(session.hear(), Following::Yes);
    session.at(2_000).fill(Area::new(100, 0, 20, 30), 4);
    assert_eq!(session.pictures(), 2);
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
    session.at(3_000).said.resize(0, 7);
    assert_eq!(session.hear(), Following::Yes);
    assert_eq!(session.pictures(), 2, "there is no picture of nothing");
    session.at(4_000).said.resize(1, 1);
    assert_eq!(session.hear(), Following::Yes);
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
}

#[test]
fn nothing_is_kept_while_it_is_paused() {
    let options = Options { input: Input::Full, clipboard: Clipboard::Text, ..often() };
    let mut session = Session::new(options);
    session.fill(session.all(), 3);
    session.capture.pause(Moment(1_000)).expect("a reel takes all");
    session.capture.pause(Moment(1_000)).expect("a reel takes all");
    session.at(5).fill(Area::new(7, 7, 9, 9), 200);
    session.said.desktop(&ServerMessage::Bell);
    session.said.desktop(&ServerMessage::CutText(CutText::Plain(b"secret")));
    session.said.viewer(&ClientMessage::Key { down: true, symbol: 65 });
    session.said.viewer(&ClientMessage::Pointer { buttons: 1, more: None, x: 3, y: 4 });
    assert_eq!(session.hear(), Following::Yes);
    session.capture.tick(Moment(6_000)).expect("a reel takes all");
    session.capture.finish(Moment(6_500)).expect("a reel takes all");
    assert_eq!(session.reel().scenes.len(), 2);
    assert_eq!(session.reel().scenes[1], (Moment(1_000), Kept::Paused));
    session.capture.resume(Moment(7_000)).expect("a reel takes all");
    assert!(matches!(session.reel().scenes[2], (Moment(7_000), Kept::Picture { .. })));
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
    session.at(8).fill(Area::new(1, 1, 2, 2), 7);
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
}

#[test]
fn what_is_redacted_is_black_in_all_that_is_kept() {
    // One of them reaches beyond the screen, two overlap.
    let redact = vec![Area::new(10, 10, 20, 15), Area::new(25, 20, 30, 10), Area::new(80, 60, 500, 500)];
    let black = |x: u16, y: u16| redact.iter().any(|area| area.contains(&Area::new(x, y, 1, 1)));
    let options = Options { redact: redact.clone(), keyframe_interval: Duration::from_secs(3), ..often() };
    let mut session = Session::new(options);
    let check = |session: &Session| {
        let shown = session.reel().screen().expect("a screen");
        for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
            let expected = match black(x, y) {
                true => [0, 0, 0, 255],
                false => session.said.screen.row(y)[usize::from(x)],
            };
            assert_eq!(shown.row(y)[usize::from(x)], expected, "{x},{y}");
        }
        // What is decoded later builds on what is really there.
        assert_same(session.capture.framebuffer(), &session.said.screen);
    };
    session.fill(session.all(), 200);
    check(&session);
    for (second, area) in [
        Area::new(5, 5, 60, 40),
        Area::new(12, 12, 3, 3),
        Area::new(0, 12, WIDTH, 8),
        Area::new(79, 59, 11, 11),
        session.all(),
    ]
    .into_iter()
    .enumerate()
    {
        let second = second as u64 + 1;
        session.at(second * 1_000).fill(area, 200 + second as u8);
        check(&session);
    }
    let patches = session.patches();
    session.at(6_900).fill(Area::new(11, 11, 5, 5), 77);
    assert_eq!(session.patches(), patches, "all of it is black");
    // It is copied from where it cannot be seen to where it can, which is on the screen as well.
    session.at(6_950).said.copy((10, 10), Area::new(60, 40, 12, 12));
    assert_eq!(session.hear(), Following::Yes);
    check(&session);
}

#[test]
fn texts_are_kept_as_the_policy_says() {
    let kept = |clipboard| {
        let mut session = Session::new(Options { clipboard, ..often() });
        session.fill(session.all(), 3);
        session.said.desktop(&ServerMessage::CutText(CutText::Plain(b"caf\xe9")));
        session.said.viewer(&ClientMessage::CutText(CutText::Plain(b"ab")));
        assert_eq!(session.hear(), Following::Yes);
        let scenes = session.capture.into_sink().scenes;
        scenes.into_iter().skip(1).map(|(_, scene)| scene).collect::<Vec<_>>()
    };
    let scene =
        |from, length, text: Option<&str>| Kept::Clipboard { from, length, text: text.map(Into::into) };
    assert_eq!(kept(Clipboard::Off), []);
    assert_eq!(kept(Clipboard::Length), [scene(Side::Desktop, 4, None), scene(Side::Viewer, 2, None)]);
    assert_eq!(
        kept(Clipboard::Text),
        [scene(Side::Desktop, 4, Some("café")), scene(Side::Viewer, 2, Some("ab"))]
    );
}

#[test]
fn input_is_kept_as_the_policy_says() {
    let kept = |input| {
        let mut session = Session::new(Options { input, ..Options::default() });
        session.fill(session.all(), 3);
        session.said.viewer(&ClientMessage::Key { down: true, symbol: 0x61 });
        session.said.viewer(&ClientMessage::ExtendedKey { down: false, symbol: 0x61, code: 30 });
        // It moves, is pressed, and moves again.
        for x in 0..20 {
            session.said.viewer(&ClientMessage::Pointer { buttons: 0, more: None, x, y: 1 });
        }
        for x in 20..40 {
            session.said.viewer(&ClientMessage::Pointer { buttons: 1, more: None, x, y: 1 });
        }
        assert_eq!(session.hear(), Following::Yes);
        session.capture.finish(Moment(0)).expect("a reel takes all");
        let scenes = session.capture.into_sink().scenes;
        scenes.into_iter().skip(1).map(|(_, scene)| scene).collect::<Vec<_>>()
    };
    let scenes = |keysym| {
        [
            Kept::Key { down: true, keysym },
            Kept::Key { down: false, keysym },
            Kept::Pointer { x: 20, y: 1, buttons: 1 },
            Kept::Pointer { x: 39, y: 1, buttons: 1 },
        ]
    };
    assert_eq!(kept(Input::Off), []);
    assert_eq!(kept(Input::Metadata), scenes(None));
    assert_eq!(kept(Input::Full), scenes(Some(0x61)));
}

#[test]
fn the_pointers_shape_stands_behind_each_picture() {
    let mut session = Session::new(Options { keyframe_interval: Duration::from_secs(2), ..often() });
    session.fill(session.all(), 3);
    let payload: Vec<u8> = [[10, 20, 30, 0]; 4].concat().into_iter().chain([0xC0, 0x40]).collect();
    session.at(100).said.rect(Area::new(1, 0, 2, 2), Encoding::CURSOR, &payload);
    assert_eq!(session.hear(), Following::Yes);
    session.at(110).said.rect(Area::new(33, 44, 0, 0), Encoding::VMWARE_CURSOR_POSITION, &[]);
    assert_eq!(session.hear(), Following::Yes);
    session.at(200).fill(Area::new(0, 0, 9, 9), 4);
    session.at(3_000).fill(Area::new(0, 0, 9, 9), 5);
    let kinds: Vec<_> = session
        .reel()
        .scenes
        .iter()
        .map(|(_, scene)| match scene {
            Kept::Picture { .. } => "picture",
            Kept::Patch { .. } => "patch",
            Kept::Cursor(Some(cursor)) => {
                assert_eq!((cursor.x, cursor.y, cursor.pixels[0]), (1, 0, [30, 20, 10, 255]));
                assert_eq!(cursor.pixels[2], [0; 4], "it cannot be seen there");
                "cursor"
            }
            Kept::Pointer { x: 33, y: 44, buttons: 0 } => "pointer",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["picture", "cursor", "pointer", "patch", "picture", "cursor", "pointer"]);
}

#[test]
fn a_bell_that_does_not_stop_is_kept_now_and_then() {
    let mut session = Session::new(Options { frames_per_second: 10, ..Options::default() });
    for millisecond in 0..1_000 {
        session.at(millisecond).said.desktop(&ServerMessage::Bell);
        assert_eq!(session.hear(), Following::Yes);
    }
    assert_eq!(session.reel().count(|scene| *scene == Kept::Bell), 10);
}

#[test]
fn a_gap_of_the_callers_is_followed_by_a_picture() {
    let mut session = Session::new(often());
    session.fill(session.all(), 3);
    session.capture.gap(Moment(1_000), "the disk was full").expect("a reel takes all");
    assert_eq!(session.reel().scenes[1].1, Kept::Gap("the disk was full".into()));
    assert_same(session.reel().screen().as_ref(), &session.said.screen);
    session.capture.marker(Moment(1_500), "violation", "began").expect("a reel takes all");
    let marker = Kept::Marker { kind: "violation".into(), text: "began".into() };
    assert_eq!(session.reel().scenes.last(), Some(&(Moment(1_500), marker)));
}

#[test]
fn an_update_without_an_end_is_kept_in_parts() {
    let mut session = Session::new(often());
    let (width, format) = (WIDTH, PixelFormat::BGRX);
    session.said.desktop(&ServerMessage::Update { rects: u16::MAX });
    assert_eq!(session.hear(), Following::Yes);
    for y in 0..HEIGHT {
        let payload = vec![y as u8; usize::from(width) * 4];
        let rect = streamspace_rfb::message::Rect {
            area: Area::new(0, y, width, 1),
            encoding: Encoding::RAW,
            format,
            payload: &payload,
            last: false,
        };
        session.at(u64::from(y) * 100).said.desktop(&ServerMessage::Rect(rect));
        assert_eq!(session.hear(), Following::Yes);
    }
    let first = session.reel().scenes.first().map(|(at, _)| *at);
    assert_eq!(first, Some(Moment(1_000_000)), "not before it is endless");
    assert!(session.reel().scenes.len() > 50);
    assert_eq!(session.reel().screen().expect("a screen").row(HEIGHT - 1)[0], [69, 69, 69, 255]);
}
