//! What is to be seen on them.

use streamspace_rfb::{Area, Cursor};
use streamspace_session_recorder::{export::webm::Options, scene::Scene};

use crate::{
    support::{ffmpeg, reel::Reel},
    video::{HEIGHT, Video, WIDTH, check_structure, colours, desktop, export, psnr, put, put_screen},
};

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
