//! How long the payload of a rectangle is, without decoding it.

use crate::{
    encoding::Encoding,
    error::Error,
    geometry::Area,
    limits::Limits,
    pixel::PixelFormat,
    wire::{Reader, Stop},
};

/// How far a payload was walked that did not end yet, so that no byte is walked twice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Walk {
    tile: usize,
    at: usize,
}

/// Reads over the payload of a rectangle.
pub(super) fn skip(
    reader: &mut Reader<'_>,
    area: Area,
    encoding: Encoding,
    format: &PixelFormat,
    limits: &Limits,
    walk: &mut Walk,
) -> Result<(), Stop> {
    let bytes = format.bytes();
    let mask = usize::from(area.width).div_ceil(8) * usize::from(area.height);
    let length = match encoding {
        Encoding::RAW => area.pixels() * bytes,
        Encoding::COPY_RECT => 4,
        Encoding::RRE => {
            let at = reader.at();
            let count = reader.u32()?;
            // More would be painted over.
            Error::check("a number of subrectangles", count, area.pixels() as u64, at)?;
            bytes + count as usize * (bytes + 8)
        }
        Encoding::HEXTILE => return hextile(reader, area, bytes, walk),
        Encoding::ZLIB => deflated(reader, area.pixels() * bytes)?,
        // Besides the pixels, a tile has a byte, and a run one for each 255 pixels or less.
        Encoding::ZRLE => deflated(reader, area.pixels() * (bytes + 1) + tiles(area, 64))?,
        Encoding::TIGHT => return tight(reader, area, format, false),
        Encoding::TIGHT_PNG => return tight(reader, area, format, true),
        Encoding::OPEN_H264 => {
            let at = reader.at();
            let length = reader.u32()?;
            // A frame is far shorter than its pixels, but for the smallest.
            Error::check("a frame of H.264", length, area.pixels() as u64 * 4 + 65_536, at)?;
            4 + length as usize
        }
        Encoding::CURSOR => {
            cursor(area, limits, reader.at())?;
            area.pixels() * bytes + mask
        }
        Encoding::X_CURSOR => {
            cursor(area, limits, reader.at())?;
            if area.is_empty() { 0 } else { 6 + 2 * mask }
        }
        Encoding::CURSOR_WITH_ALPHA => {
            cursor(area, limits, reader.at())?;
            let at = reader.at();
            let inner = reader.i32()?;
            if inner != Encoding::RAW.0 {
                let found = Encoding(inner);
                return Err(Error::unexpected("the encoding of a cursor with alpha", "Raw", found, at).into());
            }
            area.pixels() * 4
        }
        Encoding::VMWARE_CURSOR => {
            cursor(area, limits, reader.at())?;
            let at = reader.at();
            let [kind, _] = reader.array()?;
            match kind {
                0 => 2 * area.pixels() * bytes,
                1 => area.pixels() * 4,
                other => {
                    let expected = "two masks (0) or transparency (1)";
                    return Err(Error::unexpected("the kind of a cursor", expected, other, at).into());
                }
            }
        }
        Encoding::DESKTOP_NAME => {
            let at = reader.at();
            let length = reader.u32()?;
            Error::check("the desktop's name", length, limits.name.into(), at)?;
            length as usize
        }
        Encoding::EXTENDED_DESKTOP_SIZE => {
            super::Screens::read(reader, 3, limits)?;
            0
        }
        Encoding::QEMU_LED => 1,
        Encoding::VMWARE_LED => 4,
        Encoding::DESKTOP_SIZE
        | Encoding::LAST_RECT
        | Encoding::QEMU_POINTER_MOTION
        | Encoding::QEMU_EXTENDED_KEY
        | Encoding::VMWARE_CURSOR_POSITION
        | Encoding::EXTENDED_MOUSE_BUTTONS => 0,
        other => {
            let expected = "one whose length is known";
            return Err(Error::unexpected("the encoding of a rectangle", expected, other, reader.at()).into());
        }
    };
    reader.take(length).map(drop)
}

fn tiles(area: Area, side: u16) -> usize {
    usize::from(area.width.div_ceil(side)) * usize::from(area.height.div_ceil(side))
}

