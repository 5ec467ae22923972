//! A notification as a MessageCard, which connectors show
//! (<https://learn.microsoft.com/outlook/actionable-messages/message-card-reference>).

use serde_json::{Map, Value, json};
use streamspace_notifier::{Notification, text};

use crate::{
    adaptive::{buttons, limit, pairs},
    fit::Room,
    markdown::escaped,
};

/// The body of the request that posts `notification`, within `room`.
pub(crate) fn message(notification: &Notification, room: Room) -> Value {
    let mut card = Map::new();
    card.insert("@type".into(), "MessageCard".into());
    card.insert("@context".into(), "https://schema.org/extensions".into());
    card.insert("themeColor".into(), notification.color.hex().trim_start_matches('#').into());
    // What a phone shows: plain, and required.
    let summary = text::plain(&notification.summary, room.text);
    let summary = if summary.is_empty() { "StreamSpace".to_owned() } else { summary };
    card.insert("summary".into(), summary.into());
    for (key, text) in [
        ("title", escaped(&notification.title, limit::TITLE.min(room.text))),
        ("text", escaped(&notification.summary, room.text)),
    ] {
        if !text.is_empty() {
            card.insert(key.into(), text.into());
        }
    }
    let facts: Vec<Value> = pairs(notification, room)
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let facts = (!facts.is_empty()).then(|| json!({ "facts": facts, "markdown": true }));
    let footer = json!({ "text": footer(notification), "markdown": true });
    card.insert("sections".into(), facts.into_iter().chain([footer]).collect());
    let actions: Vec<Value> = buttons(notification)
        .map(|(name, url)| json!({ "@type": "OpenUri", "name": name, "targets": [{ "os": "default", "uri": url }] }))
        .collect();
    if !actions.is_empty() {
        card.insert("potentialAction".into(), actions.into());
    }
    Value::Object(card)
}

/// When, what, and from where. MessageCards know no reader's time zone.
fn footer(notification: &Notification) -> String {
    let topic = escaped(&notification.topic, limit::LABEL);
    let parts = [text::rfc3339(notification.occurred_at), topic, "StreamSpace".to_owned()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use streamspace_notifier::{Field, Link, testing::Sample};

    use super::*;
    use crate::{fit::fitted, rules::assert_message_card};

    fn rendered(notification: &Notification) -> Value {
        let card = fitted(notification, |room| message(notification, room));
        assert_message_card(&card);
        card
    }

    #[test]
    fn a_summary_is_always_there() {
        let notification = Sample::new("session.created", json!({})).notification();
        assert_eq!(rendered(&notification)["summary"], "A session was created.");
        let blank = rendered(&Notification { summary: "\n".into(), title: String::new(), ..notification });
        assert_eq!(blank["summary"], "StreamSpace");
        assert_eq!((blank.get("title"), blank.get("text")), (None, None));
    }

    #[test]
    fn the_longest_is_made_to_fit_and_nothing_is_markup() {
        let notification = Sample::new("session.created", json!({})).notification();
        for text in ["🦀", "*", "[x](https://evil.example)"] {
            let long = text.repeat(3000);
            let card = rendered(&Notification {
                title: long.clone(),
                summary: long.clone(),
                fields: vec![Field { label: long.clone(), value: long.clone() }; 100],
                links: vec![Link { label: "Open", url: "https://a.example".into() }; 9],
                ..notification.clone()
            });
            let title = card["title"].as_str().expect("a title");
            assert!(!title.starts_with(['*', '[']) && title.ends_with('…'), "{title}");
        }
    }
}
