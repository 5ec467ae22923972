//! Signing in and out, and who is behind a cookie or a token.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::prelude::*;

use super::{
    Attempt, Hash, Identity, Means, Secret, csrf_token,
    known::Entry,
    password,
    secret::{hash, is_token},
    token::scopes_of,
};
use crate::{
    clock,
    events::Stop,
    platform::users::{Accounts, Standing, UserError, UserView, name_of, now_us, rows, stored_us},
    routes::Caller,
    store::{
        on,
        schema::{sign_ins, tokens, users},
    },
};

/// The most sign-ins of one account. One more ends the oldest.
const MAX_SIGN_INS: i64 = 32;
/// How often the database is told that a cookie or a token is used.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// How long sign-ins live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without being used.
    pub idle: Duration,
    /// In all.
    pub whole: Duration,
}

/// A sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// What the client keeps in a cookie.
    pub cookie: Secret,
    /// Who.
    pub user: UserView,
}

impl Accounts {
    /// Begins to sign in, or says how long to wait.
    ///
    /// # Errors
    ///
    /// [`UserError::Throttled`].
    pub fn attempt(&self, name: &str, address: Option<IpAddr>) -> Result<Attempt, UserError> {
        self.throttle.begin(&name_of(name), address, Instant::now())
    }

    /// Signs in with a password. `before` is the cookie that the client had: it is of no more use. Blocks, and is called
    /// in a turn for passwords.
    ///
    /// # Errors
    ///
    /// [`UserError::WrongPassword`] whatever of it is wrong.
    pub fn sign_in(
        &self,
        attempt: Attempt,
        name: &str,
        password: &str,
        before: Option<&str>,
    ) -> Result<SignedIn, UserError> {
        let name = name_of(name);
        let row = self.database.with("look for an account", |c| rows::user(c, &name))?;
        let row = row.filter(|row| row.name == name);
        // Verified whether there is such an account or not.
        let right = password::verify(password, row.as_ref().and_then(|row| row.password.as_deref()))?;
        let row = row.filter(|row| right && !row.disabled).ok_or(UserError::WrongPassword)?;
        let cookie = Secret::for_cookie()?;
        let (new, before) = (cookie.hash(), before.map(hash));
        let lifetimes = self.lifetimes;
        let (id, verified) = (row.id, row.password);
        let user = self.change_quietly(move |c, emitted| {
            let now = now_us();
            let found = rows::standing(c, &id)?;
            // It may have been changed since it was verified.
            let found = found.filter(|found| !found.row.disabled && found.row.password == verified);
            let Some(mut found) = found else { return Err(Stop::Refused(UserError::WrongPassword)) };
            let oldest = now.saturating_sub(stored_us(clock::micros(lifetimes.whole)));
            let unused = now.saturating_sub(stored_us(clock::micros(lifetimes.idle)));
            on!(&mut *c, |c| {
                let over = sign_ins::created_us.le(oldest).or(sign_ins::seen_us.le(unused));
                diesel::delete(sign_ins::table.filter(over)).execute(c)?;
                if let Some(before) = &before {
                    diesel::delete(sign_ins::table.find(before.as_slice())).execute(c)?;
                }
                let kept: Vec<Vec<u8>> = sign_ins::table
                    .filter(sign_ins::user_id.eq(&id))
                    .order(sign_ins::created_us.desc())
                    .offset(MAX_SIGN_INS - 1)
                    .limit(MAX_SIGN_INS)
                    .select(sign_ins::hash)
                    .load(c)?;
                diesel::delete(sign_ins::table.filter(sign_ins::hash.eq_any(kept))).execute(c)?;
                diesel::insert_into(sign_ins::table)
                    .values((
                        sign_ins::hash.eq(new.as_slice()),
                        sign_ins::user_id.eq(&id),
                        sign_ins::created_us.eq(now),
                        sign_ins::seen_us.eq(now),
                    ))
                    .execute(c)?;
                diesel::update(users::table.find(&id)).set(users::last_login_us.eq(now)).execute(c)?;
            });
            found.row.last_login_us = Some(now);
            let mut event = found.event();
            event.user.auth_method = Some("local".to_owned());
            emitted.emit("user.login", &id, &event);
            Ok(found.view())
        });
        if let Some(before) = &before {
            self.known.forget(before);
        }
        let user = user?;
        attempt.succeeded();
        Ok(SignedIn { cookie, user })
    }

