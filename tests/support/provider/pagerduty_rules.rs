//! What PagerDuty refuses of Events API v2, what it answers, and what becomes of alerts.
//!
//! Fields and lengths: <https://developer.pagerduty.com/docs/send-alert-event> and
//! <https://developer.pagerduty.com/docs/send-change-event>; answers and size:
//! <https://developer.pagerduty.com/docs/events-api-v2-overview>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Reply, Request};

const ALERT: &str = "/v2/enqueue";
const CHANGE: &str = "/v2/change/enqueue";
const MAX_BODY: usize = 512 * 1024;

/// An alert of a service, as it stands after some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// `triggered`, `acknowledged` or `resolved`.
    pub state: &'static str,
    /// How often it was triggered.
    pub triggers: usize,
}

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    if request.path != ALERT && request.path != CHANGE {
        return Err(Reply::new(404).body("not found"));
    }
    if request.body.len() > MAX_BODY {
        return Err(Reply::new(413).body("too large"));
    }
    let errors = match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) if request.method == "POST" && is_json(request) => errors(&request.path, &body),
        _ => vec!["the body is no JSON".to_owned()],
    };
    if errors.is_empty() {
        return Ok(());
    }
    let said = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
    Err(Reply::new(400).header("Content-Type", "application/json").body(said.to_string()))
}

/// What it answers to what it takes.
pub(super) fn taken(request: &Request, _: usize) -> Reply {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let mut said = json!({"status": "success", "message": "Event processed"});
    if request.path == ALERT {
        said["dedup_key"] = body.get("dedup_key").cloned().unwrap_or_else(|| "generated".into());
    } else {
        said["message"] = "Change event processed".into();
    }
    Reply::new(202).header("Content-Type", "application/json").body(said.to_string())
}

fn is_json(request: &Request) -> bool {
    let kind = request.header("content-type").split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn errors(path: &str, body: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    let mut ensure = |holds: bool, error: &str| {
        if !holds {
            errors.push(error.to_owned());
        }
    };
    let length = |value: &Value| value.as_str().map(|text| text.chars().count());
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let is_text_if_there = |value: &Value| value.is_null() || is_text(value);

    let key = &body["routing_key"];
    ensure(
        length(key) == Some(32)
            && key.as_str().is_some_and(|key| key.bytes().all(|b| b.is_ascii_alphanumeric())),
        "Length of 'routing_key' is incorrect (should be 32 characters)",
    );
    let action = body["event_action"].as_str();
    if path == ALERT {
        ensure(
            matches!(action, Some("trigger" | "acknowledge" | "resolve")),
            "'event_action' is invalid (should be one of the following: 'trigger', 'acknowledge', 'resolve')",
        );
        let dedup_key = &body["dedup_key"];
        ensure(
            dedup_key.is_null() || length(dedup_key).is_some_and(|length| (1..=255).contains(&length)),
            "Length of 'dedup_key' is incorrect (should be at most 255 characters)",
        );
        ensure(action == Some("trigger") || !dedup_key.is_null(), "'dedup_key' is missing");
    }
    let payload = &body["payload"];
    if path == CHANGE || action == Some("trigger") {
        ensure(payload.is_object(), "'payload' is missing or blank");
        ensure(is_text(&payload["summary"]), "'payload.summary' is missing or blank");
        ensure(
            length(&payload["summary"]).is_none_or(|length| length <= 1024),
            "Length of 'payload.summary' is incorrect (should be at most 1024 characters)",
        );
        ensure(
            is_text(&payload["source"]) || (path == CHANGE && payload["source"].is_null()),
            "'payload.source' is missing or blank",
        );
        ensure(is_time(&payload["timestamp"]), "'payload.timestamp' is no time in ISO 8601");
        ensure(
            payload["custom_details"].is_null() || payload["custom_details"].is_object(),
            "'payload.custom_details' is no object",
        );
    }
    if path == ALERT && action == Some("trigger") {
        ensure(
            matches!(payload["severity"].as_str(), Some("critical" | "error" | "warning" | "info")),
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
        );
        for key in ["component", "group", "class"] {
            ensure(is_text_if_there(&payload[key]), "a field of 'payload' is no text");
        }
    }
    for link in body["links"].as_array().into_iter().flatten() {
        ensure(is_text(&link["href"]), "'links' has one without 'href'");
    }
    for image in body["images"].as_array().into_iter().flatten() {
        let src = image["src"].as_str().unwrap_or_default();
        ensure(src.starts_with("https://"), "'images' has one that is not served via HTTPS");
    }
    errors
}

/// A date and a time with its zone.
fn is_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return value.is_null() };
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.starts_with("0000-00-00T00:00:00") && (shape.ends_with('Z') || shape.ends_with("+0000"))
}

/// What became of alerts with these requests, which PagerDuty took, by integration key and `dedup_key`: a trigger of one that is not there, or is over,
/// opens it; what is to be acknowledged or resolved and is not there is dropped.
pub(super) fn alerts<'a>(requests: impl Iterator<Item = &'a Request>) -> BTreeMap<(String, String), Alert> {
    let mut alerts: BTreeMap<(String, String), Alert> = BTreeMap::new();
    for request in requests.filter(|request| request.path == ALERT) {
        let body = request.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let key = (text("routing_key"), text("dedup_key"));
        let open = alerts.get_mut(&key).filter(|alert| alert.state != "resolved");
        match (text("event_action").as_str(), open) {
            ("trigger", Some(alert)) => alert.triggers += 1,
            ("trigger", None) => {
                alerts.insert(key, Alert { state: "triggered", triggers: 1 });
            }
            ("acknowledge", Some(alert)) => alert.state = "acknowledged",
            ("resolve", Some(alert)) => alert.state = "resolved",
            _ => {}
        }
    }
    alerts
}
