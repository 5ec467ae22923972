//! The installed plugins as a file, down to the bytes of their packages; and what another host has to do to be the same.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::{Deserialize, Serialize};
use streamspace_package::ContentHash;
use streamspace_plugin::manifest::PluginName;
use utoipa::ToSchema;

use super::{
    InstallError,
    listed::ExactVersion,
    planner::{PlanError, PlanView, Planner, ranges},
    present::refuse,
    resolve::{Present, clash},
};
use crate::catalog::CatalogError;

/// The form of the file.
const SCHEMA: u32 = 1;
/// The largest file that is read, in bytes.
pub const MAX_LOCK_BYTES: u64 = 4 * 1024 * 1024;

/// `streamspace.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The form of the file: 1.
    pub schema: u32,
    /// The plugins, by name.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<Locked>,
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its package's `package.json`, which has the hashes of everything else.
    pub package: String,
    /// Where it was from, for people: `catalog:NAME`, or `file`.
    pub source: String,
}

/// What has to be done to be as a lock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockPlan {
    /// What is installed, or changes its version, in this order.
    pub install: PlanView,
    /// What is not in the lock, and goes.
    pub remove: Vec<String>,
    /// What is as the lock says.
    pub keep: Vec<String>,
}

/// Why there is no lock, or why it cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not known which package a plugin is from.
    #[error(
        "it is not known which package these plugins are from: {}. Install them from packages of a catalogue, or leave them out with `--partial`",
        plugins.join(", ")
    )]
    NoPackage {
        /// The plugins.
        plugins: Vec<String>,
    },
    /// The file is none.
    #[error("this is no streamspace.lock: {reason}")]
    NoLock {
        /// What is wrong.
        reason: String,
    },
    /// A plugin is there in this version, and not from this package.
    #[error(
        "`{plugin}` {version} is installed and is not the package that the lock names: expected {expected}, found {found}. Look which of the two is right; uninstall the plugin to have the lock's"
    )]
    Differs {
        /// The plugin.
        plugin: String,
        /// Its version.
        version: String,
        /// The hash in the lock.
        expected: String,
        /// The hash of what is installed.
        found: String,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl LockError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPackage { .. } => "SSP-LCK-001",
            Self::NoLock { .. } => "SSP-LCK-002",
            Self::Differs { .. } => "SSP-LCK-003",
            Self::Plan(why) => why.code(),
        }
    }
}

impl From<CatalogError> for LockError {
    fn from(why: CatalogError) -> Self {
        Self::Plan(why.into())
    }
}

impl Lock {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`LockError::NoLock`].
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let no_lock = |reason: String| LockError::NoLock { reason };
        let lock: Self = toml::from_str(text).map_err(|why| no_lock(why.to_string()))?;
        lock.check().map_err(no_lock)?;
        Ok(lock)
    }

    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("its fields are texts and numbers");
        format!(
            "# Written by `streamspace plugin export`. `streamspace plugin apply --frozen` follows it.\n{body}"
        )
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is {}, and this host reads {SCHEMA}", self.schema));
        }
        let mut seen = BTreeSet::new();
        for locked in &self.plugins {
            locked.name.parse::<PluginName>().map_err(|why| why.to_string())?;
            let wrong = |what: &str| format!("`{}`: {what}", locked.name);
            locked.version.parse::<Version>().map_err(|why| wrong(&why.to_string()))?;
            locked.package.parse::<ContentHash>().map_err(|why| wrong(&why.to_string()))?;
            if !seen.insert(&locked.name) {
                return Err(wrong("it is there twice"));
            }
        }
        Ok(())
    }
}

