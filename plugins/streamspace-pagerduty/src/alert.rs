//! Which alerts are open, as far as PagerDuty was told.
//!
//! One is kept for each problem and destination. What is kept is the last thing that was told of it, or may have been: an answer
//! can be lost. Events have ids that grow, so that one which comes late, because somebody had it sent again, is known by its id.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use streamspace_notifier::Delivery;
use streamspace_plugin::prelude::StorageError;
use uuid::Uuid;

use crate::plan::Action;

/// How long an open alert is remembered that nobody tells of any more.
const OPEN: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long it is remembered that one is over: longer than anybody has an event sent again.
const OVER: Duration = Duration::from_secs(14 * 24 * 3600);

/// What was told last of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alert {
    action: Action,
    /// The event that it was told for.
    by: Uuid,
    /// When, in milliseconds since 1970.
    at_ms: u64,
    /// Whether PagerDuty has said that it has it.
    told: bool,
}

impl Alert {
    pub(crate) fn new(action: Action, by: Uuid, now: SystemTime) -> Self {
        Self { action, by, at_ms: millis(now), told: false }
    }

    pub(crate) fn told(self) -> Self {
        Self { told: true, ..self }
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.action == Action::Acknowledge
    }

    pub(crate) fn remembered(delivery: &Delivery<'_>, key: &str) -> Result<Option<Self>, StorageError> {
        delivery.remembered(&place(key))
    }

    pub(crate) fn remember(&self, delivery: &Delivery<'_>, key: &str) -> Result<(), StorageError> {
        let time = if self.action == Action::Resolve { OVER } else { OPEN };
        delivery.remember(&place(key), self, time)
    }

    pub(crate) fn forget(delivery: &Delivery<'_>, key: &str) -> Result<(), StorageError> {
        delivery.forget(&place(key))
    }
}

/// Whether PagerDuty is to be told, by event `id`, of an alert of which `alert` is known; otherwise why not. The same is not
/// told again within `window`.
///
/// # Errors
///
/// Why there is nothing to be told.
pub(crate) fn permits(
    alert: Option<&Alert>,
    action: Action,
    id: Uuid,
    now: SystemTime,
    window: Duration,
) -> Result<(), &'static str> {
    let Some(alert) = alert else {
        return match action {
            Action::Trigger => Ok(()),
            Action::Acknowledge | Action::Resolve => Err("there is no alert for it"),
        };
    };
    if alert.by > id {
        return Err("a later event has told of the alert");
    }
    let is_again = alert.by != id && alert.told;
    match (action, alert.action) {
        (Action::Trigger, Action::Trigger)
            if is_again && millis(now) < alert.at_ms.saturating_add(millis(UNIX_EPOCH + window)) =>
        {
            Err("the alert is open, and was told of just before")
        }
        (Action::Trigger, _) => Ok(()),
        (Action::Acknowledge, Action::Acknowledge) if is_again => Err("the alert is acknowledged already"),
        (Action::Acknowledge, Action::Resolve) => Err("there is no open alert for it"),
        (Action::Resolve, Action::Resolve) if alert.told => Err("there is no open alert for it"),
        (Action::Acknowledge | Action::Resolve, _) => Ok(()),
    }
}

/// Where it is kept: problems have names of any length.
fn place(key: &str) -> String {
    format!("alert/{}", digest(key))
}

/// 32 hexadecimal digits that stand for a text.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Acknowledge, Resolve, Trigger};

    const WINDOW: Duration = Duration::from_secs(60);

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_323_045 + seconds)
    }

    /// What was told by event 5, and whether PagerDuty answered.
    fn known(action: Action, told: bool) -> Alert {
        Alert { told, ..Alert::new(action, id(5), at(0)) }
    }

    fn is_told(alert: &Alert, action: Action, by: u128, seconds: u64) -> bool {
        permits(Some(alert), action, id(by), at(seconds), WINDOW).is_ok()
    }

    #[test]
    fn what_nobody_was_told_of_begins_and_does_not_end() {
        for (action, expected) in [(Trigger, true), (Acknowledge, false), (Resolve, false)] {
            assert_eq!(permits(None, action, id(5), at(0), WINDOW).is_ok(), expected, "{action:?}");
        }
    }

    #[test]
    fn an_open_alert_goes_on_and_ends() {
        let open = known(Trigger, true);
        assert!(is_told(&open, Acknowledge, 6, 1) && is_told(&open, Resolve, 6, 1));
        let acknowledged = known(Acknowledge, true);
        assert!(!is_told(&acknowledged, Acknowledge, 6, 1));
        assert!(is_told(&acknowledged, Resolve, 6, 1) && is_told(&acknowledged, Trigger, 6, 1));
    }

    #[test]
    fn what_is_over_is_over_until_it_begins_again() {
        let over = known(Resolve, true);
        assert!(!is_told(&over, Resolve, 6, 1) && !is_told(&over, Acknowledge, 6, 1));
        assert!(is_told(&over, Trigger, 6, 1), "at once, whatever the window");
    }

    #[test]
    fn the_same_is_told_again_after_the_window() {
        let open = known(Trigger, true);
        assert!(!is_told(&open, Trigger, 6, 59));
        assert!(is_told(&open, Trigger, 6, 60));
        assert!(
            permits(Some(&open), Trigger, id(6), at(0), Duration::ZERO).is_ok(),
            "without a window, each"
        );
    }

    #[test]
    fn what_may_not_have_arrived_is_told_again() {
        assert!(is_told(&known(Trigger, false), Trigger, 5, 1), "the next try");
        assert!(is_told(&known(Trigger, false), Trigger, 6, 1));
        assert!(is_told(&known(Trigger, false), Resolve, 6, 1), "PagerDuty may have it");
        assert!(is_told(&known(Acknowledge, false), Acknowledge, 6, 1));
        assert!(is_told(&known(Resolve, false), Resolve, 5, 1));
        assert!(is_told(&known(Resolve, false), Resolve, 6, 1));
        assert!(is_told(&known(Trigger, true), Trigger, 5, 1), "killed before it was written down");
    }

    #[test]
    fn an_event_that_comes_late_changes_nothing() {
        for known in [known(Trigger, true), known(Resolve, true), known(Resolve, false)] {
            for action in [Trigger, Acknowledge, Resolve] {
                assert!(!is_told(&known, action, 4, 1), "{known:?} {action:?}");
            }
        }
    }
}
