//! What is kept of a session's stream.

use std::time::Duration;

use streamspace_rfb::{Area, Limits};

/// What is kept of clipboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clipboard {
    /// Nothing.
    #[default]
    Off,
    /// That there was a text, and how long it was.
    Length,
    /// The text as well.
    Text,
}

/// What is kept of a viewer's keys and pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// Nothing. Where the desktop says where its pointer is, that is kept all the same: it is part of what is seen.
    #[default]
    Off,
    /// The pointer, and when keys were pressed. Not which.
    Metadata,
    /// Which keys as well. Passwords are typed on keys.
    Full,
}

/// What is kept of a session's stream, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How often a second the screen is kept at most, 1 to 1,000. 15.
    pub frames_per_second: u16,
    /// After this time what changes is kept as a whole picture. 10 s.
    pub keyframe_interval: Duration,
    /// What is kept of clipboards. Nothing.
    pub clipboard: Clipboard,
    /// What is kept of viewers' input. Nothing.
    pub input: Input,
    /// Areas of the screen that are black in what is kept. None.
    pub redact: Vec<Area>,
    /// How much is taken from a desktop. As [`Options::LIMITS`].
    pub limits: Limits,
    /// How many bytes of one message are waited for, in each direction. 64 MiB.
    pub most_buffered: usize,
}

impl Options {
    /// How much is taken from a desktop: screens of up to four times 3840x2160, of 128 MiB, and cursors of 512x512.
    pub const LIMITS: Limits = Limits {
        side: 16_384,
        pixels: 1 << 25,
        cursor: 512,
        cut_text: 16 << 20,
        name: 64 << 10,
        rects: u16::MAX,
        screens: u8::MAX,
        encodings: 4_096,
    };

    /// Microseconds between two times that the screen is kept.
    pub(super) fn interval(&self) -> u64 {
        1_000_000 / u64::from(self.frames_per_second.clamp(1, 1_000))
    }

    /// Microseconds after which there is another picture.
    pub(super) fn keyframe(&self) -> u64 {
        u64::try_from(self.keyframe_interval.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frames_per_second: 15,
            keyframe_interval: Duration::from_secs(10),
            clipboard: Clipboard::default(),
            input: Input::default(),
            redact: Vec::new(),
            limits: Self::LIMITS,
            most_buffered: 64 << 20,
        }
    }
}
