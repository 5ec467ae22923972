//! Whose packages this host takes: keys that the operator trusts, what is revoked, and what may be unsigned for a while.

mod error;
mod local;
mod records;
mod until;

use std::{path::Path, sync::Arc};

use streamspace_package::{KeyId, Keyring, PublicKey, SecretKey};

pub(super) use self::records::pin;
pub use self::{
    error::TrustError,
    records::{Revocation, TrustedKey},
    until::{parse_until, until_date},
};
use self::{local::LocalKey, records::Records};
use super::{Database, Generation, Successor, TrustLevel};
use crate::clock;

/// The public key that this host was built with, if it was: `STREAMSPACE_BUILT_IN_KEY` when it was compiled.
const BUILT_IN: Option<&str> = option_env!("STREAMSPACE_BUILT_IN_KEY");
/// The names of the keys that nobody added.
const BUILT_IN_NAME: &str = "built-in";
const LOCAL_NAME: &str = "local";
/// The most lines of a list of revocations.
const MAX_REVOCATIONS: usize = 10_000;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// Whose packages a host takes.
#[derive(Debug)]
pub struct Trust {
    records: Records,
    local: LocalKey,
}

/// The plugins that may be unsigned: name, and microseconds since 1970-01-01 UTC when that ends.
type Unsigned = (String, u64);

impl Trust {
    /// What a data folder and its database say.
    #[must_use]
    pub fn new(data_dir: &Path, database: Arc<Database>) -> Self {
        Self { records: Records::new(database), local: LocalKey::new(data_dir) }
    }

