//! Recording as one more viewer of the desktop, on a thread of its own.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use streamspace_plugin::{
    prelude::*,
    streams::{DesktopConnection, StreamError},
};
use streamspace_rfb::Area;

use super::{
    Ending, Finished, News, Order, Running, Tell, keys,
    tape::{Hand, Shared, Tape},
};
use crate::{
    capture::{
        Backoff, Capture, Clipboard, Connection, Ended, Input, Options, Received, Settings, SharedViewer,
    },
    config::{self, Config},
    scene::Moment,
    store::{self, Subject, Writer},
};

/// How long a desktop may be away before the recording is ended.
const AWAY: Duration = Duration::from_secs(300);
/// The same, if it was never there.
const NEVER_THERE: Duration = Duration::from_secs(30);
/// How often the store is told that time passes.
const TICK: Duration = Duration::from_secs(1);

/// Begins to record.
pub(super) fn begin(context: Context, order: Order, tell: Tell) -> Result<Box<dyn Running>> {
    let failed = |why: &dyn std::fmt::Display| Error::new(format!("{} cannot be written: {why}", order.folder.display()));
    fs::create_dir_all(&order.folder).map_err(|why| failed(&why))?;
    let key = order.key.as_ref().map(|key| keys::make(&order.id, &order.folder, key)).transpose()?;
    let subject =
        Subject { recording: order.id.clone(), session: order.session.clone(), started_at: order.started_at };
    let writer = Writer::create(&order.folder, &subject, key.as_ref(), written(&order.config))
        .map_err(|why| failed(&why))?;
    let shared = Arc::new(Shared::default());
    let hand = Hand(Arc::clone(&shared));
    thread::Builder::new()
        .name("recorder".into())
        .spawn(move || record(&context, &order, writer, &shared, tell))
        .map_err(|why| Error::new(format!("a thread cannot be started: {why}")))?;
    Ok(Box::new(hand))
}

fn written(config: &Config) -> store::Options {
    store::Options {
        keyframe_after: Duration::from_secs(config.keyframe_interval_sec),
        sync_after: Duration::from_secs(config.segment_sec),
        max_file_bytes: config.max_file_size,
        level: config.compression(),
        ..store::Options::default()
    }
}

fn kept(config: &Config) -> Options {
    let area = |region: &config::Region| Area::new(region.x, region.y, region.width, region.height);
    Options {
        frames_per_second: u16::try_from(config.fps_cap).unwrap_or(u16::MAX),
        keyframe_interval: Duration::from_secs(config.keyframe_interval_sec),
        clipboard: if config.capture_clipboard { Clipboard::Text } else { Clipboard::Length },
        input: match config.capture_input {
            config::Input::Off => Input::Off,
            config::Input::Metadata => Input::Metadata,
            config::Input::Full => Input::Full,
        },
        redact: config.redact_regions.iter().map(area).collect(),
        ..Options::default()
    }
}

/// Records until it is stopped, or there is nothing more to be recorded.
fn record(context: &Context, order: &Order, writer: Writer, shared: &Arc<Shared>, tell: Tell) {
    let began = Instant::now();
    let clock = move || Moment(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let tape = Tape::new(writer, Arc::clone(shared), tell);
    let ending = follow(context, order, &tape, shared, clock);
    // Nobody else has it any more: what captured is gone.
    let Some((writer, mut tell, is_playable)) = tape.take() else { return };
    let finished = match writer.finish(clock()) {
        Ok(finished) => Finished {
            bytes: finished.bytes,
            length: finished.length.0,
            hash: Some(finished.hash.to_string()),
            is_playable,
            ending,
        },
        // What is on the disk is looked for, as after a crash.
        Err(why) => {
            let left = super::shelf::end(&order.id, &order.folder, order.key.as_ref());
            left.map(|left| Finished { ending: Ending::Failed(why.to_string()), ..left }).unwrap_or(
                Finished {
                    bytes: 0,
                    length: 0,
                    hash: None,
                    is_playable: false,
                    ending: Ending::Failed(why.to_string()),
                },
            )
        }
    };
    tell(News::Ended(finished));
}

fn follow(
    context: &Context,
    order: &Order,
    tape: &Tape,
    shared: &Arc<Shared>,
    clock: impl Fn() -> Moment + Copy,
) -> Ending {
    let options = kept(&order.config);
    let mut capture = Capture::new(tape.clone(), options.clone());
    let most = Moment(order.config.max_duration_sec.saturating_mul(1_000_000));
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
                    most,
                    clock,
                    ticked: Instant::now(),
                };
                let mut viewer = SharedViewer::new(line, Settings::default(), &options, None);
                let connected = Instant::now();
                match viewer.run(&mut capture, clock, &shared.control) {
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
        debug!(context.logger(), "A desktop is away."; "recording" => &order.id, "reason" => &why);
        let patience = if tape.has_picture() { AWAY } else { NEVER_THERE };
        if seen.elapsed() >= patience {
            return Ending::Desktop(why);
        }
        if let Err(why) = tape.tick(clock()) {
            return Ending::Failed(why.to_string());
        }
        shared.rest(backoff.wait());
    }
}

/// The connection to a desktop, which also sees how time passes.
struct Line<C> {
    desktop: DesktopConnection,
    tape: Tape,
    shared: Arc<Shared>,
    /// When the recording is as long as it may be.
    most: Moment,
    clock: C,
    ticked: Instant,
}

impl<C: Fn() -> Moment> Line<C> {
    fn pass(&mut self) -> io::Result<()> {
        if self.ticked.elapsed() < TICK {
            return Ok(());
        }
        self.ticked = Instant::now();
        let at = (self.clock)();
        if at >= self.most {
            self.shared.is_long.store(true, Ordering::Relaxed);
            self.shared.control.stop();
        }
        self.tape.tick(at).map_err(io::Error::other)
    }
}

impl<C: Fn() -> Moment> Connection for Line<C> {
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
            self.desktop.set_write_deadline(left);
            match self.desktop.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}
