//! What Slack's answers mean.

use std::time::SystemTime;

use serde::Deserialize;
use streamspace_notifier::{
    Outcome, Verdict,
    http::{Answers, judge},
};
use streamspace_plugin::prelude::{HttpError, Response};

/// How much of a body is read as an error code, in characters.
const MAX_CODE: usize = 64;

/// Webhooks answer `ok`, or a code with a status
/// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
const WEBHOOK: Answers = Answers {
    provider: "Slack",
    broken: &[403, 404, 410],
    remedy: "make a new webhook and configure it",
    code: |answer| code(answer.body()),
};

/// Of its methods Slack answers 200 whatever happened, and says in the body what.
const APP: Answers =
    Answers { provider: "Slack", broken: &[], remedy: "", code: |answer| said(answer).ok()?.error };

/// Codes that no later try changes: the app, its token or the channel does not do.
const BROKEN: [&str; 14] = [
    "account_inactive",
    "access_denied",
    "channel_not_found",
    "ekm_access_denied",
    "invalid_auth",
    "is_archived",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "token_expired",
    "token_revoked",
];
/// Codes of trouble at Slack.
const AGAIN: [&str; 5] =
    ["fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"];
/// Codes that say that the thread's first message is gone.
const NO_THREAD: [&str; 2] = ["message_not_found", "thread_not_found"];

#[derive(Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    ts: Option<String>,
}

fn said(answer: &Response) -> Result<Said, serde_json::Error> {
    let mut said: Said = answer.json()?;
    said.error = said.error.and_then(|error| code(error.as_bytes()));
    Ok(said)
}

/// What a webhook's answer means.
pub(crate) fn of_webhook(answer: &Result<Response, HttpError>, now: SystemTime) -> Outcome {
    judge(&WEBHOOK, answer, now)
}

/// What the answer of `chat.postMessage` means, and under which `ts` the message is in its channel.
pub(crate) fn of_app(answer: &Result<Response, HttpError>, now: SystemTime) -> (Outcome, Option<String>) {
    let outcome = judge(&APP, answer, now);
    let (Ok(answer), Verdict::Sent) = (answer, &outcome.verdict) else { return (outcome, None) };
    let verdict = match said(answer) {
        Ok(Said { ok: true, ts, .. }) => return (outcome, ts),
        Err(_) => Verdict::Again { after: None, reason: "Slack answered what is none of its answers".into() },
        Ok(Said { error, .. }) => {
            let code = error.unwrap_or_else(|| "no code".into());
            let reason = format!("Slack refused the message ({code})");
            match code.as_str() {
                "ratelimited" | "rate_limited" => {
                    Verdict::Limited { after: std::time::Duration::from_secs(30), reason }
                }
                code if BROKEN.contains(&code) => Verdict::Broken {
                    reason: format!(
                        "{reason}: look at the app's token, its scope `chat:write`, and whether it is in the channel"
                    ),
                },
                code if AGAIN.contains(&code) || NO_THREAD.contains(&code) => {
                    Verdict::Again { after: None, reason }
                }
                _ => Verdict::Refused { reason },
            }
        }
    };
    (Outcome { verdict, ..outcome }, None)
}

/// Whether the thread that was answered in is gone: the next try begins another one.
pub(crate) fn lost_its_thread(outcome: &Outcome) -> bool {
    matches!(&outcome.verdict, Verdict::Again { reason, .. } if NO_THREAD.iter().any(|code| reason.contains(code)))
}

/// Slack's error code, a word such as `channel_is_archived`. Nothing if it is something else: it may come from somewhere
/// between here and Slack, and it goes to the log.
fn code(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii();
    let code = &body[..body.len().min(MAX_CODE)];
    let is_code = !code.is_empty() && code.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
    is_code.then(|| code.iter().map(|b| char::from(*b)).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;

    fn webhook(status: u16, body: &str) -> Verdict {
        of_webhook(&Ok(Response::new(status, [], body.as_bytes().to_vec())), UNIX_EPOCH).verdict
    }

    fn app(body: &Value) -> (Verdict, Option<String>) {
        let (outcome, ts) = of_app(&Ok(Response::new(200, [], body.to_string())), UNIX_EPOCH);
        (outcome.verdict, ts)
    }

    #[test]
    fn a_dead_webhook_is_broken_and_says_why() {
        for (status, body, told) in [
            (403, "action_prohibited", "403 (action_prohibited)"),
            (404, "no_service", "404 (no_service)"),
            (410, "channel_is_archived\n", "410 (channel_is_archived)"),
            (404, "<html>Not here</html>", "Slack answered 404:"),
        ] {
            let Verdict::Broken { reason } = webhook(status, body) else { panic!("{status} is not broken") };
            assert!(reason.contains(told) && reason.contains("new webhook"), "{reason}");
        }
    }

    #[test]
    fn a_message_that_a_webhook_refuses_is_refused() {
        for status in [400, 401, 402, 405, 413, 415, 422, 302, 304] {
            let reason = format!("Slack answered {status} (invalid_blocks)");
            assert_eq!(webhook(status, "invalid_blocks"), Verdict::Refused { reason });
        }
    }

    #[test]
    fn an_app_is_told_under_which_name_its_message_is_there() {
        assert_eq!(app(&json!({"ok": true, "ts": "1.2"})), (Verdict::Sent, Some("1.2".into())));
    }

    #[test]
    fn what_slack_says_of_an_apps_message_decides() {
        let of = |code: &str| app(&json!({"ok": false, "error": code})).0;
        for code in BROKEN {
            assert!(matches!(of(code), Verdict::Broken { .. }), "{code}");
        }
        for code in AGAIN.into_iter().chain(NO_THREAD) {
            assert!(matches!(of(code), Verdict::Again { .. }), "{code}");
        }
        for code in ["invalid_blocks", "msg_too_long", "no_text", "Something Else"] {
            assert!(matches!(of(code), Verdict::Refused { .. }), "{code}");
        }
        let reason = "Slack refused the message (ratelimited)".to_owned();
        assert_eq!(of("ratelimited"), Verdict::Limited { after: Duration::from_secs(30), reason });
        assert!(matches!(app(&json!("ok")).0, Verdict::Again { .. }), "a page of somebody else's");
    }

    #[test]
    fn a_thread_that_is_gone_is_begun_anew() {
        let answer = |code: &str| {
            of_app(&Ok(Response::new(200, [], json!({"ok": false, "error": code}).to_string())), UNIX_EPOCH).0
        };
        assert!(lost_its_thread(&answer("thread_not_found")));
        assert!(!lost_its_thread(&answer("internal_error")));
    }

    #[test]
    fn only_a_code_is_taken_from_a_body() {
        for (body, expected) in [
            ("no_team", Some("no_team")),
            (" no_team\r\n", Some("no_team")),
            ("", None),
            ("no team", None),
            ("https://hooks.slack.com/services/T0/B0/x", None),
            ("{\"ok\":false}", None),
            ("Internal_Error", None),
            ("\u{fc}ber", None),
        ] {
            assert_eq!(code(body.as_bytes()).as_deref(), expected, "{body:?}");
        }
        assert_eq!(code("a".repeat(1000).as_bytes()), Some("a".repeat(64)));
        assert_eq!(code(&[0xff, 0xfe]), None);
    }
}
