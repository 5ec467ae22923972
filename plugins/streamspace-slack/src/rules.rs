//! What Slack would refuse, for tests.

use serde_json::Value;

use crate::render::limit;

/// Limits and empty texts.
pub(crate) fn assert_within_limits(message: &Value) {
    let length = |value: &Value| value.as_str().expect("a text").chars().count();
    let text = |object: &Value, most: usize| {
        let length = length(&object["text"]);
        assert!((1..=most).contains(&length), "a text of {length}: {object}");
    };
    text(message, limit::TEXT);
    let blocks = message["attachments"][0]["blocks"].as_array().expect("blocks");
    assert!((1..=limit::BLOCKS).contains(&blocks.len()), "{} blocks", blocks.len());
    for block in blocks {
        let items = |key: &str| block[key].as_array().cloned().unwrap_or_default();
        match block["type"].as_str().expect("a type") {
            "header" => text(&block["text"], limit::HEADER),
            "section" => {
                assert!((1..=limit::FIELDS).contains(&items("fields").len()), "{block}");
                items("fields").iter().for_each(|field| text(field, limit::FIELD));
            }
            "context" => {
                assert_eq!(items("elements").len(), 1);
                items("elements").iter().for_each(|element| text(element, limit::TEXT));
            }
            "actions" => {
                assert!((1..=limit::ACTIONS).contains(&items("elements").len()), "{block}");
                for button in items("elements") {
                    text(&button["text"], limit::BUTTON);
                    assert!(length(&button["url"]) <= limit::URL, "{button}");
                }
            }
            other => panic!("a block that is never sent: {other}"),
        }
    }
}
