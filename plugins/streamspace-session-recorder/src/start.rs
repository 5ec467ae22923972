//! Whether a session is recorded: what has to hold before it is, and what is written down then.

use serde_json::{Map, Value, json};
use streamspace_plugin::{
    database::{Json, Timestamp},
    platform::{Session, SessionState, Share},
    prelude::*,
    routes::Problem,
};

use crate::{
    config::Format,
    desk::Desk,
    rules::{
        policy::{Cause, Decision, MAX_DAYS, Policy, Subject, decide},
        quota,
        state::State,
    },
    tables::{
        access::By,
        approvals::{self, Approval},
        new_id, policies,
        recordings::{self, Recording},
        stats,
    },
};

/// Longest reason, in bytes: as the platform's column.
const MAX_REASON: usize = 255;
/// Whom the host calls so that comes with the operator's token: that is no account.
const OPERATOR: &str = "admin";
/// What is said to who starts a recording of what is recorded.
pub(crate) const RECORDED: &str = "the session is being recorded already: stop that recording first";
/// What is said to who may look on alone.
const NOT_THEIRS: &str =
    "only who may use the session has it recorded: its user, and who has a share with `control`";

/// Who wants a session to be recorded, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    /// An account's name; empty for nobody.
    pub(crate) by: String,
    /// Whether nobody asks.
    pub(crate) cause: Option<Cause>,
    pub(crate) format: Option<String>,
    pub(crate) reason: String,
    pub(crate) retention_days: Option<u32>,
    pub(crate) metadata: Map<String, Value>,
    /// Whether the session's user is told.
    pub(crate) notify: Option<bool>,
    /// Whether who asks is permitted to have everybody's sessions recorded.
    pub(crate) by_permission: bool,
    /// Whether an administrator agrees.
    pub(crate) is_approved: bool,
    /// The recording that this one goes on with.
    pub(crate) continues: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Asked {
    Recording(Box<Recording>),
    /// Somebody has to agree first: the question's id.
    Waiting(String),
}

/// A session's user, as far as policies ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) role: String,
    pub(crate) teams: Vec<String>,
}

impl Desk {
    /// A user's role and teams; neither for one that is not known.
    pub(crate) fn person(&self, name: &str) -> Result<Person> {
        let user = self.context.platform().users().get(name)?;
        Ok(user.map(|user| Person { role: user.role, teams: user.groups }).unwrap_or_default())
    }

