//! What Discord would refuse, for tests.

use serde_json::Value;

use crate::{markdown::length, render::limit};

/// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>.
const FOOTER: usize = 2048;

/// Limits and empty texts.
pub(crate) fn assert_within_limits(message: &Value) {
    let text = |value: &Value, most: usize| {
        let length = length(value.as_str().unwrap_or_else(|| panic!("no text: {value}")));
        assert!((1..=most).contains(&length), "a text of {length}: {value}");
        length
    };
    if let Some(content) = message.get("content").filter(|content| !content.is_null()) {
        text(content, limit::CONTENT);
    }
    assert!(message["allowed_mentions"]["parse"].is_array(), "{message}");
    let embeds = message["embeds"].as_array().expect("embeds");
    assert_eq!(embeds.len(), 1);
    let mut all = 0;
    for embed in embeds {
        for (key, most) in [("title", limit::TITLE), ("description", limit::DESCRIPTION)] {
            all += embed.get(key).map_or(0, |value| text(value, most));
        }
        all += text(&embed["footer"]["text"], FOOTER);
        if let Some(fields) = embed.get("fields") {
            let fields = fields.as_array().expect("fields");
            assert!((1..=limit::FIELDS).contains(&fields.len()), "{} fields", fields.len());
            for field in fields {
                all += text(&field["name"], limit::FIELD_NAME) + text(&field["value"], limit::FIELD_VALUE);
            }
        }
        assert!(embed["color"].as_u64().is_some_and(|color| color <= 0xff_ffff), "{embed}");
    }
    assert!(all <= limit::EMBEDS, "{all} characters in all");
}
