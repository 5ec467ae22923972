//! The payloads of the platform's events: one struct for the topics that share a shape.
//!
//! Emitters of the platform write the same thing under two names (`user` and `user_id`, `template` and
//! `template_name`, `id` and `session_id`). Reading takes either; writing writes both, so that every consumer finds
//! the one it knows. Unknown keys are ignored.
//!
//! ```
//! use streamspace_plugin::prelude::*;
//!
//! let session: payload::Session = serde_json::from_str(r#"{"session_id": "s1", "user": "ada"}"#)?;
//! assert_eq!((session.id.as_str(), session.user.as_str()), ("s1", "ada"));
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

pub use super::session::{
    SessionActive, SessionConnected, SessionDisconnected, SessionIdle, SessionRef, SessionResourcesUpdated,
    SessionShared, SessionStateChanged, SessionTagsUpdated, SessionUnshared,
};

/// A payload and the topics that carry it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which topics carry it",
    label = "expects a handler whose payload implements `Payload`",
    note = "implement `streamspace_plugin::events::payload::Payload` for `{Self}`, or use `handle` and read it with `event.decode()`"
)]
pub trait Payload: DeserializeOwned {
    /// The topics.
    const TOPICS: &'static [&'static str];
}

/// A session, in the events about its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Session {
    /// The session's id; empty if the emitter left it out.
    pub id: String,
    /// The owner's name; empty if the emitter left it out.
    pub user: String,
    /// The template's name; empty if the emitter left it out.
    pub template: String,
    /// What was asked for.
    pub resources: Resources,
    /// The state after the event, e.g. `running`.
    pub state: Option<String>,
    /// Where a browser opens the session.
    pub url: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether the user's files outlive it.
    pub persistent_home: Option<bool>,
    /// After how long without its user it may be put to rest, e.g. `1800s`.
    pub idle_timeout: Option<String>,
    /// When it was created, RFC 3339.
    pub created_at: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated_at: Option<String>,
    /// When its user was last active, RFC 3339.
    pub last_activity: Option<String>,
}

impl Payload for Session {
    const TOPICS: &'static [&'static str] = &[
        "session.created",
        "session.started",
        "session.stopped",
        "session.hibernated",
        "session.woken",
        "session.deleted",
        "session.terminated",
        "session.updated",
    ];
}

/// Resources of a session, as Kubernetes writes quantities (`500m`, `2Gi`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Processor, e.g. `1000m`; empty if not known.
    pub cpu: String,
    /// Memory, e.g. `2Gi`; empty if not known.
    pub memory: String,
    /// Storage, e.g. `10Gi`; empty if not known.
    pub storage: String,
}

/// What a session uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct SessionHeartbeat {
    /// The session's id.
    pub id: String,
    /// The owner's name.
    pub user: String,
    /// The template's name.
    pub template: String,
    /// Processor, in the emitter's unit.
    pub cpu_usage: f64,
    /// Memory, in the emitter's unit.
    pub memory_usage: f64,
    /// Storage, in the emitter's unit.
    pub storage_usage: f64,
}

impl Payload for SessionHeartbeat {
    const TOPICS: &'static [&'static str] = &["session.heartbeat"];
}

/// A session that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct SessionError {
    /// The session's id.
    pub id: String,
    /// The owner's name.
    pub user: String,
    /// The template's name.
    pub template: String,
    /// What went wrong.
    pub error: String,
    /// The stack trace, if there is one.
    pub stack: Option<String>,
    /// Where a browser opens the session.
    pub url: Option<String>,
}

impl Payload for SessionError {
    const TOPICS: &'static [&'static str] = &["session.error", "session.failed"];
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct User {
    /// The user's id; empty if the emitter left it out.
    pub id: String,
    /// The name to sign in with; empty if the emitter left it out.
    pub username: String,
    /// The name to show; empty if the emitter left it out.
    pub full_name: String,
    /// The e-mail address; empty if the emitter left it out.
    pub email: String,
    /// `free`, `pro` or `enterprise`; empty if the emitter left it out.
    pub tier: String,
    /// How the user signed in, in `user.login`.
    pub auth_method: Option<String>,
}

impl Payload for User {
    const TOPICS: &'static [&'static str] =
        &["user.created", "user.updated", "user.deleted", "user.login", "user.logout"];
}

/// A quota that is nearly or wholly used up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Quota {
    /// The user's name.
    pub user: String,
    /// Which quota, e.g. `memory` or `maxSessions`.
    pub quota: String,
    /// How much is used, as the emitter writes it.
    pub used: Option<serde_json::Value>,
    /// How much is allowed, as the emitter writes it.
    pub limit: Option<serde_json::Value>,
}

impl Payload for Quota {
    const TOPICS: &'static [&'static str] = &["quota.warning", "quota.exceeded"];
}

/// Every key that any of the payloads has, in both dialects. What only some of them have is read leniently: the key may
/// mean something else in a payload that does not read it.
#[derive(Default, Serialize, Deserialize)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    resources: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    tags: Option<Vec<String>>,
    #[serde(
        rename = "persistentHome",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    persistent_home: Option<bool>,
    #[serde(
        rename = "idleTimeout",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    idle_timeout: Option<String>,
    #[serde(
        rename = "createdAt",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    created_at: Option<String>,
    #[serde(
        rename = "updatedAt",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    updated_at: Option<String>,
    #[serde(
        rename = "lastActivity",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    last_activity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    cpu_usage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    memory_usage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    storage_usage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    stack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(
        rename = "fullName",
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "lenient"
    )]
    full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    auth_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "lenient")]
    quota: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<serde_json::Value>,
}

/// Reads a value that may be of another type as good as none.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

