//! How a plugin is, in one word, and why.

use std::{sync::atomic::Ordering, time::Duration};

use serde::{Deserialize, Serialize};
use slog::Level;

use super::{InstallError, Plugins};
use crate::{
    log::{LogLine, Wanted, Whose},
    runtime::State,
    scheduler::Job,
};

/// A consumer that has so many events to go is behind.
const BEHIND: u64 = 1000;

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthWord {
    /// It runs, and nothing is wrong.
    Healthy,
    /// It runs, and something is wrong; or it is on its way up or down.
    Degraded,
    /// It should run and does not.
    Failed,
    /// It is not to run.
    Stopped,
}

/// How a plugin is.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PluginHealth)]
pub struct Health {
    /// Its name.
    pub plugin: String,
    /// `healthy`, `degraded`, `failed` or `stopped`.
    pub health: HealthWord,
    /// Why, if it is `degraded` or `failed`. In words, one thing each.
    pub reasons: Vec<String>,
    /// `installed`, `loading`, `running`, `upgrading`, `disabled`, `retiring`, `failed` or `quarantined`.
    pub state: String,
    /// Why it is `failed` or `quarantined`.
    pub reason: Option<String>,
    /// The newest line of its log that is an error, of those in memory.
    pub last_error: Option<LogLine>,
    /// Panics of its handlers within `plugins.panic_window_secs`.
    pub panics: u64,
    /// Handlers, jobs and taps that are past their deadline.
    pub hanging: Vec<Hanging>,
    /// Consumers that are behind, or hold back what is behind an event that waits for its next try.
    pub behind: Vec<Behind>,
    /// Dead letters that there are.
    pub dead_letters: u64,
    /// What became of the last run of each job.
    pub jobs: Vec<LastRun>,
    /// Taps for which streams were to wait, and do so no more since it took too long.
    pub lapsed: Vec<Lapsed>,
}

/// Something that hangs.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hanging {
    /// `consumer`, `job` or `tap`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// For how long it has been running.
    pub running_secs: f64,
}

/// A consumer that is behind.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Behind {
    /// Its name.
    pub consumer: String,
    /// Events that wait.
    pub pending: u64,
    /// `behind`, `blocked`, `busy` or `hanging`.
    pub state: String,
}

/// A tap that does not keep up.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lapsed {
    /// Its name.
    pub tap: String,
    /// How many streams do not wait for it any more.
    pub streams: u64,
}

/// The last run of a job.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LastRun {
    /// The job's name.
    pub job: String,
    /// `ok`, `error`, `panicked`, `skipped`, `missed` or `hanging`; `null` if it never ran.
    pub outcome: Option<String>,
    /// When it began, RFC 3339.
    pub at: Option<String>,
}

impl Plugins {
    /// How a plugin is.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`]; [`InstallError::Database`].
    pub fn health(&self, name: &str) -> Result<Health, InstallError> {
        let view = self.view(&self.installed(name)?);
        let jobs = self.jobs(name)?;
        let last_run =
            |job: super::JobView| LastRun { job: job.name, outcome: job.last_outcome, at: job.last_run_at };
        let mut health = Health {
            plugin: view.name,
            health: HealthWord::Healthy,
            reasons: Vec::new(),
            state: view.state,
            reason: view.reason,
            last_error: None,
            panics: 0,
            hanging: Vec::new(),
            behind: Vec::new(),
            dead_letters: view.consumers.iter().map(|consumer| consumer.counts.dead).sum(),
            jobs: jobs.into_iter().map(last_run).collect(),
            lapsed: Vec::new(),
        };
        if let Some(runtime) = &self.runtime {
            let wanted = Wanted { level: Level::Error, after: None, limit: 1 };
            health.last_error = runtime.logs().page(Whose::Plugin(name), wanted).lines.pop();
            health.panics = runtime.panics(name).0 as u64;
            for job in runtime.scheduler().jobs().iter().filter(|job| &**job.plugin() == name) {
                let late = Job::running_for(job).filter(|time| *time > job.options().deadline);
                health.hanging.extend(late.map(|time| hanging("job", &job.options().name, time)));
            }
            for tap in runtime.streams().attached().iter().filter(|tap| &**tap.plugin() == name) {
                let own = tap.options();
                let late = tap.running_for().filter(|time| *time > own.deadline);
                health.hanging.extend(late.map(|time| hanging("tap", &own.name, time)));
                let streams = tap.figures().lapsed.load(Ordering::Relaxed);
                if streams > 0 {
                    health.lapsed.push(Lapsed { tap: own.name.clone(), streams });
                }
            }
            for consumer in runtime.consumers(name) {
                let (condition, counts) = (consumer.condition(), consumer.counts());
                let own = consumer.options();
                if condition.state == "hanging" {
                    let time = consumer.running_for().unwrap_or(own.deadline);
                    health.hanging.push(hanging("consumer", &own.name, time));
                }
                if condition.state != "stopped" && (condition.state == "blocked" || counts.pending > BEHIND) {
                    health.behind.push(Behind {
                        consumer: own.name.clone(),
                        pending: counts.pending,
                        state: condition.state.to_owned(),
                    });
                }
            }
        }
        health.judge(view.enabled);
        Ok(health)
    }
}

