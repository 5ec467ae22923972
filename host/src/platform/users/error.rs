//! Why something about accounts was not done.

use crate::{
    events::{ChangeError, LogError, Stop},
    store::DatabaseError,
};

/// Why it was not done. Each has a stable code.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such account.
    #[error("there is no account `{user}`; `streamspace user list` shows those that are")]
    NoUser {
        /// The name or id asked for.
        user: String,
    },
    /// There is no such group.
    #[error("there is no group `{group}`; `streamspace group list` shows those that are")]
    NoGroup {
        /// The name or id asked for.
        group: String,
    },
    /// There is no such token that is the caller's business.
    #[error("there is no token `{id}`; `streamspace token list` shows those that are")]
    NoToken {
        /// The id asked for.
        id: String,
    },
    /// The name is taken.
    #[error("the name `{name}` is taken")]
    Taken {
        /// The name.
        name: String,
    },
    /// A value is not what it must be.
    #[error("`{field}`: expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A new password is not acceptable.
    #[error("the password is not accepted: expected {expected}")]
    Password {
        /// What is accepted.
        expected: &'static str,
    },
    /// Nobody would be left who may change accounts.
    #[error("this is the last account of the role `admin` that is not disabled: make another one first")]
    LastAdmin,
    /// There are too many.
    #[error("there are {limit} {what} already: remove some first")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many may be.
        limit: i64,
    },
    /// Somebody would get, or be changed who has, more than the caller.
    #[error(
        "this takes what the caller does not have: {permission}. Nobody gives more than they have, nor changes somebody who has more"
    )]
    Beyond {
        /// What is missing.
        permission: String,
    },
    /// Name and password do not belong to an account that may sign in.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// The present password is another one.
    #[error("`current` is not the account's password")]
    WrongCurrent,
    /// Too many sign-ins failed.
    #[error("too many sign-ins failed: try again in {seconds} s")]
    Throttled {
        /// When to try again.
        seconds: u64,
    },
    /// Too many sign in at once.
    #[error("too many passwords are being checked: try again in a moment")]
    Busy,
    /// The system does not do what it should.
    #[error("cannot {what}: {reason}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The change was not written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database does not take it.
    #[error("the change was not made: {reason}")]
    Change {
        /// What it said. Not for those who ask over HTTP.
        reason: String,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl UserError {
    pub(in crate::platform) fn no_user(user: &str) -> Self {
        Self::NoUser { user: user.to_owned() }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoUser { .. } => "SSP-USR-001",
            Self::NoGroup { .. } => "SSP-USR-002",
            Self::NoToken { .. } => "SSP-USR-003",
            Self::Taken { .. } => "SSP-USR-004",
            Self::Field { .. } => "SSP-USR-005",
            Self::Password { .. } => "SSP-USR-006",
            Self::LastAdmin => "SSP-USR-007",
            Self::TooMany { .. } => "SSP-USR-008",
            Self::Beyond { .. } => "SSP-USR-009",
            Self::WrongPassword => "SSP-AUT-003",
            Self::WrongCurrent => "SSP-AUT-008",
            Self::Throttled { .. } => "SSP-AUT-006",
            Self::Busy => "SSP-AUT-007",
            Self::System { .. } => "SSP-API-500",
            Self::Log(why) => why.code(),
            Self::Change { .. } => "SSP-DAT-006",
            Self::Database(why) => why.code(),
        }
    }
}

impl From<UserError> for Stop<UserError> {
    fn from(why: UserError) -> Self {
        Self::Refused(why)
    }
}

impl From<ChangeError<UserError>> for UserError {
    fn from(why: ChangeError<UserError>) -> Self {
        match why {
            ChangeError::Refused(why) => why,
            ChangeError::Log(why) => why.into(),
            why @ (ChangeError::Database { .. } | ChangeError::Event { .. }) => {
                Self::Change { reason: why.to_string() }
            }
        }
    }
}
