//! Jobs by the clock: who has which, which are due, their runs, and the host's half of `scheduler/1`.
//!
//! ```text
//! timer: a beat a second ──▶ Scheduler::fire ──▶ Job: due? ──▶ a thread of the run ──▶ plugin ──▶ records
//! ```

mod capability;
mod expression;
mod job;
mod options;
mod records;
#[cfg(test)]
mod tests;
mod timer;
mod when;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use slog::{Logger, error};
use streamspace_plugin::{
    abi::{FaultKind, guard},
    scheduler::{Cause, RunView},
};

pub(crate) use self::capability::{PluginJobs, open as open_timetable};
pub use self::{
    expression::ExpressionError,
    job::{Job, Running, Target},
    options::{InvalidJob, Options},
    records::{JobRecords, JobRow, KEPT_RUNS, Outcome, RunRow},
};
use self::{job::State, when::When};
use crate::{
    clock,
    store::{Database, DatabaseError},
    thread_name::thread_name,
};

/// The time of day, microseconds since 1970-01-01 UTC.
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Why a run did not begin by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// The plugin does not run.
    #[error("its plugin does not run")]
    Stopped,
    /// An earlier run has not ended, and they may not overlap; or too many have not.
    #[error("an earlier run has not ended, or too many have not")]
    Busy,
    /// The system gives no thread.
    #[error("the system gives no thread for it")]
    NoThread,
}

/// The most runs of one job at once, where they may overlap: each has a thread.
const MAX_OVERLAPPING: usize = 16;

/// The jobs of all plugins that run.
pub struct Scheduler {
    jobs: Mutex<Vec<Arc<Job>>>,
    records: Arc<JobRecords>,
    clock: Clock,
    stopping: AtomicBool,
    logger: Logger,
}

