//! What PagerDuty's answers mean.

use std::time::SystemTime;

use serde::Deserialize;
use streamspace_notifier::{
    Outcome,
    http::{Answers, judge},
    text::plain,
};
use streamspace_plugin::prelude::{HttpError, Response};

/// 202 is yes, 400 is no; after 429, 5xx and no answer it is to be sent again
/// (<https://developer.pagerduty.com/docs/events-api-v2-overview>, "Response Codes & Retry Logic").
const ANSWERS: Answers = Answers { provider: "PagerDuty", broken: &[], remedy: "", code: errors };

/// Most errors that are shown of an answer, and how much of them all, in characters.
const MAX_ERRORS: usize = 3;
const MAX_SHOWN: usize = 200;
/// So many letters and digits in a row may be an integration key.
const KEY: usize = 32;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    errors: Vec<String>,
}

/// What an answer means.
pub(crate) fn of(answer: &Result<Response, HttpError>, now: SystemTime) -> Outcome {
    judge(&ANSWERS, answer, now)
}

/// PagerDuty's own words about what it does not like. They go to the log, so they are few, and have nothing in them that could
/// be a key.
fn errors(answer: &Response) -> Option<String> {
    let said: Said = answer.json().ok()?;
    let errors: Vec<String> = said.errors.iter().take(MAX_ERRORS).map(|error| without_keys(error)).collect();
    Some(plain(&errors.join("; "), MAX_SHOWN)).filter(|errors| !errors.is_empty())
}

fn without_keys(text: &str) -> String {
    let mut out = String::new();
    for run in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = run.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if word.len() >= KEY {
            out.push('…');
            out.push_str(&run[word.len()..]);
        } else {
            out.push_str(run);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};
    use streamspace_notifier::Verdict;

    use super::*;

    fn answered(status: u16, body: &str) -> Verdict {
        of(&Ok(Response::new(status, [], body.as_bytes().to_vec())), UNIX_EPOCH).verdict
    }

    fn refused(body: &Value) -> String {
        let Verdict::Refused { reason } = answered(400, &body.to_string()) else { panic!("it is taken") };
        reason
    }

    #[test]
    fn accepted_is_sent() {
        let body = json!({"status": "success", "message": "Event processed", "dedup_key": "x"});
        assert_eq!(answered(202, &body.to_string()), Verdict::Sent);
        assert_eq!(answered(202, ""), Verdict::Sent);
    }

    #[test]
    fn what_is_refused_says_why() {
        let errors =
            ["Length of 'routing_key' is incorrect (should be 32 characters)", "'payload' is missing"];
        let body = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
        assert_eq!(refused(&body), format!("PagerDuty answered 400 ({}; {})", errors[0], errors[1]));
        for nothing in [json!({}), json!("no"), json!({"errors": []}), json!({"errors": "x"})] {
            assert_eq!(refused(&nothing), "PagerDuty answered 400");
        }
    }

    #[test]
    fn what_pagerduty_says_is_short_and_names_no_key() {
        let key = "0123456789abcdefghijklmnopqrstuv";
        let told = refused(&json!({"errors": [format!("no service for '{key}', nor for {key}x."), "b\nc"]}));
        assert_eq!(told, "PagerDuty answered 400 (no service for '…', nor for ….; b c)");
        let told = refused(&json!({"errors": vec!["an error like others ".repeat(100); 100]}));
        assert!(told.chars().count() < 250, "{told}");
    }

    #[test]
    fn too_many_calls_wait_and_trouble_is_tried_again() {
        let Verdict::Limited { after, .. } = answered(429, "") else { panic!("429") };
        assert_eq!(after, Duration::from_secs(30));
        for status in [500, 502, 503, 504] {
            assert!(matches!(answered(status, ""), Verdict::Again { after: None, .. }), "{status}");
        }
        assert!(matches!(answered(413, ""), Verdict::Refused { .. }));
    }
}
