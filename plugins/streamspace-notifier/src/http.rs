//! Sending over HTTP, and what answers mean that mean the same everywhere.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use streamspace_plugin::prelude::{Context, HttpError, Request, Response};

use crate::provider::{Outcome, Verdict};

/// For the whole of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Providers answer with a few words; this is a page of somebody else's.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// The wait after a 429 that does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// No shorter, whatever the provider says.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// No longer, whatever the provider says.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// `[worker]` Sends a request, within bounds of time and size.
///
/// # Errors
///
/// [`HttpError`] if no answer came. Its messages name the host, never the rest of the address.
pub fn send(context: &Context, request: Request) -> Result<Response, HttpError> {
    context.http().send(&request.timeout(TIMEOUT).max_response_bytes(MAX_ANSWER_BYTES))
}

/// What is peculiar to a provider's answers.
#[derive(Debug, Clone, Copy)]
pub struct Answers {
    /// Who answers, for texts: `Slack`.
    pub provider: &'static str,
    /// Statuses that say that the destination will never take anything again.
    pub broken: &'static [u16],
    /// What to do about that: `make a new webhook and configure it`.
    pub remedy: &'static str,
    /// The provider's error code of an answer, if it has one that may be shown.
    pub code: fn(&Response) -> Option<String>,
}

/// Judges an answer, or that none came. `now` is what a date in `Retry-After` is compared with.
#[must_use]
pub fn judge(answers: &Answers, answer: &Result<Response, HttpError>, now: SystemTime) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) if why.is_transient() => {
            return Verdict::Again { after: None, reason: why.to_string() }.into();
        }
        Err(why) => return Verdict::Refused { reason: why.to_string() }.into(),
    };
    let code = (answers.code)(answer).map(|code| format!(" ({code})")).unwrap_or_default();
    let status = answer.status();
    let answered = format!("{} answered {status}{code}", answers.provider);
    let verdict = match status {
        200..=299 => Verdict::Sent,
        429 => Verdict::Limited {
            after: retry_after(answer.header("Retry-After"), now).unwrap_or(DEFAULT_WAIT),
            reason: format!("{answered}: too many messages"),
        },
        _ if answers.broken.contains(&status) => {
            Verdict::Broken { reason: format!("{answered}: it no longer takes messages; {}", answers.remedy) }
        }
        408 | 425 | 500..=599 => {
            Verdict::Again { after: retry_after(answer.header("Retry-After"), now), reason: answered }
        }
        _ => Verdict::Refused { reason: answered },
    };
    Outcome { verdict, status: Some(status), hold: None, progress: Value::Null }
}

/// What a `Retry-After` says (RFC 9110, section 10.2.3: seconds or a date), within our bounds. Seconds with a fraction, which
/// some providers send, are rounded up.
#[must_use]
pub fn retry_after(header: Option<&str>, now: SystemTime) -> Option<Duration> {
    let text = header?.trim();
    let told = match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(MAX_WAIT),
        Ok(_) => return None,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(told.clamp(MIN_WAIT, MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const ANSWERS: Answers = Answers {
        provider: "Acme",
        broken: &[404],
        remedy: "make another one",
        code: |answer| Some(answer.text()).filter(|text| !text.is_empty()),
    };

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_225_600) // Thu, 01 Jan 2026 00:00:00 GMT
    }

    fn of(status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        let answer = Response::new(status, headers.iter().copied(), body.as_bytes().to_vec());
        judge(&ANSWERS, &Ok(answer), now()).verdict
    }

    #[test]
    fn every_class_of_answers_means_one_thing() {
        assert_eq!(of(204, &[], ""), Verdict::Sent);
        for status in [400, 401, 403, 410, 413, 422, 302] {
            assert_eq!(
                of(status, &[], "no"),
                Verdict::Refused { reason: format!("Acme answered {status} (no)") }
            );
        }
        for status in [408, 425, 500, 502, 503, 504, 599] {
            let reason = format!("Acme answered {status} (busy)");
            assert_eq!(of(status, &[], "busy"), Verdict::Again { after: None, reason });
        }
        let Verdict::Broken { reason } = of(404, &[], "") else { panic!("404 is not broken") };
        assert_eq!(reason, "Acme answered 404: it no longer takes messages; make another one");
    }

    #[test]
    fn too_fast_waits_as_long_as_the_provider_says() {
        for (header, seconds) in [
            (Some("7"), 7),
            (Some(" 7 "), 7),
            (Some("0"), 1),
            (Some("1.2"), 2),
            (Some("86400"), 3600),
            (Some("18446744073709551616"), 3600),
            (Some("Thu, 01 Jan 2026 00:02:00 GMT"), 120),
            (Some("Wed, 31 Dec 2025 23:59:00 GMT"), 1),
            (Some("Fri, 02 Jan 2026 00:00:00 GMT"), 3600),
            (Some("soon"), 30),
            (Some("-5"), 30),
            (Some("NaN"), 30),
            (Some(""), 30),
            (None, 30),
        ] {
            let headers: Vec<_> = header.iter().map(|value| ("Retry-After", *value)).collect();
            let Verdict::Limited { after, .. } = of(429, &headers, "") else { panic!("{header:?}") };
            assert_eq!(after.as_secs(), seconds, "{header:?}");
        }
        assert_eq!(
            of(503, &[("Retry-After", "9")], ""),
            Verdict::Again { after: Some(Duration::from_secs(9)), reason: "Acme answered 503".into() }
        );
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
            let expected =
                if again { Verdict::Again { after: None, reason } } else { Verdict::Refused { reason } };
            assert_eq!(judge(&ANSWERS, &Err(error), now()).verdict, expected);
        }
    }
}
