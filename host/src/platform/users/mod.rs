//! Accounts and groups. Every change tells of itself in an event, in the same transaction.

mod account;
mod error;
mod group;
mod listed;
pub(in crate::platform) mod rows;
mod view;

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

pub(in crate::platform) use self::rows::Standing;
pub use self::{
    account::{NewUser, UserFilter, UserPatch},
    error::UserError,
    group::{GroupPatch, NewGroup},
    view::{GroupView, UserView},
};
use super::access::{Known, Lifetimes, Passwords, Throttle};
use crate::{
    clock,
    config::SignIn,
    events::{Bus, Emitted, Stop},
    routes::Caller,
    store::{Connection, Database},
};

/// The accounts, and who is signed in. What blocks says so.
#[derive(Debug)]
pub struct Accounts {
    bus: Arc<Bus>,
    pub(super) database: Arc<Database>,
    pub(super) known: Known,
    pub(super) throttle: Throttle,
    pub(super) lifetimes: Lifetimes,
    passwords: Passwords,
}

impl Accounts {
    /// The accounts in `database`, whose events go to `bus`, which has its log there too.
    #[must_use]
    pub fn new(bus: Arc<Bus>, database: Arc<Database>, config: &SignIn) -> Self {
        Self {
            bus,
            database,
            known: Known::default(),
            throttle: Throttle::default(),
            lifetimes: Lifetimes {
                idle: Duration::from_secs(config.idle_secs),
                whole: Duration::from_secs(config.lifetime_secs),
            },
            passwords: Passwords::new(),
        }
    }

    /// How long sign-ins live.
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    /// Waits for a turn to hash a password. To be kept until it is hashed.
    ///
    /// # Errors
    ///
    /// [`UserError::Busy`] after a while.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, UserError> {
        self.passwords.turn().await
    }

    /// Differs once somebody may no longer be taken for what he was.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.known.epoch()
    }

    /// A change after which nobody is taken for what he was before.
    pub(super) fn change<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Connection, &mut Emitted<'_>) -> Result<T, Stop<UserError>> + Send + 'static,
    ) -> Result<T, UserError> {
        let result = self.change_quietly(work);
        // Also if it is not known whether it was made.
        self.known.forget_all();
        result
    }

    /// A change that takes nothing from anybody.
    pub(super) fn change_quietly<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Connection, &mut Emitted<'_>) -> Result<T, Stop<UserError>> + Send + 'static,
    ) -> Result<T, UserError> {
        Ok(self.bus.change(work)?)
    }
}

/// Nobody gives what they do not have, nor changes somebody who may more.
pub(super) fn must_cover(by: &Caller, other: &Caller) -> Result<(), UserError> {
    if other.is_unrestricted() && !by.is_unrestricted() {
        return Err(UserError::Beyond { permission: "the role `admin`".to_owned() });
    }
    match by.lacks(other.permissions()) {
        None => Ok(()),
        Some(permission) => Err(UserError::Beyond { permission: permission.to_owned() }),
    }
}

/// A name as it is compared: names differ by more than capitals.
pub(super) fn name_of(name: &str) -> String {
    name.trim().to_lowercase()
}

pub(super) fn now_us() -> i64 {
    stored_us(clock::unix_time_us())
}

pub(super) fn stored_us(time_us: u64) -> i64 {
    i64::try_from(time_us).unwrap_or(i64::MAX)
}
