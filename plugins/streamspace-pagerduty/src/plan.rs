//! What an event means for the alerts: which begin, are acknowledged or end with it, and whether it is a change.

use serde::{Deserialize, Serialize};
use streamspace_notifier::{Kind, Notification, Phase, Problem, Severity, topics};

use crate::config::Target;

/// What PagerDuty is told of an alert: its `event_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// It begins, or goes on.
    Trigger,
    /// Somebody takes care of it.
    Acknowledge,
    /// It is over.
    Resolve,
}

impl Action {
    /// As PagerDuty writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

/// What one destination is told of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Actions, and the problems that they are about.
    pub(crate) alerts: Vec<(Action, String)>,
    /// Whether it is a change event, which wakes nobody.
    pub(crate) change: bool,
    /// As the rules have it.
    pub(crate) severity: Severity,
}

impl Plan {
    pub(crate) fn of(notification: &Notification, to: &Target) -> Self {
        let severity = to.severities.of(notification);
        // Neither a test nor what had to wait is worth a night's sleep.
        if notification.kind != Kind::Event {
            return Self { alerts: Vec::new(), change: true, severity };
        }
        let topic = notification.topic.as_str();
        let is_change = topics::any(&to.changes, topic);
        // The sequels of what was asked for come without being asked for.
        let is_asked = topics::any(&to.asked, topic);
        let may_alert = is_asked
            && !is_change
            && severity >= to.min_severity
            && (topic != "session.hibernated" || to.hibernated)
            // Its own failures arrive when it runs again.
            && (notification.subject != to.plugin || !topic.starts_with("plugin.") );

        let problems = problems(notification);
        let has_sequel = problems.iter().any(|problem| problem.phase != Phase::Opened);
        let mut alerts: Vec<(Action, String)> = Vec::new();
        for Problem { key, phase } in problems {
            match phase {
                Phase::Opened if may_alert => alerts.push((Action::Trigger, key)),
                Phase::Acknowledged if to.auto_resolve => alerts.push((Action::Acknowledge, key)),
                Phase::Resolved if to.auto_resolve => alerts.push((Action::Resolve, key)),
                _ => {}
            }
        }
        if may_alert && !has_sequel && alerts.is_empty() {
            alerts.push((Action::Trigger, by_itself(notification)));
        }
        let is_lesser = is_asked && alerts.is_empty() && !has_sequel && to.informs;
        Self { alerts, change: is_change || is_lesser, severity }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.alerts.is_empty() && !self.change
    }

    pub(crate) fn is_about_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }
}

/// The problems of the platform, and two that are none to anybody else: operators may have an alert for a session, or for a user,
/// as long as there is one.
fn problems(notification: &Notification) -> Vec<Problem> {
    let own =
        |what: &str, phase| (!what.is_empty()).then(|| Problem { key: format!("{what}/created"), phase });
    let session = notification.thread.as_deref().unwrap_or_default();
    let user = || match notification.subject.as_str() {
        "" => String::new(),
        name => format!("user/{name}"),
    };
    let further = match notification.topic.as_str() {
        "session.created" => own(session, Phase::Opened),
        "session.terminated" | "session.deleted" => own(session, Phase::Resolved),
        "user.created" => own(&user(), Phase::Opened),
        "user.deleted" => own(&user(), Phase::Resolved),
        _ => None,
    };
    notification.problems.iter().cloned().chain(further).collect()
}

