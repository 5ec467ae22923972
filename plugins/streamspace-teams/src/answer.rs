//! What the answers of flows and connectors mean.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use streamspace_notifier::{
    Outcome, Verdict,
    http::{Answers, judge},
};
use streamspace_plugin::prelude::{HttpError, Response};

use crate::{
    address::{Receiver, host},
    config::Target,
};

/// A flow accepts a message (202) and posts it later. Its errors are those of Azure Logic Apps.
const FLOW: Answers = Answers {
    provider: "Teams",
    broken: &[401, 403, 404, 410],
    remedy: "copy the flow's address from the Workflows app again and configure it; anyone must be allowed to trigger the flow",
    code,
};

const CONNECTOR: Answers = Answers { provider: "Teams", broken: &[403, 404, 410], remedy: NEW_FLOW, code };

const NEW_FLOW: &str =
    "connectors are being retired: make a flow in the Workflows app and configure its address";

/// Codes of a flow that is turned off, or deleted a short while ago.
const TURNED_OFF: [&str; 3] = ["WorkflowTriggerIsNotEnabled", "WorkflowNotEnabled", "WorkflowDisabled"];

/// How much of a body is looked at.
const MAX_BODY: usize = 4096;
/// How much of a body is taken as an error code, in characters.
const MAX_CODE: usize = 64;

/// What stands before the status that Teams answered to a connector. The connector's own answer is 200 all the same
/// (<https://github.com/MicrosoftDocs/msteams-docs/issues/1810>).
const INNER: &str = "HTTP error ";
/// The wait after such a 429, which does not say how long.
const INNER_WAIT: Duration = Duration::from_secs(30);

/// What an answer, or that none came, means.
pub(crate) fn of(answer: &Result<Response, HttpError>, to: &Target, now: SystemTime) -> Outcome {
    let answers = match to.receiver {
        Receiver::Flow => &FLOW,
        Receiver::Connector => &CONNECTOR,
    };
    let outcome = judge(answers, answer, now);
    let Ok(answer) = answer else { return without_host(outcome, to) };
    let body = &answer.body()[..answer.body().len().min(MAX_BODY)];
    let body = String::from_utf8_lossy(body);
    let verdict = match (outcome.verdict, inner(&body)) {
        (Verdict::Limited { after, reason }, _) => Verdict::Limited { after, reason },
        (_, Some(429)) => Verdict::Limited {
            after: INNER_WAIT,
            reason: format!("Teams answered {}, and in the body 429: too many messages", answer.status()),
        },
        (Verdict::Sent, Some(status)) => refused_inside(status, to),
        (Verdict::Sent, None) if to.receiver == Receiver::Connector && body.trim() != "1" => Verdict::Again {
            after: None,
            reason: format!(
                "Teams answered {}, and not the `1` that says that the message is there",
                answer.status()
            ),
        },
        (Verdict::Refused { .. } | Verdict::Broken { .. }, None)
            if code(answer).is_some_and(|code| TURNED_OFF.contains(&code.as_str())) =>
        {
            Verdict::Broken {
                reason: "the flow is turned off or deleted: turn it on in the Workflows app and send a test, or configure \
                         the address of another"
                    .into(),
            }
        }
        (verdict, _) => verdict,
    };
    Outcome { verdict, ..outcome }
}

/// What an answer means that is a success outside and this status inside.
fn refused_inside(status: u16, to: &Target) -> Verdict {
    let reason = format!("Teams answered 200, and in the body {status}");
    match status {
        403 | 404 | 410 => {
            let remedy = match to.receiver {
                Receiver::Flow => FLOW.remedy,
                Receiver::Connector => NEW_FLOW,
            };
            Verdict::Broken { reason: format!("{reason}: it no longer takes messages; {remedy}") }
        }
        // 412 is what two messages at the same moment come to.
        408 | 412 | 425 | 500..=599 => Verdict::Again { after: None, reason },
        413 => Verdict::Refused { reason: format!("{reason}: the message is too large") },
        _ => Verdict::Refused { reason },
    }
}

/// The status that a body tells of.
fn inner(body: &str) -> Option<u16> {
    let (_, rest) = body.split_once(INNER)?;
    let digits = rest.get(..3)?;
    let ends = !rest[3..].starts_with(|c: char| c.is_ascii_digit());
    digits.parse().ok().filter(|status| ends && (100..600).contains(status))
}

/// The error code of Logic Apps, a word such as `WorkflowNotFound`. Nothing if it is something else: a body may repeat parts of
/// the address.
fn code(answer: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: Problem,
    }
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    let Body { error: Problem { code } } = answer.json().ok()?;
    let is_code = (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphabetic());
    is_code.then_some(code)
}

