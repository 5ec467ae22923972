//! A notification as the bodies of Events API v2: alert events, and change events, which wake nobody.
//!
//! The integration key is not in them: it is put in when they are sent.

use serde::Serialize;
use serde_json::{Map, Value, json};
use streamspace_notifier::{
    Kind, Link, Notification,
    text::{self, plain, web_address},
};

use crate::{
    alert::digest,
    config::Target,
    plan::{Action, Plan},
};

/// Where alert events go (<https://developer.pagerduty.com/docs/send-alert-event>).
pub(crate) const ALERT: &str = "/v2/enqueue";
/// Where change events go (<https://developer.pagerduty.com/docs/send-change-event>).
pub(crate) const CHANGE: &str = "/v2/change/enqueue";

/// Limits in characters and pieces. The first two are PagerDuty's, of the pages above. The others are ours: together they keep
/// a body far below the 512 KB that PagerDuty takes (<https://developer.pagerduty.com/docs/events-api-v2-overview>, "Size
/// Limits").
pub(crate) mod limit {
    /// `payload.summary`.
    pub(crate) const SUMMARY: usize = 1024;
    /// `dedup_key`.
    pub(crate) const DEDUP_KEY: usize = 255;
    /// `payload.source`, `component`, `group` and `class`, and the text of a link.
    pub(crate) const NAME: usize = 255;
    /// The address of a link.
    pub(crate) const URL: usize = 2048;
    /// `links`.
    pub(crate) const LINKS: usize = 10;
    /// Entries of `custom_details`.
    pub(crate) const DETAILS: usize = 40;
    /// The name of one.
    pub(crate) const LABEL: usize = 100;
    /// What stands under it.
    pub(crate) const VALUE: usize = 1024;
    /// A whole body, in bytes.
    #[cfg(test)]
    pub(crate) const BODY: usize = 512 * 1024;
}

/// Who sends, as people read it.
const CLIENT: &str = "StreamSpace";
/// What our keys begin with: a service may have other sources of events too.
const PREFIX: &str = "streamspace/";

/// What one event has PagerDuty told: none, one or several requests.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) requests: Vec<Piece>,
}

/// One request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Piece {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    /// Which alert it is about, by the name of its problem; none of a change event.
    #[serde(skip)]
    pub(crate) alert: Option<(Action, String)>,
}

impl Piece {
    /// What it is, for the list of deliveries.
    pub(crate) fn name(&self) -> String {
        match &self.alert {
            Some((action, key)) => format!("{} {}", action.as_str(), dedup_key(key)),
            None => "change".to_owned(),
        }
    }
}

/// What this destination is told of `notification`.
pub(crate) fn message(notification: &Notification, to: &Target) -> Message {
    let plan = Plan::of(notification, to);
    let alerts = plan.alerts.iter().map(|(action, key)| Piece {
        path: ALERT,
        body: match action {
            Action::Trigger => trigger(notification, key, &plan, to),
            Action::Acknowledge | Action::Resolve => follow_up(*action, key),
        },
        alert: Some((*action, key.clone())),
    });
    let change = plan.change.then(|| Piece { path: CHANGE, body: change(notification, to), alert: None });
    Message { requests: alerts.chain(change).collect() }
}

fn trigger(notification: &Notification, key: &str, plan: &Plan, to: &Target) -> Value {
    let mut payload = payload(notification, to);
    payload.insert("severity".into(), plan.severity.as_str().into());
    for (key, value) in [
        ("component", component(notification)),
        ("group", notification.about.templates.first().map_or("", String::as_str)),
        ("class", notification.topic.as_str()),
    ] {
        let value = plain(value, limit::NAME);
        if !value.is_empty() {
            payload.insert(key.into(), value.into());
        }
    }
    let mut body = json!({
        "event_action": Action::Trigger.as_str(),
        "dedup_key": dedup_key(key),
        "payload": payload,
        "client": CLIENT,
    });
    if let Some(url) = &to.platform_url {
        body["client_url"] = url.as_str().into();
    }
    with_links(body, notification)
}

fn change(notification: &Notification, to: &Target) -> Value {
    with_links(json!({ "payload": payload(notification, to) }), notification)
}

