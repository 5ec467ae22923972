//! What PagerDuty would refuse, for tests.

use serde_json::Value;

use crate::render::{ALERT, CHANGE, Message, limit};

/// Required fields, lengths and sizes.
pub(crate) fn assert_within_limits(message: &Message) {
    for piece in &message.requests {
        let body = &piece.body;
        assert!(body.to_string().len() < limit::BODY / 2, "{} bytes", body.to_string().len());
        assert_eq!(body.get("routing_key"), None, "a secret in {body}");
        let text = |value: &Value, most: usize| {
            let length = value.as_str().unwrap_or_else(|| panic!("no text: {value}")).chars().count();
            assert!((1..=most).contains(&length), "a text of {length}: {value}");
        };
        let payload = &body["payload"];
        match (piece.path, body["event_action"].as_str()) {
            (CHANGE, None) => {}
            (ALERT, Some("trigger")) => {
                text(&body["dedup_key"], limit::DEDUP_KEY);
                let severity = payload["severity"].as_str().expect("a severity");
                assert!(["info", "warning", "error", "critical"].contains(&severity), "{severity}");
                text(&payload["class"], limit::NAME);
            }
            (ALERT, Some("acknowledge" | "resolve")) => {
                text(&body["dedup_key"], limit::DEDUP_KEY);
                continue;
            }
            other => panic!("what is never sent: {other:?}"),
        }
        text(&payload["summary"], limit::SUMMARY);
        text(&payload["source"], limit::NAME);
        let details = payload["custom_details"].as_object().expect("details");
        assert!(details.len() <= limit::DETAILS, "{} details", details.len());
        details.values().for_each(|value| text(value, limit::VALUE));
        for link in body["links"].as_array().into_iter().flatten() {
            text(&link["href"], limit::URL);
        }
    }
}
