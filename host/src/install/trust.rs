//! Whose packages are taken, as the command line and the HTTP interface show and change it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use streamspace_package::PublicKey;
use streamspace_plugin::manifest::PluginName;

use super::{InstallError, PluginView, Plugins, view};
use crate::{
    clock,
    config::{self, Config},
    progress::{Progress, Quiet},
    store::{
        DataDir, Database, Incoming, Record, Revocation, Trust, TrustError, TrustLevel, TrustedKey,
        parse_revocations, until_date,
    },
};

/// What decides which packages are taken.
#[derive(Debug)]
pub struct Packages {
    pub(super) trust: Trust,
    pub(super) incoming: Incoming,
    pub(super) settings: config::Packages,
    /// How many earlier versions are kept.
    pub(super) keep: usize,
    /// Who is told how far the unpacking of a package is.
    pub(super) progress: Box<dyn Progress>,
}

impl Packages {
    /// That of a data folder.
    #[must_use]
    pub fn new(data: &DataDir, database: &Arc<Database>, config: &Config) -> Self {
        Self {
            trust: Trust::new(data.path(), Arc::clone(database)),
            incoming: Incoming::new(data.path()),
            settings: config.packages.clone(),
            keep: config.plugins.keep_generations as usize,
            progress: Box::new(Quiet),
        }
    }

    /// Tells somebody how far the unpacking of each package is.
    #[must_use]
    pub fn telling(self, progress: impl Progress + 'static) -> Self {
        Self { progress: Box::new(progress), ..self }
    }
}

/// A key whose packages are taken.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeyView {
    /// Its id, 16 hexadecimal digits.
    pub id: String,
    /// The name that the operator knows its owner by.
    pub name: String,
    /// What its packages are trusted as.
    pub level: TrustLevel,
    /// The key, as minisign writes it.
    pub key: String,
    /// When it was added, RFC 3339; only of those that an operator added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_at: Option<String>,
    /// Whether its id is revoked, so that nothing that it signed is taken.
    pub revoked: bool,
}

/// Something that is refused, whoever signed it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RevocationView {
    /// The id of a key, or the SHA-256 of a `package.json`.
    pub subject: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when, RFC 3339.
    pub revoked_at: String,
}

/// A plugin that may be unsigned.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UnsignedView {
    /// The plugin. It need not be installed.
    pub plugin: String,
    /// The last day on which it may, in UTC.
    pub until: String,
    /// Whether that is over.
    pub expired: bool,
}

/// Whose packages are taken.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrustView {
    /// The trusted keys.
    pub keys: Vec<KeyView>,
    /// What is revoked.
    pub revocations: Vec<RevocationView>,
    /// The plugins that may be unsigned, or might.
    pub unsigned: Vec<UnsignedView>,
}

/// What came of revoking.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Revoked {
    /// How many were not revoked before.
    pub revoked: usize,
    /// The installed plugins that are concerned: each runs until it is stopped, and is not loaded again.
    pub plugins: Vec<String>,
}

