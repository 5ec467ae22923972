//! The numbers of encodings.

use std::fmt;

/// How a rectangle is encoded, or which extension a client has: a number as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Encoding(pub i32);

macro_rules! encodings {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Encoding {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// What it is called, if it is known.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

encodings! {
    /// Pixels, row by row.
    RAW = 0, "Raw";
    /// From elsewhere in the framebuffer.
    COPY_RECT = 1, "CopyRect";
    /// A background, and rectangles on it.
    RRE = 2, "RRE";
    /// Tiles of 16x16 pixels.
    HEXTILE = 5, "Hextile";
    /// Raw, deflated.
    ZLIB = 6, "zlib";
    /// Fills, palettes, gradients and JPEG, in four streams.
    TIGHT = 7, "Tight";
    /// Tiles of 64x64 pixels, deflated.
    ZRLE = 16, "ZRLE";
    /// Film, as H.264. Its end is found; it is not decoded.
    OPEN_H264 = 50, "Open H.264";
    /// Tight with PNG in place of streams. Its end is found; PNG is not decoded.
    TIGHT_PNG = -260, "Tight PNG";
    /// Pseudo: the framebuffer has another size.
    DESKTOP_SIZE = -223, "DesktopSize";
    /// Pseudo: the update ends here.
    LAST_RECT = -224, "LastRect";
    /// Pseudo: a cursor in the pixel format, and a mask.
    CURSOR = -239, "Cursor";
    /// Pseudo: a cursor of two colours, and a mask.
    X_CURSOR = -240, "X Cursor";
    /// Pseudo: pointer events carry relative motion, or absolute again.
    QEMU_POINTER_MOTION = -257, "QEMU pointer motion";
    /// Pseudo: key events may carry the key's code.
    QEMU_EXTENDED_KEY = -258, "QEMU extended key";
    /// Pseudo: the lights of a keyboard.
    QEMU_LED = -261, "QEMU LED state";
    /// Pseudo: the desktop is called otherwise.
    DESKTOP_NAME = -307, "DesktopName";
    /// Pseudo: size and screens of the desktop.
    EXTENDED_DESKTOP_SIZE = -308, "ExtendedDesktopSize";
    /// Pseudo: the client may ask for a restart of the machine.
    XVP = -309, "xvp";
    /// Pseudo: the client answers fences.
    FENCE = -312, "Fence";
    /// Pseudo: updates that are not asked for one by one.
    CONTINUOUS_UPDATES = -313, "ContinuousUpdates";
    /// Pseudo: a cursor with transparency.
    CURSOR_WITH_ALPHA = -314, "Cursor with alpha";
    /// Pseudo: pointer events may have a second byte of buttons.
    EXTENDED_MOUSE_BUTTONS = -316, "ExtendedMouseButtons";
    /// Pseudo: VMware's cursor, of two masks or with transparency.
    VMWARE_CURSOR = 0x574D_5664, "VMware cursor";
    /// Pseudo: the pointer was moved by the server.
    VMWARE_CURSOR_POSITION = 0x574D_5666, "VMware cursor position";
    /// Pseudo: VMware's lights of a keyboard.
    VMWARE_LED = 0x574D_5668, "VMware LED state";
    /// Pseudo: cut texts in formats of their own.
    EXTENDED_CLIPBOARD = -1063131698, "Extended Clipboard";
}

impl Encoding {
    /// Pseudo: how well JPEG is to look, 0 to 9.
    pub const fn jpeg_quality(level: u8) -> Self {
        Self(-32 + if level > 9 { 9 } else { level as i32 })
    }

    /// Pseudo: how well to compress, 0 to 9.
    pub const fn compression(level: u8) -> Self {
        Self(-256 + if level > 9 { 9 } else { level as i32 })
    }

    /// Whether a rectangle of it carries pixels for the framebuffer.
    pub const fn has_pixels(self) -> bool {
        matches!(
            self,
            Self::RAW
                | Self::COPY_RECT
                | Self::RRE
                | Self::HEXTILE
                | Self::ZLIB
                | Self::TIGHT
                | Self::TIGHT_PNG
                | Self::ZRLE
                | Self::OPEN_H264
        )
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "encoding {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_registry() {
        assert_eq!(Encoding::EXTENDED_CLIPBOARD.0.cast_unsigned(), 0xC0A1_E5CE);
        assert_eq!(Encoding::jpeg_quality(0).0, -32);
        assert_eq!(Encoding::jpeg_quality(200).0, -23);
        assert_eq!(Encoding::compression(9).0, -247);
        assert_eq!(Encoding(1234).to_string(), "encoding 1234");
        assert_eq!(Encoding::ZRLE.to_string(), "ZRLE");
    }
}
