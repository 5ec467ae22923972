//! Which problems begin, are taken care of, and end with an event.
//!
//! | problem | begins with | is acknowledged by | ends with |
//! |---|---|---|---|
//! | `session/ID/failed` | `session.failed`, `session.error` | `session.state.changed` from `failed` to `pending` | `session.started`, `.woken`, `.terminated`, `.deleted` |
//! | `session/ID/hibernated` | `session.hibernated` | | the same |
//! | `plugin/NAME/failed` | `plugin.failed`, `.error`, `.quarantined` | | `plugin.loaded`, `.updated`, `.disabled`, `.uninstalled` |
//! | `quota/USER/QUOTA` | `quota.exceeded` | | `quota.restored`, and the other words for an end |
//! | `event/STEM/SUBJECT` | a topic that ends in one of [`OPENING`] | one that ends in [`ACKNOWLEDGING`] | one that ends in one of [`RESOLVING`] |
//!
//! The last line is for the topics that nothing else is known of. The stem is the topic without its last word. A payload whose
//! `status` is `firing`, `acknowledged` or `resolved` decides, whatever the topic ends in. With a `dedup_key` in the payload, the
//! problem is `event/OWNER/DEDUP_KEY`, where the owner is the topic's first word, or its first two below `plugin`: such a problem
//! may end with quite another topic.

use serde_json::Value;
use streamspace_plugin::{events::Event, prelude::payload};

use crate::{
    notification::{Notification, Phase, Problem},
    topics,
};

/// Last words of topics with which a problem begins.
pub const OPENING: [&str; 13] = [
    "breached",
    "crashed",
    "degraded",
    "down",
    "error",
    "exceeded",
    "failed",
    "firing",
    "lost",
    "not_ready",
    "opened",
    "unavailable",
    "unhealthy",
];
/// Last words of topics with which somebody takes care of one.
pub const ACKNOWLEDGING: [&str; 1] = ["acknowledged"];
/// Last words of topics with which one ends.
pub const RESOLVING: [&str; 11] = [
    "available",
    "cleared",
    "closed",
    "found",
    "healthy",
    "ok",
    "ready",
    "recovered",
    "resolved",
    "restored",
    "up",
];

const SESSION_OPENING: [&str; 3] = ["session.failed", "session.error", "session.hibernated"];
const SESSION_CHANGED: &str = "session.state.changed";
const SESSION_RESOLVING: [&str; 4] =
    ["session.started", "session.woken", "session.terminated", "session.deleted"];
const PLUGIN_OPENING: [&str; 3] = ["plugin.failed", "plugin.error", "plugin.quarantined"];
const PLUGIN_RESOLVING: [&str; 4] =
    ["plugin.loaded", "plugin.updated", "plugin.disabled", "plugin.uninstalled"];

/// The problems that begin or end with what `notification` tells.
pub(crate) fn of(notification: &Notification, event: &Event<'_>) -> Vec<Problem> {
    let story = |what: &str, phase| {
        notification.thread.as_ref().map(|story| Problem { key: format!("{story}/{what}"), phase })
    };
    match event.topic() {
        "session.hibernated" => story("hibernated", Phase::Opened).into_iter().collect(),
        topic if SESSION_OPENING.contains(&topic) => story("failed", Phase::Opened).into_iter().collect(),
        topic if SESSION_RESOLVING.contains(&topic) => {
            ["failed", "hibernated"].into_iter().filter_map(|what| story(what, Phase::Resolved)).collect()
        }
        SESSION_CHANGED => match event.decode::<payload::SessionStateChanged>() {
            Ok(payload::SessionStateChanged { session, old_state, new_state, .. })
                if old_state == "failed" && new_state == "pending" && !session.id.is_empty() =>
            {
                vec![Problem { key: format!("session/{}/failed", session.id), phase: Phase::Acknowledged }]
            }
            _ => Vec::new(),
        },
        topic if PLUGIN_OPENING.contains(&topic) => story("failed", Phase::Opened).into_iter().collect(),
        topic if PLUGIN_RESOLVING.contains(&topic) => story("failed", Phase::Resolved).into_iter().collect(),
        topic if topic.starts_with("quota.") => quota(event).into_iter().collect(),
        _ => other(notification, event).into_iter().collect(),
    }
}

fn quota(event: &Event<'_>) -> Option<Problem> {
    let phase = by_word(event.topic())?;
    let payload::Quota { user, quota, .. } = event.decode().ok()?;
    Some(Problem { key: format!("quota/{user}/{quota}"), phase })
}

