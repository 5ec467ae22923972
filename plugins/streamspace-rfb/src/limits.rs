//! How much is taken from the other side.

use crate::{error::Error, geometry::Area};

/// How much is taken from the other side. Whatever is beyond is refused before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width and height of a framebuffer or rectangle, in pixels. 16,384.
    pub side: u16,
    /// Pixels of a framebuffer or rectangle. 67,108,864: eight screens of 3840x2160.
    pub pixels: u32,
    /// Width and height of a cursor, in pixels. 2,048.
    pub cursor: u16,
    /// Bytes of a cut text. 16 MiB.
    pub cut_text: u32,
    /// Bytes of a desktop's name, or of a reason. 64 KiB.
    pub name: u32,
    /// Rectangles of an update. 65,535, the most that the protocol can say.
    pub rects: u16,
    /// Screens of a desktop. 255, the most that the protocol can say.
    pub screens: u8,
    /// Encodings that a client asks for. 4,096.
    pub encodings: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            side: 16_384,
            pixels: 1 << 26,
            cursor: 2_048,
            cut_text: 16 << 20,
            name: 64 << 10,
            rects: u16::MAX,
            screens: u8::MAX,
            encodings: 4_096,
        }
    }
}

impl Limits {
    /// Whether a framebuffer or rectangle of this size is taken.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`], which says what is too large.
    pub fn check_size(&self, width: u16, height: u16) -> Result<(), Error> {
        Error::check("a width", width, self.side.into(), 0)?;
        Error::check("a height", height, self.side.into(), 0)?;
        let pixels = Area::new(0, 0, width, height).pixels();
        Error::check("a number of pixels", pixels as u64, self.pixels.into(), 0)
    }
}
