//! Sends session, user and quota events to Microsoft Teams, through flows of the Workflows app or what remains of the connectors.
//!
//! `config` says where, `address` what takes messages there; `adaptive` and `message_card` write a message in the two formats,
//! `fit` makes it small enough, and `answer` reads what Teams says to it.
#![forbid(unsafe_code)]

mod adaptive;
mod address;
mod answer;
mod config;
mod fit;
mod markdown;
mod message_card;
#[cfg(test)]
mod rules;

use std::time::SystemTime;

use serde_json::Value;
use streamspace_notifier::{Delivery, Limit, Notification, Notifier, Outcome, Provider, Settings, http};
use streamspace_plugin::prelude::*;

use crate::{
    address::Receiver,
    config::{Card, Config, Target},
};

/// What a connector takes
/// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors>).
const CONNECTOR: &[Limit] = &[
    Limit::new(4, 1),
    Limit::new(60, 30),
    Limit::new(100, 3600),
    Limit::new(150, 2 * 3600),
    Limit::new(1800, 24 * 3600),
];

/// What we ask of a flow. It accepts more, and fails later, unseen: the connection with which it posts is throttled by the minute
/// (<https://learn.microsoft.com/connectors/teams/#throttling-limits>), and a licence of Microsoft 365 has 6000 requests a day
/// (<https://learn.microsoft.com/power-platform/admin/api-request-limits-allocations>), of which a run takes about three.
const FLOW: &[Limit] = &[Limit::new(4, 1), Limit::new(60, 60), Limit::new(1800, 24 * 3600)];

/// Microsoft Teams, as the notifiers see it.
struct Teams {
    context: Context,
}

impl Provider for Teams {
    const NAME: &'static str = "Teams";

    type Config = Config;
    type Target = Target;
    type Message = Value;

    fn configure(context: &Context, config: Config) -> Result<(Self, Settings<Target>)> {
        let settings = config.into_settings()?;
        for to in settings.destinations.iter().filter(|to| to.target.receiver == Receiver::Connector) {
            warn!(
                context.logger(),
                "This webhook is of a connector, which Microsoft retires: make a flow in the Workflows app, and configure its address.";
                "destination" => &to.name
            );
        }
        Ok((Self { context: context.clone() }, settings))
    }

    fn limits(to: &Target) -> &'static [Limit] {
        match to.receiver {
            Receiver::Connector => CONNECTOR,
            Receiver::Flow => FLOW,
        }
    }

    fn render(&self, notification: &Notification, to: &Target) -> Value {
        rendered(notification, to)
    }

    fn send(&self, message: &Value, to: &Target, _: &Delivery<'_>) -> Outcome {
        let request = Request::post(to.url.expose())
            .header("Content-Type", "application/json; charset=utf-8")
            .body(message.to_string());
        answer::of(&http::send(&self.context, request), to, SystemTime::now())
    }
}

fn rendered(notification: &Notification, to: &Target) -> Value {
    match to.card {
        Card::Adaptive => {
            fit::fitted(notification, |room| adaptive::message(notification, &to.mentions, room))
        }
        Card::Message => fit::fitted(notification, |room| message_card::message(notification, room)),
    }
}

streamspace_plugin::export!(Notifier<Teams>);

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use serde_json::json;
    use streamspace_notifier::{
        Field,
        testing::{Sample, golden},
    };

    use super::*;
    use crate::config::tests::{CONNECTOR_URL, FLOW_URL, target};

    #[test]
    fn golden_adaptive_cards() {
        let to = target(FLOW_URL);
        golden(env!("CARGO_MANIFEST_DIR"), |sample| {
            let message = rendered(&sample.notification(), &to);
            rules::assert_adaptive(&message);
            message
        });
    }

    #[test]
    fn golden_message_cards() {
        let to = target(CONNECTOR_URL);
        golden(concat!(env!("CARGO_MANIFEST_DIR"), "/connector"), |sample| {
            let message = rendered(&sample.notification(), &to);
            rules::assert_message_card(&message);
            message
        });
    }

    /// What samples do not show, for the renderer of the cards' makers: compared with `extremes/NAME.json`, and written anew as
    /// golden messages are.
    #[test]
    fn golden_extremes() {
        let failed = Sample::new("session.failed", json!({"id": "s-1", "user": "ada"})).notification();
        let hostile = concat!(
            "<at>Ops</at> [ok](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example> **b** _i_ ~~s~~ `c` ",
            r"\* &lt;b&gt; <b>b</b> {{DATE(2026-01-02T03:04:05Z)}} 1. x"
        );
        let begins = ["- list", "# heading", "1. list", "> quote", "+ list", "* list"];
        let field = |value: &str| Field { label: "Value".into(), value: value.into() };
        let fields = begins.into_iter().chain([hostile]).map(field).collect();
        let mentions = [config::tests::mention("Ops"), config::tests::mention("Ada Lovelace")];
        for (name, notification) in [
            ("mentions", failed.clone()),
            (
                "hostile",
                Notification { title: hostile.into(), summary: hostile.into(), fields, ..failed.clone() },
            ),
            (
                "largest",
                Notification {
                    fields: vec![field(&"Ä*".repeat(900)); 25],
                    summary: "_".repeat(1800),
                    ..failed
                },
            ),
        ] {
            let to = Target { mentions: mentions.to_vec(), ..target(FLOW_URL) };
            let message = rendered(&notification, &to);
            rules::assert_adaptive(&message);
            let text = serde_json::to_string_pretty(&message).expect("JSON") + "\n";
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("extremes")
                .join(name)
                .with_added_extension("json");
            if env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&file, &text).expect("the file is written");
            }
            assert_eq!(fs::read_to_string(&file).expect("a golden message"), text, "{name} differs");
        }
    }

    #[test]
    fn a_connector_is_slower_than_a_flow() {
        assert_eq!(Teams::limits(&target(CONNECTOR_URL)), CONNECTOR);
        assert_eq!(Teams::limits(&target(FLOW_URL)), FLOW);
    }

    #[test]
    fn the_format_is_chosen_by_the_receiver() {
        let notification = Sample::new("session.created", json!({})).notification();
        assert_eq!(rendered(&notification, &target(FLOW_URL))["type"], "message");
        assert_eq!(rendered(&notification, &target(CONNECTOR_URL))["@type"], "MessageCard");
    }
}
