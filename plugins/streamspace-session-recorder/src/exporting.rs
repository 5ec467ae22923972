//! Files that are made of recordings, in the background, and that go again after a while.
//!
//! Another version of this plugin may run at the same time, and both see the same tables and folder. Whoever makes a file, or removes one,
//! has its lock; and each attempt writes a file of its own, which gets its name when it is whole.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use streamspace_plugin::{database::Timestamp, prelude::*};

use crate::{
    config::Format,
    contained,
    desk::Desk,
    lock::Lock,
    private,
    studio::Export,
    tables::{exports, new_id, recordings},
    tidy::remove,
};

/// Exports that are looked at in one go.
const BATCH: u32 = 100;

/// The thread that makes exports: there is one, or none.
#[derive(Debug, Default)]
pub(crate) struct Exporting {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    /// Somebody asked since the thread has last looked.
    is_wanted: bool,
}

impl Exporting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something to be made. Answers whether that needs a thread.
    fn want(&self) -> bool {
        let mut state = self.state();
        state.is_wanted = true;
        !std::mem::replace(&mut state.is_running, true)
    }

    /// Looks for what is wanted as long as something is. A panic ends one look, and nothing else.
    fn run(&self, goes_on: impl Fn() -> bool, mut look: impl FnMut() -> Result<()>, tell: impl Fn(&Error)) {
        while self.next(goes_on()) {
            if let Err(why) = contained(&mut look) {
                tell(&why);
            }
        }
    }

    /// Whether there is something to look for. The thread ends if there is not.
    fn next(&self, goes_on: bool) -> bool {
        let mut state = self.state();
        let next = std::mem::take(&mut state.is_wanted) && goes_on;
        if !next {
            state.is_running = false;
            self.ended.notify_all();
        }
        next
    }

    /// Waits until no thread runs. Answers whether that was so in time.
    pub(crate) fn wait(&self, until: Instant) -> bool {
        let mut state = self.state();
        while state.is_running {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Does something. A panic is an error.
fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    contained::contained(work)
        .unwrap_or_else(|why| Err(Error::new(format!("the recorder has a fault, and panicked: {why}"))))
}

/// A file that is removed unless it gets its name.
struct Part(PathBuf);

impl Part {
    /// A name that no other attempt has.
    fn of(to: &Path, attempt: &str) -> Self {
        let extension = to.extension().unwrap_or_default().to_string_lossy();
        Self(to.with_extension(format!("{extension}.{attempt}.part")))
    }

    fn keep_as(self, to: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, to)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What has its name is not here any more, and what cannot be removed is swept.
        let _ = fs::remove_file(&self.0);
    }
}

fn extension(format: &str) -> &'static str {
    if format == "vnc" { "fbs" } else { "webm" }
}

/// The recording and the format that a file among exports is of; none for what is not one of ours.
fn export_of(path: &Path) -> Option<(&str, &'static str)> {
    let mut words = path.file_name()?.to_str()?.split('.');
    let recording = words.next().filter(|id| uuid::Uuid::parse_str(id).is_ok())?;
    let format = match words.next()? {
        "webm" => "webm",
        "fbs" => "vnc",
        _ => return None,
    };
    match (words.next(), words.next(), words.next()) {
        (None, ..) | (Some("lock"), None, _) | (Some(_), Some("part"), None) => Some((recording, format)),
        _ => None,
    }
}

impl Desk {
    /// Where what recordings were made into is.
    fn exports(&self) -> PathBuf {
        self.folder.join("exports")
    }

    pub(crate) fn export_path(&self, id: &str, format: &str) -> PathBuf {
        self.exports().join(format!("{id}.{}", extension(format)))
    }

    /// Has the file of a recording in this format in hand. None if somebody else has it.
    fn hold(&self, id: &str, format: &str) -> Result<Option<Lock>> {
        let folder = self.exports();
        let lock = private::own_folder(&folder)
            .and_then(|()| Lock::take(folder.join(format!("{id}.{}.lock", extension(format)))));
        lock.map_err(|why| Error::new(format!("{}: {why}", folder.display())))
    }

