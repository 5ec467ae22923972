//! What is in an update.

use streamspace_rfb::{
    Area, Cursor, Encoder, Encoding, Error, Framebuffer, Limits, Screen,
    message::{Colours, Rect, Screens, ServerMessage},
};

use super::Viewer;

impl Viewer {
    /// Appends one update of what has changed inside of `window`, if there is anything.
    pub(super) fn paint(
        &mut self,
        screen: &Framebuffer,
        cursor: Option<&Cursor>,
        version: u64,
        window: Area,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if self.colours {
            self.colours = false;
            put_colours(out);
        }
        if self.told != self.size && (self.can.layout || self.can.size) {
            self.told = self.size;
            self.frame = false;
            self.damage.add(self.area());
            // Alone: what comes behind a size is asked for by a viewer that has it.
            let (width, height) = self.told;
            self.put_size(Area::new(0, 0, width, height), out);
            return Ok(true);
        }
        if std::mem::take(&mut self.refuse) && self.can.layout {
            // Asked by this viewer (1), and prohibited (1).
            self.put_size(Area::new(1, 1, self.told.0, self.told.1), out);
            return Ok(true);
        }
        if std::mem::take(&mut self.frame) && self.told != self.size && self.put_frame(screen, out)? {
            return Ok(true);
        }

        let all = self.area();
        let (mut areas, mut left) = (Vec::new(), Vec::new());
        for area in self.damage.areas().iter().filter_map(|area| area.intersection(&all)) {
            match area.intersection(&window) {
                Some(inside) => {
                    areas.push(inside);
                    left.extend(around(area, inside));
                }
                None => left.push(area),
            }
        }
        let shape = self
            .can
            .cursor
            .filter(|_| self.cursor != Some(version) && (cursor.is_some() || self.cursor.is_some()));
        if areas.is_empty() && shape.is_none() {
            return Ok(false);
        }
        let start = out.len();
        let (encoding, level, format) = (self.encoding, self.level, self.format);
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::with_level(format, level)?),
        };
        encoder.update(screen, &areas, encoding, out)?;
        if let Some(shape) = shape {
            put_cursor(encoder, format.bytes(), shape, cursor, out)?;
            // The encoder writes fewer than 65,534.
            let [_, _, high, low] = [out[start], out[start + 1], out[start + 2], out[start + 3]];
            let rects = u16::from_be_bytes([high, low]).saturating_add(1);
            out[start + 2..start + 4].copy_from_slice(&rects.to_be_bytes());
        }
        if self.can.cursor.is_some() {
            self.cursor = shape.map_or(self.cursor, |_| Some(version));
        }
        self.damage.clear();
        left.into_iter().for_each(|area| self.damage.add(area));
        Ok(true)
    }

    /// A size. The area's place says why, in the longer form.
    fn put_size(&self, area: Area, out: &mut Vec<u8>) {
        ServerMessage::Update { rects: 1 }.write(out);
        let (encoding, area, payload) = match self.can.layout {
            true => {
                let all = Area::new(0, 0, area.width, area.height);
                let mut payload = vec![1, 0, 0, 0];
                let screens = Screens::to_bytes(&[Screen { id: 0, area: all, flags: 0 }]);
                payload.extend_from_slice(screens.as_flattened());
                (Encoding::EXTENDED_DESKTOP_SIZE, area, payload)
            }
            false => (Encoding::DESKTOP_SIZE, Area::new(0, 0, area.width, area.height), Vec::new()),
        };
        let rect = Rect { area, encoding, format: self.format, payload: &payload, last: true };
        ServerMessage::Rect(rect).write(out);
    }

    /// Black, where a viewer that cannot have another size sees nothing of a smaller picture.
    fn put_frame(&mut self, screen: &Framebuffer, out: &mut Vec<u8>) -> Result<bool, Error> {
        let all = self.area();
        let inside = all.intersection(&screen.area()).unwrap_or_default();
        let frame: Vec<_> = around(all, inside).collect();
        if frame.is_empty() {
            return Ok(false);
        }
        let black = Framebuffer::new(all.width, all.height, &Limits::default())?;
        let (encoding, level, format) = (self.encoding, self.level, self.format);
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::with_level(format, level)?),
        };
        encoder.update(&black, &frame, encoding, out)?;
        Ok(true)
    }
}

