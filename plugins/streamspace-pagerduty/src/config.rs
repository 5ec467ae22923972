//! The configuration, and the destinations that it describes.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use serde::Deserialize;
use streamspace_notifier::{
    Common, DEFAULT, Entry, Notification, Secret, Settings, Severity, problem, switched, topics,
};
use streamspace_plugin::prelude::{Error, Result};

/// Where events come from if nothing else is configured: the constant of the platform's own plugin.
const SOURCE: &str = "streamspace";

/// The plugin's configuration. The manifest's `configSchema` describes the same, and has the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the platform's configuration")]
pub(crate) struct Config {
    #[serde(default)]
    routing_key: Option<Secret>,
    region: Region,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_session_failed: bool,
    notify_on_user_created: bool,
    notify_on_quota_exceeded: bool,
    notify_on_plugin_failed: bool,
    session_created_severity: Severity,
    session_hibernated_severity: Severity,
    user_created_severity: Severity,
    severities: BTreeMap<String, Severity>,
    min_severity: Severity,
    informational: Informational,
    change_topics: Vec<String>,
    auto_resolve: bool,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    platform_url: Option<String>,
    #[serde(flatten)]
    common: Common,
    destinations: Vec<Entry<To>>,
}

/// Where an entry of `destinations` leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    routing_key: Secret,
    #[serde(default)]
    region: Option<Region>,
    #[serde(default)]
    severities: BTreeMap<String, Severity>,
    #[serde(default)]
    informational: Option<Informational>,
    #[serde(default)]
    change_topics: Option<Vec<String>>,
}

/// Where an account's data are (<https://support.pagerduty.com/main/docs/service-regions>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Region {
    Us,
    Eu,
}

impl Region {
    /// Of the events' interface.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::Us => "https://events.pagerduty.com",
            Self::Eu => "https://events.eu.pagerduty.com",
        }
    }
}

/// What becomes of events that are not worth an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Informational {
    Change,
    Ignore,
}

/// The service that a destination is, and what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) routing_key: Secret,
    pub(crate) region: Region,
    /// `payload.source`.
    pub(crate) source: String,
    /// Where the platform is, for people.
    pub(crate) platform_url: Option<String>,
    /// This plugin's name.
    pub(crate) plugin: String,
    /// What the operator asked for.
    pub(crate) asked: Vec<String>,
    /// What of it, or beyond it, is a change.
    pub(crate) changes: Vec<String>,
    pub(crate) severities: Severities,
    /// What matters less is no alert.
    pub(crate) min_severity: Severity,
    /// Whether what is no alert is a change.
    pub(crate) informs: bool,
    /// Whether a session that hibernates may be an alert.
    pub(crate) hibernated: bool,
    /// Whether alerts are acknowledged and end by themselves.
    pub(crate) auto_resolve: bool,
    /// For how long the same alert is not told of again.
    pub(crate) window: Duration,
}

/// How much events matter, by topic. The first rule that names the topic holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Severities(Vec<(String, Severity)>);

impl Severities {
    /// Those of `first` before those of `then`; within each, the more precise one first.
    fn new(first: &BTreeMap<String, Severity>, then: &BTreeMap<String, Severity>) -> Self {
        let sorted = |rules: &BTreeMap<String, Severity>| {
            let mut rules: Vec<_> =
                rules.iter().map(|(filter, severity)| (filter.clone(), *severity)).collect();
            rules.sort_by_key(|(filter, _)| {
                let words = filter.split('.').filter(|word| !matches!(*word, "*" | ">")).count();
                (Reverse(words), filter.ends_with('>'))
            });
            rules
        };
        Self(sorted(first).into_iter().chain(sorted(then)).collect())
    }

    /// What a rule says of the event, or else the event itself.
    pub(crate) fn of(&self, notification: &Notification) -> Severity {
        let rule = self.0.iter().find(|(filter, _)| topics::matches(filter, &notification.topic));
        rule.map_or(notification.severity, |(_, severity)| *severity)
    }
}

