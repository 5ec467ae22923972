//! Another version of an installed plugin in the place of the one that is there.

use std::{path::Path, sync::PoisonError};

use slog::warn;

use super::{InstallError, Installed, PluginView, Plugins, spec};
use crate::{
    loader::Identity,
    runtime::{State, Step},
    store::{Record, Store},
};

impl Plugins {
    /// Puts the version in `folder` in the place of the installed one of this name. One that runs serves until the new one
    /// has taken its place, and is put back if that fails. One that does not run is replaced as it is, and started if it is
    /// enabled. The configuration stays, and must fit the new version. Blocks.
    ///
    /// The files of the version before stay in the store.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; the version before is installed then, and runs if it did.
    pub fn upgrade_folder(&self, name: &str, folder: &Path) -> Result<PluginView, InstallError> {
        let manifest = Store::read_manifest(folder)?;
        if *manifest.name != *name {
            let found = manifest.name.to_string();
            return Err(InstallError::OtherPlugin { plugin: name.to_owned(), found });
        }
        // Two of the same content would share its files, and one that is refused removes them.
        let _installing = self.installs.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.installed(name)?;
        self.is_settled(name)?;
        let version = manifest.version.to_string();
        let identity = Identity { name, version: &version };
        // Before it is copied: it may be anything, and large.
        self.loader.judge(&Store::library_in(folder, &manifest)?, identity)?;
        let there = self.store.contents(name)?;
        let (imported, library) = self.store.import(folder, &manifest)?;
        if imported.content == old.record.content {
            return Err(InstallError::Same { plugin: name.to_owned(), version });
        }
        let record = Record {
            config: old.record.config.clone(),
            enabled: old.record.enabled,
            // Another version is another chance.
            quarantine: None,
            ..imported
        };
        let new = Installed { record, manifest, library };
        let imported = new.record.clone();
        match self.upgrade_to(&old, new) {
            Ok(new) => Ok(self.view(&new)),
            Err(why) => {
                // One that was there before is an earlier version, which may be wanted again.
                if !there.contains(&imported.content)
                    && let (Err(left), Some(runtime)) = (self.store.discard(&imported), &self.runtime)
                {
                    warn!(runtime.logs().logger(), "The files of a version that was refused cannot be removed."; "error" => %left, "plugin" => name);
                }
                Err(why)
            }
        }
    }

    /// Puts a version whose files are in the store in the place of `old`. The record is written when the new one has passed,
    /// and not before: until then a crash leaves the old one.
    fn upgrade_to(&self, old: &Installed, new: Installed) -> Result<Installed, InstallError> {
        let name = new.record.name.as_str();
        let spec = spec(&new)?;
        let Some(runtime) =
            self.runtime.as_ref().filter(|runtime| runtime.state(name) == Some(State::Running))
        else {
            return self.upgrade_at_rest(old, new);
        };
        for warning in new.manifest.warnings() {
            warn!(runtime.logs().logger(), "A manifest has a flaw."; "warning" => %warning, "plugin" => name);
        }
        let mut tried = false;
        let save = |record: &Record| {
            let _records = self.records();
            self.store.save(record).map_err(|why| why.to_string())
        };
        runtime.replace(spec, &mut |step| match step {
            Step::Keep => {
                tried = true;
                save(&new.record)
            }
            // It may have been written all the same.
            Step::TakeBack if tried => save(&old.record),
            _ => Ok(()),
        })?;
        Ok(new)
    }

    fn upgrade_at_rest(&self, old: &Installed, new: Installed) -> Result<Installed, InstallError> {
        let name = new.record.name.as_str();
        let identity = Identity { name, version: &new.record.version };
        self.loader.admit(&new.library, &new.library, identity)?;
        let new = self.change(name, |plugin| {
            // Nothing but this has changed it: whoever does takes the lock of installing, or is refused.
            *plugin = new.clone();
            Ok(())
        })?;
        let Some(runtime) = &self.runtime else { return Ok(new) };
        runtime.announce_upgraded(name, &old.record.version, &new.record.version);
        if new.record.enabled {
            self.start(runtime, &new)?;
        }
        Ok(new)
    }
}
