//! What the host tells of its plugins.

use serde::Deserialize;
use streamspace_plugin::events::{DecodeError, Event};

use crate::{
    message::{Fields, told},
    notification::{Claim, Color, Notification, Severity},
};

/// What is read of the payloads of `plugin.*`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    name: String,
    version: String,
    new_version: Option<String>,
    /// Null if there is none: of a plugin that runs.
    reason: Option<String>,
    error: Option<String>,
    consumer: Option<String>,
}

/// The message of an event of the host about a plugin; `None` for a plugin's own events and for what is not known.
///
/// # Errors
///
/// When the payload does not have the shape of its topic.
pub(crate) fn notification(event: &Event<'_>) -> Result<Option<Notification>, DecodeError> {
    use Severity::{Critical, Error, Info, Warning};
    let (severity, color, title, happened, what) = match event.topic() {
        "plugin.installed" => (Info, Color::GREEN, "Plugin installed", "was installed", "installed"),
        "plugin.updated" => (Info, Color::BLUE, "Plugin updated", "was updated", "updated"),
        "plugin.enabled" => (Info, Color::BLUE, "Plugin enabled", "was enabled", "enabled"),
        "plugin.disabled" => (Info, Color::GREY, "Plugin disabled", "was disabled", "disabled"),
        "plugin.loaded" => (Info, Color::GREEN, "Plugin started", "runs", "loaded"),
        "plugin.unloaded" => (Info, Color::GREY, "Plugin stopped", "was stopped", "unloaded"),
        "plugin.uninstalled" => (Info, Color::GREY, "Plugin removed", "was removed", "uninstalled"),
        // The host tells of one failure twice, as this and as `plugin.error`.
        "plugin.failed" => (Error, Color::RED, "Plugin failed", "failed", "failed"),
        "plugin.error" => (Error, Color::RED, "Plugin error", "failed", "failed"),
        "plugin.quarantined" => (
            Critical,
            Color::RED,
            "Plugin quarantined",
            "was stopped because its handlers kept panicking",
            "failed",
        ),
        "plugin.hanging" => (Warning, Color::AMBER, "Plugin hangs", "has a handler that hangs", "hanging"),
        "plugin.lagging" => (Warning, Color::AMBER, "Plugin lags", "has lost events", "lagging"),
        _ => return Ok(None),
    };
    let payload: Payload = event.decode()?;
    let mut fields = Fields::default();
    fields.add("Plugin", &payload.name);
    fields.add("Version", &payload.version);
    if let Some(new_version) = payload.new_version.filter(|new| *new != payload.version) {
        fields.add("New Version", &new_version);
    }
    fields.add("Consumer", &payload.consumer.unwrap_or_default());
    let error = payload.error.filter(|error| !error.is_empty());
    fields.add("Reason", &error.or(payload.reason).unwrap_or_default());
    let which =
        if payload.name.is_empty() { "A plugin".to_owned() } else { format!("The plugin {}", payload.name) };
    let notification = told(event, severity, title, format!("{which} {happened}."));
    Ok(Some(Notification {
        color,
        fields: fields.0,
        claim: Claim::about("plugin", &payload.name, format!("{what}/{}", payload.version)),
        thread: (!payload.name.is_empty()).then(|| format!("plugin/{}", payload.name)),
        subject: payload.name,
        ..notification
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Sample;

    #[test]
    fn one_failure_that_is_told_twice_is_one_message() {
        let told = |topic| {
            Sample::new(topic, json!({"name": "acme", "version": "1.0.0", "reason": "no glibc"}))
                .with(|event| notification(event).expect("it is read").expect("a message"))
        };
        let (failed, error) = (told("plugin.failed"), told("plugin.error"));
        assert_eq!(failed.summary, "The plugin acme failed.");
        assert_eq!(failed.claim, error.claim);
        assert_ne!(failed.claim, told("plugin.loaded").claim);
    }

    #[test]
    fn a_plugin_that_runs_has_no_reason() {
        // As the host tells of it.
        let data = json!({"name": "acme", "plugin_name": "acme", "version": "1.0.0", "state": "running", "reason": null});
        let told = Sample::new("plugin.loaded", data)
            .with(|event| notification(event).expect("it is read").expect("a message"));
        assert_eq!(told.summary, "The plugin acme runs.");
        assert_eq!(told.fields.len(), 2);
    }

    #[test]
    fn a_plugins_own_events_are_not_the_hosts() {
        Sample::new("plugin.acme.failed", json!({}))
            .with(|event| assert_eq!(notification(event).expect("it is read"), None));
    }
}
