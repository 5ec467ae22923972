//! Recordings as video, seen by FFmpeg and by a reader of the file's form.

mod support;

use std::{
    fs,
    io::{self, Cursor as Memory, Seek, SeekFrom, Write},
    ops::ControlFlow,
    time::Duration,
};

use serde_json::Value;
use streamspace_rfb::{Area, Cursor, Framebuffer, Limits, Pixel};
use streamspace_session_recorder::{
    export::webm::{self, Error, Exported, Options},
    scene::{Moment, Scene, Side, Sink},
};
use support::{ebml::Element, ffmpeg, reel::Reel};

const WIDTH: u16 = 320;
const HEIGHT: u16 = 200;

fn ms(at: u64) -> Moment {
    Moment(at * 1_000)
}

/// A screen with something to be seen: a gradient behind lines of small marks.
fn desktop(width: u16, height: u16) -> Framebuffer {
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

fn put(reel: &mut Reel, at: u64, scene: &Scene<'_>) {
    reel.put(ms(at), scene).expect("kept");
}

fn put_screen(reel: &mut Reel, at: u64, screen: &Framebuffer) {
    let (width, height, pixels) = (screen.width(), screen.height(), screen.pixels());
    put(reel, at, &Scene::Picture { width, height, pixels });
}

/// Fills an area, on the screen and in the recording.
fn paint(reel: &mut Reel, at: u64, screen: &mut Framebuffer, area: Area, pixel: Pixel) {
    screen.fill(area, pixel).expect("inside");
    put(reel, at, &Scene::Patch { area, pixels: &vec![pixel; area.pixels()] });
}

fn export(reel: &mut Reel, options: &Options) -> (Exported, Vec<u8>) {
    let mut out = Memory::new(Vec::new());
    let exported = webm::export(reel, &mut out, options, |_| ControlFlow::Continue(())).expect("it is made");
    assert_eq!(out.position(), exported.bytes, "the end");
    let bytes = out.into_inner();
    assert_eq!(bytes.len() as u64, exported.bytes);
    (exported, bytes)
}

/// A video, and what FFmpeg says of it.
struct Video {
    file: tempfile::NamedTempFile,
    probe: Value,
}

impl Video {
    fn new(exported: &Exported, bytes: &[u8]) -> Self {
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
    fn frames(&self) -> Vec<(u64, bool)> {
        let packets = self.probe["packets"].as_array().expect("packets").iter();
        let frame = |packet: &Value| {
            let at = packet["pts"].as_u64().expect("a time");
            (at, packet["flags"].as_str().expect("flags").starts_with('K'))
        };
        packets.map(frame).collect()
    }

    fn picture(&self, at_ms: u64) -> Vec<[u8; 3]> {
        ffmpeg::picture(self.file.path(), at_ms as f64 / 1_000.0)
    }
}

/// How alike two pictures are, in decibels.
fn psnr(one: &[[u8; 3]], other: &[[u8; 3]]) -> f64 {
    assert_eq!(one.len(), other.len(), "pixels");
    let parts = one.as_flattened().iter().zip(other.as_flattened());
    let error: f64 = parts.map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) / (error / (one.len() * 3) as f64).max(1e-9)).log10()
}

