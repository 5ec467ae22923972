//! Administration of plugins' jobs.

use serde::{Deserialize, Serialize};

use super::{InstallError, Plugins};
use crate::{
    clock,
    scheduler::{Job, JobRow, NotRun, RunRow},
};

/// A job, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// The expression; empty if it runs only by hand.
    pub schedule: String,
    /// The IANA name of the time zone; empty for UTC.
    pub time_zone: String,
    /// Whether it runs by hand alone until it is resumed.
    pub paused: bool,
    /// When it is due next, RFC 3339.
    pub next_run_at: Option<String>,
    /// Seconds that its oldest run has been running for now.
    pub running_secs: Option<f64>,
    /// When its last run began, RFC 3339.
    pub last_run_at: Option<String>,
    /// What became of that: `ok`, `error`, `panicked` or `hanging`.
    pub last_outcome: Option<String>,
    /// Its newest runs, the newest first; only where one job is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<JobRunView>>,
}

/// A run that was due, or was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobRunView {
    /// Counts the job's runs.
    pub number: i64,
    /// `due`, `by_hand`, or `missed` if it makes up for one that was.
    pub cause: String,
    /// `ok`, `error`, `panicked`, `skipped`, `missed` or `hanging`.
    pub outcome: String,
    /// When it was due, RFC 3339.
    pub scheduled_at: String,
    /// When it began, RFC 3339.
    pub started_at: Option<String>,
    /// How long it took.
    pub duration_secs: Option<f64>,
    /// What was said.
    pub message: String,
}

impl Plugins {
    /// A plugin's jobs, by name: those that it registered when it was last loaded.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`]; [`InstallError::Database`].
    pub fn jobs(&self, name: &str) -> Result<Vec<JobView>, InstallError> {
        self.installed(name)?;
        let rows = self.jobs.list(name)?;
        Ok(rows.into_iter().map(|row| self.job_view(name, row)).collect())
    }

    /// One job, with its newest runs.
    ///
    /// # Errors
    ///
    /// [`InstallError::NoJob`]; as [`jobs`](Self::jobs).
    pub fn job(&self, name: &str, job: &str) -> Result<JobView, InstallError> {
        let found = self.jobs(name)?.into_iter().find(|view| view.name == job);
        let mut view = found.ok_or_else(|| no_job(name, job))?;
        view.history = Some(self.jobs.history(name, job)?.into_iter().map(JobRunView::from).collect());
        Ok(view)
    }

    /// Begins a run of a job now, paused or not. Does not wait for its end.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotRun`] if the plugin does not run, or an earlier run has not ended; as [`job`](Self::job).
    pub fn run_job(&self, name: &str, job: &str) -> Result<JobView, InstallError> {
        self.job(name, job)?;
        let begun = match &self.runtime {
            Some(runtime) => match runtime.scheduler().job(name, job) {
                Some(job) => runtime.scheduler().run_now(&job),
                None => Err(NotRun::Stopped),
            },
            None => Err(NotRun::Stopped),
        };
        let not_run = |source| InstallError::NotRun { plugin: name.to_owned(), job: job.to_owned(), source };
        begun.map_err(not_run)?;
        self.job(name, job)
    }

    /// Has a job run by hand alone, now and after the next start of the host, or by its times again. What is due
    /// meanwhile is not made up for.
    ///
    /// # Errors
    ///
    /// As [`job`](Self::job).
    pub fn pause_job(&self, name: &str, job: &str, paused: bool) -> Result<JobView, InstallError> {
        self.job(name, job)?;
        let live =
            self.runtime.as_ref().and_then(|runtime| Some((runtime, runtime.scheduler().job(name, job)?)));
        match live {
            Some((runtime, job)) => runtime.scheduler().pause(&job, paused)?,
            None => {
                self.jobs.pause(name, job, paused, clock::unix_time_us().try_into().unwrap_or(i64::MAX))?
            }
        }
        self.job(name, job)
    }

    fn job_view(&self, plugin: &str, row: JobRow) -> JobView {
        let live = self.runtime.as_ref().and_then(|runtime| runtime.scheduler().job(plugin, &row.name));
        let (schedule, time_zone) = live.as_ref().map_or((row.schedule, row.time_zone), |job| job.schedule());
        JobView {
            name: row.name,
            schedule,
            time_zone,
            paused: row.paused,
            next_run_at: live.as_ref().and_then(|job| job.next_us()).map(clock::rfc3339),
            running_secs: live.as_ref().and_then(|job| Job::running_for(job)).map(|time| time.as_secs_f64()),
            last_run_at: row.last_run_us.map(time),
            last_outcome: row.last_outcome,
            history: None,
        }
    }
}

impl From<RunRow> for JobRunView {
    fn from(run: RunRow) -> Self {
        Self {
            number: run.number,
            cause: run.cause,
            outcome: run.outcome,
            scheduled_at: time(run.scheduled_us),
            started_at: run.started_us.map(time),
            duration_secs: run.duration_us.map(|micros| micros as f64 / 1e6),
            message: run.message,
        }
    }
}

fn time(unix_time_us: i64) -> String {
    clock::rfc3339(u64::try_from(unix_time_us).unwrap_or(0))
}

fn no_job(plugin: &str, job: &str) -> InstallError {
    InstallError::NoJob { plugin: plugin.to_owned(), job: job.chars().take(80).collect() }
}
