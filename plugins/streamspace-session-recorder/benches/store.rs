//! Recording and seeking on made-up desktops of 1920x1080: bytes of raw pixels, four each, per second on one core, beside zstd alone and
//! copying the same bytes. Files are in memory where there is `/dev/shm`, so that it is not the disk that is measured.

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with other suites")]
mod desktop;

use std::{hint::black_box, path::Path, sync::LazyLock};

use desktop::{Random, desktop, picture};
use divan::{Bencher, counter::BytesCount};
use streamspace_rfb::{Area, Framebuffer, Limits as RfbLimits, Pixel};
use streamspace_session_recorder::{
    scene::{Moment, Scene, Sink, Source},
    store::{DataKey, Limits, Options, Reader, Subject, Writer},
};
use tempfile::TempDir;

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
const CONTENTS: [&str; 5] = ["typing", "scrolling", "windows", "video", "screens"];

#[expect(clippy::print_stdout, reason = "figures beside those of the benchmark")]
fn main() {
    let home = folder();
    let content = Content::of("scrolling");
    let mut writer = begin(home.path(), None);
    content.put(&mut writer, 0);
    let (all, pixels) = (writer.memory(), writer.framebuffer_memory());
    println!("memory of a writer: {all} bytes, of which {pixels} are the screen's");
    for name in CONTENTS {
        let home = folder();
        let content = Content::of(name);
        let mut writer = begin(home.path(), None);
        content.put(&mut writer, 0);
        let bytes = writer.finish(Moment(0)).expect("it is finished").bytes;
        println!("{name}: {} bytes of pixels come to {bytes}", content.bytes());
    }
    divan::main();
}

fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder")
}

fn begin(folder: &Path, key: Option<&DataKey>) -> Writer {
    let subject = Subject { recording: "r".into(), session: "s".into(), started_at: 0 };
    Writer::create(&folder.join("recording"), &subject, key, Options::default()).expect("it begins")
}

/// Patches, after a picture of the whole screen.
struct Content {
    first: Framebuffer,
    patches: Vec<(u64, Area, Vec<Pixel>)>,
}

fn cut(screen: &Framebuffer, area: Area) -> Vec<Pixel> {
    let x = usize::from(area.x);
    (area.y..area.y + area.height)
        .flat_map(|y| screen.row(y)[x..x + usize::from(area.width)].iter().copied())
        .collect()
}

impl Content {
    fn of(name: &str) -> Self {
        let first = desktop(WIDTH, HEIGHT, 1);
        let text = desktop(WIDTH, HEIGHT, 2);
        let random = &mut Random::new(7);
        let patches = match name {
            // A line of an editor is drawn again with each key.
            "typing" => (0..2000)
                .map(|i| {
                    let from = Area::new(i % 100 * 12, i / 100 * 36, 160, 16);
                    (u64::from(i) * 100_000, Area::new(300, 500, 160, 16), cut(&text, from))
                })
                .collect(),
            // A window of text moves by three lines.
            "scrolling" => (0..40)
                .map(|i| {
                    let from = Area::new(400, i % 8 * 36, 1200, 800);
                    (u64::from(i) * 50_000, Area::new(400, 100, 1200, 800), cut(&text, from))
                })
                .collect(),
            // A window is dragged over the others: where it was and where it is.
            "windows" => (0..60)
                .map(|i| {
                    let mut screen = first.clone();
                    let (x, y) = (100 + i * 12, 80 + i * 4);
                    let window = cut(&text, Area::new(500, 300, 640, 480));
                    screen.write(Area::new(x, y, 640, 480), &window).expect("inside");
                    let changed = Area::new(x - 12, y - 4, 652, 484);
                    (u64::from(i) * 33_000, changed, cut(&screen, changed))
                })
                .collect(),
            "video" => (0..60_u64)
                .map(|i| {
                    let limits = RfbLimits::default();
                    let mut screen = Framebuffer::new(854, 480, &limits).expect("within the limits");
                    let all = screen.area();
                    picture(&mut screen, all, random);
                    (i * 33_000, Area::new(500, 300, 854, 480), noisy(screen.pixels(), random))
                })
                .collect(),
            // All of it is another one.
            _ => (0..12)
                .map(|i| {
                    let screen = desktop(WIDTH, HEIGHT, 10 + i);
                    (i * 500_000, screen.area(), screen.pixels().to_vec())
                })
                .collect(),
        };
        Self { first, patches }
    }

    fn pixels(&self) -> impl Iterator<Item = &[Pixel]> {
        std::iter::once(self.first.pixels()).chain(self.patches.iter().map(|(_, _, pixels)| &pixels[..]))
    }

    fn bytes(&self) -> usize {
        self.pixels().map(|pixels| pixels.len() * 4).sum()
    }

    fn put(&self, writer: &mut Writer, begins: u64) -> u64 {
        let picture = Scene::Picture { width: WIDTH, height: HEIGHT, pixels: self.first.pixels() };
        writer.put(Moment(begins), &picture).expect("it is kept");
        let mut last = begins;
        for (at, area, pixels) in &self.patches {
            last = begins + at;
            writer.put(Moment(last), &Scene::Patch { area: *area, pixels }).expect("it is kept");
        }
        last
    }
}

