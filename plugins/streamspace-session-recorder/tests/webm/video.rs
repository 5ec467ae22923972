//! Recordings that are made up, and their videos.

use std::{fs, io::Cursor as Memory, ops::ControlFlow, time::Duration};

use serde_json::Value;
use streamspace_rfb::{Area, Framebuffer, Limits, Pixel};
use streamspace_session_recorder::{
    export::webm::{self, Exported, Options},
    scene::{Moment, Scene, Sink},
};

use crate::support::{ebml::Element, ffmpeg, reel::Reel};

pub(crate) const WIDTH: u16 = 320;
pub(crate) const HEIGHT: u16 = 200;

pub(crate) fn ms(at: u64) -> Moment {
    Moment(at * 1_000)
}

/// A screen with something to be seen: a gradient behind lines of small marks.
pub(crate) fn desktop(width: u16, height: u16) -> Framebuffer {
    let mut screen = Framebuffer::new(width, height, &Limits::default()).expect("small");
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let mark = y % 12 < 8 && (x / 2 * 7 + y / 2 * 13) % 5 == 0 && x % 80 < 60;
        let colour = |value: u16| (60 + value % 180) as u8;
        let pixel =
            if mark { [20, 20, 20, 255] } else { [colour(x / 3), colour(y / 2), colour((x + y) / 4), 255] };
        screen.fill(Area::new(x, y, 1, 1), pixel).expect("inside");
    }
    screen
}

pub(crate) fn put(reel: &mut Reel, at: u64, scene: &Scene<'_>) {
    reel.put(ms(at), scene).expect("kept");
}

pub(crate) fn put_screen(reel: &mut Reel, at: u64, screen: &Framebuffer) {
    let (width, height, pixels) = (screen.width(), screen.height(), screen.pixels());
    put(reel, at, &Scene::Picture { width, height, pixels });
}

/// Fills an area, on the screen and in the recording.
pub(crate) fn paint(reel: &mut Reel, at: u64, screen: &mut Framebuffer, area: Area, pixel: Pixel) {
    screen.fill(area, pixel).expect("inside");
    put(reel, at, &Scene::Patch { area, pixels: &vec![pixel; area.pixels()] });
}

pub(crate) fn export(reel: &mut Reel, options: &Options) -> (Exported, Vec<u8>) {
    let mut out = Memory::new(Vec::new());
    let exported = webm::export(reel, &mut out, options, |_| ControlFlow::Continue(())).expect("it is made");
    assert_eq!(out.position(), exported.bytes, "the end");
    let bytes = out.into_inner();
    assert_eq!(bytes.len() as u64, exported.bytes);
    (exported, bytes)
}

/// A video, and what FFmpeg says of it.
pub(crate) struct Video {
    file: tempfile::NamedTempFile,
    pub(crate) probe: Value,
}

impl Video {
    pub(crate) fn new(exported: &Exported, bytes: &[u8]) -> Self {
        let file = tempfile::Builder::new().suffix(".webm").tempfile().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        let probe = ffmpeg::probe(file.path());
        let video = Self { file, probe };
        let stream = &video.probe["streams"][0];
        assert_eq!(video.probe["streams"].as_array().expect("streams").len(), 1);
        assert_eq!(video.probe["format"]["format_name"], "matroska,webm");
        assert_eq!(stream["codec_name"], "av1");
        assert_eq!(stream["pix_fmt"], "yuv420p");
        assert_eq!(stream["color_space"], "bt709");
        assert_eq!(stream["color_range"], "tv");
        assert_eq!((&stream["width"], &stream["height"]), (&exported.width.into(), &exported.height.into()));
        assert_eq!(stream["nb_read_frames"], exported.frames.to_string(), "all are decoded");
        let duration: f64 =
            video.probe["format"]["duration"].as_str().expect("a duration").parse().expect("one");
        assert_eq!(Duration::from_secs_f64(duration).as_millis(), exported.duration.as_millis());
        video
    }

    /// When the frames are, in milliseconds, and whether they are key frames.
    pub(crate) fn frames(&self) -> Vec<(u64, bool)> {
        let packets = self.probe["packets"].as_array().expect("packets").iter();
        let frame = |packet: &Value| {
            let at = packet["pts"].as_u64().expect("a time");
            (at, packet["flags"].as_str().expect("flags").starts_with('K'))
        };
        packets.map(frame).collect()
    }

