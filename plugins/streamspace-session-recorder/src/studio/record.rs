//! A recording, from its first file to its end: what all ways of capture share.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use streamspace_plugin::prelude::*;
use streamspace_rfb::Area;

use super::{
    Ending, Finished, News, Order, Running, Tell,
    budget::Budget,
    keys,
    line::{Line, Lines},
    shelf,
    tape::{Shared, Tape},
    tee, viewer,
};
use crate::{
    capture::{Clipboard, Input, Options, WireTee},
    config::{self, Config, Way},
    contained::contained,
    private,
    scene::Moment,
    store::{self, Subject, Writer},
};

/// How long a desktop may be away before the recording is ended.
const AWAY: Duration = Duration::from_secs(300);
/// The same, if it was never there.
const NEVER_THERE: Duration = Duration::from_secs(30);
/// How often the store is told that time passes.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// The plugin's tap, as it is registered.
pub(crate) const TAP: &str = "recorder";

/// How long ago a recording began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Moment {
        Moment(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// A recording that runs, on its own thread.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) order: &'a Order,
    pub(super) tape: &'a Tape,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) clock: Clock,
}

impl Job<'_> {
    /// When it is as long as it may be.
    pub(super) fn most(&self) -> Moment {
        Moment(self.order.config.max_duration_sec.saturating_mul(1_000_000))
    }

    /// How long it may be without a desktop.
    pub(super) fn patience(&self) -> Duration {
        if self.tape.has_picture() { AWAY } else { NEVER_THERE }
    }
}

/// Whether sessions can be recorded so, as it is configured.
///
/// # Errors
///
/// When they cannot: why, and what to change.
pub(crate) fn check(config: &Config) -> Result<()> {
    if config.capture != Way::Wire {
        return Ok(());
    }
    WireTee::new(&kept(config)).map(drop).map_err(|why| {
        Error::permanent(format!(
            "`capture`: {why}. Set it to `viewer` or `tee`, or take `redactRegions` out"
        ))
    })
}

/// Begins to record.
pub(super) fn begin(context: Context, lines: &Arc<Lines>, order: Order, tell: Tell) -> Result<Running> {
    let folder = match order.config.capture {
        Way::Wire => shelf::wire(&order.folder),
        Way::Viewer | Way::Tee => order.folder.clone(),
    };
    let clock = Clock::start();
    let subject = subject(&order.id, &order.session, order.started_at);
    let writer = create(&folder, &subject, order.key.as_ref(), &order.config)?;
    let shared = Arc::new(Shared::default());
    let line =
        (order.config.capture != Way::Viewer).then(|| Arc::new(Line::new(clock, order.config.ring_bytes)));
    let mut note = None;
    if let Some(line) = &line {
        // Before they are counted: one that comes in between is from its beginning.
        lines.wait(&order.session, line);
        match context.streams().join(TAP, &order.session) {
            Ok(0) => {}
            Ok(late) => note = Some(is_late(late)),
            Err(why) => {
                lines.forget(&order.session, line);
                return Err(Error::new(why));
            }
        }
    }
    let running = Running::new(Arc::clone(&shared), line.clone(), note.clone());
    if let Some(note) = &note {
        info!(context.logger(), "A session has viewers that are not recorded."; "session" => &order.session, "recording" => &order.id, "reason" => note);
        running.mark("not-recorded", note);
    }
    let (session, on_failure, of_thread) = (order.session.clone(), Arc::clone(lines), Arc::clone(lines));
    let of_line = line.clone();
    let spawned = thread::Builder::new().name("recorder".into()).spawn(move || {
        let told = Arc::clone(&tell);
        let recording = || record(&context, &order, writer, &shared, clock, line.as_deref(), told);
        let finished = come_to(&order, recording);
        if let Some(line) = &line {
            line.close();
            of_thread.forget(&order.session, line);
        }
        tell(News::Ended(finished));
    });
    if let Err(why) = spawned {
        if let Some(line) = &of_line {
            on_failure.forget(&session, line);
        }
        return Err(Error::new(format!("a thread cannot be started: {why}")));
    }
    Ok(running)
}

fn is_late(count: usize) -> String {
    let who = if count == 1 { "a viewer is".to_owned() } else { format!("{count} viewers are") };
    format!(
        "{who} connected already, and a connection can only be recorded from its beginning: recording waits for the next one"
    )
}

pub(super) fn subject(recording: &str, session: &str, started_at: u64) -> Subject {
    Subject { recording: recording.to_owned(), session: session.to_owned(), started_at }
}

