use std::{
    thread,
    time::{Duration, Instant},
};

/// Long enough for whatever a test waits for on a machine that is busy with other things.
pub const DEADLINE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` gives something, and gives that.
///
/// # Panics
///
/// When it does not within `deadline`; the message says `what` was waited for.
#[track_caller]
pub fn wait_for<T>(deadline: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(deadline, condition).unwrap_or_else(|| panic!("waited {deadline:?} in vain for {what}"))
}

/// As [`wait_for`], and nothing if the deadline passes.
pub(crate) fn within<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        // Looked at once more after the deadline, so that a thread that was not scheduled is no failure.
        let late = Instant::now() >= end;
        let found = condition();
        if found.is_some() || late {
            return found;
        }
        thread::sleep(POLL);
    }
}