    /// When the file of an export goes that is made or used now.
    pub(crate) fn export_expiry(&self) -> Timestamp {
        let kept = i64::from(self.config.export_hours) * 3600 * 1_000_000;
        Timestamp::from_micros(Timestamp::now().as_micros().saturating_add(kept)).unwrap_or(Timestamp::MAX)
    }

    /// Has what is wanted of recordings made, on a thread of its own.
    pub(crate) fn wake_exports(&self) {
        if self.is_closed() || !self.exporting.want() {
            return;
        }
        let tell = |desk: &Self, why: &dyn std::fmt::Display| {
            warn!(desk.context.logger(), "Exports of recordings are not made."; "reason" => %why);
        };
        let this = std::sync::Weak::clone(&self.this);
        let spawned = thread::Builder::new().name("recorder-exports".into()).spawn(move || {
            // It is gone if the plugin is.
            let Some(desk) = this.upgrade() else { return };
            desk.exporting.run(|| !desk.is_closed(), || desk.make_exports(), |why| tell(&desk, why));
        });
        if let Err(why) = spawned {
            self.exporting.next(false);
            tell(self, &why);
        }
    }

    /// Makes what is wanted of recordings, one after the other, until nothing waits.
    fn make_exports(&self) -> Result<()> {
        // They wait as long as the folder is away.
        if !self.is_mounted()? {
            return Ok(());
        }
        let database = self.context.database();
        for left in exports::running(database)? {
            // What is being made has its lock: nobody is at this one any more. It is not this thread's, which is at none.
            if let Ok(Some(_lock)) = self.hold(&left.recording_id, &left.format) {
                exports::give_back(database, &left.id)?;
            }
        }
        loop {
            let mut made = 0;
            for next in exports::waiting(database, BATCH)? {
                if self.is_closed() {
                    return Ok(());
                }
                let lock = match self.hold(&next.recording_id, &next.format) {
                    Ok(None) => continue,
                    lock => lock,
                };
                if !exports::take(database, &next.id)? {
                    continue;
                }
                let (lock, made_of) = match lock {
                    Ok(lock) => (lock, contained(|| self.make_export(&next))),
                    Err(why) => (None, Err(why)),
                };
                let came_to = match made_of {
                    Ok(Some(bytes)) => Ok(bytes),
                    // It was told to stop: whoever comes next begins anew.
                    Ok(None) => return Ok(exports::give_back(database, &next.id)?),
                    Err(why) => Err(why.to_string()),
                };
                if !exports::finish(database, &next.id, &came_to, self.export_expiry())? {
                    // The recording was deleted meanwhile.
                    remove(&self.export_path(&next.recording_id, &next.format)).map_err(Error::new)?;
                }
                drop(lock);
                made += 1;
            }
            if made == 0 {
                return Ok(());
            }
        }
    }

    fn make_export(&self, export: &exports::Export) -> Result<Option<u64>> {
        let recording = recordings::get(self.context.database(), &export.recording_id)?
            .ok_or_else(|| Error::new("the recording was deleted"))?;
        let format =
            Format::of(&export.format).ok_or_else(|| Error::new("this format is not one that is made"))?;
        let to = self.export_path(&recording.id, format.name());
        let part = Part::of(&to, &new_id());
        let wish = Export {
            id: &recording.id,
            folder: Path::new(&recording.storage_path),
            key: &self.key,
            format,
            to: &part.0,
        };
        let made = self.studio.export(&wish, &|| !self.is_closed())?;
        if made.is_some() {
            // Under its name is only what is whole.
            part.keep_as(&to).map_err(|why| Error::new(format!("{}: {why}", to.display())))?;
        }
        Ok(made)
    }

    /// Removes what a recording was made into.
    pub(crate) fn remove_exports(&self, recording: &str) -> std::io::Result<()> {
        ["webm", "vnc"].iter().try_for_each(|format| remove(&self.export_path(recording, format)))
    }

