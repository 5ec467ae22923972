//! What callers are permitted: strings. The host's own are here, with what they are for; plugins' routes name others.

use serde::{Deserialize, Serialize};

use crate::platform::users::UserError;

/// One of the host's own permissions.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Permission {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The least role that has it.
    pub role: Role,
}

/// What a handler needs, as a type.
pub trait Right {
    /// The permission's name.
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($type:ident = $name:literal, $role:ident, $description:literal;)+) => {
        /// The host's own permissions. The role `admin` has all of them, and every other one.
        pub const PERMISSIONS: &[Permission] =
            &[$(Permission { name: $name, description: $description, role: Role::$role }),+];

        /// The host's own permissions, as types: a handler names the one that it needs.
        pub mod rights {
            pub use super::Right;
            $(
                #[doc = $description]
                #[derive(Debug, Clone, Copy)]
                pub enum $type {}
                impl Right for $type {
                    const NAME: &'static str = $name;
                }
            )+
        }
    };
}

permissions! {
    PluginsRead = "plugins.read", Operator,
        "See the installed plugins, their configuration without its secrets, jobs, routes and dead letters.";
    PluginsOperate = "plugins.operate", Operator,
        "Enable and disable plugins, run and pause their jobs, read, replay and drop dead letters, set log levels.";
    PluginsManage = "plugins.manage", Admin,
        "Install, configure and uninstall plugins, which run with the host's rights.";
    EventsEmit = "events.emit", Admin,
        "Emit events, also those that the platform emits.";
    UsersRead = "users.read", Operator,
        "See accounts, groups and the names of their tokens.";
    UsersManage = "users.manage", Admin,
        "Create, change, disable and delete accounts and groups, and revoke tokens. Nobody gives what they do not have.";
    SessionsOwn = "sessions.own", User,
        "Create, see, change, share and end one's own sessions, and use those that others share.";
    SessionsRead = "sessions.read", Operator,
        "See everybody's sessions.";
    SessionsManage = "sessions.manage", Operator,
        "Create, change and end everybody's sessions.";
    HostTrust = "host.trust", Admin,
        "Say whose packages are taken: trust and revoke keys, revoke packages, let plugins be unsigned for a while.";
    CatalogUse = "catalog.use", User,
        "Look for plugins in the catalogues, and rate them.";
    HostObserve = "host.observe", Operator,
        "See the host's metrics, logs and live changes.";
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// Sees and operates plugins and sessions; installs nothing and changes no account.
    Operator,
    /// Has what is its own.
    #[default]
    User,
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::User => "user",
        }
    }

    /// The role of this name. A name that this host does not know is the one that may least.
    pub(in crate::platform) fn stored(name: &str) -> Self {
        match name {
            "admin" => Self::Admin,
            "operator" => Self::Operator,
            _ => Self::User,
        }
    }

    /// What it may, of the host's own permissions.
    pub(in crate::platform) fn permissions(self) -> impl Iterator<Item = &'static str> {
        let has = move |permission: &&Permission| match self {
            Self::Admin => true,
            Self::Operator => permission.role != Self::Admin,
            Self::User => permission.role == Self::User,
        };
        PERMISSIONS.iter().filter(has).map(|permission| permission.name)
    }
}

/// The longest permission, in bytes.
const LONGEST: usize = 128;

/// Checks what is to be granted: printable ASCII without spaces and without `*`, since nothing stands for several.
///
/// # Errors
///
/// [`UserError::Field`].
pub fn check_permission(permission: &str) -> Result<(), UserError> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-/".contains(&byte);
    if (1..=LONGEST).contains(&permission.len()) && permission.bytes().all(valid) {
        return Ok(());
    }
    Err(UserError::Field {
        field: "permission",
        expected: "1 to 128 letters, digits, `.`, `:`, `_`, `-` and `/`, such as `slack.preview`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_sees_and_operates_and_changes_no_account() {
        let may: Vec<_> = Role::Operator.permissions().collect();
        assert!(may.contains(&"plugins.operate") && may.contains(&"sessions.manage"), "{may:?}");
        for forbidden in ["plugins.manage", "users.manage", "events.emit"] {
            assert!(!may.contains(&forbidden), "{forbidden}");
        }
        assert_eq!(Role::User.permissions().collect::<Vec<_>>(), ["sessions.own", "catalog.use"]);
    }

    #[test]
    fn a_permission_is_one_word() {
        for good in ["slack.preview", "sessions:read", "read:users", "a/b_c-d"] {
            assert!(check_permission(good).is_ok(), "{good}");
        }
        for bad in ["", "*", "a b", "ä", "a\0", &"x".repeat(129)] {
            assert!(check_permission(bad).is_err(), "{bad}");
        }
    }
}
