//! The configuration, and the destinations that it describes.

use std::{collections::HashSet, fmt};

use serde::Deserialize;
use streamspace_plugin::prelude::{Error, Result};

use crate::routing::{Route, Severity};

/// The name of the destination that the top-level `webhookUrl` is.
pub(crate) const DEFAULT: &str = "default";

/// The plugin's configuration. The manifest's `configSchema` describes the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(test, derive(PartialEq))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four switches of the platform's configuration, and one more"
)]
pub(crate) struct Config {
    webhook_url: Option<WebhookUrl>,
    channel: String,
    username: String,
    icon_emoji: String,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_user_created: bool,
    notify_on_quota_exceeded: bool,
    include_details: bool,
    /// Messages an hour and destination, 1–100. The platform calls it a number, so `20.0` is valid too.
    rate_limit: f64,
    destinations: Vec<DestinationConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            webhook_url: None,
            channel: "#general".into(),
            username: "StreamSpace".into(),
            icon_emoji: ":computer:".into(),
            notify_on_session_created: true,
            notify_on_session_hibernated: false,
            notify_on_user_created: true,
            notify_on_quota_exceeded: true,
            include_details: true,
            rate_limit: 20.0,
            destinations: Vec::new(),
        }
    }
}

/// One entry of `destinations`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(test, derive(PartialEq))]
struct DestinationConfig {
    name: String,
    webhook_url: WebhookUrl,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    templates: Vec<String>,
    #[serde(default)]
    min_severity: Severity,
    #[serde(default)]
    mention: Option<Mention>,
}

/// Where messages go and what they look like there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Unique within the configuration.
    pub(crate) name: String,
    pub(crate) url: WebhookUrl,
    /// What its consumer asks for. Empty if every switch is off.
    pub(crate) topics: Vec<String>,
    pub(crate) route: Route,
    pub(crate) style: Style,
    /// Messages an hour.
    pub(crate) per_hour: usize,
}

/// How the messages of one destination look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Style {
    /// Empty if the webhook's own channel is meant.
    pub(crate) channel: String,
    pub(crate) username: String,
    pub(crate) icon_emoji: String,
    pub(crate) include_details: bool,
    /// Whom a critical message notifies.
    pub(crate) mention: Option<Mention>,
}

impl Config {
    /// The destinations, with the top-level webhook first.
    ///
    /// # Errors
    ///
    /// When there is none, or two have the same name.
    pub(crate) fn into_targets(self) -> Result<Vec<Target>> {
        let switched = self.switched_topics();
        let style = Style {
            channel: String::new(),
            username: self.username,
            icon_emoji: self.icon_emoji,
            include_details: self.include_details,
            mention: None,
        };
        // A fraction of a message is none.
        let per_hour = self.rate_limit.clamp(1.0, 100.0) as usize;

        let top = self.webhook_url.map(|url| Target {
            name: DEFAULT.into(),
            url,
            topics: switched.clone(),
            route: Route::default(),
            // The channel goes with this webhook: each of the others was made for a channel of its own.
            style: Style { channel: self.channel, ..style.clone() },
            per_hour,
        });
        let further = self.destinations.into_iter().map(|entry| Target {
            name: entry.name,
            url: entry.webhook_url,
            topics: if entry.topics.is_empty() { switched.clone() } else { entry.topics },
            route: Route { users: entry.users, templates: entry.templates, min_severity: entry.min_severity },
            style: Style { mention: entry.mention, ..style.clone() },
            per_hour,
        });
        let targets: Vec<Target> = top.into_iter().chain(further).collect();

        if targets.is_empty() {
            return Err(Error::permanent(
                "the configuration has neither `webhookUrl` nor an entry in `destinations`: add one of them",
            ));
        }
        let mut names = HashSet::new();
        if let Some(twice) = targets.iter().find(|target| !names.insert(target.name.as_str())) {
            let also = if twice.name == DEFAULT { " (the top-level `webhookUrl` has that name)" } else { "" };
            return Err(Error::permanent(format!(
                "two destinations are named `{}`{also}: give each a name of its own",
                twice.name
            )));
        }
        Ok(targets)
    }

    fn switched_topics(&self) -> Vec<String> {
        [
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            (self.notify_on_user_created, "user.created"),
            (self.notify_on_quota_exceeded, "quota.exceeded"),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, topic)| topic.to_owned())
        .collect()
    }
}

/// The address of an incoming webhook. Whoever knows it can post to the channel, so it is a secret: neither its `Debug`
/// nor an error shows it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct WebhookUrl(String);

