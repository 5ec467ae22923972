//! What jobs are registered with.

use std::{collections::HashSet, time::Duration};

use streamspace_plugin::scheduler::{JobSpec, MissedRuns};

use super::{
    expression::{self, ExpressionError},
    when::When,
};

const MAX_NAME_BYTES: usize = 64;
const MAX_EXPRESSION_BYTES: usize = 256;
const MAX_JOBS: usize = 256;
/// The permission to register jobs that the manifest does not name.
const PERMISSION: &str = "scheduler";

/// What a job was registered with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Unique within the plugin.
    pub name: String,
    /// The expression.
    pub schedule: String,
    /// The IANA name; empty for UTC.
    pub time_zone: String,
    /// When it runs.
    pub(super) when: When,
    /// Whether runs may overlap.
    pub may_overlap: bool,
    /// Whether it runs once for those that were missed.
    pub runs_missed: bool,
    /// After what time a run is reported as hanging.
    pub deadline: Duration,
}

/// Why jobs are not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJob {
    /// The expression or the time zone is wrong.
    #[error("the job `{job}`: {source}")]
    Expression {
        /// The job.
        job: String,
        /// What is wrong.
        source: ExpressionError,
    },
    /// The name is not one.
    #[error(
        "the job `{0}`: expected a name of 1 to {MAX_NAME_BYTES} letters, digits, `-` and `_`, each job's its own; register it under another one"
    )]
    Name(String),
    /// There is no expression.
    #[error(
        "the job `{0}` is registered without an expression, and the manifest has none for it: add it to `scheduler.jobs`, or register it with one"
    )]
    NoSchedule(String),
    /// The manifest says nothing of it.
    #[error(
        "the job `{0}` is not in the manifest's `scheduler.jobs`, and the plugin has not the permission `{PERMISSION}`: add one or the other"
    )]
    NotPermitted(String),
    /// There are too many.
    #[error("the plugin registers {0} jobs; this host takes up to {MAX_JOBS}")]
    TooMany(usize),
}

impl InvalidJob {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expression { source: ExpressionError::Expression { .. }, .. } => "SSP-JOB-001",
            Self::Expression { source: ExpressionError::TimeZone(_), .. } => "SSP-JOB-002",
            Self::Name(_) | Self::TooMany(_) => "SSP-JOB-003",
            Self::NoSchedule(_) => "SSP-JOB-004",
            Self::NotPermitted(_) => "SSP-JOB-007",
        }
    }
}

impl Options {
    /// Reads all that a plugin registers, or says what is wrong with the first that is. `manifest` has the names and
    /// expressions of the manifest's jobs, which are registered with or without the permission `scheduler`; others take it.
    ///
    /// # Errors
    ///
    /// [`InvalidJob`].
    pub fn read<'p>(
        specs: &[JobSpec],
        manifest: &[(String, String)],
        permissions: impl IntoIterator<Item = &'p str>,
        deadline: Duration,
    ) -> Result<Vec<Self>, InvalidJob> {
        let may_all = permissions.into_iter().any(|permission| permission == PERMISSION);
        if specs.len() > MAX_JOBS {
            return Err(InvalidJob::TooMany(specs.len()));
        }
        let mut names = HashSet::new();
        specs
            .iter()
            .map(|spec| {
                let name = spec.name.as_str();
                if !is_name(name) || !names.insert(name) {
                    return Err(InvalidJob::Name(name.chars().take(MAX_NAME_BYTES).collect()));
                }
                if !may_all && !manifest.iter().any(|(job, _)| job == name) {
                    return Err(InvalidJob::NotPermitted(name.to_owned()));
                }
                Self::one(spec, manifest, deadline)
            })
            .collect()
    }

    fn one(spec: &JobSpec, manifest: &[(String, String)], deadline: Duration) -> Result<Self, InvalidJob> {
        let name = spec.name.to_string();
        let schedule = match spec.schedule.as_str() {
            "" => {
                let found =
                    manifest.iter().find(|(job, _)| *job == name).map(|(_, schedule)| schedule.clone());
                found.ok_or_else(|| InvalidJob::NoSchedule(name.clone()))?
            }
            schedule => schedule.to_owned(),
        };
        let time_zone = spec.time_zone.to_string();
        let when = read_expression(&name, &schedule, &time_zone)?;
        Ok(Self {
            when,
            may_overlap: spec.may_overlap,
            runs_missed: spec.missed == MissedRuns::RUN_ONCE,
            deadline: if spec.deadline_ms == 0 { deadline } else { Duration::from_millis(spec.deadline_ms) },
            name,
            schedule,
            time_zone,
        })
    }
}

/// Reads the expression of a job.
pub(super) fn read_expression(job: &str, schedule: &str, time_zone: &str) -> Result<When, InvalidJob> {
    let wrong = |source| InvalidJob::Expression { job: job.to_owned(), source };
    if schedule.len() > MAX_EXPRESSION_BYTES || time_zone.len() > MAX_EXPRESSION_BYTES {
        return Err(wrong(ExpressionError::Expression {
            expression: schedule.chars().take(40).collect(),
            reason: format!("it has more than {MAX_EXPRESSION_BYTES} bytes"),
        }));
    }
    expression::read(schedule, time_zone).map_err(wrong)
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