    /// What holds for sessions of a user and a template.
    pub(crate) fn decide<'p>(
        &self,
        all: &'p [Policy],
        user: &str,
        person: &Person,
        template: &str,
    ) -> Decision<'p> {
        let subject = Subject { user, role: &person.role, teams: &person.teams, template };
        decide(all, &subject, &self.config)
    }

    /// Whether somebody may have a session recorded: it is theirs, they may use it, or they are permitted to. A permission was looked at when
    /// it was made use of: the host tells of nobody's, but whether there is still such an account.
    pub(crate) fn may_record(&self, session: &Session, who: &str, by_permission: bool) -> Result<bool> {
        if is_at(session, who) {
            return Ok(true);
        }
        if !by_permission {
            return Ok(false);
        }
        let account = self.context.platform().users().get(who)?;
        Ok(account.map_or(who == OPERATOR, |account| !account.disabled))
    }

    /// Has a session recorded, or asks who has to agree. With `by`, that is written down as theirs.
    pub(crate) fn start(&self, session: &Session, ask: &Ask, by: Option<&By<'_>>) -> Result<Asked> {
        if !self.config.enabled {
            return Err(Problem::new(409, "recording is switched off: the configuration's `enabled`").into());
        }
        if session.state != SessionState::Running {
            let why = format!("the session is {}: expected one that is running", session.state);
            return Err(Problem::new(409, why).into());
        }
        // They may have asked, and begun, some time ago.
        if ask.cause.is_none() && !self.may_record(session, &ask.by, ask.by_permission)? {
            return Err(Problem::new(403, NOT_THEIRS).into());
        }
        let person = self.person(&session.owner)?;
        let all = policies::all(self.context.database())?;
        let decision = self.decide(&all, &session.owner, &person, &session.template);
        let policy = decision.policy;
        let notified = wishes(policy, ask)?;
        if let Some(policy) = policy {
            self.consented(session, policy)?;
            if policy.rules.require_approval && !ask.is_approved {
                return self.ask(session, policy, ask).map(Asked::Waiting);
            }
        }
        let new = self.draft(session, policy, ask, notified);
        let _beginning = self.beginning.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if recordings::live_of(self.context.database(), &session.id)?.is_some() {
            return Err(Problem::new(409, RECORDED).into());
        }
        let used = stats::used(self.context.database(), &session.owner)?;
        quota::check(&used, &self.config).map_err(|why| Problem::new(429, why))?;
        self.begin(&new, by)?;
        Ok(Asked::Recording(Box::new(new)))
    }

    /// Sees that the session's user has agreed, if that is wanted.
    fn consented(&self, session: &Session, policy: &Policy) -> Result<(), Error> {
        if !policy.rules.require_consent {
            return Ok(());
        }
        let given = approvals::consent(self.context.database(), &session.id, &session.owner)?;
        match given {
            Some(consent) if consent.accepted => Ok(()),
            Some(_) => Err(Problem::new(403, "the session's user does not agree to be recorded").into()),
            None => Err(Problem::new(
                409,
                format!(
                    "the policy `{}` wants the session's user to agree first: they do so at /sessions/{}/recordings/consent",
                    policy.rules.name, session.id
                ),
            )
            .into()),
        }
    }

    fn ask(&self, session: &Session, policy: &Policy, ask: &Ask) -> Result<String> {
        let question = Approval {
            id: new_id(),
            session_id: session.id.clone(),
            user_id: session.owner.clone(),
            template: session.template.clone(),
            policy_id: policy.id.clone(),
            policy_name: policy.rules.name.clone(),
            requested_by: ask.by.clone(),
            is_automatic: ask.cause.is_some(),
            format: ask.format.clone().unwrap_or_else(|| policy.rules.recording_format.clone()),
            reason: ask.reason.clone(),
            status: "pending".into(),
            decided_by: None,
            decided_at: None,
            note: String::new(),
            recording_id: None,
            created_at: Timestamp::now(),
            by_permission: ask.by_permission,
        };
        let id = approvals::ask(self.context.database(), &question)?;
        if id == question.id {
            let told = json!({
                "approval_id": id, "session_id": session.id, "user": session.owner, "template": session.template,
                "policy": policy.rules.name, "requested_by": ask.by, "reason": ask.reason,
            });
            self.context.events().emit("recording.approval_requested", Some(&session.id), &told)?;
        }
        Ok(id)
    }

    fn draft(&self, session: &Session, policy: Option<&Policy>, ask: &Ask, notified: bool) -> Recording {
        let (id, now) = (new_id(), Timestamp::now());
        let rules = policy.map(|policy| &policy.rules);
        let format = ask
            .format
            .as_deref()
            .or(rules.map(|rules| rules.recording_format.as_str()))
            .and_then(Format::of)
            .unwrap_or(self.config.default_format);
        let mut metadata = rules.map(|rules| rules.metadata.clone()).unwrap_or_default();
        metadata.extend(ask.metadata.clone());
        if ask.cause == Some(Cause::Compliance) {
            metadata.insert("complianceFrameworks".into(), json!(self.config.compliance_frameworks));
        }
        Recording {
            storage_path: self.folder_of(&id).to_string_lossy().into_owned(),
            id,
            session_id: session.id.clone(),
            recording_type: "screen".into(),
            file_size_bytes: 0,
            duration_seconds: 0.0,
            started_at: now,
            ended_at: None,
            status: State::Starting,
            error_message: None,
            created_by: if ask.by.is_empty() { "policy".into() } else { ask.by.clone() },
            created_at: now,
            updated_at: now,
            user_id: session.owner.clone(),
            file_hash: None,
            format: format.name().into(),
            metadata: Json(metadata),
            retention_days: ask
                .retention_days
                .or(rules.map(|rules| rules.retention_days))
                .unwrap_or(self.config.retention_days()),
            expires_at: None,
            is_automatic: ask.cause.is_some(),
            reason: reason(ask),
            template: session.template.clone(),
            policy_id: policy.map(|policy| policy.id.clone()),
            policy_name: policy.map(|policy| policy.rules.name.clone()),
            allow_playback: rules.is_none_or(|rules| rules.allow_user_playback),
            allow_download: rules.is_none_or(|rules| rules.allow_user_download),
            legal_hold: false,
            notified,
            ended_by: None,
            continues: ask.continues.clone(),
            by_permission: ask.by_permission,
        }
    }
}

