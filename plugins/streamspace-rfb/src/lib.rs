//! RFB, the protocol of VNC, for plugins that work on the screens of sessions: both sides' messages, a framebuffer, a decoder and
//! an encoder.
//!
//! It follows RFC 6143 and, beyond it, the [community's specification](https://github.com/rfbproto/rfbproto). It does no input or
//! output: it is given bytes, and gives bytes.
//!
//! - [`message`] has a parser for each side. They borrow from the bytes they are given, copy nothing, and find where a rectangle
//!   ends without decoding it.
//! - [`Decoder`] draws rectangles on a [`Framebuffer`], which keeps its [`Damage`].
//! - [`Encoder`] makes updates of a framebuffer.
//! - [`Limits`] bound whatever the other side says. No bytes make this library panic; what is wrong with them, [`Error`] says.
//!
//! A connection is decoded from its first rectangle on, since most encodings have streams that go on from one to the next.
//!
//! # What there is
//!
//! | versions and security | read | written |
//! |---|---|---|
//! | 3.3, 3.7, 3.8, and others as the next one below | yes | yes |
//! | None, VNC authentication (without computing the response) | yes | yes |
//! | others: what follows is hidden, or of a form of its own | refused | – |
//!
//! | pixels | found the end of | decoded | encoded |
//! |---|---|---|---|
//! | 8, 16 and 32 bits, both byte orders | yes | yes | yes |
//! | colour maps of 8 and 16 bits | yes | yes | – |
//!
//! | encoding | found the end of | decoded | encoded |
//! |---|---|---|---|
//! | Raw, Hextile, ZRLE | yes | yes | yes |
//! | Tight: copy, palette, fill | yes | yes | yes |
//! | Tight: gradient, JPEG | yes | yes | – |
//! | CopyRect, RRE, zlib | yes | yes | – |
//! | Cursor, X Cursor, Cursor with alpha (whose pixels are Raw), VMware cursor | yes | yes | – |
//! | DesktopSize, ExtendedDesktopSize, DesktopName, QEMU and VMware LED state | yes | yes | – |
//! | LastRect, QEMU pointer motion and extended key, ExtendedMouseButtons, VMware cursor position | yes | they say no more | – |
//! | Open H.264, Tight PNG | yes | – | – |
//! | others, such as JPEG alone, CoRRE, TRLE, zlibhex, Tight without zlib | refused | – | – |
//!
//! | extension | messages |
//! |---|---|
//! | Fence, ContinuousUpdates, SetDesktopSize | read and written |
//! | QEMU's keys and sound, xvp, more than eight buttons | read and written |
//! | Extended Clipboard | read and written, with what is in it as bytes |
//! | General Input Interface, Tight's capabilities and files | refused |
//!
//! # Example
//!
//! ```
//! use streamspace_rfb::{
//!     Decoder, Encoder, Encoding, Framebuffer, Limits, PixelFormat,
//!     message::{Progress, ServerMessage, ServerParser},
//! };
//!
//! # fn main() -> Result<(), streamspace_rfb::Error> {
//! let limits = Limits::default();
//! let mut screen = Framebuffer::new(640, 480, &limits)?;
//! let damage = screen.damage_mut().take();
//! let mut bytes = Vec::new();
//! Encoder::new(PixelFormat::BGRX)?.update(&screen, &damage, Encoding::ZRLE, &mut bytes)?;
//!
//! // The other side: what is not consumed is kept until there is more.
//! let mut parser = ServerParser::after_handshake(PixelFormat::BGRX, limits);
//! let (mut decoder, mut copy) = (Decoder::new(limits), Framebuffer::new(640, 480, &limits)?);
//! while let Progress::Message { consumed, message } = parser.parse(&bytes)? {
//!     if let ServerMessage::Rect(rect) = &message {
//!         decoder.apply(&mut copy, rect)?;
//!     }
//!     bytes.drain(..consumed);
//! }
//! assert_eq!(copy.pixels(), screen.pixels());
//! # Ok(())
//! # }
//! ```
//!
//! `cargo bench -p streamspace-rfb` tells what decoding costs, beside copying the same pixels.

#![forbid(unsafe_code)]

pub mod message;

mod damage;
mod decode;
mod encode;
mod encoding;
mod error;
mod framebuffer;
mod geometry;
mod limits;
mod pixel;
mod wire;

pub use self::{
    damage::Damage,
    decode::{Applied, Cursor, Decoder, Layout},
    encode::Encoder,
    encoding::Encoding,
    error::Error,
    framebuffer::{Framebuffer, Pixel},
    geometry::{Area, Screen},
    limits::Limits,
    pixel::PixelFormat,
};