impl WebhookUrl {
    /// The address itself, for the request alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        let path = ["https://hooks.slack.com/services/", "https://hooks.slack-gov.com/services/"]
            .iter()
            .find_map(|start| url.strip_prefix(start))
            .ok_or("expected an address that starts with https://hooks.slack.com/services/ (or hooks.slack-gov.com)")?;
        if path.is_empty()
            || !path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-'))
        {
            return Err(
                "the part after /services/ is not that of a webhook: copy the whole address from Slack",
            );
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[webhook URL]")
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
    use serde_json::{Value, from_value, json};

    use super::*;

    /// An address of the right form that no webhook has.
    pub(crate) fn address(end: &str) -> String {
        format!("https://hooks.slack.com/services/T00000000/B00000000/{end}")
    }

    fn manifest() -> Value {
        serde_json::from_str(include_str!("../manifest.json")).expect("the manifest is JSON")
    }

    fn config(value: Value) -> Config {
        from_value(value).expect("a configuration")
    }

    fn refused(value: Value) -> String {
        config(value).into_targets().expect_err("refused").to_string()
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        let schema = manifest()["configSchema"].clone();
        jsonschema::validate(&schema, &example).expect("the example keeps the schema");
        let targets = config(example).into_targets().expect("destinations");
        assert_eq!(targets[0].name, DEFAULT);
        assert!(targets.len() > 1, "the example shows routing");
    }

    #[test]
    fn defaults_of_the_schema_are_those_of_the_code() {
        let mut defaults = json!({});
        for (key, property) in manifest()["configSchema"]["properties"].as_object().expect("properties") {
            if let Some(default) = property.get("default") {
                defaults[key] = default.clone();
            }
        }
        assert_eq!(config(defaults), Config::default());
    }

    #[test]
    fn schema_and_code_refuse_the_same() {
        let schema = manifest()["configSchema"].clone();
        let with = |change: Value| {
            let mut entry = json!({"name": "ops", "webhookUrl": address("x")});
            entry.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
            json!({ "destinations": [entry] })
        };
        for good in [
            json!({"webhookUrl": address("x")}),
            json!({"webhookUrl": "https://hooks.slack-gov.com/services/T0/B0/x"}),
            json!({"webhookUrl": address("x"), "rateLimit": 12.5, "channel": "", "destinations": []}),
            with(
                json!({"mention": "S0614TZR7", "minSeverity": "critical", "topics": ["session.*", "plugin.>", ">"]}),
            ),
        ] {
            jsonschema::validate(&schema, &good).expect("valid");
            config(good).into_targets().expect("destinations");
        }
        for bad in [
            json!({}),
            json!({"destinations": []}),
            json!({"webhookUrl": "http://hooks.slack.com/services/T0/B0/x"}),
            json!({"webhookUrl": "https://hooks.slack.com.example.org/services/T0/B0/x"}),
            json!({"webhookUrl": "https://hooks.slack.com/services/"}),
            json!({"webhookUrl": "https://hooks.slack.com/services/T0/B0/x?to=y"}),
            json!({"webhookUrl": "https://hooks.slack.com/triggers/T0/1/x"}),
            json!({"webhookUrl": address("x"), "webhookURL": "y"}),
            with(json!({"mention": "@everyone"})),
            with(json!({"mention": "here> <!channel"})),
            with(json!({"minSeverity": "fatal"})),
            with(json!({"severity": "info"})),
        ] {
            assert!(jsonschema::validate(&schema, &bad).is_err(), "the schema takes {bad}");
            let read = from_value::<Config>(bad.clone());
            assert!(read.map_or(true, |config| config.into_targets().is_err()), "the code takes {bad}");
        }
        for bad in [
            json!({"webhookUrl": address("x"), "rateLimit": 0}),
            json!({"webhookUrl": address("x"), "rateLimit": 101}),
            with(json!({"name": "Ops Team"})),
            with(json!({"name": "a".repeat(62)})),
            with(json!({"topics": []})),
            with(json!({"topics": ["session.cr*"]})),
            with(json!({"topics": [">.created"]})),
        ] {
            assert!(jsonschema::validate(&schema, &bad).is_err(), "the schema takes {bad}");
        }
    }

    #[test]
    fn the_top_level_webhook_is_a_destination_with_the_switches_topics() {
        let targets = config(json!({
            "webhookUrl": address("x"), "notifyOnSessionHibernated": true, "notifyOnUserCreated": false,
            "channel": "#ops", "rateLimit": 5,
            "destinations": [{"name": "b", "webhookUrl": address("y"), "topics": ["session.failed"]},
                             {"name": "c", "webhookUrl": address("z")}],
        }))
        .into_targets()
        .expect("destinations");
        let topics: Vec<_> =
            targets.iter().map(|target| (target.name.as_str(), target.topics.join(" "))).collect();
        let switched = "session.created session.hibernated quota.exceeded".to_owned();
        assert_eq!(topics, [("default", switched.clone()), ("b", "session.failed".into()), ("c", switched)]);
        assert_eq!(targets[0].style.channel, "#ops");
        assert_eq!(targets[1].style.channel, "", "a webhook of its own has a channel of its own");
        assert!(targets.iter().all(|target| target.per_hour == 5 && target.style.username == "StreamSpace"));
    }

    #[test]
    fn a_name_stands_for_one_destination() {
        let entry = |name: &str| json!({"name": name, "webhookUrl": address("x")});
        let message = refused(json!({"destinations": [entry("ops"), entry("ops")]}));
        assert!(message.contains("`ops`"), "{message}");
        let message = refused(json!({"webhookUrl": address("x"), "destinations": [entry("default")]}));
        assert!(message.contains("top-level"), "{message}");
        assert!(refused(json!({})).contains("`webhookUrl`"));
    }

    #[test]
    fn a_webhook_is_never_shown() {
        let whole = json!({"webhookUrl": address("hunter2"),
                           "destinations": [{"name": "ops", "webhookUrl": address("hunter2")}]});
        let config = config(whole);
        let shown = format!("{config:?} {:#?}", config.clone().into_targets().expect("destinations"));
        for part in ["hunter2", "hooks.slack", "T00000000"] {
            assert!(!shown.contains(part), "{shown}");
        }
        for wrong in ["https://hooks.example.com/hunter2", "https://hooks.slack.com/services/hunter2?"] {
            let why =
                from_value::<Config>(json!({ "webhookUrl": wrong })).expect_err("no webhook").to_string();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
