//! Messages are the same however their bytes arrive, and are written as they were read.

mod support;

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use streamspace_rfb::{
    Area, Encoder, Encoding, Error, Limits, PixelFormat, Screen,
    message::{
        ClientMessage, ClientParser, Colours, CutText, Encodings, Fence, Progress, Rect, Screens, Secret,
        SecurityType, ServerInit, ServerMessage, ServerParser, Version,
    },
};

use self::support::desktop::desktop;

const FORMAT: PixelFormat = PixelFormat::RGB565;

/// Everything that a server may send, in each encoding.
fn server() -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in [
        ServerMessage::Version(Version::V3_8),
        ServerMessage::SecurityTypes(&[1, 2, 19]),
        ServerMessage::Challenge(Secret(&[3; 16])),
        ServerMessage::SecurityResult { code: 0, reason: None },
        ServerMessage::Init(ServerInit { width: 50, height: 40, format: FORMAT, name: b"it" }),
        ServerMessage::SetColours(Colours::from_bytes(3, &[[0, 1, 0, 2, 0, 3], [9; 6]])),
        ServerMessage::Bell,
        ServerMessage::CutText(CutText::Plain(b"a text")),
        ServerMessage::CutText(CutText::Extended { flags: 1 << 24, data: &[1, 2, 3] }),
        ServerMessage::EndOfContinuousUpdates,
        ServerMessage::Fence(Fence { flags: Fence::REQUEST | Fence::SYNC, payload: b"1234" }),
        ServerMessage::Xvp { version: 1, code: 1 },
        ServerMessage::Audio { operation: 1, data: &[] },
        ServerMessage::Audio { operation: 2, data: &[1, 2, 3] },
        ServerMessage::Update { rects: 0 },
    ] {
        message.write(&mut bytes);
    }
    let mut encoder = Encoder::new(FORMAT).expect("a format");
    for encoding in [Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT] {
        let screen = desktop(20, 19, 1);
        encoder.update(&screen, &[screen.area()], encoding, &mut bytes).expect("it is encoded");
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&[7; 32]).expect("memory");
    let zlib = zlib.finish().expect("memory");
    let zlib = [&(zlib.len() as u32).to_be_bytes(), &zlib[..]].concat();
    let screen = Screen { id: 7, area: Area::new(0, 0, 50, 40), flags: 1 };
    let screens = [&[1, 0, 0, 0], Screens::to_bytes(&[screen]).as_flattened()].concat();
    ServerMessage::Update { rects: u16::MAX }.write(&mut bytes);
    for (encoding, payload) in [
        (Encoding::COPY_RECT, &[0, 1, 0, 2][..]),
        (Encoding::RRE, &[0, 0, 0, 1, 1, 2, 3, 4, 0, 1, 0, 1, 0, 2, 0, 2]),
        (Encoding::ZLIB, &zlib),
        (Encoding::TIGHT, &[0x81, 1, 2]),
        (Encoding::TIGHT, &[0x90, 2, 1, 2]),
        (Encoding::TIGHT, &[0x60, 1, 0, 1, 2, 9, 9, 9, 9]),
        (Encoding::CURSOR, &[5; 32 + 4]),
        (Encoding::X_CURSOR, &[5; 6 + 8]),
        (Encoding::CURSOR_WITH_ALPHA, &[0; 4 + 64]),
        (Encoding::DESKTOP_NAME, &[0, 0, 0, 3, 1, 2, 3]),
        (Encoding::EXTENDED_DESKTOP_SIZE, &screens),
        (Encoding::DESKTOP_SIZE, &[]),
        (Encoding::QEMU_LED, &[1]),
        (Encoding::QEMU_EXTENDED_KEY, &[]),
        (Encoding::QEMU_POINTER_MOTION, &[]),
        (Encoding::LAST_RECT, &[]),
    ] {
        let area = Area::new(1, 2, 4, 4);
        let rect = Rect { area, encoding, format: FORMAT, payload, last: false };
        ServerMessage::Rect(rect).write(&mut bytes);
    }
    ServerMessage::Bell.write(&mut bytes);
    bytes
}