    /// The keys that are trusted, by name: those that the operator added, this host's own, and the built-in one.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn keys(&self) -> Result<Vec<TrustedKey>, TrustError> {
        let of_host = |key: PublicKey, name: &str, level| TrustedKey {
            id: key.id(),
            key,
            name: name.to_owned(),
            level,
            added_us: None,
        };
        let mut keys = self.records.keys()?;
        keys.extend(built_in()?.map(|key| of_host(key, BUILT_IN_NAME, TrustLevel::BuiltIn)));
        keys.extend(self.local.public()?.map(|key| of_host(key, LOCAL_NAME, TrustLevel::Local)));
        Ok(keys)
    }

    /// Trusts a vendor's key.
    ///
    /// # Errors
    ///
    /// [`TrustError::Taken`] if the name or the key is there already.
    pub fn add(&self, key: &PublicKey, name: &str) -> Result<TrustedKey, TrustError> {
        let length = name.chars().count();
        if !(1..=100).contains(&length) || name.trim() != name || name.chars().any(char::is_control) {
            let found = if length == 0 {
                "none".to_owned()
            } else {
                format!("{:?}", &name.chars().take(40).collect::<String>())
            };
            return Err(TrustError::Name { found });
        }
        let there = self.keys()?.into_iter().find(|known| known.name == name || known.key == *key);
        if let Some(there) = there {
            let found = format!("{} ({})", there.id, there.name);
            return Err(TrustError::Taken { key: key.id().to_string(), found });
        }
        Ok(self.records.add(key, name)?)
    }

    /// Trusts a vendor's key no more: the key of this id, or of this name. What it had signed stays installed.
    ///
    /// # Errors
    ///
    /// [`TrustError::NoKey`].
    pub fn remove(&self, wanted: &str) -> Result<TrustedKey, TrustError> {
        let id = wanted.parse::<KeyId>().ok();
        let key = self.records.keys()?.into_iter().find(|key| key.name == wanted || Some(key.id) == id);
        let key = key.ok_or_else(|| TrustError::NoKey { wanted: wanted.chars().take(100).collect() })?;
        self.records.remove(&key.key)?;
        Ok(key)
    }

    /// What is revoked, by subject.
    ///
    /// # Errors
    ///
    /// [`TrustError::Database`].
    pub fn revocations(&self) -> Result<Vec<Revocation>, TrustError> {
        Ok(self.records.revocations()?)
    }

    /// Revokes all of these, or none. What is revoked already keeps its first reason. Answers how many were not.
    ///
    /// # Errors
    ///
    /// [`TrustError::Database`].
    pub fn revoke(&self, revocations: &[Revocation]) -> Result<usize, TrustError> {
        Ok(self.records.revoke(revocations)?)
    }

    /// Everything that a package is verified with, also what catalogues revoke.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn keyring(&self) -> Result<Keyring, TrustError> {
        let mut keyring = Keyring::new();
        for key in self.keys()? {
            keyring.trust(key.key, key.name);
        }
        for revocation in self.revocations()?.into_iter().chain(self.records.revoked_by_catalogues()?) {
            match revocation.parsed() {
                Some(Subject::Key(key)) => keyring.revoke_key(key, revocation.reason),
                Some(Subject::Package(package)) => keyring.revoke_package(package, revocation.reason),
                None => &mut keyring,
            };
        }
        Ok(keyring)
    }

    /// How far a key is trusted that has verified a package.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn level_of(&self, key: &PublicKey) -> Result<TrustLevel, TrustError> {
        let known = self.keys()?.into_iter().find(|known| known.key == *key);
        Ok(known.map_or(TrustLevel::Unsigned, |key| key.level))
    }

    /// The key that an installed version says its vendor will sign later ones with. `None` if it says nothing, or if the
    /// key that it was taken for is not a vendor's that is trusted still, or is revoked, or the version itself is.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn successor(
        &self,
        generation: &Generation,
        keyring: &Keyring,
    ) -> Result<Option<Successor>, TrustError> {
        let provenance = &generation.provenance;
        let is_vendors = |level| matches!(level, TrustLevel::Vendor | TrustLevel::BuiltIn);
        let id = provenance.key.as_deref().and_then(|key| key.parse::<KeyId>().ok());
        let next = provenance.next_key.as_deref().and_then(|key| key.parse::<PublicKey>().ok());
        let (Some(id), Some(key), true) = (id, next, is_vendors(provenance.trust)) else { return Ok(None) };
        let package = provenance.package.as_deref().and_then(|hash| hash.parse().ok());
        let is_revoked = keyring.revoked_key(id).is_some()
            || package.is_none_or(|package| keyring.revoked_package(package).is_some());
        let keys = self.keys()?;
        let Some(before) = keys.iter().find(|known| known.id == id && is_vendors(known.level)) else {
            return Ok(None);
        };
        if is_revoked || keys.iter().any(|known| known.key == key) {
            return Ok(None);
        }
        let name = next_name(&before.name, |name| keys.iter().any(|known| known.name == name));
        Ok(Some(Successor { key, name, announced_by: format!("{} ({id})", before.name) }))
    }

    /// Lets a plugin be unsigned until then.
    ///
    /// # Errors
    ///
    /// [`TrustError::Database`].
    pub fn allow_unsigned(&self, plugin: &str, until_us: u64) -> Result<(), TrustError> {
        Ok(self.records.allow_unsigned(plugin, until_us)?)
    }

    /// The plugins that may be unsigned, by name, also those for which that is over.
    ///
    /// # Errors
    ///
    /// [`TrustError::Database`].
    pub fn unsigned(&self) -> Result<Vec<Unsigned>, TrustError> {
        Ok(self.records.unsigned()?)
    }

    /// Until when a plugin may be unsigned, or might.
    ///
    /// # Errors
    ///
    /// [`TrustError::Database`].
    pub fn unsigned_until(&self, plugin: &str) -> Result<Option<u64>, TrustError> {
        Ok(self.unsigned()?.into_iter().find(|(name, _)| name == plugin).map(|(_, until)| until))
    }

    /// Sees that what was taken once is to be loaded still.
    ///
    /// # Errors
    ///
    /// [`TrustError::Unsigned`] after the date, [`TrustError::Revoked`].
    pub fn check(&self, generation: &Generation) -> Result<(), TrustError> {
        let provenance = &generation.provenance;
        let revoked = self.revocations()?;
        let of = |subject: &Option<String>| {
            let subject = subject.as_deref()?;
            revoked.iter().find(|revocation| revocation.subject.eq_ignore_ascii_case(subject))
        };
        let named = of(&provenance.key)
            .map(|found| (found, format!("the key {} that signed it", found.subject)))
            .or_else(|| {
                of(&provenance.package).map(|found| (found, format!("the package {}", found.subject)))
            });
        if let Some((revocation, subject)) = named {
            return Err(TrustError::Revoked {
                plugin: generation.plugin.clone(),
                version: generation.version.clone(),
                subject,
                reason: revocation.reason.clone(),
            });
        }
        if provenance.trust == TrustLevel::Unsigned {
            let until = self.unsigned_until(&generation.plugin)?;
            if until.is_none_or(|until| until <= clock::unix_time_us()) {
                let until = until.map(until_date);
                return Err(TrustError::Unsigned { plugin: generation.plugin.clone(), until });
            }
        }
        Ok(())
    }
}

