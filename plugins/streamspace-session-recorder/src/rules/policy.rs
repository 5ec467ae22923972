//! Policies: which sessions are recorded, and what holds for the recordings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Config;

/// A policy, with the platform's names. What is left out has the platform's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the platform's policies")]
pub(crate) struct Rules {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Whether sessions are recorded without anybody asking.
    pub(crate) auto_record: bool,
    pub(crate) recording_format: String,
    /// 0 is for ever.
    pub(crate) retention_days: u32,
    pub(crate) apply_to_users: Vec<String>,
    pub(crate) apply_to_teams: Vec<String>,
    pub(crate) apply_to_templates: Vec<String>,
    /// Whether whoever starts a recording has to say why.
    pub(crate) require_reason: bool,
    pub(crate) allow_user_playback: bool,
    pub(crate) allow_user_download: bool,
    /// Whether an administrator has to agree first.
    pub(crate) require_approval: bool,
    /// Whether the session's user has to agree first.
    pub(crate) require_consent: bool,
    /// Whether the session's user is told.
    pub(crate) notify_on_recording: bool,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) enabled: bool,
    /// The highest decides.
    pub(crate) priority: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            auto_record: false,
            recording_format: "webm".into(),
            retention_days: 30,
            apply_to_users: Vec::new(),
            apply_to_teams: Vec::new(),
            apply_to_templates: Vec::new(),
            require_reason: false,
            allow_user_playback: true,
            allow_user_download: true,
            require_approval: false,
            require_consent: false,
            notify_on_recording: true,
            metadata: Map::new(),
            enabled: true,
            priority: 0,
        }
    }
}

/// Most users, teams or templates that a policy names.
const MAX_NAMED: usize = 1000;
/// Longest text in a policy, in bytes.
const MAX_TEXT: usize = 2000;
/// The longest time that something is kept, in days: a hundred years.
pub(crate) const MAX_DAYS: u32 = 36_500;

impl Rules {
    /// What is wrong with them, with the field's name first.
    pub(crate) fn fault(&self) -> Option<String> {
        let text = |field: &str, text: &str, least: usize, most: usize| {
            let fits = (least..=most).contains(&text.len()) && !text.contains('\0');
            (!fits).then(|| format!("`{field}`: expected a text of {least} to {most} bytes"))
        };
        let list = |field: &str, all: &[String]| {
            let fits = all.len() <= MAX_NAMED && all.iter().all(|one| (1..=255).contains(&one.len()));
            (!fits).then(|| format!("`{field}`: expected up to {MAX_NAMED} names of 1 to 255 bytes"))
        };
        text("name", self.name.trim(), 1, 255)
            .or_else(|| text("description", &self.description, 0, MAX_TEXT))
            .or_else(|| list("apply_to_users", &self.apply_to_users))
            .or_else(|| list("apply_to_teams", &self.apply_to_teams))
            .or_else(|| list("apply_to_templates", &self.apply_to_templates))
            .or_else(|| {
                crate::config::Format::of(&self.recording_format)
                    .is_none()
                    .then(|| "`recording_format`: expected webm, mp4 or vnc".to_owned())
            })
            .or_else(|| {
                (self.retention_days > MAX_DAYS)
                    .then(|| format!("`retention_days`: expected 0 to {MAX_DAYS}"))
            })
    }

    fn verdict(&self, of: &Subject<'_>) -> Verdict {
        if !self.enabled {
            return Verdict::Disabled;
        }
        let has = |all: &[String], one: &str| all.iter().any(|named| named == one);
        let team = self.apply_to_teams.iter().any(|team| has(of.teams, team));
        let user = has(&self.apply_to_users, of.user);
        let everybody = self.apply_to_users.is_empty() && self.apply_to_teams.is_empty();
        if !(everybody || user || team) {
            return Verdict::OtherUsers;
        }
        let template = has(&self.apply_to_templates, of.template);
        if !template && !self.apply_to_templates.is_empty() {
            return Verdict::OtherTemplates;
        }
        Verdict::Applies { closeness: 4 * u8::from(user) + 2 * u8::from(team && !user) + u8::from(template) }
    }
}

