//! A notification as an Adaptive Card, in the envelope that flows of the Workflows app take.
//!
//! The elements are those of version 1.5 (<https://adaptivecards.io/explorer/>), which is the newest that Teams shows everywhere
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference>).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use streamspace_notifier::{
    Color, Field, Link, Notification, Severity,
    text::{self, plain, web_address},
};

use crate::{config::Mention, fit::Room, markdown::escaped};

/// Ours, in characters: Teams has a limit for the whole only.
pub(crate) mod limit {
    /// The title.
    pub(crate) const TITLE: usize = 200;
    /// The label of a fact.
    pub(crate) const LABEL: usize = 100;
    /// What is on a button.
    pub(crate) const BUTTON: usize = 75;
    /// The address behind a button.
    pub(crate) const URL: usize = 2000;
    /// Buttons: Teams shows six of an Adaptive Card, and a MessageCard has four.
    pub(crate) const BUTTONS: usize = 4;
}

/// The first second of the year 10000, which a card cannot write.
const END_OF_TIME: u64 = 253_402_300_800;

/// The body of the request that posts `notification`, within `room`.
pub(crate) fn message(notification: &Notification, mentions: &[Mention], room: Room) -> Value {
    let mentions = if notification.severity == Severity::Critical { mentions } else { &[] };
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card(notification, mentions, room),
        }],
    })
}

