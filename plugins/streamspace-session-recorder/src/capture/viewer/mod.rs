//! One more viewer of a session, which records what it sees.

mod connection;
mod ended;
mod password;
mod settings;
mod talk;

pub use self::{
    connection::{Connection, Received},
    ended::Ended,
    settings::{Backoff, Control, Encode, Pace, Settings},
};

use std::time::{Duration, Instant};

use streamspace_rfb::message::Fence;

use self::talk::Talk;
use super::{Capture, Options, Trouble, reassembly::Stop, stream::Stream};
use crate::scene::{Moment, Sink};

/// What is received at once, in bytes: what a socket's buffer has as a rule.
const PIECE: usize = 64 << 10;
/// After this time without a byte, memory that only large messages need is given back.
const IDLE: Duration = Duration::from_secs(5);
/// The desktop is not asked less often than this, however often it answers that nothing has changed.
const SLOWEST: Duration = Duration::from_secs(1);

/// One more viewer of a session: it lets the others be, sends no input, and captures what it sees.
///
/// It asks for what has changed as often as [`Options::frames_per_second`] says, at most. A desktop answers when something has
/// changed; one that answers at once that nothing has is asked ever more seldom, down to once a second.
#[derive(Debug)]
pub struct SharedViewer<C> {
    connection: C,
    settings: Settings,
    interval: Duration,
    most: usize,
    stream: Stream,
    talk: Talk,
    piece: Box<[u8]>,
    began: Instant,
    heard: Instant,
    /// When the desktop was asked whether it is there.
    probed: Option<Instant>,
    /// Whether a request is not answered yet.
    asked: bool,
    /// When the next one may be sent, in the recording's time.
    next: Moment,
    /// How long after it the one behind it.
    wait: Duration,
    /// Whether the next one is for the whole screen.
    all: bool,
    paused: bool,
    /// Whether recording goes on with the next update.
    resuming: bool,
}

impl<C: Connection> SharedViewer<C> {
    /// For a new connection. The options are those of the capture that it is for; the password is for desktops that want one.
    pub fn new(connection: C, settings: Settings, options: &Options, password: Option<&[u8]>) -> Self {
        let interval = Duration::from_micros(options.interval());
        let now = Instant::now();
        Self {
            connection,
            interval,
            most: options.most_buffered,
            stream: Stream::new(options),
            talk: Talk::new(&settings, password),
            settings,
            piece: vec![0; PIECE].into_boxed_slice(),
            began: now,
            heard: now,
            probed: None,
            asked: false,
            next: Moment(0),
            wait: interval,
            all: true,
            paused: false,
            resuming: false,
        }
    }

    /// Bytes of memory for what is received.
    pub fn memory(&self) -> usize {
        self.stream.memory() + self.piece.len()
    }

