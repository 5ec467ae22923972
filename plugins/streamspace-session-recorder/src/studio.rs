//! What records: the one place where the rest of the plugin meets capture, store, replay and export.

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

/// What records.
pub(crate) fn studio(_: &Context) -> Box<dyn Studio> {
    Box::new(Absent)
}

/// Fills bytes so that nobody can guess them.
///
/// # Errors
///
/// When the system has none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    use ring::rand::{SecureRandom, SystemRandom};
    SystemRandom::new().fill(bytes).map_err(|_| Error::new("the system gives no random numbers"))
}

/// Stands where nothing records.
struct Absent;

fn absent<T>() -> Result<T> {
    Err(Error::permanent("this build records nothing"))
}

impl Studio for Absent {
    fn begin(&self, _: Order, _: Tell) -> Result<Box<dyn Running>> {
        absent()
    }

    fn salvage(&self, _: &str, _: &Path, _: &MasterKey) -> Result<Finished> {
        absent()
    }

    fn verify(&self, _: &str, _: &Path, _: &MasterKey) -> Result<Verified> {
        absent()
    }

    fn export(&self, _: &str, _: &Path, _: &MasterKey, _: Format, _: &Path) -> Result<u64> {
        absent()
    }

    fn thumbnail(&self, _: &str, _: &Path, _: &MasterKey, _: u64) -> Result<Picture> {
        absent()
    }
}
