//! From a session's stream to scenes.
//!
//! ```text
//! bytes of a viewer's connection ──▶ Tee ─────────▶ Capture ──▶ Sink
//! a connection of its own        ◀─▶ SharedViewer ─▶ Capture ──▶ Sink
//! bytes of a viewer's connection ──▶ WireTee ─────────────────▶ Sink     (and later: decode_wire)
//! ```
//!
//! - [`Capture`] has the screen. It decides what of a stream is kept, and how often.
//! - [`Tee`] understands what a viewer and a desktop say to each other. It costs the desktop nothing, and sees what the viewer
//!   sees, but nothing while there is no viewer.
//! - [`SharedViewer`] is one more viewer of the session. It needs nobody else, and can ask for the whole screen at any time.
//! - [`WireTee`] keeps a viewer's bytes as they are. [`decode_wire`] makes pictures of them afterwards.
//!
//! When something happened is said by the caller. Nothing in here has a clock but the deadlines of [`SharedViewer`].

mod clipboard;
mod input;
mod options;
mod reassembly;
mod screen;
mod stream;
mod talk;
mod tee;
mod viewer;
mod wire;

pub use self::{
    options::{Clipboard, Input, Options},
    tee::{Following, Tee, TeeEnd},
    viewer::{Backoff, Connection, Control, Encode, Ended, Pace, Received, Settings, SharedViewer},
    wire::{NotDecoded, Unfit, WireTee, decode_wire},
};

use std::time::Duration;

use streamspace_rfb::{
    Applied, Cursor, Decoder, Encoding, Error, Framebuffer, Pixel,
    message::{Rect, ServerMessage},
};

use self::{input::Pointer, screen::Screen};
use crate::scene::{Moment, Scene, Side, Sink};

/// An update of a desktop that does not end is kept in parts after this time, in microseconds: 1 s.
const ENDLESS: u64 = 1_000_000;

/// Keeps what is on a session's screen, and what happens to it, as scenes.
///
/// # How often
///
/// What has changed is kept when an update of the desktop ends, but not more often than
/// [`Options::frames_per_second`]. In between it is gathered: what was on the screen for a shorter time is not kept, and what stays
/// is kept by the next update or by [`Capture::tick`], whichever comes first. So whoever captures calls `tick` when it says that
/// there is something to do.
///
/// # Memory
///
/// The framebuffer, a patch of 1 MiB, and the pixels of what is redacted. Damage is 32 areas at most. It is all used again from one
/// update to the next; the cursor's pixels, and a clipboard's text, are new each time, as they seldom come.
#[derive(Debug)]
pub struct Capture<S> {
    sink: S,
    options: Options,
    framebuffer: Option<Framebuffer>,
    screen: Screen,
    /// Whether the desktop has drawn anything. Before, a picture would show what never was.
    drawn: bool,
    /// Whether the next thing that is kept of the screen must be a picture.
    picture: bool,
    /// When the update began that has not ended.
    within: Option<Moment>,
    /// When the screen was kept.
    kept: Option<Moment>,
    /// When all of it was.
    whole: Option<Moment>,
    /// The last moment. Time does not go back.
    now: Moment,
    /// Microseconds between two times that the screen is kept.
    interval: u64,
    paused: bool,
    cursor: Option<Cursor>,
    /// Whether the sink does not know the cursor yet.
    cursor_changed: bool,
    /// Whether the sink knows of any.
    cursor_known: bool,
    pointer: Option<Pointer>,
    pointer_changed: bool,
    bell: Option<Moment>,
}

/// Why a message was not captured.
#[derive(Debug)]
pub(in crate::capture) enum Trouble<E, W = Error> {
    /// The stream cannot be decoded any further.
    Stream(W),
    /// The sink takes no more.
    Sink(E),
}

impl<E> From<Error> for Trouble<E> {
    fn from(error: Error) -> Self {
        Self::Stream(error)
    }
}

impl<S: Sink> Capture<S> {
    /// Nothing is known of the screen yet.
    pub fn new(sink: S, options: Options) -> Self {
        Self {
            sink,
            screen: Screen::new(options.redact.clone()),
            interval: options.interval(),
            options,
            framebuffer: None,
            drawn: false,
            picture: true,
            within: None,
            kept: None,
            whole: None,
            now: Moment(0),
            paused: false,
            cursor: None,
            cursor_changed: false,
            cursor_known: false,
            pointer: None,
            pointer_changed: false,
            bell: None,
        }
    }

