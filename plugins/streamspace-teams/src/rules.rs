//! What Teams would refuse or not show, for tests.

use serde_json::Value;

use crate::{adaptive::limit, fit::MOST};

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    let text = object[key].as_str().unwrap_or_else(|| panic!("no `{key}`: {object}"));
    assert!(!text.trim().is_empty(), "an empty `{key}`: {object}");
    text
}

fn items<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    let items = object[key].as_array().unwrap_or_else(|| panic!("no `{key}`: {object}"));
    assert!(!items.is_empty(), "an empty `{key}`: {object}");
    items
}

fn assert_size(message: &Value) {
    let bytes = message.to_string().len();
    assert!(bytes <= MOST, "{bytes} bytes");
}

fn assert_address(url: &str) {
    assert!(url.len() <= limit::URL && url.starts_with("http"), "{url}");
}

/// The envelope and the card in it.
pub(crate) fn assert_adaptive(message: &Value) {
    assert_size(message);
    assert_eq!(message["type"], "message");
    let [attachment] = items(message, "attachments") else { panic!("more than one attachment") };
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((text(card, "type"), text(card, "version")), ("AdaptiveCard", "1.5"));
    assert_eq!(card["msteams"]["width"], "Full");
    let mut shown = String::new();
    for element in items(card, "body") {
        match text(element, "type") {
            "Container" => {
                assert!(
                    ["good", "warning", "attention", "accent", "emphasis"].contains(&text(element, "style"))
                );
                for item in items(element, "items") {
                    text(item, "text");
                }
            }
            "TextBlock" => shown.push_str(text(element, "text")),
            "FactSet" => {
                for fact in items(element, "facts") {
                    text(fact, "title");
                    text(fact, "value");
                }
            }
            other => panic!("an element that is never sent: {other}"),
        }
    }
    if card.get("actions").is_some() {
        assert!(items(card, "actions").len() <= limit::BUTTONS);
        for action in items(card, "actions") {
            assert_eq!(text(action, "type"), "Action.OpenUrl");
            text(action, "title");
            assert_address(text(action, "url"));
        }
    }
    // An entity without its text is an error, and a text without its entity notifies nobody.
    let entities = card["msteams"]["entities"].as_array().cloned().unwrap_or_default();
    assert_eq!(shown.matches("<at>").count(), entities.len(), "{shown}");
    for entity in &entities {
        assert!(shown.contains(text(entity, "text")), "{entity}");
    }
}

/// A MessageCard.
pub(crate) fn assert_message_card(card: &Value) {
    assert_size(card);
    assert_eq!(card["@type"], "MessageCard");
    assert_eq!(card["@context"], "https://schema.org/extensions");
    text(card, "summary");
    assert!(text(card, "themeColor").len() == 6);
    for section in items(card, "sections") {
        if section.get("facts").is_some() {
            for fact in items(section, "facts") {
                text(fact, "name");
                text(fact, "value");
            }
        } else {
            text(section, "text");
        }
    }
    for action in card["potentialAction"].as_array().into_iter().flatten() {
        assert_eq!(action["@type"], "OpenUri");
        text(action, "name");
        assert_address(text(&items(action, "targets")[0], "uri"));
    }
}
