//! Sample events, and the messages they become: one file an event in `golden/`, compared exactly.
//!
//! After a wanted change, `UPDATE_GOLDEN=1 cargo test -p streamspace-slack golden` writes the files anew; read the
//! difference before committing it.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, from_value, json};
use streamspace_plugin::{
    abi::{RSlice, RStr},
    events::{Event, EventView},
};

use crate::{
    config::{Config, tests::address},
    message, render,
    render::limit,
};

/// An event that owns what an [`Event`] borrows.
pub(crate) struct Sample {
    topic: &'static str,
    subject: &'static str,
    number: u16,
    data: Vec<u8>,
}

impl Sample {
    pub(crate) fn new(topic: &'static str, data: Value) -> Self {
        Self { topic, subject: "", number: 0, data: data.to_string().into_bytes() }
    }

    /// One without a payload.
    pub(crate) fn empty(topic: &'static str) -> Self {
        Self { topic, subject: "", number: 0, data: Vec::new() }
    }

    pub(crate) fn about(self, subject: &'static str) -> Self {
        Self { subject, ..self }
    }

    /// With an id of its own.
    pub(crate) fn numbered(self, number: u16) -> Self {
        Self { number, ..self }
    }

    pub(crate) fn id(&self) -> [u8; 16] {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&self.number.to_be_bytes());
        id
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(&Event<'_>) -> R) -> R {
        read(&Event::new(&EventView {
            id: self.id(),
            time_us: 1_767_323_045_000_000, // Fri, 02 Jan 2026 03:04:05 GMT
            attempt: 1,
            topic: RStr::from_str(self.topic),
            source: RStr::from_str("/streamspace/sessions"),
            subject: RStr::from_str(self.subject),
            data: RSlice::from_slice(&self.data),
            attributes: RSlice::from_slice(&[]),
        }))
    }
}

/// One event of each topic the plugin has words for, and two that it has none for.
fn samples() -> Vec<Sample> {
    let session = || {
        json!({
            "id": "ada-firefox-7f3a", "session_id": "ada-firefox-7f3a", "user": "ada", "user_id": "ada",
            "template": "firefox-browser", "template_name": "firefox-browser",
            "resources": {"cpu": "1000m", "memory": "2Gi"}, "state": "running",
            "url": "https://streamspace.example.com/sessions/ada-firefox-7f3a",
        })
    };
    let failed = |error: &str| {
        let mut payload = session();
        payload["error"] = error.into();
        payload["stack"] = "at start (session.rs:12)".into();
        payload
    };
    let user = || json!({"id": "u-17", "username": "ada", "fullName": "Ada Lovelace", "email": "ada@example.com", "tier": "pro"});
    let mut login = user();
    login["auth_method"] = "saml".into();
    vec![
        Sample::new("session.created", session()),
        Sample::new("session.started", session()),
        Sample::new("session.stopped", session()),
        Sample::new("session.hibernated", session()),
        Sample::new("session.woken", session()),
        Sample::new("session.deleted", session()),
        Sample::new("session.terminated", session()),
        Sample::new("session.error", failed("VNC server <display :1> & window manager stopped")),
        Sample::new("session.failed", failed("image pull: 401 from registry.example.com")),
        Sample::new("user.created", user()),
        Sample::new("user.updated", user()),
        Sample::new("user.deleted", user()),
        Sample::new("user.login", login),
        Sample::new("user.logout", json!({"id": "u-17", "username": "ada"})),
        Sample::new(
            "quota.warning",
            json!({"user": "ada", "quota": "memory", "used": "14Gi", "limit": "16Gi"}),
        ),
        Sample::new("quota.exceeded", json!({"user": "ada", "quota": "maxSessions", "used": 6, "limit": 5})),
        Sample::new(
            "compliance.violation",
            json!({"policy": "clipboard", "severity": "critical", "user": "ada", "count": 3, "blocked": true,
                   "apiToken": "hunter2", "evidence": {"path": "/tmp"}}),
        )
        .about("ada-firefox-7f3a"),
        Sample::empty("plugin.streamspace-billing.invoice.created").about("2026-01"),
    ]
}

/// The message as the destination `default` of a configuration with nothing but the webhook sends it.
fn rendered(sample: &Sample) -> Value {
    let config: Config = from_value(json!({ "webhookUrl": address("x") })).expect("a configuration");
    let target = config.into_targets().expect("a destination").remove(0);
    let notification = sample.with(|event| message::notification(event, true)).expect("a message");
    render::message(&notification, &target.style)
}

/// What Slack would refuse: limits and empty texts.
pub(crate) fn assert_within_limits(message: &Value) {
    let length = |value: &Value| value.as_str().expect("a text").chars().count();
    let text = |object: &Value, most: usize| {
        let length = length(&object["text"]);
        assert!((1..=most).contains(&length), "a text of {length}: {object}");
    };
    text(message, limit::TEXT);
    let blocks = message["attachments"][0]["blocks"].as_array().expect("blocks");
    assert!((1..=limit::BLOCKS).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        let items = |key: &str| block[key].as_array().cloned().unwrap_or_default();
        match block["type"].as_str().expect("a type") {
            "header" => text(&block["text"], limit::HEADER),
            "section" => {
                assert!((1..=limit::FIELDS).contains(&items("fields").len()), "{block}");
                items("fields").iter().for_each(|field| text(field, limit::FIELD));
            }
            "context" => {
                assert_eq!(items("elements").len(), 1);
                items("elements").iter().for_each(|element| text(element, limit::TEXT));
            }
            "actions" => {
                assert!((1..=limit::ACTIONS).contains(&items("elements").len()), "{block}");
                for button in items("elements") {
                    text(&button["text"], limit::BUTTON);
                    assert!(length(&button["url"]) <= limit::URL, "{button}");
                }
            }
            other => panic!("a block that is never sent: {other}"),
        }
    }
}

#[test]
fn golden_messages() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    for sample in samples() {
        let message = rendered(&sample);
        assert_within_limits(&message);
        assert!(!message.to_string().contains("hunter2"), "a secret of the payload is shown: {message}");
        let text = serde_json::to_string_pretty(&message).expect("JSON") + "\n";
        let file = directory.join(sample.topic).with_added_extension("json");
        if update {
            fs::write(&file, &text).expect("the file is written");
        }
        let golden = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        assert_eq!(text, golden, "{} differs; if that is wanted, see the top of golden.rs", file.display());
    }
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("golden/")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    let mut expected: Vec<_> = samples().iter().map(|sample| format!("{}.json", sample.topic)).collect();
    files.sort();
    expected.sort();
    assert_eq!(files, expected, "a file of golden/ has no sample");
}