/// Makes a folder for a recording, and begins to write it there.
pub(super) fn create(
    folder: &Path,
    subject: &Subject,
    key: Option<&config::MasterKey>,
    config: &Config,
) -> Result<Writer> {
    let failed =
        |why: &dyn fmt::Display| Error::new(format!("{} cannot be written: {why}", folder.display()));
    private::folder(folder).map_err(|why| failed(&why))?;
    let key = key.map(|key| keys::make(&subject.recording, folder, key)).transpose()?;
    Writer::create(folder, subject, key.as_ref(), written(config)).map_err(|why| failed(&why))
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

/// What is kept of a session, as it is configured.
pub(super) fn kept(config: &Config) -> Options {
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

/// What came of a recording, whatever happened on its thread: somebody waits for its end.
fn come_to(order: &Order, record: impl FnOnce() -> Finished) -> Finished {
    contained(record)
        .unwrap_or_else(|why| cut_off(order, format!("the recorder has a fault, and panicked: {why}")))
}

/// It cannot be closed: what is on the disk is looked for, as after a crash.
fn cut_off(order: &Order, why: String) -> Finished {
    let ending = Ending::Failed(why);
    let left = contained(|| shelf::end(&order.id, &order.folder, order.key.as_ref()));
    match left {
        Ok(Ok(left)) => Finished { ending, ..left },
        Ok(Err(_)) | Err(_) => Finished::nothing(ending),
    }
}

/// Records until it is stopped, or there is nothing more to be recorded.
fn record(
    context: &Context,
    order: &Order,
    writer: Writer,
    shared: &Arc<Shared>,
    clock: Clock,
    line: Option<&Line>,
    tell: Tell,
) -> Finished {
    let budget = Budget::new(order.config.cpu_budget_pct, order.config.fps_cap);
    let tape = Tape::new(writer, Arc::clone(shared), tell, budget);
    let job = Job { context, order, tape: &tape, shared, clock };
    let ending = match line {
        None => viewer::follow(&job),
        Some(line) => tee::follow(&job, line),
    };
    let Some((writer, is_playable)) = tape.take() else {
        return cut_off(order, "the recorder has a fault: what captured has not ended".into());
    };
    match writer.finish(clock.now()) {
        Ok(finished) => Finished {
            bytes: finished.bytes,
            length: finished.length.0,
            hash: Some(finished.hash.to_string()),
            is_playable,
            is_cut: false,
            ending,
        },
        Err(why) => cut_off(order, why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        config::tests::config,
        scene::{Scene, Sink},
    };

    #[test]
    fn what_is_kept_as_it_is_cannot_be_redacted() {
        let regions = json!([{"x": 0, "y": 0, "width": 10, "height": 10}]);
        let of = |way: &str, regions| {
            check(&config(json!({"capture": way, "redactRegions": regions})).expect("valid"))
        };
        assert!(of("wire", regions.clone()).is_err_and(|why| why.to_string().contains("redactRegions")));
        for (way, regions) in [("wire", json!([])), ("tee", regions.clone()), ("viewer", regions)] {
            assert!(of(way, regions).is_ok(), "{way}");
        }
    }

    #[test]
    fn a_panic_ends_a_recording_with_what_is_on_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let order = Order {
            id: "rec".into(),
            session: "s".into(),
            folder: folder.path().join("rec"),
            started_at: 0,
            key: None,
            config: Arc::new(config(json!({})).expect("valid")),
        };
        let failed = |why: &str| Ending::Failed(format!("the recorder has a fault, and panicked: {why}"));
        let nothing = come_to(&order, || panic!("before there is a file"));
        assert_eq!(nothing, Finished::nothing(failed("before there is a file")));

        let subject = subject(&order.id, &order.session, order.started_at);
        let writer = create(&order.folder, &subject, None, &order.config).expect("a file");
        let cut = come_to(&order, || {
            let tape = Tape::new(writer, Arc::default(), Arc::new(|_| ()), Budget::new(100, 15));
            let picture = Scene::Picture { width: 8, height: 8, pixels: &[[1, 2, 3, 255]; 64] };
            tape.clone().put(Moment(1), &picture).expect("written");
            tape.tick(Moment(120_000_000)).expect("synced");
            panic!("a fault of {}", "the decoder")
        });
        assert_eq!(cut.ending, failed("a fault of the decoder"));
        assert!(cut.is_playable && cut.is_cut && cut.bytes > 0 && cut.hash.is_some(), "{cut:?}");
    }

    #[test]
    fn whoever_is_connected_already_is_told_of() {
        assert!(is_late(1).starts_with("a viewer is connected already"));
        assert!(is_late(3).starts_with("3 viewers are connected already"));
    }
}
