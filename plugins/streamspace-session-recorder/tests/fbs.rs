//! Exported files, read by a reader that shares nothing with the writer but the grammar.

mod support;

use std::{
    collections::HashMap,
    ops::ControlFlow::{Break, Continue},
};

use streamspace_rfb::{
    Decoder, Encoding, Framebuffer, Limits as RfbLimits, PixelFormat,
    message::{ClientMessage, Progress, SecurityType, ServerMessage, ServerParser, Version},
};
use streamspace_session_recorder::{
    export::fbs::{Error, Options, export},
    scene::{Moment, Side, Source},
    store::{self, Limits, Reader, Writer},
};
use support::{Owned, Screen, happened, put_all, small, subject};

/// Blocks of a file: when, and their bytes.
fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let number = |file: &mut &[u8]| {
        let (number, rest) = file.split_first_chunk().expect("four bytes");
        *file = rest;
        u32::from_be_bytes(*number)
    };
    file = file.strip_prefix(b"FBS 001.000\n").expect("the beginning");
    let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
    while !file.is_empty() {
        let length = number(&mut file) as usize;
        assert!(length > 0, "an empty block");
        let (data, rest) = file.split_at(length);
        let padding = (4 - length % 4) % 4;
        assert!(rest[..padding].iter().all(|byte| *byte == 0), "padding");
        file = &rest[padding..];
        let ms = number(&mut file);
        assert!(blocks.last().is_none_or(|last| last.0 <= ms), "time goes back");
        blocks.push((ms, data.to_vec()));
    }
    blocks
}

/// Reads the server's side of RFB 3.3, with pixels of 32 bits in BGRX, in Raw and Hextile.
struct Viewer {
    bytes: Vec<u8>,
    at: usize,
    /// Up to which byte there was what, at which millisecond.
    times: Vec<(usize, u32)>,
    screen: Screen,
    /// What was on the screen at the end of each millisecond.
    shown: HashMap<u32, Screen>,
    texts: Vec<Vec<u8>>,
    bells: usize,
}

