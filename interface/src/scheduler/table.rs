//! `scheduler/1`, the plugin's half and the host's.

use abi_stable::{
    StableAbi,
    std_types::{RStr, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id, on both sides.
pub const ID: &str = "scheduler/1";

/// What a job asks for. A text that is empty and a number that is 0 stand for the default.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct JobSpec {
    /// Unique within the plugin.
    pub name: RString,
    /// When it runs: an expression. Empty: the one that the manifest has for a job of this name.
    pub schedule: RString,
    /// The IANA name of the time zone that the expression is read in. Empty: UTC.
    pub time_zone: RString,
    /// Whether a run begins although an earlier one has not ended.
    pub may_overlap: bool,
    /// One of the constants of [`MissedRuns`].
    pub missed: MissedRuns,
    /// Milliseconds after which a run is reported as hanging.
    pub deadline_ms: u64,
}

impl JobSpec {
    /// A job called `name` with this expression: in UTC, without overlap, with the host's deadline, and runs that were
    /// missed are noted alone.
    #[must_use]
    pub fn named(name: &str, schedule: &str) -> Self {
        Self {
            name: name.into(),
            schedule: schedule.into(),
            time_zone: RString::new(),
            may_overlap: false,
            missed: MissedRuns::SKIP,
            deadline_ms: 0,
        }
    }
}

/// What is to become of runs that were due while the plugin did not run. A number and not an enum: a host treats a value
/// it does not know as [`MissedRuns::SKIP`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissedRuns(pub u32);

impl MissedRuns {
    /// They are noted.
    pub const SKIP: Self = Self(0);
    /// However many they were, the job runs once as soon as the plugin does.
    pub const RUN_ONCE: Self = Self(1);
}

/// Why a job runs. A number and not an enum: hosts may have further reasons.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause(pub u32);

impl Cause {
    /// Its time has come.
    pub const DUE: Self = Self(1);
    /// An operator asked for it.
    pub const BY_HAND: Self = Self(2);
    /// Its time came while the plugin did not run.
    pub const MISSED: Self = Self(3);
}

/// A run of a job.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RunView {
    /// When it was due, microseconds since 1970-01-01 UTC. Of a run by hand: when that was asked for.
    pub scheduled_us: u64,
    /// When it began, microseconds since 1970-01-01 UTC.
    pub started_us: u64,
    /// One of the constants of [`Cause`].
    pub cause: Cause,
}

/// `scheduler/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = JobsRef)))]
#[sabi(missing_field(option))]
pub struct Jobs {
    /// `[setup]` After `load`: the jobs that the plugin registers. Their position in the list is their number.
    pub list: extern "C" fn(Handle) -> Outcome<RVec<JobSpec>>,
    /// `[worker]` Runs job number `u32`. One call at a time per job, unless it may overlap.
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(Handle, u32, RunView) -> Outcome<()>,
}

/// `scheduler/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = TimetableRef)))]
#[sabi(missing_field(option))]
pub struct Timetable {
    /// `[worker]` and threads of the plugin's own: has a job of this plugin run by another expression, in the time zone of
    /// this IANA name, until the plugin is loaded anew. Empty, the job has no times of its own. A wrong expression changes
    /// nothing.
    #[sabi(last_prefix_field)]
    pub reschedule: extern "C" fn(Handle, RStr<'_>, RStr<'_>, RStr<'_>) -> Outcome<()>,
}