/// The own key of the host of a data folder, which is made if there is none yet.
///
/// # Errors
///
/// [`TrustError::LocalKey`], [`TrustError::Exposed`].
pub fn local_key(data_dir: &Path) -> Result<SecretKey, TrustError> {
    LocalKey::new(data_dir).find_or_make()
}

/// What is revoked.
enum Subject {
    Key(KeyId),
    Package(streamspace_package::ContentHash),
}

/// Reads a list of revocations: a line each, the id of a key or the SHA-256 of a `package.json`, and behind it why. Empty
/// lines and those that begin with `#` are not read.
///
/// # Errors
///
/// [`TrustError::Subject`] with the line, [`TrustError::TooMany`].
pub fn parse_revocations(text: &str) -> Result<Vec<Revocation>, TrustError> {
    let mut revocations = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if revocations.len() == MAX_REVOCATIONS {
            return Err(TrustError::TooMany { most: MAX_REVOCATIONS });
        }
        let (subject, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        revocations.push(Revocation::new(subject, reason.trim(), &format!("line {}", at + 1))?);
    }
    Ok(revocations)
}

/// The first of `NAME 2`, `NAME 3` and so on that is not taken.
fn next_name(before: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem = match before.rsplit_once(' ') {
        Some((stem, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            stem
        }
        _ => before,
    };
    // With the number, it is still a name.
    let stem: String = stem.chars().take(80).collect();
    let stem = stem.trim_end();
    (2_u32..).map(|number| format!("{stem} {number}")).find(|name| !is_taken(name)).unwrap_or_default()
}

fn built_in() -> Result<Option<PublicKey>, TrustError> {
    Ok(BUILT_IN.filter(|key| !key.is_empty()).map(str::parse).transpose()?)
}

impl Revocation {
    /// One that is to begin now. `place` is where `subject` stands, for the error.
    ///
    /// # Errors
    ///
    /// [`TrustError::Subject`].
    pub fn new(subject: &str, reason: &str, place: &str) -> Result<Self, TrustError> {
        let plain: String =
            reason.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_REASON).collect();
        let mut new = Self { subject: subject.to_owned(), reason: plain, revoked_us: clock::unix_time_us() };
        new.subject = match new.parsed() {
            Some(Subject::Key(key)) => key.to_string(),
            Some(Subject::Package(hash)) => hash.to_string(),
            None => {
                let found = subject.chars().take(80).collect();
                return Err(TrustError::Subject { place: place.to_owned(), found });
            }
        };
        Ok(new)
    }

    fn parsed(&self) -> Option<Subject> {
        let key = self.subject.parse().map(Subject::Key);
        key.or_else(|_| self.subject.to_ascii_lowercase().parse().map(Subject::Package)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "E7620F1842B4E81F";

    #[test]
    fn a_list_has_keys_and_packages_with_their_reasons() {
        let package = "A".repeat(64);
        let text = format!("# from the vendor\n\n{KEY} it was stolen\n  {package}\n{}\n", KEY.to_lowercase());
        let list = parse_revocations(&text).expect("a list");
        let list: Vec<_> = list.iter().map(|one| (one.subject.as_str(), one.reason.as_str())).collect();
        assert_eq!(list, [(KEY, "it was stolen"), (&*"a".repeat(64), ""), (KEY, "")]);
    }

    #[test]
    fn a_line_that_is_something_else_is_named() {
        let refused = parse_revocations(&format!("{KEY}\nnobody x\n")).expect_err("no id");
        assert!(refused.to_string().starts_with("line 2: "), "{refused}");
        let many = format!("{KEY}\n").repeat(MAX_REVOCATIONS + 1);
        assert!(matches!(parse_revocations(&many), Err(TrustError::TooMany { .. })));
    }

    #[test]
    fn a_key_that_follows_another_is_named_after_it() {
        let taken = ["Example Ltd.", "Example Ltd. 2"];
        let next = |before: &str| next_name(before, |name| taken.contains(&name));
        assert_eq!(next("Example Ltd."), "Example Ltd. 3");
        assert_eq!(next("Example Ltd. 2"), "Example Ltd. 3");
        assert_eq!(next("Other 2000"), "Other 2");
        assert!(next(&"é".repeat(100)).chars().count() <= 100);
    }

    #[test]
    fn a_reason_is_one_line() {
        let one = Revocation::new(KEY, "a\nb\u{1b}[31m", "here").expect("a revocation");
        assert_eq!(one.reason, "a b [31m");
    }
}
