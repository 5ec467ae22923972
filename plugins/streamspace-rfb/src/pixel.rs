//! How pixels are written.

use crate::{
    error::Error,
    wire::{Put, Reader, Stop},
};

/// How pixels are written: PIXEL_FORMAT of RFC 6143, 7.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// Bits that a pixel takes: 8, 16 or 32.
    pub bits: u8,
    /// Bits of it that mean something.
    pub depth: u8,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// Whether pixels are intensities; else they are indices into the colour map.
    pub true_colour: bool,
    /// The most red, green and blue can be, one less than a power of two.
    pub max: [u16; 3],
    /// How far red, green and blue are to be shifted to the right.
    pub shift: [u8; 3],
}

impl PixelFormat {
    /// 32 bits, in memory blue, green, red and one that means nothing: what most servers have.
    pub const BGRX: Self =
        Self { bits: 32, depth: 24, big_endian: false, true_colour: true, max: [255; 3], shift: [16, 8, 0] };
    /// 32 bits, in memory red, green, blue and one that means nothing: what noVNC asks for, and how a
    /// [`Framebuffer`](crate::Framebuffer) is.
    pub const RGBX: Self = Self { shift: [0, 8, 16], ..Self::BGRX };
    /// 16 bits, least significant byte first.
    pub const RGB565: Self = Self {
        bits: 16,
        depth: 16,
        big_endian: false,
        true_colour: true,
        max: [31, 63, 31],
        shift: [11, 5, 0],
    };
    /// 8 bits.
    pub const BGR233: Self =
        Self { bits: 8, depth: 8, big_endian: false, true_colour: true, max: [7, 7, 3], shift: [0, 3, 6] };
    /// 8 bits, indices into the colour map.
    pub const MAPPED: Self =
        Self { bits: 8, depth: 8, big_endian: false, true_colour: false, max: [0; 3], shift: [0; 3] };

    /// Bytes that a pixel takes: 1, 2 or 4.
    pub const fn bytes(&self) -> usize {
        self.bits as usize / 8
    }

    /// Whether this library can work with it.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`], which says what is wrong with it.
    pub fn check(&self) -> Result<(), Error> {
        if !matches!(self.bits, 8 | 16 | 32) {
            return Err(Error::unexpected("the bits of a pixel", "8, 16 or 32", self.bits, 0));
        }
        if !self.true_colour {
            return match self.bits {
                8 | 16 => Ok(()),
                _ => Err(Error::unexpected("the bits of a pixel with a colour map", "8 or 16", self.bits, 1)),
            };
        }
        for (max, shift) in self.max.iter().zip(self.shift) {
            let (expected, found) = ("one less than a power of two", max);
            if *max == 0 || !(u32::from(*max) + 1).is_power_of_two() {
                return Err(Error::unexpected("the maximum of a colour", expected, found, 4));
            }
            if u32::from(shift) + max.count_ones() > u32::from(self.bits) {
                return Err(Error::unexpected("the shift of a colour", "one inside of the pixel", shift, 10));
            }
        }
        Ok(())
    }

    /// Bits of a pixel that are used.
    fn mask(&self) -> u32 {
        // Checked formats do not shift beyond a pixel; others must not panic.
        (0..3).fold(0, |mask, i| {
            mask | u32::from(self.max[i]).checked_shl(self.shift[i].into()).unwrap_or_default()
        })
    }

    /// Where a pixel of ZRLE leaves out a byte: the most significant one, or the least significant.
    pub(crate) fn compact(&self) -> Option<Compact> {
        if self.bits != 32 || self.depth > 24 || !self.true_colour {
            return None;
        }
        match self.mask() {
            mask if mask & 0xFF00_0000 == 0 => Some(Compact::Low),
            mask if mask & 0xFF == 0 => Some(Compact::High),
            _ => None,
        }
    }

    /// Bytes of a pixel in ZRLE (CPIXEL).
    pub(crate) fn zrle_bytes(&self) -> usize {
        if self.compact().is_some() { 3 } else { self.bytes() }
    }

    /// Whether a pixel in Tight (TPIXEL) is three bytes red, green, blue.
    pub(crate) fn tight_rgb(&self) -> bool {
        self.bits == 32 && self.depth == 24 && self.true_colour && self.max == [255; 3]
    }

    /// Bytes of a pixel in Tight.
    pub(crate) fn tight_bytes(&self) -> usize {
        if self.tight_rgb() { 3 } else { self.bytes() }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Stop> {
        let at = reader.at();
        let [bits, depth, big, colour, r1, r0, g1, g0, b1, b0, r, g, b, ..] = reader.array::<16>()?;
        let format = Self {
            bits,
            depth,
            big_endian: big != 0,
            true_colour: colour != 0,
            max: [[r1, r0], [g1, g0], [b1, b0]].map(u16::from_be_bytes),
            shift: [r, g, b],
        };
        format.check().map_err(|error| error.based(at as u64))?;
        Ok(format)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.bytes(&[self.bits, self.depth, self.big_endian.into(), self.true_colour.into()]);
        self.max.iter().for_each(|max| out.u16(*max));
        out.bytes(&self.shift);
        out.padding(3);
    }
}

/// Which three bytes of four a pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compact {
    Low,
    High,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_as_in_the_specification() {
        // What Xvnc sends at 24 bits.
        let bytes = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
        let read = PixelFormat::read(&mut Reader::new(&bytes)).expect("a format");
        assert_eq!(read, PixelFormat::BGRX);
        let mut written = Vec::new();
        read.write(&mut written);
        assert_eq!(written, bytes);
    }

    #[test]
    fn formats_that_cannot_be_are_refused() {
        for wrong in [
            PixelFormat { bits: 24, ..PixelFormat::BGRX },
            PixelFormat { max: [255, 0, 255], ..PixelFormat::BGRX },
            PixelFormat { max: [255, 254, 255], ..PixelFormat::BGRX },
            PixelFormat { shift: [25, 8, 0], ..PixelFormat::BGRX },
            PixelFormat { shift: [255, 8, 0], ..PixelFormat::BGRX },
            PixelFormat { true_colour: false, ..PixelFormat::BGRX },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_byte_is_left_out_where_it_means_nothing() {
        assert_eq!(PixelFormat::BGRX.compact(), Some(Compact::Low));
        let high = PixelFormat { shift: [24, 16, 8], ..PixelFormat::BGRX };
        assert_eq!(high.compact(), Some(Compact::High));
        assert_eq!(PixelFormat { depth: 32, ..high }.compact(), None);
        assert_eq!(PixelFormat { shift: [24, 8, 0], ..high }.compact(), None);
        assert_eq!(PixelFormat::RGB565.zrle_bytes(), 2);
        assert_eq!(PixelFormat::RGB565.tight_bytes(), 2);
        assert_eq!(PixelFormat { depth: 32, ..high }.tight_bytes(), 4);
    }
}
