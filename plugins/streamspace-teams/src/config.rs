//! The configuration, and the destinations that it describes.

use serde::Deserialize;
use streamspace_notifier::{Common, DEFAULT, Entry, Secret, Settings, switched};
use streamspace_plugin::prelude::{Error, Result};

use crate::address::{self, Receiver};

/// The plugin's configuration. The manifest's `configSchema` describes the same, and has the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    #[serde(default)]
    webhook_url: Option<Secret>,
    format: Format,
    mentions: Vec<Mention>,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_user_created: bool,
    #[serde(flatten)]
    common: Common,
    destinations: Vec<Entry<To>>,
}

/// Where an entry of `destinations` leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    webhook_url: Secret,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    mentions: Vec<Mention>,
}

/// Which format messages are in.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Format {
    /// The one of what takes them.
    #[default]
    Auto,
    AdaptiveCard,
    MessageCard,
}

/// Where messages go and what they look like there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Secret,
    pub(crate) receiver: Receiver,
    pub(crate) card: Card,
    /// Whom a critical message notifies.
    pub(crate) mentions: Vec<Mention>,
}

/// The format of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// An Adaptive Card.
    Adaptive,
    /// A MessageCard.
    Message,
}

/// Somebody whom messages notify.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Mention {
    /// As it stands in the message. The manifest keeps angle brackets out of it.
    pub(crate) name: String,
    /// The user principal name, or the id of Microsoft Entra.
    pub(crate) id: String,
}

impl Mention {
    /// As Teams writes it.
    pub(crate) fn markup(&self) -> String {
        format!("<at>{}</at>", self.name)
    }
}

impl Config {
    /// The destinations, with the one at the top first.
    ///
    /// # Errors
    ///
    /// When there is none, two have the same name, or nothing takes messages at an address.
    pub(crate) fn into_settings(self) -> Result<Settings<Target>> {
        let topics = switched(&[
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            (self.notify_on_user_created, "user.created"),
        ]);
        let top = self.webhook_url.map(|webhook_url| To {
            webhook_url,
            format: self.format,
            mentions: self.mentions,
        });
        let top = top.map(|to| target(DEFAULT, to)).transpose()?;
        let entries = self.destinations.into_iter().map(|entry| entry.map(target));
        Settings::new(self.common, &topics, top, entries.collect::<Result<_>>()?)
    }
}

