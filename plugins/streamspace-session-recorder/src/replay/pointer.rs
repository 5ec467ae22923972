//! The pointer as it was, drawn into what the viewer is sent.

use streamspace_rfb::{Area, Cursor, Framebuffer, Pixel};

/// What the pointer looks like and where it was.
pub(super) struct Pointer<'a> {
    pub(super) cursor: Option<&'a Cursor>,
    pub(super) version: u64,
    pub(super) at: Option<(u16, u16)>,
}

/// Draws the pointer for as long as an update takes, since what is played is compared with the next picture.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// What was drawn last.
    last: Option<(u64, (u16, u16))>,
    area: Area,
    under: Vec<Pixel>,
    over: Vec<Pixel>,
}

impl Drawn {
    /// Damages where the pointer was and where it is, if it is another one or elsewhere.
    pub(super) fn look(&mut self, screen: &mut Framebuffer, pointer: &Pointer<'_>) {
        let now = pointer.at.filter(|_| pointer.cursor.is_some()).map(|at| (pointer.version, at));
        if now == self.last {
            return;
        }
        self.last = now;
        screen.damage_mut().add(self.area);
        let cursor = pointer.cursor.zip(pointer.at);
        self.area = cursor.and_then(|(cursor, at)| seen(cursor, at, screen)).unwrap_or_default();
        screen.damage_mut().add(self.area);
    }

    /// Draws it. [`Drawn::lift`] comes next.
    pub(super) fn draw(&mut self, screen: &mut Framebuffer, pointer: &Pointer<'_>) {
        self.under.clear();
        self.over.clear();
        let Some((cursor, at)) = pointer.cursor.zip(pointer.at) else { return };
        // The size may be another one since it was looked.
        let Some(area) = seen(cursor, at, screen) else { return };
        self.area = area;
        let columns = usize::from(area.x)..usize::from(area.x) + usize::from(area.width);
        // Left of the screen and above it, nothing of the pointer is seen.
        let hidden = |at: u16, points: u16| usize::from(points.saturating_sub(at));
        let (left, top) = (hidden(at.0, cursor.x), hidden(at.1, cursor.y));
        for y in 0..area.height {
            let under = screen.row(area.y + y).get(columns.clone()).unwrap_or_default();
            let start = (top + usize::from(y)) * usize::from(cursor.width) + left;
            let over = cursor.pixels.get(start..start + under.len()).unwrap_or_default();
            if over.len() != under.len() {
                // A picture of a pointer that is not whole.
                self.under.clear();
                return;
            }
            self.over.extend(over.iter().zip(under).map(|(over, under)| blend(*over, *under)));
            self.under.extend_from_slice(under);
        }
        self.put(screen, false);
    }

    /// Takes it away again.
    pub(super) fn lift(&mut self, screen: &mut Framebuffer) {
        self.put(screen, true);
        self.under.clear();
    }

    fn put(&self, screen: &mut Framebuffer, lift: bool) {
        if !self.under.is_empty() {
            // It was found to be inside. That nothing has changed in the end is no damage; what there was had been looked at.
            let _ = screen.write(self.area, if lift { &self.under } else { &self.over });
            screen.damage_mut().clear();
        }
    }
}

/// Where a pointer is seen.
fn seen(cursor: &Cursor, (x, y): (u16, u16), screen: &Framebuffer) -> Option<Area> {
    let side = |at: u16, points: u16, length: u16| {
        (at.saturating_sub(points), length.saturating_sub(points.saturating_sub(at)))
    };
    let (x, width) = side(x, cursor.x, cursor.width);
    let (y, height) = side(y, cursor.y, cursor.height);
    Area::new(x, y, width, height).intersection(&screen.area())
}

fn blend(over: Pixel, under: Pixel) -> Pixel {
    let alpha = u16::from(over[3]);
    let part =
        |i: usize| ((u16::from(over[i]) * alpha + u16::from(under[i]) * (255 - alpha) + 127) / 255) as u8;
    [part(0), part(1), part(2), 255]
}

#[cfg(test)]
mod tests {
    use streamspace_rfb::Limits;

    use super::*;

    const WHITE: Pixel = [255; 4];

    #[test]
    fn it_is_drawn_where_it_points_and_leaves_nothing() {
        let limits = Limits::default();
        let pixels = (0..6 * 4).map(|i| [i, 100, 0, if i % 2 == 0 { 255 } else { 0 }]).collect();
        let cursor = Cursor { x: 2, y: 1, width: 6, height: 4, pixels };
        let mut screen = Framebuffer::new(20, 10, &limits).expect("small");
        screen.fill(screen.area(), WHITE).expect("all");
        let before = screen.pixels().to_vec();
        let mut drawn = Drawn::default();
        for at in [(10, 5), (0, 0), (19, 9), (1, 0), (300, 300), (2, 1)] {
            let pointer = Pointer { cursor: Some(&cursor), version: 1, at: Some(at) };
            screen.damage_mut().clear();
            drawn.look(&mut screen, &pointer);
            let damage = screen.damage_mut().take();
            drawn.draw(&mut screen, &pointer);
            for (y, x) in (0..10).flat_map(|y| (0..20).map(move |x| (y, x))) {
                let of = |at: u16, own: i32, points: u16| own - i32::from(at) + i32::from(points);
                let (column, row) = (of(at.0, x, cursor.x), of(at.1, y, cursor.y));
                let inside = (0..6).contains(&column) && (0..4).contains(&row);
                let shape =
                    inside.then(|| cursor.pixels[(row * 6 + column) as usize]).filter(|pixel| pixel[3] > 0);
                assert_eq!(screen.row(y as u16)[x as usize], shape.unwrap_or(WHITE), "{x},{y} of {at:?}");
                let here = Area::new(x as u16, y as u16, 1, 1);
                assert!(shape.is_none() || damage.iter().any(|area| area.contains(&here)));
            }
            drawn.lift(&mut screen);
            assert!(screen.pixels() == before && screen.damage().is_empty());
        }
        let pointer = Pointer { cursor: Some(&cursor), version: 1, at: Some((2, 1)) };
        drawn.look(&mut screen, &pointer);
        assert!(screen.damage().is_empty(), "it stands still");
        let broken = Cursor { pixels: vec![WHITE; 3], ..cursor };
        drawn.draw(&mut screen, &Pointer { cursor: Some(&broken), version: 2, at: Some((5, 5)) });
        drawn.lift(&mut screen);
        assert!(screen.pixels() == before);
        assert_eq!(blend([255, 0, 100, 128], [0, 255, 100, 255]), [128, 127, 100, 255]);
    }
}
