//! Rectangles byte by byte, as the specifications have them: RFC 6143 section 7.7, and the community's for zlib and Tight.

mod support;

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use streamspace_rfb::{
    Applied, Area, Decoder, Encoding, Framebuffer, Limits, Pixel, PixelFormat,
    message::{Colours, Rect},
};

const BLACK: Pixel = [0, 0, 0, 255];
const RED: Pixel = [255, 0, 0, 255];
const GREEN: Pixel = [0, 255, 0, 255];
const BLUE: Pixel = [0, 0, 255, 255];
/// The same in [`PixelFormat::BGR233`].
const R: u8 = 0x07;
const G: u8 = 0x38;
const B: u8 = 0xC0;

fn rect<'a>(area: Area, encoding: Encoding, format: PixelFormat, payload: &'a [u8]) -> Rect<'a> {
    Rect { area, encoding, format, payload, last: true }
}

/// What an update of one rectangle makes of a black screen of its size.
fn drawn(
    width: u16,
    height: u16,
    encoding: Encoding,
    format: PixelFormat,
    payload: &[u8],
) -> Vec<Vec<Pixel>> {
    let mut client = support::Client::new(format, width, height);
    let area = Area::new(0, 0, width, height);
    client
        .draw(&support::update(rect(area, encoding, format, payload)))
        .unwrap_or_else(|error| panic!("{error}"));
    client.screen.pixels().chunks(width.into()).map(<[Pixel]>::to_vec).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(bytes).expect("memory");
    zlib.flush().expect("memory");
    let deflated = zlib.get_ref().clone();
    [&(deflated.len() as u32).to_be_bytes()[..], &deflated].concat()
}

#[test]
fn raw() {
    let screen = drawn(2, 2, Encoding::RAW, PixelFormat::BGR233, &[R, G, B, 0]);
    assert_eq!(screen, [[RED, GREEN], [BLUE, BLACK]]);
}

#[test]
fn copy_rect() {
    let mut client = support::Client::new(PixelFormat::BGR233, 3, 1);
    let raw = rect(Area::new(0, 0, 3, 1), Encoding::RAW, PixelFormat::BGR233, &[R, G, B]);
    client.draw(&support::update(raw)).expect("raw");
    let copy = rect(Area::new(1, 0, 2, 1), Encoding::COPY_RECT, PixelFormat::BGR233, &[0, 0, 0, 0]);
    client.draw(&support::update(copy)).expect("a copy");
    assert_eq!(client.screen.pixels(), [RED, RED, GREEN]);
}

#[test]
fn rre() {
    let payload = [0, 0, 0, 2, B, R, 0, 0, 0, 0, 0, 1, 0, 2, G, 0, 2, 0, 1, 0, 1, 0, 1];
    let screen = drawn(3, 2, Encoding::RRE, PixelFormat::BGR233, &payload);
    assert_eq!(screen, [[RED, BLUE, BLUE], [RED, BLUE, GREEN]]);
}

#[test]
fn rre_paints_an_area_so_often_and_no_more() {
    let draw = |count: u32| {
        let side = 512_u16;
        let subrectangle = [&[R, 0, 0, 0, 0][..], &side.to_be_bytes(), &side.to_be_bytes()].concat();
        let payload = [&count.to_be_bytes()[..], &[B], &subrectangle.repeat(count as usize)].concat();
        let area = Area::new(0, 0, side, side);
        let mut client = support::Client::new(PixelFormat::BGR233, side, side);
        client.draw(&support::update(rect(area, Encoding::RRE, PixelFormat::BGR233, &payload)))
    };
    draw(16).expect("some encoder may paint twice");
    let refused = draw(17).expect_err("few bytes that are much to paint");
    assert!(refused.to_string().contains("the pixels of all subrectangles"), "{refused}");
}