fn cursor(area: Area, limits: &Limits, at: usize) -> Result<(), Error> {
    Error::check("the width of a cursor", area.width, limits.cursor.into(), at)?;
    Error::check("the height of a cursor", area.height, limits.cursor.into(), at)
}

/// A length in front of what inflates to `most` bytes or less. What deflates badly grows, by far less than this.
fn deflated(reader: &mut Reader<'_>, most: usize) -> Result<usize, Stop> {
    let at = reader.at();
    let length = reader.u32()?;
    let limit = most as u64 + most as u64 / 16 + 4096;
    Error::check("a deflated length", length, limit, at)?;
    Ok(length as usize)
}

/// Tile by tile: RFC 6143, 7.7.4.
fn hextile(reader: &mut Reader<'_>, area: Area, bytes: usize, walk: &mut Walk) -> Result<(), Stop> {
    let start = reader.at();
    reader.take(walk.at)?;
    for (index, tile) in area.pieces(16, 16).enumerate().skip(walk.tile) {
        *walk = Walk { tile: index, at: reader.at() - start };
        let at = reader.at();
        let flags = reader.u8()?;
        if flags & !0b1_1111 != 0 {
            return Err(Error::unexpected("the flags of a tile", "at most 31", flags, at).into());
        }
        if flags & 1 != 0 {
            reader.take(tile.pixels() * bytes)?;
            continue;
        }
        reader.take(bytes * usize::from((flags >> 1 & 1) + (flags >> 2 & 1)))?;
        if flags & 8 != 0 {
            let count = usize::from(reader.u8()?);
            reader.take(count * (2 + if flags & 16 != 0 { bytes } else { 0 }))?;
        }
    }
    *walk = Walk::default();
    Ok(())
}