impl Scheduler {
    /// Starts the thread that finds due jobs, and the one that writes down what became of them.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn start(database: Arc<Database>, logger: &Logger) -> std::io::Result<Arc<Self>> {
        let scheduler = Self::with_clock(database, logger, Box::new(clock::unix_time_us))?;
        timer::start(&scheduler)?;
        Ok(scheduler)
    }

    /// One that finds due jobs only when it is told to.
    fn with_clock(database: Arc<Database>, logger: &Logger, clock: Clock) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            jobs: Mutex::default(),
            records: Arc::new(JobRecords::start(database, logger)?),
            clock,
            stopping: AtomicBool::new(false),
            logger: logger.clone(),
        }))
    }

    /// What the database knows of jobs.
    #[must_use]
    pub fn records(&self) -> &Arc<JobRecords> {
        &self.records
    }

    /// Finds nothing more, and waits until what was noted is written.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.records.flush();
    }

    /// Registers a plugin's jobs, as they were left, and forgets its others. Nothing of them begins before
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Nothing is registered then.
    pub fn register(&self, plugin: &Arc<str>, wanted: &[Options]) -> Result<Vec<Arc<Job>>, DatabaseError> {
        let registered = self.successors(plugin, wanted)?;
        self.keep_only(plugin, wanted)?;
        self.lock().extend(registered.iter().cloned());
        Ok(registered)
    }

    /// Makes the jobs that another version of a plugin asks for. Those that are there go on.
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Nothing is made then.
    pub(crate) fn successors(
        &self,
        plugin: &Arc<str>,
        wanted: &[Options],
    ) -> Result<Vec<Arc<Job>>, DatabaseError> {
        let now = (self.clock)();
        let known = self.records.register(plugin, wanted, signed(now))?;
        let made = (0..).zip(wanted.iter().zip(known)).map(|(number, (options, (row, runs)))| {
            // Up to now at most: the clock may have been put back.
            let since_us = unsigned(row.since_us).min(now);
            let state = State {
                when: Some(options.when.clone()),
                rescheduled: None,
                next_us: options.when.next_after(since_us).filter(|_| !row.paused),
                paused: row.paused,
                since_us,
                runs,
                running: Vec::new(),
                target: None,
                skipped: None,
                before: None,
            };
            Arc::new(Job::new(Arc::clone(plugin), number, options.clone(), state))
        });
        Ok(made.collect())
    }

    /// Puts `jobs` in the places of a plugin's jobs, each where the one of its name was: what is due next is begun in
    /// `target`, and what runs goes on where it runs. `target` is `None` for a plugin without jobs.
    pub(crate) fn switch(&self, plugin: &str, jobs: &[Arc<Job>], target: Option<&Arc<dyn Target>>) {
        let now = (self.clock)();
        let mut all = self.lock();
        let before: Vec<Arc<Job>> = all.extract_if(.., |job| &*job.plugin == plugin).collect();
        for job in jobs {
            if let Some(before) = before.iter().find(|before| before.options.name == job.options.name) {
                job.take_over(before, now);
            }
            job.state().target = target.cloned();
        }
        // Those of other names.
        self.close(&before);
        all.extend(jobs.iter().cloned());
    }

    /// Forgets what the database has of a plugin's jobs but these.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub(crate) fn keep_only(&self, plugin: &str, wanted: &[Options]) -> Result<(), DatabaseError> {
        self.records.keep_only(plugin, wanted)
    }

    /// Lets jobs begin from now on. What was due before is missed.
    pub fn resume(self: &Arc<Self>, jobs: &[Arc<Job>], target: &Arc<dyn Target>) {
        let now = (self.clock)();
        for job in jobs {
            let mut state = job.state();
            state.target = Some(Arc::clone(target));
            let Some(missed) = state.next_us.filter(|next| *next <= now) else { continue };
            state.account_for(now);
            if job.options.runs_missed {
                drop(state);
                // What became of it is noted.
                let _ = self.begin(job, Cause::MISSED, missed);
                continue;
            }
            state.runs += 1;
            let (number, since) = (state.runs, state.since_us);
            drop(state);
            let run = RunView { scheduled_us: missed, started_us: 0, cause: Cause::DUE };
            self.note(job, number, run, Outcome::Missed, None, "the plugin did not run", since);
        }
    }

    /// Begins nothing more of these jobs. Does not wait.
    pub fn close(&self, jobs: &[Arc<Job>]) {
        for job in jobs {
            job.state().target = None;
        }
    }

    /// Begins nothing more of these jobs, and waits for what runs. Answers those that still do at the deadline.
    #[must_use]
    pub fn drain(&self, jobs: &[Arc<Job>], deadline: Instant) -> Vec<Arc<Job>> {
        self.close(jobs);
        jobs.iter().filter(|job| !job.wait(deadline)).cloned().collect()
    }

    /// Forgets the jobs of a plugin; what the database knows of them stays.
    pub fn remove(&self, plugin: &str) {
        let gone: Vec<Arc<Job>> = self.lock().extract_if(.., |job| &*job.plugin == plugin).collect();
        self.close(&gone);
    }

    /// The jobs of all plugins.
    #[must_use]
    pub fn jobs(&self) -> Vec<Arc<Job>> {
        self.lock().clone()
    }

    /// A job of a plugin.
    #[must_use]
    pub fn job(&self, plugin: &str, name: &str) -> Option<Arc<Job>> {
        let is_it = |job: &&Arc<Job>| &*job.plugin == plugin && job.options.name == name;
        self.lock().iter().find(is_it).cloned()
    }

    /// Begins what is due.
    fn fire(self: &Arc<Self>) {
        if self.stopping.load(Ordering::Relaxed) {
            return;
        }
        let now = (self.clock)();
        for job in self.jobs() {
            let due = {
                let mut state = job.state();
                let due = state.next_us.filter(|next| *next <= now && state.target.is_some());
                if due.is_some() {
                    state.account_for(now);
                }
                due
            };
            if let Some(due) = due {
                // What became of it is noted.
                let _ = self.begin(&job, Cause::DUE, due);
            }
        }
    }

    /// Runs a job now.
    ///
    /// # Errors
    ///
    /// [`NotRun`].
    pub fn run_now(self: &Arc<Self>, job: &Arc<Job>) -> Result<(), NotRun> {
        self.begin(job, Cause::BY_HAND, (self.clock)())
    }

    /// Has a job run by its times no more, or again.
    ///
    /// # Errors
    ///
    /// When the database cannot be used. Nothing is changed then.
    pub fn pause(&self, job: &Job, paused: bool) -> Result<(), DatabaseError> {
        let now = (self.clock)();
        self.records.flush();
        self.records.pause(&job.plugin, &job.options.name, paused, signed(now))?;
        let mut state = job.state();
        state.paused = paused;
        state.account_for(now);
        Ok(())
    }

    /// Has a job run by another expression; an empty one leaves it without times.
    fn reschedule(&self, job: &Job, schedule: &str, time_zone: &str) -> Result<(), InvalidJob> {
        let when = match schedule {
            "" => None,
            _ => Some(options::read_expression(&job.options.name, schedule, time_zone)?),
        };
        let mut state = job.state();
        state.when = when;
        state.rescheduled = Some((schedule.to_owned(), time_zone.to_owned()));
        state.account_for((self.clock)());
        Ok(())
    }

    /// The runs of a job that are past its deadline and were not reported. They are now.
    #[must_use]
    pub fn hanging(&self, job: &Job) -> Vec<Running> {
        let mut state = job.state();
        let since = state.since_us;
        let late = |run: &&mut Running| !run.hangs && run.time() > job.options.deadline;
        let hanging: Vec<Running> = state
            .running
            .iter_mut()
            .filter(late)
            .map(|run| {
                run.hangs = true;
                run.clone()
            })
            .collect();
        // Under the lock: its end is noted after it.
        for run in &hanging {
            let message = format!("it did not end within {} s", job.options.deadline.as_secs_f64());
            self.note(job, run.number, run.view, Outcome::Hanging, None, &message, since);
        }
        hanging
    }

    /// Begins a run on a thread of its own, or notes that it did not begin.
    fn begin(self: &Arc<Self>, job: &Arc<Job>, cause: Cause, scheduled_us: u64) -> Result<(), NotRun> {
        let run = RunView { scheduled_us, started_us: (self.clock)(), cause };
        let mut state = job.state();
        let Some(target) = state.target.clone() else { return Err(NotRun::Stopped) };
        let since = state.since_us;
        let most = if job.options.may_overlap { MAX_OVERLAPPING } else { 1 };
        if state.running.len() + state.running_before() >= most {
            if cause != Cause::BY_HAND {
                let (number, first, count) = state.skip(scheduled_us);
                drop(state);
                let mut message = match most {
                    1 => "an earlier run had not ended".to_owned(),
                    _ => format!("{most} runs had not ended, which is the most at once"),
                };
                if count > 1 {
                    message.push_str(&format!("; so it was {count} times"));
                }
                let skipped = RunView { scheduled_us: first, ..run };
                self.note(job, number, skipped, Outcome::Skipped, None, &message, since);
            }
            return Err(NotRun::Busy);
        }
        state.runs += 1;
        state.skipped = None;
        let number = state.runs;
        state.running.push(Running { number, view: run, since: Instant::now(), hangs: false });
        drop(state);
        let (this, its) = (Arc::clone(self), Arc::clone(job));
        let spawned = thread::Builder::new()
            .name(thread_name(&job.plugin))
            .spawn(move || this.run(&its, number, run, &*target));
        if let Err(why) = spawned {
            job.end(number, |_| {
                self.note(job, number, run, Outcome::Error, None, "the system gives no thread for it", since);
            });
            error!(self.logger, "A job does not run: the system gives no thread."; "error" => %why, "job" => &job.options.name, "plugin" => &*job.plugin);
            return Err(NotRun::NoThread);
        }
        Ok(())
    }

    /// A run, from its beginning to its end. Runs plugin code.
    fn run(&self, job: &Job, number: i64, run: RunView, target: &dyn Target) {
        let begun = Instant::now();
        // The plugin's panics are contained on its side; one of the host's own must not leave the run as running.
        let result = guard("a run", || target.run(job.number, run)).and_then(|result| result);
        let took = clock::micros(begun.elapsed());
        let (outcome, message) = match result {
            Ok(()) => (Outcome::Ok, String::new()),
            Err(fault) if fault.kind == FaultKind::PANICKED => {
                (Outcome::Panicked, target.redact(&fault.message))
            }
            Err(fault) => (Outcome::Error, target.redact(&fault.message)),
        };
        job.end(number, |state| self.note(job, number, run, outcome, Some(took), &message, state.since_us));
        target.ended(job, outcome, &message);
    }

    #[expect(clippy::too_many_arguments, reason = "a row has as many columns")]
    fn note(
        &self,
        job: &Job,
        number: i64,
        run: RunView,
        outcome: Outcome,
        took: Option<u64>,
        message: &str,
        since_us: u64,
    ) {
        job.count(outcome);
        let began = !matches!(outcome, Outcome::Skipped | Outcome::Missed);
        let cause = match run.cause {
            Cause::BY_HAND => "by_hand",
            Cause::MISSED => "missed",
            _ => "due",
        };
        let row = RunRow {
            plugin: job.plugin.to_string(),
            job: job.options.name.clone(),
            number,
            scheduled_us: signed(run.scheduled_us),
            started_us: began.then_some(signed(run.started_us)),
            duration_us: took.map(signed),
            cause: cause.to_owned(),
            outcome: outcome.name().to_owned(),
            // No database takes it as text.
            message: cut(message).replace('\0', "\u{fffd}"),
        };
        self.records.note(row, signed(since_us));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Job>>> {
        // No plugin code runs under this lock.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What was due up to `now` is accounted for; what comes next comes later.
    fn account_for(&mut self, now: u64) {
        self.since_us = match (&self.when, self.next_us) {
            // A distance is one between the times, whatever the timer's delay.
            (Some(When::Every(distance)), Some(due))
                if due <= now && now - due < clock::micros(*distance) =>
            {
                due
            }
            _ => now,
        };
        let when = self.when.as_ref().filter(|_| !self.paused);
        self.next_us = when.and_then(|when| when.next_after(self.since_us));
    }

    /// Counts a run that is skipped. Those that follow each other are one entry.
    fn skip(&mut self, scheduled_us: u64) -> (i64, u64, u64) {
        let (number, first, count) = self.skipped.unwrap_or_else(|| {
            self.runs += 1;
            (self.runs, scheduled_us, 0)
        });
        *self.skipped.insert((number, first, count + 1))
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("jobs", &self.lock().len()).finish_non_exhaustive()
    }
}

/// The most of a message that is kept.
const MAX_MESSAGE_BYTES: usize = 4096;

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_MESSAGE_BYTES)]
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
