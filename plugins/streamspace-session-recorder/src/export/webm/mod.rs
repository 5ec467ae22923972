//! Recordings as video: WebM, which browsers play and seek in.
//!
//! ```text
//! source ──▶ Screen ──▶ Clock ──▶ Encoder ──▶ Muxer ──▶ file
//!            pixels     when      AV1         WebM
//! ```
//!
//! The last two, and why they are what they are, are [`streamspace_video`]'s.
//!
//! The recording is read twice: once for its sizes and chapters, once for its frames. It runs in the background, on as many threads
//! as it is given. What it keeps in memory does not grow with the recording: about ninety bytes for each pixel of a picture, which are
//! the encoder's, and five seconds of video.
//!
//! # What is shown
//!
//! - A frame only where something changed, at most [`Options::fps`] a second. Changes that come together are one frame, at
//!   the next of these moments. Where nothing changes, a frame every five seconds.
//! - A key frame at the beginning, at a change of size, after what was lost, every ten seconds while something changes, and every
//!   minute otherwise. A viewer can go to each of them at once.
//! - A video has one size: the largest width and the largest height of the recording, made even. A smaller screen is shown in
//!   its middle, black around it.
//! - The cursor is drawn where a viewer's pointer is. Where that was not recorded, there is none.
//! - While there was a gap or a pause, what was last seen is shown half as bright. Both, and markers, are chapters.
//!
//! # Example
//!
//! ```no_run
//! # use std::{fs::File, ops::ControlFlow};
//! # use streamspace_session_recorder::{export::webm, scene::Source};
//! # fn example(mut recording: impl Source) -> Result<(), webm::Error> {
//! let file = File::create("recording.webm").map_err(webm::Error::Write)?;
//! let exported = webm::export(&mut recording, file, &webm::Options::default(), |progress| {
//!     // Break stops it.
//!     let _ = progress.at;
//!     ControlFlow::Continue(())
//! })?;
//! assert!(exported.frames > 0);
//! # Ok(())
//! # }
//! ```

mod clock;
mod plan;
mod screen;

use std::{
    io::{self, Seek, Write},
    ops::ControlFlow,
    time::Duration,
};

use streamspace_video::{Encoder, Muxer, Packet, Settings, Track};

use self::{
    clock::{Clock, Due},
    plan::Plan,
    screen::Screen,
};
use crate::scene::{Moment, Source};

/// What files say of who made them.
const APP: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// How a video is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most frames a second. 1 to 60; 10.
    pub fps: u8,
    /// How good the picture is: 1 to 100; 70, with which text is sharp.
    pub quality: u8,
    /// Threads that encode, 1 to 16; 1, which leaves the other cores to the host. A picture is cut into as many tiles.
    pub threads: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { fps: 10, quality: 70, threads: 1 }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        for (what, is, most) in
            [("fps", self.fps, 60), ("quality", self.quality, 100), ("threads", self.threads, 16)]
        {
            if !(1..=most).contains(&is) {
                return Err(Error::Options { what, is, most });
            }
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        // Of AV1's measure, 255 is the worst.
        let quantizer = (u16::from(100 - self.quality.min(100)) * 255 / 100) as u8;
        Settings { fps: self.fps, quantizer, threads: self.threads }
    }
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where in the recording it is; the beginning while it is read for the first time.
    pub at: Moment,
    /// How long the recording is.
    pub length: Moment,
    /// Frames so far.
    pub frames: u64,
    /// Bytes so far.
    pub bytes: u64,
}

