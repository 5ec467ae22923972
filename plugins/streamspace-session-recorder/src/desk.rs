//! The desk at which recordings are begun, steered and brought to an end.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use streamspace_plugin::{database::Timestamp, prelude::*, routes::Problem};

use crate::{
    config::{Config, MasterKey},
    decoding::Decoding,
    replays::Replays,
    rules::{
        retention,
        state::{State, Step},
    },
    start::RECORDED,
    studio::{Ending, Finished, News, Order, Progress, Running, Studio},
    tables::{
        access::{self, By},
        recordings::{self, End, Recording},
    },
    watch::Tries,
};

/// How long whoever stops a recording waits for its end.
const STOP: Duration = Duration::from_secs(8);

/// What runs, and what all parts of the plugin share.
pub(crate) struct Desk {
    pub(crate) context: Context,
    pub(crate) config: Arc<Config>,
    pub(crate) folder: PathBuf,
    /// What the keys of recordings are sealed with, also where new ones have none.
    pub(crate) key: MasterKey,
    pub(crate) studio: Studio,
    /// Held from the look at the limits until the recording is written down.
    pub(crate) beginning: Mutex<()>,
    /// Held by who looks after everything: one at a time.
    pub(crate) watcher: Mutex<()>,
    /// Sessions that could not be recorded.
    pub(crate) watching: Mutex<Tries>,
    /// Replays that run.
    pub(crate) replays: Replays,
    running: Mutex<Runs>,
    ended: Condvar,
    /// Whether a thread makes exports.
    exporting: AtomicBool,
    /// What waits to be decoded.
    pub(crate) decoding: Decoding,
    /// Itself, for the threads of recordings: they do not keep it alive.
    pub(crate) this: Weak<Self>,
}

#[derive(Default)]
struct Runs {
    all: HashMap<String, Entry>,
    /// Nothing begins any more.
    is_closed: bool,
}

/// A recording that runs.
struct Entry {
    running: Option<Running>,
    session: String,
    days: u32,
    is_automatic: bool,
    /// Whether it is in the place of one that came to nothing.
    is_again: bool,
    /// Who has it end, if that is known: `user`, `session`, `rights`, `host`.
    ended_by: Option<&'static str>,
    /// Says to other processes, and to another version of this plugin, that it runs.
    _lock: Lock,
}

/// A file that is locked as long as a recording runs. The lock is gone when the process is, however it ended.
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// None if somebody else has it.
    pub(crate) fn take(path: PathBuf) -> std::io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is swept up with other orphans.
        let _ = fs::remove_file(&self.path);
    }
}

