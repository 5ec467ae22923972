//! What a recording shows at a moment.

use std::sync::Arc;

use streamspace_rfb::{Area, Cursor, Framebuffer, Limits, Pixel};

use super::span::Span;
use crate::scene::{Moment, Scene};

/// Something in a recording that is worth finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When it was.
    pub at: Moment,
    /// When it was over, if it is a gap or a pause whose end was seen.
    pub until: Option<Moment>,
    /// What it is.
    pub kind: MarkKind,
    /// What there is to say; cut at 1 KiB.
    pub text: String,
}

/// What a mark is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkKind {
    /// A marker, of this kind.
    Marker(String),
    /// Something was lost.
    Gap,
    /// Recording was paused.
    Paused,
}

/// Marks in their order, each once: a list that never grows beyond [`Marks::MOST`]. Copies share it.
#[derive(Debug, Clone, Default)]
pub struct Marks(Arc<Vec<Mark>>);

impl Marks {
    /// How many there are at most. Later ones are left out.
    pub const MOST: usize = 10_000;
    const TEXT: usize = 1_024;

    /// Those of a list.
    pub fn new(marks: impl IntoIterator<Item = Mark>) -> Self {
        let mut all = Self::default();
        marks.into_iter().for_each(|mark| all.add(mark));
        all
    }

    /// Adds one, unless it is there.
    pub fn add(&mut self, mut mark: Mark) {
        let at = self.0.partition_point(|old| old.at < mark.at);
        let there = self.0[at..].iter().take_while(|old| old.at == mark.at);
        mark.text.truncate(mark.text.floor_char_boundary(Self::TEXT));
        let known = there.clone().any(|old| old.kind == mark.kind && old.text == mark.text);
        if !known && self.0.len() < Self::MOST {
            let at = at + there.count();
            Arc::make_mut(&mut self.0).insert(at, mark);
        }
    }

    /// Says when gaps and pauses were over that began at a moment or later.
    fn close(&mut self, began: Moment, until: Moment) {
        let first = self.0.partition_point(|old| old.at < began);
        let behind = self.0.partition_point(|old| old.at <= until);
        let open = |mark: &Mark| mark.until.is_none() && !matches!(mark.kind, MarkKind::Marker(_));
        if self.0[first..behind].iter().any(open) {
            let marks = Arc::make_mut(&mut self.0)[first..behind].iter_mut();
            marks.filter(|mark| open(mark)).for_each(|mark| mark.until = Some(until));
        }
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Mark] {
        &self.0
    }
}

/// The mark that a scene is, if it is one.
fn mark(at: Moment, scene: &Scene<'_>) -> Option<Mark> {
    let (kind, text) = match *scene {
        Scene::Marker { kind, text } => (MarkKind::Marker(kind.to_owned()), text),
        Scene::Gap(text) => (MarkKind::Gap, text),
        Scene::Paused => (MarkKind::Paused, ""),
        _ => return None,
    };
    Some(Mark { at, until: None, kind, text: text.to_owned() })
}

/// What is wrong with a scene.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error(transparent)]
    Area(#[from] streamspace_rfb::Error),
    #[error("expected the {expected} pixels of {area}, found {found}")]
    Pixels { area: Area, expected: usize, found: usize },
}

/// Screen, pointer and marks up to a moment.
#[derive(Debug)]
pub(super) struct Stage {
    limits: Limits,
    pub(super) screen: Framebuffer,
    pub(super) cursor: Option<Cursor>,
    /// Counts the pictures of the pointer.
    pub(super) cursors: u64,
    pub(super) pointer: Option<(u16, u16)>,
    pub(super) marks: Marks,
    /// Since when nothing was recorded, if a gap or a pause is not over.
    pub(super) blank: Option<Moment>,
    pub(super) bell: bool,
}

impl Stage {
    pub(super) fn new(limits: Limits, marks: Marks) -> Result<Self, streamspace_rfb::Error> {
        Ok(Self {
            limits,
            screen: Framebuffer::new(0, 0, &limits)?,
            cursor: None,
            cursors: 0,
            pointer: None,
            marks,
            blank: None,
            bell: false,
        })
    }

    /// Whether somebody who watches would miss something if a scene were left out.
    pub(super) fn is_changed_by(&self, scene: &Scene<'_>) -> bool {
        match *scene {
            // Pictures come now and then, whether something has changed or not.
            Scene::Picture { width, height, pixels } => {
                (width, height) != (self.screen.width(), self.screen.height())
                    || pixels != self.screen.pixels()
            }
            Scene::Patch { area, .. } => !area.is_empty(),
            // What the pointer looks like is sent again behind each picture.
            Scene::Cursor(cursor) => cursor != self.cursor.as_ref(),
            Scene::Marker { .. } | Scene::Gap(_) | Scene::Paused => true,
            Scene::Pointer { .. }
            | Scene::Key { .. }
            | Scene::Clipboard { .. }
            | Scene::Bell
            | Scene::Wire { .. } => false,
        }
    }

