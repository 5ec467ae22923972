//! From pixels to the bytes of a pixel format.

use crate::{
    framebuffer::Pixel,
    pixel::{Compact, PixelFormat},
};

/// Writes pixels in a format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packer {
    big_endian: bool,
    max: [u32; 3],
    shift: [u8; 3],
    /// Bytes of a whole pixel, and of one of the encoding.
    whole: usize,
    size: usize,
    /// Which bytes of the whole pixel are written.
    from: usize,
    /// Where the three bytes are, if a pixel is three and nothing else.
    rgb: bool,
}

impl Packer {
    pub(super) fn whole(format: &PixelFormat) -> Self {
        Self {
            big_endian: format.big_endian,
            max: format.max.map(u32::from),
            shift: format.shift,
            whole: format.bytes(),
            size: format.bytes(),
            from: 0,
            rgb: false,
        }
    }

    /// For ZRLE.
    pub(super) fn zrle(format: &PixelFormat) -> Self {
        let whole = Self::whole(format);
        match format.compact() {
            None => whole,
            Some(left) => {
                let leading = (left == Compact::Low) == format.big_endian;
                Self { size: 3, from: leading.into(), ..whole }
            }
        }
    }

    /// For Tight.
    pub(super) fn tight(format: &PixelFormat) -> Self {
        let whole = Self::whole(format);
        if format.tight_rgb() { Self { size: 3, rgb: true, ..whole } } else { whole }
    }

    /// Bytes of a pixel.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[inline]
    fn bytes(&self, [red, green, blue, _]: Pixel) -> [u8; 4] {
        if self.rgb {
            return [red, green, blue, 0];
        }
        let colours = [red, green, blue].map(u32::from);
        let value = (0..3).fold(0, |value, i| {
            let scaled = (colours[i] * self.max[i] + 127) / 255;
            value | scaled << self.shift[i]
        });
        match self.big_endian {
            true => (value << (8 * (4 - self.whole))).to_be_bytes(),
            false => value.to_le_bytes(),
        }
    }

    /// Appends one pixel.
    #[inline]
    pub(super) fn put(&self, pixel: Pixel, out: &mut Vec<u8>) {
        let bytes = self.bytes(pixel);
        out.extend_from_slice(&bytes[self.from..self.from + self.size]);
    }

    /// Appends a row.
    pub(super) fn row(&self, pixels: &[Pixel], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + pixels.len() * self.size, 0);
        let to = &mut out[start..];
        let exact = self.max == [255; 3] && !self.big_endian;
        match (self.size, self.shift) {
            (3, _) if self.rgb => {
                to.as_chunks_mut().0.iter_mut().zip(pixels).for_each(|(to, [r, g, b, _])| *to = [*r, *g, *b]);
            }
            (4, [16, 8, 0]) if exact => {
                let each = |(to, [r, g, b, _]): (&mut [u8; 4], &Pixel)| *to = [*b, *g, *r, 0];
                to.as_chunks_mut().0.iter_mut().zip(pixels).for_each(each);
            }
            (4, [0, 8, 16]) if exact => {
                let each = |(to, [r, g, b, _]): (&mut [u8; 4], &Pixel)| *to = [*r, *g, *b, 0];
                to.as_chunks_mut().0.iter_mut().zip(pixels).for_each(each);
            }
            (size, _) => {
                for (to, pixel) in to.chunks_exact_mut(size).zip(pixels) {
                    let bytes = self.bytes(*pixel);
                    to.copy_from_slice(&bytes[self.from..self.from + size]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(packer: Packer, pixel: Pixel) -> Vec<u8> {
        let (mut put, mut row) = (Vec::new(), Vec::new());
        packer.put(pixel, &mut put);
        packer.row(&[pixel], &mut row);
        assert_eq!(put, row, "one by one is as a row");
        put
    }

    #[test]
    fn pixels_become_what_they_mean() {
        let pixel = [1, 2, 255, 255];
        assert_eq!(one(Packer::whole(&PixelFormat::BGRX), pixel), [255, 2, 1, 0]);
        assert_eq!(one(Packer::whole(&PixelFormat::RGBX), pixel), [1, 2, 255, 0]);
        assert_eq!(one(Packer::zrle(&PixelFormat::BGRX), pixel), [255, 2, 1]);
        assert_eq!(one(Packer::tight(&PixelFormat::BGRX), pixel), [1, 2, 255]);
        assert_eq!(one(Packer::whole(&PixelFormat::RGB565), pixel), [31, 0]);
        let big = PixelFormat { big_endian: true, ..PixelFormat::RGB565 };
        assert_eq!(one(Packer::whole(&big), pixel), [0, 31]);
        let big = PixelFormat { big_endian: true, ..PixelFormat::BGRX };
        assert_eq!(one(Packer::whole(&big), pixel), [0, 1, 2, 255]);
        assert_eq!(one(Packer::zrle(&big), pixel), [1, 2, 255]);
        let high = PixelFormat { shift: [24, 16, 8], ..PixelFormat::BGRX };
        assert_eq!(one(Packer::zrle(&high), pixel), [255, 2, 1]);
        let high = PixelFormat { big_endian: true, ..high };
        assert_eq!(one(Packer::zrle(&high), pixel), [1, 2, 255]);
    }
}
