//! Recording what goes to viewers, on a thread of its own: decoded, or as it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use streamspace_plugin::prelude::*;

use super::{
    Ending,
    line::{Line, Piece},
    record::{Job, TICK, kept},
    tape::Tape,
};
use crate::{
    capture::{Capture, Control, Following, Options, Tee, TeeEnd, WireTee},
    config::Way,
    scene::{Moment, Scene, Side, Sink},
    store,
};

/// For how long what waits is still recorded when a recording is stopped: whoever stops it waits longer.
const GRACE: Duration = Duration::from_secs(4);
/// After which silence memory is given back that large messages needed.
const QUIET: Duration = Duration::from_secs(5);

/// Records one connection after the other. There may be long times without any: they are not recorded, but they do not end the
/// recording either. It ends when connections that are there cannot be recorded, and no other comes.
pub(super) fn follow(job: &Job<'_>, line: &Line) -> Ending {
    let mut taking = Taking {
        job,
        line,
        kept: Kept::new(job),
        stream: None,
        in_vain: None,
        heard: Instant::now(),
        is_shrunk: true,
    };
    taking.run().unwrap_or_else(|why| Ending::Failed(why.to_string()))
}

struct Taking<'a> {
    job: &'a Job<'a>,
    line: &'a Line,
    kept: Kept,
    /// The connection that is followed.
    stream: Option<u64>,
    /// Since when no connection could be recorded, and why not.
    in_vain: Option<(Instant, String)>,
    heard: Instant,
    is_shrunk: bool,
}

impl Taking<'_> {
    fn run(&mut self) -> Result<Ending, store::Error> {
        let Job { tape, shared, clock, .. } = *self.job;
        let mut ticked = Instant::now();
        let mut due: Option<Moment> = None;
        loop {
            let is_stopped = shared.is_stopped();
            if is_stopped {
                // What waits is still recorded.
                self.line.close();
            }
            if shared.control.is_overdue(GRACE) {
                self.kept
                    .closed(clock.now(), "recording was stopped, and the rest took too long to decode")?;
                return self.end(Ending::Stopped);
            }
            if self.kept.is_paused() != shared.is_paused() {
                self.pause(shared.is_paused())?;
            }
            let until = due.map_or(TICK, |due| Duration::from_micros(due.0.saturating_sub(clock.now().0)));
            let wait = if is_stopped { Duration::ZERO } else { until.min(TICK) };
            match self.line.next(wait) {
                Some(piece) => due = self.take(piece)?,
                None if is_stopped => return self.end(Ending::Stopped),
                None => due = self.kept.tick(clock.now())?,
            }
            if ticked.elapsed() < TICK {
                continue;
            }
            ticked = Instant::now();
            tape.tick(clock.now())?;
            self.kept.slow_to(shared.control.interval());
            if let Some(ending) = self.pass() {
                self.line.close();
                return self.end(ending);
            }
        }
    }

    /// Sees how time passes.
    fn pass(&mut self) -> Option<Ending> {
        if self.job.clock.now() >= self.job.most() {
            return Some(Ending::Long);
        }
        if !self.is_shrunk && self.heard.elapsed() >= QUIET {
            self.kept.shrink();
            self.is_shrunk = true;
        }
        if self.stream.is_some() {
            self.in_vain = None;
        }
        let (_, why) = self.in_vain.as_ref().filter(|(since, _)| since.elapsed() >= self.job.patience())?;
        Some(Ending::Desktop(why.clone()))
    }

    fn end(&mut self, ending: Ending) -> Result<Ending, store::Error> {
        self.kept.finish(self.job.clock.now())?;
        Ok(ending)
    }

    fn pause(&mut self, pause: bool) -> Result<(), store::Error> {
        let at = self.job.clock.now();
        if !pause {
            return self.kept.resume(at);
        }
        self.kept.pause(at)?;
        // What is kept as it is cannot go on in the middle.
        if let Kept::Wire { .. } = self.kept
            && let Some(stream) = self.stream.take()
        {
            self.line.leave(stream);
        }
        Ok(())
    }

    /// Takes a piece. Answers when time is to be told next.
    fn take(&mut self, piece: Piece) -> Result<Option<Moment>, store::Error> {
        (self.heard, self.is_shrunk) = (Instant::now(), false);
        let (at, ended) = match piece {
            Piece::Began(stream) => {
                if !self.kept.begin() {
                    self.line.leave(stream);
                    return Ok(None);
                }
                self.stream = Some(stream);
                info!(self.job.context.logger(), "A connection is recorded."; "recording" => &self.job.order.id, "stream" => stream);
                return Ok(None);
            }
            Piece::Bytes { at, from, bytes } => (at, self.kept.take(at, from, 0, &bytes)?),
            Piece::Lost { at, from, bytes } => (at, self.kept.take(at, from, bytes, &[])?),
            Piece::Closed { at, why } => {
                self.kept.closed(at, &why)?;
                if self.stream.take().is_some() {
                    self.in_vain = None;
                    info!(self.job.context.logger(), "A connection that was recorded has ended."; "recording" => &self.job.order.id, "reason" => why);
                }
                return Ok(None);
            }
        };
        match ended {
            Some(why) => self.give_up(&why),
            None => return self.kept.tick(at),
        }
        Ok(None)
    }

    /// Nothing more can be recorded of the connection. The next one may do.
    fn give_up(&mut self, why: &TeeEnd) {
        let why = why.to_string();
        if let Some(stream) = self.stream.take() {
            self.line.leave(stream);
        }
        warn!(self.job.context.logger(), "A viewer's connection is not recorded any further: recording waits for the next one."; "recording" => &self.job.order.id, "session" => &self.job.order.session, "reason" => &why);
        self.job.shared.mark("not-recorded", &why);
        match &mut self.in_vain {
            Some((_, last)) => *last = why,
            none => *none = Some((Instant::now(), why)),
        }
    }
}

