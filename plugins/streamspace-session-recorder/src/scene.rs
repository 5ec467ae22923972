//! What a recording consists of.

use streamspace_rfb::{Area, Cursor, Pixel};

/// When something happened: microseconds since the recording's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The desktop.
    Desktop,
    /// A viewer.
    Viewer,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Scene<'a> {
    /// Everything that is on the screen. The first of a recording and of what comes after a gap, a change of size, and now and then:
    /// whoever plays a recording can begin here.
    Picture {
        /// In pixels.
        width: u16,
        /// In pixels.
        height: u16,
        /// Row by row from the top.
        pixels: &'a [Pixel],
    },
    /// Pixels that changed.
    Patch {
        /// Where, inside of the picture.
        area: Area,
        /// Row by row from the top.
        pixels: &'a [Pixel],
    },
    /// What the pointer looks like from now on; none if the desktop draws it.
    Cursor(Option<&'a Cursor>),
    /// Where a viewer's pointer is, and which of its buttons are pressed.
    Pointer {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
        /// As in RFB: bit 0 is the left one.
        buttons: u16,
    },
    /// A viewer pressed a key or let it go. Which, only if input is recorded in full.
    Key {
        /// Whether it is pressed.
        down: bool,
        /// X11's keysym.
        keysym: Option<u32>,
    },
    /// A text was put into the other side's clipboard. Which, only if clipboards are recorded.
    Clipboard {
        /// Who sent it.
        from: Side,
        /// Its length, in bytes.
        length: u32,
        /// The text.
        text: Option<&'a str>,
    },
    /// The desktop's bell.
    Bell,
    /// Bytes of the session's stream as they were, in place of pictures and patches: what is recorded without being decoded.
    Wire {
        /// Who sent them.
        from: Side,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Something was lost from here to the next picture: what there was of it, in words.
    Gap(&'a str),
    /// Recording was paused until the next picture.
    Paused,
    /// Something that somebody may look for, such as the beginning of a violation.
    Marker {
        /// Of which kind: lower-case words joined by `-`.
        kind: &'a str,
        /// What there is to say.
        text: &'a str,
    },
}

/// What takes scenes, in their order.
pub trait Sink {
    /// Why it takes no more.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes one.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Self::Error>;
}

/// What gives scenes, in their order.
pub trait Source {
    /// Why it gives no more.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How long the recording is.
    fn length(&self) -> Moment;

    /// Goes to the last picture that is not after `to`, or to the beginning.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn seek(&mut self, to: Moment) -> Result<(), Self::Error>;

    /// The next one; none at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Self::Error>;
}
