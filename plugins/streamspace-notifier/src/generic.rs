//! The message of an event that the plugin has no words for.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};
use streamspace_plugin::events::{DecodeError, Event};

use crate::{
    message::{Fields, open_session, scalar, told},
    notification::{About, Claim, Notification, Severity},
    problem,
};

/// Most keys of a payload that are shown.
const MAX_KEYS: usize = 10;

/// Words of a key whose value is not shown.
const SECRET_WORDS: [&str; 21] = [
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "jwt",
    "key",
    "keys",
    "otp",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "private",
    "pwd",
    "sig",
    "signature",
    "webhook",
];

/// What a key need only contain, for keys written in one word.
const SECRET_PARTS: [&str; 9] = [
    "apikey",
    "accesskey",
    "authtoken",
    "credential",
    "passphrase",
    "password",
    "privatekey",
    "secret",
    "token",
];

/// The second names under which the platform's emitters repeat a value.
const ALIASES: [(&str, &str); 3] = [("session_id", "id"), ("user_id", "user"), ("template_name", "template")];

/// The event's subject and the first scalar values of its payload.
///
/// The severity is the payload's `severity` if that is one of ours; otherwise critical for a topic that ends in `error`
/// or `failed`, as it is for sessions, error for one that says otherwise that something is wrong, such as `down`, or whose
/// `status` is `firing`, and info for the rest.
///
/// # Errors
///
/// When the payload is not JSON.
pub(crate) fn notification(event: &Event<'_>) -> Result<Notification, DecodeError> {
    let payload = if event.data().is_empty() { Value::Null } else { event.decode()? };
    let empty = Map::new();
    let payload = payload.as_object().unwrap_or(&empty);
    let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();

    let severity = match (payload.get("severity").and_then(Value::as_str), event.topic().rsplit('.').next()) {
        (Some("critical"), _) => Severity::Critical,
        (Some("error"), _) => Severity::Error,
        (Some("warning"), _) => Severity::Warning,
        (Some("info"), _) => Severity::Info,
        (_, Some("error" | "failed")) => Severity::Critical,
        _ if problem::is_trouble(event.topic()) || text("status") == "firing" => Severity::Error,
        _ => Severity::Info,
    };
    let links = match payload.get("url").and_then(Value::as_str) {
        Some(url) if event.topic().starts_with("session.") => open_session(Some(url.to_owned())),
        _ => Vec::new(),
    };
    let mut fields = Fields::default();
    fields.add("Subject", event.subject().unwrap_or_default());
    let shown = payload
        .iter()
        .filter(|(key, value)| !is_secret(key) && !repeats(payload, key, value))
        .filter(|(key, _)| links.is_empty() || *key != "url")
        .filter_map(|(key, value)| Some((key, scalar(value)?)))
        .filter(|(key, value)| !key.trim().is_empty() && !value.trim().is_empty());
    for (key, value) in shown.take(MAX_KEYS) {
        fields.add(key, &value);
    }
    let summary = match event.subject() {
        Some(subject) => format!("{}: {subject}", event.topic()),
        None => event.topic().to_owned(),
    };
    let mut about = About::of(
        [text("user"), text("username"), text("user_id")],
        [text("template"), text("template_name")],
    );
    about.teams.extend([text("team"), text("group")].into_iter().filter(|team| !team.is_empty()));
    let session = text("session_id");
    // Of what is not known, only the very same is a repetition.
    let mut says = DefaultHasher::new();
    event.data().hash(&mut says);
    let subject = event.subject().unwrap_or_default();
    Ok(Notification {
        claim: Claim::about(event.topic(), subject, format!("{:016x}", says.finish())),
        fields: fields.0,
        links,
        about,
        thread: (!session.is_empty()).then(|| format!("session/{session}")),
        ..told(event, severity, event.topic(), summary)
    })
}