/// What is kept of connections, one at a time.
enum Kept {
    Decoded { capture: Box<Capture<Tape>>, tee: Option<Box<Tee>>, control: Arc<Control> },
    Wire { tape: Tape, options: Options, tee: Option<Box<WireTee>>, is_paused: bool },
}

impl Kept {
    fn new(job: &Job<'_>) -> Self {
        let (options, tape) = (kept(&job.order.config), job.tape.clone());
        match job.order.config.capture {
            Way::Wire => Self::Wire { tape, options, tee: None, is_paused: false },
            Way::Viewer | Way::Tee => {
                let control = Arc::clone(&job.shared.control);
                Self::Decoded { capture: Box::new(Capture::new(tape, options)), tee: None, control }
            }
        }
    }

    fn is_paused(&self) -> bool {
        match self {
            Self::Decoded { capture, .. } => capture.is_paused(),
            Self::Wire { is_paused, .. } => *is_paused,
        }
    }

    /// A connection begins. Answers whether it is wanted.
    fn begin(&mut self) -> bool {
        match self {
            Self::Decoded { capture, tee, control } => {
                let followed = Tee::new(capture.options()).under(Arc::clone(control), GRACE);
                *tee = Some(Box::new(followed));
            }
            Self::Wire { is_paused: true, .. } => return false,
            // The configuration was looked at when the plugin was loaded, and nothing of it is unfit.
            Self::Wire { options, tee, .. } => *tee = WireTee::new(options).ok().map(Box::new),
        }
        true
    }

    /// Answers why the connection cannot be followed any further, if so, once.
    fn take(
        &mut self,
        at: Moment,
        from: Side,
        lost: u64,
        bytes: &[u8],
    ) -> Result<Option<TeeEnd>, store::Error> {
        match self {
            Self::Decoded { capture, tee: followed, .. } => {
                let Some(tee) = followed else { return Ok(None) };
                if tee.take(at, from, lost, bytes, capture)? == Following::Yes {
                    return Ok(None);
                }
                let why = tee.ended().cloned();
                *followed = None;
                Ok(why)
            }
            Self::Wire { tape, tee: followed, .. } => {
                let Some(tee) = followed else { return Ok(None) };
                if tee.take(at, from, lost, bytes, tape)? == Following::Yes {
                    return Ok(None);
                }
                let why = tee.ended().cloned();
                *followed = None;
                Ok(why)
            }
        }
    }

    fn closed(&mut self, at: Moment, why: &str) -> Result<(), store::Error> {
        match self {
            Self::Decoded { capture, tee, .. } => match tee.take() {
                Some(mut tee) => tee.closed(at, why, capture),
                None => Ok(()),
            },
            Self::Wire { tape, tee, .. } => match tee.take() {
                Some(mut tee) => tee.closed(at, why, tape),
                None => Ok(()),
            },
        }
    }

    fn pause(&mut self, at: Moment) -> Result<(), store::Error> {
        if let Self::Wire { .. } = self {
            self.closed(at, "recording was paused")?;
        }
        match self {
            Self::Decoded { capture, .. } => capture.pause(at),
            Self::Wire { tape, is_paused, .. } => {
                *is_paused = true;
                tape.put(at, &Scene::Paused)
            }
        }
    }

    fn resume(&mut self, at: Moment) -> Result<(), store::Error> {
        match self {
            Self::Decoded { capture, .. } => capture.resume(at),
            Self::Wire { is_paused, .. } => {
                *is_paused = false;
                Ok(())
            }
        }
    }

    fn tick(&mut self, at: Moment) -> Result<Option<Moment>, store::Error> {
        match self {
            Self::Decoded { capture, .. } => capture.tick(at),
            Self::Wire { .. } => Ok(None),
        }
    }

    /// Pictures are not more often than this. What is kept as it is has none.
    fn slow_to(&mut self, interval: Duration) {
        if let Self::Decoded { capture, .. } = self {
            capture.slow_to(interval);
        }
    }

    fn shrink(&mut self) {
        if let Self::Decoded { tee: Some(tee), .. } = self {
            tee.shrink();
        }
    }

    fn finish(&mut self, at: Moment) -> Result<(), store::Error> {
        match self {
            Self::Decoded { capture, .. } => capture.finish(at),
            Self::Wire { .. } => Ok(()),
        }
    }
}
