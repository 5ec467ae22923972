//! The desk at which recordings are begun, steered and brought to an end.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use streamspace_plugin::{prelude::*, routes::Problem};

use crate::{
    config::{Config, MasterKey},
    decoding::Decoding,
    exporting::Exporting,
    lock::Lock,
    replays::Replays,
    rules::state::Step,
    start::RECORDED,
    studio::{Ending, News, Order, Progress, Running, Studio},
    tables::{
        access::{self, By},
        recordings::{self, Recording},
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
    /// The thread that makes exports.
    pub(crate) exporting: Exporting,
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

/// What is to be known of a recording that came to nothing.
pub(crate) struct Tried {
    pub(crate) session: String,
    pub(crate) is_automatic: bool,
    /// Whether it was in the place of another one that came to nothing.
    pub(crate) is_again: bool,
}

/// A recording that runs.
struct Entry {
    running: Option<Running>,
    session: String,
    days: u32,
    is_automatic: bool,
    /// Whether it is in the place of one that came to nothing.
    is_again: bool,
    /// Who has it end, if that is known: `user`, `session`, `rights`, `host`, `quota`.
    ended_by: Option<&'static str>,
    /// Says to other processes, and to another version of this plugin, that it runs.
    _lock: Lock,
}

/// A recording whose end is being written down. It is over also if that panics: what is not written down is found as what was left.
struct Leaving<'a> {
    desk: &'a Desk,
    id: &'a str,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.desk.leave(self.id);
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
            exporting: Exporting::default(),
            decoding: Decoding::default(),
            this: Weak::clone(this),
        })
    }

    /// Where a recording's files are.
    pub(crate) fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    pub(crate) fn lock_path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.lock"))
    }

    /// Writes a recording down, and who has begun it, and has it recorded.
    pub(crate) fn begin(&self, new: &Recording, by: Option<&By<'_>>) -> Result<()> {
        self.mounted()?;
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
        let tell = Arc::new(move |news| {
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
                self.leave(&new.id);
                Err(Problem::new(503, format!("the session cannot be recorded: {why}")).into())
            }
        }
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
                let leaving = Leaving { desk: self, id };
                let known = self.runs().all.get(id).map(|entry| (entry.ended_by, entry.days));
                let (by, days) = known.unwrap_or_default();
                let by = by.unwrap_or(match finished.ending {
                    Ending::Stopped => "user",
                    Ending::Session(_) => "session",
                    Ending::Desktop(_) => "desktop",
                    Ending::Long => "limit",
                    Ending::Failed(_) => "failure",
                });
                self.write_end(id, &finished, by, days);
                drop(leaving);
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

    /// What is known here of a recording that runs.
    pub(crate) fn tried(&self, id: &str) -> Option<Tried> {
        let runs = self.runs();
        let entry = runs.all.get(id)?;
        Some(Tried {
            session: entry.session.clone(),
            is_automatic: entry.is_automatic,
            is_again: entry.is_again,
        })
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

    /// Has a recording end. Nobody waits for it. Answers whether it was not to end already.
    pub(crate) fn end(&self, id: &str, by: &'static str) -> bool {
        let mut runs = self.runs();
        let Some(entry) = runs.all.get_mut(id).filter(|entry| entry.ended_by.is_none()) else { return false };
        entry.ended_by = Some(by);
        if let Some(running) = &entry.running {
            running.stop();
        }
        true
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
                break;
            };
            runs = self.ended.wait_timeout(runs, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(runs);
        // It was told at the same time.
        if !self.exporting.wait(until) {
            warn!(self.context.logger(), "An export did not stop in time.");
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

    /// Whether a recording is in hand here.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.runs().all.contains_key(id)
    }

    /// A recording has ended: whoever waits for that is told, and its file is free.
    fn leave(&self, id: &str) {
        self.runs().all.remove(id);
        self.ended.notify_all();
    }

    /// The ids of all that run here.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.runs().all.keys().cloned().collect()
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
