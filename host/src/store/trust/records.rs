//! What the database knows of keys, revocations and unsigned plugins.

use std::sync::Arc;

use diesel::prelude::*;
use streamspace_package::{KeyId, PublicKey};

use super::Unsigned;
use crate::{
    clock,
    store::{
        Connection, Database, DatabaseError, TrustLevel, on,
        schema::{catalogue_revocations, revocations, trusted_keys, unsigned_plugins},
    },
};

/// A key whose packages are taken.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// Its id.
    pub id: KeyId,
    /// The key.
    pub key: PublicKey,
    /// The name that the operator knows its owner by.
    pub name: String,
    /// What its packages are trusted as.
    pub level: TrustLevel,
    /// When it was added, microseconds since 1970-01-01 UTC; `None` for those that nobody added.
    pub added_us: Option<u64>,
}

/// Something that is refused, whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The id of a key, or the SHA-256 of a `package.json`.
    pub subject: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when, microseconds since 1970-01-01 UTC.
    pub revoked_us: u64,
}

#[derive(Debug)]
pub(super) struct Records(Arc<Database>);

impl Records {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Those that the operator added, by name.
    pub(super) fn keys(&self) -> Result<Vec<TrustedKey>, DatabaseError> {
        let rows: Vec<(String, String, i64)> = self.0.with("read the trusted keys", |connection| {
            on!(connection, |c| {
                trusted_keys::table
                    .order(trusted_keys::name)
                    .select((trusted_keys::public_key, trusted_keys::name, trusted_keys::added_us))
                    .load(c)
            })
        })?;
        let keys = rows.into_iter().filter_map(|(key, name, added_us)| {
            // What is no key verifies nothing.
            let key: PublicKey = key.parse().ok()?;
            let added_us = Some(unsigned(added_us));
            Some(TrustedKey { id: key.id(), key, name, level: TrustLevel::Vendor, added_us })
        });
        Ok(keys.collect())
    }

    pub(super) fn add(&self, key: &PublicKey, name: &str) -> Result<TrustedKey, DatabaseError> {
        let now = clock::unix_time_us();
        self.0.with("add a trusted key", |connection| {
            on!(connection, |c| {
                diesel::insert_into(trusted_keys::table).values(row(key, name, now)).execute(c)
            })
        })?;
        let (id, name, level) = (key.id(), name.to_owned(), TrustLevel::Vendor);
        Ok(TrustedKey { id, key: key.clone(), name, level, added_us: Some(now) })
    }

    pub(super) fn remove(&self, key: &PublicKey) -> Result<(), DatabaseError> {
        self.0.with("remove a trusted key", |connection| {
            on!(connection, |c| diesel::delete(trusted_keys::table.find(key.to_string())).execute(c))
        })?;
        Ok(())
    }

    pub(super) fn revocations(&self) -> Result<Vec<Revocation>, DatabaseError> {
        let rows: Vec<(String, String, i64)> = self.0.with("read what is revoked", |connection| {
            on!(connection, |c| revocations::table.order(revocations::subject).load(c))
        })?;
        let all = rows.into_iter().map(|(subject, reason, revoked_us)| Revocation {
            subject,
            reason,
            revoked_us: unsigned(revoked_us),
        });
        Ok(all.collect())
    }

    /// What catalogues revoke. That goes with the catalogue.
    pub(super) fn revoked_by_catalogues(&self) -> Result<Vec<Revocation>, DatabaseError> {
        let rows: Vec<(String, String, String)> =
            self.0.with("read what catalogues revoke", |connection| {
                on!(connection, |c| catalogue_revocations::table.load(c))
            })?;
        let all = rows.into_iter().map(|(catalogue, subject, reason)| Revocation {
            subject,
            reason: format!("{reason} (catalogue {catalogue})"),
            revoked_us: 0,
        });
        Ok(all.collect())
    }

    /// Answers how many were not revoked before.
    pub(super) fn revoke(&self, all: &[Revocation]) -> Result<usize, DatabaseError> {
        self.0.with("write what is revoked", |connection| {
            connection.write(|connection| {
                on!(connection, |c| {
                    let mut new = 0;
                    for revocation in all {
                        new += diesel::insert_into(revocations::table)
                            .values((
                                revocations::subject.eq(&revocation.subject),
                                revocations::reason.eq(&revocation.reason),
                                revocations::revoked_us.eq(signed(revocation.revoked_us)),
                            ))
                            .on_conflict_do_nothing()
                            .execute(c)?;
                    }
                    Ok(new)
                })
            })
        })
    }

    pub(super) fn allow_unsigned(&self, plugin: &str, until_us: u64) -> Result<(), DatabaseError> {
        let now = signed(clock::unix_time_us());
        let until = signed(until_us);
        self.0.with("write that a plugin may be unsigned", |connection| {
            on!(connection, |c| {
                diesel::insert_into(unsigned_plugins::table)
                    .values((
                        unsigned_plugins::plugin.eq(plugin),
                        unsigned_plugins::until_us.eq(until),
                        unsigned_plugins::allowed_us.eq(now),
                    ))
                    .on_conflict(unsigned_plugins::plugin)
                    .do_update()
                    .set((unsigned_plugins::until_us.eq(until), unsigned_plugins::allowed_us.eq(now)))
                    .execute(c)
            })
        })?;
        Ok(())
    }

    pub(super) fn unsigned(&self) -> Result<Vec<Unsigned>, DatabaseError> {
        let rows: Vec<(String, i64)> = self.0.with("read which plugins may be unsigned", |connection| {
            on!(connection, |c| {
                unsigned_plugins::table
                    .order(unsigned_plugins::plugin)
                    .select((unsigned_plugins::plugin, unsigned_plugins::until_us))
                    .load(c)
            })
        })?;
        Ok(rows.into_iter().map(|(plugin, until_us)| (plugin, unsigned(until_us))).collect())
    }
}

/// Trusts a key, in a transaction of the caller's. One that is there already stays as it is.
pub(in crate::store) fn pin(connection: &mut Connection, key: &PublicKey, name: &str) -> QueryResult<()> {
    let now = clock::unix_time_us();
    on!(connection, |c| {
        diesel::insert_into(trusted_keys::table)
            .values(row(key, name, now))
            .on_conflict_do_nothing()
            .execute(c)
    })?;
    Ok(())
}

/// A row of the table of keys.
#[expect(clippy::type_complexity, reason = "diesel names the columns in the type")]
fn row(
    key: &PublicKey,
    name: &str,
    now_us: u64,
) -> (
    diesel::dsl::Eq<trusted_keys::public_key, String>,
    diesel::dsl::Eq<trusted_keys::key_id, String>,
    diesel::dsl::Eq<trusted_keys::name, String>,
    diesel::dsl::Eq<trusted_keys::added_us, i64>,
) {
    (
        trusted_keys::public_key.eq(key.to_string()),
        trusted_keys::key_id.eq(key.id().to_string()),
        trusted_keys::name.eq(name.to_owned()),
        trusted_keys::added_us.eq(signed(now_us)),
    )
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

fn unsigned(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0)
}