    /// Views the session until it is stopped or the connection ends, and says why. It has kept all that it saw then. If it was not
    /// stopped, the sink was told of a gap, and the recording can go on with another connection.
    ///
    /// `clock` says when it is, in the recording's time. How often the desktop is asked goes by it as well.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn run<S: Sink>(
        &mut self,
        capture: &mut Capture<S>,
        clock: impl Fn() -> Moment,
        control: &Control,
    ) -> Result<Ended, S::Error> {
        self.began = Instant::now();
        self.heard = self.began;
        // Recording that is paused already goes on as it does after a pause.
        self.paused = capture.is_paused();
        let ended = loop {
            if control.stops() {
                break Ended::Stopped;
            }
            match self.turn(capture, &clock, control) {
                Ok(()) => {}
                Err(Trouble::Stream(ended)) => break ended,
                Err(Trouble::Sink(error)) => return Err(error),
            }
        };
        match &ended {
            Ended::Stopped => capture.finish(clock())?,
            why => capture.lost(clock(), &why.to_string())?,
        }
        Ok(ended)
    }

    fn turn<S: Sink>(
        &mut self,
        capture: &mut Capture<S>,
        clock: &impl Fn() -> Moment,
        control: &Control,
    ) -> Result<(), Trouble<S::Error, Ended>> {
        let at = clock();
        capture.slow_to(control.interval());
        self.interval = Duration::from_micros(capture.interval());
        if control.pauses() != self.paused {
            self.paused = control.pauses();
            self.resuming = !self.paused;
            self.all |= self.resuming;
            if self.paused {
                capture.pause(at).map_err(Trouble::Sink)?;
            }
            self.talk.keep_coming(!self.paused, capture.framebuffer());
        }
        if control.resyncs() {
            self.all = true;
            capture.whole();
        }
        self.ask(capture, at);
        self.send()?;
        let due = capture.tick(at).map_err(Trouble::Sink)?;
        let mut wait = self.settings.look;
        if let Some(due) = due {
            wait = wait.min(Duration::from_micros(due.0.saturating_sub(at.0)));
        }
        if self.wants() {
            wait = wait.min(Duration::from_micros(self.next.0.saturating_sub(at.0)));
        }
        let received = self.connection.receive(&mut self.piece, wait.max(Duration::from_millis(1)));
        match received.map_err(|error| Trouble::Stream(Ended::Broken(error)))? {
            Received::Bytes(count) => self.received(count, capture, clock(), control),
            Received::Nothing => self.nothing().map_err(Trouble::Stream),
            Received::End => Err(Trouble::Stream(Ended::Closed)),
        }
    }

    fn received<S: Sink>(
        &mut self,
        count: usize,
        capture: &mut Capture<S>,
        at: Moment,
        control: &Control,
    ) -> Result<(), Trouble<S::Error, Ended>> {
        let Self { stream, talk, piece, most, .. } = self;
        let bytes = piece.get(..count).unwrap_or_default();
        let goes_on = || !control.stops();
        let fed = stream.feed(at, bytes, capture, goes_on, |parser, message| talk.heard(parser, message));
        if let Some(ended) = talk.ended.take() {
            return Err(Trouble::Stream(ended));
        }
        fed.map_err(|stop| match stop {
            Stop::TooLong(bytes) => Trouble::Stream(Ended::TooLong { bytes, most: *most }),
            Stop::Of(Trouble::Stream(error)) => Trouble::Stream(Ended::Unreadable(error)),
            Stop::Of(Trouble::Sink(error)) => Trouble::Sink(error),
        })?;
        (self.heard, self.probed) = (Instant::now(), None);
        if let Some(pixels) = self.talk.updated.take() {
            self.asked = false;
            self.wait = if pixels { self.interval } else { (self.wait * 2).min(SLOWEST.max(self.interval)) };
            if !pixels {
                self.next = after(at, self.wait);
            }
            if self.resuming && !self.all {
                self.resuming = false;
                capture.resume(at).map_err(Trouble::Sink)?;
            }
        }
        if let Some(screen) = capture.framebuffer().filter(|_| std::mem::take(&mut self.talk.resized)) {
            self.all |= self.talk.size(screen);
        }
        self.send().and_then(|()| self.late().map_err(Trouble::Stream))
    }

    /// Nothing came for as long as it was waited for.
    fn nothing(&mut self) -> Result<(), Ended> {
        let silent = self.heard.elapsed();
        if silent >= IDLE {
            self.stream.shrink();
        }
        let stalls = self.settings.stall;
        if self.stream.is_within() && silent >= stalls {
            return Err(Ended::Stalled(stalls));
        }
        match self.probed {
            Some(probed) if probed.elapsed() >= stalls => return Err(Ended::Silent(silent)),
            None if silent >= self.settings.probe && self.talk.fences => {
                let flags = Fence::REQUEST | Fence::BEFORE;
                self.talk.say_fence(Fence { flags, payload: b"there?" });
                self.probed = Some(Instant::now());
            }
            _ => {}
        }
        self.late()
    }

    fn late(&self) -> Result<(), Ended> {
        let late = !self.talk.is_ready() && self.began.elapsed() >= self.settings.handshake;
        if late { Err(Ended::Handshake(self.settings.handshake)) } else { Ok(()) }
    }

    /// Whether there is something to ask for: the whole screen, even if an answer is still to come, or what has changed.
    fn wants(&self) -> bool {
        self.talk.is_ready() && !self.paused && (self.all || !(self.asked || self.talk.continuous))
    }

    /// Asks for an update, if it is time.
    fn ask<S: Sink>(&mut self, capture: &Capture<S>, at: Moment) {
        let Some(screen) = capture.framebuffer().filter(|_| self.wants()) else { return };
        if at < self.next {
            return;
        }
        self.talk.ask(!self.all, screen.area());
        (self.asked, self.all) = (true, false);
        self.next = after(at, self.wait);
    }

    fn send<E>(&mut self) -> Result<(), Trouble<E, Ended>> {
        if self.talk.say.is_empty() {
            return Ok(());
        }
        let sent = self.connection.send(&self.talk.say, self.settings.stall);
        self.talk.say.clear();
        sent.map_err(|error| Trouble::Stream(Ended::Broken(error)))
    }
}

fn after(at: Moment, wait: Duration) -> Moment {
    Moment(at.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
}
