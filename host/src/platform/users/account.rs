//! Accounts.

use std::sync::Arc;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Accounts, Standing, UserError, UserView, must_cover, name_of, now_us, rows};
use crate::{
    events::{Emitted, Stop},
    platform::access::{self, Role, Secret, check_password, check_permission},
    routes::Caller,
    store::{
        Connection, on,
        schema::{sign_ins, user_permissions, users},
    },
};

/// The most permissions of an account or a group.
pub(super) const MAX_PERMISSIONS: i64 = 200;

/// An account that is asked for.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name to sign in with: 1 to 64 lower-case letters, digits, `.`, `_`, `-` and `@`.
    pub username: String,
    /// The password: 12 characters or more. Without one the account has tokens alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The name to show.
    #[serde(default)]
    pub full_name: String,
    /// The e-mail address.
    #[serde(default)]
    pub email: String,
    /// `free`, `pro`, `enterprise`, or what the operator calls it.
    #[serde(default)]
    pub tier: String,
    /// The role.
    #[serde(default)]
    pub role: Role,
    /// What it is permitted beyond its role.
    #[serde(default)]
    pub permissions: Vec<String>,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The password is a secret.
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A change of an account. What is not given stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `free`, `pro`, `enterprise`, or what the operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether it can neither sign in nor use its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Which accounts are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserFilter {
    /// Part of the name.
    #[serde(default)]
    pub name: String,
    /// The role.
    #[serde(default)]
    pub role: Option<Role>,
    /// How many are passed over.
    #[serde(default)]
    pub skip: u32,
    /// At most so many: 1 to 1000, default 100.
    #[serde(default)]
    pub limit: Option<u32>,
}

fn check_text(field: &'static str, text: &str) -> Result<(), UserError> {
    if text.chars().count() <= 200 && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(UserError::Field { field, expected: "at most 200 characters, none of them a control character" })
}

fn check_patch(patch: &UserPatch) -> Result<(), UserError> {
    let texts = [("full_name", &patch.full_name), ("email", &patch.email), ("tier", &patch.tier)];
    texts.iter().try_for_each(|(field, text)| text.as_ref().map_or(Ok(()), |text| check_text(field, text)))
}

/// Checks a name of an account or a group, and answers it as it is kept.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<String, UserError> {
    let name = name_of(name);
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    // A name that is an id could be taken for somebody else's.
    if begins && name.len() <= 64 && name.bytes().all(valid) && Uuid::parse_str(&name).is_err() {
        return Ok(name);
    }
    Err(UserError::Field {
        field,
        expected: "1 to 64 letters, digits, `.`, `_`, `-` and `@`, beginning with a letter or a digit",
    })
}

/// Ends all sign-ins of an account but one.
fn end_sign_ins(c: &mut Connection, user: &str, but: Option<&[u8]>) -> QueryResult<()> {
    on!(c, |c| {
        let all = sign_ins::table.filter(sign_ins::user_id.eq(user));
        match but {
            Some(but) => diesel::delete(all.filter(sign_ins::hash.ne(but))).execute(c)?,
            None => diesel::delete(all).execute(c)?,
        };
        Ok(())
    })
}

