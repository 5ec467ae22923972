//! What is wrong with bytes.

use crate::{encoding::Encoding, geometry::Area};

/// Why bytes were refused: what was expected, what was found, and where.
///
/// `at` counts bytes: in what a parser says, from the beginning of the connection; in what a decoder says, from the beginning of
/// the rectangle's payload, or of what it inflates to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that has no meaning there.
    #[error("{what} at byte {at}: expected {expected}, found {found}")]
    Unexpected {
        /// What was read.
        what: &'static str,
        /// What could have stood there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// Where.
        at: u64,
    },

    /// More than [`Limits`](crate::Limits) or the rectangle itself allow.
    #[error("{what} at byte {at}: expected at most {limit}, found {found}")]
    TooMuch {
        /// What was read.
        what: &'static str,
        /// How much at most.
        limit: u64,
        /// How much there is.
        found: u64,
        /// Where.
        at: u64,
    },

    /// The payload of a rectangle ends too early.
    #[error("{what} at byte {at}: expected {missing} more bytes, found the end")]
    Short {
        /// What was read.
        what: &'static str,
        /// How many bytes are missing at least.
        missing: u64,
        /// Where.
        at: u64,
    },

    /// One side's bytes mean nothing without what the other side said before.
    #[error("{what} at byte {at}: expected {expected} to be known first, found that it was not told")]
    Unheard {
        /// What was read.
        what: &'static str,
        /// What must be told.
        expected: &'static str,
        /// Where.
        at: u64,
    },

    /// What does not inflate.
    #[error("{what} at byte {at}: expected a zlib stream, found {why}")]
    Zlib {
        /// What was read.
        what: &'static str,
        /// What the library says.
        why: String,
        /// Where.
        at: u64,
    },

    /// What is no JPEG image of the rectangle's size.
    #[error("a JPEG image: expected {width}x{height} pixels, found {why}")]
    Jpeg {
        /// The rectangle's width.
        width: u16,
        /// The rectangle's height.
        height: u16,
        /// What the library says, or the size.
        why: String,
    },

    /// A rectangle that could not be decoded or encoded.
    #[error("the rectangle {area} in {encoding}: {source}")]
    Rect {
        /// Where it is.
        area: Area,
        /// How it is encoded.
        encoding: Encoding,
        /// What is wrong with it.
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn unexpected(
        what: &'static str,
        expected: &'static str,
        found: impl ToString,
        at: usize,
    ) -> Self {
        Self::Unexpected { what, expected, found: found.to_string(), at: at as u64 }
    }

    /// Refuses more than `limit`.
    pub(crate) fn check(
        what: &'static str,
        found: impl TryInto<u64>,
        limit: u64,
        at: usize,
    ) -> Result<(), Self> {
        let found = found.try_into().unwrap_or(u64::MAX);
        if found <= limit { Ok(()) } else { Err(Self::TooMuch { what, limit, found, at: at as u64 }) }
    }

    /// The same, with what came before added to the place.
    pub(crate) fn based(mut self, base: u64) -> Self {
        match &mut self {
            Self::Unexpected { at, .. }
            | Self::TooMuch { at, .. }
            | Self::Short { at, .. }
            | Self::Unheard { at, .. }
            | Self::Zlib { at, .. } => *at = at.saturating_add(base),
            Self::Jpeg { .. } | Self::Rect { .. } => {}
        }
        self
    }
}
