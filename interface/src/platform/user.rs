//! Users, as the host shows them.

use serde::{Deserialize, Serialize};

use super::{Platform, PlatformError, Reader, read, written};
use crate::abi::RStr;

/// The platform's users. Made by [`Platform::users`].
#[derive(Debug, Clone, Copy)]
pub struct Users(pub(super) Platform);

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct User {
    /// The user's id.
    pub id: String,
    /// The name to sign in with, which is what sessions have as their owner.
    pub username: String,
    /// The name to show; may be empty.
    pub full_name: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// `admin`, `operator` or `user`.
    pub role: String,
    /// The groups, in order.
    pub groups: Vec<String>,
    /// Whether the user may not sign in.
    pub disabled: bool,
    /// When the account was made, RFC 3339.
    pub created_at: String,
}

/// Which users. All that is given must hold; nothing is given for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UserFilter {
    /// With which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// In which group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What the names or the e-mail address contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where to begin: [`UserPage::next`] of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most, 1 to 500; 100 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Some of the users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UserPage {
    /// Them.
    pub users: Vec<User>,
    /// Where to go on, as [`UserFilter::after`]. `None` behind the last.
    pub next: Option<String>,
}

impl Users {
    /// `[worker]` `[setup]` A page of the users that `filter` names, by name. Needs the permission `read:users`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::UserFilter;
    ///
    /// fn administrators(context: &Context) -> Result<Vec<String>> {
    ///     let filter = UserFilter { role: Some("admin".into()), ..UserFilter::default() };
    ///     let page = context.platform().users().list(&filter)?;
    ///     Ok(page.users.into_iter().map(|user| user.email).collect())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`].
    pub fn list(&self, filter: &UserFilter) -> Result<UserPage, PlatformError> {
        let host = self.0.host()?;
        read(host.table.list_users()(host.handle, written(filter)?.as_slice().into()).into_result()?)
    }

    /// `[worker]` `[setup]` All users that `filter` names, page by page: each of [`UserFilter::limit`].
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// use streamspace_plugin::platform::UserFilter;
    ///
    /// fn count(context: &Context) -> Result<usize> {
    ///     let users = context.platform().users().all(UserFilter::default());
    ///     Ok(users.collect::<std::result::Result<Vec<_>, _>>()?.len())
    /// }
    /// ```
    pub fn all(&self, filter: UserFilter) -> impl Iterator<Item = Result<User, PlatformError>> + use<> {
        let users = *self;
        Reader::new(move |after| {
            let filter = UserFilter { after: after.or_else(|| filter.after.clone()), ..filter.clone() };
            users.list(&filter).map(|page| (page.users, page.next))
        })
    }

    /// `[worker]` `[setup]` The user with this name or id; `None` if there is none. Needs the permission `read:users`.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn address(context: &Context, session: &payload::Session) -> Result<Option<String>> {
    ///     Ok(context.platform().users().get(&session.user)?.map(|user| user.email))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PlatformError`].
    pub fn get(&self, user: &str) -> Result<Option<User>, PlatformError> {
        let host = self.0.host()?;
        let found = host.table.get_user()(host.handle, RStr::from_str(user)).into_result()?;
        found.into_option().map(read).transpose()
    }
}