impl Wire {
    fn session(id: String, user: String, template: String) -> Self {
        Self {
            session_id: Some(id.clone()),
            id: Some(id),
            user_id: Some(user.clone()),
            user: Some(user),
            template_name: Some(template.clone()),
            template: Some(template),
            ..Self::default()
        }
    }

    fn session_id(&mut self) -> String {
        self.id.take().or(self.session_id.take()).unwrap_or_default()
    }

    fn user_name(&mut self) -> String {
        self.user.take().or(self.user_id.take()).unwrap_or_default()
    }

    fn template_name(&mut self) -> String {
        self.template.take().or(self.template_name.take()).unwrap_or_default()
    }
}

impl From<Wire> for Session {
    fn from(mut wire: Wire) -> Self {
        Self {
            id: wire.session_id(),
            user: wire.user_name(),
            template: wire.template_name(),
            resources: wire.resources.unwrap_or_default(),
            state: wire.state,
            url: wire.url,
            tags: wire.tags.unwrap_or_default(),
            persistent_home: wire.persistent_home,
            idle_timeout: wire.idle_timeout,
            created_at: wire.created_at,
            updated_at: wire.updated_at,
            last_activity: wire.last_activity,
        }
    }
}

impl From<Session> for Wire {
    fn from(session: Session) -> Self {
        Self {
            resources: Some(session.resources),
            state: session.state,
            url: session.url,
            tags: Some(session.tags),
            persistent_home: session.persistent_home,
            idle_timeout: session.idle_timeout,
            created_at: session.created_at,
            updated_at: session.updated_at,
            last_activity: session.last_activity,
            ..Self::session(session.id, session.user, session.template)
        }
    }
}

impl From<Wire> for SessionHeartbeat {
    fn from(mut wire: Wire) -> Self {
        Self {
            id: wire.session_id(),
            user: wire.user_name(),
            template: wire.template_name(),
            cpu_usage: wire.cpu_usage.unwrap_or_default(),
            memory_usage: wire.memory_usage.unwrap_or_default(),
            storage_usage: wire.storage_usage.unwrap_or_default(),
        }
    }
}

impl From<SessionHeartbeat> for Wire {
    fn from(beat: SessionHeartbeat) -> Self {
        Self {
            cpu_usage: Some(beat.cpu_usage),
            memory_usage: Some(beat.memory_usage),
            storage_usage: Some(beat.storage_usage),
            ..Self::session(beat.id, beat.user, beat.template)
        }
    }
}

impl From<Wire> for SessionError {
    fn from(mut wire: Wire) -> Self {
        Self {
            id: wire.session_id(),
            user: wire.user_name(),
            template: wire.template_name(),
            error: wire.error.unwrap_or_default(),
            stack: wire.stack,
            url: wire.url,
        }
    }
}

impl From<SessionError> for Wire {
    fn from(failed: SessionError) -> Self {
        Self {
            error: Some(failed.error),
            stack: failed.stack,
            url: failed.url,
            ..Self::session(failed.id, failed.user, failed.template)
        }
    }
}

impl From<Wire> for User {
    fn from(mut wire: Wire) -> Self {
        Self {
            id: wire.id.take().or(wire.user_id.take()).unwrap_or_default(),
            username: wire.username.unwrap_or_default(),
            full_name: wire.full_name.unwrap_or_default(),
            email: wire.email.unwrap_or_default(),
            tier: wire.tier.unwrap_or_default(),
            auth_method: wire.auth_method,
        }
    }
}

impl From<User> for Wire {
    fn from(user: User) -> Self {
        Self {
            user_id: Some(user.id.clone()),
            id: Some(user.id),
            username: Some(user.username),
            full_name: Some(user.full_name),
            email: Some(user.email),
            tier: Some(user.tier),
            auth_method: user.auth_method,
            ..Self::default()
        }
    }
}

impl From<Wire> for Quota {
    fn from(mut wire: Wire) -> Self {
        Self {
            user: wire.user.take().or(wire.username.take()).or(wire.user_id.take()).unwrap_or_default(),
            quota: wire.quota.unwrap_or_default(),
            used: wire.used,
            limit: wire.limit,
        }
    }
}

impl From<Quota> for Wire {
    fn from(quota: Quota) -> Self {
        Self {
            user_id: Some(quota.user.clone()),
            user: Some(quota.user),
            quota: Some(quota.quota),
            used: quota.used,
            limit: quota.limit,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    #[test]
    fn either_dialect_reads_as_the_same_session() {
        let one = json!({"id": "s1", "user": "ada", "template": "firefox", "resources": {"cpu": "1", "memory": "2Gi"}});
        let other = json!({"session_id": "s1", "user_id": "ada", "template_name": "firefox",
                           "resources": {"cpu": "1", "memory": "2Gi"}, "unheard_of": true});
        let [one, other]: [Session; 2] = [one, other].map(|value| from_value(value).expect("a session"));
        assert_eq!(one, other);
    }

    #[test]
    fn a_key_of_another_payload_does_not_spoil_this_one() {
        let user = json!({"id": "u1", "username": "ada", "quota": {"memory": "4Gi"}, "error": 7});
        let user: User = from_value(user).expect("a user");
        assert_eq!((user.id.as_str(), user.username.as_str()), ("u1", "ada"));
    }

    #[test]
    fn writing_writes_both_dialects_and_reads_back() {
        let session =
            Session { id: "s1".into(), user: "ada".into(), template: "gimp".into(), ..Session::default() };
        let value: Value = to_value(session.clone()).expect("JSON");
        for key in ["id", "session_id", "user", "user_id", "template", "template_name"] {
            assert!(value.get(key).is_some(), "{key} is missing in {value}");
        }
        assert_eq!(from_value::<Session>(value).expect("a session"), session);
    }
}
