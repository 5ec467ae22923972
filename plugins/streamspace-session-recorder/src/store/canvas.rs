//! What is on the screen, as far as scenes have said it: what keyframes are made of.

use streamspace_rfb::{Area, Cursor, Pixel};

use super::{Error, Limits};
use crate::scene::{Moment, Scene};

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    width: u16,
    height: u16,
    pixels: Vec<Pixel>,
    /// Whether the pixels are those of the screen: not before the first picture, nor between a gap and the next one.
    whole: bool,
    /// None if no cursor was put yet.
    cursor: Option<Option<Cursor>>,
}

impl Canvas {
    /// Whether a scene can come now.
    pub(super) fn check(&self, at: Moment, scene: &Scene<'_>, limits: &Limits) -> Result<(), Error> {
        let refused = |expected, found: String| Err(Error::Scene { at, expected, found });
        let sized = |area: &Area, pixels: usize| match area.pixels() {
            wanted if wanted == pixels => Ok(()),
            wanted => refused("as many pixels as the area has", format!("{pixels} for {wanted}")),
        };
        let short = |length: usize| match length {
            long if long > limits.bytes as usize => refused("bytes within the limit", long.to_string()),
            _ => Ok(()),
        };
        match *scene {
            Scene::Picture { width, height, pixels } => {
                let area = Area::new(0, 0, width, height);
                if width > limits.side || height > limits.side || area.pixels() > limits.pixels as usize {
                    return refused("a picture within the limits", format!("{width}x{height}"));
                }
                sized(&area, pixels.len())
            }
            Scene::Patch { .. } if !self.whole => refused("a picture first", "a patch".into()),
            Scene::Patch { ref area, pixels } => {
                if !Area::new(0, 0, self.width, self.height).contains(area) {
                    let found = format!("{area} in {}x{}", self.width, self.height);
                    return refused("a patch inside of the picture", found);
                }
                sized(area, pixels.len())
            }
            Scene::Cursor(Some(cursor)) => {
                if cursor.width > limits.cursor || cursor.height > limits.cursor {
                    let found = format!("{}x{}", cursor.width, cursor.height);
                    return refused("a cursor within the limits", found);
                }
                sized(&Area::new(0, 0, cursor.width, cursor.height), cursor.pixels.len())
            }
            Scene::Clipboard { text: Some(text), .. } => short(text.len()),
            Scene::Wire { bytes, .. } => short(bytes.len()),
            Scene::Gap(text) => short(text.len()),
            Scene::Marker { kind, .. } if kind.len() > LONGEST_KIND => {
                refused("a kind of at most 1,024 bytes", kind.len().to_string())
            }
            Scene::Marker { text, .. } => short(text.len()),
            _ => Ok(()),
        }
    }

    /// Takes a scene that was found good.
    pub(super) fn take(&mut self, scene: &Scene<'_>) {
        match *scene {
            Scene::Picture { width, height, pixels } => {
                (self.width, self.height, self.whole) = (width, height, true);
                self.pixels.clear();
                // Exactly as much as is needed: this is most of a writer's memory.
                self.pixels.reserve_exact(pixels.len());
                self.pixels.extend_from_slice(pixels);
            }
            Scene::Patch { area, pixels } if !area.is_empty() => {
                let (stride, width) = (usize::from(self.width), usize::from(area.width));
                let rows = self.pixels.chunks_exact_mut(stride).skip(area.y.into());
                for (row, from) in rows.zip(pixels.chunks_exact(width)) {
                    row[area.x.into()..][..width].copy_from_slice(from);
                }
            }
            Scene::Cursor(cursor) => match (&mut self.cursor, cursor) {
                // The old one's memory is used again.
                (Some(Some(old)), Some(cursor)) => old.clone_from(cursor),
                (old, cursor) => *old = Some(cursor.cloned()),
            },
            // What comes between was not seen.
            Scene::Gap(_) | Scene::Paused => self.whole = false,
            _ => {}
        }
    }

    /// The picture, if it is known.
    pub(super) fn picture(&self) -> Option<Scene<'_>> {
        let Self { width, height, ref pixels, .. } = *self;
        self.whole.then_some(Scene::Picture { width, height, pixels })
    }

    pub(super) fn cursor(&self) -> Option<Scene<'_>> {
        self.cursor.as_ref().map(|cursor| Scene::Cursor(cursor.as_ref()))
    }

    pub(super) fn size(&self) -> Option<[u16; 2]> {
        self.whole.then_some([self.width, self.height])
    }

    pub(super) fn memory(&self) -> usize {
        self.pixels.capacity() * size_of::<Pixel>()
    }
}

/// Bytes of a marker's kind, and of what else stands in a record's first part.
pub(super) const LONGEST_KIND: usize = 1024;
