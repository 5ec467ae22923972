//! What Discord's answers mean.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value};
use streamspace_notifier::{
    Outcome, Verdict,
    http::{Answers, judge},
};
use streamspace_plugin::prelude::{HttpError, Response};

use crate::webhook::is_number;

/// Discord ends an address from which too many requests come that it has to refuse: after the first one there is no other
/// (<https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans>).
const ANSWERS: Answers = Answers {
    provider: "Discord",
    broken: &[401, 403, 404],
    remedy: "look at the webhook in the channel's settings, or make a new one and configure it",
    code: |answer| said(answer).map(|said| said.words()),
};

/// No longer, whatever Discord says.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Fields that are named of a message that was refused.
const MAX_FIELDS: usize = 5;
/// How deep they are looked for.
const MAX_DEPTH: usize = 8;
/// Of the name of a field or of an error, in characters.
const MAX_NAME: usize = 40;

/// Discord's own numbers of errors (<https://docs.discord.com/developers/topics/opcodes-and-status-codes#json>), with what they
/// say; what it writes beside them is not shown.
const CODES: [(u64, &str); 16] = [
    (10003, "unknown channel or thread"),
    (UNKNOWN_MESSAGE, "unknown message"),
    (10015, "unknown webhook"),
    (OLD_EDITS, "too many edits of old messages"),
    (40067, "the forum asks for a tag: `appliedTags`"),
    (50006, "empty message"),
    (50013, "missing permission"),
    (50027, "invalid webhook token"),
    (50035, "invalid form"),
    (ARCHIVED, "archived thread"),
    (LOCKED, "locked thread"),
    (200_000, "blocked by the server's moderation"),
    (220_001, "the channel is a forum: configure `threadName` or `threadId`"),
    (220_003, "the channel is no forum: remove `threadName`"),
    (220_004, "a forum takes no such webhook"),
    (240_000, "blocked for a harmful link"),
];
const UNKNOWN_CHANNEL: u64 = 10003;
const UNKNOWN_MESSAGE: u64 = 10008;
const OLD_EDITS: u64 = 30046;
const ARCHIVED: u64 = 50083;
const LOCKED: u64 = 160_005;
/// No message to this channel would be taken, as it is configured.
const MISCONFIGURED: [u64; 4] = [40067, 220_001, 220_003, 220_004];
/// Where a message was to be edited, or a thread to be gone on with, it is not there any more.
const GONE: [u64; 5] = [UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, OLD_EDITS, ARCHIVED, LOCKED];

/// An answer, read.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// The message that is there now.
    pub(crate) posted: Option<Posted>,
    /// Whether the message or thread that was remembered is not there any more: a new one is needed.
    pub(crate) gone: bool,
    /// How long nothing may be sent, to whichever webhook.
    pub(crate) everywhere: Option<Duration>,
}

/// A message in Discord.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Posted {
    pub(crate) id: String,
    pub(crate) channel_id: String,
}

/// What Discord says of what went wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    code: u64,
    errors: Map<String, Value>,
    retry_after: Option<f64>,
    global: bool,
}

/// Nothing if it is not Discord's: it may come from somewhere between here and Discord.
fn said(answer: &Response) -> Option<Said> {
    if answer.status() < 400 { None } else { answer.json().ok() }
}

impl Said {
    /// The number with what it says, and which fields are wrong. Of Discord's text only what has the form of a name.
    fn words(&self) -> String {
        let known = CODES.iter().find(|(code, _)| *code == self.code);
        let mut words = match known {
            Some((code, words)) => format!("{code}, {words}"),
            None => self.code.to_string(),
        };
        let mut fields = Vec::new();
        collect(&self.errors, &mut Vec::new(), &mut fields);
        if !fields.is_empty() {
            words += &format!(": {}", fields.join(", "));
        }
        words
    }
}

