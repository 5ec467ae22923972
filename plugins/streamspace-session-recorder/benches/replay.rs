//! Replaying: seeking in a recording of an hour, and encoding anew what a viewer is sent, beside copying the same pixels.
//!
//! Throughput is of pixels as they are in memory, four bytes each. The recording of an hour is in memory: what reading costs is the
//! store's.

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the suites of streamspace-rfb")]
mod desktop;

use std::{collections::VecDeque, convert::Infallible, hint::black_box, sync::LazyLock, time::Duration};

use desktop::{Random, desktop};
use divan::{Bencher, counter::BytesCount};
use streamspace_rfb::{
    Area, Encoding, Framebuffer, Limits, Pixel, PixelFormat,
    message::{ClientMessage, Encodings, SecurityType, Version},
};
use streamspace_session_recorder::{
    replay::{Bounds, Player, Viewer, scaled, thumbnail},
    scene::{Moment, Scene, Source},
};

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
const SECOND: u64 = 1_000_000;

fn main() {
    divan::main();
}

/// Somebody at work for an hour at 1920x1080: four patches a second, of which one in twenty is large, and a picture every ten
/// seconds. Pictures are two that take turns, so that all of it fits into memory.
struct Hour {
    pictures: Vec<Framebuffer>,
    patches: Vec<Vec<Pixel>>,
    next: u64,
}

impl Hour {
    const STEP: u64 = SECOND / 4;
    const LENGTH: u64 = 3_600 * SECOND;
    const PICTURE: u64 = 40;

    fn new() -> Self {
        let pictures = SCREENS.clone();
        let random = &mut Random::new(7);
        let patches = [(640, 400), (200, 18), (8, 16), (64, 64), (320, 40)].iter();
        let patches = patches.map(|(width, height)| (0..width * height).map(|_| random.pixel()).collect());
        Self { pictures, patches: patches.collect(), next: 0 }
    }
}

impl Source for Hour {
    type Error = Infallible;

    fn length(&self) -> Moment {
        Moment(Self::LENGTH)
    }

    fn seek(&mut self, to: Moment) -> Result<(), Infallible> {
        let step = to.0.min(Self::LENGTH) / Self::STEP;
        self.next = step - step % Self::PICTURE;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Infallible> {
        let (step, at) = (self.next, Moment(self.next * Self::STEP));
        if at.0 > Self::LENGTH {
            return Ok(None);
        }
        self.next += 1;
        if step.is_multiple_of(Self::PICTURE) {
            let pixels = self.pictures[(step / Self::PICTURE % 2) as usize].pixels();
            return Ok(Some((at, Scene::Picture { width: WIDTH, height: HEIGHT, pixels })));
        }
        let (width, height, pixels) = match step % 20 {
            7 => (640, 400, &self.patches[0]),
            other => match other % 4 {
                0 => (200, 18, &self.patches[1]),
                1 => (8, 16, &self.patches[2]),
                2 => (64, 64, &self.patches[3]),
                _ => (320, 40, &self.patches[4]),
            },
        };
        let (x, y) = ((step * 37 % 1_200) as u16, (step * 91 % 600) as u16);
        Ok(Some((at, Scene::Patch { area: Area::new(x, y, width, height), pixels })))
    }
}

static SCREENS: LazyLock<Vec<Framebuffer>> =
    LazyLock::new(|| (0..2).map(|seed| desktop(WIDTH, HEIGHT, seed)).collect());

/// To moments all over an hour, each just before a picture: the longest way.
#[divan::bench]
fn seek_in_an_hour(bencher: Bencher<'_, '_>) {
    let mut player = Player::new(Hour::new(), Limits::default()).expect("it begins");
    let mut turn = 0_u64;
    bencher.bench_local(|| {
        turn += 1;
        let picture = turn * 97 % 359 + 1;
        let to = Moment(picture * Hour::PICTURE * Hour::STEP - 1);
        player.seek(black_box(to), Duration::ZERO).expect("there");
        player.screen_mut().damage_mut().clear();
    });
}

/// An hour, sixteen times as fast and a second at a time, without a viewer: 3,600 s of the recording.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn play_an_hour(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let mut player = Player::new(Hour::new(), Limits::default()).expect("it begins");
        player.set_speed(streamspace_session_recorder::replay::Speed::FASTEST, Duration::ZERO);
        player.play(Duration::ZERO);
        let mut second = 0;
        while !player.is_at_end() {
            second += 1;
            player.advance(Duration::from_secs(second)).expect("it plays");
            player.screen_mut().damage_mut().clear();
        }
    });
}