    /// Where the scenes go.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Where the scenes go, such as to have it write what it holds back.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Where the scenes went. Call [`Capture::finish`] before.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// What is kept.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The screen as it is, with nothing redacted; none while there is no connection.
    pub fn framebuffer(&self) -> Option<&Framebuffer> {
        self.framebuffer.as_ref()
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Bytes of memory that it has for pixels, as far as they grow with the screen.
    pub fn memory(&self) -> usize {
        let framebuffer = self.framebuffer.as_ref().map_or(0, |framebuffer| framebuffer.bytes().len());
        let cursor = self.cursor.as_ref().map_or(0, |cursor| cursor.pixels.len() * size_of::<Pixel>());
        framebuffer + cursor + self.screen.memory()
    }

    /// Keeps nothing from now on, until [`Capture::resume`]. The stream must still be decoded, since what comes later builds on it.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn pause(&mut self, at: Moment) -> Result<(), S::Error> {
        if self.paused {
            return Ok(());
        }
        let at = self.keep_all(at)?;
        self.paused = true;
        self.sink.put(at, &Scene::Paused)
    }

    /// Goes on, with a picture of what is on the screen by now.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn resume(&mut self, at: Moment) -> Result<(), S::Error> {
        if !self.paused {
            return Ok(());
        }
        self.paused = false;
        self.picture = true;
        self.tick(at).map(drop)
    }

    /// Says that something was lost which has nothing to do with the stream, such as that scenes could not be written. A picture
    /// follows.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn gap(&mut self, at: Moment, why: &str) -> Result<(), S::Error> {
        let at = self.keep_all(at)?;
        self.picture = true;
        self.sink.put(at, &Scene::Gap(why))?;
        self.tick(at).map(drop)
    }

    /// Keeps the screen not more often than once in this time, or than the options say if that is less often.
    pub fn slow_to(&mut self, interval: Duration) {
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        self.interval = micros.max(self.options.interval());
    }

    pub(in crate::capture) fn interval(&self) -> u64 {
        self.interval
    }

    /// What is kept next is a picture.
    pub(in crate::capture) fn whole(&mut self) {
        self.picture = true;
    }

    /// Marks a moment.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn marker(&mut self, at: Moment, kind: &str, text: &str) -> Result<(), S::Error> {
        let at = self.clamp(at);
        self.sink.put(at, &Scene::Marker { kind, text })
    }

    /// Keeps what has changed, if it is time. Answers when it wants to be called next, if nothing else happens before.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn tick(&mut self, at: Moment) -> Result<Option<Moment>, S::Error> {
        let at = self.clamp(at);
        if !self.is_pending() {
            return Ok(None);
        }
        let paced = self.kept.map_or(at, |kept| Moment(kept.0.saturating_add(self.interval)));
        let whole = self.within.map_or(at, |began| Moment(began.0.saturating_add(ENDLESS)));
        let due = paced.max(whole);
        if at < due {
            return Ok(Some(due));
        }
        self.keep(at)?;
        Ok(None)
    }

    /// Keeps what has changed and was not kept yet. The recording may end here, or go on.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn finish(&mut self, at: Moment) -> Result<(), S::Error> {
        self.keep_all(at).map(drop)
    }

    /// A connection to the desktop begins: its screen has this size, and nothing is known of what is on it.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if it is larger than the limits allow.
    pub(in crate::capture) fn begin(&mut self, width: u16, height: u16) -> Result<(), Error> {
        // The old memory first, so that there are never both.
        self.framebuffer = None;
        let mut framebuffer = Framebuffer::new(width, height, &self.options.limits)?;
        framebuffer.damage_mut().clear();
        self.framebuffer = Some(framebuffer);
        (self.drawn, self.picture, self.within) = (false, true, None);
        self.cursor_changed = self.cursor.take().is_some();
        Ok(())
    }

    /// A connection ended before the recording: what was on the screen is kept, and nothing is known any more.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub(in crate::capture) fn lost(&mut self, at: Moment, why: &str) -> Result<(), S::Error> {
        let at = self.keep_all(at)?;
        self.framebuffer = None;
        (self.drawn, self.picture, self.within) = (false, true, None);
        self.sink.put(at, &Scene::Gap(why))
    }

    /// A scene that is kept as it is.
    pub(in crate::capture) fn through(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), S::Error> {
        let at = self.clamp(at);
        self.sink.put(at, scene)
    }

    /// Takes what the desktop says.
    pub(in crate::capture) fn desktop(
        &mut self,
        at: Moment,
        decoder: &mut Decoder,
        message: &ServerMessage<'_>,
    ) -> Result<(), Trouble<S::Error>> {
        match message {
            ServerMessage::Init(init) => self.begin(init.width, init.height)?,
            ServerMessage::Update { rects: 0 } => self.update_ended(at).map_err(Trouble::Sink)?,
            ServerMessage::Update { .. } => self.within = Some(self.clamp(at)),
            ServerMessage::Rect(rect) => {
                self.rect(decoder, rect)?;
                if rect.last {
                    self.update_ended(at).map_err(Trouble::Sink)?;
                } else if self.within.is_some_and(|began| at.0.saturating_sub(began.0) >= ENDLESS) {
                    self.tick(at).map_err(Trouble::Sink)?;
                }
            }
            ServerMessage::SetColours(colours) => decoder.set_colours(colours),
            ServerMessage::Bell => self.rung(at).map_err(Trouble::Sink)?,
            ServerMessage::CutText(text) => {
                self.cut_text(at, Side::Desktop, text).map_err(Trouble::Sink)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn rect(&mut self, decoder: &mut Decoder, rect: &Rect<'_>) -> Result<(), Error> {
        // Before there is a screen no parser gives a rectangle.
        let Some(framebuffer) = &mut self.framebuffer else { return Ok(()) };
        let before = framebuffer.area();
        match decoder.apply(framebuffer, rect)? {
            Applied::Pixels => self.drawn = true,
            Applied::Cursor(cursor) => {
                self.cursor = Some(cursor);
                self.cursor_changed = true;
            }
            Applied::Nothing if rect.encoding == Encoding::VMWARE_CURSOR_POSITION => {
                // The desktop says where the pointer is, which is part of what is seen.
                let buttons = self.pointer.map_or(0, |pointer| pointer.buttons);
                self.pointer = Some(Pointer { x: rect.area.x, y: rect.area.y, buttons });
                self.pointer_changed = true;
            }
            _ => {}
        }
        self.picture |= framebuffer.area() != before;
        Ok(())
    }

    fn update_ended(&mut self, at: Moment) -> Result<(), S::Error> {
        self.within = None;
        self.tick(at).map(drop)
    }

    /// A bell that does not stop is kept as often as the screen.
    fn rung(&mut self, at: Moment) -> Result<(), S::Error> {
        let at = self.clamp(at);
        let often = self.bell.is_some_and(|last| at.0 - last.0 < self.interval);
        if self.paused || often {
            return Ok(());
        }
        self.bell = Some(at);
        self.sink.put(at, &Scene::Bell)
    }

    fn clamp(&mut self, at: Moment) -> Moment {
        self.now = self.now.max(at);
        self.now
    }

    fn is_pending(&self) -> bool {
        // There is no picture of nothing.
        let Some(screen) = self.framebuffer.as_ref().filter(|screen| !screen.area().is_empty()) else {
            return false;
        };
        let damaged = !screen.damage().is_empty();
        let changed = damaged || self.picture || self.cursor_changed || self.pointer_changed;
        self.drawn && !self.paused && changed
    }

    fn keep_all(&mut self, at: Moment) -> Result<Moment, S::Error> {
        let at = self.clamp(at);
        if self.is_pending() {
            self.keep(at)?;
        }
        Ok(at)
    }

    fn keep(&mut self, at: Moment) -> Result<(), S::Error> {
        let Some(framebuffer) = &mut self.framebuffer else { return Ok(()) };
        let interval = self.options.keyframe();
        let old = self.whole.is_none_or(|whole| at.0.saturating_sub(whole.0) >= interval);
        let damaged = !framebuffer.damage().is_empty();
        let picture = self.picture || (old && damaged);
        if picture {
            self.screen.picture(framebuffer, at, &mut self.sink)?;
            (self.picture, self.whole) = (false, Some(at));
        } else if damaged {
            // If the sink fails, damage is lost that a later picture makes good.
            self.picture = true;
            self.screen.patches(framebuffer, at, &mut self.sink)?;
            self.picture = false;
        }
        self.kept = Some(at);
        // Whoever begins at a picture knows nothing of before.
        if self.cursor_changed || (picture && self.cursor_known) {
            self.sink.put(at, &Scene::Cursor(self.cursor.as_ref()))?;
            (self.cursor_changed, self.cursor_known) = (false, true);
        }
        if let Some(Pointer { x, y, buttons }) = self.pointer.filter(|_| self.pointer_changed || picture) {
            self.sink.put(at, &Scene::Pointer { x, y, buttons })?;
            self.pointer_changed = false;
        }
        Ok(())
    }
}
