//! FBS 001.000: what rfbproxy wrote, and what players of VNC recordings read.
//!
//! The file is `FBS 001.000` and a line feed, then blocks: how many bytes, so many bytes, zeros up to a multiple of four, and how many
//! milliseconds after the beginning. Numbers have four bytes, the most significant first. The bytes of all blocks together are what a
//! server of RFB 3.3 without a password sends: its version, the security type None, the desktop, then messages.
//!
//! The form has no index, and no way to say what a client asked for: a player must take the encoding that is chosen here, and, where the size
//! of the screen or the pointer changes, the pseudo-encodings DesktopSize and Cursor. Markers, keys, pointers of viewers, gaps and pauses
//! cannot be said and are left out. Bytes that were kept as they were on the wire cannot be exported.

use std::{
    io::{self, Write},
    ops::ControlFlow,
};

use streamspace_rfb::{
    Area, Cursor, Encoder, Encoding, Framebuffer, Limits, Pixel, PixelFormat,
    message::{CutText, Rect, SecurityType, ServerInit, ServerMessage, Version},
};

use crate::scene::{Moment, Scene, Side, Source};

/// What a file begins with.
pub const MAGIC: &[u8; 12] = b"FBS 001.000\n";
/// Bytes of a block at most: players read one at once.
const BLOCK: usize = 64 << 10;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What the desktop is called.
    pub name: String,
    /// How pixels are written.
    pub format: PixelFormat,
    /// How rectangles are encoded: Raw, Hextile, ZRLE or Tight. Hextile, which every player has.
    pub encoding: Encoding,
    /// Whether pictures of the pointer are written. A player that does not know them cannot read on. Yes.
    pub cursor: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "recording".into(),
            format: PixelFormat::BGRX,
            encoding: Encoding::HEXTILE,
            cursor: true,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Bytes of the file.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Updates of the screen.
    pub updates: u64,
}

/// Why a recording is not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: std::error::Error + 'static> {
    /// It cannot be read.
    #[error("the recording: {0}")]
    Source(#[source] E),
    /// It cannot be written.
    #[error("the file: {0}")]
    Io(#[from] io::Error),
    /// What cannot be said in RFB.
    #[error("at {at} µs: {source}", at = at.0)]
    Rfb {
        /// When.
        at: Moment,
        /// Why.
        source: streamspace_rfb::Error,
    },
    /// It is longer than the form can say.
    #[error("at {at} µs: expected at most 4,294,967,295 ms", at = .0.0)]
    Long(Moment),
    /// It was recorded as it was on the wire.
    #[error("at {at} µs: expected pictures, found bytes of the wire, which have a handshake of their own", at = .0.0)]
    Wire(Moment),
    /// There is no picture in it.
    #[error("the recording: expected a picture, found none")]
    Empty,
    /// It was stopped, as it was told.
    #[error("the export was stopped")]
    Stopped,
}

/// Writes a recording from where the source is to its end. What is written is a whole file only if this succeeds.
///
/// `goes_on` is asked before each scene; [`ControlFlow::Break`] stops.
///
/// # Errors
///
/// An [`Error`]; what was written until then is the beginning of a file.
pub fn export<S: Source>(
    source: &mut S,
    out: impl Write,
    options: &Options,
    mut goes_on: impl FnMut(Moment) -> ControlFlow<()>,
) -> Result<Exported, Error<S::Error>> {
    let encoder = Encoder::new(options.format).map_err(|source| Error::Rfb { at: Moment(0), source })?;
    let mut export = Export {
        out: Blocks { out, exported: Exported::default() },
        options,
        encoder,
        screen: None,
        cursor: None,
        message: Vec::new(),
        payload: Vec::new(),
    };
    export.out.raw(MAGIC)?;
    let mut began = None;
    while let Some((at, scene)) = source.next().map_err(Error::Source)? {
        if goes_on(at).is_break() {
            return Err(Error::Stopped);
        }
        if matches!(scene, Scene::Wire { .. }) {
            return Err(Error::Wire(at));
        }
        let wrong = |source| Error::Rfb { at, source };
        export.scene(&scene).map_err(wrong)?;
        if export.message.is_empty() {
            continue;
        }
        // A player waits for the first block as well.
        let since = at.0 - *began.get_or_insert(at.0);
        let ms = u32::try_from(since / 1000).map_err(|_| Error::Long(at))?;
        export.out.put(&export.message, ms)?;
        export.message.clear();
    }
    let Export { out: Blocks { mut out, exported }, screen, .. } = export;
    out.flush()?;
    if screen.is_some() { Ok(exported) } else { Err(Error::Empty) }
}

struct Export<'a, W> {
    out: Blocks<W>,
    options: &'a Options,
    encoder: Encoder,
    /// None until the first picture.
    screen: Option<Framebuffer>,
    /// A cursor from before the first picture.
    cursor: Option<Vec<u8>>,
    /// What the scene says in RFB.
    message: Vec<u8>,
    payload: Vec<u8>,
}