/// Of an event that nothing more is known of than its topic and what its payload says of itself.
fn other(notification: &Notification, event: &Event<'_>) -> Option<Problem> {
    let payload: Value = serde_json::from_slice(event.data()).unwrap_or_default();
    let text = |key: &str| payload.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let topic = event.topic();
    let phase = text("status").and_then(by_status).or_else(|| by_word(topic))?;
    let key = match text("dedup_key") {
        Some(key) => format!("event/{}/{key}", owner(topic)),
        None => {
            // The word goes only if it is what says the phase: `alert.changed` may say it in its payload.
            let stem = topic.rsplit_once('.').filter(|_| by_word(topic).is_some());
            format!("event/{}/{}", stem.map_or(topic, |(stem, _)| stem), notification.subject)
        }
    };
    Some(Problem { key, phase })
}

/// What a payload's `status` says of a problem.
fn by_status(status: &str) -> Option<Phase> {
    match status {
        "firing" => Some(Phase::Opened),
        "acknowledged" => Some(Phase::Acknowledged),
        "resolved" => Some(Phase::Resolved),
        _ => None,
    }
}

/// What the last word of a topic says of a problem.
fn by_word(topic: &str) -> Option<Phase> {
    let (_, word) = topic.rsplit_once('.')?;
    if OPENING.contains(&word) {
        Some(Phase::Opened)
    } else if ACKNOWLEDGING.contains(&word) {
        Some(Phase::Acknowledged)
    } else if RESOLVING.contains(&word) {
        Some(Phase::Resolved)
    } else {
        None
    }
}

/// Whether the topic's last word says that something is wrong: not that a ticket, say, was opened.
pub(crate) fn is_trouble(topic: &str) -> bool {
    !topic.ends_with(".opened") && by_word(topic) == Some(Phase::Opened)
}

/// Whose topic it is: `plugin.NAME`, or the first word.
fn owner(topic: &str) -> &str {
    let mut dots = topic.match_indices('.').map(|(at, _)| at);
    let end = if topic.starts_with("plugin.") { dots.nth(1) } else { dots.next() };
    &topic[..end.unwrap_or(topic.len())]
}

/// What has to be listened to as well, by whoever listens to `filters` and wants to know how the problems go on: topics that
/// the filters do not name themselves.
#[must_use]
pub fn sequels(filters: &[String]) -> Vec<String> {
    let names = |topics: &[&str]| topics.iter().any(|topic| topics::any(filters, topic));
    let mut all: Vec<String> = Vec::new();
    if names(&SESSION_OPENING) {
        all.extend(SESSION_RESOLVING.map(str::to_owned));
        all.push(SESSION_CHANGED.to_owned());
    }
    if names(&PLUGIN_OPENING) {
        all.extend(PLUGIN_RESOLVING.map(str::to_owned));
    }
    for filter in filters.iter().filter(|filter| !is_known(filter)) {
        if let (Some((stem, _)), Some(Phase::Opened)) = (filter.rsplit_once('.'), by_word(filter)) {
            all.extend(ACKNOWLEDGING.iter().chain(&RESOLVING).map(|word| format!("{stem}.{word}")));
        }
    }
    let mut seen = Vec::new();
    all.retain(|topic| {
        let is_new = !seen.contains(topic) && !topics::any(filters, topic);
        seen.push(topic.clone());
        is_new
    });
    all
}