impl Desk {
    pub(crate) fn new(context: Context, config: Config, key: MasterKey) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            studio: Studio::new(&context),
            context,
            folder: config.folder(),
            config: Arc::new(config),
            key,
            beginning: Mutex::default(),
            watcher: Mutex::default(),
            watching: Mutex::default(),
            replays: Replays::default(),
            running: Mutex::default(),
            ended: Condvar::new(),
            exporting: AtomicBool::new(false),
            decoding: Decoding::default(),
            this: Weak::clone(this),
        })
    }

    /// Where a recording's files are.
    pub(crate) fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Where what a recording was made into is.
    pub(crate) fn exports(&self) -> PathBuf {
        self.folder.join("exports")
    }

    pub(crate) fn lock_path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.lock"))
    }

    /// Writes a recording down, and who has begun it, and has it recorded.
    pub(crate) fn begin(&self, new: &Recording, by: Option<&By<'_>>) -> Result<()> {
        let database = self.context.database();
        let lock = Lock::take(self.lock_path(&new.id))
            .map_err(|why| Error::new(format!("{} cannot be written to: {why}", self.folder.display())))?
            .ok_or_else(|| Error::new("another recording has this id"))?;
        let vain = new.is_automatic.then(|| self.vain(&new.session_id)).flatten();
        let written = database.transaction(|transaction| -> Result<bool, DatabaseError> {
            recordings::insert(transaction, new)?;
            if let Some(by) = by {
                access::log(transaction, &new.id, by, "start", &new.reason)?;
            }
            vain.as_ref().map_or(Ok(false), |vain| recordings::replace(transaction, vain, &new.id))
        });
        let is_again = written.map_err(|why| match why {
            DatabaseError::Constraint(_) => Error::from(Problem::new(409, RECORDED)),
            why => why.into(),
        })?;
        if let Some(vain) = vain.filter(|_| is_again)
            && let Err(why) = self.remove_files(&vain, &self.folder_of(&vain))
        {
            warn!(self.context.logger(), "Files of a recording that came to nothing cannot be removed."; "recording" => &vain, "reason" => %why);
        }
        {
            let mut runs = self.runs();
            if runs.is_closed {
                drop(runs);
                self.end_unbegun(new, "the plugin is being stopped");
                return Err(Problem::new(503, "the recorder is being stopped: try again later").into());
            }
            let entry = Entry {
                running: None,
                session: new.session_id.clone(),
                days: new.retention_days,
                is_automatic: new.is_automatic,
                is_again,
                ended_by: None,
                _lock: lock,
            };
            runs.all.insert(new.id.clone(), entry);
        }
        let order = Order {
            id: new.id.clone(),
            session: new.session_id.clone(),
            folder: PathBuf::from(&new.storage_path),
            started_at: u64::try_from(new.started_at.as_micros()).unwrap_or(0),
            key: self.config.encrypt_recordings.then(|| self.key.clone()),
            config: Arc::clone(&self.config),
        };
        let (this, id) = (Weak::clone(&self.this), new.id.clone());
        let tell = Box::new(move |news| {
            if let Some(desk) = this.upgrade() {
                desk.hear(&id, news);
            }
        });
        match self.studio.begin(order, tell) {
            Ok(running) => {
                let mut runs = self.runs();
                let is_closed = runs.is_closed;
                // It may have ended since.
                if let Some(entry) = runs.all.get_mut(&new.id) {
                    if is_closed || entry.ended_by.is_some() {
                        running.stop();
                    }
                    entry.running = Some(running);
                }
                Ok(())
            }
            Err(why) => {
                self.end_unbegun(new, &why.to_string());
                self.runs().all.remove(&new.id);
                self.ended.notify_all();
                Err(Problem::new(503, format!("the session cannot be recorded: {why}")).into())
            }
        }
    }

    fn end_unbegun(&self, new: &Recording, why: &str) {
        let nothing = Finished {
            bytes: 0,
            length: 0,
            hash: None,
            is_playable: false,
            ending: Ending::Failed(why.to_owned()),
        };
        self.write_end(&new.id, &nothing, "failure", new.retention_days, false);
    }

    /// What a recording's own thread tells.
    fn hear(&self, id: &str, news: News) {
        match news {
            News::Begun => {
                let session = self.runs().all.get(id).map(|entry| entry.session.clone());
                self.went_well(session.as_deref().unwrap_or_default());
                match recordings::step(self.context.database(), id, Step::Begin) {
                    Ok(true) => self.announce("recording.started", id),
                    Ok(false) => {}
                    Err(why) => {
                        warn!(self.context.logger(), "The beginning of a recording cannot be written down."; "recording" => id, "reason" => %why);
                    }
                }
            }
            News::Ended(finished) => {
                let known = self.runs().all.get(id).map(|entry| (entry.ended_by, entry.days));
                let (by, days) = known.unwrap_or_default();
                let by = by.unwrap_or(match finished.ending {
                    Ending::Stopped => "user",
                    Ending::Session(_) => "session",
                    Ending::Desktop(_) => "desktop",
                    Ending::Long => "limit",
                    Ending::Failed(_) => "failure",
                });
                self.write_end(id, &finished, by, days, false);
                self.runs().all.remove(id);
                self.ended.notify_all();
                self.decode(id, &self.folder_of(id));
                if finished.ending == Ending::Long
                    && let Err(why) = self.keep_watch_once()
                {
                    // The job sees to it.
                    debug!(self.context.logger(), "Another recording does not go on yet."; "recording" => id, "reason" => %why);
                }
            }
        }
    }

    /// Has what is wanted of recordings made, on a thread of its own.
    pub(crate) fn wake_exports(&self) {
        if self.exporting.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(desk) = self.this.upgrade() else { return };
        let spawned = thread::Builder::new().name("recorder-exports".into()).spawn(move || {
            let made = desk.make_exports();
            desk.exporting.store(false, Ordering::Release);
            if let Err(why) = made {
                warn!(desk.context.logger(), "Exports of recordings are not made."; "reason" => %why);
            }
        });
        if let Err(why) = spawned {
            self.exporting.store(false, Ordering::Release);
            warn!(self.context.logger(), "Exports of recordings are not made."; "reason" => %why);
        }
    }

    /// Writes down how a recording ended, and tells of it.
    fn write_end(&self, id: &str, finished: &Finished, by: &str, days: u32, is_cut: bool) {
        let step = match (finished.is_playable, is_cut) {
            (false, _) => Step::Fail,
            (true, true) => Step::Truncate,
            (true, false) => Step::Complete,
        };
        let status = State::Finalising.after(step).unwrap_or(State::Failed);
        let error = match &finished.ending {
            Ending::Stopped | Ending::Long => {
                (!finished.is_playable).then(|| "there was nothing to be seen".to_owned())
            }
            Ending::Session(why) => (!finished.is_playable).then(|| why.clone()),
            Ending::Desktop(why) | Ending::Failed(why) => Some(why.clone()),
        };
        let at = Timestamp::now();
        let end = End {
            status,
            bytes: finished.bytes,
            seconds: seconds(finished.length),
            hash: finished.hash.as_deref(),
            error: error.as_deref(),
            by,
            at,
            expires: retention::expiry(at, days, self.config.retention.enabled),
        };
        match recordings::end(self.context.database(), id, &end) {
            Ok(true) if status == State::Failed => {
                let runs = self.runs();
                let tried =
                    runs.all.get(id).map(|entry| (entry.is_again, entry.is_automatic, entry.session.clone()));
                drop(runs);
                let (is_again, is_automatic, session) = tried.unwrap_or_default();
                if is_automatic {
                    self.in_vain(&session, id);
                }
                // Of a desktop that never answers is told once.
                if !is_again {
                    self.announce("recording.failed", id);
                }
            }
            Ok(true) => self.announce("recording.completed", id),
            Ok(false) => {}
            // It is found when it is looked for what was left.
            Err(why) => {
                warn!(self.context.logger(), "The end of a recording cannot be written down."; "recording" => id, "reason" => %why);
            }
        }
    }

    /// Emits an event about a recording, with what is known of it.
    pub(crate) fn announce(&self, event: &str, id: &str) {
        let told = recordings::get(self.context.database(), id).map_err(Error::from).and_then(|found| {
            let Some(recording) = found else { return Ok(()) };
            let mut payload = json!({
                "recording_id": recording.id, "session_id": recording.session_id, "id": recording.session_id,
                "user": recording.user_id, "user_id": recording.user_id, "template": recording.template,
                "created_by": recording.created_by, "is_automatic": recording.is_automatic, "reason": recording.reason,
                "status": recording.status.name(), "policy": recording.policy_name, "duration_seconds": recording.duration_seconds,
                "file_size_bytes": recording.file_size_bytes, "ended_by": recording.ended_by, "error": recording.error_message,
            });
            if recording.notified {
                payload["notice"] = Value::from(self.config.consent_banner.as_str());
            }
            self.context.events().emit(event, Some(&recording.session_id), &payload)?;
            Ok(())
        });
        if let Err(why) = told {
            warn!(self.context.logger(), "Nobody is told of a recording."; "event" => event, "recording" => id, "reason" => %why);
        }
    }

    /// Has a recording end, and waits until it has, or for [`STOP`]. Answers whether it has.
    pub(crate) fn stop(&self, id: &str, by: &'static str) -> Result<bool> {
        recordings::step(self.context.database(), id, Step::Stop)?;
        let mut runs = self.runs();
        if let Some(entry) = runs.all.get_mut(id) {
            entry.ended_by.get_or_insert(by);
            if let Some(running) = &entry.running {
                running.stop();
            }
        }
        let until = Instant::now() + STOP;
        while runs.all.contains_key(id) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return Ok(false) };
            runs = self.ended.wait_timeout(runs, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(true)
    }

    /// Has what is recorded of a session end. Nobody waits for it.
    pub(crate) fn stop_session(&self, session: &str, by: &'static str) {
        let mut runs = self.runs();
        for entry in runs.all.values_mut().filter(|entry| entry.session == session) {
            entry.ended_by.get_or_insert(by);
            if let Some(running) = &entry.running {
                running.stop();
            }
        }
    }

    /// Has everything end, and waits until it has, or for [`STOP`].
    pub(crate) fn close(&self) {
        self.replays.close();
        let mut runs = self.runs();
        runs.is_closed = true;
        for entry in runs.all.values_mut() {
            entry.ended_by.get_or_insert("host");
            if let Some(running) = &entry.running {
                running.stop();
            }
        }
        let until = Instant::now() + STOP;
        while !runs.all.is_empty() {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                warn!(self.context.logger(), "Some recordings did not end in time."; "count" => runs.all.len());
                return;
            };
            runs = self.ended.wait_timeout(runs, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.runs().is_closed
    }

    /// A recording that runs here.
    pub(crate) fn running(&self, id: &str) -> Option<Running> {
        self.runs().all.get(id).and_then(|entry| entry.running.clone())
    }

    pub(crate) fn progress(&self, id: &str) -> Option<Progress> {
        self.running(id).map(|running| running.progress())
    }

    /// The ids of all that run here.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.runs().all.keys().cloned().collect()
    }

    /// Brings to an end what nobody has in hand any more. Answers how many that were.
    pub(crate) fn salvage(&self) -> Result<usize> {
        let mut salvaged = 0;
        for left in recordings::unfinished(self.context.database())? {
            if self.runs().all.contains_key(&left.id) {
                continue;
            }
            let lock = match Lock::take(self.lock_path(&left.id)) {
                Ok(Some(lock)) => lock,
                // Another version of this plugin has it in hand.
                Ok(None) => continue,
                Err(why) => return Err(Error::new(format!("{}: {why}", self.folder.display()))),
            };
            let found = self.studio.salvage(&left.id, Path::new(&left.storage_path), &self.key);
            let finished = found.unwrap_or_else(|why| Finished {
                bytes: 0,
                length: 0,
                hash: None,
                is_playable: false,
                ending: Ending::Failed(format!("its process ended, and nothing of it can be read: {why}")),
            });
            self.write_end(&left.id, &finished, "crash", left.retention_days, true);
            salvaged += 1;
            drop(lock);
            self.decode(&left.id, Path::new(&left.storage_path));
        }
        Ok(salvaged)
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