#[test]
fn hextile_carries_colours_from_tile_to_tile() {
    // Three tiles: a background and a foreground with one subrectangle; the same colours, another subrectangle; raw.
    let mut payload = vec![2 | 4 | 8, B, R, 1, 0x00, 0x10];
    payload.extend([8, 1, 0x10, 0x00]);
    payload.extend([1, G, G]);
    let screen = drawn(34, 1, Encoding::HEXTILE, PixelFormat::BGR233, &payload);
    let mut expected = vec![BLUE; 34];
    expected[..2].fill(RED);
    expected[17] = RED;
    expected[32..].fill(GREEN);
    assert_eq!(screen, [expected]);
}

#[test]
fn hextile_with_coloured_subrectangles() {
    let payload = [2 | 8 | 16, B, 2, R, 0x00, 0x00, G, 0x11, 0x10];
    let screen = drawn(3, 2, Encoding::HEXTILE, PixelFormat::BGR233, &payload);
    assert_eq!(screen, [[RED, BLUE, BLUE], [BLUE, GREEN, GREEN]]);
}

#[test]
fn zlib_is_raw_deflated() {
    let screen = drawn(2, 1, Encoding::ZLIB, PixelFormat::RGB565, &zlib(&[0x00, 0xF8, 0xE0, 0x07]));
    assert_eq!(screen, [[RED, GREEN]]);
}

#[test]
fn zrle_has_seven_kinds_of_tiles() {
    let draw =
        |tile: &[u8], width, height| drawn(width, height, Encoding::ZRLE, PixelFormat::BGR233, &zlib(tile));
    assert_eq!(draw(&[0, R, G], 2, 1), [[RED, GREEN]], "raw");
    assert_eq!(draw(&[1, B], 2, 1), [[BLUE, BLUE]], "solid");
    let two = [RED, GREEN, RED, RED, RED, RED, RED, RED, GREEN];
    assert_eq!(draw(&[2, R, G, 0x40, 0x80], 9, 1), [two], "a bit a pixel, in bytes of its row");
    let three = [RED, GREEN, BLUE, RED, GREEN];
    assert_eq!(draw(&[3, R, G, B, 0b0001_1000, 0b0100_0000], 5, 1), [three], "two bits a pixel");
    let five = [RED, BLACK, BLUE];
    assert_eq!(draw(&[5, R, G, B, 0, 0, 0x03, 0x20], 3, 1), [five], "four bits a pixel");
    let mut long = vec![vec![RED; 20]; 16];
    long[15][19] = BLUE;
    assert_eq!(draw(&[128, R, 255, 63, B, 0], 20, 16), long, "plain runs");
    let runs = [RED, RED, RED, GREEN, RED];
    assert_eq!(draw(&[130, R, G, 0x80, 2, 0x01, 0x00], 5, 1), [runs], "runs of a palette");
}

#[test]
fn zrle_leaves_out_the_byte_that_means_nothing() {
    let screen = drawn(2, 1, Encoding::ZRLE, PixelFormat::BGRX, &zlib(&[0, 0, 0, 255, 255, 0, 0]));
    assert_eq!(screen, [[RED, BLUE]]);
}

#[test]
fn tight_fills_and_has_palettes() {
    let draw = |payload: &[u8], width| drawn(width, 1, Encoding::TIGHT, PixelFormat::BGRX, payload);
    assert_eq!(draw(&[0x80, 255, 0, 0], 2), [[RED, RED]], "a fill is red, green, blue");
    assert_eq!(draw(&[0x00, 255, 0, 0, 0, 0, 255], 2), [[RED, BLUE]], "short data is not deflated");
    let two = [0x40, 1, 1, 255, 0, 0, 0, 255, 0, 0b0100_0000];
    assert_eq!(draw(&two, 3), [[RED, GREEN, RED]]);
    let three = [0x60, 1, 2, 255, 0, 0, 0, 255, 0, 0, 0, 255, 2, 1, 0];
    assert_eq!(draw(&three, 3), [[BLUE, GREEN, RED]]);
}