impl Viewer {
    fn play(file: &[u8]) -> Self {
        let mut viewer = Self {
            bytes: Vec::new(),
            at: 0,
            times: Vec::new(),
            screen: Screen::default(),
            shown: HashMap::new(),
            texts: Vec::new(),
            bells: 0,
        };
        for (ms, data) in blocks(file) {
            viewer.bytes.extend(data);
            viewer.times.push((viewer.bytes.len(), ms));
        }
        viewer.handshake();
        while viewer.at < viewer.bytes.len() {
            viewer.message();
            let ms = viewer.times.iter().find(|(end, _)| viewer.at <= *end).expect("a block").1;
            viewer.shown.insert(ms, viewer.screen.clone());
        }
        viewer
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.at += count;
        self.bytes[self.at - count..self.at].to_vec()
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from(self.u8()) << 8 | u16::from(self.u8())
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    fn handshake(&mut self) {
        assert_eq!(self.take(12), b"RFB 003.003\n");
        assert_eq!(self.u32(), 1, "the security type None");
        (self.screen.width, self.screen.height) = (self.u16(), self.u16());
        assert_eq!(self.take(16), [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        let length = self.u32() as usize;
        assert_eq!(self.take(length), "größer".as_bytes());
        self.clear();
    }

    fn clear(&mut self) {
        let count = usize::from(self.screen.width) * usize::from(self.screen.height);
        self.screen.pixels = vec![[0, 0, 0, 255]; count];
    }

    fn message(&mut self) {
        match self.u8() {
            0 => {
                assert_eq!(self.u8(), 0, "padding");
                let count = self.u16();
                assert!(count > 0 && count < u16::MAX, "a number of rectangles");
                (0..count).for_each(|_| self.rect());
            }
            2 => self.bells += 1,
            3 => {
                assert_eq!(self.take(3), [0; 3], "padding");
                let length = self.u32() as usize;
                let text = self.take(length);
                self.texts.push(text);
            }
            other => panic!("message {other} at byte {}", self.at - 1),
        }
    }

    fn pixel(&mut self) -> [u8; 4] {
        let bytes = self.take(4);
        assert_eq!(bytes[3], 0, "what means nothing");
        [bytes[2], bytes[1], bytes[0], 255]
    }

    fn fill(&mut self, [x, y, width, height]: [u16; 4], pixel: [u8; 4]) {
        assert!(x + width <= self.screen.width && y + height <= self.screen.height, "inside");
        for y in y..y + height {
            for x in x..x + width {
                self.screen.pixels[usize::from(y) * usize::from(self.screen.width) + usize::from(x)] = pixel;
            }
        }
    }

    fn rect(&mut self) {
        let [x, y, width, height] = [(); 4].map(|()| self.u16());
        match self.u32() as i32 {
            0 => {
                for (x, y) in (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))) {
                    let pixel = self.pixel();
                    self.fill([x, y, 1, 1], pixel);
                }
            }
            5 => self.hextile([x, y, width, height]),
            -223 => {
                (self.screen.width, self.screen.height) = (width, height);
                assert_eq!((x, y), (0, 0));
                self.clear();
            }
            -239 => {
                let count = usize::from(width) * usize::from(height);
                let mut pixels: Vec<_> = (0..count).map(|_| self.pixel()).collect();
                let stride = usize::from(width).div_ceil(8);
                let mask = self.take(stride * usize::from(height));
                for (i, pixel) in pixels.iter_mut().enumerate() {
                    let (x, y) = (i % usize::from(width), i / usize::from(width));
                    if mask[y * stride + x / 8] >> (7 - x % 8) & 1 == 0 {
                        *pixel = [0; 4];
                    }
                }
                let cursor = streamspace_rfb::Cursor { x, y, width, height, pixels };
                self.screen.cursor = Some((count > 0).then_some(cursor));
            }
            other => panic!("encoding {other}"),
        }
    }

    /// RFC 6143, 7.7.4.
    fn hextile(&mut self, [left, top, width, height]: [u16; 4]) {
        let (mut background, mut foreground) = ([0; 4], [0; 4]);
        for y in (0..height).step_by(16) {
            for x in (0..width).step_by(16) {
                let tile = [left + x, top + y, 16.min(width - x), 16.min(height - y)];
                let flags = self.u8();
                if flags & 1 != 0 {
                    for (dx, dy) in (0..tile[3]).flat_map(|dy| (0..tile[2]).map(move |dx| (dx, dy))) {
                        let pixel = self.pixel();
                        self.fill([tile[0] + dx, tile[1] + dy, 1, 1], pixel);
                    }
                    continue;
                }
                if flags & 2 != 0 {
                    background = self.pixel();
                }
                if flags & 4 != 0 {
                    foreground = self.pixel();
                }
                self.fill(tile, background);
                let count = if flags & 8 != 0 { self.u8() } else { 0 };
                for _ in 0..count {
                    let pixel = if flags & 16 != 0 { self.pixel() } else { foreground };
                    let (place, size) = (self.u8(), self.u8());
                    let part = [
                        tile[0] + u16::from(place >> 4),
                        tile[1] + u16::from(place & 15),
                        u16::from(size >> 4) + 1,
                        u16::from(size & 15) + 1,
                    ];
                    self.fill(part, pixel);
                }
            }
        }
    }
}

/// What can be said in the form.
fn scenes(seed: u64) -> Vec<(Moment, Owned)> {
    let mut scenes = vec![(Moment(0), Owned::Cursor(None))];
    scenes.extend(
        happened(seed, 70, 90, 50).into_iter().filter(|(_, scene)| !matches!(scene, Owned::Wire(..))),
    );
    scenes.push((Moment(90_000_000), Owned::Clipboard(Side::Desktop, 7, Some("größe €".into()))));
    for (_, scene) in &mut scenes {
        // A pixel of a cursor is seen or not, and has no colour if it is not.
        if let Owned::Cursor(Some(cursor)) = scene {
            cursor.pixels.iter_mut().step_by(3).for_each(|pixel| *pixel = [0; 4]);
            if cursor.pixels.is_empty() {
                *scene = Owned::Cursor(None);
            }
        }
    }
    scenes
}

fn recorded(scenes: &[(Moment, Owned)]) -> (tempfile::TempDir, Reader) {
    let home = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(home.path(), &subject(), None, small()).expect("it begins");
    put_all(&mut writer, scenes);
    writer.finish(Moment(0)).expect("it is finished");
    let reader = Reader::open(home.path(), None, Limits::default()).expect("it opens");
    (home, reader)
}

fn options(encoding: Encoding) -> Options {
    Options { name: "größer".into(), encoding, ..Options::default() }
}

#[test]
fn a_file_is_what_the_grammar_says_and_shows_what_was_recorded() {
    for (seed, encoding) in [(1, Encoding::RAW), (2, Encoding::HEXTILE), (3, Encoding::HEXTILE)] {
        let scenes = scenes(seed);
        let (_home, mut reader) = recorded(&scenes);
        let mut file = Vec::new();
        let exported =
            export(&mut reader, &mut file, &options(encoding), |_| Continue(())).expect("it is exported");
        assert_eq!(exported.bytes, file.len() as u64);
        assert_eq!(exported.blocks, blocks(&file).len() as u64);

        let viewer = Viewer::play(&file);
        let began = scenes.iter().find(|(_, scene)| matches!(scene, Owned::Picture(..))).expect("one").0.0;
        let mut expected = HashMap::new();
        let (mut screen, mut bells) = (Screen::default(), 0);
        for (at, scene) in &scenes {
            screen.show(scene);
            bells += usize::from(*scene == Owned::Bell);
            expected.insert(((at.0 - began.min(at.0)) / 1000) as u32, screen.clone());
        }
        assert_eq!(viewer.screen, screen);
        assert_eq!(viewer.bells, bells);
        assert_eq!(viewer.texts.last().map(Vec::as_slice), Some(&b"gr\xF6\xDFe ?"[..]));
        for (ms, shown) in &viewer.shown {
            assert!(expected[ms] == *shown, "at {ms} ms");
        }
        assert!(viewer.shown.len() > 10, "{}", viewer.shown.len());
    }
}

#[test]
fn every_encoding_shows_the_same_to_a_decoder() {
    for encoding in [Encoding::RAW, Encoding::HEXTILE, Encoding::ZRLE, Encoding::TIGHT] {
        let scenes = scenes(4);
        let (_home, mut reader) = recorded(&scenes);
        let mut file = Vec::new();
        export(&mut reader, &mut file, &options(encoding), |_| Continue(())).expect("it is exported");
        let bytes: Vec<u8> = blocks(&file).into_iter().flat_map(|(_, data)| data).collect();
        let limits = RfbLimits::default();
        let (mut parser, mut decoder) = (ServerParser::new(limits), Decoder::new(limits));
        parser.heard(&ClientMessage::Version(Version::V3_3));
        parser.heard(&ClientMessage::Security(SecurityType::NONE));
        let mut screen = Framebuffer::new(1, 1, &limits).expect("within the limits");
        let mut rest = &bytes[..];
        while let Progress::Message { consumed, message } = parser.parse(rest).expect("a message") {
            match message {
                ServerMessage::Init(init) => {
                    assert_eq!(init.format, PixelFormat::BGRX);
                    screen.resize(init.width, init.height, &limits).expect("within the limits");
                }
                ServerMessage::Rect(rect) => drop(decoder.apply(&mut screen, &rect).expect("it is decoded")),
                _ => {}
            }
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty(), "{} bytes are left", rest.len());
        let mut expected = Screen::default();
        scenes.iter().for_each(|(_, scene)| expected.show(scene));
        assert_eq!((screen.width(), screen.height()), (expected.width, expected.height));
        assert!(screen.pixels() == expected.pixels, "{encoding}");
    }
}

#[test]
fn what_cannot_be_said_is_refused() {
    let (_home, mut reader) = recorded(&[(Moment(3), Owned::Wire(Side::Desktop, vec![1]))]);
    let refused = export(&mut reader, Vec::new(), &Options::default(), |_| Continue(()));
    assert!(matches!(refused, Err(Error::Wire(Moment(3)))), "{refused:?}");

    let (_home, mut reader) = recorded(&[(Moment(3), Owned::Bell)]);
    let refused = export(&mut reader, Vec::new(), &Options::default(), |_| Continue(()));
    assert!(matches!(refused, Err(Error::Empty)), "{refused:?}");

    let picture = Owned::Picture(1, 1, vec![[1, 2, 3, 255]]);
    let late = Moment((1 << 32) * 1000);
    let (_home, mut reader) = recorded(&[(Moment(0), picture), (late, Owned::Bell)]);
    let refused = export(&mut reader, Vec::new(), &Options::default(), |_| Continue(()));
    assert!(matches!(refused, Err(Error::Long(at)) if at == late), "{refused:?}");
}

#[test]
fn whoever_makes_it_may_stop_it() {
    let (_home, mut reader) = recorded(&scenes(1));
    let (mut file, mut asked) = (Vec::new(), 0);
    let stopped = export(&mut reader, &mut file, &Options::default(), |_| {
        asked += 1;
        if asked < 5 { Continue(()) } else { Break(()) }
    });
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    assert_eq!(asked, 5);
}

#[test]
fn a_damaged_recording_ends_the_file() {
    struct Broken;
    impl Source for Broken {
        type Error = store::Error;
        fn length(&self) -> Moment {
            Moment(0)
        }
        fn seek(&mut self, _: Moment) -> Result<(), Self::Error> {
            Ok(())
        }
        fn next(
            &mut self,
        ) -> Result<Option<(Moment, streamspace_session_recorder::scene::Scene<'_>)>, Self::Error> {
            Err(store::Error::Failed)
        }
    }
    let refused = export(&mut Broken, Vec::new(), &Options::default(), |_| Continue(()));
    assert!(matches!(refused, Err(Error::Source(store::Error::Failed))), "{refused:?}");
}