/// What of an area is around another one that is inside of it.
fn around(area: Area, inside: Area) -> impl Iterator<Item = Area> {
    let side = |from: u32, to: u32| to.saturating_sub(from) as u16;
    let (right, bottom) = (inside.right(), inside.bottom());
    let above = Area::new(area.x, area.y, area.width, inside.y - area.y);
    // Inside of an area that the protocol can say, both are below 65,536 unless nothing is there.
    let below = Area::new(area.x, bottom as u16, area.width, side(bottom, area.bottom()));
    let left = Area::new(area.x, inside.y, inside.x - area.x, inside.height);
    let beside = Area::new(right as u16, inside.y, side(right, area.right()), inside.height);
    [above, left, beside, below].into_iter().filter(|area| !area.is_empty())
}

/// The colours of BGR233, for a viewer that wants a colour map.
fn put_colours(out: &mut Vec<u8>) {
    let entries: Vec<[u8; 6]> = (0..=255_u16)
        .map(|number| {
            let full = |value: u16, max: u16| (u32::from(value) * 65_535 / u32::from(max)) as u16;
            let colours = [full(number & 7, 7), full(number >> 3 & 7, 7), full(number >> 6, 3)];
            let [red, green, blue] = colours.map(u16::to_be_bytes);
            [red[0], red[1], green[0], green[1], blue[0], blue[1]]
        })
        .collect();
    ServerMessage::SetColours(Colours::from_bytes(0, &entries)).write(out);
}

/// What the pointer looks like, as a rectangle.
fn put_cursor(
    encoder: &mut Encoder,
    bytes: usize,
    encoding: Encoding,
    cursor: Option<&Cursor>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let none = Cursor::default();
    let cursor =
        cursor.filter(|cursor| cursor.pixels.len() == Area::new(0, 0, cursor.width, cursor.height).pixels());
    let Cursor { x, y, width, height, pixels } = cursor.unwrap_or(&none);
    let head = Area::new(*x, *y, *width, *height);
    [head.x, head.y, head.width, head.height].iter().for_each(|side| out.extend(side.to_be_bytes()));
    out.extend(encoding.0.to_be_bytes());
    match encoding {
        Encoding::CURSOR_WITH_ALPHA => {
            out.extend(Encoding::RAW.0.to_be_bytes());
            for [red, green, blue, alpha] in pixels {
                // Colours are multiplied by the opacity.
                let part = |colour: &u8| (u16::from(*colour) * u16::from(*alpha)).div_ceil(255) as u8;
                out.extend([part(red), part(green), part(blue), *alpha]);
            }
        }
        Encoding::VMWARE_CURSOR => {
            // Of the kind with opacity (1), and a byte that means nothing.
            out.extend([1, 0]);
            out.extend_from_slice(pixels.as_flattened());
        }
        _ if head.is_empty() => {}
        _ => {
            let limits = Limits::default();
            let mut picture = Framebuffer::new(*width, *height, &limits)?;
            picture.write(picture.area(), pixels)?;
            let start = out.len();
            encoder.update(&picture, &[picture.area()], Encoding::RAW, out)?;
            // Only the pixels: the heads of the update and of its one rectangle go.
            out.drain(start..start + 16);
            debug_assert_eq!(out.len() - start, pixels.len() * bytes);
            for row in pixels.chunks_exact(usize::from(*width).max(1)) {
                out.extend(row.chunks(8).map(|eight| {
                    let bits = eight.iter().fold(0, |bits, pixel| bits << 1 | u8::from(pixel[3] >= 128));
                    bits << (8 - eight.len())
                }));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_and_inside_are_all() {
        let area = Area::new(10, 20, 100, 50);
        for inside in [Area::new(10, 20, 100, 50), Area::new(30, 30, 10, 5), Area::new(10, 20, 1, 1)] {
            let pieces: Vec<_> = around(area, inside).collect();
            let pixels: usize = pieces.iter().map(Area::pixels).sum();
            assert_eq!(pixels + inside.pixels(), area.pixels());
            assert!(pieces.iter().all(|piece| area.contains(piece)));
            assert!(pieces.iter().all(|piece| piece.intersection(&inside).is_none()));
        }
        assert_eq!(around(area, Area::new(10, 20, 100, 50)).count(), 0);
    }
}
