//! From the bytes of a pixel format to pixels.

use crate::{
    framebuffer::{BLACK, Pixel},
    pixel::{Compact, PixelFormat},
};

/// Makes a pixel of `N` bytes.
pub(crate) trait Source<const N: usize> {
    fn pixel(&self, bytes: [u8; N]) -> Pixel;

    /// As many as both have.
    #[inline]
    fn row(&self, from: &[u8], to: &mut [Pixel]) {
        for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
            *to = self.pixel(*from);
        }
    }
}

/// Work that is compiled for each way in which pixels may be written.
pub(crate) trait Work {
    type Out;
    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out;
}

/// Bytes that are red, green and blue as they are.
struct Ordered<const R: usize, const G: usize, const B: usize>;

impl<const N: usize, const R: usize, const G: usize, const B: usize> Source<N> for Ordered<R, G, B> {
    #[inline(always)]
    fn pixel(&self, bytes: [u8; N]) -> Pixel {
        [bytes[R], bytes[G], bytes[B], 255]
    }
}

/// A look-up for each byte.
#[derive(Debug)]
struct Table(Box<[Pixel; 256]>);

impl Source<1> for Table {
    #[inline(always)]
    fn pixel(&self, [byte]: [u8; 1]) -> Pixel {
        self.0[usize::from(byte)]
    }
}

/// A colour's bits in a pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    shift: u8,
    max: u16,
    /// 2^23 times what one step is of 255.
    step: u32,
}

impl Channel {
    fn new(format: &PixelFormat, colour: usize) -> Self {
        let max = format.max[colour].max(1);
        // Rounded up, so that the most is 255 and a byte is itself.
        Self { shift: format.shift[colour], max, step: (255_u32 << 23).div_ceil(max.into()) }
    }

    /// What there is of the colour.
    #[inline]
    pub(crate) fn value(&self, pixel: u32) -> u16 {
        // Checked formats do not shift beyond a pixel.
        (pixel.wrapping_shr(self.shift.into()) & u32::from(self.max)) as u16
    }

    /// Of 255.
    #[inline]
    pub(crate) fn scale(&self, value: u16) -> u8 {
        // At most 255 * 2^23 and a little, which is half of what the number holds.
        ((u32::from(value) * self.step + (1 << 22)) >> 23) as u8
    }

    pub(crate) fn max(&self) -> u16 {
        self.max
    }
}

/// Any format.
#[derive(Debug)]
pub(crate) struct Channels {
    big_endian: bool,
    high: bool,
    colours: [Channel; 3],
    /// What pixels are numbers of, if they are no intensities.
    map: Option<Vec<Pixel>>,
}

impl Channels {
    #[inline]
    fn of(&self, value: u32) -> Pixel {
        match &self.map {
            Some(map) => map.get(value as usize).copied().unwrap_or(BLACK),
            None => self.intensities(value),
        }
    }

    #[inline(always)]
    fn intensities(&self, value: u32) -> Pixel {
        let [red, green, blue] = self.colours.map(|colour| colour.scale(colour.value(value)));
        [red, green, blue, 255]
    }

    /// Decides outside of the loop what is the same for all pixels, so that it works on several at once.
    #[inline(always)]
    fn each<const N: usize>(&self, from: &[u8], to: &mut [Pixel], value: impl Fn([u8; N]) -> u32) {
        let pairs = to.iter_mut().zip(from.as_chunks().0);
        match &self.map {
            Some(_) => pairs.for_each(|(to, from)| *to = self.of(value(*from))),
            None => pairs.for_each(|(to, from)| *to = self.intensities(value(*from))),
        }
    }

    pub(crate) fn colours(&self) -> &[Channel; 3] {
        &self.colours
    }

    /// A pixel as a number.
    #[inline]
    pub(crate) fn number<const N: usize>(&self, bytes: [u8; N]) -> u32 {
        let add = |number, byte: &u8| number << 8 | u32::from(*byte);
        match self.big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    }
}

impl Source<2> for Channels {
    #[inline]
    fn pixel(&self, bytes: [u8; 2]) -> Pixel {
        self.of(self.number(bytes))
    }

    fn row(&self, from: &[u8], to: &mut [Pixel]) {
        match self.big_endian {
            true => self.each(from, to, |bytes| u16::from_be_bytes(bytes).into()),
            false => self.each(from, to, |bytes| u16::from_le_bytes(bytes).into()),
        }
    }
}

impl Source<3> for Channels {
    #[inline]
    fn pixel(&self, bytes: [u8; 3]) -> Pixel {
        self.of(self.number(bytes) << if self.high { 8 } else { 0 })
    }
}

impl Source<4> for Channels {
    #[inline]
    fn pixel(&self, bytes: [u8; 4]) -> Pixel {
        self.of(self.number(bytes))
    }

    fn row(&self, from: &[u8], to: &mut [Pixel]) {
        match self.big_endian {
            true => self.each(from, to, u32::from_be_bytes),
            false => self.each(from, to, u32::from_le_bytes),
        }
    }
}

/// How the pixels of a format become ours.
#[derive(Debug)]
enum Way {
    Bgrx,
    Rgbx,
    Table(Table),
    Channels,
}

/// Makes pixels of a format's bytes.
#[derive(Debug)]
pub(crate) struct Converter {
    format: PixelFormat,
    way: Way,
    channels: Channels,
}

