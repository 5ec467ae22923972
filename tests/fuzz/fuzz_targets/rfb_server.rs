//! Bytes as what a server of RFB sends: refused with words, or drawn on a screen. The first byte chooses how pixels are written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_rfb::{
    Decoder, Framebuffer, Limits, PixelFormat,
    message::{ClientMessage, Progress, SecurityType, ServerMessage, ServerParser, Version},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let format = match first % 6 {
        0 => PixelFormat::BGRX,
        1 => PixelFormat::RGB565,
        2 => PixelFormat { big_endian: true, ..PixelFormat::RGB565 },
        3 => PixelFormat::BGR233,
        4 => PixelFormat::MAPPED,
        _ => PixelFormat { bits: 16, ..PixelFormat::MAPPED },
    };
    draw(ServerParser::after_handshake(format, limits()), bytes);

    let mut parser = ServerParser::new(limits());
    let version = if first & 0x40 == 0 { Version::V3_8 } else { Version::V3_3 };
    parser.heard(&ClientMessage::Version(version));
    parser.heard(&ClientMessage::Security(if first & 0x80 == 0 {
        SecurityType::NONE
    } else {
        SecurityType::VNC
    }));
    draw(parser, bytes);
});

fn limits() -> Limits {
    Limits { side: 512, pixels: 1 << 15, cursor: 64, cut_text: 1 << 20, ..Limits::default() }
}

fn draw(mut parser: ServerParser, mut bytes: &[u8]) {
    let mut decoder = Decoder::new(limits());
    let mut screen = Framebuffer::new(128, 128, &limits()).expect("within the limits");
    loop {
        match parser.parse(bytes) {
            Err(why) => return assert!(!why.to_string().is_empty(), "a refusal without words"),
            Ok(Progress::Need { more }) => return assert!(more > 0, "nothing is missing"),
            Ok(Progress::Message { consumed, message }) => {
                match message {
                    ServerMessage::Rect(rect) => {
                        if let Err(why) = decoder.apply(&mut screen, &rect) {
                            return assert!(!why.to_string().is_empty(), "a refusal without words");
                        }
                    }
                    ServerMessage::SetColours(colours) => decoder.set_colours(&colours),
                    _ => {}
                }
                assert!(screen.pixels().len() <= 1 << 15, "more pixels than the limit");
                bytes = &bytes[consumed..];
            }
        }
    }
}
