//! Whatever the other side sends, it is refused with words and within limits.

mod support;

use proptest::prelude::*;
use streamspace_rfb::{
    Area, Decoder, Encoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{
        ClientMessage, ClientParser, Progress, Rect, SecurityType, ServerMessage, ServerParser, Version,
    },
};

use self::support::desktop::desktop;

const SIDE: u16 = 70;
/// What a message may be long at most within the limits below: a cut text, a JPEG image of Tight.
const LONGEST: usize = 4 << 20;

fn limits() -> Limits {
    Limits { side: 256, pixels: 1 << 16, cursor: 64, cut_text: 1 << 20, ..Limits::default() }
}

/// Reads and decodes until it is refused. Answers how many messages there were.
fn decode(parser: &mut ServerParser, mut bytes: &[u8]) -> usize {
    let mut decoder = Decoder::new(limits());
    let mut screen = Framebuffer::new(SIDE, SIDE, &limits()).expect("within the limits");
    let mut messages = 0;
    loop {
        match parser.parse(bytes) {
            Ok(Progress::Message { consumed, message }) => {
                assert!(consumed <= bytes.len());
                messages += 1;
                let drawn = match &message {
                    ServerMessage::Rect(rect) => decoder.apply(&mut screen, rect).map(drop),
                    ServerMessage::SetColours(colours) => {
                        decoder.set_colours(colours);
                        Ok(())
                    }
                    _ => Ok(()),
                };
                if let Err(error) = drawn {
                    assert!(error.to_string().contains("expected"), "{error}");
                    return messages;
                }
                assert!(screen.pixels().len() <= 1 << 16);
                bytes = &bytes[consumed..];
            }
            Ok(Progress::Need { more }) => {
                assert!((1..=LONGEST).contains(&more), "{more}");
                return messages;
            }
            Err(error) => {
                assert!(error.to_string().contains("expected"), "{error}");
                return messages;
            }
        }
    }
}

fn read_client(parser: &mut ClientParser, mut bytes: &[u8]) {
    while let Ok(Progress::Message { consumed, message }) = parser.parse(bytes) {
        assert!(!format!("{message:?}").is_empty());
        bytes = &bytes[consumed..];
    }
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    let big = PixelFormat { big_endian: true, ..PixelFormat::RGB565 };
    prop::sample::select(vec![
        PixelFormat::BGRX,
        PixelFormat::RGB565,
        big,
        PixelFormat::BGR233,
        PixelFormat::MAPPED,
        PixelFormat { bits: 16, ..PixelFormat::MAPPED },
    ])
}

const ALL: [Encoding; 17] = [
    Encoding::VMWARE_CURSOR,
    Encoding::TIGHT_PNG,
    Encoding::OPEN_H264,
    Encoding::RAW,
    Encoding::COPY_RECT,
    Encoding::RRE,
    Encoding::HEXTILE,
    Encoding::ZLIB,
    Encoding::TIGHT,
    Encoding::ZRLE,
    Encoding::CURSOR,
    Encoding::X_CURSOR,
    Encoding::CURSOR_WITH_ALPHA,
    Encoding::DESKTOP_SIZE,
    Encoding::EXTENDED_DESKTOP_SIZE,
    Encoding::DESKTOP_NAME,
    Encoding::LAST_RECT,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_from_a_server(bytes in prop::collection::vec(any::<u8>(), 0..2000), format in formats()) {
        decode(&mut ServerParser::after_handshake(format, limits()), &bytes);
        let mut parser = ServerParser::new(limits());
        parser.heard(&ClientMessage::Version(Version::V3_8));
        parser.heard(&ClientMessage::Security(SecurityType::VNC));
        decode(&mut parser, &bytes);
    }

    #[test]
    fn random_bytes_from_a_client(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        read_client(&mut ClientParser::new(limits()), &bytes);
        read_client(&mut ClientParser::after_handshake(limits()), &bytes);
    }

    #[test]
    fn random_payloads(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        (x, y) in (0_u16..80, 0_u16..80),
        (width, height) in (0_u16..70, 0_u16..70),
        encoding in prop::sample::select(&ALL[..]),
        format in formats(),
    ) {
        let area = Area::new(x, y, width, height);
        // Through the parser, and straight to the decoder, which must not count on it.
        let rect = Rect { area, encoding, format, payload: &bytes, last: true };
        decode(&mut ServerParser::after_handshake(format, limits()), &support::update(rect));
        let mut screen = Framebuffer::new(SIDE, SIDE, &limits()).expect("within the limits");
        let _ = Decoder::new(limits()).apply(&mut screen, &rect);
    }

    #[test]
    fn damaged_updates(
        encoding in prop::sample::select(vec![
            Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT,
        ]),
        seed: u64,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let screen = desktop(SIDE, SIDE, seed);
        let mut bytes = Vec::new();
        let mut encoder = Encoder::with_level(PixelFormat::BGRX, (seed % 10) as u8).expect("a format");
        encoder.update(&screen, &[screen.area()], encoding, &mut bytes).expect("it is encoded");
        encoder.update(&screen, &[screen.area()], encoding, &mut bytes).expect("it is encoded");
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        decode(&mut ServerParser::after_handshake(PixelFormat::BGRX, limits()), &bytes);
    }
}

#[test]
fn what_inflates_without_end_is_refused() {
    use std::io::Write;
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    (0..2000).for_each(|_| zlib.write_all(&[0; 100_000]).expect("memory"));
    let zlib = zlib.finish().expect("memory");
    for encoding in [Encoding::ZLIB, Encoding::ZRLE] {
        // A length is checked against the area, so a part of it is sent, which still is 10 MB.
        let part = &zlib[..10_000];
        let payload = [&(part.len() as u32).to_be_bytes(), part].concat();
        let area = Area::new(0, 0, SIDE, SIDE);
        let rect = Rect { area, encoding, format: PixelFormat::BGRX, payload: &payload, last: true };
        let mut screen = Framebuffer::new(SIDE, SIDE, &limits()).expect("within the limits");
        let refused = Decoder::new(limits()).apply(&mut screen, &rect).expect_err("too much");
        assert!(refused.to_string().contains("at most"), "{refused}");
    }
}

#[test]
fn a_rectangle_outside_of_the_screen_is_refused() {
    let area = Area::new(SIDE - 1, 0, 2, 1);
    for encoding in ALL.into_iter().filter(|encoding| encoding.has_pixels()) {
        let rect = Rect { area, encoding, format: PixelFormat::BGRX, payload: &[0; 100], last: true };
        let mut screen = Framebuffer::new(SIDE, SIDE, &limits()).expect("within the limits");
        let refused = Decoder::new(limits()).apply(&mut screen, &rect).expect_err("outside");
        assert!(refused.to_string().contains("expected at most 70, found 71"), "{encoding}: {refused}");
    }
}
