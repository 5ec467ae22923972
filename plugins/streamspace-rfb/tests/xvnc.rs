//! Against TigerVNC's server: what is drawn on its screen is what is decoded.

mod support {
    #![allow(dead_code, clippy::allow_attributes, reason = "no suite uses all of it")]
    pub(crate) mod desktop;
    pub(crate) mod viewer;
    pub(crate) mod xserver;
}

use streamspace_rfb::{
    Applied, Area, Encoding, Framebuffer, PixelFormat,
    message::{ClientMessage, Screens, Version},
};

use self::support::{
    desktop::{Random, desktop, picture},
    viewer::Viewer,
    xserver::{Painter, XServer},
};

const WIDTH: u16 = 643;
const HEIGHT: u16 = 481;
/// Those that this server writes. It has no zlib.
const ENCODINGS: [Encoding; 5] =
    [Encoding::RAW, Encoding::RRE, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT];

fn painted() -> Option<(XServer, Painter, Framebuffer)> {
    let server = XServer::start(WIDTH, HEIGHT)?;
    let mut painter = Painter::connect(&server);
    let screen = desktop(WIDTH, HEIGHT, 42);
    painter.put(&screen, screen.area());
    Some((server, painter, screen))
}

fn big_endian(format: PixelFormat) -> PixelFormat {
    PixelFormat { big_endian: true, ..format }
}

fn different(one: &Framebuffer, other: &Framebuffer) -> usize {
    assert_eq!(one.area(), other.area());
    one.pixels().iter().zip(other.pixels()).filter(|(a, b)| a != b).count()
}

#[test]
fn every_encoding_shows_what_was_drawn() {
    let Some((server, _painter, drawn)) = painted() else { return };
    let high = PixelFormat { shift: [24, 16, 8], ..PixelFormat::BGRX };
    let formats =
        [PixelFormat::BGRX, PixelFormat::RGBX, big_endian(PixelFormat::BGRX), high, big_endian(high)];
    for encoding in ENCODINGS {
        for format in formats {
            let mut viewer = Viewer::connect(&server, Version::V3_8);
            viewer.ask(Some(format), &[encoding, Encoding::LAST_RECT]);
            viewer.update(false);
            assert_eq!(different(&viewer.screen, &drawn), 0, "{encoding} {format:?}");
            assert!(viewer.seen.contains(&encoding), "{encoding}: {:?}", viewer.seen);
        }
    }
}

#[test]
fn fewer_colours_are_those_of_raw() {
    let Some((server, _painter, drawn)) = painted() else { return };
    let formats = [PixelFormat::RGB565, big_endian(PixelFormat::RGB565), PixelFormat::BGR233];
    for format in formats {
        let mut plain = Viewer::connect(&server, Version::V3_8);
        plain.ask(Some(format), &[Encoding::RAW]);
        plain.update(false);
        assert!(different(&plain.screen, &drawn) > 0, "a picture loses colours");
        for encoding in ENCODINGS {
            let mut viewer = Viewer::connect(&server, Version::V3_8);
            viewer.ask(Some(format), &[encoding]);
            viewer.update(false);
            assert_eq!(different(&viewer.screen, &plain.screen), 0, "{encoding} {format:?}");
        }
    }
}

#[test]
fn every_version_of_the_protocol_is_understood() {
    let Some((server, _painter, drawn)) = painted() else { return };
    for version in [Version::V3_3, Version::V3_7, Version::V3_8] {
        let mut viewer = Viewer::connect(&server, version);
        viewer.ask(None, &[Encoding::ZRLE]);
        viewer.update(false);
        assert_eq!(different(&viewer.screen, &drawn), 0, "{version:?}");
    }
}

#[test]
fn streams_go_on_while_the_screen_changes() {
    for encoding in ENCODINGS {
        let Some((server, mut painter, mut drawn)) = painted() else { return };
        let mut viewer = Viewer::connect(&server, Version::V3_8);
        viewer.ask(None, &[encoding, Encoding::COPY_RECT, Encoding::LAST_RECT]);
        viewer.update(false);
        let random = &mut Random::new(5);
        for _ in 0..12 {
            let area = Area::new(random.below(WIDTH - 120), random.below(HEIGHT - 120), 117, 93);
            picture(&mut drawn, area, random);
            painter.put(&drawn, area);
            let to = Area::new(random.below(200), random.below(100), 300, 200);
            let from = (random.below(200), random.below(200));
            drawn.copy(from, to).expect("inside");
            painter.copy(from, to);
            viewer.until(|screen| different(screen, &drawn) == 0);
        }
        assert!(viewer.seen.contains(&Encoding::COPY_RECT), "{encoding}: nothing was copied");
    }
}

