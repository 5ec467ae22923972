//! What records: the one place where the rest of the plugin meets capture, store, replay and export.

mod budget;
mod decode;
mod keys;
mod line;
mod record;
pub(crate) mod shelf;
mod tape;
mod tee;
mod viewer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use streamspace_plugin::{
    prelude::*,
    streams::{Stream, Tap},
};

pub(crate) use self::{
    decode::Undecoded,
    keys::Sealed,
    record::{TAP, check},
};
use self::{
    line::{Line, Lines},
    tape::Shared,
};
use crate::config::{Config, Format, MasterKey};

/// What is to be recorded.
pub(crate) struct Order {
    /// The recording's id.
    pub(crate) id: String,
    pub(crate) session: String,
    /// Where it is to be: nothing is there yet.
    pub(crate) folder: PathBuf,
    /// Microseconds since 1970.
    pub(crate) started_at: u64,
    pub(crate) key: Option<MasterKey>,
    pub(crate) config: Arc<Config>,
}

/// Why a recording is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was asked to stop.
    Stopped,
    /// The session does not run, or nobody knows where its desktop is.
    Session(String),
    /// The desktop is gone.
    Desktop(String),
    /// It is as long as one may be.
    Long,
    /// Something else, in words.
    Failed(String),
}

/// What came of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// In microseconds.
    pub(crate) length: u64,
    /// The end of its chain of hashes, in hexadecimal digits.
    pub(crate) hash: Option<String>,
    /// Whether there is a picture in it.
    pub(crate) is_playable: bool,
    /// Whether it was not closed by whoever wrote it: it has what was on the disk.
    pub(crate) is_cut: bool,
    pub(crate) ending: Ending,
}

impl Finished {
    /// There is nothing of it.
    pub(crate) fn nothing(ending: Ending) -> Self {
        Self { bytes: 0, length: 0, hash: None, is_playable: false, is_cut: false, ending }
    }
}

/// What is told of a recording that runs, on its own thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// The first picture is there.
    Begun,
    /// Nothing follows this.
    Ended(Finished),
}

/// Whoever is told. The thread that records has it as well as what it writes with, which a panic takes away.
pub(crate) type Tell = Arc<dyn Fn(News) + Send + Sync>;

/// How far a recording is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    /// In microseconds.
    pub(crate) length: u64,
}

/// A recording that runs. Nothing of it waits: what comes of it is told.
#[derive(Clone)]
pub(crate) struct Running {
    shared: Arc<Shared>,
    line: Option<Arc<Line>>,
    note: Option<String>,
}

impl Running {
    fn new(shared: Arc<Shared>, line: Option<Arc<Line>>, note: Option<String>) -> Self {
        Self { shared, line, note }
    }

    pub(crate) fn pause(&self, pause: bool) {
        self.shared.pause(pause);
        self.nudge();
    }

    /// Notes something at this moment.
    pub(crate) fn mark(&self, kind: &str, text: &str) {
        self.shared.mark(kind, text);
    }

    pub(crate) fn stop(&self) {
        self.shared.stop();
        self.nudge();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// What whoever started it should know.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn nudge(&self) {
        if let Some(line) = &self.line {
            line.nudge();
        }
    }
}

/// What was found of a recording that was looked through.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) is_whole: bool,
    pub(crate) hash: Option<String>,
    /// What there is to say: counts, and what is wrong first.
    pub(crate) report: Value,
}

/// A file that is to be made of a recording.
#[derive(Debug)]
pub(crate) struct Export<'a> {
    /// The recording's id.
    pub(crate) id: &'a str,
    /// Where the recording is.
    pub(crate) folder: &'a Path,
    pub(crate) key: &'a MasterKey,
    pub(crate) format: Format,
    /// Where the file is to be.
    pub(crate) to: &'a Path,
}

/// A small picture.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
}

/// What records, and reads what was recorded: capture and store, with the host's streams.
pub(crate) struct Studio {
    context: Context,
    lines: Arc<Lines>,
}

impl Studio {
    pub(crate) fn new(context: &Context) -> Self {
        Self { context: context.clone(), lines: Arc::default() }
    }

    /// A viewer's connection is there: whether a recording wants it.
    pub(crate) fn offered(&self, stream: &Stream<'_>) -> Option<Box<dyn Tap>> {
        self.lines.offered(stream)
    }

    /// Begins to record, on a thread of its own, and tells what becomes of it.
    ///
    /// # Errors
    ///
    /// When it cannot begin: nothing is told then.
    pub(crate) fn begin(&self, order: Order, tell: Tell) -> Result<Running> {
        record::begin(self.context.clone(), &self.lines, order, tell)
    }

    /// Brings to an end what a process has left.
    ///
    /// # Errors
    ///
    /// When nothing can be read.
    pub(crate) fn salvage(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Finished> {
        shelf::salvage(id, folder, key)
    }

    /// Makes pictures of what was recorded as it went over the wire. Answers the bytes of both. None if `goes_on` said no meanwhile.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the pictures not be written.
    pub(crate) fn decode(&self, wish: &Undecoded<'_>, goes_on: &dyn Fn() -> bool) -> Result<Option<u64>> {
        decode::decode(wish, goes_on)
    }

    /// Looks through all of a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read at all.
    pub(crate) fn verify(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Verified> {
        shelf::verify(id, folder, key)
    }

    /// With which master key a recording is sealed.
    ///
    /// # Errors
    ///
    /// When that cannot be read, or with none that is there.
    pub(crate) fn sealed(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Sealed> {
        shelf::sealed(id, folder, key)
    }

    /// Seals a recording that a former master key has sealed with the current one.
    ///
    /// # Errors
    ///
    /// When it cannot be read or written. It is sealed with either then.
    pub(crate) fn rewrap(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<()> {
        shelf::rewrap(id, folder, key)
    }

    /// Makes a file of a recording, and answers its size. None if `goes_on` said no meanwhile.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the file not be written.
    pub(crate) fn export(&self, wish: &Export<'_>, goes_on: &dyn Fn() -> bool) -> Result<Option<u64>> {
        shelf::export(wish, goes_on)
    }

    /// What was to be seen at a moment, in microseconds.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn thumbnail(&self, id: &str, folder: &Path, key: &MasterKey, at: u64) -> Result<Picture> {
        shelf::thumbnail(id, folder, key, at)
    }
}

/// Fills bytes so that nobody can guess them.
///
/// # Errors
///
/// When the system has none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|why| Error::new(format!("the system gives no random numbers: {why}")))
}
