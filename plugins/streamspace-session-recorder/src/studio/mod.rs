//! What records: the one place where the rest of the plugin meets capture, store, replay and export.

mod keys;
pub(crate) mod shelf;
mod tape;
mod viewer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use streamspace_plugin::prelude::*;

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
    pub(crate) ending: Ending,
}

/// What is told of a recording that runs, on its own thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// The first picture is there.
    Begun,
    /// Nothing follows this.
    Ended(Finished),
}

pub(crate) type Tell = Box<dyn FnMut(News) + Send>;

/// How far a recording is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    /// In microseconds.
    pub(crate) length: u64,
}

/// A recording that runs. Nothing of it waits: what comes of it is told.
pub(crate) trait Running: Send + Sync {
    fn pause(&self, pause: bool);
    /// Notes something at this moment.
    fn mark(&self, kind: &str, text: &str);
    fn stop(&self);
    fn progress(&self) -> Progress;
}

/// What was found of a recording that was looked through.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) is_whole: bool,
    pub(crate) hash: Option<String>,
    /// What there is to say: counts, and what is wrong first.
    pub(crate) report: Value,
}

/// A small picture.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
}

/// What records, and reads what was recorded.
pub(crate) trait Studio: Send + Sync {
    /// Begins to record, on a thread of its own, and tells what becomes of it.
    ///
    /// # Errors
    ///
    /// When it cannot begin: nothing is told then.
    fn begin(&self, order: Order, tell: Tell) -> Result<Box<dyn Running>>;

    /// Brings to an end what a process has left.
    ///
    /// # Errors
    ///
    /// When nothing can be read.
    fn salvage(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Finished>;

    /// Looks through all of a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read at all.
    fn verify(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Verified>;

    /// Makes a file of a recording, and answers its size.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the file not be written.
    fn export(&self, id: &str, folder: &Path, key: &MasterKey, format: Format, to: &Path) -> Result<u64>;

    /// What was to be seen at a moment, in microseconds.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn thumbnail(&self, id: &str, folder: &Path, key: &MasterKey, at: u64) -> Result<Picture>;
}

/// What records, and reads what was recorded.
pub(crate) fn studio(context: &Context) -> Box<dyn Studio> {
    Box::new(Native { context: context.clone() })
}

/// Capture and store, with the host's streams.
struct Native {
    context: Context,
}

impl Studio for Native {
    fn begin(&self, order: Order, tell: Tell) -> Result<Box<dyn Running>> {
        viewer::begin(self.context.clone(), order, tell)
    }

    fn salvage(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Finished> {
        shelf::salvage(id, folder, key)
    }

    fn verify(&self, id: &str, folder: &Path, key: &MasterKey) -> Result<Verified> {
        shelf::verify(id, folder, key)
    }

    fn export(&self, id: &str, folder: &Path, key: &MasterKey, format: Format, to: &Path) -> Result<u64> {
        shelf::export(id, folder, key, format, to)
    }

    fn thumbnail(&self, id: &str, folder: &Path, key: &MasterKey, at: u64) -> Result<Picture> {
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