    /// Shows a scene.
    pub(super) fn show(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Wrong> {
        if let Some(mark) = mark(at, scene) {
            self.marks.add(mark);
        }
        match *scene {
            Scene::Picture { width, height, pixels } => self.picture(at, width, height, pixels)?,
            Scene::Patch { area, pixels } => {
                enough(area, pixels)?;
                self.screen.write(area, pixels)?;
            }
            Scene::Cursor(cursor) => {
                if cursor != self.cursor.as_ref() {
                    self.cursor = cursor.cloned();
                    self.cursors += 1;
                }
            }
            Scene::Pointer { x, y, .. } => self.pointer = Some((x, y)),
            Scene::Bell => self.bell = true,
            Scene::Gap(_) | Scene::Paused => self.blank = Some(self.blank.unwrap_or(at)),
            Scene::Key { .. } | Scene::Clipboard { .. } | Scene::Wire { .. } | Scene::Marker { .. } => {}
        }
        Ok(())
    }

    fn picture(&mut self, at: Moment, width: u16, height: u16, pixels: &[Pixel]) -> Result<(), Wrong> {
        let area = Area::new(0, 0, width, height);
        self.limits.check_size(width, height)?;
        enough(area, pixels)?;
        if let Some(began) = self.blank.take() {
            self.marks.close(began, at);
        }
        if (width, height) != (self.screen.width(), self.screen.height()) {
            self.screen.resize(width, height, &self.limits)?;
            self.screen.write(area, pixels)?;
            return Ok(());
        }
        // Only what differs is damaged, in stripes: most pictures differ from what is shown in little or nothing.
        let (across, mut y) = (usize::from(width).max(1), 0);
        for new in pixels.chunks(across * STRIPE) {
            let rows = (new.len() / across) as u16;
            let differing = (0..rows).fold(None::<(usize, usize)>, |found, row| {
                let old = self.screen.row(y + row);
                let new = &new[usize::from(row) * across..][..across];
                if old == new {
                    return found;
                }
                let differs = |(old, new): (&Pixel, &Pixel)| old != new;
                let left = old.iter().zip(new).position(differs).unwrap_or(0);
                let right = old.iter().zip(new).rposition(differs).map_or(0, |at| at + 1);
                Some(found.map_or((left, right), |(l, r)| (l.min(left), r.max(right))))
            });
            if let Some((left, right)) = differing {
                for row in 0..rows {
                    let start = usize::from(row) * across;
                    let area = Area::new(left as u16, y + row, (right - left) as u16, 1);
                    self.screen.write(area, &new[start + left..start + right])?;
                }
            }
            y += rows;
        }
        Ok(())
    }

    /// Forgets what is not told again behind the picture that a seek begins with, and answers what the pointer looked like.
    pub(super) fn cut(&mut self) -> Option<Cursor> {
        self.blank = None;
        self.pointer = None;
        self.cursor.take()
    }

    /// After a seek, before which the pointer looked like that.
    pub(super) fn landed(&mut self, before: Option<Cursor>) {
        self.bell = false;
        self.cursors += u64::from(self.cursor != before);
    }
}

/// Rows that are compared together.
const STRIPE: usize = 16;

fn enough(area: Area, pixels: &[Pixel]) -> Result<(), Wrong> {
    match area.pixels() == pixels.len() {
        true => Ok(()),
        false => Err(Wrong::Pixels { area, expected: area.pixels(), found: pixels.len() }),
    }
}

impl Mark {
    /// From its beginning to its end, as far as that was seen.
    pub fn span(&self) -> Span {
        Span { from: self.at, to: self.until.unwrap_or(self.at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Stage {
        Stage::new(Limits::default(), Marks::default()).expect("nothing")
    }

    #[test]
    fn a_picture_damages_what_differs() {
        let mut stage = stage();
        let mut pixels = vec![[1, 2, 3, 255]; 100 * 50];
        let picture = |pixels: &[Pixel], stage: &mut Stage| {
            let scene = Scene::Picture { width: 100, height: 50, pixels };
            let changed = stage.is_changed_by(&scene);
            stage.show(Moment(1), &scene).expect("a picture");
            assert_eq!(stage.screen.pixels(), pixels);
            (changed, stage.screen.damage_mut().take())
        };
        assert_eq!(picture(&pixels, &mut stage), (true, vec![Area::new(0, 0, 100, 50)]));
        assert_eq!(picture(&pixels, &mut stage), (false, vec![]));
        pixels[20 * 100 + 30] = [9; 4];
        pixels[25 * 100 + 40] = [9; 4];
        let (changed, damage) = picture(&pixels, &mut stage);
        assert!(changed);
        assert_eq!(damage, [Area::new(30, 16, 11, 16)]);
    }

    #[test]
    fn scenes_that_cannot_be_are_refused() {
        let mut stage = stage();
        let pixels = [[0; 4]; 6];
        let refused = |stage: &mut Stage, scene: Scene<'_>| stage.show(Moment(0), &scene).is_err();
        assert!(refused(&mut stage, Scene::Picture { width: 3, height: 3, pixels: &pixels }));
        assert!(refused(&mut stage, Scene::Picture { width: u16::MAX, height: u16::MAX, pixels: &pixels }));
        assert!(refused(&mut stage, Scene::Patch { area: Area::new(0, 0, 3, 2), pixels: &pixels }));
        assert!(!refused(&mut stage, Scene::Picture { width: 3, height: 2, pixels: &pixels }));
        assert!(refused(&mut stage, Scene::Patch { area: Area::new(1, 0, 3, 2), pixels: &pixels }));
        assert!(refused(&mut stage, Scene::Patch { area: Area::new(0, 0, 1, 1), pixels: &pixels }));
    }

    #[test]
    fn a_gap_is_over_with_the_next_picture() {
        let mut stage = stage();
        let picture = Scene::Picture { width: 1, height: 1, pixels: &[[0; 4]] };
        for (at, scene) in [
            (0, picture.clone()),
            (5, Scene::Gap("lost")),
            (6, Scene::Marker { kind: "violation", text: "x" }),
            (9, picture),
        ] {
            stage.show(Moment(at), &scene).expect("a scene");
        }
        let marks = stage.marks.as_slice();
        assert_eq!(marks.len(), 2);
        assert_eq!(marks[0].span(), Span { from: Moment(5), to: Moment(9) });
        assert_eq!(marks[1].until, None);
        assert_eq!(stage.blank, None);
    }
}