#[test]
fn a_picture_in_jpeg_is_close_to_what_was_drawn() {
    let Some((server, mut painter, mut drawn)) = painted() else { return };
    picture(&mut drawn, Area::new(0, 0, WIDTH, HEIGHT), &mut Random::new(3));
    painter.put(&drawn, drawn.area());
    let mut viewer = Viewer::connect(&server, Version::V3_8);
    viewer.ask(None, &[Encoding::TIGHT, Encoding::jpeg_quality(8)]);
    viewer.update(false);
    let pairs = viewer.screen.bytes().iter().zip(drawn.bytes());
    let off: u64 = pairs.clone().map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(off > 0, "there was no JPEG in it");
    assert!(off / (pairs.len() as u64) < 8, "{off} of {}", pairs.len());
}

#[test]
fn a_client_sees_and_changes_the_size_of_the_desktop() {
    let Some((server, _painter, _)) = painted() else { return };
    let mut viewer = Viewer::connect(&server, Version::V3_8);
    viewer.ask(None, &[Encoding::RAW, Encoding::EXTENDED_DESKTOP_SIZE, Encoding::DESKTOP_NAME]);
    viewer.update(false);
    let layouts = |viewer: &Viewer| {
        let layout = |said: &Applied| match said {
            Applied::Layout(layout) => Some(layout.clone()),
            _ => None,
        };
        viewer.said.iter().filter_map(layout).collect::<Vec<_>>()
    };
    // The first answer may be about the screens alone.
    while layouts(&viewer).is_empty() {
        viewer.step();
    }
    let found = layouts(&viewer);
    assert_eq!((found[0].width, found[0].height, found[0].screens.len()), (WIDTH, HEIGHT, 1));
    let mut screen = found[0].screens[0];
    screen.area = Area::new(0, 0, 800, 600);
    let bytes = Screens::to_bytes(&[screen]);
    let screens = Screens::from_bytes(&bytes);
    viewer.send(&ClientMessage::SetDesktopSize { width: 800, height: 600, screens });
    while !layouts(&viewer).iter().any(|layout| layout.reason == 1) {
        viewer.update(false);
    }
    assert_eq!(
        layouts(&viewer).iter().filter(|layout| layout.reason == 1).map(|layout| layout.status).max(),
        Some(0)
    );
    assert_eq!(viewer.all(), Area::new(0, 0, 800, 600));
}

#[test]
fn updates_come_by_themselves_and_fences_are_answered() {
    let Some((server, mut painter, mut drawn)) = painted() else { return };
    let mut viewer = Viewer::connect(&server, Version::V3_8);
    viewer.ask(None, &[Encoding::TIGHT, Encoding::FENCE, Encoding::CONTINUOUS_UPDATES, Encoding::CURSOR]);
    viewer.update(false);
    while !viewer.continuous {
        viewer.step();
    }
    let area = viewer.all();
    viewer.send(&ClientMessage::ContinuousUpdates { enable: true, area });
    for seed in 0..5 {
        picture(&mut drawn, Area::new(100, 100, 200, 100), &mut Random::new(seed));
        painter.put(&drawn, Area::new(100, 100, 200, 100));
        while different(&viewer.screen, &drawn) != 0 {
            viewer.step();
        }
    }
    assert!(viewer.fences > 0, "the server sent no fence");
}

#[test]
fn pictures_of_the_pointer_are_read() {
    let Some((server, _painter, _)) = painted() else { return };
    for encoding in
        [Encoding::CURSOR, Encoding::X_CURSOR, Encoding::CURSOR_WITH_ALPHA, Encoding::VMWARE_CURSOR]
    {
        let mut viewer = Viewer::connect(&server, Version::V3_8);
        viewer.ask(None, &[Encoding::RAW, encoding]);
        viewer.update(false);
        let cursor = |said: &Applied| {
            matches!(said, Applied::Cursor(cursor) if
            cursor.pixels.len() == usize::from(cursor.width) * usize::from(cursor.height))
        };
        while !viewer.said.iter().any(cursor) {
            viewer.step();
        }
    }
}