/// The host's errors name the host, which is a part of the secret address.
fn without_host(outcome: Outcome, to: &Target) -> Outcome {
    let hidden = |reason: String| reason.replace(host(to.url.expose()), "the webhook's host");
    let verdict = match outcome.verdict {
        Verdict::Again { after, reason } => Verdict::Again { after, reason: hidden(reason) },
        Verdict::Refused { reason } => Verdict::Refused { reason: hidden(reason) },
        verdict => verdict,
    };
    Outcome { verdict, ..outcome }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::config::tests::{CONNECTOR_URL, FLOW_URL, target};

    fn answered(url: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        let answer = Response::new(status, headers.iter().copied(), body.as_bytes().to_vec());
        let outcome = of(&Ok(answer), &target(url), UNIX_EPOCH);
        assert_eq!(outcome.status, Some(status));
        outcome.verdict
    }

    fn flow(status: u16, body: &str) -> Verdict {
        answered(FLOW_URL, status, &[], body)
    }

    fn connector(status: u16, body: &str) -> Verdict {
        answered(CONNECTOR_URL, status, &[], body)
    }

    fn failed(status: u16) -> String {
        format!(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ContextId \
             tcid=0,server=msgapi-production-cse-azsc7-2-35,cv=x.0.."
        )
    }

    fn error(code: &str) -> String {
        format!(
            "{{\"error\":{{\"code\":\"{code}\",\"message\":\"workflow '0123' in https://prod-7.logic.azure.com\"}}}}"
        )
    }

    #[test]
    fn a_flow_accepts_with_any_success() {
        for (status, body) in [(202, ""), (200, ""), (200, "{}"), (204, ""), (202, "1")] {
            assert_eq!(flow(status, body), Verdict::Sent, "{status} {body}");
        }
    }

    #[test]
    fn a_connector_succeeds_with_a_one_alone() {
        for body in ["1", "1\n", " 1"] {
            assert_eq!(connector(200, body), Verdict::Sent, "{body:?}");
        }
        for body in
            ["", "0", "11", "ok", "<html>Sign in</html>", "Webhook message delivery failed with error: none"]
        {
            assert!(matches!(connector(200, body), Verdict::Again { .. }), "{body:?}");
        }
    }

    #[test]
    fn too_fast_may_stand_in_the_body_of_any_answer() {
        for status in [200, 202, 400, 500] {
            for verdict in [flow(status, &failed(429)), connector(status, &failed(429))] {
                let Verdict::Limited { after, reason } = verdict else { panic!("{status}: {verdict:?}") };
                assert_eq!(after, INNER_WAIT);
                assert!(!reason.contains("msgapi"), "{reason}");
            }
        }
    }

    #[test]
    fn a_429_waits_as_long_as_it_says() {
        let Verdict::Limited { after, .. } = answered(FLOW_URL, 429, &[("Retry-After", "7")], &failed(429))
        else {
            panic!("429 is too fast")
        };
        assert_eq!(after, Duration::from_secs(7));
    }

    #[test]
    fn what_teams_said_to_the_connector_decides() {
        for status in [403, 404, 410] {
            let Verdict::Broken { reason } = connector(200, &failed(status)) else {
                panic!("{status} is not broken")
            };
            assert!(reason.contains(&status.to_string()) && reason.contains("Workflows app"), "{reason}");
        }
        for status in [408, 412, 425, 500, 503] {
            assert!(matches!(connector(200, &failed(status)), Verdict::Again { .. }), "{status}");
        }
        for status in [400, 401, 413] {
            assert!(matches!(connector(200, &failed(status)), Verdict::Refused { .. }), "{status}");
        }
    }

    #[test]
    fn a_flow_that_is_gone_or_off_is_broken_and_says_why() {
        for (status, code) in [
            (401, "DirectApiAuthorizationRequired"),
            (403, "AuthorizationFailed"),
            (404, "WorkflowNotFound"),
            (410, "Gone"),
        ] {
            let Verdict::Broken { reason } = flow(status, &error(code)) else {
                panic!("{status} is not broken")
            };
            assert!(reason.contains(&format!("{status} ({code})")), "{reason}");
            assert!(!reason.contains("0123") && !reason.contains("prod-7"), "{reason}");
        }
        for status in [400, 404] {
            let Verdict::Broken { reason } = flow(status, &error("WorkflowTriggerIsNotEnabled")) else {
                panic!("it is off")
            };
            assert!(reason.contains("turn it on"), "{reason}");
        }
    }

    #[test]
    fn a_message_that_a_flow_refuses_is_refused() {
        let reason = "Teams answered 400 (TriggerInputSchemaMismatch)".to_owned();
        assert_eq!(flow(400, &error("TriggerInputSchemaMismatch")), Verdict::Refused { reason });
        for status in [413, 415, 302] {
            assert_eq!(flow(status, ""), Verdict::Refused { reason: format!("Teams answered {status}") });
        }
    }

    #[test]
    fn trouble_is_tried_again() {
        for status in [408, 500, 502, 503, 504] {
            for verdict in [flow(status, ""), connector(status, "<html>")] {
                assert!(matches!(verdict, Verdict::Again { after: None, .. }), "{status}: {verdict:?}");
            }
        }
    }

    #[test]
    fn only_a_code_is_taken_from_a_body() {
        for hostile in ["https://a.example/?sig=x", "a b", "", "Workflow1", &"a".repeat(65)] {
            let answer = Response::new(400, [], error(hostile));
            assert_eq!(code(&answer), None, "{hostile}");
        }
    }

    #[test]
    fn a_status_is_three_digits() {
        for (body, expected) in [
            ("HTTP error 429", Some(429)),
            ("HTTP error 429.", Some(429)),
            ("HTTP error 4291", None),
            ("HTTP error 42", None),
            ("HTTP error 999", None),
            ("HTTP error \u{664}29", None),
            ("error 429", None),
        ] {
            assert_eq!(inner(body), expected, "{body}");
        }
    }

    #[test]
    fn an_error_does_not_name_the_host() {
        for error in [
            HttpError::TimedOut("prod-7.westeurope.logic.azure.com did not answer".into()),
            HttpError::PermissionDenied("it may not reach prod-7.westeurope.logic.azure.com:443".into()),
        ] {
            let (Verdict::Again { reason, .. } | Verdict::Refused { reason }) =
                of(&Err(error), &target(FLOW_URL), UNIX_EPOCH).verdict
            else {
                panic!("it did not arrive")
            };
            assert!(!reason.contains("westeurope") && reason.contains("the webhook's host"), "{reason}");
        }
    }
}