fn colours(screen: &Framebuffer) -> Vec<[u8; 3]> {
    screen.pixels().iter().map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// 15 seconds: a screen on which something changes ten times a second for 3 seconds, and once more at 14.05 s.
fn recording() -> (Reel, Framebuffer) {
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

#[test]
fn a_video_has_frames_where_something_changes() {
    let (mut reel, screen) = recording();
    let (exported, bytes) = export(&mut reel, &Options::default());
    assert_eq!((exported.width, exported.height), (WIDTH, HEIGHT));
    assert_eq!(exported.duration, Duration::from_secs(15));
    if !ffmpeg::installed() {
        return;
    }
    let video = Video::new(&exported, &bytes);
    // 30 changes; every five seconds, where nothing happens; what happened at 14.05 s, with a key frame, the first in more than ten
    // seconds; and the end. The picture at 8 s is as all was before.
    let mut wanted: Vec<_> = (0..30).map(|i| (200 + i * 100, false)).collect();
    wanted.insert(0, (0, true));
    wanted.extend([(8_100, false), (13_100, true), (14_100, false), (14_900, false)]);
    assert_eq!(video.frames(), wanted);

    let last = psnr(&video.picture(14_850), &colours(&screen));
    assert!(last > 33.0, "the last frame: {last} dB");
    let other = psnr(&video.picture(0), &colours(&screen));
    assert!(other < 25.0, "the first frame is another: {other} dB");
}

#[test]
fn better_quality_is_better_and_larger() {
    let mut reel = Reel::default();
    let screen = desktop(WIDTH, HEIGHT);
    put_screen(&mut reel, 0, &screen);
    let made = [30, 95].map(|quality| export(&mut reel, &Options { quality, ..Options::default() }));
    assert!(made[0].0.bytes < made[1].0.bytes, "{made:?}", made = made.each_ref().map(|made| made.0));
    if ffmpeg::installed() {
        let [low, high] =
            made.map(|(exported, bytes)| psnr(&Video::new(&exported, &bytes).picture(0), &colours(&screen)));
        assert!(low < high, "{low} dB, {high} dB");
    }
}

#[test]
fn frames_are_found_by_the_cues() {
    let (mut reel, mut screen) = recording();
    for i in 0..30_u16 {
        let area = Area::new(i * 6, 150, 20, 20);
        paint(&mut reel, 16_000 + u64::from(i) * 1_000, &mut screen, area, [(i * 8) as u8, 90, 0, 255]);
    }
    let before = screen.clone();
    paint(&mut reel, 46_000, &mut screen, Area::new(0, 0, WIDTH, HEIGHT), [255, 255, 255, 255]);
    put(&mut reel, 48_000, &Scene::Bell);
    let (exported, bytes) = export(&mut reel, &Options { fps: 5, threads: 2, ..Options::default() });
    let cues = check_structure(&bytes);
    assert!(cues.len() >= 4, "a key frame at least every ten seconds: {cues:?}");
    assert!(cues.windows(2).all(|pair| pair[1] - pair[0] <= 16_000), "{cues:?}");
    if ffmpeg::installed() {
        let video = Video::new(&exported, &bytes);
        let keys: Vec<_> = video.frames().into_iter().filter(|(_, key)| *key).map(|(at, _)| at).collect();
        assert_eq!(keys, cues);
        let there = psnr(&video.picture(45_000), &colours(&before));
        assert!(there > 33.0, "at 45 s: {there} dB");
    }
}

/// Checks the form of a file, and gives the times of its cues.
fn check_structure(bytes: &[u8]) -> Vec<u64> {
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

#[test]
fn a_change_of_size_is_shown_in_the_middle() {
    let (mut reel, small, large) = (Reel::default(), desktop(101, 75), desktop(240, 131));
    put_screen(&mut reel, 20, &small);
    put_screen(&mut reel, 2_000, &large);
    put_screen(&mut reel, 4_000, &small);
    put(&mut reel, 6_000, &Scene::Bell);
    let (exported, bytes) = export(&mut reel, &Options { quality: 90, ..Options::default() });
    assert_eq!((exported.width, exported.height), (240, 132), "even, and the largest");
    check_structure(&bytes);
    if !ffmpeg::installed() {
        return;
    }
    let video = Video::new(&exported, &bytes);
    let keys: Vec<_> = video.frames().into_iter().filter(|(_, key)| *key).map(|(at, _)| at).collect();
    assert_eq!(keys, [0, 2_000, 4_000]);
    let part = |picture: &[[u8; 3]], area: Area| -> Vec<[u8; 3]> {
        let rows = picture.chunks(240).skip(area.y.into()).take(area.height.into());
        rows.flat_map(|row| row[area.x.into()..].iter().take(area.width.into())).copied().collect()
    };
    for at in [0, 4_500] {
        let picture = video.picture(at);
        let shown = psnr(&part(&picture, Area::new(68, 28, 101, 75)), &colours(&small));
        assert!(shown > 33.0, "at {at}: {shown} dB");
        for side in [Area::new(0, 0, 60, 132), Area::new(180, 0, 60, 132), Area::new(0, 110, 240, 22)] {
            let black = psnr(&part(&picture, side), &vec![[0; 3]; side.pixels()]);
            assert!(black > 35.0, "beside it, at {at}, {side}: {black} dB");
        }
    }
    let shown = psnr(&part(&video.picture(2_000), Area::new(0, 0, 240, 131)), &colours(&large));
    assert!(shown > 33.0, "the large one: {shown} dB");
}

#[test]
fn what_was_lost_is_dark_and_a_chapter() {
    let (mut reel, screen) = (Reel::default(), desktop(WIDTH, HEIGHT));
    put_screen(&mut reel, 0, &screen);
    put(&mut reel, 1_000, &Scene::Marker { kind: "violation", text: "text \u{fc}ber all" });
    put(&mut reel, 2_000, &Scene::Gap("30 s of the stream"));
    put_screen(&mut reel, 32_000, &screen);
    put(&mut reel, 34_000, &Scene::Paused);
    put(&mut reel, 36_000, &Scene::Bell);
    let (exported, bytes) = export(&mut reel, &Options { quality: 90, ..Options::default() });
    let cues = check_structure(&bytes);
    assert_eq!(cues, [0, 12_000, 32_000], "one can go to where it goes on");
    if !ffmpeg::installed() {
        return;
    }
    let video = Video::new(&exported, &bytes);
    let dark: Vec<_> = colours(&screen).iter().map(|pixel| pixel.map(|part| part / 2)).collect();
    for (at, wanted) in
        [(0, &colours(&screen)), (10_000, &dark), (32_000, &colours(&screen)), (35_000, &dark)]
    {
        let shown = psnr(&video.picture(at), wanted);
        assert!(shown > 33.0, "at {at}: {shown} dB");
    }
    let chapters: Vec<_> = video.probe["chapters"]
        .as_array()
        .expect("chapters")
        .iter()
        .map(|chapter| {
            (
                chapter["start_time"].as_str().expect("a time"),
                chapter["tags"]["title"].as_str().expect("a title"),
            )
        })
        .collect();
    let wanted = [
        ("1.000000", "violation: text \u{fc}ber all"),
        ("2.000000", "gap: 30 s of the stream"),
        ("34.000000", "paused"),
    ];
    assert_eq!(chapters, wanted);
}

#[test]
fn the_cursor_is_where_the_pointer_is() {
    let grey = vec![[128, 128, 128, 255]; 64 * 48];
    let mut reel = Reel::default();
    put(&mut reel, 0, &Scene::Picture { width: 64, height: 48, pixels: &grey });
    let mut pixels = vec![[255, 0, 0, 255]; 16 * 16];
    pixels[8 * 16..].fill([255, 0, 0, 0]);
    let cursor = Cursor { x: 2, y: 4, width: 16, height: 16, pixels };
    put(&mut reel, 500, &Scene::Cursor(Some(&cursor)));
    put(&mut reel, 1_000, &Scene::Pointer { x: 24, y: 20, buttons: 0 });
    // Partly outside.
    put(&mut reel, 2_000, &Scene::Pointer { x: 0, y: 0, buttons: 0 });
    put(&mut reel, 3_000, &Scene::Pointer { x: 62, y: 46, buttons: 0 });
    put(&mut reel, 4_000, &Scene::Cursor(None));
    put(&mut reel, 5_000, &Scene::Bell);
    let (exported, bytes) = export(&mut reel, &Options { quality: 95, ..Options::default() });
    if !ffmpeg::installed() {
        return;
    }
    let video = Video::new(&exported, &bytes);
    assert_eq!(
        video.frames().iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [0, 1_000, 2_000, 3_000, 4_000, 4_900]
    );
    let red = |x: i32, y: i32| {
        let inside = |at: i32, start: i32, size: i32| (start..start + size).contains(&at);
        move |at_x: i32, at_y: i32| inside(at_x, x - 2, 16) && inside(at_y, y - 4, 8)
    };
    for (at, place) in
        [(0, None), (1_000, Some((24, 20))), (2_000, Some((0, 0))), (3_000, Some((62, 46))), (4_000, None)]
    {
        let wanted: Vec<_> = (0..48)
            .flat_map(|y| (0..64).map(move |x| (x, y)))
            .map(|(x, y)| match place {
                Some((left, top)) if red(left, top)(x, y) => [255, 0, 0],
                _ => [128, 128, 128],
            })
            .collect();
        let shown = psnr(&video.picture(at), &wanted);
        assert!(shown > 27.0, "at {at}: {shown} dB");
    }
}

#[test]
fn a_single_picture_is_a_video() {
    for (width, height) in [(1, 1), (33, 17), (WIDTH, HEIGHT)] {
        let mut reel = Reel::default();
        put_screen(&mut reel, 0, &desktop(width, height));
        let (exported, bytes) = export(&mut reel, &Options::default());
        assert_eq!((exported.frames, exported.duration), (1, Duration::from_millis(100)));
        assert_eq!(
            (exported.width, exported.height),
            (width.max(15) + width % 2, height.max(15) + height % 2)
        );
        check_structure(&bytes);
        if ffmpeg::installed() {
            Video::new(&exported, &bytes);
        }
    }
}

fn refused(reel: &mut Reel, options: &Options) -> Error {
    let mut out = Memory::new(Vec::new());
    let error =
        webm::export(reel, &mut out, options, |_| ControlFlow::Continue(())).expect_err("it is refused");
    assert!(out.into_inner().is_empty(), "nothing is written");
    error
}

#[test]
fn what_cannot_be_seen_is_refused() {
    let mut reel = Reel::default();
    assert!(matches!(refused(&mut reel, &Options::default()), Error::Empty));
    put(&mut reel, 0, &Scene::Wire { from: Side::Desktop, bytes: b"RFB 003.008\n" });
    assert!(matches!(refused(&mut reel, &Options::default()), Error::Wire));
    put_screen(&mut reel, 1, &desktop(16, 16));
    for options in [
        Options { fps: 0, ..Options::default() },
        Options { quality: 101, ..Options::default() },
        Options { threads: 0, ..Options::default() },
    ] {
        assert!(matches!(refused(&mut reel, &options), Error::Options { .. }), "{options:?}");
    }
    // Each of the pictures is small.
    let mut wide = reel.clone();
    for (width, height) in [(16_384, 2), (2, 16_384)] {
        put(&mut wide, 2, &Scene::Picture { width, height, pixels: &[[0; 4]; 32_768] });
    }
    assert!(matches!(
        refused(&mut wide, &Options::default()),
        Error::Size { width: 16_384, height: 16_384, .. }
    ));
    reel.put(Moment(u64::MAX), &Scene::Bell).expect("kept");
    assert!(matches!(refused(&mut reel, &Options::default()), Error::Length { .. }));
}

#[test]
fn a_patch_outside_of_the_picture_is_named() {
    let mut reel = Reel::default();
    put_screen(&mut reel, 0, &desktop(16, 16));
    put(&mut reel, 7, &Scene::Patch { area: Area::new(10, 10, 7, 1), pixels: &[[0; 4]; 7] });
    let out = Memory::new(Vec::new());
    let error = webm::export(&mut reel, out, &Options::default(), |_| ControlFlow::Continue(()));
    assert!(matches!(error, Err(Error::Scene { at, .. }) if at == ms(7)), "{error:?}");
}

#[test]
fn it_stops_where_it_is_told_to() {
    let (mut reel, _) = recording();
    let mut out = Memory::new(Vec::new());
    let mut seen = Vec::new();
    let stopped = webm::export(&mut reel, &mut out, &Options::default(), |progress| {
        seen.push(progress);
        if progress.frames == 12 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    assert_eq!(seen.len(), 13, "asked before each frame, and not after it was stopped");
    assert!(seen.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].bytes <= pair[1].bytes));
    assert!(seen.iter().all(|progress| progress.length == ms(15_000)));
}

/// A disk that is full after some bytes.
struct Full(Memory<Vec<u8>>, usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.get_ref().len() + bytes.len() > self.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let (mut reel, _) = recording();
    for room in [0, 100, 2_000] {
        let out = Full(Memory::new(Vec::new()), room);
        let error = webm::export(&mut reel, out, &Options::default(), |_| ControlFlow::Continue(()));
        assert!(
            matches!(&error, Err(Error::Write(error)) if error.kind() == io::ErrorKind::StorageFull),
            "{error:?}"
        );
    }
}
