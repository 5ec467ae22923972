//! What the database knows of jobs: when they ran, what came of it, and which are paused.

use std::{
    fmt,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use diesel::prelude::*;
use slog::{Logger, error};

use super::Options;
use crate::store::{
    Connection, Database, DatabaseError, on,
    schema::{job_runs, jobs},
};

/// How many runs of a job are kept.
pub const KEPT_RUNS: i64 = 100;
/// How many entries may wait to be written. More come only while the database does not take any.
const MAX_WAITING: usize = 4096;
/// How long a reader waits for what was noted before.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ended well.
    Ok,
    /// The handler answered an error.
    Error,
    /// The handler panicked.
    Panicked,
    /// It did not begin, since an earlier one had not ended.
    Skipped,
    /// It did not begin, since the plugin did not run.
    Missed,
    /// It has not ended, past its deadline.
    Hanging,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Ok, Self::Error, Self::Panicked, Self::Skipped, Self::Missed, Self::Hanging];

    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Panicked => "panicked",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Hanging => "hanging",
        }
    }
}

/// A run, as it is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = job_runs, treat_none_as_null = true)]
pub struct RunRow {
    pub(super) plugin: String,
    pub(super) job: String,
    /// Counts the job's runs.
    pub number: i64,
    /// When it was due, microseconds since 1970-01-01 UTC.
    pub scheduled_us: i64,
    /// When it began.
    pub started_us: Option<i64>,
    /// How long it took.
    pub duration_us: Option<i64>,
    /// `due`, `by_hand` or `missed`.
    pub cause: String,
    /// The name of an [`Outcome`].
    pub outcome: String,
    /// What the handler or the host said.
    pub message: String,
}

/// A job, as it is kept.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct JobRow {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub schedule: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// Whether it is paused.
    pub paused: bool,
    pub(super) since_us: i64,
    /// When its last run began.
    pub last_run_us: Option<i64>,
    /// What became of it.
    pub last_outcome: Option<String>,
}

/// What is to be written down.
pub(super) enum Entry {
    /// A run, and up to when what was due is accounted for.
    Run(RunRow, i64),
    /// Whoever waits hears that all before was written.
    Flush(mpsc::Sender<()>),
}

/// The jobs and runs of all plugins. Everything here blocks, but for what notes a run.
pub struct JobRecords {
    database: Arc<Database>,
    /// `None` where nothing is noted: on a stopped host.
    notes: Option<mpsc::SyncSender<Entry>>,
    logger: Logger,
}

impl JobRecords {
    /// Those in this database, of a host that is stopped.
    #[must_use]
    pub fn stopped(database: Arc<Database>) -> Self {
        Self { database, notes: None, logger: Logger::root(slog::Discard, slog::o!()) }
    }

    /// Those in this database, with a thread that writes. It ends when these records go.
    pub(super) fn start(database: Arc<Database>, logger: &Logger) -> std::io::Result<Self> {
        let (notes, entries) = mpsc::sync_channel(MAX_WAITING);
        let (writes, complains) = (Arc::clone(&database), logger.clone());
        thread::Builder::new().name("ss:jobs-writer".to_owned()).spawn(move || {
            for entry in entries {
                match entry {
                    Entry::Flush(done) => drop(done.send(())),
                    Entry::Run(row, since) => write(&writes, &row, since, &complains),
                }
            }
        })?;
        Ok(Self { database, notes: Some(notes), logger: logger.clone() })
    }

    /// Has a run written down. Does not wait.
    pub(super) fn note(&self, row: RunRow, since: i64) {
        let Some(notes) = &self.notes else { return };
        if let Err(mpsc::TrySendError::Full(Entry::Run(row, _))) = notes.try_send(Entry::Run(row, since)) {
            error!(
                self.logger, "A run cannot be written down: too many wait for the database.";
                "job" => row.job, "outcome" => row.outcome, "plugin" => row.plugin
            );
        }
    }

    /// Waits until what was noted is written, if the database takes it.
    pub(super) fn flush(&self) {
        let Some(notes) = &self.notes else { return };
        let (done, heard) = mpsc::channel();
        if notes.try_send(Entry::Flush(done)).is_ok() {
            // Who reads sooner sees less, and that is all.
            let _ = heard.recv_timeout(PATIENCE);
        }
    }