impl<W: Write> Export<'_, W> {
    fn scene(&mut self, scene: &Scene<'_>) -> Result<(), streamspace_rfb::Error> {
        match *scene {
            Scene::Picture { width, height, pixels } => self.picture(width, height, pixels),
            Scene::Patch { area, pixels } => match &mut self.screen {
                Some(screen) if !area.is_empty() => {
                    screen.write(area, pixels)?;
                    self.update(area)
                }
                _ => Ok(()),
            },
            Scene::Cursor(cursor) if self.options.cursor => {
                self.cursor(cursor);
                Ok(())
            }
            Scene::Bell if self.screen.is_some() => {
                ServerMessage::Bell.write(&mut self.message);
                Ok(())
            }
            Scene::Clipboard { from: Side::Desktop, text: Some(text), .. } if self.screen.is_some() => {
                // Cut texts are Latin-1 (RFC 6143, 7.6.4).
                let latin: Vec<u8> =
                    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
                ServerMessage::CutText(CutText::Plain(&latin)).write(&mut self.message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn picture(&mut self, width: u16, height: u16, pixels: &[Pixel]) -> Result<(), streamspace_rfb::Error> {
        let all = Area::new(0, 0, width, height);
        let limits = Limits::default();
        match &mut self.screen {
            None => {
                let screen = self.screen.insert(Framebuffer::new(width, height, &limits)?);
                screen.write(all, pixels)?;
                self.handshake(width, height);
                self.message.extend(self.cursor.take().unwrap_or_default());
            }
            Some(screen) => {
                let resized = (screen.width(), screen.height()) != (width, height);
                screen.resize(width, height, &limits)?;
                screen.write(all, pixels)?;
                if resized {
                    self.pseudo(all, Encoding::DESKTOP_SIZE);
                }
            }
        }
        if all.is_empty() { Ok(()) } else { self.update(all) }
    }

    fn handshake(&mut self, width: u16, height: u16) {
        let (format, name) = (self.options.format, self.options.name.as_bytes());
        for message in [
            ServerMessage::Version(Version::V3_3),
            ServerMessage::Security(SecurityType::NONE),
            ServerMessage::Init(ServerInit { width, height, format, name }),
        ] {
            message.write(&mut self.message);
        }
    }

    fn update(&mut self, area: Area) -> Result<(), streamspace_rfb::Error> {
        let Some(screen) = &mut self.screen else { return Ok(()) };
        screen.damage_mut().clear();
        self.out.exported.updates += 1;
        self.encoder.update(screen, &[area], self.options.encoding, &mut self.message)
    }

    /// An update of one rectangle that carries no pixels of the screen, with the payload that was prepared.
    fn pseudo(&mut self, area: Area, encoding: Encoding) {
        let format = self.options.format;
        ServerMessage::Update { rects: 1 }.write(&mut self.message);
        let rect = Rect { area, encoding, format, payload: &self.payload, last: true };
        ServerMessage::Rect(rect).write(&mut self.message);
        self.payload.clear();
    }

    /// Colours in the pixel format, then a bit for each pixel that is seen (RFC 6143, 7.8.1).
    fn cursor(&mut self, cursor: Option<&Cursor>) {
        self.payload.clear();
        let mut area = Area::default();
        if let Some(Cursor { x, y, width, height, pixels }) = cursor {
            area = Area::new(*x, *y, *width, *height);
            for [red, green, blue, _] in pixels {
                let format = &self.options.format;
                let part = |i: usize, value: u8| {
                    (u32::from(value) * u32::from(format.max[i]) / 255) << u32::from(format.shift[i])
                };
                let pixel = part(0, *red) | part(1, *green) | part(2, *blue);
                let bytes = format.bytes();
                match format.big_endian {
                    true => self.payload.extend(&pixel.to_be_bytes()[4 - bytes..]),
                    false => self.payload.extend(&pixel.to_le_bytes()[..bytes]),
                }
            }
            for row in pixels.chunks_exact(usize::from(*width).max(1)) {
                for eight in row.chunks(8) {
                    let seen = eight.iter().enumerate().filter(|(_, pixel)| pixel[3] >= 128);
                    self.payload.push(seen.fold(0, |byte, (i, _)| byte | 0x80 >> i));
                }
            }
        }
        self.pseudo(area, Encoding::CURSOR);
        if self.screen.is_none() {
            // Behind the handshake.
            self.cursor = Some(std::mem::take(&mut self.message));
        }
    }
}

struct Blocks<W> {
    out: W,
    exported: Exported,
}

impl<W: Write> Blocks<W> {
    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.exported.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn put(&mut self, message: &[u8], ms: u32) -> io::Result<()> {
        for block in message.chunks(BLOCK) {
            self.raw(&(block.len() as u32).to_be_bytes())?;
            self.raw(block)?;
            self.raw(&[0; 3][..block.len().next_multiple_of(4) - block.len()])?;
            self.raw(&ms.to_be_bytes())?;
            self.exported.blocks += 1;
        }
        Ok(())
    }
}
