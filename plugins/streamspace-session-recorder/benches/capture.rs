//! What it costs to make scenes of a session's stream, beside decoding the same bytes and nothing more.
//!
//! ```sh
//! cargo bench -p streamspace-session-recorder --bench capture
//! ```
//!
//! The bytes are those of one viewer's connection from its first one on, in pieces of 32 KiB, as a relay reads them. The sink looks
//! at the first and the last pixel of what it is given: what keeping it costs is not measured here. A session has been seen once
//! before it is measured, but for its memory.

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[expect(dead_code, reason = "the suites use more of it")]
mod desktop;
mod support {
    pub(crate) mod said;
}

use std::{convert::Infallible, hint::black_box, sync::LazyLock, time::Duration};

use desktop::{Random, desktop, picture};
use divan::{
    AllocProfiler, Bencher,
    counter::{BytesCount, ItemsCount},
};
use streamspace_rfb::{
    Area, Decoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{Progress, ServerMessage, ServerParser},
};
use streamspace_session_recorder::{
    capture::{Capture, Clipboard, Following, Input, Options, Tee, WireTee},
    scene::{Moment, Scene, Side, Sink},
};

use self::support::said::{PIECE, Said};

/// Tells what is allocated, too.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
const ALL: Area = Area::new(0, 0, WIDTH, HEIGHT);
/// A window, whose rows do not lie behind each other.
const WINDOW: Area = Area::new(320, 180, 1280, 720);
const UPDATES: usize = 8;
const LINES: usize = 500;

fn main() {
    divan::main();
}

/// Looks at what it is given.
struct Look;

impl Sink for Look {
    type Error = Infallible;

    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Infallible> {
        match scene {
            Scene::Picture { pixels, .. } | Scene::Patch { pixels, .. } => {
                black_box((at, pixels.first(), pixels.last()));
            }
            Scene::Wire { bytes, .. } => {
                black_box((at, bytes.first(), bytes.last()));
            }
            other => {
                black_box((at, other));
            }
        }
        Ok(())
    }
}

/// Two screens in turn: windows with text, a thirty-sixth of the area a photograph.
static SCREENS: LazyLock<Vec<Framebuffer>> =
    LazyLock::new(|| (0..2).map(|seed| desktop(WIDTH, HEIGHT, seed)).collect());

/// The same, with a film in the window.
static FILM: LazyLock<Vec<Framebuffer>> = LazyLock::new(|| {
    let draw = |seed| {
        let mut screen = desktop(WIDTH, HEIGHT, seed);
        picture(&mut screen, WINDOW, &mut Random::new(seed + 1));
        screen
    };
    (0..2).map(draw).collect()
});

/// The whole screen, over and over.
fn whole(encoding: Encoding) -> Said {
    Said::new(encoding, SCREENS.iter().cycle().take(UPDATES + 1).map(|screen| (screen, ALL)))
}

/// A screen, and then a window on it.
fn window(encoding: Encoding) -> Said {
    let window = FILM.iter().cycle().skip(1).take(UPDATES).map(|screen| (screen, WINDOW));
    Said::new(encoding, [(&FILM[0], ALL)].into_iter().chain(window))
}

/// A screen, and then lines of text on it, one by one.
fn lines(encoding: Encoding) -> Said {
    let line = |index: usize| Area::new(200, 100 + (index % 70) as u16 * 12, 600, 12);
    let lines = SCREENS.iter().cycle().take(LINES).enumerate().map(|(index, screen)| (screen, line(index)));
    Said::new(encoding, [(&SCREENS[0], ALL)].into_iter().chain(lines))
}

const CONTENTS: [&str; 12] = [
    "whole raw",
    "whole hextile",
    "whole zrle",
    "whole tight",
    "window raw",
    "window hextile",
    "window zrle",
    "window tight",
    "lines raw",
    "lines hextile",
    "lines zrle",
    "lines tight",
];

fn said(name: &str) -> Said {
    let (content, encoding) = name.split_once(' ').expect("two words");
    let encoding = match encoding {
        "raw" => Encoding::RAW,
        "hextile" => Encoding::HEXTILE,
        "zrle" => Encoding::ZRLE,
        _ => Encoding::TIGHT,
    };
    match content {
        "whole" => whole(encoding),
        "window" => window(encoding),
        _ => lines(encoding),
    }
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, said: &Said) -> Bencher<'a, 'b> {
    bencher.counter(BytesCount::new(said.bytes())).counter(ItemsCount::new(said.updates.len() - 1))
}

/// A connection that is parsed and decoded, and that is all.
struct Bare {
    screen: Framebuffer,
    parser: ServerParser,
    decoder: Decoder,
}

impl Bare {
    fn new() -> Self {
        let limits = Limits::default();
        Self {
            screen: Framebuffer::new(WIDTH, HEIGHT, &limits).expect("within the limits"),
            parser: ServerParser::after_handshake(PixelFormat::BGRX, limits),
            decoder: Decoder::new(limits),
        }
    }