fn target(name: &str, to: To) -> Result<Target> {
    let To { webhook_url: url, format, mentions } = to;
    let refused = |why: &str| Err(Error::permanent(format!("the destination `{name}`: {why}")));
    let Some(receiver) = address::receiver(url.expose()) else {
        return refused("its `webhookUrl` is neither of a flow of the Workflows app nor of a connector");
    };
    if receiver == Receiver::Flow && !address::is_signed(url.expose()) {
        return refused(
            "its `webhookUrl` has no `sig`. Copy the whole address, up to its end; if it has none there either, let anyone trigger \
             the flow",
        );
    }
    let card = match (format, receiver) {
        (Format::AdaptiveCard, _) | (Format::Auto, Receiver::Flow) => Card::Adaptive,
        (Format::MessageCard, _) | (Format::Auto, Receiver::Connector) => Card::Message,
    };
    if card == Card::Message && !mentions.is_empty() {
        return refused(
            "it has `mentions`, and MessageCards notify nobody: set its `format` to `adaptiveCard`",
        );
    }
    Ok(Target { url, receiver, card, mentions })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use streamspace_notifier::testing::Schema;

    use super::*;

    /// Addresses of the right form that nobody has.
    pub(crate) const FLOW_URL: &str = "https://prod-7.westeurope.logic.azure.com:443/workflows/0123/triggers/manual/paths/invoke?api-version=2016-06-01&sig=hunter2";
    pub(crate) const CONNECTOR_URL: &str =
        "https://acme.webhook.office.com/webhookb2/0123@4567/IncomingWebhook/89ab/cdef";
    const NEW_FLOW_URL: &str = "https://0123456789.4c.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/\
         0123/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c";

    fn settings(value: &Value) -> Result<Settings<Target>, String> {
        let config: Config = Schema::of(include_str!("../manifest.json")).read(value)?;
        config.into_settings().map_err(|why| why.to_string())
    }

    /// The destination of a configuration with nothing but this address.
    pub(crate) fn target(url: &str) -> Target {
        let mut settings = settings(&json!({ "webhookUrl": url })).expect("a configuration");
        settings.destinations.remove(0).target
    }

    pub(crate) fn mention(name: &str) -> Mention {
        Mention { name: name.into(), id: "ops@example.com".into() }
    }

    fn with(change: Value) -> Value {
        let mut entry = json!({"name": "ops", "webhookUrl": FLOW_URL});
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
            json!({"webhookUrl": FLOW_URL}),
            json!({"webhookUrl": NEW_FLOW_URL, "format": "adaptiveCard"}),
            json!({"webhookUrl": CONNECTOR_URL, "rateLimit": 12.5, "destinations": []}),
            json!({"webhookUrl": "https://outlook.office.com/webhook/0123@4567/IncomingWebhook/89ab/cdef"}),
            json!({"webhookUrl": "https://a.1.environment.api.high.powerplatform.microsoft.us/powerautomate/x?sig=y"}),
            json!({"webhookUrl": "https://prod-1.chinanorth3.logic.azure.cn/workflows/x/triggers/manual/paths/invoke?sig=y"}),
            json!({"webhookUrl": CONNECTOR_URL, "format": "adaptiveCard", "mentions": [{"name": "Ops", "id": "ops@example.com"}]}),
            with(
                json!({"mentions": [{"name": "Ada Lovelace", "id": "87d349ed-44d7-43e1-9a83-5f2406dee5bd"}]}),
            ),
            with(json!({"minSeverity": "critical", "topics": ["session.*", "plugin.>", ">"],
                        "quietHours": {"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin"}})),
        ] {
            settings(&good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            json!({}),
            json!({"destinations": []}),
            json!({"webhookUrl": FLOW_URL.replace("https", "http")}),
            json!({"webhookUrl": FLOW_URL.replace(".com:443", ".com.evil.example")}),
            json!({"webhookUrl": FLOW_URL.replace("443", "8443")}),
            json!({"webhookUrl": FLOW_URL.replace("prod-7", "ada@prod-7")}),
            json!({"webhookUrl": FLOW_URL.replace("&sig=hunter2", "")}),
            json!({"webhookUrl": "https://logic.azure.com/workflows/x?sig=y"}),
            json!({"webhookUrl": "https://outlook.office.com/mail/x"}),
            json!({"webhookUrl": "https://hooks.slack.com/services/T0/B0/x"}),
            json!({"webhookUrl": FLOW_URL, "webhookURL": "y"}),
            json!({"webhookUrl": FLOW_URL, "format": "card"}),
            json!({"webhookUrl": FLOW_URL, "rateLimit": -1}),
            json!({"webhookUrl": FLOW_URL, "mentions": [{"name": "Ops"}]}),
            json!({"webhookUrl": FLOW_URL, "mentions": [{"name": "Ops</at>", "id": "ops@example.com"}]}),
            json!({"webhookUrl": FLOW_URL, "mentions": [{"name": "Ops", "id": "everyone"}]}),
            json!({"webhookUrl": CONNECTOR_URL, "mentions": [{"name": "Ops", "id": "ops@example.com"}]}),
            json!({"destinations": [{"name": "ops"}]}),
            with(json!({"webhookUrl": "https://example.com/"})),
            with(json!({"format": "messageCard", "mentions": [{"name": "Ops", "id": "ops@example.com"}]})),
            with(json!({"name": "Ops Team"})),
            with(json!({"topics": []})),
        ] {
            assert!(settings(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_was_cut_off_is_noticed() {
        let cut = json!({"webhookUrl": FLOW_URL.split('&').next()});
        let why = settings(&cut).expect_err("it has no signature");
        assert!(why.contains("`sig`") && !why.contains("westeurope"), "{why}");
    }

    #[test]
    fn the_format_is_that_of_what_takes_it_unless_another_is_wanted() {
        let card = |url: &str, format: &str| {
            let settings = settings(&json!({"webhookUrl": url, "format": format})).expect("settings");
            settings.destinations[0].target.card
        };
        assert_eq!(card(FLOW_URL, "auto"), Card::Adaptive);
        assert_eq!(card(CONNECTOR_URL, "auto"), Card::Message);
        assert_eq!(card(CONNECTOR_URL, "adaptiveCard"), Card::Adaptive);
        assert_eq!(card(FLOW_URL, "messageCard"), Card::Message);
    }

    #[test]
    fn the_switches_are_the_topics() {
        let topics = |config: Value| settings(&config).expect("settings").destinations.remove(0).topics;
        assert_eq!(topics(json!({"webhookUrl": FLOW_URL})), ["session.created", "user.created"]);
        assert_eq!(
            topics(
                json!({"webhookUrl": FLOW_URL, "notifyOnSessionHibernated": true, "notifyOnUserCreated": false})
            ),
            ["session.created", "session.hibernated"]
        );
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let settings = settings(&json!({
            "webhookUrl": FLOW_URL, "destinations": [{"name": "ops", "webhookUrl": CONNECTOR_URL}],
        }))
        .expect("settings");
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("azure") && !shown.contains("office"),
            "{shown}"
        );
    }
}
