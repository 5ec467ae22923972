//! Where a recording stands.

use serde::{Deserialize, Serialize};

/// The states of a recording.
///
/// ```text
/// starting → recording ⇄ paused → finalising → completed | failed | truncated
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Nothing is recorded yet.
    Starting,
    Recording,
    Paused,
    /// Its file is being closed.
    Finalising,
    /// Its file is whole.
    Completed,
    /// There is nothing to be seen of it, or its files are gone: only that is taken back, when they are there again.
    Failed,
    /// Its process died, or could not go on: the file has what was recorded until then.
    Truncated,
}

/// What is done with a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first picture is there.
    Begin,
    Pause,
    Resume,
    /// Nothing more is to be recorded.
    Stop,
    /// The file is closed.
    Complete,
    Fail,
    /// What a process left was brought to an end.
    Truncate,
}

/// A step that does not lead anywhere from a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording is {from}: it cannot be {what}", from = .from.name(), what = .step.done())]
pub(crate) struct NoWay {
    pub(crate) from: State,
    pub(crate) step: Step,
}

impl Step {
    fn done(self) -> &'static str {
        match self {
            Self::Begin => "begun",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Stop => "stopped",
            Self::Complete => "completed",
            Self::Fail => "given up",
            Self::Truncate => "cut off",
        }
    }
}

impl State {
    pub(crate) const ALL: [Self; 7] = [
        Self::Starting,
        Self::Recording,
        Self::Paused,
        Self::Finalising,
        Self::Completed,
        Self::Failed,
        Self::Truncated,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Finalising => "finalising",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Truncated => "truncated",
        }
    }

    /// The state of this name; also of the platform's, which says `processing` for finalising.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name == "processing" {
            return Some(Self::Finalising);
        }
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing becomes of it any more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Truncated)
    }

    /// Whether there is something to be played.
    pub(crate) fn is_playable(self) -> bool {
        matches!(self, Self::Completed | Self::Truncated)
    }

    /// The state after a step.
    pub(crate) fn after(self, step: Step) -> Result<Self, NoWay> {
        match (self, step) {
            (Self::Starting, Step::Begin) | (Self::Paused, Step::Resume) => Ok(Self::Recording),
            (Self::Recording, Step::Pause) => Ok(Self::Paused),
            (Self::Starting | Self::Recording | Self::Paused, Step::Stop) => Ok(Self::Finalising),
            (Self::Finalising, Step::Complete) => Ok(Self::Completed),
            (from, Step::Fail) if !from.is_over() => Ok(Self::Failed),
            (from, Step::Truncate) if !from.is_over() => Ok(Self::Truncated),
            (from, step) => Err(NoWay { from, step }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_goes_its_way_and_no_other() {
        let way = [Step::Begin, Step::Pause, Step::Resume, Step::Stop, Step::Complete];
        let end = way.into_iter().try_fold(State::Starting, State::after);
        assert_eq!(end, Ok(State::Completed));
        for (from, step) in [
            (State::Starting, Step::Pause),
            (State::Recording, Step::Resume),
            (State::Paused, Step::Pause),
            (State::Finalising, Step::Stop),
            (State::Recording, Step::Complete),
        ] {
            assert_eq!(from.after(step), Err(NoWay { from, step }));
        }
    }

    #[test]
    fn what_is_over_stays_so() {
        let steps =
            [Step::Begin, Step::Pause, Step::Resume, Step::Stop, Step::Complete, Step::Fail, Step::Truncate];
        for state in State::ALL {
            for step in steps {
                if state.is_over() {
                    assert!(state.after(step).is_err(), "{state:?} {step:?}");
                }
            }
            assert_eq!(state.after(Step::Truncate).is_ok(), !state.is_over());
        }
    }

    #[test]
    fn states_have_their_names_and_the_platforms() {
        for state in State::ALL {
            assert_eq!(State::of(state.name()), Some(state));
        }
        assert_eq!(State::of("processing"), Some(State::Finalising));
        assert_eq!(State::of("gone"), None);
        assert_eq!(
            State::Paused.after(Step::Pause).expect_err("no way").to_string(),
            "the recording is paused: it cannot be paused"
        );
    }
}
