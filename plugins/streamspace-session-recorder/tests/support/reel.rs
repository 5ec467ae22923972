//! A recording in memory, and the screen that its scenes make.

use std::convert::Infallible;

use streamspace_rfb::{Area, Cursor, Framebuffer, Limits, Pixel};
use streamspace_session_recorder::scene::{Moment, Scene, Side, Sink, Source};

/// A scene with all that it borrows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    Picture { width: u16, height: u16, pixels: Vec<Pixel> },
    Patch { area: Area, pixels: Vec<Pixel> },
    Cursor(Option<Cursor>),
    Pointer { x: u16, y: u16, buttons: u16 },
    Key { down: bool, keysym: Option<u32> },
    Clipboard { from: Side, length: u32, text: Option<String> },
    Bell,
    Wire { from: Side, bytes: Vec<u8> },
    Gap(String),
    Paused,
    Marker { kind: String, text: String },
}

impl Kept {
    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        match *scene {
            Scene::Picture { width, height, pixels } => {
                assert_eq!(pixels.len(), usize::from(width) * usize::from(height), "a whole picture");
                Self::Picture { width, height, pixels: pixels.to_vec() }
            }
            Scene::Patch { area, pixels } => {
                assert_eq!(pixels.len(), area.pixels(), "a whole patch");
                Self::Patch { area, pixels: pixels.to_vec() }
            }
            Scene::Cursor(cursor) => Self::Cursor(cursor.cloned()),
            Scene::Pointer { x, y, buttons } => Self::Pointer { x, y, buttons },
            Scene::Key { down, keysym } => Self::Key { down, keysym },
            Scene::Clipboard { from, length, text } => {
                Self::Clipboard { from, length, text: text.map(Into::into) }
            }
            Scene::Bell => Self::Bell,
            Scene::Wire { from, bytes } => Self::Wire { from, bytes: bytes.to_vec() },
            Scene::Gap(why) => Self::Gap(why.into()),
            Scene::Paused => Self::Paused,
            Scene::Marker { kind, text } => Self::Marker { kind: kind.into(), text: text.into() },
        }
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        match self {
            Self::Picture { width, height, pixels } => {
                Scene::Picture { width: *width, height: *height, pixels }
            }
            Self::Patch { area, pixels } => Scene::Patch { area: *area, pixels },
            Self::Cursor(cursor) => Scene::Cursor(cursor.as_ref()),
            Self::Pointer { x, y, buttons } => Scene::Pointer { x: *x, y: *y, buttons: *buttons },
            Self::Key { down, keysym } => Scene::Key { down: *down, keysym: *keysym },
            Self::Clipboard { from, length, text } => {
                Scene::Clipboard { from: *from, length: *length, text: text.as_deref() }
            }
            Self::Bell => Scene::Bell,
            Self::Wire { from, bytes } => Scene::Wire { from: *from, bytes },
            Self::Gap(why) => Scene::Gap(why),
            Self::Paused => Scene::Paused,
            Self::Marker { kind, text } => Scene::Marker { kind, text },
        }
    }
}

/// A recording in memory: takes scenes, and gives them again.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reel {
    pub(crate) scenes: Vec<(Moment, Kept)>,
    next: usize,
}

impl Reel {
    /// What was kept of a kind.
    pub(crate) fn count(&self, which: impl Fn(&Kept) -> bool) -> usize {
        self.scenes.iter().filter(|(_, scene)| which(scene)).count()
    }

    /// The screen that all scenes make; none before the first picture, and after a gap without one.
    pub(crate) fn screen(&self) -> Option<Framebuffer> {
        let mut screen = None;
        for (_, scene) in &self.scenes {
            show(&mut screen, &scene.scene());
        }
        screen
    }
}

impl Sink for Reel {
    type Error = Infallible;

    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Infallible> {
        let last = self.scenes.last().map_or(Moment(0), |(last, _)| *last);
        assert!(at >= last, "{scene:?} at {at:?} after {last:?}");
        self.scenes.push((at, Kept::new(scene)));
        Ok(())
    }
}

impl Source for Reel {
    type Error = Infallible;

    fn length(&self) -> Moment {
        self.scenes.last().map_or(Moment(0), |(last, _)| *last)
    }

    fn seek(&mut self, to: Moment) -> Result<(), Infallible> {
        let until = self.scenes.partition_point(|(at, _)| *at <= to);
        let picture = |(_, scene): &(Moment, Kept)| matches!(scene, Kept::Picture { .. });
        self.next = self.scenes[..until].iter().rposition(picture).unwrap_or(0);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Infallible> {
        self.next += 1;
        Ok(self.scenes.get(self.next - 1).map(|(at, scene)| (*at, scene.scene())))
    }
}

/// Draws a scene on a screen, as whoever plays a recording does.
pub(crate) fn show(screen: &mut Option<Framebuffer>, scene: &Scene<'_>) {
    match scene {
        Scene::Picture { width, height, pixels } => {
            let mut shown = Framebuffer::new(*width, *height, &Limits::default()).expect("within the limits");
            let all = shown.area();
            shown.write(all, pixels).expect("all of it");
            *screen = Some(shown);
        }
        Scene::Patch { area, pixels } => {
            let shown = screen.as_mut().expect("a picture before a patch");
            shown.write(*area, pixels).expect("inside of the picture");
        }
        Scene::Gap(_) => *screen = None,
        _ => {}
    }
}