/// Whether a key's name says that its value is nobody's business. Rather one too many than one too few.
fn is_secret(key: &str) -> bool {
    // `apiKey2`, `API-Key` and `api_key` become `api key2`, `api key` and `api key`.
    let mut words = String::with_capacity(key.len() + 4);
    let mut after_lower = false;
    for c in key.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_lower) {
            words.push(' ');
        }
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    let whole = words.replace(' ', "");
    words.split(' ').any(|word| SECRET_WORDS.contains(&word.trim_end_matches(char::is_numeric)))
        || SECRET_PARTS.iter().any(|part| whole.contains(part))
}

fn repeats(payload: &Map<String, Value>, key: &str, value: &Value) -> bool {
    ALIASES.iter().any(|(alias, canonical)| *alias == key && payload.get(*canonical) == Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Sample;

    fn told(topic: &'static str, data: Value) -> Notification {
        Sample::new(topic, data).with(|event| notification(event).expect("a message"))
    }

    #[test]
    fn keys_that_look_like_secrets_are_left_out() {
        for key in [
            "password",
            "userPassword",
            "PASSWORD",
            "api_key",
            "apikey",
            "API-Key",
            "accessKeyId",
            "clientSecret",
            "refresh_token",
            "tokens",
            "authToken",
            "Authorization",
            "session.cookie",
            "webhookUrl",
            "privateKey",
            "credentials",
            "dbPwd",
            "pin",
            "X-Signature",
            "sshKey2",
            "DSN",
            "url_sig",
            "mySECRET",
        ] {
            assert!(is_secret(key), "{key} is shown");
        }
        for key in [
            "monkey",
            "keyboard",
            "author",
            "spinner",
            "user",
            "compass",
            "assignee",
            "design",
            "authored_by",
        ] {
            assert!(!is_secret(key), "{key} is left out");
        }
    }

    #[test]
    fn only_the_first_ten_scalars_are_shown() {
        let mut payload = json!({"list": [1], "object": {"a": 1}, "null": null, "empty": "", "secret": "x"});
        for n in 0..15 {
            payload[format!("n{n:02}")] = json!(n);
        }
        let fields = told("recording.completed", payload).fields;
        let labels: Vec<_> = fields.iter().map(|field| field.label.clone()).collect();
        let expected: Vec<_> = (0..10).map(|n| format!("n{n:02}")).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn a_value_under_two_names_is_shown_once() {
        let fields =
            told("session.heartbeat", json!({"id": "s", "session_id": "s", "user": "a", "user_id": "b"}))
                .fields;
        let labels: Vec<_> = fields.iter().map(|field| field.label.as_str()).collect();
        assert_eq!(labels, ["id", "user", "user_id"]);
    }

    #[test]
    fn severity_comes_from_the_payload_and_else_from_the_topic() {
        for (topic, data, severity) in [
            ("compliance.violation", json!({"severity": "critical"}), Severity::Critical),
            ("compliance.violation", json!({"severity": "warning"}), Severity::Warning),
            ("workflow.failed", json!({}), Severity::Critical),
            ("workflow.failed", json!({"severity": "info"}), Severity::Info),
            ("workflow.completed", json!({"severity": 3}), Severity::Info),
            ("node.down", json!({}), Severity::Error),
            ("node.down", json!({"severity": "warning"}), Severity::Warning),
            ("ticket.opened", json!({}), Severity::Info),
            ("disk.full", json!({"status": "firing"}), Severity::Error),
        ] {
            assert_eq!(told(topic, data).severity, severity, "{topic}");
        }
    }

    #[test]
    fn any_json_value_is_a_message() {
        for data in [json!(null), json!("text"), json!([1, 2]), json!({})] {
            let told = told("node.added", data);
            assert_eq!((told.title.as_str(), told.fields.len()), ("node.added", 0));
        }
        Sample::empty("node.added").with(|event| notification(event).expect("an event without payload"));
    }
}
