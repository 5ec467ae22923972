//! A session, as it is shown.

use serde::{Deserialize, Serialize};

use super::{
    Access, SessionResources, State, Usage, Viewer,
    rows::{ConnectionRow, ShareRow, Whole},
};
use crate::clock;

/// A session, as the API, the command line and plugins are shown it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// The user whose it is.
    pub owner: String,
    /// What its desktop is made from.
    pub template: String,
    /// Its state.
    pub state: State,
    /// Why it has that state; empty if nobody said.
    pub reason: String,
    /// What it asks for.
    pub resources: SessionResources,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Who else may use it: to its owner and to who manages sessions all of them, to others only their own.
    pub shares: Vec<ShareView>,
    /// How many are connected.
    pub connected: u64,
    /// Who is connected; only where one session is asked for, by its owner or by who manages sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<ConnectionView>>,
    /// Whether its user does nothing.
    pub idle: bool,
    /// After how many seconds without its user it may be put to rest.
    pub idle_timeout_secs: Option<u64>,
    /// Whether the user's files outlive it.
    pub persistent_home: bool,
    /// Where a browser opens it.
    pub url: Option<String>,
    /// Where its desktop speaks RFB. Only to who manages sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfb_address: Option<String>,
    /// What it used at its last heartbeat, if there was one.
    pub usage: Option<Usage>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it was last changed, heartbeats and activity apart, RFC 3339.
    pub updated_at: String,
    /// When its user was last active, RFC 3339.
    pub last_activity_at: Option<String>,
    /// When the last heartbeat came, RFC 3339.
    pub last_heartbeat_at: Option<String>,
}

/// Somebody else who may use a session.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShareView {
    /// The user.
    pub user: String,
    /// How much the user may.
    pub access: Access,
    /// Since when, RFC 3339.
    pub shared_at: String,
}

/// Somebody who is connected.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionView {
    /// The connection's id, unique within the session.
    pub id: String,
    /// The IP address it comes from; empty if it is not known.
    pub client_address: String,
    /// The program it comes from; empty if it is not known.
    pub user_agent: String,
    /// Since when, RFC 3339.
    pub connected_at: String,
}

/// Sessions, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionPage {
    /// Some of them.
    pub sessions: Vec<SessionView>,
    /// Where to go on: `after` of the next request. Not there behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl SessionView {
    pub(super) fn new(whole: Whole, viewer: &Viewer) -> Self {
        let Whole { row, activity, tags, mut shares, connected } = whole;
        if let Viewer::User(user) = viewer
            && *user != row.owner
        {
            shares.retain(|share| share.shared_with == *user);
        }
        Self {
            state: row.state(),
            id: row.id,
            owner: row.owner,
            template: row.template,
            reason: row.reason,
            resources: SessionResources { cpu: row.cpu, memory: row.memory, storage: row.storage },
            tags,
            shares: shares.into_iter().map(ShareView::from).collect(),
            connected: unsigned(connected),
            connections: None,
            idle: activity.idle,
            idle_timeout_secs: row.idle_timeout_secs.map(unsigned),
            persistent_home: row.persistent_home,
            url: row.url,
            rfb_address: row.rfb_address.filter(|_| *viewer == Viewer::Everything),
            usage: activity.heartbeat_us.map(|_| Usage {
                cpu: activity.cpu_usage,
                memory: activity.memory_usage,
                storage: activity.storage_usage,
            }),
            created_at: time(row.created_us),
            updated_at: time(row.updated_us),
            last_activity_at: activity.active_us.map(time),
            last_heartbeat_at: activity.heartbeat_us.map(time),
        }
    }
}

impl From<ShareRow> for ShareView {
    fn from(row: ShareRow) -> Self {
        Self {
            user: row.shared_with,
            access: if row.access == Access::Control.name() { Access::Control } else { Access::View },
            shared_at: time(row.shared_us),
        }
    }
}

impl From<ConnectionRow> for ConnectionView {
    fn from(row: ConnectionRow) -> Self {
        Self {
            id: row.id,
            client_address: row.client_address,
            user_agent: row.user_agent,
            connected_at: time(row.connected_us),
        }
    }
}

pub(super) fn time(us: i64) -> String {
    clock::rfc3339(unsigned(us))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
