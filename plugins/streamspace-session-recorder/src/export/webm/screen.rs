//! What is on the screen while a recording is played, and the picture of it that is encoded.

use streamspace_rfb::{Area, Cursor, Error, Framebuffer, Limits, Pixel};
use streamspace_video::Planes;

use crate::scene::Scene;

/// A screen, drawn in the middle of a picture that is as large as the largest of the recording.
pub(super) struct Screen {
    framebuffer: Framebuffer,
    cursor: Option<Cursor>,
    pointer: Option<(u16, u16)>,
    /// Nothing is known of the screen: what was last seen of it is shown darker.
    lost: bool,
    /// Everything is to be drawn again.
    all: bool,
    planes: Planes,
}

/// What a scene did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing that is to be seen.
    None,
    /// Something changed.
    Some,
    /// All is new: somebody may want to go here.
    All,
}

impl Screen {
    /// `width` and `height` are even.
    pub(super) fn new(width: u16, height: u16) -> Result<Self, Error> {
        Ok(Self {
            framebuffer: Framebuffer::new(0, 0, &Limits::default())?,
            cursor: None,
            pointer: None,
            lost: false,
            all: true,
            planes: Planes::new(width, height),
        })
    }

    /// Whether there was no picture yet.
    pub(super) fn is_empty(&self) -> bool {
        self.framebuffer.area().is_empty()
    }

    /// Shows a scene.
    pub(super) fn show(&mut self, scene: &Scene<'_>) -> Result<Change, Error> {
        match *scene {
            Scene::Picture { width, height, pixels } => return self.picture(width, height, pixels),
            // What nobody can see is nothing to fail for.
            Scene::Patch { .. } if self.is_empty() => {}
            Scene::Patch { area, pixels } => self.framebuffer.write(area, pixels)?,
            Scene::Cursor(cursor) => {
                self.damage_cursor();
                self.cursor = cursor.cloned();
                self.damage_cursor();
            }
            Scene::Pointer { x, y, .. } => {
                self.damage_cursor();
                self.pointer = Some((x, y));
                self.damage_cursor();
            }
            Scene::Gap(_) | Scene::Paused if !self.lost && !self.is_empty() => {
                self.lost = true;
                self.all = true;
                return Ok(Change::Some);
            }
            _ => {}
        }
        Ok(if self.framebuffer.damage().is_empty() { Change::None } else { Change::Some })
    }

    fn picture(&mut self, width: u16, height: u16, pixels: &[Pixel]) -> Result<Change, Error> {
        let resized = (width, height) != (self.framebuffer.width(), self.framebuffer.height());
        let found = std::mem::take(&mut self.lost);
        if resized {
            self.framebuffer.resize(width, height, &Limits::default())?;
            let area = self.framebuffer.area();
            self.framebuffer.write(area, pixels)?;
        } else if width > 0 {
            // Most pictures are there so that one can begin at them, and nothing of them is new.
            for (y, row) in (0..height).zip(pixels.chunks_exact(width.into())) {
                if self.framebuffer.row(y) != row {
                    self.framebuffer.write(Area::new(0, y, width, 1), row)?;
                }
            }
        }
        self.all |= resized || found;
        Ok(match (resized || found, self.framebuffer.damage().is_empty()) {
            (true, _) => Change::All,
            (false, false) => Change::Some,
            (false, true) => Change::None,
        })
    }

    /// Where the cursor is drawn.
    fn cursor_area(&self) -> Option<Area> {
        let (cursor, (x, y)) = (self.cursor.as_ref()?, self.pointer?);
        if cursor.pixels.len() < usize::from(cursor.width) * usize::from(cursor.height) {
            return None;
        }
        let place = |at: u16, hot: u16, size: u16| {
            let start = i32::from(at) - i32::from(hot);
            let end = start + i32::from(size);
            // Both fit, since they are between 0 and what does.
            let start = start.clamp(0, u16::MAX.into()) as u16;
            (start, (end.clamp(start.into(), u16::MAX.into()) as u16) - start)
        };
        let (x, width) = place(x, cursor.x, cursor.width);
        let (y, height) = place(y, cursor.y, cursor.height);
        Area::new(x, y, width, height).intersection(&self.framebuffer.area())
    }

    fn damage_cursor(&mut self) {
        if let Some(area) = self.cursor_area() {
            self.framebuffer.damage_mut().add(area);
        }
    }

    /// The picture as it is now.
    pub(super) fn draw(&mut self) -> &Planes {
        let screen = &self.framebuffer;
        // In the middle, at an even place.
        let place = |all: usize, part: u16| all.saturating_sub(usize::from(part)) / 4 * 2;
        let at = (place(self.planes.width(), screen.width()), place(self.planes.height(), screen.height()));
        if std::mem::take(&mut self.all) {
            self.planes.clear();
            self.planes.draw(screen, screen.area(), at, self.lost);
        } else {
            for area in screen.damage().areas() {
                self.planes.draw(screen, *area, at, self.lost);
            }
        }
        self.draw_cursor(at);
        self.framebuffer.damage_mut().clear();
        &self.planes
    }

    fn draw_cursor(&mut self, at: (usize, usize)) {
        let (Some(area), Some(cursor), Some(pointer)) = (self.cursor_area(), &self.cursor, self.pointer)
        else {
            return;
        };
        let screen = &self.framebuffer;
        let left = area.x & !1;
        let end = area.right().next_multiple_of(2).min(screen.width().into()) as usize;
        let row = |y: u16| -> Vec<Pixel> {
            let mut row = screen.row(y)[usize::from(left)..end].to_vec();
            blend_row(&mut row, left, y, cursor, pointer);
            row
        };
        // Its bottom is inside of the screen, whose height is 16 bits.
        for y in (area.y & !1..area.bottom() as u16).step_by(2) {
            let (upper, lower) = (row(y), row((y + 1).min(screen.height() - 1)));
            let place = (at.0 + usize::from(left), at.1 + usize::from(y));
            self.planes.draw_rows(&upper, &lower, place, self.lost);
        }
    }
}

/// Draws a row of the cursor over pixels of row `y` that begin at column `left`.
fn blend_row(row: &mut [Pixel], left: u16, y: u16, cursor: &Cursor, pointer: (u16, u16)) {
    let line = i32::from(y) - i32::from(pointer.1) + i32::from(cursor.y);
    let Ok(line) = usize::try_from(line) else { return };
    let width = usize::from(cursor.width);
    let Some(pixels) = cursor.pixels.get(line * width..(line + 1) * width) else { return };
    // The column of `row` at which the cursor begins; below 0 if it begins outside.
    let start = i32::from(pointer.0) - i32::from(cursor.x) - i32::from(left);
    for (column, [red, green, blue, alpha]) in (start..).zip(pixels) {
        let Some(under) = usize::try_from(column).ok().and_then(|column| row.get_mut(column)) else {
            continue;
        };
        for (under, over) in under.iter_mut().zip([red, green, blue]) {
            let alpha = u32::from(*alpha);
            *under = ((u32::from(*over) * alpha + u32::from(*under) * (255 - alpha) + 127) / 255) as u8;
        }
    }
}