/// Of an alert that PagerDuty knows, its key is enough.
pub(crate) fn follow_up(action: Action, key: &str) -> Value {
    json!({ "event_action": action.as_str(), "dedup_key": dedup_key(key) })
}

/// What alerts and changes have in common.
fn payload(notification: &Notification, to: &Target) -> Map<String, Value> {
    let summary = [&notification.summary, &notification.title, &notification.topic]
        .into_iter()
        .map(|text| plain(text, limit::SUMMARY))
        .find(|text| !text.is_empty());
    let mut payload = Map::new();
    payload.insert("summary".into(), summary.unwrap_or_else(|| CLIENT.to_owned()).into());
    payload.insert("source".into(), plain(&to.source, limit::NAME).into());
    payload.insert("timestamp".into(), text::rfc3339(notification.occurred_at).into());
    payload.insert("custom_details".into(), details(notification).into());
    payload
}

/// The fields, and which event it was. The platform's own plugin had the same names.
fn details(notification: &Notification) -> Map<String, Value> {
    let mut details = Map::new();
    if notification.kind == Kind::Event {
        details.insert("eventType".into(), plain(&notification.topic, limit::VALUE).into());
    }
    for field in &notification.fields {
        let (name, value) = (name(&plain(&field.label, limit::LABEL)), plain(&field.value, limit::VALUE));
        if name.is_empty() || value.is_empty() {
            continue;
        }
        if details.len() == limit::DETAILS {
            break;
        }
        // Of a digest, several lines may be of one second.
        let mut free = name.clone();
        let mut n = 1;
        while details.contains_key(&free) {
            n += 1;
            free = format!("{name} ({n})");
        }
        details.insert(free, value.into());
    }
    details
}

/// Our labels as keys: `Session ID` becomes `sessionId`, `CPU` becomes `cpu`. Keys of payloads stay as they are.
fn name(label: &str) -> String {
    if !label.starts_with(|c: char| c.is_ascii_uppercase()) {
        return label.to_owned();
    }
    let mut name = String::new();
    for word in label.split(' ') {
        let word = word.to_lowercase();
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.extend(letters);
    }
    name
}

/// The part of the platform that it is about.
fn component(notification: &Notification) -> &str {
    let mut words = notification.topic.split('.');
    match (words.next().unwrap_or_default(), words.next(), words.next()) {
        ("session", ..) => "sessions",
        ("user", ..) => "users",
        ("quota", ..) => "quotas",
        ("plugin", Some(name), Some(_)) => name,
        ("plugin", ..) if !notification.subject.is_empty() => &notification.subject,
        (first, ..) => first,
    }
}

fn with_links(mut body: Value, notification: &Notification) -> Value {
    let links: Vec<Value> = notification.links.iter().filter_map(link).take(limit::LINKS).collect();
    if !links.is_empty() {
        body["links"] = links.into();
    }
    body
}

fn link(link: &Link) -> Option<Value> {
    web_address(&link.url, limit::URL)
        .then(|| json!({ "href": link.url, "text": plain(link.label, limit::NAME) }))
}

