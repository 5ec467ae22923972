//! What the configurations of all plugins have in common, and what becomes of it.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    time::Duration,
};

use serde::Deserialize;
use streamspace_plugin::prelude::{Error, Result};

use crate::{
    notification::Severity,
    quiet::QuietHours,
    routing::Route,
    wording::{Wording, Words},
};

/// The name of the destination that stands at the top of a configuration.
pub const DEFAULT: &str = "default";

/// Keys at the top of every plugin's configuration. The manifest has their defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// Whether memory and processor of a session are shown.
    pub include_details: bool,
    /// Messages an hour and destination; 0 for no limit. The platform calls it a number, so `20.0` is valid too.
    pub rate_limit: f64,
    /// For how many seconds a repetition is not sent; 0 to send every one.
    pub duplicate_window: u32,
    /// Templates by topic.
    #[serde(default)]
    pub messages: BTreeMap<String, Words>,
    /// Of the destination at the top.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
}

/// Keys of every entry in `destinations`, beside what its provider needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry<T> {
    /// Unique within the configuration.
    pub name: String,
    /// What is listened to; empty for what the switches say.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Only about these users.
    #[serde(default)]
    pub users: Vec<String>,
    /// Only about users in these groups.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Only about these templates.
    #[serde(default)]
    pub templates: Vec<String>,
    /// Only what matters so much; without it, everything.
    #[serde(default)]
    pub min_severity: Option<Severity>,
    /// When only what is urgent is sent.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// As the key at the top, for this one.
    #[serde(default)]
    pub rate_limit: Option<f64>,
    /// Where it goes and how it looks there.
    #[serde(flatten)]
    pub target: T,
}

impl<T> Entry<T> {
    /// The same entry with what `to` makes of its name and its target.
    ///
    /// # Errors
    ///
    /// What `to` fails with.
    pub fn map<U>(self, to: impl FnOnce(&str, T) -> Result<U>) -> Result<Entry<U>> {
        let Self { name, topics, users, teams, templates, min_severity, quiet_hours, rate_limit, target } =
            self;
        let target = to(&name, target)?;
        Ok(Entry { name, topics, users, teams, templates, min_severity, quiet_hours, rate_limit, target })
    }
}

/// A text that nobody may see: an address that is a credential, a token, a password. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the request alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a plugin does, whatever its provider.
#[derive(Debug)]
pub struct Settings<T> {
    /// Where messages go, each with a consumer of its own.
    pub destinations: Vec<DestinationSettings<T>>,
    /// The operator's words.
    pub wording: Wording,
    /// Whether memory and processor of a session are shown.
    pub details: bool,
    /// For how long a repetition is not sent.
    pub duplicate_window: Duration,
}

/// One destination.
#[derive(Debug)]
pub struct DestinationSettings<T> {
    /// Unique.
    pub name: String,
    /// What its consumer asks for. Empty if every switch is off.
    pub topics: Vec<String>,
    /// What it wants of that.
    pub route: Route,
    /// When only what is urgent is sent.
    pub quiet: Option<QuietHours>,
    /// Messages an hour; `None` for no limit.
    pub per_hour: Option<u32>,
    /// Where it goes and how it looks there.
    pub target: T,
}

