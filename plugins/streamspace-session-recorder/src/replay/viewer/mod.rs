//! The server's side of RFB.

mod paint;

use std::collections::VecDeque;

use streamspace_rfb::{
    Area, Cursor, Damage, Encoder, Encoding, Error, Framebuffer, Limits, PixelFormat,
    message::{
        ClientMessage, ClientParser, Fence, Progress, SecurityType, ServerInit, ServerMessage, Version,
    },
};

/// Why a viewer is not served any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewerError {
    /// What it sent is no RFB, or beyond the limits.
    #[error("the viewer sent what is no RFB: {0}")]
    Garbage(Error),
    /// It wants a security type that was not offered.
    #[error("the viewer: expected security type None (1), found {0}")]
    Security(u8),
    /// What is shown cannot be encoded.
    #[error("what is shown cannot be encoded: {0}")]
    Encoding(Error),
}

/// What a viewer can take.
#[derive(Debug, Clone, Copy, Default)]
struct Abilities {
    size: bool,
    layout: bool,
    cursor: Option<Encoding>,
    fence: bool,
    continuous: bool,
}

/// What is open in the handshake, and what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake(Option<Version>),
    Ready,
    Over,
}

/// A viewer of a replay, without its connection.
///
/// Pixels are sent when it has asked for them, and at most one update for what it asked, with all that has changed since the last
/// one. A viewer that has ContinuousUpdates and Fence gets them unasked as long as it answers the fences between them, of which
/// [`Viewer::FENCES`] at most are open.
#[derive(Debug)]
pub struct Viewer {
    parser: ClientParser,
    received: Vec<u8>,
    phase: Phase,
    name: String,
    /// What is shown.
    size: (u16, u16),
    /// What the viewer was told.
    told: (u16, u16),
    format: PixelFormat,
    /// Colours of a colour map are to be sent.
    colours: bool,
    encoder: Option<Encoder>,
    encoding: Encoding,
    level: u8,
    can: Abilities,
    damage: Damage,
    /// Where the viewer has asked for an update.
    asked: Option<Area>,
    /// Where it gets updates unasked.
    unasked: Option<Area>,
    fences: usize,
    cursor: Option<u64>,
    /// A viewer that cannot have another size needs a frame around a smaller picture.
    frame: bool,
    /// Its wish for another size is to be refused.
    refuse: bool,
}

impl Viewer {
    /// Fences that are open at most.
    pub const FENCES: usize = 4;
    /// The longest message of a viewer that is taken, in bytes: a clipboard, which is thrown away.
    pub const MESSAGE: u32 = 1 << 20;
    /// What deflating better than this gains is little, and what it costs is the server's.
    const BEST: u8 = 6;
    /// What a fence of ours carries.
    const FENCE: &'static [u8] = b"replay";

    /// A viewer that was just connected. Appends to `out` what is to be sent to it.
    pub fn new(name: &str, out: &mut Vec<u8>) -> Self {
        ServerMessage::Version(Version::V3_8).write(out);
        let limits = Limits { cut_text: Self::MESSAGE, ..Limits::default() };
        let mut name = name.to_owned();
        name.truncate(name.floor_char_boundary(1_024));
        Self {
            parser: ClientParser::new(limits),
            received: Vec::new(),
            phase: Phase::Handshake(None),
            name,
            size: (0, 0),
            told: (0, 0),
            format: PixelFormat::BGRX,
            colours: false,
            encoder: None,
            encoding: Encoding::RAW,
            level: Encoder::LEVEL,
            can: Abilities::default(),
            damage: Damage::default(),
            asked: None,
            unasked: None,
            fences: 0,
            cursor: None,
            frame: false,
            refuse: false,
        }
    }

    /// Whether the handshake is over.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether something has changed that it has not asked for.
    pub fn is_behind(&self) -> bool {
        self.is_ready() && !self.damage.is_empty() && self.window().is_none()
    }

    /// The encoding in which it gets pixels.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes that are kept of it, of a message that is not whole.
    pub fn kept(&self) -> usize {
        self.received.len()
    }