    /// Removes the files of exports whose time is over. Answers how many.
    pub(crate) fn expire_exports(&self) -> Result<u64> {
        if !self.is_mounted()? {
            return Ok(0);
        }
        let (database, now) = (self.context.database(), Timestamp::now());
        let mut gone = 0;
        for over in exports::over(database, now)? {
            let Some(_lock) = self.hold(&over.recording_id, &over.format)? else { continue };
            // It may have been used meanwhile.
            if exports::forget(database, &over.id, now)? {
                let path = self.export_path(&over.recording_id, &over.format);
                // If it cannot be removed now, it is swept.
                remove(&path).map_err(|why| Error::new(format!("{}: {why}", path.display())))?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Removes files that were never made to their end, and files that nobody knows of. Answers how many.
    pub(crate) fn sweep_exports(&self) -> Result<u64> {
        let folder = self.exports();
        let failed = |what: &Path, why: std::io::Error| Error::new(format!("{}: {why}", what.display()));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(why) => return Err(failed(&folder, why)),
        };
        let mut removed = 0;
        for entry in entries {
            let path = entry.map_err(|why| failed(&folder, why))?.path();
            let Some((recording, format)) = export_of(&path) else { continue };
            // A lock that nobody has is gone with this one.
            let Some(_lock) = self.hold(recording, format)? else { continue };
            if path.extension().is_some_and(|extension| extension == "lock") {
                continue;
            }
            let is_whole = path == self.export_path(recording, format);
            let known = exports::get(self.context.database(), recording, format)?;
            if !is_whole || known.is_none_or(|known| known.status != "done") {
                remove(&path).map_err(|why| failed(&path, why))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn a_panic_is_an_error_and_exports_go_on() {
        let why = contained::<()>(|| panic!("no {} here", "end")).expect_err("it panicked").to_string();
        assert_eq!(why, "the recorder has a fault, and panicked: no end here");

        let (exporting, told) = (Exporting::default(), Mutex::new(Vec::new()));
        assert!(exporting.want());
        let mut looks = 0;
        let look = || {
            looks += 1;
            if looks > 1 {
                return Ok(());
            }
            assert!(!exporting.want(), "there is a thread");
            panic!("the first")
        };
        exporting.run(|| true, look, |why| told.lock().expect("no panic").push(why.to_string()));
        assert_eq!(looks, 2, "somebody asked meanwhile");
        assert_eq!(*told.lock().expect("no panic"), ["the recorder has a fault, and panicked: the first"]);
        assert!(exporting.want(), "it has ended");
    }

    #[test]
    fn whoever_ends_waits_for_what_is_being_made() {
        let exporting = Arc::new(Exporting::default());
        assert!(exporting.wait(Instant::now()), "there is none");
        assert!(exporting.want());
        let ((begun, has_begun), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
        let of_thread = Arc::clone(&exporting);
        let thread = thread::spawn(move || {
            let look = || {
                begun.send(()).expect("somebody listens");
                ends.recv().map_err(Error::new)
            };
            of_thread.run(|| true, look, |_| ());
        });
        has_begun.recv().expect("a thread");
        assert!(!exporting.wait(Instant::now()), "it is at it");
        end.send(()).expect("a thread");
        assert!(exporting.wait(Instant::now() + Duration::from_secs(60)));
        thread.join().expect("no panic");
    }

    #[test]
    fn no_two_attempts_write_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join(format!("{ID}.webm"));
        let [one, other] = [(); 2].map(|()| Part::of(&to, &new_id()));
        assert_ne!(one.0, other.0);
        for (part, text) in [(&one, "one"), (&other, "other")] {
            fs::write(&part.0, text).expect("a file");
        }
        let gone = one.0.clone();
        drop(one);
        assert!(!gone.exists() && other.0.exists());
        other.keep_as(&to).expect("its name");
        assert_eq!(fs::read_to_string(&to).expect("a file"), "other");
    }

    #[test]
    fn only_what_is_named_as_ours_is_swept() {
        let attempt = new_id();
        for (ending, format) in [("webm", "webm"), ("fbs", "vnc")] {
            for ours in [ending.to_owned(), format!("{ending}.lock"), format!("{ending}.{attempt}.part")] {
                let path = PathBuf::from(format!("/srv/{ID}.{ours}"));
                assert_eq!(export_of(&path), Some((ID, format)), "{ours}");
            }
        }
        for other in ["notes.txt", "a.webm", ID, &format!("{ID}.mp4"), &format!("{ID}.webm.bak")] {
            assert_eq!(export_of(&Path::new("/srv").join(other)), None, "{other}");
        }
    }
}