/// `{"embeds": {"0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH"}]}}}}` becomes
/// `embeds.0.title BASE_TYPE_MAX_LENGTH`.
fn collect<'a>(errors: &'a Map<String, Value>, path: &mut Vec<&'a str>, fields: &mut Vec<String>) {
    for (key, value) in errors {
        if fields.len() == MAX_FIELDS || path.len() == MAX_DEPTH || !is_name(key) {
            return;
        }
        if key == "_errors" {
            let code = value.get(0).and_then(|error| error["code"].as_str()).filter(|code| is_name(code));
            fields.push(format!("{} {}", path.join("."), code.unwrap_or("is wrong")));
        } else if let Value::Object(inner) = value {
            path.push(key);
            collect(inner, path, fields);
            path.pop();
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What an answer means. `remembered`: whether it was asked for a message or a thread that was there once.
pub(crate) fn of(answer: &Result<Response, HttpError>, remembered: bool, now: SystemTime) -> Answer {
    let mut outcome = judge(&ANSWERS, answer, now);
    let Ok(answer) = answer else { return Answer { outcome, posted: None, gone: false, everywhere: None } };
    // The bucket of this webhook is empty: the next message waits, instead of being refused
    // (<https://docs.discord.com/developers/topics/rate-limits#header-format>).
    if answer.header("X-RateLimit-Remaining").is_some_and(|left| left.trim() == "0") {
        outcome.hold =
            answer.header("X-RateLimit-Reset-After").and_then(|text| seconds(text.trim().parse().ok()?));
    }
    let error = said(answer);
    let code = error.as_ref().map_or(0, |error| error.code);
    let gone = remembered && GONE.contains(&code);
    let mut everywhere = None;
    match &mut outcome.verdict {
        _ if gone => {}
        Verdict::Limited { after, .. } => {
            if let Some(told) = error.as_ref().and_then(|error| seconds(error.retry_after?)) {
                *after = told;
            }
            let scope = answer.header("X-RateLimit-Scope").unwrap_or_default();
            // Without Discord's own words it is the guard before it, who looks at where requests come from.
            if scope == "global" || error.as_ref().is_none_or(|error| error.global) {
                everywhere = Some(*after);
            }
        }
        Verdict::Refused { reason } if MISCONFIGURED.contains(&code) => {
            let reason = format!("{reason}: no message to this channel is taken as it is configured");
            outcome.verdict = Verdict::Broken { reason };
        }
        _ => {}
    }
    let is_sent = outcome.verdict == Verdict::Sent;
    let posted = answer
        .json::<Posted>()
        .ok()
        .filter(|posted| is_sent && is_number(&posted.id) && is_number(&posted.channel_id));
    Answer { outcome, posted, gone, everywhere }
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|told| told.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        of(&Ok(Response::new(status, headers.iter().copied(), body.as_bytes().to_vec())), false, UNIX_EPOCH)
    }

    fn verdict(status: u16, body: &Value) -> Verdict {
        answer(status, &[], &body.to_string()).outcome.verdict
    }

    #[test]
    fn a_message_is_known_by_its_id() {
        let posted = answer(200, &[], r#"{"id": "12", "channel_id": "34", "content": "x"}"#);
        assert_eq!(posted.outcome.verdict, Verdict::Sent);
        assert_eq!(posted.posted, Some(Posted { id: "12".into(), channel_id: "34".into() }));
        for body in ["", "ok", r#"{"id": "../12", "channel_id": "34"}"#] {
            let posted = answer(200, &[], body);
            assert_eq!((posted.outcome.verdict, posted.posted), (Verdict::Sent, None), "{body}");
        }
        assert_eq!(answer(204, &[], "").outcome.verdict, Verdict::Sent);
    }

    #[test]
    fn a_dead_webhook_is_broken_and_says_why() {
        for (status, body, told) in [
            (404, r#"{"message": "Unknown Webhook", "code": 10015}"#, "404 (10015, unknown webhook)"),
            (
                401,
                r#"{"message": "Invalid Webhook Token", "code": 50027}"#,
                "401 (50027, invalid webhook token)",
            ),
            (403, r#"{"message": "Missing Permissions", "code": 50013}"#, "403 (50013, missing permission)"),
            (
                404,
                r#"{"message": "Unknown Channel", "code": 10003}"#,
                "404 (10003, unknown channel or thread)",
            ),
            (403, "<html>Not here</html>", "403:"),
        ] {
            let Verdict::Broken { reason } = answer(status, &[], body).outcome.verdict else {
                panic!("{status} is not broken")
            };
            assert!(reason.contains(told) && reason.contains("new one"), "{reason}");
        }
    }

    #[test]
    fn a_channel_that_takes_no_message_as_configured_is_broken() {
        for code in MISCONFIGURED {
            let Verdict::Broken { reason } = verdict(400, &json!({"code": code})) else { panic!("{code}") };
            assert!(reason.contains(&code.to_string()), "{reason}");
        }
    }

    #[test]
    fn a_refused_message_says_which_fields_are_wrong() {
        let body = json!({"message": "Invalid Form Body", "code": 50035, "errors": {
            "embeds": {"0": {
                "title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]},
                "fields": {"3": {"value": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}}},
            }},
            "content": {"_errors": ["https://discord.com/api/webhooks/1/t0ken"]},
        }});
        let Verdict::Refused { reason } = verdict(400, &body) else { panic!("it is not refused") };
        assert_eq!(
            reason,
            "Discord answered 400 (50035, invalid form: embeds.0.title BASE_TYPE_MAX_LENGTH, \
             embeds.0.fields.3.value BASE_TYPE_REQUIRED, content is wrong)"
        );
    }

    #[test]
    fn a_reason_has_bounds_and_nothing_of_strangers() {
        let mut deep = json!({"_errors": [{"code": "X"}]});
        for _ in 0..50 {
            deep = json!({ "a": deep });
        }
        let many: Map<String, Value> = (0..50)
            .map(|n| (format!("f{n}"), json!({"_errors": [{"code": "https://evil.example/x"}]})))
            .collect();
        for errors in [deep, many.into(), json!({"<b>": {"_errors": []}})] {
            let Verdict::Refused { reason } = verdict(400, &json!({"code": 50035, "errors": errors})) else {
                panic!("it is not refused")
            };
            assert!(reason.len() < 300 && !reason.contains("evil") && !reason.contains('<'), "{reason}");
        }
    }

    #[test]
    fn an_empty_bucket_holds_the_next_message() {
        let hold = |remaining: &str, after: &str| {
            let headers = [("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset-After", after)];
            answer(200, &headers, "{}").outcome.hold
        };
        assert_eq!(hold("0", "1.25"), Some(Duration::from_millis(1250)));
        assert_eq!(hold("1", "1.25"), None);
        assert_eq!(hold("0", "1e300"), None);
        assert_eq!(hold("0", "86400"), Some(MAX_WAIT));
        for wrong in ["-1", "NaN", "soon", ""] {
            assert_eq!(hold("0", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn too_fast_waits_as_long_as_discord_says() {
        let of = |headers: &[(&str, &str)], body: &str| {
            let Answer { outcome, everywhere, .. } = answer(429, headers, body);
            let Verdict::Limited { after, .. } = outcome.verdict else { panic!("429 is not limited") };
            (after.as_millis(), everywhere.map(|wait| wait.as_millis()))
        };
        let body = r#"{"message": "You are being rate limited.", "retry_after": 0.65, "global": false}"#;
        assert_eq!(of(&[("Retry-After", "1"), ("X-RateLimit-Scope", "user")], body), (650, None));
        assert_eq!(of(&[("Retry-After", "1"), ("X-RateLimit-Scope", "shared")], body), (650, None));
        assert_eq!(of(&[("Retry-After", "1"), ("X-RateLimit-Scope", "global")], body), (650, Some(650)));
        assert_eq!(of(&[], r#"{"retry_after": 2, "global": true}"#), (2000, Some(2000)));
        assert_eq!(of(&[("Retry-After", "7")], r#"{"global": false}"#), (7000, None));
        assert_eq!(of(&[("Retry-After", "120")], "<html>error 1015</html>"), (120_000, Some(120_000)));
    }

    #[test]
    fn what_is_gone_is_so_only_if_it_was_there() {
        let of = |status, code, remembered| {
            let body = json!({ "code": code }).to_string();
            of(&Ok(Response::new(status, [], body.into_bytes())), remembered, UNIX_EPOCH).gone
        };
        for (status, code) in [(404, 10008), (404, 10003), (400, 50083), (429, 30046), (403, 160_005)] {
            assert!(of(status, code, true), "{code}");
            assert!(!of(status, code, false), "{code}");
        }
        assert!(!of(404, 10015, true));
    }

    #[test]
    fn trouble_of_discords_passes() {
        for status in [500, 502, 503, 504] {
            assert!(matches!(verdict(status, &json!({"code": 0})), Verdict::Again { .. }), "{status}");
        }
    }
}
