//! Accounts and groups as others read them.

use serde::{Deserialize, Serialize};
use streamspace_plugin::events::payload;

use crate::platform::access::Role;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserView {
    /// Its id.
    pub id: String,
    /// The name to sign in with.
    pub username: String,
    /// The name to show.
    pub full_name: String,
    /// The e-mail address.
    pub email: String,
    /// `free`, `pro`, `enterprise`, or what the operator calls it.
    pub tier: String,
    /// The role.
    pub role: Role,
    /// Whether it can neither sign in nor use its tokens.
    pub disabled: bool,
    /// Whether it has a password. Without one it has tokens alone.
    pub has_password: bool,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// What it is permitted beyond its role and its groups.
    pub permissions: Vec<String>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// When it was changed last.
    pub updated: String,
    /// When it signed in last. `null`: never.
    pub last_login: Option<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The names of its members.
    pub members: Vec<String>,
    /// What its members are permitted.
    pub permissions: Vec<String>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// When it was changed last.
    pub updated: String,
}

/// What events tell of an account.
#[derive(Debug, Clone, Serialize)]
pub(in crate::platform) struct UserEvent {
    #[serde(flatten)]
    pub(in crate::platform) user: payload::User,
    pub(in crate::platform) role: Role,
    pub(in crate::platform) active: bool,
    pub(in crate::platform) groups: Vec<String>,
}

/// What events tell of a group.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GroupEvent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) permissions: Vec<String>,
    /// Who came or left, with the keys of an event about an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<payload::User>,
}
