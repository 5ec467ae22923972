//! Pictures of recordings that are kept as they went over the wire, made in the background.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use streamspace_plugin::prelude::*;

use crate::{
    desk::Desk,
    lock::Lock,
    studio::{Undecoded, shelf::is_undecoded},
    tables::recordings,
};

/// What waits to be decoded.
#[derive(Debug, Default)]
pub(crate) struct Decoding(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    ids: BTreeSet<String>,
    /// Whether a thread is at it.
    is_running: bool,
}

impl Decoding {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more is to be decoded. Answers whether that needs a thread.
    fn add(&self, id: &str) -> bool {
        let mut waiting = self.waiting();
        waiting.ids.insert(id.to_owned());
        !std::mem::replace(&mut waiting.is_running, true)
    }

    /// The next one. None if there is none, or nothing is wanted any more: the thread ends then.
    fn next(&self, goes_on: bool) -> Option<String> {
        let mut waiting = self.waiting();
        let next = waiting.ids.first().filter(|_| goes_on).cloned();
        waiting.is_running = next.is_some();
        next
    }

    fn done(&self, id: &str) {
        self.waiting().ids.remove(id);
    }
}

impl Desk {
    /// Has a recording decoded, if it is to be, on a thread that decodes one after the other.
    pub(crate) fn decode(&self, id: &str, folder: &Path) {
        if !is_undecoded(folder) || self.is_closed() || !self.decoding.add(id) {
            return;
        }
        // It is gone if the plugin is: the next start looks for what was left.
        let Some(desk) = self.this.upgrade() else { return };
        let spawned = thread::Builder::new().name("recorder-decoder".into()).spawn(move || {
            while let Some(id) = desk.decoding.next(!desk.is_closed()) {
                if let Err(why) = desk.decode_now(&id) {
                    warn!(desk.context.logger(), "A recording cannot be decoded: what was recorded stays as it is."; "recording" => &id, "reason" => %why);
                }
                desk.decoding.done(&id);
            }
        });
        if let Err(why) = spawned {
            self.decoding.next(false);
            warn!(self.context.logger(), "Recordings are not decoded."; "reason" => %why);
        }
    }

    /// Looks for what an earlier process has not decoded.
    pub(crate) fn decode_what_was_left(&self) -> Result<()> {
        let failed = |why| Error::new(format!("{}: {why}", self.folder.display()));
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some(id) = entry.file_name().to_str() {
                self.decode(id, &entry.path());
            }
        }
        Ok(())
    }

    fn decode_now(&self, id: &str) -> Result<()> {
        let found = recordings::get(self.context.database(), id)?;
        // One that runs, or that a process has left, comes when it is over.
        let Some(recording) = found.filter(|found| found.status.is_playable()) else { return Ok(()) };
        let lock = Lock::take(self.lock_path(id)).map_err(Error::new)?;
        let folder = Path::new(&recording.storage_path);
        // Another version of this plugin may be at it, or may have been.
        let Some(_lock) = lock.filter(|_| is_undecoded(folder)) else { return Ok(()) };
        let wish = Undecoded {
            id,
            session: &recording.session_id,
            started_at: u64::try_from(recording.started_at.as_micros()).unwrap_or(0),
            folder,
            key: &self.key,
            config: &self.config,
        };
        if let Some(bytes) = self.studio.decode(&wish, &|| !self.is_closed())? {
            recordings::progress(self.context.database(), id, bytes, recording.duration_seconds)?;
            info!(self.context.logger(), "A recording was decoded."; "recording" => id, "bytes" => bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_decodes_what_waits_and_ends() {
        let decoding = Decoding::default();
        assert!(decoding.add("a"));
        assert!(!decoding.add("b") && !decoding.add("a"), "there is a thread");
        assert_eq!(decoding.next(true).as_deref(), Some("a"));
        decoding.done("a");
        assert_eq!(decoding.next(true).as_deref(), Some("b"));
        decoding.done("b");
        assert_eq!(decoding.next(true), None);
        assert!(decoding.add("c"), "it has ended");
        assert_eq!(decoding.next(false), None);
        assert!(decoding.add("d"));
        assert_eq!(decoding.next(true).as_deref(), Some("c"), "it was not forgotten");
    }
}
