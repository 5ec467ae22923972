//! Small pictures.

use std::io::Cursor;

use streamspace_rfb::Limits;
use streamspace_session_recorder::{
    replay::{Bounds, Thumbnail, scaled, thumbnail},
    scene::Moment,
};

use crate::recording::{Recording, SECOND, at_work, slowly};

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
fn there_is_none_of_nothing() {
    let none = thumbnail(&mut Recording::default(), Moment(5), BOUNDS, Limits::default());
    assert_eq!(none.expect("it is read"), None);
}
