//! One message for each session: what it says, and what it said before.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamspace_notifier::{Notification, Severity};
use uuid::Uuid;

use crate::{markdown, render};

/// What a message said before, at most: within one field.
const EARLIER: usize = 10;
/// Of a line's title, in characters. Ours: all lines and their times fit into one field.
const TITLE: usize = 70;
/// Longest key that is remembered, in bytes; the host takes 512, of which the destination's name has a part.
const MAX_KEY: usize = 400;

/// A message in Discord, and what it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The message's id.
    pub(crate) message: String,
    /// The thread that it is in.
    pub(crate) thread: Option<String>,
    /// What it says now.
    pub(crate) shown: Line,
    /// What it said before, the oldest first.
    pub(crate) earlier: Vec<Line>,
}

/// What one event had a message say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    event: Uuid,
    title: String,
    /// When it happened, in milliseconds since 1970.
    ms: u64,
}

impl Line {
    pub(crate) fn of(event: Uuid, notification: &Notification) -> Self {
        let title = markdown::escaped(&notification.title, TITLE);
        Self { event, title, ms: millis(notification.occurred_at) }
    }
}

impl Told {
    /// Whether the message is edited to tell this. What somebody has to notice is a message of its own, since nobody is
    /// notified of an edit; and an event of before does not replace a later one.
    pub(crate) fn is_edited_for(&self, line: &Line, severity: Severity) -> bool {
        // What it says already was posted just before a crash.
        self.shown.event == line.event || (severity < Severity::Error && !self.is_ahead_of(line))
    }

    /// Whether it tells something later.
    pub(crate) fn is_ahead_of(&self, line: &Line) -> bool {
        self.shown.ms > line.ms
    }

    /// The same message once it tells this.
    pub(crate) fn telling(mut self, line: Line) -> Self {
        if self.shown.event != line.event {
            let before = std::mem::replace(&mut self.shown, line);
            self.earlier.push(before);
            let excess = self.earlier.len().saturating_sub(EARLIER);
            self.earlier.drain(..excess);
        }
        self
    }

    /// The body of the request that edits it, made of the one that would post it. The sender and the forum's post stay as they
    /// are; whom it mentioned is over.
    pub(crate) fn edit(&self, message: &Value) -> Value {
        let mut embeds = message["embeds"].clone();
        if !self.earlier.is_empty() {
            let lines: Vec<String> =
                self.earlier.iter().map(|line| format!("<t:{}:f> {}", line.ms / 1000, line.title)).collect();
            let field = json!({ "name": render::EARLIER, "value": lines.join("\n"), "inline": false });
            match embeds[0]["fields"].as_array_mut() {
                Some(fields) => fields.push(field),
                None => embeds[0]["fields"] = json!([field]),
            }
        }
        json!({ "content": null, "embeds": embeds, "allowed_mentions": { "parse": [] } })
    }
}

/// Under which key the message of a story is remembered.
pub(crate) fn key(thread: &str) -> Option<String> {
    let key = format!("message/{thread}");
    (key.len() <= MAX_KEY && !key.contains('\0')).then_some(key)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamspace_notifier::testing::Sample;

    use super::*;
    use crate::{config::tests::target, rules::assert_within_limits};

    fn notification(title: &str, seconds: u64) -> Notification {
        Notification {
            title: title.into(),
            occurred_at: UNIX_EPOCH + Duration::from_secs(seconds),
            ..Sample::new("session.created", json!({"id": "s-1"})).notification()
        }
    }

    fn line(number: u128, title: &str, seconds: u64) -> Line {
        Line::of(Uuid::from_u128(number), &notification(title, seconds))
    }

    fn told() -> Told {
        Told { message: "7".into(), thread: None, shown: line(1, "created", 100), earlier: Vec::new() }
    }

    #[test]
    fn what_somebody_has_to_notice_is_a_message_of_its_own() {
        let told = told();
        for (severity, edited) in [
            (Severity::Info, true),
            (Severity::Warning, true),
            (Severity::Error, false),
            (Severity::Critical, false),
        ] {
            assert_eq!(told.is_edited_for(&line(2, "next", 101), severity), edited, "{severity:?}");
        }
        assert!(told.is_edited_for(&line(1, "created", 100), Severity::Critical), "it is there already");
    }

    #[test]
    fn what_is_older_does_not_replace_what_is_newer() {
        assert!(!told().is_edited_for(&line(2, "late", 99), Severity::Info));
        assert!(told().is_edited_for(&line(2, "in the same second", 100), Severity::Info));
    }

    #[test]
    fn what_was_said_before_stays_to_be_read() {
        let told = told().telling(line(2, "*hibernated*", 160)).telling(line(3, "woken", 220));
        let message = render::message(&notification("woken", 220), &target());
        let edit = told.edit(&message);
        let fields = edit["embeds"][0]["fields"].as_array().expect("fields");
        assert_eq!(
            fields.last(),
            Some(
                &json!({"name": "Earlier", "value": "<t:100:f> created\n<t:160:f> \\*hibernated\\*", "inline": false})
            )
        );
        assert_eq!(edit["allowed_mentions"], json!({"parse": []}));
        for key in ["username", "avatar_url", "thread_name", "applied_tags"] {
            assert!(edit.get(key).is_none(), "{key}");
        }
    }

    #[test]
    fn telling_the_same_again_changes_nothing() {
        let once = told().telling(line(2, "woken", 160));
        assert_eq!(once.clone().telling(line(2, "woken", 160)), once);
    }

    #[test]
    fn a_long_story_is_within_the_limits() {
        let mut told = told();
        for n in 2..40 {
            told = told.telling(line(n, &"🦀*".repeat(100), 100 + n as u64));
        }
        let long = Notification { summary: "x*".repeat(9000), ..notification(&"x*".repeat(900), 1) };
        let message = render::message(&long, &target());
        assert_within_limits(&told.edit(&message));
        assert_eq!(told.earlier.len(), EARLIER);
    }

    #[test]
    fn a_story_has_a_key_that_the_host_takes() {
        assert_eq!(key("session/s-1").as_deref(), Some("message/session/s-1"));
        assert_eq!(key(&"x".repeat(500)), None);
        assert_eq!(key("session/\0"), None);
    }
}