fn hanging(kind: &str, name: &str, time: Duration) -> Hanging {
    Hanging { kind: kind.to_owned(), name: name.to_owned(), running_secs: time.as_secs_f64() }
}

impl Health {
    /// Says the word and the reasons.
    fn judge(&mut self, enabled: bool) {
        if let Some(reason) = &self.reason {
            (self.health, self.reasons) = (HealthWord::Failed, vec![reason.clone()]);
            return;
        }
        if !enabled || self.state == State::Installed.name() {
            self.health = HealthWord::Stopped;
            return;
        }
        let mut reasons = Vec::new();
        if self.state != State::Running.name() {
            reasons.push(format!("It is {}.", self.state));
        }
        if self.panics > 0 {
            reasons.push(format!("Its handlers panicked {} times of late.", self.panics));
        }
        for hanging in &self.hanging {
            reasons.push(format!(
                "The {} `{}` has been running for {:.0} s.",
                hanging.kind, hanging.name, hanging.running_secs
            ));
        }
        for behind in &self.behind {
            let (name, pending) = (&behind.consumer, behind.pending);
            reasons.push(match behind.state.as_str() {
                "blocked" => {
                    format!("The consumer `{name}` waits for its next try, and {pending} events with it.")
                }
                _ => format!("The consumer `{name}` has {pending} events to go."),
            });
        }
        for Lapsed { tap, streams } in &self.lapsed {
            reasons.push(format!(
                "The tap `{tap}` does not keep up: {streams} streams do not wait for it any more."
            ));
        }
        if self.dead_letters > 0 {
            reasons.push(format!("It has {} dead letters.", self.dead_letters));
        }
        for run in &self.jobs {
            if let Some(outcome @ ("error" | "panicked" | "hanging")) = run.outcome.as_deref() {
                reasons.push(format!("The last run of the job `{}` ended with: {outcome}.", run.job));
            }
        }
        if !reasons.is_empty() {
            self.health = HealthWord::Degraded;
        }
        self.reasons = reasons;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(state: &str) -> Health {
        Health {
            plugin: "p".to_owned(),
            health: HealthWord::Healthy,
            reasons: Vec::new(),
            state: state.to_owned(),
            reason: None,
            last_error: None,
            panics: 0,
            hanging: Vec::new(),
            behind: Vec::new(),
            dead_letters: 0,
            jobs: Vec::new(),
            lapsed: Vec::new(),
        }
    }

    fn judged(mut health: Health, enabled: bool) -> (HealthWord, usize) {
        health.judge(enabled);
        (health.health, health.reasons.len())
    }

    #[test]
    fn one_word_says_it() {
        assert_eq!(judged(health("running"), true), (HealthWord::Healthy, 0));
        assert_eq!(judged(health("disabled"), false), (HealthWord::Stopped, 0));
        assert_eq!(judged(health("loading"), true), (HealthWord::Degraded, 1));
        let failed = Health { reason: Some("no".to_owned()), ..health("failed") };
        assert_eq!(judged(failed, true), (HealthWord::Failed, 1));
    }

    #[test]
    fn each_thing_that_is_wrong_is_a_reason() {
        let run =
            |outcome: &str| LastRun { job: "j".to_owned(), outcome: Some(outcome.to_owned()), at: None };
        let ill = Health {
            panics: 1,
            dead_letters: 2,
            hanging: vec![hanging("job", "j", Duration::from_secs(90))],
            behind: vec![Behind { consumer: "c".to_owned(), pending: 7, state: "blocked".to_owned() }],
            jobs: vec![run("ok"), run("error"), run("hanging")],
            lapsed: vec![Lapsed { tap: "t".to_owned(), streams: 3 }],
            ..health("running")
        };
        assert_eq!(judged(ill, true), (HealthWord::Degraded, 7));
    }
}