impl Planner<'_> {
    /// The installed plugins as a lock. With `partial`, those whose package is not known are left out.
    ///
    /// # Errors
    ///
    /// [`LockError::NoPackage`].
    pub fn lock(&self, partial: bool) -> Result<Lock, LockError> {
        let packages = self.packages()?;
        let (mut plugins, mut unknown) = (Vec::new(), Vec::new());
        for (name, version) in self.versions()? {
            match packages.get(&name) {
                Some((package, source)) => {
                    plugins.push(Locked { name, version, package: package.clone(), source: source.clone() })
                }
                None => unknown.push(name),
            }
        }
        if !partial && !unknown.is_empty() {
            return Err(LockError::NoPackage { plugins: unknown });
        }
        Ok(Lock { schema: SCHEMA, plugins })
    }

    /// What has to be done to be as `lock` says, and nothing else.
    ///
    /// # Errors
    ///
    /// [`LockError::Differs`]; [`PlanError::Exact`] for what no catalogue has with this hash.
    pub fn compare(&self, lock: &Lock) -> Result<LockPlan, LockError> {
        lock.check().map_err(|reason| LockError::NoLock { reason })?;
        let (installed, packages) = (self.versions()?, self.packages()?);
        let (mut keep, mut wanted) = (Vec::new(), BTreeMap::new());
        for locked in &lock.plugins {
            if installed.get(&locked.name) != Some(&locked.version) {
                wanted.insert(locked.name.clone(), locked);
                continue;
            }
            let found = packages.get(&locked.name).map(|(package, _)| package.clone());
            if found.as_ref() != Some(&locked.package) {
                return Err(LockError::Differs {
                    plugin: locked.name.clone(),
                    version: locked.version.clone(),
                    expected: locked.package.clone(),
                    found: found.unwrap_or_else(|| "a plugin that is from no known package".to_owned()),
                });
            }
            keep.push(locked.name.clone());
        }
        let is_locked = |name: &String| lock.plugins.iter().any(|locked| locked.name == *name);
        let remove = installed.into_keys().filter(|name| !is_locked(name)).collect();
        let ordered = self.ordered(&wanted)?;
        let install = self.exactly(&ordered)?;
        self.refuse_clashes(&keep, &install)?;
        Ok(LockPlan { install, remove, keep })
    }

    /// Sees that what a lock names can be beside each other: what it does not name will not be there.
    fn refuse_clashes(&self, keep: &[String], install: &PlanView) -> Result<(), LockError> {
        let before = self.plugins().present().map_err(PlanError::from)?;
        let mut after = before.clone();
        after.retain(|name, _| keep.contains(name));
        for step in &install.steps {
            let offer = self.catalogues().offer(&step.name)?;
            let mut releases = offer.iter().flat_map(|offer| &offer.listing.versions);
            if let Some(release) = releases.find(|release| release.version.to_string() == step.to) {
                let (dependencies, conflicts) = (ranges(&release.dependencies), ranges(&release.conflicts));
                let version = release.version.clone();
                let present = Present { version, dependencies, conflicts, pinned: false };
                after.insert(step.name.clone(), present);
            }
        }
        refuse(clash(&before, &after)).map_err(|why| PlanError::from(why).into())
    }

    /// What is needed comes before what needs it.
    fn ordered(&self, wanted: &BTreeMap<String, &Locked>) -> Result<Vec<ExactVersion>, LockError> {
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        for name in wanted.keys() {
            let mut open = vec![(name.clone(), false)];
            while let Some((name, is_done)) = open.pop() {
                let Some(locked) = wanted.get(&name) else { continue };
                if is_done {
                    let (version, package) = (locked.version.clone(), locked.package.clone());
                    ordered.push(ExactVersion {
                        name,
                        version,
                        package,
                        consent: None,
                        unsigned_until: None,
                    });
                } else if seen.insert(name.clone()) {
                    open.push((name.clone(), true));
                    let offer = self.catalogues().offer(&name)?;
                    let releases = offer.iter().flat_map(|offer| &offer.listing.versions);
                    let release =
                        releases.into_iter().find(|release| release.version.to_string() == locked.version);
                    let needed = release.into_iter().flat_map(|release| release.dependencies.keys());
                    open.extend(needed.map(|needed| (needed.to_string(), false)));
                }
            }
        }
        Ok(ordered)
    }

    /// Names and versions of the installed plugins.
    fn versions(&self) -> Result<BTreeMap<String, String>, LockError> {
        let installed = self.plugins().present().map_err(PlanError::from)?;
        Ok(installed.into_iter().map(|(name, present)| (name, present.version.to_string())).collect())
    }

    /// Of the installed plugins whose package is known: its hash, and where it was from.
    fn packages(&self) -> Result<BTreeMap<String, (String, String)>, LockError> {
        let (taken, store) = (self.catalogues().taken()?, &self.plugins().store);
        let mut known = BTreeMap::new();
        for listed in store.list().map_err(InstallError::from).map_err(PlanError::from)? {
            let Ok(plugin) = listed.plugin else { continue };
            let generation = store.generation_of(&plugin.record).map_err(InstallError::from);
            let Some(package) = generation.map_err(PlanError::from)?.provenance.package else { continue };
            let from = taken.get(&listed.name).filter(|taken| taken.package == package);
            let source = from.map_or_else(|| "file".to_owned(), |taken| format!("catalog:{}", taken.catalog));
            known.insert(listed.name, (package, source));
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let locked = |name: &str| Locked {
            name: name.to_owned(),
            version: "1.2.0".to_owned(),
            package: "0".repeat(64),
            source: "catalog:example".to_owned(),
        };
        Lock { schema: SCHEMA, plugins: vec![locked("aa-chat"), locked("bb-mail")] }
    }

    #[test]
    fn a_lock_is_written_and_read() {
        assert_eq!(Lock::parse(&lock().to_text()).expect("a lock"), lock());
        assert!(Lock::parse("schema = 1\n").expect("an empty one").plugins.is_empty());
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let text = lock().to_text();
        for (from, to) in [
            ("schema = 1", "schema = 2"),
            ("aa-chat", "../aa"),
            ("1.2.0", "one"),
            ("00", "0x"),
            ("bb-mail", "aa-chat"),
            ("source =", "extra = 1\nsource ="),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(matches!(Lock::parse(&changed), Err(LockError::NoLock { .. })), "{from} → {to}");
        }
    }
}
