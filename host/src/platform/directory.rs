//! Users, as plugins are told of them.

use serde::{Deserialize, Serialize};

use super::{
    access::Role,
    sessions::{MAX_PAGE, PAGE},
    users::{self, Accounts, UserError, UserView},
};

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
    pub role: Option<Role>,
    /// In which group. A page may have fewer users for it than it could, or none, and go on all the same.
    pub group: Option<String>,
    /// What the name to sign in with contains.
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
    /// [`UserError`].
    fn list(&self, filter: &UserFilter) -> Result<UserPage, UserError>;

    /// One user, by name or id. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    fn get(&self, user: &str) -> Result<Option<UserRecord>, UserError>;
}

impl Users for Accounts {
    fn list(&self, filter: &UserFilter) -> Result<UserPage, UserError> {
        let wrong = |field, expected| UserError::Field { field, expected };
        let limit = filter.limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(wrong("limit", "1 to 500"));
        }
        let skip = match &filter.after {
            Some(after) => after.parse().map_err(|_| wrong("after", "`next` of another page"))?,
            None => 0,
        };
        let asked = users::UserFilter {
            name: filter.text.clone().unwrap_or_default(),
            role: filter.role,
            skip,
            limit: Some(limit),
        };
        let (mut found, total) = self.users(&asked)?;
        let read = skip.saturating_add(limit);
        let next = (i64::from(read) < total).then(|| read.to_string());
        if let Some(group) = &filter.group {
            found.retain(|user| user.groups.contains(group));
        }
        Ok(UserPage { users: found.into_iter().map(UserRecord::from).collect(), next })
    }

    fn get(&self, user: &str) -> Result<Option<UserRecord>, UserError> {
        match self.user(user) {
            Ok(user) => Ok(Some(user.into())),
            Err(UserError::NoUser { .. }) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

impl From<UserView> for UserRecord {
    fn from(user: UserView) -> Self {
        Self {
            id: user.id,
            username: user.username,
            full_name: user.full_name,
            email: user.email,
            role: user.role.name().to_owned(),
            groups: user.groups,
            disabled: user.disabled,
            created_at: user.created,
        }
    }
}
