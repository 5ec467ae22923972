//! The payloads of what happens to a session, besides the steps of its life.

use serde::{Deserialize, Serialize};

use super::payload::{Payload, Resources};

/// Which session an event is about, in both dialects: `id` and `session_id`, `user` and `user_id`, `template` and
/// `template_name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct SessionRef {
    /// The session's id.
    pub id: String,
    /// The owner's name.
    pub user: String,
    /// The template's name.
    pub template: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Wire {
    id: Option<String>,
    session_id: Option<String>,
    user: Option<String>,
    user_id: Option<String>,
    template: Option<String>,
    template_name: Option<String>,
}

impl From<Wire> for SessionRef {
    fn from(wire: Wire) -> Self {
        Self {
            id: wire.id.or(wire.session_id).unwrap_or_default(),
            user: wire.user.or(wire.user_id).unwrap_or_default(),
            template: wire.template.or(wire.template_name).unwrap_or_default(),
        }
    }
}

impl From<SessionRef> for Wire {
    fn from(session: SessionRef) -> Self {
        Self {
            session_id: Some(session.id.clone()),
            id: Some(session.id),
            user_id: Some(session.user.clone()),
            user: Some(session.user),
            template_name: Some(session.template.clone()),
            template: Some(session.template),
        }
    }
}

/// A session has another state: `session.state.changed`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let changed: payload::SessionStateChanged =
///     serde_json::from_str(r#"{"id": "s1", "oldState": "running", "newState": "hibernated", "reason": "idle"}"#)?;
/// assert_eq!((changed.session.id.as_str(), changed.new_state.as_str()), ("s1", "hibernated"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionStateChanged {
    /// Which.
    #[serde(flatten)]
    pub session: SessionRef,
    /// The state before.
    pub old_state: String,
    /// The state now.
    pub new_state: String,
    /// Why; empty if nobody said.
    pub reason: String,
}

/// Somebody has connected to a session: `session.connected`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let connected: payload::SessionConnected =
///     serde_json::from_str(r#"{"session_id": "s1", "connectionId": "c1", "clientIP": "192.0.2.1"}"#)?;
/// assert_eq!((connected.session.id.as_str(), connected.client_ip.as_str()), ("s1", "192.0.2.1"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionConnected {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// The connection's id, unique within the session.
    pub connection_id: String,
    /// The IP address it comes from; empty if it is not known.
    #[serde(rename = "clientIP")]
    pub client_ip: String,
    /// The program it comes from, as that says; empty if it is not known.
    pub user_agent: String,
}

/// A connection to a session has ended: `session.disconnected`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let gone: payload::SessionDisconnected =
///     serde_json::from_str(r#"{"id": "s1", "connectionId": "c1", "duration": 12.5}"#)?;
/// assert_eq!((gone.connection_id.as_str(), gone.duration), ("c1", 12.5));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionDisconnected {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// The connection's id.
    pub connection_id: String,
    /// How long it lasted, in seconds.
    pub duration: f64,
}

/// A session's user does nothing: `session.idle`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let idle: payload::SessionIdle = serde_json::from_str(r#"{"id": "s1", "idleDuration": 600}"#)?;
/// assert_eq!(idle.idle_duration, 600);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionIdle {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// For how long, in whole seconds.
    pub idle_duration: u64,
}

/// A session's user is active again: `session.active`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let active: payload::SessionActive = serde_json::from_str(r#"{"id": "s1", "user_id": "ada"}"#)?;
/// assert_eq!(active.session.user, "ada");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionActive {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
}

/// A session asks for other resources: `session.resources.updated`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let updated: payload::SessionResourcesUpdated =
///     serde_json::from_str(r#"{"id": "s1", "resources": {"cpu": "2", "memory": "4Gi", "storage": "10Gi"}}"#)?;
/// assert_eq!(updated.resources.memory, "4Gi");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionResourcesUpdated {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// All of its resources.
    pub resources: Resources,
}

/// A session has other tags: `session.tags.updated`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let updated: payload::SessionTagsUpdated =
///     serde_json::from_str(r#"{"id": "s1", "tags": ["course", "week-3"]}"#)?;
/// assert_eq!(updated.tags, ["course", "week-3"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionTagsUpdated {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// All of its tags.
    pub tags: Vec<String>,
}

/// Another user may use a session: `session.shared`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let shared: payload::SessionShared =
///     serde_json::from_str(r#"{"id": "s1", "sharedWith": "bob", "permissions": ["view", "control"]}"#)?;
/// assert!(shared.permissions.iter().any(|permission| permission == "control"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionShared {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// The other user's name.
    pub shared_with: String,
    /// What the other user may: `view`, or `view` and `control`.
    pub permissions: Vec<String>,
}

/// Another user may no longer use a session: `session.unshared`.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// let unshared: payload::SessionUnshared =
///     serde_json::from_str(r#"{"id": "s1", "unsharedFrom": "bob"}"#)?;
/// assert_eq!(unshared.unshared_from, "bob");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionUnshared {
    /// Which session.
    #[serde(flatten)]
    pub session: SessionRef,
    /// The other user's name.
    pub unshared_from: String,
}

macro_rules! topics {
    ($($payload:ty: $topic:literal,)*) => {
        $(impl Payload for $payload {
            const TOPICS: &'static [&'static str] = &[$topic];
        })*
    };
}

topics! {
    SessionStateChanged: "session.state.changed",
    SessionConnected: "session.connected",
    SessionDisconnected: "session.disconnected",
    SessionIdle: "session.idle",
    SessionActive: "session.active",
    SessionResourcesUpdated: "session.resources.updated",
    SessionTagsUpdated: "session.tags.updated",
    SessionShared: "session.shared",
    SessionUnshared: "session.unshared",
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, to_value};

    use super::*;

    #[test]
    fn which_session_it_is_stands_beside_the_rest_in_both_dialects() {
        let session = SessionRef { id: "s1".into(), user: "ada".into(), template: "gimp".into() };
        let idle = SessionIdle { session, idle_duration: 60 };
        let value: Value = to_value(idle.clone()).expect("JSON");
        for key in ["id", "session_id", "user", "user_id", "template", "template_name", "idleDuration"] {
            assert!(value.get(key).is_some(), "{key} is missing in {value}");
        }
        assert_eq!(from_value::<SessionIdle>(value).expect("a payload"), idle);
    }
}
