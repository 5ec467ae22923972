//! What an event says: the platform's events become [`Notification`]s of plain text.

use serde_json::Value;
use streamspace_plugin::{
    events::{DecodeError, Event},
    prelude::payload,
};

use crate::{
    generic,
    notification::{About, Claim, Color, Field, Kind, Link, Notification, Severity},
    plugins, problem,
};

/// The message of an event; with `details`, of a session also what it was given.
///
/// # Errors
///
/// When the payload does not have the shape of its topic.
pub fn notification(event: &Event<'_>, details: bool) -> Result<Notification, DecodeError> {
    use Severity::{Critical, Info, Warning};
    let mut notification = match event.topic() {
        "session.created" => session(event, details, Info, Color::GREEN, "Session created", "was created")?,
        "session.started" => session(event, details, Info, Color::GREEN, "Session started", "started")?,
        "session.stopped" => session(event, details, Info, Color::GREY, "Session stopped", "stopped")?,
        "session.hibernated" => {
            session(event, details, Info, Color::AMBER, "Session hibernated", "was hibernated")?
        }
        "session.woken" => session(event, details, Info, Color::GREEN, "Session woken", "woke up")?,
        // Of a session that is gone there is nothing to open.
        "session.deleted" => {
            without_links(session(event, details, Info, Color::GREY, "Session deleted", "was deleted")?)
        }
        "session.terminated" => without_links(session(
            event,
            details,
            Warning,
            Color::AMBER,
            "Session terminated",
            "was terminated",
        )?),
        "session.error" => failure(event, "Session error", "reported an error")?,
        "session.failed" => failure(event, "Session failed", "failed")?,
        "user.created" => user(event, Info, Color::GREEN, "User created", "was created")?,
        "user.updated" => user(event, Info, Color::BLUE, "User updated", "was updated")?,
        "user.deleted" => user(event, Warning, Color::AMBER, "User deleted", "was deleted")?,
        "user.login" => user(event, Info, Color::BLUE, "User signed in", "signed in")?,
        "user.logout" => user(event, Info, Color::GREY, "User signed out", "signed out")?,
        "quota.warning" => quota(event, Warning, "Quota nearly reached", "is close to")?,
        "quota.exceeded" => quota(event, Critical, "Quota exceeded", "has exceeded")?,
        topic if topic.starts_with("plugin.") => match plugins::notification(event)? {
            Some(notification) => notification,
            None => generic::notification(event)?,
        },
        _ => generic::notification(event)?,
    };
    notification.problems = problem::of(&notification, event);
    Ok(notification)
}

/// What all messages of one event have in common. The summary ends as a sentence does.
pub(crate) fn told(event: &Event<'_>, severity: Severity, title: &str, summary: String) -> Notification {
    let subject = event.subject().unwrap_or_default().to_owned();
    Notification {
        kind: Kind::Event,
        severity,
        color: Color::of(severity),
        title: title.into(),
        summary,
        fields: Vec::new(),
        links: Vec::new(),
        topic: event.topic().into(),
        subject,
        claim: None,
        occurred_at: event.time(),
        about: About::default(),
        thread: None,
        problems: Vec::new(),
    }
}

/// What is about a session belongs to its story, and is a repetition if the same is said of it again.
fn of_session(notification: Notification, id: &str, what: &str) -> Notification {
    if id.trim().is_empty() {
        return notification;
    }
    Notification {
        subject: id.to_owned(),
        thread: Some(format!("session/{id}")),
        claim: Claim::about("session", id, what),
        ..notification
    }
}

fn session(
    event: &Event<'_>,
    details: bool,
    severity: Severity,
    color: Color,
    title: &str,
    happened: &str,
) -> Result<Notification, DecodeError> {
    let payload::Session { id, user, template, resources, url, .. } = event.decode()?;
    let mut fields = Fields::default();
    fields.add("User", &user);
    fields.add("Template", &template);
    fields.add("Session ID", &id);
    if details {
        fields.add("Memory", &resources.memory);
        fields.add("CPU", &resources.cpu);
    }
    let summary = format!("{} {happened}.", session_of(&user, &template));
    let notification = Notification {
        color,
        fields: fields.0,
        links: open_session(url),
        about: About::of([user], [template]),
        ..told(event, severity, title, summary)
    };
    Ok(of_session(notification, &id, event.topic()))
}

fn failure(event: &Event<'_>, title: &str, happened: &str) -> Result<Notification, DecodeError> {
    let payload::SessionError { id, user, template, error, url, .. } = event.decode()?;
    let mut fields = Fields::default();
    fields.add("User", &user);
    fields.add("Template", &template);
    fields.add("Session ID", &id);
    fields.add("Error", &error);
    // The error has a field of its own, and may be long.
    let summary = format!("{} {happened}.", session_of(&user, &template));
    let notification = Notification {
        fields: fields.0,
        links: open_session(url),
        about: About::of([user], [template]),
        ..told(event, Severity::Critical, title, summary)
    };
    // The host tells of one failure twice, as `session.failed` and as `session.error`.
    Ok(of_session(notification, &id, "failed"))
}

