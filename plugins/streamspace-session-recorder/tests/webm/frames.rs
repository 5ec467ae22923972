//! Where the frames are, and how they are found.

use std::time::Duration;

use streamspace_rfb::Area;
use streamspace_session_recorder::{export::webm::Options, scene::Scene};

use crate::{
    support::{ffmpeg, reel::Reel},
    video::{
        HEIGHT, Video, WIDTH, check_structure, colours, desktop, export, paint, psnr, put, put_screen,
        recording,
    },
};

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
