//! Tokens of accounts, for programs.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Secret, check_permission, sign_in::read_us};
use crate::{
    clock,
    events::Stop,
    platform::users::{Accounts, UserError, must_cover, now_us, rows, stored_us},
    routes::Caller,
    store::{
        on,
        schema::{tokens, users},
    },
};

/// The scope that stands for whatever the account is permitted.
const EVERYTHING: &str = "*";
/// The most tokens of an account, and scopes of a token.
const MAX_TOKENS: i64 = 100;
const MAX_SCOPES: usize = 100;
/// The longest life of a token that ends, in seconds: 10 years.
const MAX_LIFE_SECS: u64 = 315_360_000;

/// A token that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: 1 to 64 characters.
    pub name: String,
    /// What it is permitted, of what the account is: permissions, or `*` for all.
    pub scopes: Vec<String>,
    /// After how many seconds it ends. Never, if it is not given. 1 to 315360000 (10 years).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
}

/// A token, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// The account's name.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// What it is permitted, of what the account is.
    pub scopes: Vec<String>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// When it ends. `null`: never.
    pub expires: Option<String>,
    /// When it was used last, up to a minute behind. `null`: never.
    pub last_used: Option<String>,
}

type Row = (String, String, String, i64, Option<i64>, Option<i64>);

fn view(user: &str, (id, name, scopes, created, expires, used): Row) -> TokenView {
    let time = |time| clock::rfc3339(read_us(time));
    TokenView {
        id,
        user: user.to_owned(),
        name,
        scopes: scopes_of(&scopes),
        created: time(created),
        expires: expires.map(time),
        last_used: used.map(time),
    }
}

const COLUMNS: (
    tokens::id,
    tokens::name,
    tokens::scopes,
    tokens::created_us,
    tokens::expires_us,
    tokens::last_used_us,
) = (tokens::id, tokens::name, tokens::scopes, tokens::created_us, tokens::expires_us, tokens::last_used_us);

/// The scopes as they are stored. What cannot be read permits nothing.
pub(super) fn scopes_of(stored: &str) -> Vec<String> {
    serde_json::from_str(stored).unwrap_or_default()
}

impl Accounts {
    /// Makes a token of the account `user`, which is the caller's own unless the caller may change accounts. The token is
    /// answered this once. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`], when it would have more than the account or the caller.
    pub fn create_token(
        &self,
        by: &Caller,
        user: &str,
        new: NewToken,
    ) -> Result<(TokenView, Secret), UserError> {
        let invalid = |field, expected| Err(UserError::Field { field, expected });
        if !(1..=64).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
            return invalid("name", "1 to 64 characters");
        }
        if !(1..=MAX_SCOPES).contains(&new.scopes.len()) {
            return invalid("scopes", "1 to 100 permissions, or `*` for all that the account has");
        }
        for scope in new.scopes.iter().filter(|scope| *scope != EVERYTHING) {
            check_permission(scope)?;
        }
        if new.expires_in_secs.is_some_and(|secs| !(1..=MAX_LIFE_SECS).contains(&secs)) {
            return invalid("expires_in_secs", "1 to 315360000");
        }
        let secret = Secret::for_token()?;
        let (hash, user, by) = (secret.hash(), user.to_owned(), by.clone());
        let created = self.change_quietly(move |c, _| {
            let now = now_us();
            let found = rows::standing(c, &user)?.ok_or_else(|| UserError::no_user(&user))?;
            if found.row.id != by.id() {
                must_cover(&by, &found.caller())?;
            }
            for scope in new.scopes.iter().filter(|scope| *scope != EVERYTHING) {
                if !found.caller().is_permitted(scope) {
                    return Err(Stop::Refused(UserError::Beyond { permission: scope.clone() }));
                }
            }
            let row = (
                Uuid::now_v7().to_string(),
                new.name.clone(),
                serde_json::Value::from(new.scopes.clone()).to_string(),
                now,
                new.expires_in_secs.map(|secs| now.saturating_add(stored_us(secs * 1_000_000))),
                None,
            );
            on!(&mut *c, |c| {
                let has: i64 =
                    tokens::table.filter(tokens::user_id.eq(&found.row.id)).count().get_result(c)?;
                if has >= MAX_TOKENS {
                    return Err(Stop::Refused(UserError::TooMany { what: "tokens", limit: MAX_TOKENS }));
                }
                diesel::insert_into(tokens::table)
                    .values((
                        tokens::id.eq(&row.0),
                        tokens::user_id.eq(&found.row.id),
                        tokens::name.eq(&row.1),
                        tokens::hash.eq(hash.as_slice()),
                        tokens::scopes.eq(&row.2),
                        tokens::created_us.eq(row.3),
                        tokens::expires_us.eq(row.4),
                    ))
                    .execute(c)?;
            });
            Ok(view(&found.row.name, row))
        })?;
        Ok((created, secret))
    }

    /// The tokens of an account, or of all. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenView>, UserError> {
        let user = match user {
            Some(user) => Some(
                self.database
                    .with("look for an account", |c| rows::user(c, user))?
                    .ok_or_else(|| UserError::no_user(user))?
                    .id,
            ),
            None => None,
        };
        let rows: Vec<(String, Row)> = self.database.with("list tokens", |c| {
            on!(c, |c| {
                let all = tokens::table.inner_join(users::table.on(users::id.eq(tokens::user_id)));
                let select = (users::name, COLUMNS);
                match &user {
                    Some(user) => all.filter(users::id.eq(user)).order(tokens::id).select(select).load(c),
                    None => all.order(tokens::id).limit(10_000).select(select).load(c),
                }
            })
        })?;
        Ok(rows.into_iter().map(|(user, row)| view(&user, row)).collect())
    }

    /// Revokes a token: the caller's own, or anybody's whom the caller may change. It is of no use as soon as this returns.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError::NoToken`] also for one that is not the caller's business.
    pub fn revoke_token(&self, by: &Caller, id: &str) -> Result<(), UserError> {
        let (id, by) = (id.to_owned(), by.clone());
        self.change(move |c, _| {
            let gone = || UserError::NoToken { id: id.clone() };
            let owner: Option<String> =
                on!(&mut *c, |c| tokens::table.find(&id).select(tokens::user_id).first(c).optional()?);
            let owner = owner.ok_or_else(gone)?;
            if owner != by.id() {
                if !by.is_permitted("users.manage") {
                    return Err(Stop::Refused(gone()));
                }
                if let Some(found) = rows::standing(c, &owner)? {
                    must_cover(&by, &found.caller())?;
                }
            }
            on!(&mut *c, |c| diesel::delete(tokens::table.find(&id)).execute(c)?);
            Ok(())
        })
    }
}
