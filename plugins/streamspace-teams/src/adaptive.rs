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
