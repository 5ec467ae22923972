//! The configuration, and the destinations that it describes.

use serde::Deserialize;
use streamspace_notifier::{Common, DEFAULT, Entry, Secret, Settings, switched};
use streamspace_plugin::prelude::{Error, Result};

/// The plugin's configuration. The manifest's `configSchema` describes the same, and has the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the platform's configuration")]
pub(crate) struct Config {
    #[serde(default)]
    webhook_url: Option<Secret>,
    #[serde(default)]
    bot_token: Option<Secret>,
    channel: String,
    username: String,
    icon_emoji: String,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_user_created: bool,
    notify_on_quota_exceeded: bool,
    #[serde(flatten)]
    common: Common,
    destinations: Vec<Entry<To>>,
}

/// Where an entry of `destinations` leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    #[serde(default)]
    webhook_url: Option<Secret>,
    #[serde(default)]
    bot_token: Option<Secret>,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    mention: Option<Mention>,
}

/// Where messages go and what they look like there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) way: Way,
    pub(crate) style: Style,
}

/// How messages go to Slack.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// Through an incoming webhook.
    Webhook(Secret),
    /// As an app, with `chat.postMessage`: it can answer in threads.
    Bot(Secret),
}

/// How the messages of one destination look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Style {
    /// Empty if the webhook's own channel is meant.
    pub(crate) channel: String,
    pub(crate) username: String,
    pub(crate) icon_emoji: String,
    /// Whom a critical message notifies.
    pub(crate) mention: Option<Mention>,
}

impl Config {
    /// The destinations, with the one at the top first.
    ///
    /// # Errors
    ///
    /// When there is none, two have the same name, or one has no way to Slack.
    pub(crate) fn into_settings(self) -> Result<Settings<Target>> {
        let topics = switched(&[
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            (self.notify_on_user_created, "user.created"),
            (self.notify_on_quota_exceeded, "quota.exceeded"),
        ]);
        let style = Style {
            channel: String::new(),
            username: self.username,
            icon_emoji: self.icon_emoji,
            mention: None,
        };
        let top = match (self.webhook_url, self.bot_token) {
            (None, None) => None,
            (webhook, bot) => {
                // The channel goes with this way: each of the others was made for a channel of its own.
                let style = Style { channel: self.channel, ..style.clone() };
                Some(Target { way: way(DEFAULT, webhook, bot)?, style })
            }
        };
        let entries = self.destinations.into_iter().map(|entry| {
            entry.map(|name, to| {
                let way = way(name, to.webhook_url, to.bot_token)?;
                if matches!(way, Way::Bot(_)) && to.channel.trim().is_empty() {
                    return Err(Error::permanent(format!(
                        "the destination `{name}` has a `botToken` and no `channel`: name one, such as #ops"
                    )));
                }
                Ok(Target { way, style: Style { channel: to.channel, mention: to.mention, ..style.clone() } })
            })
        });
        Settings::new(self.common, &topics, top, entries.collect::<Result<_>>()?)
    }
}

fn way(name: &str, webhook: Option<Secret>, bot: Option<Secret>) -> Result<Way> {
    match (webhook, bot) {
        (Some(webhook), None) => Ok(Way::Webhook(webhook)),
        (None, Some(bot)) => Ok(Way::Bot(bot)),
        (Some(_), Some(_)) => Err(Error::permanent(format!(
            "the destination `{name}` has both a `webhookUrl` and a `botToken`: give it one of them"
        ))),
        (None, None) => Err(Error::permanent(format!(
            "the destination `{name}` has neither a `webhookUrl` nor a `botToken`: give it one of them"
        ))),
    }
}

/// Whom a message notifies. A fixed vocabulary, so that nothing else can be written between Slack's angle brackets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Mention {
    /// Who is active in the channel.
    Here,
    /// Who is in the channel.
    Channel,
    /// A user group, by its id.
    Subteam(String),
}

impl Mention {
    /// As Slack writes it.
    pub(crate) fn markup(&self) -> String {
        match self {
            Self::Here => "<!here>".into(),
            Self::Channel => "<!channel>".into(),
            Self::Subteam(id) => format!("<!subteam^{id}>"),
        }
    }
}

