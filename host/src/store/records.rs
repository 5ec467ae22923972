//! What the database knows of the installed plugins.

use std::sync::{PoisonError, RwLock};

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Connection, Database, DatabaseError, SecretError, SecretKeys,
    database::on,
    schema::{grants, plugins},
};
use crate::clock;

/// What is known of an installed plugin.
#[derive(Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder of its files, which is named after what is in it: a SHA-256, in hexadecimal.
    pub content: String,
    /// The file name of its library.
    pub library: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Why it is in quarantine, which it leaves when it is enabled.
    pub quarantine: Option<String>,
    /// What the operator configured; defaults are not in it, secrets are.
    pub config: Map<String, Value>,
    /// What it is allowed.
    pub permissions: Vec<String>,
    /// When it was installed, microseconds since 1970-01-01 UTC.
    pub installed_us: u64,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration holds secrets.
        f.debug_struct("Record")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why a record cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The configuration cannot be sealed or read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The configuration is not a JSON object.
    #[error(
        "the configuration of the plugin `{plugin}` in the database is damaged: {reason}. Restore a backup, or uninstall the plugin"
    )]
    Config {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plugins, treat_none_as_null = true)]
struct Row {
    name: String,
    version: String,
    content: String,
    library: String,
    enabled: bool,
    quarantine: Option<String>,
    config: Vec<u8>,
    installed_us: i64,
}

/// The table of installed plugins.
#[derive(Debug)]
pub(super) struct Records {
    database: std::sync::Arc<Database>,
    keys: RwLock<SecretKeys>,
}

impl Records {
    pub(super) fn new(database: std::sync::Arc<Database>, keys: SecretKeys) -> Self {
        Self { database, keys: RwLock::new(keys) }
    }

    pub(super) fn database(&self) -> &std::sync::Arc<Database> {
        &self.database
    }

    /// The names of all, in order.
    pub(super) fn names(&self) -> Result<Vec<String>, DatabaseError> {
        self.database.with("list the installed plugins", |connection| {
            on!(connection, |c| plugins::table.select(plugins::name).order(plugins::name).load(c))
        })
    }