/// One to three bytes, seven bits each in the first two.
pub(crate) fn compact(reader: &mut Reader<'_>) -> Result<usize, Stop> {
    let mut length = 0;
    for shift in [0, 7] {
        let byte = usize::from(reader.u8()?);
        length |= (byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Ok(length | usize::from(reader.u8()?) << 14)
}

/// By the filter and the lengths in front.
fn tight(reader: &mut Reader<'_>, area: Area, format: &PixelFormat, png: bool) -> Result<(), Stop> {
    let at = reader.at();
    let control = reader.u8()? >> 4;
    let pixel = format.tight_bytes();
    match control {
        8 => return reader.take(pixel).map(drop),
        9 | 10 if control == 9 || png => {
            let length = compact(reader)?;
            return reader.take(length).map(drop);
        }
        0..8 if !png => {}
        _ => {
            let expected = if png { "fill, JPEG or PNG (8 to 10)" } else { "basic, fill or JPEG (0 to 9)" };
            return Err(Error::unexpected("the control of Tight", expected, control, at).into());
        }
    }
    let at = reader.at();
    let filter = if control & 4 != 0 { reader.u8()? } else { 0 };
    let length = match filter {
        0 | 2 => area.pixels() * pixel,
        1 => {
            let colours = usize::from(reader.u8()?) + 1;
            reader.take(colours * pixel)?;
            let row = if colours <= 2 { usize::from(area.width).div_ceil(8) } else { area.width.into() };
            row * usize::from(area.height)
        }
        other => {
            let expected = "copy, palette or gradient (0 to 2)";
            return Err(Error::unexpected("the filter of Tight", expected, other, at).into());
        }
    };
    let length = if length < 12 { length } else { compact(reader)? };
    reader.take(length).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &[u8], area: Area, encoding: i32, format: PixelFormat) -> Result<usize, String> {
        let mut reader = Reader::new(bytes);
        match skip(&mut reader, area, Encoding(encoding), &format, &Limits::default(), &mut Walk::default()) {
            Ok(()) => Ok(reader.at()),
            Err(Stop::Need(more)) => Err(format!("{more} more")),
            Err(Stop::Bad(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn lengths_of_what_is_fixed() {
        let zeros = vec![0; 1000];
        let area = Area::new(0, 0, 9, 4);
        let of = |encoding| length(&zeros, area, encoding, PixelFormat::RGB565);
        assert_eq!(of(0), Ok(72));
        assert_eq!(of(1), Ok(4));
        assert_eq!(of(2), Ok(4 + 2));
        assert_eq!(of(5), Ok(1));
        assert_eq!(of(6), Ok(4));
        assert_eq!(of(16), Ok(4));
        assert_eq!(of(-239), Ok(72 + 8));
        assert_eq!(of(-240), Ok(6 + 16));
        assert_eq!(of(-314), Ok(4 + 144));
        assert_eq!(of(-307), Ok(4));
        assert_eq!(of(-308), Ok(4));
        assert_eq!(of(-223), Ok(0));
        assert_eq!(of(-224), Ok(0));
        assert_eq!(length(&[0xA0, 2, 1, 1], area, -260, PixelFormat::RGB565), Ok(4));
        assert!(of(-260).is_err(), "there are no streams in it");
        assert_eq!(of(50), Ok(8));
        assert_eq!(of(0x574D_5664), Ok(2 + 2 * 72));
        assert_eq!(of(0x574D_5668), Ok(4));
        assert!(of(4).is_err());
    }

    #[test]
    fn lengths_of_tight() {
        let of = |bytes: &[u8], width| {
            let mut bytes = bytes.to_vec();
            bytes.resize(100_000, 0);
            length(&bytes, Area::new(0, 0, width, 1), 7, PixelFormat::BGRX)
        };
        assert_eq!(of(&[0x8F], 64), Ok(4), "a fill");
        assert_eq!(of(&[0x90, 0x90, 0x4E], 64), Ok(1 + 2 + 10_000), "JPEG, the specification's example");
        assert_eq!(of(&[0x00], 3), Ok(1 + 9), "too short to be deflated");
        assert_eq!(of(&[0x00, 0x05], 4), Ok(1 + 1 + 5));
        assert_eq!(of(&[0x40, 0x02, 0x05], 4), Ok(1 + 1 + 1 + 5), "a gradient");
        assert_eq!(of(&[0x50, 0x01, 0x01], 64), Ok(1 + 2 + 6 + 8), "two colours, a bit a pixel");
        assert_eq!(of(&[0x60, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7], 64), Ok(1 + 2 + 9 + 1 + 7));
        assert!(of(&[0xA0], 64).is_err());
        assert!(of(&[0x40, 0x03], 64).is_err());
    }

    #[test]
    fn lengths_of_hextile() {
        // A background; raw, two pixels wide; subrectangles with and without colours.
        let mut bytes = vec![2, 9, 1];
        bytes.extend([7; 32]);
        bytes.extend([8 | 4, 5, 2, 0, 0, 1, 1, 8 | 16, 1, 3, 0, 0]);
        let area = Area::new(0, 0, 18, 32);
        let end = bytes.len();
        bytes.extend([255; 9]);
        assert_eq!(length(&bytes, area, 5, PixelFormat::BGR233), Ok(end));
        assert!(length(&[64], area, 5, PixelFormat::BGR233).is_err());
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped() {
        let area = Area::new(0, 0, 160, 16);
        let bytes = [0_u8; 10];
        let mut walk = Walk::default();
        for end in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..end]);
            let stopped = hextile(&mut reader, area, 4, &mut walk);
            assert!(matches!(stopped, Err(Stop::Need(1))), "{stopped:?}");
            assert_eq!(walk.tile, end);
        }
        assert!(hextile(&mut Reader::new(&bytes), area, 4, &mut walk).is_ok());
        assert_eq!(walk.tile, 0);
    }

    #[test]
    fn what_nothing_honest_would_send_is_refused() {
        let area = Area::new(0, 0, 8, 8);
        let huge = [0x7F, 0xFF, 0xFF, 0xFF];
        for encoding in [2, 6, 16, -307] {
            let refused = length(&huge, area, encoding, PixelFormat::BGRX).expect_err("a refusal");
            assert!(refused.contains("at most"), "{refused}");
        }
        let cursor = Area::new(0, 0, 3000, 1);
        assert!(length(&huge, cursor, -239, PixelFormat::BGRX).expect_err("a refusal").contains("cursor"));
    }
}
