//! What the suites share.

#![allow(dead_code, clippy::allow_attributes, reason = "no suite uses all of it")]

pub(crate) mod desktop;

use streamspace_rfb::{
    Decoder, Error, Framebuffer, Limits, PixelFormat,
    message::{Progress, Rect, ServerMessage, ServerParser},
};

/// Reads what a server sends after the handshake, and hands over each message.
pub(crate) fn read(
    parser: &mut ServerParser,
    mut bytes: &[u8],
    mut each: impl FnMut(&ServerMessage<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        match parser.parse(bytes)? {
            Progress::Message { consumed, message } => {
                each(&message)?;
                bytes = &bytes[consumed..];
            }
            Progress::Need { more } => {
                assert!(more > 0, "nothing is missing");
                assert!(bytes.is_empty(), "{} bytes are left over, {more} are missing", bytes.len());
                return Ok(());
            }
        }
    }
}

/// A client that draws what it gets.
pub(crate) struct Client {
    pub(crate) parser: ServerParser,
    pub(crate) decoder: Decoder,
    pub(crate) screen: Framebuffer,
}

impl Client {
    pub(crate) fn new(format: PixelFormat, width: u16, height: u16) -> Self {
        let limits = Limits::default();
        Self {
            parser: ServerParser::after_handshake(format, limits),
            decoder: Decoder::new(limits),
            screen: Framebuffer::new(width, height, &limits).expect("within the limits"),
        }
    }

    pub(crate) fn draw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Self { parser, decoder, screen } = self;
        read(parser, bytes, |message| match message {
            ServerMessage::Rect(rect) => decoder.apply(screen, rect).map(drop),
            ServerMessage::SetColours(colours) => {
                decoder.set_colours(colours);
                Ok(())
            }
            _ => Ok(()),
        })
    }
}

/// An update of one rectangle.
pub(crate) fn update(rect: Rect<'_>) -> Vec<u8> {
    let mut bytes = ServerMessage::Update { rects: 1 }.to_bytes();
    ServerMessage::Rect(rect).write(&mut bytes);
    bytes
}
