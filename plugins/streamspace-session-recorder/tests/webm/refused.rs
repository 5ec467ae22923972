//! What is no video, and what ends one.

use std::{
    io::{self, Cursor as Memory, Seek, SeekFrom, Write},
    ops::ControlFlow,
};

use streamspace_rfb::Area;
use streamspace_session_recorder::{
    export::webm::{self, Error, Options},
    scene::{Moment, Scene, Side, Sink},
};

use crate::{
    support::reel::Reel,
    video::{desktop, ms, put, put_screen, recording},
};

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