impl<T> Settings<T> {
    /// `top` is the destination at the top of the configuration, `switched` are the topics that the `notifyOn…` switches say.
    ///
    /// # Errors
    ///
    /// When there is no destination, two have the same name, or a template is none.
    pub fn new(common: Common, switched: &[&str], top: Option<T>, entries: Vec<Entry<T>>) -> Result<Self> {
        let switched: Vec<String> = switched.iter().map(|&topic| topic.to_owned()).collect();
        let top = top.map(|target| DestinationSettings {
            name: DEFAULT.into(),
            topics: switched.clone(),
            route: Route::default(),
            quiet: common.quiet_hours,
            per_hour: per_hour(common.rate_limit),
            target,
        });
        let further = entries.into_iter().map(|entry| DestinationSettings {
            name: entry.name,
            topics: if entry.topics.is_empty() { switched.clone() } else { entry.topics },
            route: Route {
                users: entry.users,
                teams: entry.teams,
                templates: entry.templates,
                min_severity: entry.min_severity.unwrap_or_default(),
            },
            quiet: entry.quiet_hours,
            per_hour: per_hour(entry.rate_limit.unwrap_or(common.rate_limit)),
            target: entry.target,
        });
        let destinations: Vec<_> = top.into_iter().chain(further).collect();
        if destinations.is_empty() {
            return Err(Error::permanent(
                "the configuration has no destination: neither one at its top nor an entry in `destinations`",
            ));
        }
        let mut names = HashSet::new();
        if let Some(twice) = destinations.iter().find(|one| !names.insert(one.name.as_str())) {
            let also = if twice.name == DEFAULT {
                " (the one at the top of the configuration has that name)"
            } else {
                ""
            };
            return Err(Error::permanent(format!(
                "two destinations are named `{}`{also}: give each a name of its own",
                twice.name
            )));
        }
        Ok(Self {
            destinations,
            wording: Wording::new(common.messages)?,
            details: common.include_details,
            duplicate_window: Duration::from_secs(common.duplicate_window.into()),
        })
    }
}

/// Of the switches, the topics of those that are on.
#[must_use]
pub fn switched<'a>(switches: &[(bool, &'a str)]) -> Vec<&'a str> {
    switches.iter().filter(|(on, _)| *on).map(|(_, topic)| *topic).collect()
}

fn per_hour(rate_limit: f64) -> Option<u32> {
    // A fraction of a message is none; the manifest keeps it below the largest number.
    (rate_limit > 0.0).then(|| rate_limit.clamp(1.0, f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct To {
        at: String,
    }

    fn settings(top: Option<&str>, common: Value, entries: Value) -> Result<Settings<To>> {
        let mut all = json!({"includeDetails": true, "rateLimit": 20, "duplicateWindow": 60});
        all.as_object_mut().expect("an object").extend(common.as_object().expect("an object").clone());
        let common = from_value(all).expect("the common keys");
        let top = top.map(|at| To { at: at.into() });
        Settings::new(common, &["session.created"], top, from_value(entries).expect("entries"))
    }

    #[test]
    fn the_top_is_a_destination_with_the_switches_topics() {
        let settings = settings(
            Some("x"),
            json!({"rateLimit": 5.9}),
            json!([{"name": "b", "at": "y", "topics": ["session.failed"], "rateLimit": 0}, {"name": "c", "at": "z"}]),
        )
        .expect("settings");
        let told: Vec<_> = settings
            .destinations
            .iter()
            .map(|to| (to.name.as_str(), to.topics.join(" "), to.per_hour, to.target.at.as_str()))
            .collect();
        let switched = "session.created".to_owned();
        assert_eq!(
            told,
            [
                ("default", switched.clone(), Some(5), "x"),
                ("b", "session.failed".into(), None, "y"),
                ("c", switched, Some(5), "z")
            ]
        );
    }

    #[test]
    fn a_name_stands_for_one_destination() {
        let refused = |top, entries| settings(top, json!({}), entries).expect_err("refused").to_string();
        let message = refused(None, json!([{"name": "ops", "at": "x"}, {"name": "ops", "at": "y"}]));
        assert!(message.contains("`ops`"), "{message}");
        let message = refused(Some("x"), json!([{"name": "default", "at": "x"}]));
        assert!(message.contains("top"), "{message}");
        assert!(refused(None, json!([])).contains("no destination"));
    }

    #[test]
    fn switches_that_are_off_name_no_topic() {
        assert_eq!(switched(&[(true, "a"), (false, "b"), (true, "c")]), ["a", "c"]);
    }
}