#[test]
fn tight_has_four_streams_that_can_begin_anew() {
    let mut client = support::Client::new(PixelFormat::BGRX, 8, 1);
    let pixels: Vec<u8> = [255, 0, 0].repeat(8);
    // Each is the beginning of a stream, so only a reset, or another stream, lets it be read.
    for (control, ok) in [(0x00, true), (0x10, true), (0x01, true), (0x12, true), (0x30, true), (0x30, false)]
    {
        let deflated = zlib(&pixels).split_off(4);
        let payload = [&[control, deflated.len() as u8], &deflated[..]].concat();
        let area = Area::new(0, 0, 8, 1);
        let bytes = support::update(rect(area, Encoding::TIGHT, PixelFormat::BGRX, &payload));
        assert_eq!(client.draw(&bytes).is_ok(), ok, "control {control:#04x}");
    }
}

/// What an encoder sends instead of the values: how they differ from what their neighbours let expect.
fn differences(values: &[Vec<[i32; 3]>], max: [i32; 3]) -> Vec<[i32; 3]> {
    let at = |x: isize, y: isize, i: usize| match (usize::try_from(x), usize::try_from(y)) {
        (Ok(x), Ok(y)) => values[y][x][i],
        _ => 0,
    };
    let mut out = Vec::new();
    for (y, row) in (0..).zip(values) {
        for (x, value) in (0..).zip(row) {
            let difference = |i: usize| {
                let expected = at(x - 1, y, i) + at(x, y - 1, i) - at(x - 1, y - 1, i);
                (value[i] - expected.clamp(0, max[i])) & max[i]
            };
            out.push([difference(0), difference(1), difference(2)]);
        }
    }
    out
}

#[test]
fn tight_has_gradients() {
    let values = |max: [i32; 3]| -> Vec<Vec<[i32; 3]>> {
        let value =
            |x: i32, y: i32| [(x * 9 + y * 30) & max[0], (x * x + y) & max[1], (200 - x * y) & max[2]];
        (0..5).map(|y| (0..7).map(|x| value(x, y)).collect()).collect()
    };
    let draw = |format, bytes: &[u8]| {
        let deflated = zlib(bytes).split_off(4);
        let payload = [&[0x40, 2, deflated.len() as u8], &deflated[..]].concat();
        drawn(7, 5, Encoding::TIGHT, format, &payload)
    };
    let wide = values([255; 3]);
    let bytes: Vec<u8> = differences(&wide, [255; 3]).iter().flatten().map(|value| *value as u8).collect();
    let expected = |value: &[i32; 3]| [value[0] as u8, value[1] as u8, value[2] as u8, 255];
    let rows: Vec<Vec<Pixel>> = wide.iter().map(|row| row.iter().map(expected).collect()).collect();
    assert_eq!(draw(PixelFormat::BGRX, &bytes), rows);

    let max = [31, 63, 31];
    let narrow = values(max);
    let packed = |value: &[i32; 3]| ((value[0] << 11 | value[1] << 5 | value[2]) as u16).to_le_bytes();
    let bytes: Vec<u8> = differences(&narrow, max).iter().flat_map(packed).collect();
    let plain: Vec<u8> = narrow.iter().flatten().flat_map(packed).collect();
    let expected = drawn(7, 5, Encoding::RAW, PixelFormat::RGB565, &plain);
    assert_eq!(draw(PixelFormat::RGB565, &bytes), expected);
}

#[test]
fn tight_has_jpeg_of_the_rectangles_size() {
    // As TigerVNC's server has sent `picture` with the quality 8.
    let image = include_bytes!("pictures/photograph.jpg");
    let length = [image.len() as u8 | 0x80, (image.len() >> 7) as u8];
    let payload = [&[0x90][..], &length, image].concat();
    let mut expected = Framebuffer::new(128, 128, &Limits::default()).expect("small");
    let all = expected.area();
    support::desktop::picture(&mut expected, all, &mut support::desktop::Random::new(3));
    // JPEG has its own colours, whatever the pixel format is.
    for format in [PixelFormat::BGRX, PixelFormat::RGB565] {
        let found = drawn(128, 128, Encoding::TIGHT, format, &payload);
        let pairs = found.iter().flatten().flatten().zip(expected.bytes());
        let off: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(off / 65_536 < 8, "{off}");
    }
    let mut client = support::Client::new(PixelFormat::BGRX, 200, 200);
    for (width, height) in [(127, 128), (128, 129), (200, 200), (1, 1)] {
        let other = rect(Area::new(0, 0, width, height), Encoding::TIGHT, PixelFormat::BGRX, &payload);
        let refused = client.draw(&support::update(other)).expect_err("another size");
        assert!(refused.to_string().contains("a JPEG image: expected"), "{refused}");
        client = support::Client::new(PixelFormat::BGRX, 200, 200);
    }
}