impl Config {
    /// The destinations, with the one at the top first. `plugin` is this plugin's name.
    ///
    /// # Errors
    ///
    /// When there is none, or two have the same name.
    pub(crate) fn into_settings(self, plugin: &str) -> Result<Settings<Target>> {
        let switched = switched(&[
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            // Other platforms tell of a failure in one of these ways; the host does in both.
            (self.notify_on_session_failed, "session.failed"),
            (self.notify_on_session_failed, "session.error"),
            (self.notify_on_user_created, "user.created"),
            (self.notify_on_quota_exceeded, "quota.exceeded"),
            (self.notify_on_plugin_failed, "plugin.failed"),
            (self.notify_on_plugin_failed, "plugin.error"),
            (self.notify_on_plugin_failed, "plugin.quarantined"),
        ]);
        let source = source(self.source, self.platform_url.as_deref())?;
        let platforms = [
            ("session.created", self.session_created_severity),
            ("session.hibernated", self.session_hibernated_severity),
            ("user.created", self.user_created_severity),
        ];
        // What is said of them there comes before what is said of all here, unless that names them too.
        let mut rules = self.severities;
        for (topic, severity) in platforms {
            rules.entry(topic.to_owned()).or_insert(severity);
        }
        let target = |routing_key: Secret| Target {
            routing_key,
            region: self.region,
            source: source.clone(),
            platform_url: self.platform_url.clone(),
            plugin: plugin.to_owned(),
            asked: Vec::new(),
            changes: self.change_topics.clone(),
            severities: Severities::new(&BTreeMap::new(), &rules),
            min_severity: self.min_severity,
            informs: self.informational == Informational::Change,
            hibernated: self.notify_on_session_hibernated,
            auto_resolve: self.auto_resolve,
            window: Duration::from_secs(self.common.duplicate_window.into()),
        };
        let top = self.routing_key.map(target);
        let entries = self.destinations.into_iter().map(|entry| {
            let has_topics = !entry.topics.is_empty();
            let min_severity = entry.min_severity.unwrap_or(self.min_severity);
            entry.map(|_, to| {
                let of_top = target(to.routing_key);
                Ok(Target {
                    region: to.region.unwrap_or(of_top.region),
                    // Whoever lists topics lists all of them.
                    changes: to.change_topics.unwrap_or(if has_topics { Vec::new() } else { of_top.changes }),
                    severities: Severities::new(&to.severities, &rules),
                    min_severity,
                    informs: to.informational.map_or(of_top.informs, |what| what == Informational::Change),
                    ..of_top
                })
            })
        });
        let entries = entries.collect::<Result<_>>()?;
        let mut settings = Settings::new(self.common, &switched, top, entries)?;
        for to in &mut settings.destinations {
            // An end matters little in itself, and still is wanted: the plan looks at severities, not the route.
            to.route.min_severity = Severity::Info;
            to.target.asked.clone_from(&to.topics);
            if to.target.auto_resolve {
                to.topics.extend(sequels(&to.topics));
            }
            let further = to.target.changes.iter().filter(|topic| !to.topics.contains(topic));
            to.topics.extend(further.cloned().collect::<Vec<_>>());
        }
        Ok(settings)
    }
}

/// What ends what these topics begin, with the alerts that are this plugin's own.
fn sequels(filters: &[String]) -> Vec<String> {
    let mut all = problem::sequels(filters);
    for (begins, ends) in [
        ("session.created", &["session.terminated", "session.deleted"][..]),
        ("user.created", &["user.deleted"]),
    ] {
        let further = ends.iter().filter(|end| {
            topics::any(filters, begins)
                && !topics::any(filters, end)
                && !all.iter().any(|topic| topic == *end)
        });
        all.extend(further.map(|&end| end.to_owned()).collect::<Vec<_>>());
    }
    all
}