/// Whether a session is somebody's, or they may use it.
fn is_at(session: &Session, who: &str) -> bool {
    let uses = |share: &Share| share.user == who && share.access == "control";
    !who.is_empty() && (session.owner == who || session.shares.iter().any(uses))
}

fn reason(ask: &Ask) -> String {
    match ask.cause {
        _ if !ask.reason.is_empty() => ask.reason.clone(),
        Some(Cause::Compliance) => "compliance".into(),
        Some(_) => "policy".into(),
        None => "user_request".into(),
    }
}

/// Sees that what is asked for is what the policy allows. Answers whether the session's user is told.
fn wishes(policy: Option<&Policy>, ask: &Ask) -> Result<bool, Problem> {
    if ask.reason.len() > MAX_REASON || ask.reason.contains('\0') {
        return Err(Problem::new(422, format!("`reason`: expected up to {MAX_REASON} bytes")));
    }
    if let Some(format) = &ask.format
        && Format::of(format).is_none()
    {
        return Err(Problem::new(422, "`format`: expected webm, mp4 or vnc"));
    }
    if ask.retention_days.is_some_and(|days| days > MAX_DAYS) {
        return Err(Problem::new(422, format!("`retention_days`: expected 0 to {MAX_DAYS}")));
    }
    let Some(policy) = policy else { return Ok(ask.notify.unwrap_or(false)) };
    let rules = &policy.rules;
    if rules.require_reason && ask.cause.is_none() && ask.reason.trim().is_empty() {
        return Err(Problem::new(422, format!("`reason`: the policy `{}` wants one", rules.name)));
    }
    if rules.notify_on_recording && ask.notify == Some(false) {
        let why = format!(
            "the policy `{}` wants the session's user to be told: nothing is recorded in silence",
            rules.name
        );
        return Err(Problem::new(403, why));
    }
    // Nobody makes it shorter than the policy has it.
    let least = |days: u32| if days == 0 { u32::MAX } else { days };
    if ask.retention_days.is_some_and(|days| least(days) < least(rules.retention_days)) {
        let why =
            format!("`retention_days`: the policy `{}` wants {} at least", rules.name, rules.retention_days);
        return Err(Problem::new(422, why));
    }
    Ok(rules.notify_on_recording || ask.notify == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::policy::tests::policy;

    fn told(change: impl FnOnce(&mut crate::rules::policy::Rules), ask: &Ask) -> Result<bool, String> {
        wishes(Some(&policy("p", change)), ask).map_err(|why| why.to_string())
    }

    #[test]
    fn what_a_policy_wants_is_what_is_done() {
        let silent = Ask { notify: Some(false), ..Ask::default() };
        assert_eq!(told(|_| (), &Ask::default()), Ok(true), "the platform's default is to tell");
        assert!(told(|_| (), &silent).is_err_and(|why| why.contains("silence")));
        assert_eq!(told(|rules| rules.notify_on_recording = false, &silent), Ok(false));
        assert_eq!(wishes(None, &silent).map_err(|_| ()), Ok(false));

        let wants = |rules: &mut crate::rules::policy::Rules| rules.require_reason = true;
        assert!(told(wants, &Ask { reason: " ".into(), ..Ask::default() }).is_err());
        assert!(told(wants, &Ask { reason: "support".into(), ..Ask::default() }).is_ok());
        assert!(told(wants, &Ask { cause: Some(Cause::Policy), ..Ask::default() }).is_ok());
    }

    #[test]
    fn nothing_is_kept_for_a_shorter_time_than_the_policy_has_it() {
        let days = |days| Ask { retention_days: Some(days), ..Ask::default() };
        assert!(told(|_| (), &days(29)).is_err());
        assert!(told(|_| (), &days(30)).is_ok() && told(|_| (), &days(0)).is_ok());
        assert!(told(|rules| rules.retention_days = 0, &days(365)).is_err());
        assert!(wishes(None, &days(1)).is_ok() && wishes(None, &days(40_000)).is_err());
    }

    #[test]
    fn a_reason_is_always_there() {
        let of = |cause, given: &str| reason(&Ask { cause, reason: given.into(), ..Ask::default() });
        assert_eq!(of(None, ""), "user_request");
        assert_eq!(of(Some(Cause::Compliance), ""), "compliance");
        assert_eq!(of(Some(Cause::Policy), "training"), "training");
    }
}
