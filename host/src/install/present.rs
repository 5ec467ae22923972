//! The installed plugins as the choice of versions sees them, and what cannot be beside them.

use std::collections::BTreeMap;

use streamspace_plugin::manifest::Manifest;

use super::{
    InstallError, Plugins,
    resolve::{Clash, Present, clash},
};

/// Plugins by name, in the versions that they are about to have.
pub(super) type Together = BTreeMap<String, Present>;

impl Present {
    /// What a manifest says, of a plugin that does not stay at its version.
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            version: manifest.version.clone(),
            dependencies: manifest.dependencies.clone(),
            conflicts: manifest.conflicts.clone(),
            pinned: false,
        }
    }
}

impl Plugins {
    /// The installed plugins, as resolution sees them.
    pub(super) fn present(&self) -> Result<BTreeMap<String, Present>, InstallError> {
        let mut all = BTreeMap::new();
        for listed in self.store.list()? {
            // A damaged one is in nobody's way.
            let Ok(plugin) = listed.plugin else { continue };
            let pinned = self.store.pin(&listed.name)?.is_some();
            all.insert(listed.name, Present { pinned, ..Present::of(&plugin.manifest) });
        }
        Ok(all)
    }

    /// Refuses a version that cannot be beside what is installed.
    pub(super) fn refuse_clash(&self, manifest: &Manifest) -> Result<(), InstallError> {
        self.refuse_clash_with(manifest, &Together::new())
    }

    /// As [`refuse_clash`](Self::refuse_clash), where others change in the same go.
    pub(super) fn refuse_clash_with(
        &self,
        manifest: &Manifest,
        together: &Together,
    ) -> Result<(), InstallError> {
        let mut all = together.clone();
        all.insert(manifest.name.to_string(), Present::of(manifest));
        self.refuse_clashes(all, &[])
    }

    /// Refuses versions that cannot be beside each other, or beside the rest of what is installed, without those that go.
    pub(super) fn refuse_clashes(&self, coming: Together, going: &[String]) -> Result<(), InstallError> {
        let before = self.present()?;
        let mut after = before.clone();
        after.retain(|name, _| !going.contains(name));
        after.extend(coming);
        refuse(clash(&before, &after))
    }
}

pub(super) fn refuse(clash: Option<Clash>) -> Result<(), InstallError> {
    clash.map_or(Ok(()), |clash| Err(InstallError::Clash(Box::new(clash))))
}
