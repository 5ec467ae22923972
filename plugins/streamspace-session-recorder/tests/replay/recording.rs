//! Recordings that are in memory.

use std::convert::Infallible;

use streamspace_rfb::{Area, Cursor, Framebuffer, Limits, Pixel};
use streamspace_session_recorder::scene::{Moment, Scene, Source};

use crate::desktop::{Random, desktop, picture};

/// A scene, with what it consists of.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Picture(u16, u16, Vec<Pixel>),
    Patch(Area, Vec<Pixel>),
    Cursor(Option<Cursor>),
    Pointer(u16, u16),
    Bell,
    Gap(&'static str),
    Paused,
    Marker(&'static str, &'static str),
}

impl Kept {
    fn scene(&self) -> Scene<'_> {
        match self {
            Self::Picture(width, height, pixels) => Scene::Picture { width: *width, height: *height, pixels },
            Self::Patch(area, pixels) => Scene::Patch { area: *area, pixels },
            Self::Cursor(cursor) => Scene::Cursor(cursor.as_ref()),
            Self::Pointer(x, y) => Scene::Pointer { x: *x, y: *y, buttons: 0 },
            Self::Bell => Scene::Bell,
            Self::Gap(text) => Scene::Gap(text),
            Self::Paused => Scene::Paused,
            Self::Marker(kind, text) => Scene::Marker { kind, text },
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Recording {
    pub(crate) scenes: Vec<(Moment, Kept)>,
    pub(crate) length: u64,
    pub(crate) at: usize,
}

impl Source for Recording {
    type Error = Infallible;

    fn length(&self) -> Moment {
        Moment(self.length)
    }

    fn seek(&mut self, to: Moment) -> Result<(), Infallible> {
        let behind = self.scenes.partition_point(|(at, _)| *at <= to);
        let is_picture = |(_, kept): &(_, Kept)| matches!(kept, Kept::Picture(..));
        self.at = self.scenes[..behind].iter().rposition(is_picture).unwrap_or(0);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Infallible> {
        let next = self.scenes.get(self.at);
        self.at += usize::from(next.is_some());
        Ok(next.map(|(at, kept)| (*at, kept.scene())))
    }
}

pub(crate) const SECOND: u64 = 1_000_000;

pub(crate) fn area_of(screen: &Framebuffer, area: Area) -> Vec<Pixel> {
    let columns = usize::from(area.x)..usize::from(area.x + area.width);
    (area.y..area.y + area.height).flat_map(|y| &screen.row(y)[columns.clone()]).copied().collect()
}

pub(crate) fn cursor(seed: u16) -> Cursor {
    let (width, height) = (9 + seed % 5, 7);
    let pixel = |i: u16| if i.is_multiple_of(3) { [0; 4] } else { [(i % 251) as u8, seed as u8, 7, 255] };
    Cursor { x: 1, y: 2, width, height, pixels: (0..width * height).map(pixel).collect() }
}

/// What is drawn and recorded.
pub(crate) struct Maker {
    pub(crate) screen: Framebuffer,
    pub(crate) recording: Recording,
    cursor: Option<Cursor>,
}

impl Maker {
    pub(crate) fn new(screen: Framebuffer) -> Self {
        let mut maker = Self { screen, recording: Recording::default(), cursor: None };
        maker.picture(0);
        maker
    }

    pub(crate) fn put(&mut self, at: u64, kept: Kept) {
        self.recording.length = self.recording.length.max(at);
        self.recording.scenes.push((Moment(at), kept));
    }

    /// A whole picture; what the pointer looks like is told behind each.
    pub(crate) fn picture(&mut self, at: u64) {
        let screen = &self.screen;
        self.put(at, Kept::Picture(screen.width(), screen.height(), screen.pixels().to_vec()));
        self.put(at, Kept::Cursor(self.cursor.clone()));
    }

    pub(crate) fn patch(&mut self, at: u64, area: Area) {
        let pixels = area_of(&self.screen, area);
        self.put(at, Kept::Patch(area, pixels));
    }

    /// Fills an area, and records it.
    pub(crate) fn fill(&mut self, at: u64, area: Area, pixel: Pixel) {
        self.screen.fill(area, pixel).expect("inside");
        self.patch(at, area);
    }

    pub(crate) fn cursor(&mut self, at: u64, cursor: Option<Cursor>) {
        self.cursor = cursor.clone();
        self.put(at, Kept::Cursor(cursor));
    }
}

/// Some seconds of somebody at work: patches of all kinds, pictures now and then, a cursor that changes, and at `resized` another size.
pub(crate) fn at_work(seconds: u64, resized: Option<u64>, seed: u64) -> (Recording, Framebuffer) {
    let mut maker = Maker::new(desktop(211, 131, seed));
    let random = &mut Random::new(seed);
    for tenth in 1..=seconds * 10 {
        let at = tenth * SECOND / 10 + u64::from(random.below(40_000));
        let (width, height) = (maker.screen.width(), maker.screen.height());
        if resized == Some(tenth / 10) && tenth % 10 == 0 {
            maker.screen = desktop(173, 160, seed + 1);
            maker.picture(at);
            continue;
        }
        if tenth % 37 == 0 {
            maker.picture(at);
        }
        let (w, h) = (1 + random.below(60), 1 + random.below(40));
        let area = Area::new(random.below(width - w), random.below(height - h), w, h);
        match random.below(5) {
            0 => maker.screen.fill(area, random.pixel()).expect("inside"),
            1 => picture(&mut maker.screen, area, random),
            2 => maker.cursor(at, Some(cursor(random.below(50)))),
            3 => maker.put(at, Kept::Pointer(area.x, area.y)),
            _ => maker.screen.fill(Area::new(area.x, area.y, 1, 1), random.pixel()).expect("inside"),
        }
        maker.patch(at, area);
    }
    (maker.recording, maker.screen)
}

/// What is shown at a moment, found by drawing everything up to it.
pub(crate) fn slowly(recording: &Recording, to: u64) -> (Framebuffer, Option<Cursor>) {
    let mut screen = Framebuffer::new(0, 0, &Limits::default()).expect("nothing");
    let mut shape = None;
    for (at, kept) in &recording.scenes {
        if *at > Moment(to) && !screen.pixels().is_empty() {
            break;
        }
        match kept {
            Kept::Picture(width, height, pixels) => {
                screen.resize(*width, *height, &Limits::default()).expect("a size");
                screen.write(screen.area(), pixels).expect("all");
            }
            Kept::Patch(area, pixels) => screen.write(*area, pixels).expect("inside"),
            Kept::Cursor(cursor) => shape = cursor.clone(),
            _ => {}
        }
    }
    (screen, shape)
}
