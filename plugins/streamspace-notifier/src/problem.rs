//! Which problems begin and end with an event.

use streamspace_plugin::events::Event;

use crate::notification::{Notification, Phase, Problem};

/// The problems that begin or end with what `notification` tells.
pub(crate) fn of(notification: &Notification, event: &Event<'_>) -> Vec<Problem> {
    let Some(story) = &notification.thread else { return Vec::new() };
    let problem = |what: &str, phase| Problem { key: format!("{story}/{what}"), phase };
    match event.topic() {
        "session.failed" | "session.error" => vec![problem("failed", Phase::Opened)],
        "session.started" | "session.woken" | "session.terminated" | "session.deleted" => {
            vec![problem("failed", Phase::Resolved)]
        }
        _ => Vec::new(),
    }
}