    fn take(&mut self, updates: &[Vec<u8>]) {
        let Self { screen, parser, decoder } = self;
        for mut bytes in updates.iter().map(Vec::as_slice) {
            while let Progress::Message { consumed, message } = parser.parse(bytes).expect("a message") {
                if let ServerMessage::Rect(rect) = &message {
                    decoder.apply(screen, rect).expect("it is decoded");
                }
                bytes = &bytes[consumed..];
            }
            screen.damage_mut().clear();
        }
    }
}

/// The floor. The whole updates are there at once.
#[divan::bench(args = CONTENTS)]
fn bare(bencher: Bencher<'_, '_>, name: &str) {
    let said = said(name);
    let begun = || {
        let mut bare = Bare::new();
        bare.take(&said.updates[..1]);
        bare
    };
    counted(bencher, &said).with_inputs(begun).bench_local_values(|mut bare| {
        bare.take(black_box(&said.updates[1..]));
        bare
    });
}

/// A connection that is followed.
struct Followed {
    tee: Tee,
    capture: Capture<Look>,
    at: Moment,
}

impl Followed {
    fn new(said: &Said, options: &Options) -> Self {
        let (tee, capture) = (Tee::new(options), Capture::new(Look, options.clone()));
        let mut followed = Self { tee, capture, at: Moment(0) };
        for (from, bytes) in &said.handshake {
            followed.piece(*from, bytes);
        }
        followed.take(&said.updates[..1]);
        followed
    }

    fn piece(&mut self, from: Side, piece: &[u8]) {
        let following = self.tee.take(self.at, from, 0, piece, &mut self.capture).expect("it takes all");
        assert_eq!(following, Following::Yes);
    }

    /// Updates come 25 times a second, so that each is kept.
    fn take(&mut self, updates: &[Vec<u8>]) {
        for bytes in updates {
            self.at.0 += 40_000;
            bytes.chunks(PIECE).for_each(|piece| self.piece(Side::Desktop, piece));
        }
    }
}

fn follow(bencher: Bencher<'_, '_>, name: &str, options: &Options) {
    let said = said(name);
    let begun = || Followed::new(&said, options);
    counted(bencher, &said).with_inputs(begun).bench_local_values(|mut followed| {
        followed.take(black_box(&said.updates[1..]));
        followed
    });
}

/// From bytes in pieces to scenes.
#[divan::bench(args = CONTENTS)]
fn tee(bencher: Bencher<'_, '_>, name: &str) {
    follow(bencher, name, &Options { frames_per_second: 30, ..Options::default() });
}

/// The same, with areas that are not to be seen, and a picture each second.
#[divan::bench(args = ["window zrle", "lines zrle"])]
fn tee_redacted(bencher: Bencher<'_, '_>, name: &str) {
    let redact = vec![Area::new(0, 0, WIDTH, 40), Area::new(400, 300, 300, 200)];
    let keyframe_interval = Duration::from_secs(1);
    follow(
        bencher,
        name,
        &Options { frames_per_second: 30, redact, keyframe_interval, ..Options::default() },
    );
}

/// What a session takes of memory, from its first byte on: the most that is allocated at a time.
#[divan::bench(args = CONTENTS, sample_count = 1, sample_size = 1)]
fn memory(bencher: Bencher<'_, '_>, name: &str) {
    let said = said(name);
    let options = Options { frames_per_second: 30, ..Options::default() };
    bencher.bench_local(|| {
        let mut followed = Followed::new(&said, &options);
        followed.take(black_box(&said.updates[1..]));
    });
}

fn wire(bencher: Bencher<'_, '_>, name: &str, options: Options) {
    let said = said(name);
    fn take(tee: &mut WireTee, from: Side, piece: &[u8]) {
        let following = tee.take(Moment(0), from, 0, piece, &mut Look).expect("it takes all");
        assert_eq!(following, Following::Yes);
    }
    let begun = || {
        let mut tee = WireTee::new(&options).expect("it fits");
        said.handshake.iter().for_each(|(from, bytes)| take(&mut tee, *from, bytes));
        said.updates[0].chunks(PIECE).for_each(|piece| take(&mut tee, Side::Desktop, piece));
        tee
    };
    counted(bencher, &said).with_inputs(begun).bench_local_values(|mut tee| {
        for bytes in black_box(&said.updates[1..]) {
            bytes.chunks(PIECE).for_each(|piece| take(&mut tee, Side::Desktop, piece));
        }
        tee
    });
}

/// Bytes as they are.
#[divan::bench(args = ["whole raw", "whole zrle"])]
fn wire_all(bencher: Bencher<'_, '_>, name: &str) {
    wire(bencher, name, Options { clipboard: Clipboard::Text, input: Input::Full, ..Options::default() });
}

/// Bytes as they are, but for input and clipboards.
#[divan::bench(args = ["whole raw", "whole hextile", "whole zrle", "whole tight"])]
fn wire_sifted(bencher: Bencher<'_, '_>, name: &str) {
    wire(bencher, name, Options::default());
}