impl TryFrom<String> for Mention {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "here" => Ok(Self::Here),
            "channel" => Ok(Self::Channel),
            id if (7..=21).contains(&id.len())
                && id.starts_with('S')
                && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) =>
            {
                Ok(Self::Subteam(text))
            }
            _ => Err("expected `here`, `channel`, or the id of a user group such as `S0614TZR7`"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use streamspace_notifier::testing::Schema;

    use super::*;

    /// An address of the right form that no webhook has.
    fn address(end: &str) -> String {
        format!("https://hooks.slack.com/services/T00000000/B00000000/{end}")
    }

    fn schema() -> Schema {
        Schema::of(include_str!("../manifest.json"))
    }

    fn settings(value: &Value) -> Result<Settings<Target>, String> {
        let config: Config = schema().read(value)?;
        config.into_settings().map_err(|why| why.to_string())
    }

    /// The destination of a configuration with nothing but the webhook.
    pub(crate) fn target() -> Target {
        let mut settings = settings(&json!({ "webhookUrl": address("x") })).expect("a configuration");
        settings.destinations.remove(0).target
    }

    fn with(change: Value) -> Value {
        let mut entry = json!({"name": "ops", "webhookUrl": address("x")});
        entry.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        json!({ "destinations": [entry] })
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        let settings = settings(&example).expect("settings");
        assert_eq!(settings.destinations[0].name, DEFAULT);
        assert!(settings.destinations.len() > 1, "the example shows routing");
    }

    #[test]
    fn what_is_right_is_taken() {
        for good in [
            json!({"webhookUrl": address("x")}),
            json!({"webhookUrl": "https://hooks.slack-gov.com/services/T0/B0/x"}),
            json!({"webhookUrl": address("x"), "rateLimit": 12.5, "channel": "", "destinations": []}),
            json!({"botToken": "xoxb-1-a", "channel": "#ops"}),
            json!({"destinations": [{"name": "ops", "botToken": "xoxb-1-a", "channel": "C0123"}]}),
            with(
                json!({"mention": "S0614TZR7", "minSeverity": "critical", "topics": ["session.*", "plugin.>", ">"],
                        "quietHours": {"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin"}}),
            ),
        ] {
            settings(&good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            json!({}),
            json!({"destinations": []}),
            json!({"webhookUrl": "http://hooks.slack.com/services/T0/B0/x"}),
            json!({"webhookUrl": "https://hooks.slack.com.example.org/services/T0/B0/x"}),
            json!({"webhookUrl": "https://hooks.slack.com/services/"}),
            json!({"webhookUrl": "https://hooks.slack.com/services/T0/B0/x?to=y"}),
            json!({"webhookUrl": "https://hooks.slack.com/triggers/T0/1/x"}),
            json!({"webhookUrl": address("x"), "webhookURL": "y"}),
            json!({"webhookUrl": address("x"), "botToken": "xoxb-1-a"}),
            json!({"webhookUrl": address("x"), "rateLimit": -1}),
            json!({"webhookUrl": address("x"), "rateLimit": 10001}),
            json!({"webhookUrl": address("x"), "quietHours": {"from": "22:00", "to": "22:00"}}),
            json!({"webhookUrl": address("x"), "messages": {"session.created": {"title": "{{"}}}),
            json!({"botToken": "xoxp-1-a"}),
            json!({"destinations": [{"name": "ops", "botToken": "xoxb-1-a"}]}),
            json!({"destinations": [{"name": "ops"}]}),
            with(json!({"botToken": "xoxb-1-a", "channel": "#ops"})),
            with(json!({"mention": "@everyone"})),
            with(json!({"mention": "here> <!channel"})),
            with(json!({"minSeverity": "fatal"})),
            with(json!({"severity": "info"})),
            with(json!({"name": "Ops Team"})),
            with(json!({"name": "a".repeat(62)})),
            with(json!({"topics": []})),
            with(json!({"topics": ["session.cr*"]})),
            with(json!({"topics": [">.created"]})),
        ] {
            assert!(settings(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_channel_is_of_its_own_webhook() {
        let settings = settings(&json!({
            "webhookUrl": address("x"), "channel": "#ops", "username": "Desk",
            "destinations": [{"name": "b", "webhookUrl": address("y")}],
        }))
        .expect("settings");
        let styles: Vec<_> = settings
            .destinations
            .iter()
            .map(|to| (to.target.style.channel.as_str(), to.target.style.username.as_str()))
            .collect();
        assert_eq!(styles, [("#ops", "Desk"), ("", "Desk")]);
    }

    #[test]
    fn the_switches_are_the_topics() {
        let settings = settings(&json!({
            "webhookUrl": address("x"), "notifyOnSessionHibernated": true, "notifyOnUserCreated": false,
        }))
        .expect("settings");
        assert_eq!(
            settings.destinations[0].topics,
            ["session.created", "session.hibernated", "quota.exceeded"]
        );
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let settings = settings(&json!({
            "webhookUrl": address("hunter2"),
            "destinations": [{"name": "ops", "botToken": "xoxb-hunter2", "channel": "#ops"}],
        }))
        .expect("settings");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("hooks.slack"), "{shown}");
    }
}
