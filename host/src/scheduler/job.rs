//! One job: when it is due next, and the runs of it that have not ended.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use streamspace_plugin::{abi::Fault, scheduler::RunView};

use super::{Options, records::Outcome, when::When};
use crate::figures::Counters;

/// What runs jobs: a plugin.
pub trait Target: Send + Sync {
    /// Runs a job of the plugin.
    ///
    /// # Errors
    ///
    /// What the handler answered, or that it panicked.
    fn run(&self, job: u32, run: RunView) -> Result<(), Fault>;

    /// The text without the plugin's secrets.
    fn redact(&self, text: &str) -> String;

    /// A run that began has ended. It counts as ended already.
    fn ended(&self, job: &Job, outcome: Outcome, message: &str);
}

/// A job of a plugin that was loaded.
pub struct Job {
    pub(super) plugin: Arc<str>,
    /// Its number in the plugin.
    pub(super) number: u32,
    pub(super) options: Options,
    state: Mutex<State>,
    /// Signalled when a run ends.
    ended: Condvar,
    /// What became of its runs since it was registered, in the order of [`Outcome::ALL`].
    outcomes: Counters<6>,
}

pub(super) struct State {
    /// `None`: it runs only by hand.
    pub(super) when: Option<When>,
    /// The expression that holds, if it is another one than it was registered with.
    pub(super) rescheduled: Option<(String, String)>,
    /// `None` also while it is paused.
    pub(super) next_us: Option<u64>,
    pub(super) paused: bool,
    /// What was due up to then is accounted for.
    pub(super) since_us: u64,
    /// The number of the newest run.
    pub(super) runs: i64,
    pub(super) running: Vec<Running>,
    /// `None`: nothing is to begin.
    pub(super) target: Option<Arc<dyn Target>>,
    /// Runs that were skipped one after the other: the number and time of the first, and how many.
    pub(super) skipped: Option<(i64, u64, u64)>,
    /// The job whose place it has taken, while runs of that have not ended.
    pub(super) before: Option<Arc<Job>>,
}

impl State {
    /// How many runs of the job before this one have not ended.
    pub(super) fn running_before(&mut self) -> usize {
        let running = self.before.as_ref().map_or(0, |before| before.state().running.len());
        if running == 0 {
            self.before = None;
        }
        running
    }
}

/// A run that has not ended.
#[derive(Debug, Clone)]
pub struct Running {
    pub(super) number: i64,
    pub(super) view: RunView,
    pub(super) since: Instant,
    /// Whether it was reported.
    pub(super) hangs: bool,
}

impl Running {
    /// For how long it has been running.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Job {
    pub(super) fn new(plugin: Arc<str>, number: u32, options: Options, state: State) -> Self {
        Self {
            plugin,
            number,
            options,
            state: Mutex::new(state),
            ended: Condvar::new(),
            outcomes: Counters::default(),
        }
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<str> {
        &self.plugin
    }

    /// Counts what became of a run.
    pub(super) fn count(&self, outcome: Outcome) {
        self.outcomes.note(outcome as usize);
    }

    /// How often what became of its runs, since it was registered.
    #[must_use]
    pub fn outcomes(&self) -> [(&'static str, u64); 6] {
        let counts = self.outcomes.read();
        std::array::from_fn(|kind| (Outcome::ALL[kind].name(), counts[kind]))
    }

    /// What it was registered with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The expression and the time zone that hold.
    #[must_use]
    pub fn schedule(&self) -> (String, String) {
        let own = || (self.options.schedule.clone(), self.options.time_zone.clone());
        self.state().rescheduled.clone().unwrap_or_else(own)
    }

    /// When it is due next, microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        let state = self.state();
        state.target.as_ref().and(state.next_us)
    }

    /// For how long the oldest run that has not ended has been running.
    #[must_use]
    pub fn running_for(&self) -> Option<Duration> {
        self.state().running.iter().map(Running::time).max()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No plugin code runs under this lock, and nothing under it panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run out of those that have not ended. `note` says so before anybody sees it, and must not block.
    pub(super) fn end(&self, number: i64, note: impl FnOnce(&State)) {
        let mut state = self.state();
        state.running.retain(|running| running.number != number);
        note(&state);
        drop(state);
        self.ended.notify_all();
    }

    /// Takes the place of another version's job of the same name, of which nothing more begins.
    pub(super) fn take_over(&self, before: &Arc<Self>, now_us: u64) {
        let (mut from, mut to) = (before.state(), self.state());
        from.target = None;
        // It is no other's successor any more: two may change places, back and forth.
        from.before = None;
        let times = |job: &Self, state: &State| {
            let own = || (job.options.schedule.clone(), job.options.time_zone.clone());
            state.rescheduled.clone().unwrap_or_else(own)
        };
        let same = times(self, &to) == times(before, &from);
        (to.paused, to.runs, to.skipped) = (from.paused, from.runs, from.skipped);
        if same {
            (to.since_us, to.next_us) = (from.since_us, from.next_us);
        } else {
            to.account_for(now_us);
        }
        let runs = !from.running.is_empty();
        drop(from);
        to.before = runs.then(|| Arc::clone(before));
    }

    /// Waits until no run of it has not ended. Answers whether that is so at the deadline.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let mut state = self.state();
        while !state.running.is_empty() {
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return false;
            }
            state = self.ended.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("plugin", &self.plugin)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_under_their_names() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place, "{}", outcome.name());
        }
    }
}
