//! Recording as one more viewer of the desktop, on a thread of its own.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use streamspace_plugin::{
    prelude::*,
    streams::{DesktopConnection, StreamError},
};

use super::{
    Ending,
    record::{Clock, Job, TICK, kept},
    tape::{Shared, Tape},
};
use crate::{
    capture::{Backoff, Capture, Connection, Ended, Received, Settings, SharedViewer},
    scene::Moment,
};

/// How often it is looked whether a desktop that takes nothing is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Records until it is stopped, or the desktop is away for too long.
pub(super) fn follow(job: &Job<'_>) -> Ending {
    let Job { context, order, tape, shared, clock } = *job;
    let options = kept(&order.config);
    let mut capture = Capture::new(tape.clone(), options.clone());
    let mut backoff = Backoff::default();
    let mut seen = Instant::now();
    loop {
        if shared.is_stopped() {
            return Ending::Stopped;
        }
        let why = match context.streams().connect(&order.session) {
            Ok(desktop) => {
                let line = Line {
                    desktop,
                    tape: tape.clone(),
                    shared: Arc::clone(shared),
                    most: job.most(),
                    clock,
                    ticked: Instant::now(),
                };
                let mut viewer = SharedViewer::new(line, Settings::default(), &options, None);
                let connected = Instant::now();
                match viewer.run(&mut capture, || clock.now(), &shared.control) {
                    Ok(Ended::Stopped) if shared.is_long.load(Ordering::Relaxed) => return Ending::Long,
                    Ok(Ended::Stopped) => return Ending::Stopped,
                    Ok(why) if !why.is_worth_a_try() => return Ending::Desktop(why.to_string()),
                    Ok(why) => {
                        if tape.has_picture() && connected.elapsed() > TICK {
                            seen = Instant::now();
                            backoff.reset();
                        }
                        why.to_string()
                    }
                    Err(why) => return Ending::Failed(why.to_string()),
                }
            }
            Err(StreamError::Unreachable(why) | StreamError::Full(why)) => why,
            Err(StreamError::NotRunning(why) | StreamError::NotFound(why)) => return Ending::Session(why),
            Err(why) => return Ending::Failed(why.to_string()),
        };
        if shared.is_stopped() {
            return Ending::Stopped;
        }
        debug!(context.logger(), "A desktop is away."; "recording" => &order.id, "reason" => &why);
        if seen.elapsed() >= job.patience() {
            return Ending::Desktop(why);
        }
        if let Err(why) = tape.tick(clock.now()) {
            return Ending::Failed(why.to_string());
        }
        shared.rest(backoff.wait());
    }
}

/// The connection to a desktop, which also sees how time passes.
struct Line {
    desktop: DesktopConnection,
    tape: Tape,
    shared: Arc<Shared>,
    /// When the recording is as long as it may be.
    most: Moment,
    clock: Clock,
    ticked: Instant,
}

impl Line {
    fn pass(&mut self) -> io::Result<()> {
        if self.ticked.elapsed() < TICK {
            return Ok(());
        }
        self.ticked = Instant::now();
        let at = self.clock.now();
        if at >= self.most {
            self.shared.is_long.store(true, Ordering::Relaxed);
            self.shared.control.stop();
        }
        self.tape.tick(at).map_err(io::Error::other)
    }
}

impl Connection for Line {
    fn receive(&mut self, into: &mut [u8], within: Duration) -> io::Result<Received> {
        self.pass()?;
        self.desktop.set_read_deadline(within);
        match self.desktop.read(into) {
            Ok(0) => Ok(Received::End),
            Ok(count) => Ok(Received::Bytes(count)),
            Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(Received::Nothing)
            }
            Err(why) => Err(why),
        }
    }

    fn send(&mut self, mut bytes: &[u8], within: Duration) -> io::Result<()> {
        let end = Instant::now() + within;
        while !bytes.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.desktop.set_write_deadline(left.min(LOOK));
            match self.desktop.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                // A desktop that takes nothing does not hold up whoever stops the recording.
                Err(why) if self.shared.is_stopped() => return Err(why),
                Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}