impl Plugins {
    /// Whose packages are taken.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn trust(&self) -> Result<TrustView, InstallError> {
        let trust = &self.packages.trust;
        let revoked = trust.revocations()?;
        let keys = trust.keys()?;
        let now = clock::unix_time_us();
        let unsigned = trust.unsigned()?.into_iter().map(|(plugin, until)| UnsignedView {
            plugin,
            until: until_date(until),
            expired: until <= now,
        });
        Ok(TrustView {
            keys: keys.into_iter().map(|key| KeyView::new(key, &revoked)).collect(),
            unsigned: unsigned.collect(),
            revocations: revoked
                .into_iter()
                .map(|Revocation { subject, reason, revoked_us }| RevocationView {
                    subject,
                    reason,
                    revoked_at: clock::rfc3339(revoked_us),
                })
                .collect(),
        })
    }

    /// Trusts a vendor's key: the text of a `.pub` file of minisign, or the key alone.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn trust_key(&self, key: &str, name: &str) -> Result<KeyView, InstallError> {
        let key = PublicKey::from_file_text(key).map_err(TrustError::from)?;
        let added = self.packages.trust.add(&key, name)?;
        Ok(KeyView::new(added, &self.packages.trust.revocations()?))
    }

    /// Trusts a key no more, by its id or its name.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn distrust_key(&self, wanted: &str) -> Result<KeyView, InstallError> {
        let removed = self.packages.trust.remove(wanted)?;
        Ok(KeyView::new(removed, &self.packages.trust.revocations()?))
    }

    /// Revokes a key or a package.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn revoke(&self, subject: &str, reason: &str) -> Result<Revoked, InstallError> {
        self.revoke_all(&[Revocation::new(subject, reason, "what is to be revoked")?])
    }

    /// Revokes everything in a list, or nothing.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn revoke_list(&self, list: &str) -> Result<Revoked, InstallError> {
        self.revoke_all(&parse_revocations(list)?)
    }

    fn revoke_all(&self, revocations: &[Revocation]) -> Result<Revoked, InstallError> {
        let revoked = self.packages.trust.revoke(revocations)?;
        let mut plugins = Vec::new();
        for listed in self.store.list()? {
            let Ok(plugin) = listed.plugin else { continue };
            let all = self.store.generations(&listed.name)?;
            let current = all.iter().find(|generation| generation.content == plugin.record.content);
            let concerned = current.is_some_and(|generation| {
                let provenance = &generation.provenance;
                let of = [&provenance.key, &provenance.package];
                of.into_iter().flatten().any(|it| revocations.iter().any(|revoked| revoked.subject == *it))
            });
            if concerned {
                plugins.push(listed.name);
            }
        }
        Ok(Revoked { revoked, plugins })
    }

    /// Lets a plugin be unsigned until then.
    ///
    /// # Errors
    ///
    /// [`InstallError::Trust`].
    pub fn allow_unsigned(&self, plugin: &str, until_us: u64) -> Result<UnsignedView, InstallError> {
        if plugin.parse::<PluginName>().is_err() {
            return Err(TrustError::NoPlugin { found: plugin.chars().take(80).collect() }.into());
        }
        self.packages.trust.allow_unsigned(plugin, until_us)?;
        Ok(UnsignedView {
            plugin: plugin.to_owned(),
            until: until_date(until_us),
            expired: until_us <= clock::unix_time_us(),
        })
    }

    /// Where uploads go.
    #[must_use]
    pub fn incoming(&self) -> &Incoming {
        &self.packages.incoming
    }

    /// The largest package, in bytes.
    #[must_use]
    pub fn max_package_bytes(&self) -> u64 {
        self.packages.settings.max_bytes
    }

    /// Adds to what is shown of a plugin who answers for it. What cannot be read is left out: a listing is no place to fail.
    pub(super) fn view_trust(&self, record: &Record, shown: &mut PluginView) {
        let all = self.store.generations(&record.name).unwrap_or_default();
        if let Some(generation) = all.iter().find(|generation| generation.content == record.content) {
            shown.trust = generation.provenance.trust;
            shown.signer = view::signer(generation);
        }
        if shown.trust == TrustLevel::Unsigned {
            let until = self.packages.trust.unsigned_until(&record.name).ok().flatten();
            shown.unsigned_until = until.map(until_date);
        }
        shown.pinned = self.store.pin(&record.name).ok().flatten();
    }
}

impl KeyView {
    fn new(key: TrustedKey, revoked: &[Revocation]) -> Self {
        let id = key.id.to_string();
        Self {
            revoked: revoked.iter().any(|revocation| revocation.subject == id),
            id,
            name: key.name,
            level: key.level,
            key: key.key.to_string(),
            added_at: key.added_us.map(clock::rfc3339),
        }
    }
}
