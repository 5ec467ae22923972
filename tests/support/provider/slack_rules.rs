//! What Slack refuses of what is posted to an incoming webhook.
//!
//! The limits are those of Slack's reference of Block Kit and of incoming webhooks; the answers are the words that an
//! incoming webhook answers with.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{Reply, Request};

type Checked = Result<(), &'static str>;

const INVALID: &str = "invalid_payload";
const INVALID_BLOCKS: &str = "invalid_blocks";

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    if request.path == "/api/chat.postMessage" {
        return app(request).map_err(|word| {
            let said = json!({"ok": false, "error": word});
            Reply::new(200).header("Content-Type", "application/json").body(said.to_string())
        });
    }
    let path: Vec<&str> = request.path.split('/').collect();
    let known = matches!(path[..], ["", "services", team, hook, secret]
        if [team, hook, secret].iter().all(|part| !part.is_empty()));
    if !known {
        return Err(Reply::new(404).body("no_service"));
    }
    posted(request).map_err(|word| Reply::new(400).body(word))
}

/// What is posted as an app: <https://docs.slack.dev/reference/methods/chat.postMessage>.
fn app(request: &Request) -> Checked {
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    ensure(!token.is_empty(), "not_authed")?;
    ensure(token.starts_with("xoxb-"), "invalid_auth")?;
    posted(request)?;
    let message: Value = serde_json::from_slice(&request.body).map_err(|_| "invalid_json")?;
    ensure(message["channel"].as_str().is_some_and(|channel| !channel.is_empty()), "channel_not_found")?;
    // Seconds, a point, six digits.
    let ts = |ts: &str| ts.split_once('.').is_some_and(|(s, us)| s.len() == 10 && us.len() == 6);
    ensure(message.get("thread_ts").is_none_or(|thread| thread.as_str().is_some_and(ts)), "invalid_thread_ts")
}

fn posted(request: &Request) -> Checked {
    let json = request.header("content-type").split(';').next().unwrap_or_default().trim();
    ensure(request.method == "POST" && json.eq_ignore_ascii_case("application/json"), INVALID)?;
    let message: Value = serde_json::from_slice(&request.body).map_err(|_| INVALID)?;
    ensure(message.is_object(), INVALID)?;

    let text = message.get("text");
    ensure(text.is_none_or(Value::is_string), INVALID)?;
    let has_text = text.and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let blocks = list(&message, "blocks", INVALID_BLOCKS)?;
    let attachments = list(&message, "attachments", INVALID)?;
    ensure(has_text || !blocks.is_empty() || !attachments.is_empty(), "no_text")?;
    ensure(attachments.len() <= 100, "too_many_attachments")?;

    check_blocks(blocks)?;
    attachments.iter().try_for_each(|attachment| {
        ensure(attachment.is_object(), INVALID)?;
        check_blocks(list(attachment, "blocks", INVALID_BLOCKS)?)
    })
}

fn check_blocks(blocks: &[Value]) -> Checked {
    ensure(blocks.len() <= 50, INVALID_BLOCKS)?;
    blocks.iter().try_for_each(|block| {
        if let Some(id) = block.get("block_id") {
            chars(id, 1..=255)?;
        }
        match block["type"].as_str() {
            Some("header") => {
                ensure(block["text"]["type"] == "plain_text", INVALID_BLOCKS)?;
                text_object(&block["text"], 150)
            }
            Some("section") => section(block),
            Some("context") => elements(block, 10, |element| match element["type"].as_str() {
                Some("image") => image(element),
                _ => text_object(element, 3000),
            }),
            Some("actions") => elements(block, 25, |element| match element["type"].as_str() {
                Some("button") => button(element),
                Some(_) => Ok(()),
                None => Err(INVALID_BLOCKS),
            }),
            Some("image") => image(block),
            Some("divider") => Ok(()),
            _ => Err(INVALID_BLOCKS),
        }
    })
}

fn section(block: &Value) -> Checked {
    let fields = list(block, "fields", INVALID_BLOCKS)?;
    ensure(block.get("text").is_some() || !fields.is_empty(), INVALID_BLOCKS)?;
    ensure(block.get("fields").is_none() || !fields.is_empty(), INVALID_BLOCKS)?;
    if let Some(text) = block.get("text") {
        text_object(text, 3000)?;
    }
    ensure(fields.len() <= 10, INVALID_BLOCKS)?;
    fields.iter().try_for_each(|field| text_object(field, 2000))?;
    match block.get("accessory") {
        Some(accessory) if accessory["type"] == "button" => button(accessory),
        Some(accessory) if accessory["type"] == "image" => image(accessory),
        _ => Ok(()),
    }
}

fn elements(block: &Value, most: usize, check: fn(&Value) -> Checked) -> Checked {
    let elements = list(block, "elements", INVALID_BLOCKS)?;
    ensure((1..=most).contains(&elements.len()), INVALID_BLOCKS)?;
    elements.iter().try_for_each(check)
}

fn button(button: &Value) -> Checked {
    ensure(button["text"]["type"] == "plain_text", INVALID_BLOCKS)?;
    text_object(&button["text"], 75)?;
    if let Some(id) = button.get("action_id") {
        chars(id, 1..=255)?;
    }
    if let Some(style) = button.get("style") {
        ensure(style == "primary" || style == "danger", INVALID_BLOCKS)?;
    }
    match button.get("url") {
        Some(url) => {
            chars(url, 1..=3000)?;
            let url = url.as_str().unwrap_or_default();
            ensure(url.starts_with("https://") || url.starts_with("http://"), INVALID_BLOCKS)
        }
        None => Ok(()),
    }
}

fn image(image: &Value) -> Checked {
    chars(&image["image_url"], 1..=3000)?;
    chars(&image["alt_text"], 1..=2000)
}

fn text_object(text: &Value, most: usize) -> Checked {
    ensure(text["type"] == "plain_text" || text["type"] == "mrkdwn", INVALID_BLOCKS)?;
    chars(&text["text"], 1..=most)
}

fn chars(text: &Value, allowed: RangeInclusive<usize>) -> Checked {
    let length = text.as_str().map(|text| text.chars().count());
    ensure(length.is_some_and(|length| allowed.contains(&length)), INVALID_BLOCKS)
}

fn list<'a>(of: &'a Value, key: &str, word: &'static str) -> Result<&'a [Value], &'static str> {
    match of.get(key) {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or(word),
    }
}

fn ensure(holds: bool, word: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(word) }
}
