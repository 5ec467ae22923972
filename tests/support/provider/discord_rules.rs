//! What Discord refuses of what is sent to a webhook, and what it answers.
//!
//! The limits are those of Discord's reference of webhooks and embeds; the answers have the form of its errors. A character is
//! counted as a code unit of UTF-16, which is the strictest reading of the reference.

use serde_json::{Value, json};

use super::{Reply, Request};

type Checked = Result<(), Reply>;

pub(super) fn check(request: &Request) -> Checked {
    if !request.header("user-agent").starts_with("DiscordBot (") {
        return Err(error(403, 40333, "internal network error"));
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let edits = match parts[..] {
        ["api", "v10", "webhooks", id, token] if is_id(id) && !token.is_empty() => false,
        ["api", "v10", "webhooks", id, token, "messages", message]
            if is_id(id) && !token.is_empty() && is_id(message) =>
        {
            true
        }
        _ => return Err(error(404, 10015, "Unknown Webhook")),
    };
    if request.method != if edits { "PATCH" } else { "POST" } {
        return Err(error(405, 0, "405: Method Not Allowed"));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("wait", "true")) if !edits => {}
            Some(("thread_id", id)) if is_id(id) => {}
            _ => return Err(invalid("query", "NUMBER_TYPE_COERCE")),
        }
    }
    let json = request.header("content-type").split(';').next().unwrap_or_default().trim();
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    match body {
        Some(message) if message.is_object() && json.eq_ignore_ascii_case("application/json") => {
            check_message(&message, edits, query.contains("thread_id="))
        }
        _ => Err(error(400, 50109, "The request body contains invalid JSON.")),
    }
}

/// A message: its id is the request's number behind 1000, or the one that is edited.
pub(super) fn message(request: &Request, number: usize) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let id = match path.split_once("/messages/") {
        Some((_, id)) => id.to_owned(),
        None => (1000 + number).to_string(),
    };
    let makes_a_post =
        serde_json::from_slice::<Value>(&request.body).is_ok_and(|body| body["thread_name"].is_string());
    let thread = query.split('&').find_map(|pair| pair.strip_prefix("thread_id="));
    // A post of a forum has the id of its first message.
    let channel = if makes_a_post { &id } else { thread.unwrap_or("500") };
    Reply::new(200)
        .header("Content-Type", "application/json")
        .header("X-RateLimit-Limit", "5")
        .header("X-RateLimit-Remaining", "4")
        .header("X-RateLimit-Reset-After", "1.000")
        .body(json!({ "id": id, "channel_id": channel, "type": 0, "webhook_id": "12" }).to_string())
}

fn check_message(message: &Value, edits: bool, in_thread: bool) -> Checked {
    for key in ["username", "avatar_url", "thread_name", "applied_tags"] {
        // Discord overlooks them; whoever sends them expects something of them.
        ensure(!edits || message.get(key).is_none(), key, "BASE_TYPE_BAD")?;
    }
    if let Some(name) = message.get("username") {
        length("username", name, 80)?;
        let name = name.as_str().unwrap_or_default().to_lowercase();
        let bad = ["discord", "clyde", "@", "#", ":", "```"].iter().any(|part| name.contains(part));
        ensure(!bad && name != "everyone" && name != "here", "username", "USERNAME_INVALID_CONTAINS")?;
    }
    if let Some(url) = message.get("avatar_url") {
        address("avatar_url", url)?;
    }
    if let Some(name) = message.get("thread_name") {
        if in_thread {
            return Err(error(400, 220_002, "Cannot have both a thread_name and a thread_id"));
        }
        length("thread_name", name, 100)?;
    }
    let content = message.get("content").filter(|content| !content.is_null());
    if let Some(content) = content {
        length("content", content, 2000)?;
    }
    let embeds = list(message, "embeds")?;
    ensure(embeds.len() <= 10, "embeds", "BASE_TYPE_MAX_LENGTH")?;
    if content.is_none() && embeds.is_empty() {
        return Err(error(400, 50006, "Cannot send an empty message"));
    }
    mentions(&message["allowed_mentions"])?;
    let mut all = 0;
    for (i, embed) in embeds.iter().enumerate() {
        all += check_embed(&format!("embeds.{i}"), embed)?;
    }
    ensure(all <= 6000, "embeds", "MAX_EMBED_SIZE_EXCEEDED")
}