    /// Ends the sign-in of a cookie. Answers whether there was one. Blocks.
    ///
    /// # Errors
    ///
    /// When the database cannot be changed.
    pub fn sign_out(&self, cookie: &str) -> Result<bool, UserError> {
        let cookie = hash(cookie);
        let ended = self.change_quietly(move |c, emitted| {
            let of_whom: Option<String> = on!(&mut *c, |c| {
                let row = sign_ins::table.find(cookie.as_slice());
                let of_whom = row.select(sign_ins::user_id).first(c).optional()?;
                diesel::delete(row).execute(c)?;
                of_whom
            });
            let Some(user) = of_whom else { return Ok(false) };
            if let Some(found) = rows::standing(c, &user)? {
                emitted.emit("user.logout", &user, &found.event());
            }
            Ok(true)
        });
        self.known.forget(&cookie);
        ended
    }

    /// Who is behind a cookie, if that is in memory. The outer `None`: ask [`look_up`](Self::look_up).
    #[must_use]
    pub fn known_by_cookie(self: &Arc<Self>, cookie: &str) -> Option<Option<Identity>> {
        self.known_by(hash(cookie))
    }

    /// Who is behind a token, if that is in memory. The outer `None`: ask [`look_up`](Self::look_up).
    #[must_use]
    pub fn known_by_token(self: &Arc<Self>, token: &str) -> Option<Option<Identity>> {
        // What cannot be one is not worth a question.
        if is_token(token) { self.known_by(hash(token)) } else { Some(None) }
    }

    fn known_by(self: &Arc<Self>, hash: Hash) -> Option<Option<Identity>> {
        let entry = self.known.get(&hash)?;
        let now = clock::unix_time_us();
        if !entry.is_alive(now) {
            return Some(None);
        }
        let identity = entry.identity.clone();
        if entry.use_now(now, self.noted_every_us()) {
            let (accounts, means) = (Arc::clone(self), identity.means);
            // Nobody waits for it, and if it fails it is done the next time.
            drop(tokio::task::spawn_blocking(move || accounts.note_use(&hash, means, now)));
        }
        Some(Some(identity))
    }