const UPDATES: usize = 8;
const BYTES: usize = UPDATES * WIDTH as usize * HEIGHT as usize * 4;

/// The floor. The target is 64 bytes past the source modulo a page: at 16 bytes glibc's copy is twenty times slower on some
/// processors.
#[divan::bench]
fn memcpy(bencher: Bencher<'_, '_>) {
    let source = SCREENS[0].bytes();
    let mut room = vec![0_u8; source.len() + 2 * 4096];
    let distance = source.as_ptr().addr().wrapping_add(64).wrapping_sub(room.as_ptr().addr()) % 4096;
    let target = &mut room[distance..distance + source.len()];
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        for _ in 0..UPDATES {
            black_box(&mut *target).copy_from_slice(black_box(source));
        }
    });
}

fn viewer(encoding: Encoding) -> Viewer {
    let mut out = Vec::new();
    let mut viewer = Viewer::new("bench", &mut out);
    viewer.look(&mut SCREENS[0].clone());
    let numbers = Encodings::to_bytes(&[encoding]);
    let said = [
        ClientMessage::Version(Version::V3_8),
        ClientMessage::Security(SecurityType::NONE),
        ClientMessage::Init { shared: true },
        ClientMessage::SetPixelFormat(PixelFormat::RGBX),
        ClientMessage::SetEncodings(Encodings::from_bytes(&numbers)),
    ];
    let said: Vec<u8> = said.iter().flat_map(ClientMessage::to_bytes).collect();
    viewer.receive(&said, &mut out, &mut VecDeque::new()).expect("a viewer");
    viewer
}

/// Whole screens of 1920x1080, all of which is sent again and again, from the request to the bytes.
#[divan::bench(args = ["raw", "hextile", "zrle", "tight"])]
fn whole_screens(bencher: Bencher<'_, '_>, name: &str) {
    let encoding = match name {
        "raw" => Encoding::RAW,
        "hextile" => Encoding::HEXTILE,
        "zrle" => Encoding::ZRLE,
        _ => Encoding::TIGHT,
    };
    let mut viewer = viewer(encoding);
    let area = Area::new(0, 0, WIDTH, HEIGHT);
    let ask = ClientMessage::UpdateRequest { incremental: false, area }.to_bytes();
    let (mut out, mut keys) = (Vec::new(), VecDeque::new());
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        for screen in SCREENS.iter().cycle().take(UPDATES) {
            out.clear();
            viewer.receive(&ask, &mut out, &mut keys).expect("a request");
            assert!(viewer.update(black_box(screen), None, 0, &mut out).expect("it is encoded"));
            black_box(&out);
        }
    });
}

#[divan::bench]
fn scale_down_to_320x180(bencher: Bencher<'_, '_>) {
    let screen = &SCREENS[0];
    let bytes = BytesCount::new(screen.bytes().len());
    bencher.counter(bytes).bench_local(|| scaled(black_box(screen), 320, 180));
}

#[divan::bench]
fn thumbnail_of_a_moment(bencher: Bencher<'_, '_>) {
    let mut source = Hour::new();
    let bounds = Bounds { width: 320, height: 200 };
    let moment = Moment(1_234 * SECOND);
    bencher.bench_local(|| thumbnail(&mut source, moment, bounds, Limits::default()).expect("it is drawn"));
}