impl Converter {
    /// `map` is what numbers stand for, if the format has numbers.
    pub(crate) fn new(format: PixelFormat, map: &[Pixel]) -> Self {
        let channels = Channels {
            big_endian: format.big_endian,
            high: format.compact() == Some(Compact::High),
            colours: [0, 1, 2].map(|colour| Channel::new(&format, colour)),
            map: (!format.true_colour).then(|| map.to_vec()),
        };
        let bytes = format.bits == 32 && format.true_colour && format.max == [255; 3];
        // The byte order only counts for more than one byte that is used.
        let way = match (format.big_endian, format.shift) {
            (false, [16, 8, 0]) if bytes => Way::Bgrx,
            (false, [0, 8, 16]) if bytes => Way::Rgbx,
            _ if format.bits == 8 => {
                let mut table = Box::new([BLACK; 256]);
                (0..).zip(table.iter_mut()).for_each(|(value, pixel)| *pixel = channels.of(value));
                Way::Table(Table(table))
            }
            _ => Way::Channels,
        };
        Self { format, way, channels }
    }

    pub(crate) fn format(&self) -> &PixelFormat {
        &self.format
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// With whole pixels.
    pub(crate) fn whole<W: Work>(&self, work: W) -> W::Out {
        match &self.way {
            Way::Bgrx => work.run::<4>(&Ordered::<2, 1, 0>),
            Way::Rgbx => work.run::<4>(&Ordered::<0, 1, 2>),
            Way::Table(table) => work.run(table),
            Way::Channels if self.format.bits == 16 => work.run::<2>(&self.channels),
            Way::Channels => work.run::<4>(&self.channels),
        }
    }

    /// With the pixels of ZRLE, which may be shorter.
    pub(crate) fn zrle<W: Work>(&self, work: W) -> W::Out {
        match (self.format.compact(), &self.way) {
            (None, _) => self.whole(work),
            (_, Way::Bgrx) => work.run::<3>(&Ordered::<2, 1, 0>),
            (_, Way::Rgbx) => work.run::<3>(&Ordered::<0, 1, 2>),
            _ => work.run::<3>(&self.channels),
        }
    }

    /// With the pixels of Tight, which may be shorter and of another order.
    pub(crate) fn tight<W: Work>(&self, work: W) -> W::Out {
        match self.format.tight_rgb() {
            true => work.run::<3>(&Ordered::<0, 1, 2>),
            false => self.whole(work),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One<'a>(&'a [u8]);

    impl Work for One<'_> {
        type Out = Pixel;
        fn run<const N: usize>(self, source: &impl Source<N>) -> Pixel {
            source.pixel(self.0.try_into().expect("as many bytes"))
        }
    }

    fn converter(format: PixelFormat) -> Converter {
        Converter::new(format, &[[1, 2, 3, 255], [4, 5, 6, 255]])
    }

    #[test]
    fn bytes_become_what_they_mean() {
        let white = |format, bytes| converter(format).whole(One(bytes));
        assert_eq!(white(PixelFormat::RGB565, &[0xFF, 0xFF]), [255; 4]);
        assert_eq!(white(PixelFormat::RGB565, &[0x00, 0xF8]), [255, 0, 0, 255]);
        let big = PixelFormat { big_endian: true, ..PixelFormat::RGB565 };
        assert_eq!(white(big, &[0xF8, 0x00]), [255, 0, 0, 255]);
        assert_eq!(white(PixelFormat::BGR233, &[0xC7]), [255, 0, 255, 255]);
        assert_eq!(white(PixelFormat::BGRX, &[1, 2, 3, 4]), [3, 2, 1, 255]);
        assert_eq!(white(PixelFormat::RGBX, &[1, 2, 3, 4]), [1, 2, 3, 255]);
        assert_eq!(white(PixelFormat::MAPPED, &[1]), [4, 5, 6, 255]);
        assert_eq!(white(PixelFormat::MAPPED, &[2]), BLACK);
        let deep = PixelFormat { depth: 30, max: [1023; 3], shift: [20, 10, 0], ..PixelFormat::BGRX };
        assert_eq!(white(deep, &0x3FF0_0000_u32.to_le_bytes()), [255, 0, 0, 255]);
    }

    #[test]
    fn shorter_pixels_leave_out_the_byte_that_means_nothing() {
        let high = PixelFormat { shift: [24, 16, 8], ..PixelFormat::BGRX };
        assert_eq!(converter(high).zrle(One(&[1, 2, 3])), [3, 2, 1, 255]);
        let big = PixelFormat { big_endian: true, ..PixelFormat::BGRX };
        assert_eq!(converter(big).zrle(One(&[1, 2, 3])), [1, 2, 3, 255]);
        assert_eq!(converter(PixelFormat::BGRX).zrle(One(&[1, 2, 3])), [3, 2, 1, 255]);
        assert_eq!(converter(PixelFormat::BGRX).tight(One(&[1, 2, 3])), [1, 2, 3, 255]);
    }

    #[test]
    fn scaling_there_and_back_is_exact() {
        for bits in 1..=10 {
            let max = (1_u16 << bits) - 1;
            let format = PixelFormat { max: [max; 3], ..PixelFormat::BGRX };
            let channel = Channel::new(&format, 0);
            for value in 0..=max {
                let expected = (u32::from(value) * 510 + u32::from(max)) / (2 * u32::from(max));
                assert_eq!(u32::from(channel.scale(value)), expected, "{value} of {max}");
            }
        }
    }
}