    /// The folder of a plugin's files.
    pub(super) fn content(&self, name: &str) -> Result<Option<String>, DatabaseError> {
        self.database.with("read which version is installed", |connection| {
            on!(connection, |c| plugins::table.find(name).select(plugins::content).first(c).optional())
        })
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Record>, RecordError> {
        // Held from before the row is read: it is sealed with a key that is there still when it is opened.
        let keys = self.keys();
        let found: Option<(Row, Vec<String>)> =
            self.database.with("read what is known of a plugin", |connection| {
                on!(connection, |c| {
                    let row = plugins::table.find(name).select(Row::as_select()).first(c).optional()?;
                    let Some(row) = row else { return Ok(None) };
                    let granted = grants::table
                        .filter(grants::plugin.eq(name))
                        .select(grants::permission)
                        .order(grants::permission)
                        .load(c)?;
                    Ok(Some((row, granted)))
                })
            })?;
        let Some((row, permissions)) = found else { return Ok(None) };
        let plain = keys.unseal(&sealed_for(name), &row.config)?;
        let config = serde_json::from_slice(&plain)
            .map_err(|why| RecordError::Config { plugin: name.to_owned(), reason: why.to_string() })?;
        Ok(Some(Record {
            name: row.name,
            version: row.version,
            content: row.content,
            library: row.library,
            enabled: row.enabled,
            quarantine: row.quarantine,
            config,
            permissions,
            installed_us: u64::try_from(row.installed_us).unwrap_or(0),
        }))
    }

    /// What a plugin was granted, and when, microseconds since 1970-01-01 UTC.
    pub(super) fn grants(&self, name: &str) -> Result<Vec<(String, u64)>, DatabaseError> {
        let rows: Vec<(String, i64)> =
            self.database.with("read what a plugin was granted", |connection| {
                on!(connection, |c| {
                    grants::table
                        .filter(grants::plugin.eq(name))
                        .order(grants::permission)
                        .select((grants::permission, grants::granted_us))
                        .load(c)
                })
            })?;
        let unsigned = |us| u64::try_from(us).unwrap_or(0);
        Ok(rows.into_iter().map(|(permission, granted_us)| (permission, unsigned(granted_us))).collect())
    }

    /// Writes a record, new or changed, whole.
    pub(super) fn save(&self, record: &Record) -> Result<(), RecordError> {
        self.save_and(record, |_| Ok(()))
    }

    /// As [`save`](Self::save), with more in the same transaction.
    pub(super) fn save_and(
        &self,
        record: &Record,
        more: impl FnOnce(&mut Connection) -> QueryResult<()>,
    ) -> Result<(), RecordError> {
        let damaged = |why: serde_json::Error| RecordError::Config {
            plugin: record.name.clone(),
            reason: why.to_string(),
        };
        let plain = serde_json::to_vec(&record.config).map_err(damaged)?;
        // Held until it is written: the key is not to be retired in between.
        let keys = self.keys();
        let row = Row {
            name: record.name.clone(),
            version: record.version.clone(),
            content: record.content.clone(),
            library: record.library.clone(),
            enabled: record.enabled,
            quarantine: record.quarantine.clone(),
            config: keys.seal(&sealed_for(&record.name), &plain)?,
            installed_us: i64::try_from(record.installed_us).unwrap_or(i64::MAX),
        };
        let now = i64::try_from(clock::unix_time_us()).unwrap_or(i64::MAX);
        self.database.with("write what is known of a plugin", |connection| {
            connection.write(|connection| {
                on!(connection, |c| {
                    diesel::insert_into(plugins::table)
                        .values(&row)
                        .on_conflict(plugins::name)
                        .do_update()
                        .set(&row)
                        .execute(c)?;
                    let of_plugin = grants::table.filter(grants::plugin.eq(&record.name));
                    diesel::delete(of_plugin.filter(grants::permission.ne_all(&record.permissions)))
                        .execute(c)?;
                    for permission in &record.permissions {
                        diesel::insert_into(grants::table)
                            .values((
                                grants::plugin.eq(&record.name),
                                grants::permission.eq(permission),
                                grants::granted_us.eq(now),
                            ))
                            .on_conflict_do_nothing()
                            .execute(c)?;
                    }
                    QueryResult::Ok(())
                })?;
                more(connection)
            })
        })?;
        Ok(())
    }

    /// Keeps a plugin from being started, now and after a start of the host, until it is enabled again.
    pub(super) fn quarantine(&self, name: &str, reason: &str) -> Result<(), DatabaseError> {
        self.database.with("write that a plugin is in quarantine", |connection| {
            on!(connection, |c| {
                diesel::update(plugins::table.find(name)).set(plugins::quarantine.eq(reason)).execute(c)
            })
        })?;
        Ok(())
    }

    /// Removes what is known of a plugin, its generations included, and does more in the same transaction.
    pub(super) fn remove_and(
        &self,
        name: &str,
        more: impl FnOnce(&mut Connection) -> QueryResult<()>,
    ) -> Result<(), DatabaseError> {
        self.database.with("remove what is known of a plugin", |connection| {
            connection.write(|connection| {
                on!(connection, |c| diesel::delete(plugins::table.find(name)).execute(c))?;
                more(connection)
            })
        })
    }

    /// Seals everything with a new key and forgets the old one. Answers how many were sealed. Broken off, it is
    /// repeated: until its end both keys are kept.
    pub(super) fn rotate_key(&self) -> Result<usize, RecordError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.renew()?;
        let rows: Vec<(String, Vec<u8>)> =
            self.database.with("read the sealed configurations", |connection| {
                on!(connection, |c| plugins::table.select((plugins::name, plugins::config)).load(c))
            })?;
        let mut sealed = Vec::with_capacity(rows.len());
        for (name, config) in rows {
            let what = sealed_for(&name);
            let config = keys.seal(&what, &keys.unseal(&what, &config)?)?;
            sealed.push((name, config));
        }
        self.database.with("write the sealed configurations", |connection| {
            connection.write(|connection| {
                on!(connection, |c| {
                    for (name, config) in &sealed {
                        let row = plugins::table.find(name);
                        diesel::update(row).set(plugins::config.eq(config)).execute(c)?;
                    }
                    Ok(())
                })
            })
        })?;
        keys.retire()?;
        Ok(sealed.len())
    }

    fn keys(&self) -> std::sync::RwLockReadGuard<'_, SecretKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a configuration is sealed for: it cannot be moved to another plugin.
fn sealed_for(plugin: &str) -> String {
    format!("the configuration of the plugin `{plugin}`")
}
