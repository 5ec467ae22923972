//! For the tests of plugins: events to render, golden files, and the manifest as the only place of defaults.

use std::{env, fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use streamspace_plugin::{
    abi::{RSlice, RStr},
    events::{Event, EventView},
};

use crate::{message, notification::Notification};

/// An event that owns what an [`Event`] borrows.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The topic.
    pub topic: &'static str,
    subject: &'static str,
    number: u16,
    data: Vec<u8>,
}

impl Sample {
    /// One with this payload.
    #[must_use]
    pub fn new(topic: &'static str, data: Value) -> Self {
        Self { topic, subject: "", number: 0, data: data.to_string().into_bytes() }
    }

    /// One without a payload.
    #[must_use]
    pub fn empty(topic: &'static str) -> Self {
        Self { topic, subject: "", number: 0, data: Vec::new() }
    }

    /// With a subject.
    #[must_use]
    pub fn about(self, subject: &'static str) -> Self {
        Self { subject, ..self }
    }

    /// With an id of its own.
    #[must_use]
    pub fn numbered(self, number: u16) -> Self {
        Self { number, ..self }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&self.number.to_be_bytes());
        id
    }

    /// Reads it as an event, at its first try.
    pub fn with<R>(&self, read: impl FnOnce(&Event<'_>) -> R) -> R {
        self.at_try(1, read)
    }

    /// Reads it as an event, at this try.
    pub fn at_try<R>(&self, attempt: u32, read: impl FnOnce(&Event<'_>) -> R) -> R {
        read(&Event::new(&EventView {
            id: self.id(),
            time_us: 1_767_323_045_000_000, // Fri, 02 Jan 2026 03:04:05 GMT
            attempt,
            topic: RStr::from_str(self.topic),
            source: RStr::from_str("/streamspace/sessions"),
            subject: RStr::from_str(self.subject),
            data: RSlice::from_slice(&self.data),
            attributes: RSlice::from_slice(&[]),
        }))
    }

    /// What it says.
    ///
    /// # Panics
    ///
    /// If it says nothing.
    #[must_use]
    pub fn notification(&self) -> Notification {
        self.with(|event| message::notification(event, true).expect("a message"))
    }
}

/// One event of each topic there are words for, and two that there are none for.
#[must_use]
pub fn samples() -> Vec<Sample> {
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
    let plugin = || json!({"name": "acme-usage", "plugin_name": "acme-usage", "version": "1.2.0", "reason": "it needs glibc 2.39"});
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
        Sample::new("plugin.failed", plugin()),
        Sample::new("plugin.loaded", plugin()),
        Sample::new(
            "compliance.violation",
            json!({"policy": "clipboard", "severity": "critical", "user": "ada", "count": 3, "blocked": true,
                   "apiToken": "hunter2", "evidence": {"path": "/tmp"}}),
        )
        .about("ada-firefox-7f3a"),
        Sample::empty("plugin.streamspace-billing.invoice.created").about("2026-01"),
    ]
}

/// Compares what each sample becomes with `golden/TOPIC.json` below `folder`, exactly, and the files with the samples.
///
/// After a wanted change, `UPDATE_GOLDEN=1 cargo test -p … golden` writes the files anew; read the difference before
/// committing it.
///
/// # Panics
///
/// If something differs, or shows a secret of the payload.
pub fn golden(folder: &str, rendered: impl Fn(&Sample) -> Value) {
    let folder = Path::new(folder).join("golden");
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        fs::create_dir_all(&folder).expect("golden/");
    }
    for sample in samples() {
        let message = rendered(&sample);
        assert!(!message.to_string().contains("hunter2"), "a secret of the payload is shown: {message}");
        let text = serde_json::to_string_pretty(&message).expect("JSON") + "\n";
        let file = folder.join(sample.topic).with_added_extension("json");
        if update {
            fs::write(&file, &text).expect("the file is written");
        }
        let golden = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        assert_eq!(text, golden, "{} differs; if that is wanted: UPDATE_GOLDEN=1", file.display());
    }
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("golden/")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    let mut expected: Vec<_> = samples().iter().map(|sample| format!("{}.json", sample.topic)).collect();
    files.sort();
    expected.sort();
    assert_eq!(files, expected, "a file of golden/ has no sample");
}

/// A manifest's rules about the configuration.
#[derive(Debug)]
pub struct Schema(Value);

impl Schema {
    /// Of the text of a manifest.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn of(manifest: &str) -> Self {
        let manifest: Value = serde_json::from_str(manifest).expect("the manifest is JSON");
        Self(manifest["configSchema"].clone())
    }

    /// Why the schema does not take a configuration.
    ///
    /// # Errors
    ///
    /// The first reason.
    pub fn check(&self, config: &Value) -> Result<(), String> {
        jsonschema::validate(&self.0, config).map_err(|why| format!("{}: {why}", why.instance_path()))
    }

    /// Reads a configuration as the host hands it over: valid, with the defaults of the top filled in.
    ///
    /// # Errors
    ///
    /// Why the schema, or the code, does not take it.
    pub fn read<T: DeserializeOwned>(&self, config: &Value) -> Result<T, String> {
        self.check(config)?;
        let mut whole = config.clone();
        for (key, property) in self.0["properties"].as_object().expect("properties") {
            if let (None, Some(default)) = (whole.get(key), property.get("default")) {
                whole[key] = default.clone();
            }
        }
        serde_json::from_value(whole).map_err(|why| why.to_string())
    }
}
