//! Decoding: megapixels per second (`Mitem/s`) of a desktop of 1920x1080, all of which is sent again and again, beside copying
//! the same pixels. One connection takes all updates of a sample, so that streams and memory are as they are in use.

#[path = "../tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the suites")]
mod desktop;

use std::{hint::black_box, io::Write, sync::LazyLock};

use desktop::{Random, desktop, picture};
use divan::{Bencher, counter::ItemsCount};
use flate2::{Compress, Compression, FlushCompress, write::ZlibEncoder};
use streamspace_rfb::{
    Area, Decoder, Encoder, Encoding, Framebuffer, Limits, Pixel, PixelFormat,
    message::{Progress, Rect, ServerMessage, ServerParser},
};

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
const ALL: Area = Area::new(0, 0, WIDTH, HEIGHT);
const UPDATES: usize = 8;
const PIXELS: usize = UPDATES * WIDTH as usize * HEIGHT as usize;

fn main() {
    divan::main();
}

/// Two screens in turn: windows with text, a thirty-sixth of the area a photograph.
static SCREENS: LazyLock<Vec<Framebuffer>> =
    LazyLock::new(|| (0..2).map(|seed| desktop(WIDTH, HEIGHT, seed)).collect());

/// The same, all photograph.
static PICTURES: LazyLock<Vec<Framebuffer>> = LazyLock::new(|| {
    let draw = |seed| {
        let mut screen = desktop(WIDTH, HEIGHT, seed);
        picture(&mut screen, ALL, &mut Random::new(seed + 1));
        screen
    };
    (0..2).map(draw).collect()
});

fn sent(screens: &[Framebuffer], encoding: Encoding, format: PixelFormat) -> Vec<u8> {
    let mut encoder = Encoder::new(format).expect("a format");
    let mut bytes = Vec::new();
    for screen in screens.iter().cycle().take(UPDATES) {
        encoder.update(screen, &[ALL], encoding, &mut bytes).expect("it is encoded");
    }
    bytes
}

/// Updates of one rectangle with these payloads.
fn sent_as(encoding: Encoding, mut payload: impl FnMut(&Framebuffer) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for screen in SCREENS.iter().cycle().take(UPDATES) {
        let (payload, format) = (payload(screen), PixelFormat::BGRX);
        ServerMessage::Update { rects: 1 }.write(&mut bytes);
        let rect = Rect { area: ALL, encoding, format, payload: &payload, last: true };
        ServerMessage::Rect(rect).write(&mut bytes);
    }
    bytes
}

fn decode(format: PixelFormat, mut bytes: &[u8], screen: &mut Framebuffer) {
    let limits = Limits::default();
    let mut parser = ServerParser::after_handshake(format, limits);
    let mut decoder = Decoder::new(limits);
    while let Progress::Message { consumed, message } = parser.parse(bytes).expect("a message") {
        if let ServerMessage::Rect(rect) = &message {
            decoder.apply(screen, rect).expect("it is decoded");
        }
        bytes = &bytes[consumed..];
    }
    assert!(bytes.is_empty());
}

fn bench(bencher: Bencher<'_, '_>, format: PixelFormat, bytes: &[u8]) {
    let mut screen = Framebuffer::new(WIDTH, HEIGHT, &Limits::default()).expect("within the limits");
    bencher
        .counter(ItemsCount::new(PIXELS))
        .bench_local(|| decode(format, black_box(bytes), black_box(&mut screen)));
}

/// The floor. The target is 64 bytes past the source modulo a page: at 16 bytes glibc's copy is twenty times slower on some
/// processors.
#[divan::bench]
fn memcpy(bencher: Bencher<'_, '_>) {
    let source = SCREENS[0].bytes();
    let mut room = vec![0_u8; source.len() + 2 * 4096];
    let distance = source.as_ptr().addr().wrapping_add(64).wrapping_sub(room.as_ptr().addr()) % 4096;
    let target = &mut room[distance..distance + source.len()];
    bencher.counter(ItemsCount::new(PIXELS)).bench_local(|| {
        for _ in 0..UPDATES {
            black_box(&mut *target).copy_from_slice(black_box(source));
        }
    });
}

const ENCODINGS: [&str; 4] = ["raw", "hextile", "zrle", "tight"];

fn encoding(name: &str) -> Encoding {
    match name {
        "raw" => Encoding::RAW,
        "hextile" => Encoding::HEXTILE,
        "zrle" => Encoding::ZRLE,
        _ => Encoding::TIGHT,
    }
}

#[divan::bench(args = ENCODINGS)]
fn desktop_32_bits(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, PixelFormat::BGRX, &sent(&SCREENS, encoding(name), PixelFormat::BGRX));
}

#[divan::bench(args = ENCODINGS)]
fn desktop_16_bits(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, PixelFormat::RGB565, &sent(&SCREENS, encoding(name), PixelFormat::RGB565));
}

#[divan::bench(args = ENCODINGS)]
fn photograph_32_bits(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, PixelFormat::BGRX, &sent(&PICTURES, encoding(name), PixelFormat::BGRX));
}