    /// Asks the database who is behind a cookie or a token. Blocks.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub fn look_up(&self, means: Means, secret: &str) -> Result<Option<Identity>, UserError> {
        self.look_up_hash(means, hash(secret))
    }

    /// Who that is by now, with what they are permitted by now. None if the sign-in is over, the token revoked, or the account
    /// disabled. It counts as a use. Blocks.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub fn again(self: &Arc<Self>, identity: &Identity) -> Result<Option<Identity>, UserError> {
        if identity.means == Means::AdminToken {
            return Ok(Some(identity.clone()));
        }
        match self.known_by(identity.hash) {
            Some(known) => Ok(known),
            None => self.look_up_hash(identity.means, identity.hash),
        }
    }

    fn look_up_hash(&self, means: Means, hash: Hash) -> Result<Option<Identity>, UserError> {
        let epoch = self.known.epoch();
        let now = clock::unix_time_us();
        let found = match means {
            Means::Cookie => self.of_cookie(&hash, now)?,
            Means::Token => self.of_token(&hash, now)?,
            Means::AdminToken => None,
        };
        let Some(entry) = found.filter(|entry| entry.is_alive(now)) else { return Ok(None) };
        if entry.use_now(now, self.noted_every_us()) {
            self.note_use(&hash, means, now);
        }
        let identity = entry.identity.clone();
        self.known.remember(hash, &Arc::new(entry), epoch);
        Ok(Some(identity))
    }

    fn of_cookie(&self, hash: &Hash, now_us: u64) -> Result<Option<Entry>, UserError> {
        let found = self.database.with("look for a sign-in", |c| {
            let row: Option<(String, i64, i64)> = on!(&mut *c, |c| {
                let row = sign_ins::table.find(hash.as_slice());
                row.select((sign_ins::user_id, sign_ins::created_us, sign_ins::seen_us))
                    .first(c)
                    .optional()?
            });
            let Some((user, created, seen)) = row else { return Ok(None) };
            Ok(rows::standing(c, &user)?.map(|standing| (standing, created, seen)))
        })?;
        let found = found.filter(|(standing, ..)| !standing.row.disabled);
        Ok(found.map(|(standing, created, seen)| {
            let (created, seen) = (read_us(created), read_us(seen));
            Entry {
                identity: Identity { caller: Arc::new(standing.caller()), means: Means::Cookie, hash: *hash },
                ends_us: created.saturating_add(clock::micros(self.lifetimes.whole)),
                idle_us: clock::micros(self.lifetimes.idle),
                seen_us: AtomicU64::new(seen),
                noted_us: AtomicU64::new(seen),
                loaded_us: now_us,
            }
        }))
    }

    fn of_token(&self, hash: &Hash, now_us: u64) -> Result<Option<Entry>, UserError> {
        type Row = (String, String, Option<i64>, Option<i64>);
        let found = self.database.with("look for a token", |c| {
            let row: Option<Row> = on!(&mut *c, |c| {
                let row = tokens::table.filter(tokens::hash.eq(hash.as_slice()));
                row.select((tokens::user_id, tokens::scopes, tokens::expires_us, tokens::last_used_us))
                    .first(c)
                    .optional()?
            });
            let Some((user, scopes, expires, used)) = row else { return Ok(None) };
            Ok(rows::standing(c, &user)?.map(|standing| (standing, scopes, expires, used)))
        })?;
        let found = found.filter(|(standing, ..)| !standing.row.disabled);
        Ok(found.map(|(standing, scopes, expires, used)| Entry {
            identity: Identity {
                caller: Arc::new(standing.caller().within(&scopes_of(&scopes))),
                means: Means::Token,
                hash: *hash,
            },
            ends_us: expires.map_or(u64::MAX, read_us),
            idle_us: u64::MAX,
            seen_us: AtomicU64::new(now_us),
            noted_us: AtomicU64::new(used.map_or(0, read_us)),
            loaded_us: now_us,
        }))
    }

    fn note_use(&self, hash: &Hash, means: Means, now_us: u64) {
        let now = stored_us(now_us);
        let noted = self.database.with("note that a client was here", |c| {
            on!(c, |c| match means {
                Means::Cookie => {
                    diesel::update(sign_ins::table.find(hash.as_slice()))
                        .set(sign_ins::seen_us.eq(now))
                        .execute(c)
                }
                Means::Token => {
                    diesel::update(tokens::table.filter(tokens::hash.eq(hash.as_slice())))
                        .set(tokens::last_used_us.eq(now))
                        .execute(c)
                }
                Means::AdminToken => Ok(0),
            })
        });
        if noted.is_err()
            && let Some(entry) = self.known.get(hash)
        {
            entry.noted_us.store(0, Ordering::Relaxed);
        }
    }

    /// Often enough that a host that is started again ends no sign-in much too early.
    fn noted_every_us(&self) -> u64 {
        clock::micros(NOTED_EVERY.min(self.lifetimes.idle / 4))
    }
}

/// What a page proves with that a call with this cookie is its own.
impl SignedIn {
    /// See [`csrf_token`].
    #[must_use]
    pub fn csrf_token(&self) -> String {
        csrf_token(self.cookie.reveal())
    }
}

impl Standing {
    /// The account, as a caller.
    pub(in crate::platform) fn caller(&self) -> Caller {
        Caller::account(
            self.row.id.clone(),
            self.row.name.clone(),
            vec![self.role().name().to_owned()],
            self.groups.clone(),
            self.permissions(),
            self.is_unrestricted(),
        )
    }
}

pub(super) fn read_us(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