/// A policy as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) rules: Rules,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// What is to be recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) user: &'a str,
    pub(crate) role: &'a str,
    pub(crate) teams: &'a [String],
    pub(crate) template: &'a str,
}

/// What a policy is to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It names the session; `closeness` tells how closely: its user before one of its teams, and both before its template.
    Applies {
        closeness: u8,
    },
    Disabled,
    OtherUsers,
    OtherTemplates,
}

/// Why a session is recorded without anybody asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    Compliance,
    Policy,
    Role,
    Everything,
}

/// What holds for a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision<'p> {
    /// The policy that decides, if one applies.
    pub(crate) policy: Option<&'p Policy>,
    /// Whether it is recorded by itself, and why.
    pub(crate) automatic: Option<Cause>,
    /// In a sentence.
    pub(crate) why: String,
    /// Each policy, and what it is to the session.
    pub(crate) considered: Vec<(&'p str, &'p str, Verdict)>,
}

/// The policy that holds for a session, whether it is recorded by itself, and why. Of those that apply, the one of the highest priority
/// decides, then the one that names the session more closely, then the older one.
pub(crate) fn decide<'p>(policies: &'p [Policy], of: &Subject<'_>, config: &Config) -> Decision<'p> {
    let considered: Vec<_> = policies
        .iter()
        .map(|policy| (policy.id.as_str(), policy.rules.name.as_str(), policy.rules.verdict(of)))
        .collect();
    let policy = policies
        .iter()
        .filter_map(|policy| match policy.rules.verdict(of) {
            Verdict::Applies { closeness } => Some((policy, closeness)),
            _ => None,
        })
        .min_by(|(a, near), (b, far)| {
            let by_priority = b.rules.priority.cmp(&a.rules.priority);
            let by_age = (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id));
            by_priority.then(far.cmp(near)).then(by_age)
        })
        .map(|(policy, _)| policy);
    let has_role = || config.policies.record_by_role.iter().any(|role| role == of.role);
    let automatic = match policy {
        _ if !config.enabled => None,
        _ if config.auto_record_for_compliance => Some(Cause::Compliance),
        Some(policy) => policy.rules.auto_record.then_some(Cause::Policy),
        None if has_role() => Some(Cause::Role),
        None => config.policies.auto_record.then_some(Cause::Everything),
    };
    let which = match policy {
        Some(policy) => {
            format!("The policy `{}` decides, with priority {}", policy.rules.name, policy.rules.priority)
        }
        None => "No policy applies".to_owned(),
    };
    let what = match automatic {
        Some(Cause::Compliance) => "everything is recorded for compliance",
        Some(Cause::Policy) => "it has sessions recorded",
        Some(Cause::Role) => "users of this role are recorded",
        Some(Cause::Everything) => "everything without a policy is recorded",
        None if !config.enabled => "recording is switched off",
        None => "nothing is recorded unless somebody asks for it",
    };
    Decision { policy, automatic, why: format!("{which}; {what}."), considered }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::tests::config;

    pub(crate) fn policy(id: &str, change: impl FnOnce(&mut Rules)) -> Policy {
        let mut rules = Rules { name: id.to_owned(), ..Rules::default() };
        change(&mut rules);
        Policy {
            id: id.into(),
            rules,
            created_at: format!("2026-01-01T00:00:00Z{id}"),
            updated_at: String::new(),
        }
    }

    fn winner<'p>(policies: &'p [Policy], user: &str, teams: &[&str], template: &str) -> Option<&'p str> {
        let teams: Vec<String> = teams.iter().map(ToString::to_string).collect();
        let of = Subject { user, role: "user", teams: &teams, template };
        let config = config(json!({})).expect("a configuration");
        decide(policies, &of, &config).policy.map(|policy| policy.id.as_str())
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn users_or_teams_and_templates_say_for_whom_a_policy_is() {
        let policies = [policy("a", |rules| {
            rules.apply_to_users = texts(&["ada"]);
            rules.apply_to_teams = texts(&["ops"]);
            rules.apply_to_templates = texts(&["firefox"]);
        })];
        assert_eq!(winner(&policies, "ada", &[], "firefox"), Some("a"));
        assert_eq!(winner(&policies, "bob", &["dev", "ops"], "firefox"), Some("a"));
        assert_eq!(winner(&policies, "bob", &["dev"], "firefox"), None);
        assert_eq!(winner(&policies, "ada", &[], "gimp"), None);
        assert_eq!(winner(&[policy("b", |_| ())], "eve", &[], "x"), Some("b"));
        assert_eq!(winner(&[policy("b", |rules| rules.enabled = false)], "eve", &[], "x"), None);
    }

    #[test]
    fn priority_decides_then_closeness_then_age() {
        let all = [
            policy("everybody", |_| ()),
            policy("template", |rules| rules.apply_to_templates = texts(&["firefox"])),
            policy("team", |rules| rules.apply_to_teams = texts(&["ops"])),
            policy("user", |rules| rules.apply_to_users = texts(&["ada"])),
            policy("zzz", |_| ()),
            policy("high", |rules| {
                rules.apply_to_users = texts(&["root"]);
                rules.priority = 1;
            }),
        ];
        assert_eq!(winner(&all, "ada", &["ops"], "firefox"), Some("user"));
        assert_eq!(winner(&all, "bob", &["ops"], "firefox"), Some("team"));
        assert_eq!(winner(&all, "bob", &[], "firefox"), Some("template"));
        assert_eq!(winner(&all, "bob", &[], "gimp"), Some("everybody"));
        assert_eq!(winner(&all, "root", &["ops"], "firefox"), Some("high"));
    }

    #[test]
    fn what_is_recorded_by_itself_has_a_cause() {
        let auto = [policy("auto", |rules| {
            rules.apply_to_users = texts(&["ada"]);
            rules.auto_record = true;
        })];
        let never = [policy("never", |_| ())];
        let of = |user| Subject { user, role: "contractor", teams: &[], template: "firefox" };
        let cause = |policies: &[Policy], user, change| {
            decide(policies, &of(user), &config(change).expect("valid")).automatic
        };
        assert_eq!(cause(&auto, "ada", json!({})), Some(Cause::Policy));
        assert_eq!(cause(&auto, "bob", json!({})), None);
        assert_eq!(cause(&auto, "bob", json!({"policies": {"autoRecord": true}})), Some(Cause::Everything));
        let by_role = json!({"policies": {"recordByRole": ["contractor"]}});
        assert_eq!(cause(&auto, "bob", by_role.clone()), Some(Cause::Role));
        assert_eq!(cause(&never, "bob", by_role), None, "a policy that applies decides");
        assert_eq!(cause(&never, "bob", json!({"autoRecordForCompliance": true})), Some(Cause::Compliance));
        assert_eq!(cause(&auto, "ada", json!({"enabled": false, "autoRecordForCompliance": true})), None);
    }

    #[test]
    fn a_decision_says_why() {
        let all = [policy("off", |rules| rules.enabled = false), policy("on", |rules| rules.priority = 7)];
        let config = config(json!({})).expect("a configuration");
        let of = Subject { user: "ada", role: "", teams: &[], template: "" };
        let decision = decide(&all, &of, &config);
        assert_eq!(
            decision.why,
            "The policy `on` decides, with priority 7; nothing is recorded unless somebody asks for it."
        );
        assert_eq!(decision.considered[0].2, Verdict::Disabled);
        assert_eq!(decision.considered[1].2, Verdict::Applies { closeness: 0 });
    }

    #[test]
    fn what_is_wrong_with_rules_is_named() {
        let fault = |change: fn(&mut Rules)| policy("a", change).rules.fault();
        assert_eq!(fault(|_| ()), None);
        for (change, named) in [
            ((|rules| rules.name = " ".into()) as fn(&mut Rules), "name"),
            (|rules| rules.description = "x".repeat(3000), "description"),
            (|rules| rules.apply_to_teams = vec![String::new()], "apply_to_teams"),
            (|rules| rules.recording_format = "avi".into(), "recording_format"),
            (|rules| rules.retention_days = 40_000, "retention_days"),
        ] {
            assert!(fault(change).is_some_and(|fault| fault.contains(named)), "{named}");
        }
    }
}
