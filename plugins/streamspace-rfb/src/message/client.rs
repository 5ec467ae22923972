//! What a client sends.

use super::{
    CutText, Encodings, Fence, Progress, Screens, Secret, SecurityType, ServerMessage, Version, parts::area,
};
use crate::{
    encoding::Encoding,
    error::Error,
    geometry::Area,
    limits::Limits,
    pixel::PixelFormat,
    wire::{Reader, Stop},
};

/// A message of a client, in the order in which they may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientMessage<'a> {
    /// The version that the connection has.
    Version(Version),
    /// The choice among the server's security types (3.7 and 3.8).
    Security(SecurityType),
    /// The challenge, encrypted.
    Response(Secret<'a>),
    /// Whether others may stay connected. The handshake is over for the client.
    Init {
        /// Else the server disconnects them.
        shared: bool,
    },
    /// How pixels are to be written.
    SetPixelFormat(PixelFormat),
    /// What the client takes.
    SetEncodings(Encodings<'a>),
    /// A wish for an update.
    UpdateRequest {
        /// Only for what has changed.
        incremental: bool,
        /// For what.
        area: Area,
    },
    /// A key.
    Key {
        /// Pressed, or else released.
        down: bool,
        /// Its symbol, as X11 numbers them.
        symbol: u32,
    },
    /// The pointer.
    Pointer {
        /// A bit a button. With `more` there are seven, and the eighth bit says so on the wire.
        buttons: u8,
        /// The next buttons, if the server has [`Encoding::EXTENDED_MOUSE_BUTTONS`].
        more: Option<u8>,
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// A text was cut.
    CutText(CutText<'a>),
    /// Updates without requests, or with them again.
    ContinuousUpdates {
        /// Whether.
        enable: bool,
        /// Of what.
        area: Area,
    },
    /// A fence, or the answer to one.
    Fence(Fence<'a>),
    /// Another size and other screens, please.
    SetDesktopSize {
        /// Of the framebuffer.
        width: u16,
        /// Of the framebuffer.
        height: u16,
        /// On it.
        screens: Screens<'a>,
    },
    /// QEMU's: a key with its code.
    ExtendedKey {
        /// Pressed, or else released.
        down: bool,
        /// Its symbol, as X11 numbers them, or 0.
        symbol: u32,
        /// Its code, as XT keyboards send it.
        code: u32,
    },
    /// QEMU's: what concerns sound. The bytes behind the operation.
    Audio {
        /// 0 on, 1 off, 2 format.
        operation: u16,
        /// Empty but for the format.
        data: &'a [u8],
    },
    /// xvp: shutdown 2, reboot 3, reset 4.
    Xvp {
        /// 1.
        version: u8,
        /// What is to be done.
        code: u8,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Version,
    Security,
    Response,
    Init,
    Ready,
}

/// Reads what a client sends.
#[derive(Debug, Clone)]
pub struct ClientParser {
    limits: Limits,
    state: State,
    version: Option<Version>,
    /// What a server of version 3.3 chose.
    dictated: Option<SecurityType>,
    extended_mouse: bool,
    consumed: u64,
}

impl ClientParser {
    /// For the first byte of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Version,
            version: None,
            dictated: None,
            extended_mouse: false,
            consumed: 0,
        }
    }

    /// For a connection whose handshake is over, at the beginning of a message.
    pub fn after_handshake(limits: Limits) -> Self {
        Self { state: State::Ready, ..Self::new(limits) }
    }

    /// Whether the handshake is over.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// How many bytes were consumed.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// What the server of this connection has sent.
    pub fn heard(&mut self, message: &ServerMessage<'_>) {
        match message {
            ServerMessage::Security(chosen) => self.dictated = Some(*chosen),
            ServerMessage::Rect(rect) if rect.encoding == Encoding::EXTENDED_MOUSE_BUTTONS => {
                self.extended_mouse = true;
            }
            _ => {}
        }
    }

    /// The next message in `bytes`, which begin with the first byte that was not consumed.
    ///
    /// # Errors
    ///
    /// An [`Error`] if the bytes are no message, or one beyond the limits. The connection cannot be read any further.
    pub fn parse<'a>(&mut self, bytes: &'a [u8]) -> Result<Progress<ClientMessage<'a>>, Error> {
        let mut reader = Reader::new(bytes);
        match self.message(&mut reader) {
            Ok(message) => {
                self.after(&message);
                let consumed = reader.at();
                self.consumed += consumed as u64;
                Ok(Progress::Message { consumed, message })
            }
            Err(Stop::Need(more)) => Ok(Progress::Need { more }),
            Err(Stop::Bad(error)) => Err(error.based(self.consumed)),
        }
    }

    fn after(&mut self, message: &ClientMessage<'_>) {
        self.state = match message {
            ClientMessage::Version(version) => {
                self.version = Some(*version);
                State::Security
            }
            ClientMessage::Security(chosen) => Self::authentication(*chosen),
            ClientMessage::Response(_) => State::Init,
            ClientMessage::Init { .. } => State::Ready,
            _ => return,
        };
    }

    fn authentication(chosen: SecurityType) -> State {
        if chosen == SecurityType::VNC { State::Response } else { State::Init }
    }

    fn message<'a>(&mut self, reader: &mut Reader<'a>) -> Result<ClientMessage<'a>, Stop> {
        match self.state {
            State::Version => Version::read(reader).map(ClientMessage::Version),
            State::Security if self.version == Some(Version::V3_3) => {
                // Nothing is said about it by the client; the next byte is that of what follows.
                let (what, expected) = ("a message", "the server's security type");
                let Some(chosen) = self.dictated else {
                    return Err(Error::Unheard { what, expected, at: 0 }.into());
                };
                readable(chosen, 0)?;
                self.state = Self::authentication(chosen);
                self.message(reader)
            }
            State::Security => {
                let chosen = SecurityType(reader.u8()?);
                readable(chosen, 0)?;
                Ok(ClientMessage::Security(chosen))
            }
            State::Response => Secret::read(reader).map(ClientMessage::Response),
            State::Init => Ok(ClientMessage::Init { shared: reader.u8()? != 0 }),
            State::Ready => self.ready(reader),
        }
    }

    fn ready<'a>(&self, reader: &mut Reader<'a>) -> Result<ClientMessage<'a>, Stop> {
        let limits = &self.limits;
        Ok(match reader.u8()? {
            0 => {
                reader.take(3)?;
                ClientMessage::SetPixelFormat(PixelFormat::read(reader)?)
            }
            2 => ClientMessage::SetEncodings(Encodings::read(reader, limits)?),
            3 => ClientMessage::UpdateRequest { incremental: reader.u8()? != 0, area: area(reader)? },
            4 => {
                let down = reader.u8()? != 0;
                reader.take(2)?;
                ClientMessage::Key { down, symbol: reader.u32()? }
            }
            5 => {
                let first = reader.u8()?;
                let (x, y) = (reader.u16()?, reader.u16()?);
                let (buttons, more) = match first & 0x80 != 0 && self.extended_mouse {
                    true => (first & 0x7F, Some(reader.u8()?)),
                    false => (first, None),
                };
                ClientMessage::Pointer { buttons, more, x, y }
            }
            6 => ClientMessage::CutText(CutText::read(reader, limits)?),
            150 => ClientMessage::ContinuousUpdates { enable: reader.u8()? != 0, area: area(reader)? },
            248 => ClientMessage::Fence(Fence::read(reader)?),
            250 => {
                let [_, version, code] = reader.array()?;
                ClientMessage::Xvp { version, code }
            }
            251 => {
                reader.take(1)?;
                let (width, height) = (reader.u16()?, reader.u16()?);
                ClientMessage::SetDesktopSize { width, height, screens: Screens::read(reader, 1, limits)? }
            }
            255 => match reader.u8()? {
                0 => ClientMessage::ExtendedKey {
                    down: reader.u16()? != 0,
                    symbol: reader.u32()?,
                    code: reader.u32()?,
                },
                1 => {
                    let operation = reader.u16()?;
                    let length = if operation == 2 { 6 } else { 0 };
                    ClientMessage::Audio { operation, data: reader.take(length)? }
                }
                other => {
                    let expected = "a key (0) or sound (1)";
                    return Err(Error::unexpected("QEMU's message of a client", expected, other, 1).into());
                }
            },
            other => {
                let expected = "0, 2 to 6, 150, 248, 250, 251 or 255";
                return Err(Error::unexpected("the type of a client's message", expected, other, 0).into());
            }
        })
    }
}

pub(super) fn readable(chosen: SecurityType, at: usize) -> Result<(), Error> {
    match chosen.is_readable() {
        true => Ok(()),
        false => {
            let expected = "None (1) or VNC authentication (2), since others hide what follows";
            Err(Error::unexpected("the security type", expected, chosen, at))
        }
    }
}
