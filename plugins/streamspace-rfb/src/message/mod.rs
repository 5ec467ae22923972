//! Messages of both sides: read from borrowed bytes, and written.
//!
//! A [`ServerParser`] reads what a server sends, a [`ClientParser`] what a client sends. Each is given the bytes that it has not
//! consumed, as many as there are; it answers with one message and its length, or with how many bytes are missing. It copies
//! nothing: a message borrows from the bytes. What one side says changes how the other one is read, so whoever has both
//! directions tells each parser what the other one found (`heard`).
//!
//! An update is read rectangle by rectangle, so that no more than one rectangle must be there as a whole. Large ones are those of
//! Raw: the pixels of the rectangle, 8 MB for a whole screen of 1920x1080.

mod client;
mod handshake;
mod length;
mod parts;
mod server;
mod writing;

pub use self::{
    client::{ClientMessage, ClientParser},
    handshake::{Secret, SecurityType, ServerInit, Version},
    parts::{CutText, Encodings, Fence, Screens},
    server::{Colours, Rect, ServerMessage, ServerParser},
};
pub(crate) use self::{length::compact, parts::put_area};

/// What parsing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<M> {
    /// A whole message.
    Message {
        /// Bytes that it takes. What stands behind them is the next one's.
        consumed: usize,
        /// The message.
        message: M,
    },
    /// No whole message. Parse the same bytes again when there are more.
    Need {
        /// Bytes that are missing at least.
        more: usize,
    },
}

impl<M> Progress<M> {
    /// The message and its length, if there is one.
    pub fn message(self) -> Option<(usize, M)> {
        match self {
            Self::Message { consumed, message } => Some((consumed, message)),
            Self::Need { .. } => None,
        }
    }
}