fn is_known(filter: &str) -> bool {
    SESSION_OPENING.contains(&filter) || PLUGIN_OPENING.contains(&filter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Sample;

    fn told(sample: &Sample) -> Vec<(String, Phase)> {
        sample.notification().problems.into_iter().map(|problem| (problem.key, problem.phase)).collect()
    }

    fn of(topic: &'static str, data: Value) -> Vec<(String, Phase)> {
        told(&Sample::new(topic, data))
    }

    fn one(key: &str, phase: Phase) -> Vec<(String, Phase)> {
        vec![(key.to_owned(), phase)]
    }

    #[test]
    fn a_session_that_fails_may_come_back() {
        let session = || json!({"id": "s-1", "user": "ada"});
        for topic in ["session.failed", "session.error"] {
            assert_eq!(of(topic, session()), one("session/s-1/failed", Phase::Opened));
        }
        assert_eq!(of("session.hibernated", session()), one("session/s-1/hibernated", Phase::Opened));
        for topic in SESSION_RESOLVING {
            let expected = [
                ("session/s-1/failed".to_owned(), Phase::Resolved),
                ("session/s-1/hibernated".to_owned(), Phase::Resolved),
            ];
            assert_eq!(of(topic, session()), expected, "{topic}");
        }
        assert_eq!(of("session.stopped", session()), []);
        assert_eq!(of("session.failed", json!({})), [], "which session, nobody knows");
    }

    #[test]
    fn a_session_that_is_started_anew_is_taken_care_of() {
        let changed = |old: &str, new: &str| {
            of(SESSION_CHANGED, json!({"session_id": "s-1", "oldState": old, "newState": new}))
        };
        assert_eq!(changed("failed", "pending"), one("session/s-1/failed", Phase::Acknowledged));
        let by_its_other_name = json!({"id": "s-1", "oldState": "failed", "newState": "pending"});
        assert_eq!(of(SESSION_CHANGED, by_its_other_name), one("session/s-1/failed", Phase::Acknowledged));
        assert_eq!(changed("running", "failed"), []);
        assert_eq!(changed("pending", "creating"), []);
    }

    #[test]
    fn a_plugin_that_runs_again_is_no_problem() {
        let plugin = || json!({"name": "acme", "version": "1.0.0"});
        for topic in PLUGIN_OPENING {
            assert_eq!(of(topic, plugin()), one("plugin/acme/failed", Phase::Opened), "{topic}");
        }
        for topic in PLUGIN_RESOLVING {
            assert_eq!(of(topic, plugin()), one("plugin/acme/failed", Phase::Resolved), "{topic}");
        }
        assert_eq!(of("plugin.lagging", plugin()), []);
    }

    #[test]
    fn a_quota_is_one_of_one_user() {
        let quota = || json!({"user": "ada", "quota": "cpu"});
        assert_eq!(of("quota.exceeded", quota()), one("quota/ada/cpu", Phase::Opened));
        for topic in ["quota.restored", "quota.ok", "quota.resolved"] {
            assert_eq!(of(topic, quota()), one("quota/ada/cpu", Phase::Resolved), "{topic}");
        }
        assert_eq!(of("quota.warning", quota()), []);
    }

    #[test]
    fn of_other_topics_the_last_word_decides() {
        let node = |topic| told(&Sample::empty(topic).about("n-1"));
        let key = "event/plugin.acme-nodes.node/n-1";
        assert_eq!(node("plugin.acme-nodes.node.not_ready"), one(key, Phase::Opened));
        assert_eq!(node("plugin.acme-nodes.node.acknowledged"), one(key, Phase::Acknowledged));
        assert_eq!(node("plugin.acme-nodes.node.ready"), one(key, Phase::Resolved));
        assert_eq!(node("plugin.acme-nodes.node.added"), []);
        assert_eq!(node("failed"), [], "there is no stem");
    }

    #[test]
    fn what_the_payload_says_of_itself_comes_first() {
        let alert = |topic, status: &str| of(topic, json!({"status": status, "dedup_key": "disk"}));
        assert_eq!(alert("monitor.disk.full", "firing"), one("event/monitor/disk", Phase::Opened));
        assert_eq!(alert("monitor.seen", "acknowledged"), one("event/monitor/disk", Phase::Acknowledged));
        assert_eq!(alert("monitor.failed", "resolved"), one("event/monitor/disk", Phase::Resolved));
        assert_eq!(alert("plugin.acme.a.b", "firing"), one("event/plugin.acme/disk", Phase::Opened));
        assert_eq!(alert("monitor.disk.full", "completed"), [], "no word of ours");
        let without_key = told(&Sample::new("monitor.changed", json!({"status": "firing"})).about("disk"));
        assert_eq!(without_key, one("event/monitor.changed/disk", Phase::Opened));
    }

    #[test]
    fn who_listens_to_a_beginning_listens_to_the_end() {
        let of =
            |filters: &[&str]| sequels(&filters.iter().map(|&filter| filter.to_owned()).collect::<Vec<_>>());
        assert_eq!(
            of(&["session.failed", "session.error", "session.started"]),
            ["session.woken", "session.terminated", "session.deleted", "session.state.changed"]
        );
        assert_eq!(of(&["session.*"]), ["session.state.changed"]);
        assert_eq!(of(&["plugin.failed"]), PLUGIN_RESOLVING);
        assert!(of(&["quota.exceeded"]).contains(&"quota.restored".to_owned()));
        assert!(of(&["plugin.acme.*.not_ready"]).contains(&"plugin.acme.*.ready".to_owned()));
        for nothing in ["session.created", "user.>", ">", "plugin.acme.invoice.created"] {
            assert_eq!(of(&[nothing]), [""; 0], "{nothing}");
        }
    }
}