fn client() -> Vec<u8> {
    let encodings = Encodings::to_bytes(&[Encoding::ZRLE, Encoding::FENCE, Encoding::jpeg_quality(5)]);
    let screen = Screen { id: 7, area: Area::new(0, 0, 50, 40), flags: 1 };
    let screens = Screens::to_bytes(&[screen, screen]);
    let area = Area::new(1, 2, 3, 4);
    let mut bytes = Vec::new();
    for message in [
        ClientMessage::Version(Version::V3_8),
        ClientMessage::Security(SecurityType::VNC),
        ClientMessage::Response(Secret(&[9; 16])),
        ClientMessage::Init { shared: true },
        ClientMessage::SetPixelFormat(PixelFormat::RGBX),
        ClientMessage::SetEncodings(Encodings::from_bytes(&encodings)),
        ClientMessage::UpdateRequest { incremental: true, area },
        ClientMessage::Key { down: true, symbol: 0xFF0D },
        ClientMessage::Pointer { buttons: 0x81, more: None, x: 5, y: 6 },
        ClientMessage::CutText(CutText::Plain(b"a text")),
        ClientMessage::CutText(CutText::Extended { flags: 2, data: b"x" }),
        ClientMessage::ContinuousUpdates { enable: true, area },
        ClientMessage::Fence(Fence { flags: Fence::BEFORE, payload: &[1; 64] }),
        ClientMessage::SetDesktopSize { width: 9, height: 8, screens: Screens::from_bytes(&screens) },
        ClientMessage::ExtendedKey { down: false, symbol: 3, code: 4 },
        ClientMessage::Audio { operation: 0, data: &[] },
        ClientMessage::Audio { operation: 2, data: &[1, 2, 3, 4, 5, 6] },
        ClientMessage::Xvp { version: 1, code: 3 },
    ] {
        message.write(&mut bytes);
    }
    bytes
}

/// Parses what comes in pieces. Answers each message as text, and all of them as they are written again.
fn parse(
    pieces: &[&[u8]],
    mut next: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Progress<String>, Error>,
) -> (Vec<String>, Vec<u8>) {
    let (mut messages, mut written, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            match next(&waiting, &mut written).unwrap_or_else(|error| panic!("{error}")) {
                Progress::Message { consumed, message } => {
                    waiting.drain(..consumed);
                    messages.push(message);
                }
                Progress::Need { more } => {
                    assert!(more > 0, "nothing is missing");
                    break;
                }
            }
        }
    }
    assert!(waiting.is_empty(), "{} bytes are left over", waiting.len());
    (messages, written)
}

fn of_server(pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let mut parser = ServerParser::new(Limits::default());
    parser.heard(&ClientMessage::Version(Version::V3_8));
    parser.heard(&ClientMessage::Security(SecurityType::VNC));
    parse(pieces, |bytes, written| {
        Ok(match parser.parse(bytes)? {
            Progress::Message { consumed, message } => {
                message.write(written);
                Progress::Message { consumed, message: format!("{message:?}") }
            }
            Progress::Need { more } => Progress::Need { more },
        })
    })
}

fn of_client(pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let mut parser = ClientParser::new(Limits::default());
    parse(pieces, |bytes, written| {
        Ok(match parser.parse(bytes)? {
            Progress::Message { consumed, message } => {
                message.write(written);
                Progress::Message { consumed, message: format!("{message:?}") }
            }
            Progress::Need { more } => Progress::Need { more },
        })
    })
}

