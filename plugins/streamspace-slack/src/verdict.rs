//! What Slack's answer means for the event.

use std::time::{Duration, SystemTime};

use streamspace_plugin::prelude::{Handled, HttpError, Response};

/// The wait after a 429 that does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// No shorter, whatever Slack says.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// No longer, whatever Slack says.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// How much of a body is read as an error code, in characters.
const MAX_CODE: usize = 64;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Slack has it.
    Sent,
    /// It may work later; with no time given, when the consumer's back-off says.
    Again { after: Option<Duration>, reason: String },
    /// This message will never work.
    Refused { reason: String },
    /// No message to this webhook will ever work.
    Broken { reason: String },
}

/// What of an answer matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) code: Option<String>,
}

impl From<&Response> for Answer {
    fn from(response: &Response) -> Self {
        Self {
            status: response.status(),
            retry_after: response.header("Retry-After").map(str::to_owned),
            code: error_code(response.body()),
        }
    }
}

/// Judges an answer, or that none came. `now` is what a date in `Retry-After` is compared with.
pub(crate) fn judge(answer: &Result<Answer, HttpError>, now: SystemTime) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        // The messages of these errors name the host, never the rest of the address.
        Err(why) if why.is_transient() => return Verdict::Again { after: None, reason: why.to_string() },
        Err(why) => return Verdict::Refused { reason: why.to_string() },
    };
    let code = answer.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let answered = format!("Slack answered {}{code}", answer.status);
    match answer.status {
        200..=299 => Verdict::Sent,
        429 => Verdict::Again {
            after: Some(wait(answer.retry_after.as_deref(), now)),
            reason: format!("{answered}: too many messages"),
        },
        403 | 404 | 410 => Verdict::Broken {
            reason: format!("{answered}: the webhook no longer works; make a new one and configure it"),
        },
        408 | 425 | 500..=599 => Verdict::Again { after: None, reason: answered },
        _ => Verdict::Refused { reason: answered },
    }
}

/// What a `Retry-After` says (RFC 9110, section 10.2.3: seconds or a date), within our bounds.
fn wait(retry_after: Option<&str>, now: SystemTime) -> Duration {
    let Some(text) = retry_after.map(str::trim) else { return DEFAULT_WAIT };
    let told = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => match httpdate::parse_http_date(text) {
            Ok(date) => date.duration_since(now).unwrap_or_default(),
            Err(_) => DEFAULT_WAIT,
        },
    };
    told.clamp(MIN_WAIT, MAX_WAIT)
}

/// Slack's error code, the plain text of the body, e.g. `channel_is_archived`. Nothing if the body is something else: it
/// may come from somewhere between here and Slack, and it goes to the log.
fn error_code(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii();
    let code = &body[..body.len().min(MAX_CODE)];
    let is_code = !code.is_empty() && code.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
    is_code.then(|| code.iter().map(|b| char::from(*b)).collect())
}

impl From<Verdict> for Handled {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Sent => Self::Ack,
            Verdict::Again { after: Some(after), reason } => Self::retry_after(after, reason),
            Verdict::Again { after: None, reason } => Self::retry(reason),
            Verdict::Refused { reason } | Verdict::Broken { reason } => Self::reject(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_225_600) // Thu, 01 Jan 2026 00:00:00 GMT
    }

    fn of(status: u16, body: &str) -> Verdict {
        judge(&Ok(Answer { status, retry_after: None, code: error_code(body.as_bytes()) }), now())
    }

    fn waited(retry_after: Option<&str>) -> u64 {
        let answer = Answer { status: 429, retry_after: retry_after.map(str::to_owned), code: None };
        match judge(&Ok(answer), now()) {
            Verdict::Again { after: Some(after), .. } => after.as_secs(),
            other => panic!("429 is {other:?}"),
        }
    }

    #[test]
    fn success_is_acknowledged() {
        assert_eq!(Handled::from(of(200, "ok")), Handled::Ack);
    }

    #[test]
    fn a_dead_webhook_is_broken_and_says_why() {
        for (status, body, told) in [
            (403, "action_prohibited", "403 (action_prohibited)"),
            (404, "no_service", "404 (no_service)"),
            (410, "channel_is_archived\n", "410 (channel_is_archived)"),
            (404, "<html>Not here</html>", "Slack answered 404:"),
        ] {
            let Verdict::Broken { reason } = of(status, body) else { panic!("{status} is not broken") };
            assert!(reason.contains(told), "{reason}");
            assert_eq!(Handled::from(of(status, body)), Handled::reject(reason));
        }
    }

    #[test]
    fn a_message_that_slack_refuses_is_rejected() {
        for status in [400, 401, 402, 405, 413, 415, 422, 302, 304] {
            assert_eq!(
                Handled::from(of(status, "invalid_blocks")),
                Handled::reject(format!("Slack answered {status} (invalid_blocks)"))
            );
        }
    }

    #[test]
    fn trouble_at_slack_is_tried_again_after_the_back_off() {
        for status in [408, 425, 500, 502, 503, 504, 599] {
            assert_eq!(
                Handled::from(of(status, "rollup_error")),
                Handled::retry(format!("Slack answered {status} (rollup_error)"))
            );
        }
    }

    #[test]
    fn too_fast_waits_as_long_as_slack_says() {
        for (retry_after, seconds) in [
            (Some("7"), 7),
            (Some(" 7 "), 7),
            (Some("0"), 1),
            (Some("86400"), 3600),
            (Some("18446744073709551615"), 3600),
            (Some("Thu, 01 Jan 2026 00:02:00 GMT"), 120),
            (Some("Wed, 31 Dec 2025 23:59:00 GMT"), 1),
            (Some("Fri, 02 Jan 2026 00:00:00 GMT"), 3600),
            (Some("soon"), 30),
            (Some("-5"), 30),
            (Some("1.5"), 30),
            (Some(""), 30),
            (None, 30),
        ] {
            assert_eq!(waited(retry_after), seconds, "{retry_after:?}");
        }
    }

    #[test]
    fn without_an_answer_the_error_decides() {
        for (error, again) in [
            (HttpError::TimedOut("slow".into()), true),
            (HttpError::Connect("refused".into()), true),
            (HttpError::ConnectionLost("lost".into()), true),
            (HttpError::UnknownHost("unknown".into()), true),
            (HttpError::Unavailable, false),
            (HttpError::PermissionDenied("not allowed".into()), false),
            (HttpError::AddressRefused("private".into()), false),
            (HttpError::TooLarge("large".into()), false),
            (HttpError::InvalidRequest("invalid".into()), false),
            (HttpError::RedirectRefused("redirect".into()), false),
        ] {
            let reason = error.to_string();
            let expected = if again { Handled::retry(reason) } else { Handled::reject(reason) };
            assert_eq!(Handled::from(judge(&Err(error), now())), expected);
        }
    }

    #[test]
    fn only_a_code_is_taken_from_a_body() {
        for (body, code) in [
            ("no_team", Some("no_team")),
            (" no_team\r\n", Some("no_team")),
            ("", None),
            ("no team", None),
            ("https://hooks.slack.com/services/T0/B0/x", None),
            ("{\"ok\":false}", None),
            ("Internal_Error", None),
            ("\u{fc}ber", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body:?}");
        }
        assert_eq!(error_code("a".repeat(1000).as_bytes()), Some("a".repeat(64)));
        assert_eq!(error_code(&[0xff, 0xfe]), None);
    }
}
