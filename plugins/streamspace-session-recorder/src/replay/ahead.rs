//! Scenes that were read and are not due.

use std::collections::VecDeque;

use streamspace_rfb::{Area, Cursor, Pixel};

use super::stage::Stage;
use crate::scene::{Moment, Scene};

/// A scene, with what it consists of.
#[derive(Debug)]
pub(super) enum Held {
    Picture {
        width: u16,
        height: u16,
        pixels: Vec<Pixel>,
    },
    Patch {
        area: Area,
        pixels: Vec<Pixel>,
    },
    Cursor(Option<Cursor>),
    Pointer {
        x: u16,
        y: u16,
        buttons: u16,
    },
    Bell,
    Gap(String),
    Paused,
    Marker {
        kind: String,
        text: String,
    },
    /// What is not replayed, or changes nothing: so many pixels were looked at.
    Nothing(usize),
}

impl Held {
    pub(super) fn scene(&self) -> Option<Scene<'_>> {
        Some(match self {
            Self::Picture { width, height, pixels } => {
                Scene::Picture { width: *width, height: *height, pixels }
            }
            Self::Patch { area, pixels } => Scene::Patch { area: *area, pixels },
            Self::Cursor(cursor) => Scene::Cursor(cursor.as_ref()),
            Self::Pointer { x, y, buttons } => Scene::Pointer { x: *x, y: *y, buttons: *buttons },
            Self::Bell => Scene::Bell,
            Self::Gap(text) => Scene::Gap(text),
            Self::Paused => Scene::Paused,
            Self::Marker { kind, text } => Scene::Marker { kind, text },
            Self::Nothing(_) => return None,
        })
    }

    /// Pixels that had to be looked at.
    pub(super) fn pixels(&self) -> usize {
        match self {
            Self::Picture { pixels, .. } | Self::Patch { pixels, .. } => pixels.len(),
            Self::Nothing(pixels) => *pixels,
            _ => 0,
        }
    }
}

/// Scenes ahead, in their order. One at most changes something that is seen, and it is the last: so no more than one has pixels, and
/// what is to come can be compared with what is shown.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    scenes: VecDeque<(Moment, Held)>,
    visible: bool,
    /// Memory for the pixels of the next scene.
    room: Vec<Pixel>,
}

impl Ahead {
    /// How many are read ahead at most.
    pub(super) const MOST: usize = 4_096;

    pub(super) fn put(&mut self, at: Moment, scene: &Scene<'_>, stage: &Stage) {
        let changes = stage.is_changed_by(scene);
        let held = match *scene {
            // It ends a gap, even if nothing has changed in it.
            Scene::Picture { pixels, .. } if !changes && stage.blank.is_none() => Held::Nothing(pixels.len()),
            Scene::Picture { width, height, pixels } => {
                Held::Picture { width, height, pixels: self.copied(pixels) }
            }
            Scene::Patch { area, pixels } => Held::Patch { area, pixels: self.copied(pixels) },
            Scene::Cursor(_) if !changes => Held::Nothing(0),
            Scene::Cursor(cursor) => Held::Cursor(cursor.cloned()),
            Scene::Pointer { x, y, buttons } => Held::Pointer { x, y, buttons },
            Scene::Bell => Held::Bell,
            Scene::Gap(text) => Held::Gap(text.to_owned()),
            Scene::Paused => Held::Paused,
            Scene::Marker { kind, text } => Held::Marker { kind: kind.to_owned(), text: text.to_owned() },
            Scene::Key { .. } | Scene::Clipboard { .. } | Scene::Wire { .. } => Held::Nothing(0),
        };
        self.visible = changes || matches!(held, Held::Picture { .. });
        self.scenes.push_back((at, held));
    }

    fn copied(&mut self, pixels: &[Pixel]) -> Vec<Pixel> {
        let mut copy = std::mem::take(&mut self.room);
        copy.clear();
        copy.extend_from_slice(pixels);
        copy
    }

    /// Takes the first.
    pub(super) fn take(&mut self) -> Option<(Moment, Held)> {
        let first = self.scenes.pop_front();
        self.visible &= !self.scenes.is_empty();
        first
    }

    /// Gives back the memory of one that was shown.
    pub(super) fn done(&mut self, held: Held) {
        if let Held::Picture { pixels, .. } | Held::Patch { pixels, .. } = held
            && pixels.capacity() > self.room.capacity()
        {
            self.room = pixels;
        }
    }

    pub(super) fn clear(&mut self) {
        self.visible = false;
        while let Some((_, held)) = self.scenes.pop_front() {
            self.done(held);
        }
    }

    /// When the first is due.
    pub(super) fn first(&self) -> Option<Moment> {
        self.scenes.front().map(|(at, _)| *at)
    }

    /// When the last is due.
    pub(super) fn last(&self) -> Option<Moment> {
        self.scenes.back().map(|(at, _)| *at)
    }

    /// Whether the last changes something that is seen.
    pub(super) fn ends_visibly(&self) -> bool {
        self.visible
    }

    pub(super) fn has_room(&self) -> bool {
        self.scenes.len() < Self::MOST
    }
}
