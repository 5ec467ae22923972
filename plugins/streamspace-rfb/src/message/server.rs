//! What a server sends.

use super::{
    ClientMessage, CutText, Fence, Progress, Secret, SecurityType, ServerInit, Version,
    client::readable,
    handshake::text,
    length::{self, Walk},
    parts::area,
};
use crate::{
    encoding::Encoding,
    error::Error,
    geometry::Area,
    limits::Limits,
    pixel::PixelFormat,
    wire::{Reader, Stop},
};

/// A message of a server, in the order in which they may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerMessage<'a> {
    /// The highest version that it has.
    Version(Version),
    /// The security types among which the client chooses (3.7 and 3.8).
    SecurityTypes(&'a [u8]),
    /// The security type that there is (3.3).
    Security(SecurityType),
    /// There is no connection.
    Refused {
        /// The version in which the server says so.
        version: Version,
        /// Why.
        reason: &'a [u8],
    },
    /// To be encrypted with the password.
    Challenge(Secret<'a>),
    /// Whether the client is let in.
    SecurityResult {
        /// 0 if it is.
        code: u32,
        /// Why it is not (3.8).
        reason: Option<&'a [u8]>,
    },
    /// The desktop. The handshake is over.
    Init(ServerInit<'a>),
    /// The head of an update. As many [`ServerMessage::Rect`] follow, or fewer if one is [`Encoding::LAST_RECT`].
    Update {
        /// How many; 65,535 if that is not known yet.
        rects: u16,
    },
    /// A rectangle of an update.
    Rect(Rect<'a>),
    /// Entries of the colour map.
    SetColours(Colours<'a>),
    /// The bell.
    Bell,
    /// A text was cut.
    CutText(CutText<'a>),
    /// Updates are asked for one by one again. The first one says that the server has ContinuousUpdates.
    EndOfContinuousUpdates,
    /// A fence, or the answer to one.
    Fence(Fence<'a>),
    /// xvp: failed 0, there is xvp 1.
    Xvp {
        /// 1.
        version: u8,
        /// What has happened.
        code: u8,
    },
    /// QEMU's: sound ends 0, begins 1, and its data 2.
    Audio {
        /// Which of the three.
        operation: u16,
        /// The data.
        data: &'a [u8],
    },
}

/// A rectangle of an update, with what its encoding makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect<'a> {
    /// Where it is. Pseudo-encodings have other meanings for some of it.
    pub area: Area,
    /// How it is encoded.
    pub encoding: Encoding,
    /// How pixels are written in it.
    pub format: PixelFormat,
    /// What stands behind its head.
    pub payload: &'a [u8],
    /// Whether the update ends with it.
    pub last: bool,
}

/// Entries of the colour map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours<'a> {
    /// The number of the first.
    pub first: u16,
    pub(super) entries: &'a [[u8; 6]],
}

impl<'a> Colours<'a> {
    /// Red, green, blue, of 65,535 at most.
    pub fn iter(&self) -> impl Iterator<Item = [u16; 3]> {
        self.entries
            .iter()
            .map(|&[r1, r0, g1, g0, b1, b0]| [[r1, r0], [g1, g0], [b1, b0]].map(u16::from_be_bytes))
    }

    /// From entries as they are on the wire: three numbers, the most significant byte first.
    pub const fn from_bytes(first: u16, entries: &'a [[u8; 6]]) -> Self {
        Self { first, entries }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Version,
    Security,
    Chosen,
    Result,
    Init,
    Ready,
    /// So many rectangles are to come.
    Update(u16),
    /// Nothing follows.
    Over,
}

/// Reads what a server sends.
#[derive(Debug, Clone)]
pub struct ServerParser {
    limits: Limits,
    state: State,
    /// What the client answered, which is what counts.
    version: Option<Version>,
    chosen: Option<SecurityType>,
    format: PixelFormat,
    /// What the client has asked for; holds from the next update on.
    wanted: Option<PixelFormat>,
    walk: Walk,
    consumed: u64,
}

impl ServerParser {
    /// For the first byte of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Version,
            version: None,
            chosen: None,
            format: PixelFormat::BGRX,
            wanted: None,
            walk: Walk::default(),
            consumed: 0,
        }
    }

    /// For a connection whose handshake is over, at the beginning of a message.
    pub fn after_handshake(format: PixelFormat, limits: Limits) -> Self {
        Self { state: State::Ready, format, ..Self::new(limits) }
    }

    /// Whether the handshake is over.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready | State::Update(_))
    }

    /// Whether the next byte begins a message, and no rectangle of an update.
    pub fn is_between_messages(&self) -> bool {
        !matches!(self.state, State::Update(_))
    }

    /// How pixels are written in the update that is read, or was read last.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// How many bytes were consumed.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// What the client of this connection has sent.
    ///
    /// A pixel format holds from the next update on. What a server had sent before it read the message is then read in the
    /// wrong format, if it is longer or shorter in it; clients avoid that by asking for nothing before.
    pub fn heard(&mut self, message: &ClientMessage<'_>) {
        match message {
            ClientMessage::Version(version) => self.version = Some(*version),
            ClientMessage::Security(chosen) => self.chosen = Some(*chosen),
            ClientMessage::SetPixelFormat(format) if format.check().is_ok() => self.wanted = Some(*format),
            _ => {}
        }
    }

    /// The next message in `bytes`, which begin with the first byte that was not consumed.
    ///
    /// # Errors
    ///
    /// An [`Error`] if the bytes are no message, or one beyond the limits, or if the client's part of the handshake was not
    /// told. The connection cannot be read any further.
    pub fn parse<'a>(&mut self, bytes: &'a [u8]) -> Result<Progress<ServerMessage<'a>>, Error> {
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

    fn after(&mut self, message: &ServerMessage<'_>) {
        self.state = match message {
            ServerMessage::Version(_) => State::Security,
            ServerMessage::SecurityTypes(_) => State::Chosen,
            ServerMessage::Security(SecurityType::NONE) => State::Init,
            ServerMessage::Security(chosen) => {
                self.chosen = Some(*chosen);
                State::Chosen
            }
            ServerMessage::Challenge(_) => State::Result,
            ServerMessage::SecurityResult { code: 0, .. } => State::Init,
            ServerMessage::SecurityResult { .. } | ServerMessage::Refused { .. } => State::Over,
            ServerMessage::Init(init) => {
                self.format = init.format;
                State::Ready
            }
            ServerMessage::Update { rects: 0 } => State::Ready,
            ServerMessage::Update { rects } => State::Update(*rects),
            ServerMessage::Rect(rect) if rect.last => State::Ready,
            ServerMessage::Rect(_) => match self.state {
                State::Update(rects) => State::Update(rects.saturating_sub(1)),
                other => other,
            },
            _ => return,
        };
    }

    fn message<'a>(&mut self, reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Stop> {
        match self.state {
            State::Version => Version::read(reader).map(ServerMessage::Version),
            State::Security => self.security(reader),
            State::Chosen => {
                let (what, expected) = ("a message", "the security type that the client chose");
                let chosen = self.chosen.ok_or(Error::Unheard { what, expected, at: 0 })?;
                readable(chosen, 0)?;
                match (chosen, self.version) {
                    (SecurityType::VNC, _) => Secret::read(reader).map(ServerMessage::Challenge),
                    (_, Some(Version::V3_8)) => self.result(reader),
                    _ => ServerInit::read(reader, &self.limits).map(ServerMessage::Init),
                }
            }
            State::Result => self.result(reader),
            State::Init => ServerInit::read(reader, &self.limits).map(ServerMessage::Init),
            State::Ready => self.ready(reader),
            State::Update(rects) => self.rect(reader, rects),
            State::Over if reader.rest() == 0 => Err(Stop::Need(1)),
            State::Over => {
                Err(Error::unexpected("a server that refused the client", "the end", "a byte", 0).into())
            }
        }
    }

    fn security<'a>(&self, reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Stop> {
        let (what, expected) = ("the security types", "the version that the client answered");
        let version = self.version.ok_or(Error::Unheard { what, expected, at: 0 })?;
        let refused = |reader: &mut Reader<'a>| {
            text(reader, "the reason of a refusal", &self.limits)
                .map(|reason| ServerMessage::Refused { version, reason })
        };
        if version == Version::V3_3 {
            return match reader.u32()? {
                0 => refused(reader),
                chosen => Ok(ServerMessage::Security(SecurityType(u8::try_from(chosen).unwrap_or(u8::MAX)))),
            };
        }
        match reader.u8()? {
            0 => refused(reader),
            count => Ok(ServerMessage::SecurityTypes(reader.take(count.into())?)),
        }
    }

    fn result<'a>(&self, reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Stop> {
        let code = reader.u32()?;
        let reason = match (code, self.version) {
            (1.., Some(Version::V3_8)) => Some(text(reader, "the reason of a refusal", &self.limits)?),
            _ => None,
        };
        Ok(ServerMessage::SecurityResult { code, reason })
    }

    fn ready<'a>(&mut self, reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Stop> {
        Ok(match reader.u8()? {
            0 => {
                reader.take(1)?;
                let rects = reader.u16()?;
                // The protocol's "not known yet" is no number.
                if rects != u16::MAX {
                    Error::check("a number of rectangles", rects, self.limits.rects.into(), 2)?;
                }
                self.format = self.wanted.take().unwrap_or(self.format);
                ServerMessage::Update { rects }
            }
            1 => {
                reader.take(1)?;
                let (first, count) = (reader.u16()?, reader.u16()?);
                let entries = reader.take(usize::from(count) * 6)?.as_chunks().0;
                ServerMessage::SetColours(Colours { first, entries })
            }
            2 => ServerMessage::Bell,
            3 => ServerMessage::CutText(CutText::read(reader, &self.limits)?),
            150 => ServerMessage::EndOfContinuousUpdates,
            248 => ServerMessage::Fence(Fence::read(reader)?),
            250 => {
                let [_, version, code] = reader.array()?;
                ServerMessage::Xvp { version, code }
            }
            255 => self.qemu(reader)?,
            other => {
                let expected = "0 to 3, 150, 248, 250 or 255";
                return Err(Error::unexpected("the type of a server's message", expected, other, 0).into());
            }
        })
    }

    fn qemu<'a>(&self, reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Stop> {
        match reader.u8()? {
            1 => {
                let operation = reader.u16()?;
                let data = match operation {
                    2 => {
                        let length = reader.u32()?;
                        Error::check("the data of a sound", length, self.limits.cut_text.into(), 4)?;
                        reader.take(length as usize)?
                    }
                    _ => &[],
                };
                Ok(ServerMessage::Audio { operation, data })
            }
            other => Err(Error::unexpected("QEMU's message of a server", "sound (1)", other, 1).into()),
        }
    }

    fn rect<'a>(&mut self, reader: &mut Reader<'a>, rects: u16) -> Result<ServerMessage<'a>, Stop> {
        let area = area(reader)?;
        let encoding = Encoding(reader.i32()?);
        if encoding.has_pixels() {
            self.limits.check_size(area.width, area.height)?;
        }
        let start = reader.at();
        let mut behind = reader.clone();
        length::skip(&mut behind, area, encoding, &self.format, &self.limits, &mut self.walk)?;
        let payload = reader.take(behind.at() - start)?;
        let last = encoding == Encoding::LAST_RECT || rects <= 1;
        Ok(ServerMessage::Rect(Rect { area, encoding, format: self.format, payload, last }))
    }
}