fn split_everywhere(bytes: &[u8], all: impl Fn(&[&[u8]]) -> (Vec<String>, Vec<u8>)) {
    let whole = all(&[bytes]);
    assert_eq!(whole.1, bytes, "what was read is written again");
    for at in 0..bytes.len() {
        let (before, behind) = bytes.split_at(at);
        assert!(all(&[before, behind]) == whole, "split at byte {at}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert!(all(&single) == whole, "byte by byte");
}

#[test]
fn a_server_is_read_the_same_wherever_its_bytes_are_split() {
    split_everywhere(&server(), of_server);
}

#[test]
fn a_client_is_read_the_same_wherever_its_bytes_are_split() {
    split_everywhere(&client(), of_client);
}

#[test]
fn what_is_missing_is_never_more_than_what_is_missing() {
    let bytes = server();
    let mut parser = ServerParser::new(Limits::default());
    parser.heard(&ClientMessage::Version(Version::V3_8));
    parser.heard(&ClientMessage::Security(SecurityType::VNC));
    let mut at = 0;
    while at < bytes.len() {
        // As many bytes as were asked for, and no more, must come to a message.
        let mut have = 0;
        loop {
            match parser.parse(&bytes[at..at + have]).unwrap_or_else(|error| panic!("{error}")) {
                Progress::Message { consumed, .. } => {
                    assert_eq!(consumed, have, "at byte {at}");
                    at += consumed;
                    break;
                }
                Progress::Need { more } => have += more,
            }
        }
    }
}

#[test]
fn the_other_versions_have_their_own_handshakes() {
    for (version, expected) in [(Version::V3_3, 4), (Version::V3_7, 4)] {
        let mut parser = ServerParser::new(Limits::default());
        parser.heard(&ClientMessage::Version(version));
        let init = ServerInit { width: 5, height: 4, format: FORMAT, name: b"it" };
        let mut bytes = ServerMessage::Version(Version::V3_8).to_bytes();
        match version {
            Version::V3_3 => ServerMessage::Security(SecurityType::NONE).write(&mut bytes),
            _ => ServerMessage::SecurityTypes(&[1]).write(&mut bytes),
        }
        parser.heard(&ClientMessage::Security(SecurityType::NONE));
        // No result comes where nothing was asked.
        ServerMessage::Init(init).write(&mut bytes);
        ServerMessage::Bell.write(&mut bytes);
        let mut messages = 0;
        support::read(&mut parser, &bytes, |_| {
            messages += 1;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{version:?}: {error}"));
        assert_eq!(messages, expected, "{version:?}");
        assert!(parser.is_ready());
    }
    let mut client = ClientParser::new(Limits::default());
    client.heard(&ServerMessage::Security(SecurityType::VNC));
    let mut bytes = ClientMessage::Version(Version::V3_3).to_bytes();
    bytes.extend([9; 16]);
    let (consumed, _) = client.parse(&bytes).expect("a version").message().expect("whole");
    let (_, message) = client.parse(&bytes[consumed..]).expect("a response").message().expect("whole");
    assert_eq!(message, ClientMessage::Response(Secret(&[9; 16])));
}

#[test]
fn a_refusal_is_read_in_each_version_and_ends_the_connection() {
    for version in [Version::V3_3, Version::V3_8] {
        let mut parser = ServerParser::new(Limits::default());
        parser.heard(&ClientMessage::Version(version));
        let mut bytes = ServerMessage::Version(Version::V3_8).to_bytes();
        let refused = ServerMessage::Refused { version, reason: b"no" };
        refused.write(&mut bytes);
        let mut last = String::new();
        support::read(&mut parser, &bytes, |message| {
            last = format!("{message:?}");
            Ok(())
        })
        .expect("a refusal");
        assert_eq!(last, format!("{refused:?}"));
        assert!(parser.parse(&[0]).is_err(), "nothing follows");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let mut parser = ServerParser::new(Limits::default());
    let bytes = ServerMessage::Version(Version::V3_8).to_bytes();
    parser.parse(&bytes).expect("a version");
    let unheard = parser.parse(&[1, 1]).expect_err("nothing was told");
    assert!(matches!(unheard, Error::Unheard { at: 12, .. }), "{unheard}");

    let mut parser = ClientParser::new(Limits::default());
    parser.parse(&bytes).expect("a version");
    let hidden = parser.parse(&[19]).expect_err("TLS follows");
    assert_eq!(
        hidden.to_string(),
        "the security type at byte 12: expected None (1) or VNC authentication (2), since others hide what \
         follows, found security type 19 (VeNCrypt)"
    );
    let unknown = ClientParser::after_handshake(Limits::default()).parse(&[77]).expect_err("no message");
    assert!(unknown.to_string().contains("found 77"), "{unknown}");
}

#[test]
fn a_pixel_format_holds_from_the_next_update_on() {
    let mut parser = ServerParser::after_handshake(PixelFormat::BGRX, Limits::default());
    let head = ServerMessage::Update { rects: 2 }.to_bytes();
    parser.parse(&head).expect("an update");
    parser.heard(&ClientMessage::SetPixelFormat(PixelFormat::BGR233));
    let rect = |format: PixelFormat, payload: &[u8]| {
        let area = Area::new(0, 0, 2, 1);
        let last = false;
        ServerMessage::Rect(Rect { area, encoding: Encoding::RAW, format, payload, last }).to_bytes()
    };
    for _ in 0..2 {
        let bytes = rect(PixelFormat::BGRX, &[0; 8]);
        let (consumed, _) = parser.parse(&bytes).expect("a rectangle").message().expect("whole");
        assert_eq!(consumed, 12 + 8);
    }
    parser.parse(&head).expect("an update");
    let bytes = rect(PixelFormat::BGR233, &[0; 2]);
    assert!(parser.parse(&bytes).expect("a rectangle").message().is_some());
    assert_eq!(parser.format(), PixelFormat::BGR233);
}

#[test]
fn more_buttons_are_read_once_the_server_has_them() {
    let message = ClientMessage::Pointer { buttons: 1, more: Some(2), x: 3, y: 4 };
    let mut parser = ClientParser::after_handshake(Limits::default());
    let rect = Rect {
        area: Area::default(),
        encoding: Encoding::EXTENDED_MOUSE_BUTTONS,
        format: FORMAT,
        payload: &[],
        last: true,
    };
    parser.heard(&ServerMessage::Rect(rect));
    let bytes = message.to_bytes();
    assert_eq!(parser.parse(&bytes).expect("a message").message(), Some((7, message)));
}

#[test]
fn limits_hold_for_every_size() {
    let limits = Limits { side: 100, pixels: 1000, name: 10, cut_text: 20, ..Limits::default() };
    let init = ServerInit { width: 50, height: 50, format: FORMAT, name: b"it" };
    let mut parser = ServerParser::new(limits);
    parser.heard(&ClientMessage::Version(Version::V3_7));
    parser.heard(&ClientMessage::Security(SecurityType::NONE));
    parser.parse(ServerMessage::Version(Version::V3_7).to_bytes().as_slice()).expect("a version");
    parser.parse(&[1, 1]).expect("security types");
    let refused = parser.parse(&ServerMessage::Init(init).to_bytes()).expect_err("too many pixels");
    assert!(matches!(refused, Error::TooMuch { limit: 1000, found: 2500, at: 14, .. }), "{refused}");
    let mut ready = ServerParser::after_handshake(FORMAT, limits);
    assert!(ready.parse(&ServerMessage::CutText(CutText::Plain(&[0; 21])).to_bytes()).is_err());
    assert!(ready.parse(&ServerMessage::CutText(CutText::Plain(&[0; 20])).to_bytes()).is_ok());
    ready.parse(&ServerMessage::Update { rects: 1 }.to_bytes()).expect("an update");
    let wide = [0, 0, 0, 0, 0, 101, 0, 1, 0, 0, 0, 0];
    assert!(ready.parse(&wide).expect_err("too wide").to_string().contains("at most 100, found 101"));
}