/// A video that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many frames it has.
    pub frames: u64,
    /// How long it is.
    pub duration: Duration,
    /// How long the file is.
    pub bytes: u64,
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
}

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option is not within its bounds.
    #[error("the option `{what}` is {is}: expected 1 to {most}")]
    Options {
        /// Which.
        what: &'static str,
        /// What it is.
        is: u8,
        /// What it may be.
        most: u8,
    },
    /// The recording cannot be read.
    #[error("the recording cannot be read: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A scene of the recording cannot be shown.
    #[error("the recording's scene at {at:?} cannot be shown: {error}")]
    Scene {
        /// When it happened.
        at: Moment,
        /// What is wrong with it.
        #[source]
        error: streamspace_rfb::Error,
    },
    /// There is nothing to be seen.
    #[error("the recording has no picture: there is nothing to make a video of")]
    Empty,
    /// There are only bytes of a session's stream.
    #[error(
        "the recording was not decoded: it consists of bytes of the session's stream; give a source that decodes them"
    )]
    Wire,
    /// Longer than anybody records.
    #[error("the recording is {length:?} long: expected at most {most:?}")]
    Length {
        /// How long it is.
        length: Duration,
        /// How long it may be.
        most: Duration,
    },
    /// Larger than what there is memory for.
    #[error("the recording's pictures take {width}x{height} pixels together: expected at most {most} pixels")]
    Size {
        /// The largest width.
        width: u16,
        /// The largest height.
        height: u16,
        /// Pixels that there may be.
        most: u32,
    },
    /// The encoder does not go on.
    #[error("the video cannot be encoded: {0}")]
    Encoder(#[source] streamspace_video::Error),
    /// The file cannot be written.
    #[error("the video cannot be written: {0}")]
    Write(#[source] io::Error),
    /// It was stopped, as it was told.
    #[error("the export was stopped")]
    Stopped,
}

/// Makes a video of a recording. What is written is a whole file only if this succeeds.
///
/// `progress` is asked before each frame, and now and then while scenes are read; [`ControlFlow::Break`] stops. Takes long: for a
/// thread of its own.
///
/// # Errors
///
/// [`Error`] says which.
pub fn export<S: Source, O: Write + Seek>(
    source: &mut S,
    out: O,
    options: &Options,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Exported, Error> {
    options.check()?;
    let plan = Plan::new(source, &mut progress)?;
    let encoder = Encoder::new(plan.width, plan.height, &options.settings()).map_err(Error::Encoder)?;
    let screen =
        Screen::new(plan.width, plan.height).map_err(|error| Error::Scene { at: Moment(0), error })?;
    let output = Output::Waiting(out);
    let clock = Clock::new(options.fps);
    let mut film = Film { encoder, output, screen, clock, frames: 0, plan: &plan, progress };

    source.seek(Moment(0)).map_err(unreadable)?;
    let mut now = Moment(0);
    let mut read = 0_u64;
    while let Some((at, scene)) = source.next().map_err(unreadable)? {
        // As in the first reading: times do not go back.
        now = at.max(now).min(plan.length);
        film.until(now)?;
        let change = film.screen.show(&scene).map_err(|error| Error::Scene { at, error })?;
        film.clock.changed(now, change);
        read += 1;
        if read.is_multiple_of(256) {
            film.ask(now)?;
        }
    }
    film.finish()
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Source(Box::new(error))
}

/// The file: its head says what the first frame begins with.
#[derive(Debug)]
enum Output<O> {
    Waiting(O),
    Begun(Muxer<O>),
    /// It failed.
    Lost,
}

impl<O: Write + Seek> Output<O> {
    fn bytes(&self) -> u64 {
        if let Self::Begun(muxer) = self { muxer.bytes() } else { 0 }
    }

    fn frame(&mut self, packet: &Packet, plan: &Plan) -> io::Result<()> {
        if let Self::Waiting(_) = self
            && let Self::Waiting(out) = std::mem::replace(self, Self::Lost)
        {
            let track = Track { width: plan.width, height: plan.height, codec: packet.head() };
            *self = Self::Begun(Muxer::new(out, APP, &track)?);
        }
        match self {
            Self::Begun(muxer) => muxer.frame(packet.at_ms, packet.key, packet.data()),
            _ => Err(io::Error::other("it failed before")),
        }
    }
}

/// A video that is being made.
struct Film<'a, O, P> {
    encoder: Encoder,
    output: Output<O>,
    screen: Screen,
    clock: Clock,
    frames: u64,
    plan: &'a Plan,
    progress: P,
}

impl<O: Write + Seek, P: FnMut(Progress) -> ControlFlow<()>> Film<'_, O, P> {
    fn ask(&mut self, at: Moment) -> Result<(), Error> {
        let (length, frames, bytes) = (self.plan.length, self.frames, self.output.bytes());
        let progress = Progress { at, length, frames, bytes };
        match (self.progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }

    /// Makes the frames that are due before a moment.
    fn until(&mut self, now: Moment) -> Result<(), Error> {
        while let Some(due) = self.clock.take(now) {
            self.frame(due)?;
        }
        Ok(())
    }

    fn frame(&mut self, due: Due) -> Result<(), Error> {
        self.ask(due.at)?;
        self.encoder.put(self.screen.draw(), due.at.0 / 1_000, due.key).map_err(Error::Encoder)?;
        self.frames += 1;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Error> {
        while let Some(packet) = self.encoder.take().map_err(Error::Encoder)? {
            self.output.frame(&packet, self.plan).map_err(Error::Write)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Exported, Error> {
        let plan = self.plan;
        self.until(plan.length)?;
        if let Some(due) = self.clock.last(plan.length) {
            self.frame(due)?;
        }
        self.encoder.finish();
        self.drain()?;
        let end = plan.length.max(self.clock.end()).0 / 1_000;
        let Output::Begun(muxer) = self.output else { return Err(Error::Empty) };
        let bytes = muxer.finish(end, &plan.chapters).map_err(Error::Write)?;
        Ok(Exported {
            frames: self.frames,
            duration: Duration::from_millis(end),
            bytes,
            width: plan.width,
            height: plan.height,
        })
    }
}
