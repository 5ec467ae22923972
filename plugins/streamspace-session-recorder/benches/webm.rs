//! Video of a screen of 1920x1080: frames per second (`item/s`; a tenth of it is how much faster than in real time, at ten frames a
//! second), beside the encoder alone, which is given the same pictures.

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the suites")]
mod desktop;
#[path = "../tests/support/reel.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the suites")]
mod reel;

use std::{io::Cursor, ops::ControlFlow};

use desktop::{Random, desktop, picture};
use divan::{Bencher, counter::ItemsCount};
use reel::{Kept, Reel};
use streamspace_rfb::{Area, Framebuffer, Pixel};
use streamspace_session_recorder::{
    export::webm::{self, Options},
    scene::{Moment, Scene, Sink},
};
use streamspace_video::{Encoder, Planes, Settings};

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
const FRAMES: u64 = 30;

fn main() {
    divan::main();
}

/// What happens on the screen ten times a second.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// A word is written.
    Typing,
    /// Text of 1200x700 pixels moves up by a line.
    Scrolling,
    /// A film of 640x360 pixels.
    Film,
}

const ALL: [Work; 3] = [Work::Typing, Work::Scrolling, Work::Film];

fn recording(work: Work) -> Reel {
    let mut screen = desktop(WIDTH, HEIGHT, 1);
    let (mut reel, mut random) = (Reel::default(), Random::new(7));
    let scene = Scene::Picture { width: WIDTH, height: HEIGHT, pixels: screen.pixels() };
    reel.put(Moment(0), &scene).expect("kept");
    for frame in 1..FRAMES {
        let area = match work {
            Work::Typing => {
                let area = Area::new(300 + (frame as u16 % 20) * 36, 500, 36, 10);
                write(&mut screen, area, &mut random);
                area
            }
            Work::Scrolling => {
                screen.copy((300, 212), Area::new(300, 200, 1200, 688)).expect("inside");
                write(&mut screen, Area::new(300, 888, 1200, 12), &mut random);
                Area::new(300, 200, 1200, 700)
            }
            Work::Film => {
                let area = Area::new(640, 360, 640, 360);
                picture(&mut screen, area, &mut random);
                area
            }
        };
        let rows = screen.pixels().chunks(WIDTH.into()).skip(area.y.into()).take(area.height.into());
        let pixels: Vec<Pixel> =
            rows.flat_map(|row| &row[area.x.into()..][..area.width.into()]).copied().collect();
        reel.put(Moment(frame * 100_000), &Scene::Patch { area, pixels: &pixels }).expect("kept");
    }
    reel
}

/// Glyphs, five by eight.
fn write(screen: &mut Framebuffer, area: Area, random: &mut Random) {
    screen.fill(area, [250, 250, 250, 255]).expect("inside");
    for x in (area.x..area.x + area.width).step_by(6) {
        let bits = random.next();
        for bit in (0..25).filter(|bit| bits >> bit & 1 != 0) {
            screen.fill(Area::new(x + bit % 5, area.y + bit / 5, 1, 1), [20, 20, 20, 255]).expect("inside");
        }
    }
}

fn exported(bencher: Bencher<'_, '_>, work: Work, threads: u8) {
    let recording = recording(work);
    bencher.counter(ItemsCount::new(FRAMES)).with_inputs(|| recording.clone()).bench_local_values(
        |mut reel| {
            let options = Options { threads, ..Options::default() };
            let made =
                webm::export(&mut reel, Cursor::new(Vec::new()), &options, |_| ControlFlow::Continue(()));
            let made = made.expect("it is made");
            assert_eq!(made.frames, FRAMES);
            made.bytes
        },
    );
}

#[divan::bench(args = ALL, sample_count = 3, sample_size = 1)]
fn export(bencher: Bencher<'_, '_>, work: Work) {
    exported(bencher, work, 1);
}

#[divan::bench(args = ALL, sample_count = 3, sample_size = 1)]
fn export_on_two_threads(bencher: Bencher<'_, '_>, work: Work) {
    exported(bencher, work, 2);
}

/// The floor: all pictures are there, and nothing is written.
#[divan::bench(args = ALL, sample_count = 3, sample_size = 1)]
fn encoder_alone(bencher: Bencher<'_, '_>, work: Work) {
    let pictures = pictures(&recording(work));
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let settings = Settings { fps: 10, quantizer: 76, threads: 1 };
        let mut encoder = Encoder::new(WIDTH, HEIGHT, &settings).expect("a size");
        let mut bytes = 0;
        let mut take = |encoder: &mut Encoder| {
            while let Some(packet) = encoder.take().expect("it goes on") {
                bytes += packet.data().len();
            }
        };
        for (number, planes) in (0..).zip(&pictures) {
            encoder.put(planes, number * 100, number == 0).expect("it goes on");
            take(&mut encoder);
        }
        encoder.finish();
        take(&mut encoder);
        bytes
    });
}

/// What comes before the encoder: a whole screen to colours of video.
#[divan::bench]
fn colours_of_a_screen(bencher: Bencher<'_, '_>) {
    let (screen, mut planes) = (desktop(WIDTH, HEIGHT, 1), Planes::new(WIDTH, HEIGHT));
    bencher
        .counter(ItemsCount::new(1_u64))
        .bench_local(|| planes.draw(&screen, screen.area(), (0, 0), false));
}

fn pictures(recording: &Reel) -> Vec<Planes> {
    let (mut screen, mut planes) = (desktop(WIDTH, HEIGHT, 1), Planes::new(WIDTH, HEIGHT));
    let all = screen.area();
    let draw = |(_, scene): &(Moment, Kept)| {
        if let Kept::Patch { area, pixels } = scene {
            screen.write(*area, pixels).expect("inside");
        }
        planes.draw(&screen, all, (0, 0), false);
        planes.clone()
    };
    recording.scenes.iter().map(draw).collect()
}