fn user(
    event: &Event<'_>,
    severity: Severity,
    color: Color,
    title: &str,
    happened: &str,
) -> Result<Notification, DecodeError> {
    let payload::User { id, username, full_name, email, tier, auth_method } = event.decode()?;
    let who = match (full_name.trim(), username.trim()) {
        ("", "") => "A user".to_owned(),
        ("", name) | (name, "") => name.to_owned(),
        (full, name) => format!("{full} ({name})"),
    };
    let mut fields = Fields::default();
    fields.add("Username", &username);
    fields.add("Full Name", &full_name);
    fields.add("Email", &email);
    fields.add("Tier", &tier);
    fields.add("Signed In With", auth_method.as_deref().unwrap_or_default());
    let subject = if username.is_empty() { id.clone() } else { username.clone() };
    let notification = told(event, severity, title, format!("{who} {happened}."));
    Ok(Notification {
        color,
        fields: fields.0,
        claim: Claim::about("user", &subject, event.topic()),
        subject,
        about: About::of([username, id], []),
        ..notification
    })
}

fn quota(
    event: &Event<'_>,
    severity: Severity,
    title: &str,
    happened: &str,
) -> Result<Notification, DecodeError> {
    let payload::Quota { user, quota, used, limit } = event.decode()?;
    let who = if user.trim().is_empty() { "A user" } else { user.trim() };
    let which =
        if quota.trim().is_empty() { "a quota".to_owned() } else { format!("the {} quota", quota.trim()) };
    let mut fields = Fields::default();
    fields.add("User", &user);
    fields.add("Quota", &quota);
    fields.add("Used", &used.as_ref().and_then(scalar).unwrap_or_default());
    fields.add("Limit", &limit.as_ref().and_then(scalar).unwrap_or_default());
    let notification = told(event, severity, title, format!("{who} {happened} {which}."));
    Ok(Notification {
        fields: fields.0,
        claim: Claim::about("quota", &user, format!("{quota}/{}", event.topic())),
        subject: user.clone(),
        about: About::of([user], []),
        ..notification
    })
}

fn without_links(notification: Notification) -> Notification {
    Notification { links: Vec::new(), ..notification }
}

/// A button to a session, if its address is known.
pub(crate) fn open_session(url: Option<String>) -> Vec<Link> {
    url.into_iter().map(|url| Link { label: "Open session", url }).collect()
}

/// `ada's firefox session`, with what is known of it.
fn session_of(user: &str, template: &str) -> String {
    match (user.trim(), template.trim()) {
        ("", "") => "A session".into(),
        ("", template) => format!("A {template} session"),
        (user, "") => format!("{user}'s session"),
        (user, template) => format!("{user}'s {template} session"),
    }
}

/// A text, number or truth value as a text; nothing of other values.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Fields that have a value.
#[derive(Default)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

impl Fields {
    pub(crate) fn add(&mut self, label: &str, value: &str) {
        if !value.trim().is_empty() {
            self.0.push(Field { label: label.into(), value: value.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Sample;

    fn told(topic: &'static str, data: Value) -> Notification {
        Sample::new(topic, data).with(|event| notification(event, true).expect("a message"))
    }

    #[test]
    fn a_sentence_says_what_is_known() {
        for (topic, data, summary) in [
            (
                "session.created",
                json!({"user": "ada", "template": "gimp"}),
                "ada's gimp session was created.",
            ),
            ("session.woken", json!({"user_id": "ada"}), "ada's session woke up."),
            ("session.stopped", json!({"template_name": "gimp"}), "A gimp session stopped."),
            ("session.failed", json!({}), "A session failed."),
            ("user.login", json!({"username": "ada"}), "ada signed in."),
            ("user.created", json!({"username": "ada", "fullName": "Ada L."}), "Ada L. (ada) was created."),
            ("user.deleted", json!({}), "A user was deleted."),
            ("quota.exceeded", json!({"user": "ada", "quota": "cpu"}), "ada has exceeded the cpu quota."),
            ("quota.warning", json!({}), "A user is close to a quota."),
        ] {
            assert_eq!(told(topic, data).summary, summary);
        }
    }

    #[test]
    fn missing_values_have_no_field() {
        let told = told("session.created", json!({"id": "s-1", "user": "  ", "resources": {"cpu": "1"}}));
        let labels: Vec<_> = told.fields.iter().map(|field| field.label.as_str()).collect();
        assert_eq!(labels, ["Session ID", "CPU"]);
    }

    #[test]
    fn details_are_memory_and_processor() {
        let sample =
            Sample::new("session.created", json!({"id": "s", "resources": {"cpu": "1", "memory": "2Gi"}}));
        let fields =
            |details| sample.with(|event| notification(event, details).expect("a message").fields.len());
        assert_eq!((fields(true), fields(false)), (3, 1));
    }

    #[test]
    fn a_session_that_is_gone_is_not_linked() {
        let data = json!({"id": "s-1", "url": "https://streamspace.example/s-1"});
        for (topic, links) in
            [("session.created", 1), ("session.failed", 1), ("session.deleted", 0), ("session.terminated", 0)]
        {
            assert_eq!(told(topic, data.clone()).links.len(), links, "{topic}");
        }
    }

    #[test]
    fn routes_see_a_user_by_name_and_id() {
        let about = told("user.login", json!({"id": "u-1", "username": "ada"})).about;
        assert_eq!(about, About::of(["ada".into(), "u-1".into()], []));
    }

    #[test]
    fn a_stack_trace_is_not_told() {
        let told = told("session.error", json!({"id": "s-1", "error": "boom", "stack": "at main.rs:1"}));
        assert!(!format!("{told:?}").contains("main.rs"), "{told:?}");
    }

    #[test]
    fn a_payload_of_another_shape_is_refused() {
        let sample = Sample::new("session.created", json!({"id": {"deep": 1}}));
        sample.with(|event| notification(event, true).expect_err("no session"));
    }
}
