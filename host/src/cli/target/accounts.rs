//! Accounts, groups and tokens, on a host that runs and on one that does not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Method, Target};
use crate::{
    config::Config,
    events::{Bus, Limits},
    platform::{
        access::{NewToken, TokenView},
        users::{
            Accounts, GroupPatch, GroupView, NewGroup, NewUser, UserError, UserFilter, UserPatch, UserView,
        },
    },
    routes::Caller,
    store::Database,
};

/// The accounts of a host that does not run. Events of changes go to its log, and wait there for their consumers.
struct Offline {
    accounts: Accounts,
    bus: Arc<Bus>,
    deadline: Duration,
}

impl Offline {
    fn open(database: &Arc<Database>, config: &Config) -> anyhow::Result<Self> {
        let limits = Limits {
            max_data_bytes: config.events.max_data_bytes,
            max_pending: config.events.max_pending,
            handler_deadline: Duration::from_secs(config.plugins.handler_deadline_secs),
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let bus = Bus::open(limits, &config.events, database, &logger)?;
        let accounts = Accounts::new(Arc::clone(&bus), Arc::clone(database), &config.sign_in);
        Ok(Self { accounts, bus, deadline: Duration::from_secs(config.events.commit_deadline_secs) })
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        if let Some(log) = self.bus.log() {
            log.stop(Instant::now() + self.deadline);
        }
    }
}

/// Makes a list of what is at `key`.
fn list<T: DeserializeOwned>(mut answer: Value, key: &str) -> anyhow::Result<Vec<T>> {
    Ok(serde_json::from_value(answer[key].take())?)
}

fn body(value: &impl serde::Serialize) -> anyhow::Result<Option<Value>> {
    Ok(Some(serde_json::to_value(value)?))
}

impl Target {
    fn on_accounts<T>(
        &self,
        running: impl FnOnce(&super::Client) -> anyhow::Result<T>,
        stopped: impl FnOnce(&Accounts, &Caller) -> Result<T, UserError>,
    ) -> anyhow::Result<T> {
        match self {
            Self::Running(client) => running(client),
            Self::Stopped { database, config, .. } => {
                let offline = Offline::open(database, config)?;
                // Whoever has the data folder may everything.
                let done = stopped(&offline.accounts, &Caller::admin());
                done.map_err(|why| anyhow!("{why} ({})", why.code()))
            }
        }
    }

    pub(in crate::cli) fn add_user(&self, new: NewUser) -> anyhow::Result<UserView> {
        let sent = body(&new)?;
        self.on_accounts(
            |client| client.call(Method::Post, &["users"], sent),
            |accounts, by| accounts.create_user(by, new),
        )
    }

    pub(in crate::cli) fn users(&self, filter: &UserFilter) -> anyhow::Result<Vec<UserView>> {
        self.on_accounts(
            |client| {
                let mut query = vec![("name", filter.name.clone()), ("skip", filter.skip.to_string())];
                query.extend(filter.role.map(|role| ("role", role.name().to_owned())));
                query.extend(filter.limit.map(|limit| ("limit", limit.to_string())));
                list(client.call_with(Method::Get, &["users"], &query, None)?, "users")
            },
            |accounts, _| accounts.users(filter).map(|(users, _)| users),
        )
    }

    pub(in crate::cli) fn user(&self, user: &str) -> anyhow::Result<UserView> {
        self.on_accounts(
            |client| client.call(Method::Get, &["users", user], None),
            |accounts, _| accounts.user(user),
        )
    }

    pub(in crate::cli) fn update_user(&self, user: &str, patch: UserPatch) -> anyhow::Result<UserView> {
        let sent = body(&patch)?;
        self.on_accounts(
            |client| client.call(Method::Patch, &["users", user], sent),
            |accounts, by| accounts.update_user(by, user, patch),
        )
    }

    pub(in crate::cli) fn set_password(&self, user: &str, password: &str) -> anyhow::Result<UserView> {
        let sent = Some(json!({"password": password}));
        self.on_accounts(
            |client| client.call(Method::Put, &["users", user, "password"], sent),
            |accounts, by| accounts.set_password(by, user, password),
        )
    }