/// The name of a problem as PagerDuty takes it. Of one that is too long, the end becomes a digest of the whole, so that two are
/// never taken for one.
pub(crate) fn dedup_key(problem: &str) -> String {
    let key = format!("{PREFIX}{problem}");
    let clean = plain(&key, usize::MAX);
    if clean == key && key.chars().count() <= limit::DEDUP_KEY {
        return key;
    }
    let digest = digest(&key);
    let start: String = clean.chars().take(limit::DEDUP_KEY - digest.len() - 1).collect();
    format!("{start}-{digest}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use streamspace_notifier::{Field, testing::Sample};

    use super::*;
    use crate::{config::tests::everything, rules::assert_within_limits};

    fn failed() -> Notification {
        Sample::new(
            "session.failed",
            json!({"id": "s-1", "user": "ada", "template": "gimp", "error": "boom"}),
        )
        .notification()
    }

    fn body(notification: &Notification) -> Value {
        let message = message(notification, &everything());
        assert_within_limits(&message);
        message.requests[0].body.clone()
    }

    #[test]
    fn every_text_is_cut_at_its_limit() {
        for text in ["x", "🦀", "\"", "é\\"] {
            let long = text.repeat(5000);
            let field = |n: usize| Field { label: format!("{n} {long}"), value: long.clone() };
            let body = body(&Notification {
                summary: long.clone(),
                fields: (0..100).map(field).collect(),
                ..failed()
            });
            let summary = body["payload"]["summary"].as_str().expect("a summary");
            assert!(summary.ends_with('…'), "{summary}");
            assert_eq!(body["payload"]["custom_details"].as_object().map(Map::len), Some(limit::DETAILS));
        }
    }

    #[test]
    fn there_is_always_a_summary() {
        let empty = Notification { summary: "\n".into(), title: "\u{202e}".into(), ..failed() };
        assert_eq!(body(&empty)["payload"]["summary"], "session.failed");
    }

    #[test]
    fn a_name_forges_no_line() {
        let forged = Notification { summary: "ada\n\nseverity: info".into(), ..failed() };
        assert_eq!(body(&forged)["payload"]["summary"], "ada severity: info");
    }

    #[test]
    fn a_key_is_the_same_for_the_same_problem_and_no_other() {
        assert_eq!(dedup_key("session/s-1/failed"), "streamspace/session/s-1/failed");
        let long = "x".repeat(300);
        let (one, other) = (dedup_key(&format!("{long}a")), dedup_key(&format!("{long}b")));
        assert_eq!(one, dedup_key(&format!("{long}a")));
        assert_ne!(one, other);
        assert_eq!((one.chars().count(), other.chars().count()), (255, 255));
        let fits = "é".repeat(255 - PREFIX.len());
        assert_eq!(dedup_key(&fits), format!("{PREFIX}{fits}"));
        assert_ne!(dedup_key("a\nb"), dedup_key("a b"), "what is cleaned is told apart");
        assert!(!dedup_key("a\nb").contains('\n'));
    }

    #[test]
    fn details_have_the_names_that_they_had() {
        for (label, expected) in [
            ("Session ID", "sessionId"),
            ("Full Name", "fullName"),
            ("CPU", "cpu"),
            ("clientIP", "clientIP"),
            ("dry_run", "dry_run"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(name(label), expected);
        }
        let line = |value: &str| Field { label: "2026-01-02T03:04:05Z".into(), value: value.into() };
        let details = details(&Notification { fields: vec![line("a"), line("b")], ..failed() });
        assert_eq!(details["2026-01-02T03:04:05Z (2)"], "b");
    }

    #[test]
    fn the_part_of_the_platform_is_named() {
        let component = |topic: &'static str, data: Value| {
            super::component(&Sample::new(topic, data).notification()).to_owned()
        };
        assert_eq!(component("session.failed", json!({})), "sessions");
        assert_eq!(component("plugin.failed", json!({"name": "acme"})), "acme");
        assert_eq!(component("plugin.acme.node.down", json!({})), "acme");
        assert_eq!(component("compliance.violation", json!({})), "compliance");
    }

    #[test]
    fn a_link_needs_an_address_of_the_web() {
        let links = |url: &str| {
            let links = vec![Link { label: "Open session", url: url.into() }];
            body(&Notification { links, ..failed() }).get("links").cloned()
        };
        assert_eq!(
            links("https://a.example/s-1"),
            Some(json!([{"href": "https://a.example/s-1", "text": "Open session"}]))
        );
        assert_eq!(links("javascript:alert(1)"), None);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        let late = Notification { occurred_at: UNIX_EPOCH + Duration::from_micros(u64::MAX), ..failed() };
        assert!(body(&late)["payload"]["timestamp"].as_str().is_some_and(|time| time.starts_with("9999-")));
    }

    #[test]
    fn tests_and_digests_are_changes() {
        for kind in [Kind::Test, Kind::Digest] {
            let message = message(&Notification { kind, ..failed() }, &everything());
            let paths: Vec<_> = message.requests.iter().map(|piece| piece.path).collect();
            assert_eq!(paths, [CHANGE]);
        }
    }
}