#[test]
fn colour_maps() {
    let mut decoder = Decoder::new(Limits::default());
    let mut screen = Framebuffer::new(3, 1, &Limits::default()).expect("small");
    let map = [[255, 255, 0, 0, 0, 0], [0, 0, 255, 255, 0, 0]];
    decoder.set_colours(&Colours::from_bytes(5, &map));
    let raw = rect(Area::new(0, 0, 3, 1), Encoding::RAW, PixelFormat::MAPPED, &[5, 6, 7]);
    assert_eq!(decoder.apply(&mut screen, &raw), Ok(Applied::Pixels));
    assert_eq!(screen.pixels(), [RED, GREEN, BLACK]);
    decoder.set_colours(&Colours::from_bytes(6, &[[0, 0, 0, 0, 255, 255]]));
    decoder.apply(&mut screen, &raw).expect("raw");
    assert_eq!(screen.pixels(), [RED, BLUE, BLACK]);
    // The last entry that there can be, and what is beyond.
    decoder.set_colours(&Colours::from_bytes(u16::MAX, &map));
}

#[test]
fn pointers() {
    let mut decoder = Decoder::new(Limits::default());
    let mut screen = Framebuffer::new(1, 1, &Limits::default()).expect("small");
    let mut cursor = |encoding, payload: &[u8]| {
        let rect = rect(Area::new(1, 0, 2, 1), encoding, PixelFormat::BGR233, payload);
        match decoder.apply(&mut screen, &rect) {
            Ok(Applied::Cursor(cursor)) => cursor,
            other => panic!("{other:?}"),
        }
    };
    let found = cursor(Encoding::CURSOR, &[R, G, 0b0100_0000]);
    assert_eq!((found.x, found.y, found.width, found.height), (1, 0, 2, 1));
    assert_eq!(found.pixels, [[0; 4], GREEN]);
    let colours = [255, 0, 0, 0, 0, 255];
    let found = cursor(Encoding::X_CURSOR, &[&colours[..], &[0b1000_0000, 0b1100_0000]].concat());
    assert_eq!(found.pixels, [RED, BLUE]);
    let found = cursor(Encoding::CURSOR_WITH_ALPHA, &[0, 0, 0, 0, 64, 0, 0, 128, 9, 9, 9, 0]);
    assert_eq!(found.pixels, [[127, 0, 0, 128], [0, 0, 0, 0]]);
    let found = cursor(Encoding::VMWARE_CURSOR, &[1, 0, 64, 0, 0, 128, 9, 9, 9, 0]);
    assert_eq!(found.pixels, [[64, 0, 0, 128], [9, 9, 9, 0]]);
    assert_eq!(cursor(Encoding::VMWARE_CURSOR, &[0, 0, 0, 0xFF, R, 0]).pixels, [RED, [0; 4]]);
    assert_eq!(cursor(Encoding::VMWARE_CURSOR, &[0, 0, 0xFF, 0, 0xFF, B]).pixels, [BLACK, BLUE]);
}

#[test]
fn a_size_that_was_not_granted_is_none() {
    let mut decoder = Decoder::new(Limits::default());
    let mut screen = Framebuffer::new(4, 4, &Limits::default()).expect("small");
    let mut layout = |reason, status, width| {
        let area = Area::new(reason, status, width, 4);
        let rect = rect(area, Encoding::EXTENDED_DESKTOP_SIZE, PixelFormat::BGRX, &[0, 0, 0, 0]);
        assert!(matches!(decoder.apply(&mut screen, &rect), Ok(Applied::Layout(_))));
        screen.width()
    };
    assert_eq!(layout(1, 1, 9), 4);
    assert_eq!(layout(1, 0, 8), 8);
    assert_eq!(layout(2, 0, 7), 7);
    assert_eq!(layout(0, 0, 6), 6);
}