impl Accounts {
    /// Makes an account. Blocks, and hashes the password.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn create_user(&self, by: &Caller, new: NewUser) -> Result<UserView, UserError> {
        let name = check_name("username", &new.username)?;
        for (field, text) in [("full_name", &new.full_name), ("email", &new.email), ("tier", &new.tier)] {
            check_text(field, text)?;
        }
        new.permissions.iter().try_for_each(|permission| check_permission(permission))?;
        if new.permissions.len() as i64 > MAX_PERMISSIONS {
            return Err(UserError::TooMany { what: "permissions", limit: MAX_PERMISSIONS });
        }
        let password = match &new.password {
            Some(password) => {
                check_password(password, &name)?;
                Some(access::hash_password(password)?)
            }
            None => None,
        };
        let (id, by) = (Uuid::now_v7().to_string(), by.clone());
        self.change_quietly(move |c, emitted| {
            let now = now_us();
            if rows::user(c, &name)?.is_some() {
                return Err(Stop::Refused(UserError::Taken { name: name.clone() }));
            }
            let row = rows::UserRow {
                id: id.clone(),
                name: name.clone(),
                full_name: new.full_name.clone(),
                email: new.email.clone(),
                tier: new.tier.clone(),
                role: new.role.name().to_owned(),
                password: password.clone(),
                disabled: false,
                created_us: now,
                updated_us: now,
                last_login_us: None,
            };
            on!(&mut *c, |c| diesel::insert_into(users::table).values(&row).execute(c)?);
            for permission in &new.permissions {
                rows::grant(c, &id, permission)?;
            }
            let found = find(c, &id)?;
            must_cover(&by, &found.caller())?;
            emitted.emit("user.created", &id, &found.event());
            Ok(found.view())
        })
    }

    /// Makes the first administrator, unless there is one. Answers its password. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`]; [`UserError::Taken`] when somebody else has the name.
    pub fn first_admin(&self) -> Result<Option<Secret>, UserError> {
        let admins = self.database.with("count the administrators", |c| {
            let admins = users::table.filter(users::role.eq(Role::Admin.name()));
            on!(c, |c| admins.count().get_result::<i64>(c))
        })?;
        if admins > 0 {
            return Ok(None);
        }
        let password = Secret::password()?;
        let new = NewUser {
            username: "admin".to_owned(),
            password: Some(password.reveal().to_owned()),
            role: Role::Admin,
            ..NewUser::default()
        };
        self.create_user(&Caller::admin(), new)?;
        Ok(Some(password))
    }

    /// An account. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn user(&self, user: &str) -> Result<UserView, UserError> {
        let found = self.database.with("look for an account", |c| rows::standing(c, user))?;
        found.map(|found| found.view()).ok_or_else(|| UserError::no_user(user))
    }

    /// Accounts, by name, and how many there are in all. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn users(&self, filter: &UserFilter) -> Result<(Vec<UserView>, i64), UserError> {
        let limit = filter.limit.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(UserError::Field { field: "limit", expected: "1 to 1000" });
        }
        check_text("name", &filter.name)?;
        let name = rows::containing(&name_of(&filter.name));
        let role = filter.role.map_or("%", Role::name);
        let (name, skip, limit) = (name, i64::from(filter.skip), i64::from(limit));
        Ok(self.database.with("list accounts", |c| rows::list(c, &name, role, skip, limit))?)
    }

    /// Changes an account. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn update_user(&self, by: &Caller, user: &str, patch: UserPatch) -> Result<UserView, UserError> {
        check_patch(&patch)?;
        self.change_user(by, user, move |c, found| {
            let row = &mut found.row;
            row.full_name = patch.full_name.clone().unwrap_or(std::mem::take(&mut row.full_name));
            row.email = patch.email.clone().unwrap_or(std::mem::take(&mut row.email));
            row.tier = patch.tier.clone().unwrap_or(std::mem::take(&mut row.tier));
            if let Some(role) = patch.role {
                role.name().clone_into(&mut row.role);
            }
            row.disabled = patch.disabled.unwrap_or(row.disabled);
            if row.disabled {
                end_sign_ins(c, &row.id, None)?;
            }
            Ok(())
        })
    }

    /// Gives an account another password, and ends its sign-ins. Blocks, and hashes the password.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn set_password(&self, by: &Caller, user: &str, password: &str) -> Result<UserView, UserError> {
        check_password(password, &self.user(user)?.username)?;
        let hash = access::hash_password(password)?;
        self.change_user(by, user, move |c, found| {
            found.row.password = Some(hash.clone());
            end_sign_ins(c, &found.row.id, None)?;
            Ok(())
        })
    }

    /// Gives the caller's own account another password, and ends its other sign-ins. Blocks, and hashes passwords.
    ///
    /// # Errors
    ///
    /// [`UserError::WrongCurrent`] when `current` is not the present one.
    pub fn change_password(
        &self,
        by: &Caller,
        cookie: Option<&str>,
        current: &str,
        new: &str,
    ) -> Result<UserView, UserError> {
        check_password(new, by.name())?;
        let attempt = self.attempt(by.name(), None)?;
        let row = self.database.with("look for an account", |c| rows::user(c, by.id()))?;
        let row = row.ok_or_else(|| UserError::no_user(by.name()))?;
        if !access::verify_password(current, row.password.as_deref())? {
            return Err(UserError::WrongCurrent);
        }
        attempt.succeeded();
        let (hash, verified) = (access::hash_password(new)?, row.password);
        let cookie = cookie.map(access::hash_of);
        self.change_user(by, by.id(), move |c, found| {
            if found.row.password != verified {
                return Err(Stop::Refused(UserError::WrongCurrent));
            }
            found.row.password = Some(hash.clone());
            end_sign_ins(c, &found.row.id, cookie.as_ref().map(<[u8; 32]>::as_slice))?;
            Ok(())
        })
    }

    /// Permits an account something. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn grant(&self, by: &Caller, user: &str, permission: &str) -> Result<UserView, UserError> {
        check_permission(permission)?;
        let permission = permission.to_owned();
        self.change_user(by, user, move |c, found| {
            if found.granted.len() as i64 >= MAX_PERMISSIONS {
                return Err(UserError::TooMany { what: "permissions", limit: MAX_PERMISSIONS }.into());
            }
            rows::grant(c, &found.row.id, &permission)?;
            Ok(())
        })
    }

    /// Takes back what [`grant`](Self::grant) permitted. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn revoke(&self, by: &Caller, user: &str, permission: &str) -> Result<UserView, UserError> {
        check_permission(permission)?;
        let permission = permission.to_owned();
        self.change_user(by, user, move |c, found| {
            let row = user_permissions::table.find((&found.row.id, &permission));
            on!(c, |c| diesel::delete(row).execute(c)?);
            Ok(())
        })
    }

    /// Removes an account with its tokens and sign-ins. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn delete_user(&self, by: &Caller, user: &str) -> Result<(), UserError> {
        let (user, by) = (user.to_owned(), by.clone());
        self.change(move |c, emitted| {
            let found = find(c, &user)?;
            must_cover(&by, &found.caller())?;
            let id = &found.row.id;
            on!(&mut *c, |c| diesel::delete(users::table.find(id)).execute(c)?);
            must_leave_an_admin(c, found.is_active_admin())?;
            emitted.emit("user.deleted", id, &found.event());
            Ok(())
        })
    }

    /// A change of an account, which the caller must be allowed as it was and as it will be.
    fn change_user(
        &self,
        by: &Caller,
        user: &str,
        mut change: impl FnMut(&mut Connection, &mut Standing) -> Result<(), Stop<UserError>> + Send + 'static,
    ) -> Result<UserView, UserError> {
        let (user, by) = (user.to_owned(), Arc::new(by.clone()));
        self.change(move |c, emitted: &mut Emitted<'_>| {
            let mut found = find(c, &user)?;
            let own = found.row.id == by.id();
            if !own {
                must_cover(&by, &found.caller())?;
            }
            let (before, was_admin) = (found.caller(), found.is_active_admin());
            change(c, &mut found)?;
            found.row.updated_us = now_us();
            let (id, row) = (&found.row.id, &found.row);
            on!(&mut *c, |c| diesel::update(users::table.find(id)).set(row).execute(c)?);
            let after = find(c, id)?;
            let caller = after.caller();
            // What it had already is nobody's gift.
            if caller.is_unrestricted() && !before.is_unrestricted()
                || before.lacks(caller.permissions()).is_some()
            {
                must_cover(&by, &caller)?;
            }
            must_leave_an_admin(c, was_admin)?;
            emitted.emit("user.updated", id, &after.event());
            Ok(after.view())
        })
    }
}

fn find(c: &mut Connection, user: &str) -> Result<Standing, Stop<UserError>> {
    rows::standing(c, user)?.ok_or_else(|| UserError::no_user(user).into())
}

/// Asked after a change of an account that was one.
fn must_leave_an_admin(c: &mut Connection, was_one: bool) -> Result<(), Stop<UserError>> {
    if was_one && rows::admins(c)? == 0 {
        return Err(UserError::LastAdmin.into());
    }
    Ok(())
}