    pub(crate) fn picture(&self, at_ms: u64) -> Vec<[u8; 3]> {
        ffmpeg::picture(self.file.path(), at_ms as f64 / 1_000.0)
    }
}

/// How alike two pictures are, in decibels.
pub(crate) fn psnr(one: &[[u8; 3]], other: &[[u8; 3]]) -> f64 {
    assert_eq!(one.len(), other.len(), "pixels");
    let parts = one.as_flattened().iter().zip(other.as_flattened());
    let error: f64 = parts.map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) / (error / (one.len() * 3) as f64).max(1e-9)).log10()
}

pub(crate) fn colours(screen: &Framebuffer) -> Vec<[u8; 3]> {
    screen.pixels().iter().map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// 15 seconds: a screen on which something changes ten times a second for 3 seconds, and once more at 14.05 s.
pub(crate) fn recording() -> (Reel, Framebuffer) {
    let (mut reel, mut screen) = (Reel::default(), desktop(WIDTH, HEIGHT));
    put_screen(&mut reel, 0, &screen);
    for i in 0..30_u16 {
        let area = Area::new(i * 10, 40 + i * 4, 8, 30);
        // Two changes that belong together.
        paint(&mut reel, 150 + u64::from(i) * 100, &mut screen, area, [200, 30, 30, 255]);
        let area = Area::new(i * 10, 4, 8, 30);
        paint(&mut reel, 152 + u64::from(i) * 100, &mut screen, area, [30, 200, 30, 255]);
    }
    put_screen(&mut reel, 8_000, &screen);
    paint(&mut reel, 14_050, &mut screen, Area::new(100, 100, 120, 60), [30, 30, 200, 255]);
    put(&mut reel, 15_000, &Scene::Bell);
    (reel, screen)
}

/// Checks the form of a file, and gives the times of its cues.
pub(crate) fn check_structure(bytes: &[u8]) -> Vec<u64> {
    let file = Element::file(bytes);
    assert_eq!(file.iter().map(|element| element.id).collect::<Vec<_>>(), [0x1A45_DFA3, 0x1853_8067]);
    assert_eq!(file[0].one(0x4282).text(), "webm");
    let segment = file[1];
    let all = segment.all();
    // What the list says of places is so.
    for seek in segment.one(0x114D_9B74).each(0x4DBB) {
        let (id, at) = (seek.one(0x53AB).number(), seek.one(0x53AC).number() as usize + segment.start);
        assert!(all.iter().any(|element| u64::from(element.id) == id && element.at == at), "{id:X} at {at}");
    }
    let info = segment.one(0x1549_A966);
    assert_eq!(info.one(0x2A_D7B1).number(), 1_000_000);
    let track = segment.one(0x1654_AE6B).one(0xAE);
    assert_eq!(track.one(0x86).text(), "V_AV1");
    let codec = track.one(0x63A2).content;
    // The form's version, and a header of a sequence (its type is 1) that has its size.
    assert_eq!((codec[0], codec[4] >> 3 & 15, codec[4] >> 1 & 1), (0x81, 1, 1), "{codec:X?}");

    let mut last = 0;
    let clusters = segment.each(0x1F43_B675);
    for cluster in &clusters {
        let begins = cluster.one(0xE7).number();
        assert!(begins >= last && cluster.content.len() < 5 << 20);
        for (number, block) in cluster.each(0xA3).iter().enumerate() {
            let at = u64::from(u16::from_be_bytes([block.content[1], block.content[2]]));
            assert!(at < 5_000, "a block at {at} ms of its cluster");
            assert!(begins + at > last || last == 0, "blocks in their order");
            last = begins + at;
            assert_eq!(block.content[0], 0x81, "the track");
            assert!(block.content[3] & 0x80 == 0 || number == 0, "a key frame begins a cluster");
            assert_ne!(block.content[4] >> 3 & 15, 2, "no temporal delimiters");
        }
    }
    assert!(info.one(0x4489).float() > last as f64, "the duration");
    let cues = segment.one(0x1C53_BB6B).each(0xBB);
    let mut times = Vec::new();
    for cue in cues {
        let at = cue.one(0xB7).one(0xF1).number() as usize + segment.start;
        let cluster = clusters.iter().find(|cluster| cluster.at == at).expect("a cluster");
        assert_eq!(cluster.one(0xE7).number(), cue.one(0xB3).number());
        assert_eq!(cluster.each(0xA3)[0].content[3], 0x80, "a key frame");
        times.push(cue.one(0xB3).number());
    }
    assert_eq!(times.first(), Some(&0));
    times
}
