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

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u16, height: u16, colour: u8) -> (u16, u16, Vec<Pixel>) {
        (width, height, vec![[colour; 4]; usize::from(width) * usize::from(height)])
    }

    fn show(screen: &mut Screen, (width, height, pixels): &(u16, u16, Vec<Pixel>)) -> Change {
        screen.show(&Scene::Picture { width: *width, height: *height, pixels }).expect("it is shown")
    }

    #[test]
    fn only_what_is_new_changes_something() {
        let mut screen = Screen::new(20, 20).expect("small");
        assert_eq!(screen.show(&Scene::Bell).expect("nothing"), Change::None);
        assert_eq!(screen.show(&Scene::Paused).expect("nothing to lose"), Change::None);
        assert_eq!(show(&mut screen, &picture(20, 20, 9)), Change::All);
        screen.draw();
        assert_eq!(show(&mut screen, &picture(20, 20, 9)), Change::None);
        assert_eq!(screen.show(&Scene::Pointer { x: 1, y: 1, buttons: 0 }).expect("no cursor"), Change::None);
        assert_eq!(show(&mut screen, &picture(20, 20, 8)), Change::Some);
        screen.draw();
        assert_eq!(screen.show(&Scene::Gap("lost")).expect("it is shown"), Change::Some);
        screen.draw();
        assert_eq!(screen.show(&Scene::Paused).expect("it is lost already"), Change::None);
        assert_eq!(show(&mut screen, &picture(20, 20, 8)), Change::All);
        assert_eq!(show(&mut screen, &picture(20, 18, 8)), Change::All);
    }

    /// As if a recording were another one when it is read again.
    #[test]
    fn what_does_not_fit_is_cut() {
        let mut screen = Screen::new(20, 20).expect("small");
        for (width, height) in [(19, 50), (50, 19), (51, 51), (0, 7), (7, 0), (1, 1)] {
            show(&mut screen, &picture(width, height, 255));
            screen.draw();
        }
        // Fewer pixels than it says.
        show(&mut screen, &(20, 20, vec![[255; 4]; 30]));
        screen.draw();
        let patch = Scene::Patch { area: Area::new(19, 0, 2, 1), pixels: &[[0; 4]; 2] };
        assert!(screen.show(&patch).is_err());
    }

    #[test]
    fn cursors_may_be_anywhere_and_anything() {
        for (width, height) in [(20, 20), (15, 13), (1, 1)] {
            let mut screen = Screen::new(20, 20).expect("small");
            show(&mut screen, &picture(width, height, 100));
            for (hot, side, pixels) in
                [(0, 8, 64), (7, 8, 64), (u16::MAX, 8, 64), (0, 0, 0), (3, 9, 80), (0, 60, 3600)]
            {
                let pixels = vec![[255, 255, 255, 128]; pixels];
                let cursor = Cursor { x: hot, y: hot, width: side, height: side, pixels };
                screen.show(&Scene::Cursor(Some(&cursor))).expect("it is shown");
                for (x, y) in [(0, 0), (19, 19), (u16::MAX, 0), (0, u16::MAX), (7, 12)] {
                    screen.show(&Scene::Pointer { x, y, buttons: 0 }).expect("it is shown");
                    screen.draw();
                }
            }
            // Where none is left, everything is as it was.
            screen.show(&Scene::Cursor(None)).expect("it is shown");
            let after = screen.draw().clone();
            let mut fresh = Screen::new(20, 20).expect("small");
            show(&mut fresh, &picture(width, height, 100));
            assert_eq!(&after, fresh.draw());
        }
    }
}
