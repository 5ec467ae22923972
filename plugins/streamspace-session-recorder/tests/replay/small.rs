//! Small pictures.

use std::{convert::Infallible, io::Cursor};

use streamspace_rfb::{Framebuffer, Limits};
use streamspace_session_recorder::{
    replay::{Bounds, Thumbnail, ThumbnailError, scaled, thumbnail, thumbnails},
    scene::Moment,
};

use crate::recording::{Kept, Recording, SECOND, at_work, slowly};

const BOUNDS: Bounds = Bounds { width: 96, height: 96 };

fn read(small: &Thumbnail) -> Vec<[u8; 3]> {
    let mut reader = png::Decoder::new(Cursor::new(&small.png)).read_info().expect("it is PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut pixels).expect("it is whole");
    assert_eq!((info.width, info.height), (small.width.into(), small.height.into()));
    assert_eq!(info.color_type, png::ColorType::Rgb);
    pixels.as_chunks().0.to_vec()
}

#[test]
fn one_of_a_moment_shows_that_moment() {
    let (mut recording, last) = at_work(5, Some(3), 1);
    for moment in [0, 1_234_567, 4 * SECOND, u64::MAX] {
        let small = thumbnail(&mut recording, Moment(moment), BOUNDS, Limits::default());
        let small = small.expect("it is drawn").expect("something is shown");
        let shown = slowly(&recording, small.at.0).0;
        assert_eq!(small.at, Moment(moment.min(recording.length)));
        assert_eq!(read(&small), scaled(&shown, small.width, small.height));
    }
    assert_eq!((last.width(), last.height()), (173, 160));
    let small = thumbnail(&mut recording, Moment(u64::MAX), BOUNDS, Limits::default());
    let small = small.expect("it is drawn").expect("something is shown");
    assert_eq!((small.width, small.height), (96, 89));
}

#[test]
fn those_of_a_recording_are_of_its_pictures() {
    let (mut recording, _) = at_work(30, Some(7), 2);
    for (most, least) in [(0, 0), (1, 1), (4, 4), (1_000, 8)] {
        let mut all = Vec::new();
        let each = |small| {
            all.push(small);
            Ok::<_, ThumbnailError<Infallible>>(())
        };
        thumbnails(&mut recording, most, BOUNDS, Limits::default(), each).expect("they are drawn");
        assert!(all.len() >= least && all.len() <= most as usize, "{} of {most}", all.len());
        assert!(all.windows(2).all(|two| two[0].at < two[1].at));
        for small in all {
            let pictures = recording.scenes.iter().filter(|(at, _)| *at == small.at);
            let mut picture = pictures.filter_map(|(_, kept)| match kept {
                Kept::Picture(width, height, pixels) => {
                    let mut screen = Framebuffer::new(*width, *height, &Limits::default()).expect("small");
                    screen.write(screen.area(), pixels).expect("all");
                    Some(screen)
                }
                _ => None,
            });
            let shown = picture.next_back().unwrap_or_else(|| panic!("a picture at {:?}", small.at));
            assert_eq!(read(&small), scaled(&shown, small.width, small.height));
        }
    }
}

#[test]
fn there_is_none_of_nothing() {
    let none = thumbnail(&mut Recording::default(), Moment(5), BOUNDS, Limits::default());
    assert_eq!(none.expect("it is read"), None);
    let each = |small: Thumbnail| -> Result<(), ThumbnailError<Infallible>> { panic!("{small:?}") };
    thumbnails(&mut Recording::default(), 9, BOUNDS, Limits::default(), each).expect("nothing");
}