/// What has no end that is known: the same is one alert until somebody closes it.
fn by_itself(notification: &Notification) -> String {
    // A user has several quotas.
    let further = notification.fields.iter().find(|field| field.label == "Quota");
    let further = further.map(|field| format!("/{}", field.value)).unwrap_or_default();
    format!("once/{}/{}{further}", notification.topic, notification.subject)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use streamspace_notifier::testing::Sample;

    use super::*;
    use crate::config::tests::{everything, target};

    fn plan(to: &Target, topic: &'static str, data: Value) -> Plan {
        Plan::of(&Sample::new(topic, data).notification(), to)
    }

    fn session() -> Value {
        json!({"id": "s-1", "user": "ada", "template": "gimp"})
    }

    fn told(plan: &Plan) -> Vec<String> {
        let alerts = plan.alerts.iter().map(|(action, key)| format!("{} {key}", action.as_str()));
        alerts.chain(plan.change.then(|| "change".to_owned())).collect()
    }

    #[test]
    fn a_session_lives_through_its_alerts() {
        let to = everything();
        for (topic, expected) in [
            ("session.created", &["change"][..]),
            ("session.failed", &["trigger session/s-1/failed"]),
            ("session.error", &["trigger session/s-1/failed"]),
            ("session.hibernated", &["trigger session/s-1/hibernated"]),
            ("session.woken", &["resolve session/s-1/failed", "resolve session/s-1/hibernated"]),
            ("session.stopped", &["change"]),
            (
                "session.deleted",
                &[
                    "resolve session/s-1/failed",
                    "resolve session/s-1/hibernated",
                    "resolve session/s-1/created",
                ],
            ),
        ] {
            assert_eq!(told(&plan(&to, topic, session())), expected, "{topic}");
        }
        let changed = json!({"id": "s-1", "oldState": "failed", "newState": "pending"});
        assert_eq!(told(&plan(&to, "session.state.changed", changed)), ["acknowledge session/s-1/failed"]);
    }

    #[test]
    fn what_was_not_asked_for_ends_alerts_and_begins_none() {
        let to = target(json!({"topics": ["session.failed"]}));
        assert_eq!(told(&plan(&to, "session.failed", session())), ["trigger session/s-1/failed"]);
        assert_eq!(told(&plan(&to, "session.started", session())).len(), 2);
        for topic in ["session.error", "session.hibernated", "session.created", "session.stopped"] {
            assert!(plan(&to, topic, session()).is_empty(), "{topic}");
        }
    }

    #[test]
    fn what_matters_less_is_a_change_or_nothing() {
        let of = |config: Value, topic| told(&plan(&target(config), topic, session()));
        let error = |informational: &str| {
            json!({"topics": [">"], "minSeverity": "critical", "severities": {"session.failed": "error"},
                   "informational": informational})
        };
        assert_eq!(of(error("change"), "session.failed"), ["change"]);
        assert_eq!(of(error("ignore"), "session.failed"), [""; 0]);
        assert_eq!(of(error("change"), "session.error"), ["trigger session/s-1/failed"], "it is critical");
        let created = |severity: &str| json!({"topics": [">"], "severities": {"session.created": severity}});
        assert_eq!(of(created("warning"), "session.created"), ["trigger session/s-1/created"]);
        assert_eq!(of(created("info"), "session.created"), ["change"]);
    }

    #[test]
    fn what_matters_and_has_no_end_is_an_alert_by_itself() {
        let to = everything();
        let violation = || json!({"severity": "critical", "policy": "clipboard"});
        let told_of = |severity: &str| {
            let mut violation = violation();
            violation["severity"] = severity.into();
            let sample = Sample::new("compliance.violation", violation).about("s-1");
            told(&Plan::of(&sample.notification(), &to))
        };
        assert_eq!(told_of("critical"), ["trigger once/compliance.violation/s-1"]);
        assert_eq!(told_of("info"), ["change"]);
        let ended = json!({"severity": "critical"});
        assert_eq!(told(&plan(&to, "node.ready", ended)), ["resolve event/node/"], "an end is no beginning");
    }

    #[test]
    fn changes_never_alert_and_may_end_alerts() {
        let to = target(json!({"topics": [">"], "changeTopics": ["plugin.*", "deploy.>"]}));
        let plugin = || json!({"name": "acme", "version": "1.0.0"});
        assert_eq!(told(&plan(&to, "plugin.failed", plugin())), ["change"]);
        assert_eq!(told(&plan(&to, "plugin.updated", plugin())), ["resolve plugin/acme/failed", "change"]);
        assert_eq!(told(&plan(&to, "deploy.web.failed", json!({}))), ["change"]);
    }

    #[test]
    fn its_own_failures_wake_nobody() {
        let to = everything();
        let plugin = |name: &str| json!({"name": name, "version": "1.0.0"});
        assert_eq!(told(&plan(&to, "plugin.failed", plugin("streamspace-pagerduty"))), ["change"]);
        assert_eq!(told(&plan(&to, "plugin.failed", plugin("acme"))), ["trigger plugin/acme/failed"]);
    }

    #[test]
    fn without_automatic_ends_there_are_none() {
        let to = target(json!({"topics": [">"], "autoResolve": false}));
        assert_eq!(told(&plan(&to, "session.failed", session())), ["trigger session/s-1/failed"]);
        assert!(plan(&to, "session.started", session()).is_empty());
    }

    #[test]
    fn a_hibernated_session_alerts_where_that_is_wanted() {
        let to = target(json!({"topics": ["session.*"], "notifyOnSessionHibernated": false}));
        assert_eq!(told(&plan(&to, "session.hibernated", session())), ["change"]);
    }
}