/// Raw, deflated.
#[divan::bench]
fn desktop_zlib(bencher: Bencher<'_, '_>) {
    let mut stream = Compress::new(Compression::new(2), true);
    let bytes = sent_as(Encoding::ZLIB, |screen| {
        let raw: Vec<u8> = screen.pixels().iter().flat_map(|[r, g, b, _]| [*b, *g, *r, 0]).collect();
        let mut deflated = Vec::with_capacity(raw.len() + (1 << 20));
        stream.compress_vec(&raw, &mut deflated, FlushCompress::Sync).expect("it deflates");
        [&(deflated.len() as u32).to_be_bytes()[..], &deflated].concat()
    });
    bench(bencher, PixelFormat::BGRX, &bytes);
}

/// A subrectangle for each run of a row that is not the background.
#[divan::bench]
fn desktop_rre(bencher: Bencher<'_, '_>) {
    let bytes = sent_as(Encoding::RRE, |screen| {
        let colour = |[red, green, blue, _]: Pixel| [blue, green, red, 0];
        let background = screen.pixels()[0];
        let (mut count, mut parts) = (0_u32, Vec::new());
        for y in 0..HEIGHT {
            let mut x = 0_u16;
            for run in screen.row(y).chunk_by(|a, b| a == b) {
                let width = run.len() as u16;
                if run[0] != background {
                    count += 1;
                    parts.extend(colour(run[0]));
                    [x, y, width, 1].iter().for_each(|side| parts.extend(side.to_be_bytes()));
                }
                x += width;
            }
        }
        [&count.to_be_bytes()[..], &colour(background), &parts].concat()
    });
    bench(bencher, PixelFormat::BGRX, &bytes);
}

/// Rectangles of 128x128, as a server sends a film.
#[divan::bench]
fn photograph_tight_jpeg(bencher: Bencher<'_, '_>) {
    let image = include_bytes!("../tests/pictures/photograph.jpg");
    let length = [image.len() as u8 | 0x80, (image.len() >> 7) as u8];
    let payload = [&[0x90][..], &length, image].concat();
    let mut bytes = ServerMessage::Update { rects: 15 * 8 }.to_bytes();
    for (y, x) in (0..8).flat_map(|y| (0..15).map(move |x| (y, x))) {
        let area = Area::new(x * 128, y * 128, 128, 128);
        let (encoding, format) = (Encoding::TIGHT, PixelFormat::BGRX);
        ServerMessage::Rect(Rect { area, encoding, format, payload: &payload, last: false })
            .write(&mut bytes);
    }
    let mut screen = Framebuffer::new(WIDTH, HEIGHT, &Limits::default()).expect("within the limits");
    bencher
        .counter(ItemsCount::new(15 * 8 * 128 * 128_usize))
        .bench_local(|| decode(PixelFormat::BGRX, black_box(&bytes), black_box(&mut screen)));
}

/// Scrolling by a line of text.
#[divan::bench]
fn copy_rect(bencher: Bencher<'_, '_>) {
    let area = Area::new(0, 0, WIDTH, HEIGHT - 12);
    let mut bytes = ServerMessage::Update { rects: UPDATES as u16 }.to_bytes();
    for _ in 0..UPDATES {
        let (encoding, format) = (Encoding::COPY_RECT, PixelFormat::BGRX);
        let rect = Rect { area, encoding, format, payload: &[0, 0, 0, 12], last: false };
        ServerMessage::Rect(rect).write(&mut bytes);
    }
    bench(bencher, PixelFormat::BGRX, &bytes);
}

/// What of ZRLE and Tight is the library's: the same deflated bytes of one screen, inflated and dropped.
#[divan::bench]
fn inflate_alone(bencher: Bencher<'_, '_>) {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(2));
    let raw: Vec<u8> = SCREENS[0].pixels().iter().flat_map(|[r, g, b, _]| [*b, *g, *r]).collect();
    zlib.write_all(&raw).expect("memory");
    let deflated = zlib.finish().expect("memory");
    let mut out = vec![0; raw.len()];
    bencher.counter(ItemsCount::new(PIXELS)).bench_local(|| {
        for _ in 0..UPDATES {
            let mut stream = flate2::Decompress::new(true);
            let status = stream.decompress(black_box(&deflated), &mut out, flate2::FlushDecompress::Finish);
            black_box(status.expect("it inflates"));
        }
    });
}

/// The other way.
#[divan::bench(args = ENCODINGS)]
fn encode_desktop_32_bits(bencher: Bencher<'_, '_>, name: &str) {
    let mut encoder = Encoder::new(PixelFormat::BGRX).expect("a format");
    let mut bytes = Vec::new();
    bencher.counter(ItemsCount::new(PIXELS)).bench_local(|| {
        for screen in SCREENS.iter().cycle().take(UPDATES) {
            bytes.clear();
            encoder.update(black_box(screen), &[ALL], encoding(name), &mut bytes).expect("it is encoded");
        }
    });
}