/// The colours of a photograph do not change together.
fn noisy(pixels: &[Pixel], random: &mut Random) -> Vec<Pixel> {
    let noise = |value: u8, random: &mut Random| value.wrapping_add(random.below(4) as u8);
    pixels.iter().map(|[r, g, b, _]| [*r, noise(*g, random), noise(*b, random), 255]).collect()
}

fn record(bencher: Bencher<'_, '_>, name: &str, key: Option<&DataKey>) {
    let content = Content::of(name);
    bencher.counter(BytesCount::new(content.bytes())).with_inputs(folder).bench_local_values(|home| {
        let mut writer = begin(home.path(), key);
        content.put(&mut writer, 0);
        writer.finish(Moment(0)).expect("it is finished");
        home
    });
}

#[divan::bench(args = CONTENTS)]
fn recorded(bencher: Bencher<'_, '_>, name: &str) {
    record(bencher, name, None);
}

#[divan::bench(args = CONTENTS)]
fn recorded_encrypted(bencher: Bencher<'_, '_>, name: &str) {
    record(bencher, name, Some(&DataKey::from_bytes([4; 32])));
}

/// A floor: the same pixels as they are, in pieces as large as blocks are.
#[divan::bench(args = CONTENTS)]
fn zstd_alone(bencher: Bencher<'_, '_>, name: &str) {
    let content = Content::of(name);
    let bytes: Vec<u8> = content.pixels().flat_map(|pixels| pixels.as_flattened()).copied().collect();
    let mut zstd = zstd::bulk::Compressor::new(1).expect("a level");
    let mut out = vec![0; 1 << 20];
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        for piece in bytes.chunks(512 << 10) {
            black_box(zstd.compress_to_buffer(black_box(piece), &mut out[..]).expect("it fits"));
        }
    });
}

/// A floor. The target is 64 bytes past the source modulo a page: at 16 bytes glibc's copy is twenty times slower on some processors.
#[divan::bench(args = CONTENTS)]
fn memcpy(bencher: Bencher<'_, '_>, name: &str) {
    let content = Content::of(name);
    let source: Vec<u8> = content.pixels().flat_map(|pixels| pixels.as_flattened()).copied().collect();
    let mut room = vec![0_u8; source.len() + 2 * 4096];
    let distance = source.as_ptr().addr().wrapping_add(64).wrapping_sub(room.as_ptr().addr()) % 4096;
    let target = &mut room[distance..distance + source.len()];
    bencher
        .counter(BytesCount::new(source.len()))
        .bench_local(|| black_box(&mut *target).copy_from_slice(black_box(&source)));
}

/// An hour: mostly typing, and in each minute some scrolling, a window that is moved, and a few pictures of a film.
static HOUR: LazyLock<TempDir> = LazyLock::new(|| {
    let home = folder();
    let contents = ["typing", "scrolling", "windows", "video"].map(Content::of);
    let mut writer = begin(home.path(), Some(&DataKey::from_bytes([4; 32])));
    let picture = Scene::Picture { width: WIDTH, height: HEIGHT, pixels: contents[0].first.pixels() };
    writer.put(Moment(0), &picture).expect("it is kept");
    for minute in 0..60_u64 {
        // Which, from which second on, and how much of it. More film would not fit into the memory of many machines.
        for (content, second, most) in [(1, 0, 40), (2, 3, 60), (3, 6, 4), (0, 10, 490)] {
            for (at, area, pixels) in contents[content].patches.iter().take(most) {
                let at = Moment(minute * 60_000_000 + second * 1_000_000 + at);
                writer.put(at, &Scene::Patch { area: *area, pixels }).expect("it is kept");
            }
        }
    }
    writer.finish(Moment(3_600_000_000)).expect("it is finished");
    home
});

fn open() -> Reader {
    let key = DataKey::from_bytes([4; 32]);
    Reader::open(&HOUR.path().join("recording"), Some(&key), Limits::default()).expect("it opens")
}

/// Opening a recording of an hour.
#[divan::bench]
fn open_an_hour(bencher: Bencher<'_, '_>) {
    LazyLock::force(&HOUR);
    bencher.bench_local(open);
}

/// Going to any moment of an hour and reading what was on the screen then.
#[divan::bench(sample_count = 300, sample_size = 1)]
fn seek_in_an_hour(bencher: Bencher<'_, '_>) {
    let mut reader = open();
    let mut random = Random::new(3);
    bencher.with_inputs(|| Moment(u64::from(random.next()) % 3_600_000_000)).bench_local_values(|to| {
        reader.seek(to).expect("it is sought");
        let mut pixels = 0;
        while let Some((at, scene)) = reader.next().expect("it is read") {
            if at > to {
                break;
            }
            if let Scene::Picture { pixels: some, .. } | Scene::Patch { pixels: some, .. } = scene {
                pixels += some.len();
            }
        }
        pixels
    });
}
