//! Users, as plugins are told of them.

use serde::{Deserialize, Serialize};

use crate::store::DatabaseError;

/// A user, as plugins are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The user's id.
    pub id: String,
    /// The name to sign in with, which is what sessions have as their owner.
    pub username: String,
    /// The name to show; may be empty.
    pub full_name: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The role: `admin`, `operator` or `user`.
    pub role: String,
    /// The groups, in order.
    pub groups: Vec<String>,
    /// Whether the user may not sign in.
    pub disabled: bool,
    /// When the account was made, RFC 3339.
    pub created_at: String,
}

/// Which users. All that is given must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserFilter {
    /// With which role.
    pub role: Option<String>,
    /// In which group.
    pub group: Option<String>,
    /// What the names or the e-mail address contain.
    pub text: Option<String>,
    /// Where the page begins: `next` of the one before.
    pub after: Option<String>,
    /// How many at most, 1 to 500; 100 unless given.
    pub limit: Option<u32>,
}

/// Some of the users.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UserPage {
    /// Them.
    pub users: Vec<UserRecord>,
    /// Where to go on. Not there behind the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where users are looked up. Whoever has them implements it, and the composition root brings it here.
pub trait Users: Send + Sync + std::fmt::Debug {
    /// Users, by name. Blocks.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    fn list(&self, filter: &UserFilter) -> Result<UserPage, DatabaseError>;

    /// One user, by name or id. Blocks.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    fn get(&self, user: &str) -> Result<Option<UserRecord>, DatabaseError>;
}