fn check_embed(path: &str, embed: &Value) -> Result<usize, Reply> {
    let mut all = 0;
    for (key, most) in [("title", 256), ("description", 4096)] {
        if let Some(text) = embed.get(key) {
            all += length(&format!("{path}.{key}"), text, most)?;
        }
    }
    if let Some(url) = embed.get("url") {
        address(&format!("{path}.url"), url)?;
    }
    if let Some(color) = embed.get("color") {
        ensure(
            color.as_u64().is_some_and(|color| color <= 0xff_ffff),
            &format!("{path}.color"),
            "NUMBER_TYPE_MAX",
        )?;
    }
    if let Some(time) = embed.get("timestamp") {
        let is_time = time.as_str().is_some_and(|time| time.len() >= 20 && time.as_bytes()[10] == b'T');
        ensure(is_time, &format!("{path}.timestamp"), "DATE_TIME_TYPE_PARSE")?;
    }
    if let Some(footer) = embed.get("footer") {
        all += length(&format!("{path}.footer.text"), &footer["text"], 2048)?;
    }
    let fields = list(embed, "fields")?;
    ensure(fields.len() <= 25, &format!("{path}.fields"), "BASE_TYPE_MAX_LENGTH")?;
    for (i, field) in fields.iter().enumerate() {
        all += length(&format!("{path}.fields.{i}.name"), &field["name"], 256)?;
        all += length(&format!("{path}.fields.{i}.value"), &field["value"], 1024)?;
    }
    Ok(all)
}

/// `parse` and a list of ids exclude each other for the same kind.
fn mentions(allowed: &Value) -> Checked {
    if allowed.is_null() {
        return Ok(());
    }
    for kind in list(allowed, "parse")? {
        let kind = kind.as_str().unwrap_or_default();
        ensure(
            ["roles", "users", "everyone"].contains(&kind),
            "allowed_mentions.parse",
            "BASE_TYPE_CHOICES",
        )?;
        ensure(allowed.get(kind).is_none(), "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE")?;
    }
    for kind in ["roles", "users"] {
        let ids = list(allowed, kind)?;
        ensure(
            ids.len() <= 100 && ids.iter().all(|id| id.as_str().is_some_and(is_id)),
            kind,
            "NUMBER_TYPE_COERCE",
        )?;
    }
    Ok(())
}

fn length(path: &str, text: &Value, most: usize) -> Result<usize, Reply> {
    let text = text.as_str().ok_or_else(|| invalid(path, "BASE_TYPE_REQUIRED"))?;
    ensure(!text.trim().is_empty(), path, "BASE_TYPE_REQUIRED")?;
    let length = text.encode_utf16().count();
    ensure(length <= most, path, "BASE_TYPE_MAX_LENGTH")?;
    Ok(length)
}

fn address(path: &str, url: &Value) -> Checked {
    let url = url.as_str().unwrap_or_default();
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', ':', '?']).next().unwrap_or_default()).unwrap_or_default();
    let is_host = host.contains('.') && host.split('.').all(|label| !label.is_empty());
    ensure(is_host && url.is_ascii() && url.len() <= 2048, path, "URL_TYPE_INVALID_URL")
}

fn list<'a>(of: &'a Value, key: &str) -> Result<&'a [Value], Reply> {
    match of.get(key) {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| invalid(key, "LIST_TYPE_CONVERT")),
    }
}

fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn ensure(holds: bool, path: &str, code: &str) -> Checked {
    if holds { Ok(()) } else { Err(invalid(path, code)) }
}

fn invalid(path: &str, code: &str) -> Reply {
    let mut errors = json!({ "_errors": [{ "code": code, "message": code }] });
    for part in path.rsplit('.') {
        errors = json!({ part: errors });
    }
    let body = json!({ "message": "Invalid Form Body", "code": 50035, "errors": errors });
    Reply::new(400).header("Content-Type", "application/json").body(body.to_string())
}

fn error(status: u16, code: u64, message: &str) -> Reply {
    let body = json!({ "message": message, "code": code });
    Reply::new(status).header("Content-Type", "application/json").body(body.to_string())
}