    pub(in crate::cli) fn remove_user(&self, user: &str) -> anyhow::Result<()> {
        self.on_accounts(
            |client| client.call::<Value>(Method::Delete, &["users", user], None).map(drop),
            |accounts, by| accounts.delete_user(by, user),
        )
    }

    pub(in crate::cli) fn permit_user(
        &self,
        user: &str,
        permission: &str,
        granted: bool,
    ) -> anyhow::Result<UserView> {
        let method = if granted { Method::Put } else { Method::Delete };
        self.on_accounts(
            |client| client.call(method, &["users", user, "permissions", permission], None),
            |accounts, by| match granted {
                true => accounts.grant(by, user, permission),
                false => accounts.revoke(by, user, permission),
            },
        )
    }

    pub(in crate::cli) fn add_group(&self, new: NewGroup) -> anyhow::Result<GroupView> {
        let sent = body(&new)?;
        self.on_accounts(
            |client| client.call(Method::Post, &["groups"], sent),
            |accounts, _| accounts.create_group(new),
        )
    }

    pub(in crate::cli) fn groups(&self) -> anyhow::Result<Vec<GroupView>> {
        self.on_accounts(
            |client| list(client.call(Method::Get, &["groups"], None)?, "groups"),
            |accounts, _| accounts.groups(),
        )
    }

    pub(in crate::cli) fn group(&self, group: &str) -> anyhow::Result<GroupView> {
        self.on_accounts(
            |client| client.call(Method::Get, &["groups", group], None),
            |accounts, _| accounts.group(group),
        )
    }

    pub(in crate::cli) fn update_group(&self, group: &str, patch: GroupPatch) -> anyhow::Result<GroupView> {
        let sent = body(&patch)?;
        self.on_accounts(
            |client| client.call(Method::Patch, &["groups", group], sent),
            |accounts, by| accounts.update_group(by, group, patch),
        )
    }

    pub(in crate::cli) fn remove_group(&self, group: &str) -> anyhow::Result<()> {
        self.on_accounts(
            |client| client.call::<Value>(Method::Delete, &["groups", group], None).map(drop),
            |accounts, by| accounts.delete_group(by, group),
        )
    }

    pub(in crate::cli) fn set_member(
        &self,
        group: &str,
        user: &str,
        member: bool,
    ) -> anyhow::Result<GroupView> {
        let method = if member { Method::Put } else { Method::Delete };
        self.on_accounts(
            |client| client.call(method, &["groups", group, "members", user], None),
            |accounts, by| accounts.set_member(by, group, user, member),
        )
    }

    pub(in crate::cli) fn permit_group(
        &self,
        group: &str,
        permission: &str,
        granted: bool,
    ) -> anyhow::Result<GroupView> {
        let method = if granted { Method::Put } else { Method::Delete };
        self.on_accounts(
            |client| client.call(method, &["groups", group, "permissions", permission], None),
            |accounts, by| accounts.set_group_permission(by, group, permission, granted),
        )
    }

    /// The token stands in `token` of what is answered.
    pub(in crate::cli) fn create_token(&self, user: &str, new: NewToken) -> anyhow::Result<Value> {
        let mut sent = serde_json::to_value(&new)?;
        sent["user"] = Value::from(user);
        self.on_accounts(
            |client| client.call(Method::Post, &["tokens"], Some(sent)),
            |accounts, by| {
                let (view, secret) = accounts.create_token(by, user, new)?;
                let mut answer = json!({"token": secret.reveal()});
                if let (Some(answer), Ok(Value::Object(view))) =
                    (answer.as_object_mut(), serde_json::to_value(view))
                {
                    answer.extend(view);
                }
                Ok(answer)
            },
        )
    }

    pub(in crate::cli) fn tokens(&self, user: Option<&str>) -> anyhow::Result<Vec<TokenView>> {
        let query = [("user", user.unwrap_or("*").to_owned())];
        self.on_accounts(
            |client| list(client.call_with(Method::Get, &["tokens"], &query, None)?, "tokens"),
            |accounts, _| accounts.tokens(user),
        )
    }

    pub(in crate::cli) fn revoke_token(&self, id: &str) -> anyhow::Result<()> {
        self.on_accounts(
            |client| client.call::<Value>(Method::Delete, &["tokens", id], None).map(drop),
            |accounts, by| accounts.revoke_token(by, id),
        )
    }
}