fn card(notification: &Notification, mentions: &[Mention], room: Room) -> Value {
    let mut card = Map::new();
    card.insert("$schema".into(), "http://adaptivecards.io/schemas/adaptive-card.json".into());
    card.insert("type".into(), "AdaptiveCard".into());
    card.insert("version".into(), "1.5".into());
    let summary = escaped(&notification.summary, room.text);
    if !summary.is_empty() {
        card.insert("fallbackText".into(), summary.as_str().into());
    }
    let mut teams = json!({ "width": "Full" });
    if !mentions.is_empty() {
        teams["entities"] = mentions.iter().map(entity).collect();
    }
    card.insert("msteams".into(), teams);
    card.insert("body".into(), body(notification, &summary, mentions, room).into());
    let actions: Vec<Value> = buttons(notification)
        .map(|(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
        .collect();
    if !actions.is_empty() {
        card.insert("actions".into(), actions.into());
    }
    Value::Object(card)
}

fn body(notification: &Notification, summary: &str, mentions: &[Mention], room: Room) -> Vec<Value> {
    let title = escaped(&notification.title, limit::TITLE.min(room.text));
    let header = (!title.is_empty()).then(|| {
        json!({
            "type": "Container", "style": style(notification), "bleed": true,
            "items": [{
                "type": "TextBlock", "text": title, "style": "heading", "size": "Medium", "weight": "Bolder", "wrap": true,
            }],
        })
    });
    let called = (!mentions.is_empty()).then(|| {
        let names: Vec<String> = mentions.iter().map(Mention::markup).collect();
        text_block(&names.join(" "))
    });
    let summary = (!summary.is_empty()).then(|| text_block(summary));
    let facts = facts(notification, room);
    let facts = (!facts.is_empty()).then(|| json!({ "type": "FactSet", "facts": facts }));
    let mut footer = text_block(&footer(notification));
    footer["size"] = "Small".into();
    footer["isSubtle"] = true.into();
    header.into_iter().chain(called).chain(summary).chain(facts).chain([footer]).collect()
}

/// The container behind the title: what is wrong stands out, the rest has the colour of what happened.
fn style(notification: &Notification) -> &'static str {
    match (notification.severity, notification.color) {
        (Severity::Error | Severity::Critical, _) => "attention",
        (Severity::Warning, _) | (_, Color::AMBER) => "warning",
        (_, Color::GREEN) => "good",
        (_, Color::GREY) => "emphasis",
        _ => "accent",
    }
}

fn text_block(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": text, "wrap": true })
}

fn facts(notification: &Notification, room: Room) -> Vec<Value> {
    pairs(notification, room)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": value }))
        .collect()
}

/// The facts that there is room for, and how many more there are.
pub(crate) fn pairs(notification: &Notification, room: Room) -> Vec<(String, String)> {
    let written = |field: &Field| {
        let label = escaped(&field.label, limit::LABEL.min(room.text));
        let value = escaped(&field.value, room.text);
        (!label.is_empty() && !value.is_empty()).then_some((label, value))
    };
    let mut pairs: Vec<_> = notification.fields.iter().take(room.facts).filter_map(written).collect();
    let left_out = notification.fields.len().saturating_sub(room.facts);
    if left_out > 0 {
        pairs.push(("…".into(), format!("{left_out} more")));
    }
    pairs
}

/// The buttons' labels and addresses.
pub(crate) fn buttons(notification: &Notification) -> impl Iterator<Item = (String, &str)> {
    let usable = |link: &&Link| web_address(&link.url, limit::URL);
    notification
        .links
        .iter()
        .filter(usable)
        .map(|link| (plain(link.label, limit::BUTTON), link.url.as_str()))
        .take(limit::BUTTONS)
}

/// When, what, and from where. Each reader sees the time in their own time zone
/// (<https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features#datetime-formatting-and-localization>).
fn footer(notification: &Notification) -> String {
    let seconds = notification.occurred_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let when = (seconds < END_OF_TIME).then(|| date(notification.occurred_at));
    let topic = escaped(&notification.topic, limit::LABEL);
    let parts: Vec<String> =
        when.into_iter().chain([topic, "StreamSpace".to_owned()]).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

fn date(time: SystemTime) -> String {
    let time = text::rfc3339(time);
    format!("{{{{DATE({time}, SHORT)}}}} {{{{TIME({time})}}}}")
}

/// Who is notified where the text has their `<at>`
/// (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format#mention-support-within-adaptive-cards>).
fn entity(mention: &Mention) -> Value {
    json!({
        "type": "mention",
        "text": mention.markup(),
        "mentioned": { "id": mention.id, "name": mention.name },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamspace_notifier::testing::Sample;

    use super::*;
    use crate::{config::tests::mention, fit::fitted, rules::assert_adaptive};

    /// One that says little.
    fn notification() -> Notification {
        Sample::new("session.created", json!({})).notification()
    }

    fn rendered(notification: &Notification, mentions: &[Mention]) -> Value {
        let message = fitted(notification, |room| message(notification, mentions, room));
        assert_adaptive(&message);
        message["attachments"][0]["content"].clone()
    }

    fn types(card: &Value) -> Vec<&str> {
        let body = card["body"].as_array().expect("a body");
        body.iter().map(|element| element["type"].as_str().expect("a type")).collect()
    }

    #[test]
    fn user_text_is_nowhere_read_as_markdown() {
        let name = "[ok](https://evil.example) <at>Ops</at> *x*";
        let card = rendered(
            &Notification {
                title: name.into(),
                summary: name.into(),
                topic: name.into(),
                fields: vec![Field { label: name.into(), value: name.into() }],
                severity: Severity::Critical,
                ..notification()
            },
            &[mention("Ops")],
        );
        let text = card["body"].to_string();
        assert!(
            !text.contains("[ok](") || text.matches(r"\\[ok").count() == text.matches("[ok").count(),
            "{text}"
        );
        assert_eq!(text.matches("<at>Ops").count(), 1, "the operator's own");
        assert_eq!(
            card["body"][0]["items"][0]["text"],
            r"\[ok\](https://evil.example) \<at\>Ops\</at\> \*x\*"
        );
    }

    #[test]
    fn what_is_wrong_stands_out() {
        let style = |severity, color| {
            rendered(&Notification { severity, color, ..notification() }, &[])["body"][0]["style"].clone()
        };
        for (severity, color, expected) in [
            (Severity::Info, Color::GREEN, "good"),
            (Severity::Info, Color::BLUE, "accent"),
            (Severity::Info, Color::GREY, "emphasis"),
            (Severity::Info, Color::AMBER, "warning"),
            (Severity::Warning, Color::GREEN, "warning"),
            (Severity::Error, Color::GREEN, "attention"),
            (Severity::Critical, Color::AMBER, "attention"),
        ] {
            assert_eq!(style(severity, color), expected);
        }
    }

    #[test]
    fn only_what_is_critical_mentions() {
        let mentions = [mention("Ada"), mention("Ops")];
        let card = |severity| rendered(&Notification { severity, ..notification() }, &mentions);
        assert_eq!(card(Severity::Error)["msteams"], json!({ "width": "Full" }));
        let critical = card(Severity::Critical);
        assert_eq!(critical["body"][1]["text"], "<at>Ada</at> <at>Ops</at>");
        assert_eq!(critical["msteams"]["entities"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn the_longest_is_made_to_fit_whatever_it_is_written_in() {
        let names: Vec<_> = (0..10).map(|_| mention(&"🦀".repeat(64))).collect();
        for text in ["x", "🦀", "ä", "*", "\\", "\"", "&amp;", "["] {
            let long = text.repeat(3000);
            let card = rendered(
                &Notification {
                    title: long.clone(),
                    summary: long.clone(),
                    topic: long.clone(),
                    fields: vec![Field { label: long.clone(), value: long.clone() }; 100],
                    links: vec![
                        Link { label: "Open", url: format!("https://a.example/{}", "x".repeat(1900)) };
                        9
                    ],
                    severity: Severity::Critical,
                    ..notification()
                },
                &names,
            );
            assert_eq!(types(&card), ["Container", "TextBlock", "TextBlock", "FactSet", "TextBlock"]);
            let facts = card["body"][3]["facts"].as_array().expect("facts");
            let last = facts.last().expect("a fact");
            assert_eq!(last["value"], format!("{} more", 100 - (facts.len() - 1)));
        }
    }

    #[test]
    fn what_is_blank_after_cleaning_is_left_out() {
        let card = rendered(
            &Notification {
                title: "\u{202e}".into(),
                summary: " ".into(),
                fields: vec![Field { label: "a".into(), value: "\u{200f}\n".into() }],
                ..notification()
            },
            &[],
        );
        assert_eq!(types(&card), ["TextBlock"]);
        assert_eq!(card.get("fallbackText"), None);
    }

    #[test]
    fn a_button_needs_an_address_of_the_web() {
        let actions = |url: &str| {
            let links = vec![Link { label: "Open session", url: url.into() }];
            rendered(&Notification { links, ..notification() }, &[]).get("actions").is_some()
        };
        assert!(actions("https://a.example/s/1"));
        assert!(!actions("javascript:alert(1)"));
    }

    #[test]
    fn a_time_beyond_the_calendar_is_left_out() {
        let occurred_at = UNIX_EPOCH + Duration::from_micros(u64::MAX);
        let card = rendered(&Notification { occurred_at, ..notification() }, &[]);
        assert_eq!(card["body"][2]["text"], "session.created · StreamSpace");
    }
}
