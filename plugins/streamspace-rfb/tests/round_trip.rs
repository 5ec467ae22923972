//! What is encoded here is decoded here to the same pixels.

mod support;

use proptest::prelude::*;
use streamspace_rfb::{Area, Encoder, Encoding, Framebuffer, PixelFormat};

use self::support::{
    Client,
    desktop::{Random, content, desktop, picture},
};

const ENCODINGS: [Encoding; 4] = [Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT];

/// Formats in which no colour is lost, and others.
fn formats() -> Vec<PixelFormat> {
    let mut formats = vec![PixelFormat::BGRX, PixelFormat::RGBX];
    formats.push(PixelFormat { shift: [24, 16, 8], ..PixelFormat::BGRX });
    formats.push(PixelFormat { depth: 32, shift: [24, 16, 8], ..PixelFormat::BGRX });
    formats.push(PixelFormat { shift: [3, 22, 11], max: [255, 255, 255], ..PixelFormat::BGRX });
    formats.push(PixelFormat { depth: 30, shift: [20, 10, 0], max: [1023; 3], ..PixelFormat::BGRX });
    let big = |format: &PixelFormat| PixelFormat { big_endian: true, ..*format };
    formats.extend(formats.clone().iter().map(big));
    formats.extend([PixelFormat::RGB565, big(&PixelFormat::RGB565), PixelFormat::BGR233]);
    formats.push(PixelFormat { depth: 15, max: [31; 3], shift: [10, 5, 0], ..PixelFormat::RGB565 });
    formats
}

/// What is left of the pixels in a format.
fn lossy(screen: &Framebuffer, format: PixelFormat) -> Vec<[u8; 4]> {
    let colour = |value: u8, max: u16| {
        let (value, max) = (u32::from(value), u32::from(max));
        let there = (value * max + 127) / 255;
        ((there * 510 + max) / (2 * max)) as u8
    };
    let pixel = |pixel: &[u8; 4]| {
        let [red, green, blue] = [0, 1, 2].map(|i| colour(pixel[i], format.max[i]));
        [red, green, blue, 255]
    };
    screen.pixels().iter().map(pixel).collect()
}

fn there_and_back(encoding: Encoding, format: PixelFormat, screens: &[Framebuffer], level: u8) {
    let mut encoder = Encoder::with_level(format, level).expect("a format");
    let mut client = Client::new(format, screens[0].width(), screens[0].height());
    for screen in screens {
        let mut bytes = Vec::new();
        encoder.update(screen, &[screen.area()], encoding, &mut bytes).expect("it is encoded");
        client.draw(&bytes).unwrap_or_else(|error| panic!("{encoding} {format:?}: {error}"));
        let expected = lossy(screen, format);
        let wrong = expected.iter().zip(client.screen.pixels()).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{encoding} {format:?} {}x{}", screen.width(), screen.height());
    }
}

#[test]
fn every_encoding_in_every_format_is_exact() {
    let screens: Vec<_> = (0..3).map(|seed| desktop(203, 131, seed)).collect();
    for encoding in ENCODINGS {
        for format in formats() {
            there_and_back(encoding, format, &screens, Encoder::LEVEL);
        }
    }
}

#[test]
fn formats_with_255_lose_nothing() {
    let screen = content(1, 40, 40, 7);
    assert_eq!(lossy(&screen, PixelFormat::BGRX), screen.pixels());
}

#[test]
fn wide_screens_are_exact() {
    let screens = [desktop(5000, 70, 3)];
    for encoding in ENCODINGS {
        there_and_back(encoding, PixelFormat::BGRX, &screens, 1);
    }
}

#[test]
fn only_what_was_damaged_is_sent() {
    let format = PixelFormat::BGRX;
    for encoding in ENCODINGS {
        let mut screen = desktop(300, 200, 1);
        let mut encoder = Encoder::new(format).expect("a format");
        let mut client = Client::new(format, 300, 200);
        let random = &mut Random::new(9);
        let mut lengths = Vec::new();
        for round in 0..20 {
            let damage = screen.damage_mut().take();
            let mut bytes = Vec::new();
            encoder.update(&screen, &damage, encoding, &mut bytes).expect("it is encoded");
            client.draw(&bytes).expect("it is decoded");
            assert!(client.screen.pixels() == screen.pixels(), "{encoding}, round {round}");
            assert_eq!(client.screen.damage_mut().take().is_empty(), damage.is_empty());
            lengths.push(bytes.len());
            let area = Area::new(random.below(280), random.below(180), 20, 20);
            screen.fill(area, random.pixel()).expect("inside");
            picture(&mut screen, Area::new(random.below(280), random.below(180), 9, 7), random);
            screen.copy((5, 5), Area::new(random.below(200), random.below(100), 30, 30)).expect("inside");
        }
        assert!(lengths[1..].iter().all(|length| *length < 30_000), "{encoding}: {lengths:?}");
    }
}

#[test]
fn an_encoding_that_cannot_be_written_leaves_nothing() {
    let screen = desktop(10, 10, 1);
    let mut bytes = vec![1, 2, 3];
    let mut encoder = Encoder::new(PixelFormat::BGRX).expect("a format");
    let refused = encoder.update(&screen, &[screen.area()], Encoding::RRE, &mut bytes).expect_err("refused");
    assert!(refused.to_string().contains("RRE"), "{refused}");
    assert_eq!(bytes, [1, 2, 3]);
    assert!(Encoder::new(PixelFormat::MAPPED).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_content_is_exact(
        kind in 0_u8..8,
        width in 1_u16..150,
        height in 1_u16..150,
        seed: u64,
        encoding in prop::sample::select(&ENCODINGS[..]),
        format in prop::sample::select(formats()),
        level in 0_u8..10,
    ) {
        let screens = [content(kind, width, height, seed), content(kind, width, height, seed ^ 0xFF00)];
        there_and_back(encoding, format, &screens, level);
    }
}