    /// Writes down which jobs a plugin has. Answers them as they are known, with the numbers of their newest runs.
    pub(super) fn register(
        &self,
        plugin: &str,
        wanted: &[Options],
        now: i64,
    ) -> Result<Vec<(JobRow, i64)>, DatabaseError> {
        self.flush();
        self.database.with("write a plugin's jobs", |connection| {
            connection.write(|connection| {
                on!(connection, |c| {
                    let mut known = Vec::with_capacity(wanted.len());
                    for job in wanted {
                        let times = (jobs::schedule.eq(&job.schedule), jobs::time_zone.eq(&job.time_zone));
                        diesel::insert_into(jobs::table)
                            .values((
                                jobs::plugin.eq(plugin),
                                jobs::name.eq(&job.name),
                                times,
                                jobs::paused.eq(false),
                                jobs::since_us.eq(now),
                            ))
                            .on_conflict((jobs::plugin, jobs::name))
                            .do_update()
                            .set(times)
                            .execute(c)?;
                        let row =
                            jobs::table.find((plugin, &job.name)).select(JobRow::as_select()).first(c)?;
                        let of_job = job_runs::plugin.eq(plugin).and(job_runs::job.eq(&job.name));
                        let newest: Option<i64> = job_runs::table
                            .filter(of_job)
                            .select(diesel::dsl::max(job_runs::number))
                            .first(c)?;
                        known.push((row, newest.unwrap_or(0)));
                    }
                    Ok(known)
                })
            })
        })
    }

    /// Forgets a plugin's jobs but these.
    pub(super) fn keep_only(&self, plugin: &str, wanted: &[Options]) -> Result<(), DatabaseError> {
        self.database.with("forget jobs that a plugin has no more", |connection| {
            on!(connection, |c| {
                let names: Vec<&str> = wanted.iter().map(|job| job.name.as_str()).collect();
                let others = jobs::plugin.eq(plugin).and(jobs::name.ne_all(&names));
                diesel::delete(jobs::table.filter(others)).execute(c)
            })
        })?;
        Ok(())
    }

    /// A plugin's jobs, by name.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn list(&self, plugin: &str) -> Result<Vec<JobRow>, DatabaseError> {
        self.flush();
        self.database.with("list a plugin's jobs", |connection| {
            on!(connection, |c| {
                let of_plugin = jobs::table.filter(jobs::plugin.eq(plugin));
                of_plugin.order(jobs::name).select(JobRow::as_select()).load(c)
            })
        })
    }

    /// The runs of a job that are kept, the newest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn history(&self, plugin: &str, job: &str) -> Result<Vec<RunRow>, DatabaseError> {
        self.database.with("read a job's history", |connection| {
            on!(connection, |c| {
                let of_job = job_runs::plugin.eq(plugin).and(job_runs::job.eq(job));
                job_runs::table
                    .filter(of_job)
                    .order(job_runs::number.desc())
                    .limit(KEPT_RUNS)
                    .select(RunRow::as_select())
                    .load(c)
            })
        })
    }

    /// Writes down whether a job is paused; what was due up to `since` is accounted for.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn pause(&self, plugin: &str, job: &str, paused: bool, since: i64) -> Result<(), DatabaseError> {
        self.database.with("write that a job is paused", |connection| {
            on!(connection, |c| {
                let set = (jobs::paused.eq(paused), jobs::since_us.eq(since));
                diesel::update(jobs::table.find((plugin, job))).set(set).execute(c)
            })
        })?;
        Ok(())
    }
}

impl fmt::Debug for JobRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRecords").finish_non_exhaustive()
    }
}

fn write(database: &Database, row: &RunRow, since: i64, logger: &Logger) {
    let written = database.with("write a run of a job", |connection| {
        connection.write(|connection| write_run(connection, row, since))
    });
    if let Err(why) = written {
        error!(
            logger, "A run cannot be written down.";
            "error" => %why, "job" => &row.job, "outcome" => &row.outcome, "plugin" => &row.plugin
        );
    }
}

fn write_run(connection: &mut Connection, row: &RunRow, since: i64) -> QueryResult<()> {
    on!(connection, |c| {
        let job = jobs::table.find((&row.plugin, &row.job));
        let known = diesel::update(job).set(jobs::since_us.eq(since)).execute(c)?;
        if known == 0 {
            // Its plugin was uninstalled meanwhile.
            return Ok(());
        }
        if row.started_us.is_some() {
            let last = (jobs::last_run_us.eq(row.started_us), jobs::last_outcome.eq(&row.outcome));
            diesel::update(job).set(last).execute(c)?;
        }
        diesel::insert_into(job_runs::table)
            .values(row)
            .on_conflict((job_runs::plugin, job_runs::job, job_runs::number))
            .do_update()
            .set(row)
            .execute(c)?;
        let of_job = job_runs::plugin.eq(&row.plugin).and(job_runs::job.eq(&row.job));
        let old = of_job.and(job_runs::number.le(row.number - KEPT_RUNS));
        diesel::delete(job_runs::table.filter(old)).execute(c)?;
        Ok(())
    })
}