/// The system that has the problems: as configured, or the platform's host.
fn source(configured: Option<String>, platform_url: Option<&str>) -> Result<String> {
    if let Some(url) = platform_url
        && !streamspace_notifier::text::web_address(url, crate::render::limit::URL)
    {
        return Err(Error::permanent(format!(
            "`platformUrl` of `{DEFAULT}` is no address: expected one such as https://desktops.example.com"
        )));
    }
    let host = || {
        let (_, rest) = platform_url?.split_once("://")?;
        rest.split(['/', '?', '#']).next().map(str::to_owned)
    };
    let configured = configured.filter(|source| !source.trim().is_empty());
    Ok(configured.or_else(host).unwrap_or_else(|| SOURCE.to_owned()))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use streamspace_notifier::testing::{Sample, Schema};

    use super::*;

    /// A key of the right form that no service has.
    fn key(end: &str) -> String {
        format!("{end:0>32}")
    }

    fn settings(value: &Value) -> Result<Settings<Target>, String> {
        let config: Config = Schema::of(include_str!("../manifest.json")).read(value)?;
        config.into_settings("streamspace-pagerduty").map_err(|why| why.to_string())
    }

    /// The one destination of a configuration. What an entry may have as well goes there.
    pub(crate) fn target(config: Value) -> Target {
        let (mut top, mut entry) = (json!({}), json!({"name": "ops", "routingKey": key("x")}));
        for (name, value) in config.as_object().expect("an object") {
            let is_of_entry = ["topics", "changeTopics", "severities", "minSeverity", "informational"];
            let place = if is_of_entry.contains(&name.as_str()) { &mut entry } else { &mut top };
            place[name] = value.clone();
        }
        top["destinations"] = json!([entry]);
        settings(&top).expect("a configuration").destinations.remove(0).target
    }

    /// A destination that is told everything.
    pub(crate) fn everything() -> Target {
        target(json!({"topics": [">"], "platformUrl": "https://streamspace.example.com/"}))
    }

    fn with(change: Value) -> Value {
        let mut entry = json!({"name": "ops", "routingKey": key("x")});
        entry.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        json!({ "destinations": [entry] })
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        let settings = settings(&example).expect("settings");
        assert_eq!(settings.destinations[0].name, DEFAULT);
        assert!(settings.destinations.len() > 1, "the example shows routing");
    }

    #[test]
    fn the_platforms_configuration_is_taken() {
        let settings = settings(&json!({
            "routingKey": key("abcXYZ"), "notifyOnSessionCreated": true, "notifyOnSessionHibernated": true,
            "notifyOnUserCreated": true, "sessionCreatedSeverity": "warning", "sessionHibernatedSeverity": "error",
            "userCreatedSeverity": "critical", "includeDetails": false, "autoResolve": false, "rateLimit": 50.0,
        }))
        .expect("settings");
        let to = &settings.destinations[0];
        let severity =
            |topic| to.target.severities.of(&Sample::new(topic, json!({"id": "s"})).notification());
        assert_eq!(severity("session.created"), Severity::Warning);
        assert_eq!(severity("session.hibernated"), Severity::Error);
        assert_eq!(severity("user.created"), Severity::Critical);
        assert_eq!((to.per_hour, settings.details, to.target.auto_resolve), (Some(50), false, false));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            json!({}),
            json!({"destinations": []}),
            json!({"routingKey": "too-short"}),
            json!({"routingKey": key("-")}),
            json!({"routingKey": key("x"), "region": "ap"}),
            json!({"routingKey": key("x"), "severities": {"session.failed": "fatal"}}),
            json!({"routingKey": key("x"), "severities": {"session.f*": "error"}}),
            json!({"routingKey": key("x"), "minSeverity": "none"}),
            json!({"routingKey": key("x"), "informational": "page"}),
            json!({"routingKey": key("x"), "platformUrl": "javascript:alert(1)"}),
            json!({"routingKey": key("x"), "platformUrl": "https://user@streamspace.example.com"}),
            json!({"routingKey": key("x"), "changeTopics": [">.x"]}),
            json!({"routingKey": key("x"), "routing_key": "y"}),
            json!({"routingKey": key("x"), "rateLimit": -1}),
            json!({"destinations": [{"name": "ops"}]}),
            with(json!({"region": "ap"})),
            with(json!({"name": "Ops Team"})),
            with(json!({"topics": []})),
            with(json!({"unknown": 1})),
        ] {
            assert!(settings(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ends_are_listened_to_and_changes_too() {
        let settings = settings(&json!({
            "routingKey": key("x"), "notifyOnSessionHibernated": false, "notifyOnQuotaExceeded": false,
            "notifyOnPluginFailed": false, "changeTopics": ["deploy.>"],
            "destinations": [{"name": "nodes", "routingKey": key("y"), "topics": ["node.not_ready"]},
                             {"name": "like-the-top", "routingKey": key("y")}],
        }))
        .expect("settings");
        let [top, nodes, like] = &settings.destinations[..] else { panic!("three") };
        assert_eq!(top.target.asked, ["session.failed", "session.error"]);
        assert_eq!(
            top.topics,
            [
                "session.failed",
                "session.error",
                "session.started",
                "session.woken",
                "session.terminated",
                "session.deleted",
                "session.state.changed",
                "deploy.>"
            ]
        );
        assert!(nodes.topics.contains(&"node.ready".to_owned()), "{:?}", nodes.topics);
        assert!(!nodes.topics.contains(&"deploy.>".to_owned()), "{:?}", nodes.topics);
        assert_eq!(like.topics, top.topics);
    }

    #[test]
    fn without_automatic_ends_nobody_listens_to_them() {
        let settings = settings(&json!({"autoResolve": false, "destinations": [
            {"name": "ops", "routingKey": key("y"), "topics": ["session.failed"]}]}))
        .expect("settings");
        assert_eq!(settings.destinations[0].topics, ["session.failed"]);
    }

    #[test]
    fn a_minimum_holds_no_ends_back() {
        let settings = settings(&with(json!({"minSeverity": "critical"}))).expect("settings");
        let to = &settings.destinations[0];
        assert_eq!((to.route.min_severity, to.target.min_severity), (Severity::Info, Severity::Critical));
        assert_eq!(target(json!({})).min_severity, Severity::Warning, "as at the top");
    }

    #[test]
    fn the_more_precise_rule_holds_and_the_destinations_before_all() {
        let severities = |first: Value, then: Value| {
            let rules = |value: Value| serde_json::from_value(value).expect("rules");
            Severities::new(&rules(first), &rules(then))
        };
        let rules = severities(
            json!({"session.>": "warning"}),
            json!({"session.created": "critical", "user.created": "error", "user.*": "warning", ">": "info", "*.*": "critical"}),
        );
        for (topic, severity) in [
            ("session.created", Severity::Warning),
            ("user.created", Severity::Error),
            ("user.deleted", Severity::Warning),
            ("quota.exceeded", Severity::Critical),
            ("plugin.acme.a.b", Severity::Info),
        ] {
            assert_eq!(rules.of(&Sample::new(topic, json!({})).notification()), severity, "{topic}");
        }
    }

    #[test]
    fn the_source_is_the_platform() {
        let source =
            |source: Option<&str>, url| super::source(source.map(str::to_owned), url).expect("a source");
        let url = Some("https://desk.example.com:8443/x");
        assert_eq!(source(None, None), "streamspace");
        assert_eq!(source(None, url), "desk.example.com:8443");
        assert_eq!(source(Some("prod"), url), "prod");
        assert_eq!(source(Some(" "), url), "desk.example.com:8443");
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let settings = settings(&json!({
            "routingKey": key("hunter2"), "destinations": [{"name": "ops", "routingKey": key("hunter2")}],
        }))
        .expect("settings");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