    /// Tells what is shown: its size, and what has changed of it.
    pub fn look(&mut self, screen: &mut Framebuffer) {
        if self.size != (screen.width(), screen.height()) {
            self.size = (screen.width(), screen.height());
            self.frame = true;
            self.damage.clear();
            self.damage.add(screen.area());
        }
        screen.damage().areas().iter().for_each(|area| self.damage.add(*area));
        screen.damage_mut().clear();
    }

    /// Rings its bell.
    pub fn ring(&self, out: &mut Vec<u8>) {
        if self.is_ready() {
            ServerMessage::Bell.write(out);
        }
    }

    /// Takes what it sent, in pieces of any length. Appends answers to `out`, and symbols of keys that were pressed to `keys`.
    ///
    /// # Errors
    ///
    /// [`ViewerError`] if it cannot be served any more. What is in `out` is still to be sent.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        keys: &mut VecDeque<u32>,
    ) -> Result<(), ViewerError> {
        // Seldom is anything left over of the last message.
        let mut kept = std::mem::take(&mut self.received);
        kept.extend_from_slice(bytes);
        let mut consumed = 0;
        loop {
            match self.parser.parse(&kept[consumed..]) {
                Ok(Progress::Message { consumed: length, message }) => {
                    self.answer(&message, out, keys)?;
                    consumed += length;
                }
                Ok(Progress::Need { .. }) => break,
                Err(error) => {
                    self.phase = Phase::Over;
                    return Err(ViewerError::Garbage(error));
                }
            }
        }
        kept.drain(..consumed);
        self.received = kept;
        Ok(())
    }

    fn answer(
        &mut self,
        message: &ClientMessage<'_>,
        out: &mut Vec<u8>,
        keys: &mut VecDeque<u32>,
    ) -> Result<(), ViewerError> {
        match *message {
            ClientMessage::Version(version) => {
                self.phase = Phase::Handshake(Some(version));
                let offer = match version {
                    Version::V3_3 => ServerMessage::Security(SecurityType::NONE),
                    _ => ServerMessage::SecurityTypes(&[SecurityType::NONE.0]),
                };
                offer.write(out);
                self.parser.heard(&offer);
            }
            ClientMessage::Security(chosen) => {
                let Phase::Handshake(version) = self.phase else { return Ok(()) };
                let is_offered = chosen == SecurityType::NONE;
                if version == Some(Version::V3_8) {
                    let reason = (!is_offered).then_some(&b"the security type was not offered"[..]);
                    ServerMessage::SecurityResult { code: u32::from(!is_offered), reason }.write(out);
                }
                if !is_offered {
                    self.phase = Phase::Over;
                    return Err(ViewerError::Security(chosen.0));
                }
            }
            ClientMessage::Init { .. } => {
                self.phase = Phase::Ready;
                self.told = self.size;
                let (width, height) = self.told;
                let name = self.name.as_bytes();
                ServerMessage::Init(ServerInit { width, height, format: self.format, name }).write(out);
                self.damage.add(Area::new(0, 0, width, height));
            }
            ClientMessage::SetPixelFormat(format) => self.set_format(format),
            ClientMessage::SetEncodings(encodings) => self.set_encodings(encodings.iter(), out),
            ClientMessage::UpdateRequest { incremental, area } => {
                if !incremental && let Some(area) = area.intersection(&self.area()) {
                    self.damage.add(area);
                }
                self.asked = Some(self.asked.map_or(area, |asked| asked.union(&area)));
            }
            ClientMessage::ContinuousUpdates { enable, area } => {
                let had = self.unasked.take();
                if enable && self.can.continuous && self.can.fence {
                    self.unasked = Some(area);
                } else if had.is_some() {
                    ServerMessage::EndOfContinuousUpdates.write(out);
                }
            }
            ClientMessage::Fence(fence) if fence.flags & Fence::REQUEST != 0 => {
                let flags = fence.flags & (Fence::BEFORE | Fence::AFTER | Fence::SYNC);
                ServerMessage::Fence(Fence { flags, payload: fence.payload }).write(out);
            }
            ClientMessage::Fence(fence) if fence.payload == Self::FENCE => {
                self.fences = self.fences.saturating_sub(1);
            }
            ClientMessage::SetDesktopSize { .. } => self.refuse = true,
            // Whoever presses more keys at once than this means nothing by it.
            ClientMessage::Key { down: true, symbol }
            | ClientMessage::ExtendedKey { down: true, symbol, .. }
                if keys.len() < 64 =>
            {
                keys.push_back(symbol);
            }
            _ => {}
        }
        Ok(())
    }

    fn set_encodings(&mut self, encodings: impl Iterator<Item = Encoding>, out: &mut Vec<u8>) {
        let had = std::mem::take(&mut self.can);
        let (mut pixels, mut level) = (None, None);
        for encoding in encodings {
            match encoding {
                // The first that can be written is the one that it likes best.
                encoding if Encoder::can(encoding) => pixels = pixels.or(Some(encoding)),
                Encoding::DESKTOP_SIZE => self.can.size = true,
                Encoding::EXTENDED_DESKTOP_SIZE => self.can.layout = true,
                Encoding::CURSOR | Encoding::CURSOR_WITH_ALPHA | Encoding::VMWARE_CURSOR => {
                    let rank = |encoding| match encoding {
                        Encoding::CURSOR_WITH_ALPHA => 2,
                        Encoding::VMWARE_CURSOR => 1,
                        _ => 0,
                    };
                    let best = self.can.cursor.filter(|cursor| rank(*cursor) > rank(encoding));
                    self.can.cursor = best.or(Some(encoding));
                }
                Encoding::FENCE => self.can.fence = true,
                Encoding::CONTINUOUS_UPDATES => self.can.continuous = true,
                Encoding(number @ -256..=-247) => level = level.or(u8::try_from(number + 256).ok()),
                _ => {}
            }
        }
        self.encoding = pixels.unwrap_or(Encoding::RAW);
        // Streams go on from the first update to the last; only before it they can begin with another level.
        self.level = level.map_or(self.level, |level| level.min(Self::BEST));
        if had.cursor != self.can.cursor {
            self.cursor = None;
        }
        // Each of these says that there is the extension.
        if self.can.fence && !had.fence {
            ServerMessage::Fence(Fence { flags: Fence::REQUEST, payload: &[] }).write(out);
        }
        if self.can.continuous && self.can.fence && !(had.continuous && had.fence) {
            ServerMessage::EndOfContinuousUpdates.write(out);
        }
    }

    fn set_format(&mut self, format: PixelFormat) {
        self.colours = !format.true_colour;
        self.format = match format.true_colour {
            true => format,
            // A colour map is one of ours, in which a number is a colour as in BGR233.
            false => PixelFormat { bits: format.bits, big_endian: format.big_endian, ..PixelFormat::BGR233 },
        };
        // The parser has refused formats that cannot be.
        if self.encoder.as_mut().is_some_and(|encoder| encoder.set_format(self.format).is_err()) {
            self.phase = Phase::Over;
        }
        self.cursor = None;
    }

    /// All of what it was told.
    fn area(&self) -> Area {
        Area::new(0, 0, self.told.0, self.told.1)
    }

    /// Where it takes an update now.
    fn window(&self) -> Option<Area> {
        let unasked = self.unasked.filter(|_| self.fences < Self::FENCES);
        match (self.asked, unasked) {
            (Some(asked), Some(unasked)) => Some(asked.union(&unasked)),
            (asked, unasked) => asked.or(unasked),
        }
    }

    /// Appends an update, if it takes one and there is something in it. `version` is another one for another cursor.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Encoding`] if it cannot be encoded.
    pub fn update(
        &mut self,
        screen: &Framebuffer,
        cursor: Option<&Cursor>,
        version: u64,
        out: &mut Vec<u8>,
    ) -> Result<bool, ViewerError> {
        if !self.is_ready() {
            return Ok(false);
        }
        let Some(window) = self.window() else { return Ok(false) };
        let sent = self.paint(screen, cursor, version, window, out).map_err(ViewerError::Encoding)?;
        if sent {
            self.asked = None;
            if self.unasked.is_some() {
                self.fences += 1;
                let flags = Fence::REQUEST | Fence::BEFORE;
                ServerMessage::Fence(Fence { flags, payload: Self::FENCE }).write(out);
            }
        }
        Ok(sent)
    }
}
