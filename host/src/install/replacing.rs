//! Another version in the place of the installed one: upgrades, and the way back.

use std::path::Path;

use semver::Version;
use streamspace_plugin::manifest::PluginName;

use super::{
    AllowUnsigned, Consent, InstallError, PluginView, Plugins, Source, package::Opened, present::Together,
    schema, spec,
};
use crate::{
    loader::Identity,
    runtime::{Runtime, State, Step},
    store::{Generation, Installed, Operation, OperationKind, OperationStep, Record, Store},
};

impl Plugins {
    /// Puts the version in `folder` in the place of the installed one of this name. One that runs serves until the new one
    /// has taken its place, and is put back if that fails. One that does not run is replaced as it is, and started if it is
    /// enabled. The configuration stays, and must fit the new version. Blocks.
    ///
    /// It may be any version, also an older one, and takes no consent: folders are for development.
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
        let _turn = self.turns.take()?;
        let before = self.installed(name)?;
        self.is_settled(name)?;
        let version = manifest.version.to_string();
        self.refuse_pinned(name, &version)?;
        self.refuse_clash(&manifest)?;
        // Before it is copied: it may be anything, and large.
        let source = Store::library_in(folder, &manifest)?;
        self.loader.judge(&source, Identity { name, version: &version })?;
        self.store.generation_of(&before.record)?;
        let mut operation = Operation::new(name, OperationKind::Upgrade, OperationStep::Unpack);
        operation.from = Some(before.record.content.clone());
        self.as_one(&mut operation, |operation| {
            let imported = self.store.import(folder, &manifest)?;
            if imported.record.content == before.record.content {
                return Err(InstallError::Same { plugin: name.to_owned(), version });
            }
            self.admit_new(operation, &imported, &source, |_| Ok(()))?;
            let replaced = operation.from.clone().filter(|from| *from != imported.record.content);
            let generation = Generation { replaced, ..imported.generation };
            let next = self.store.as_installed(&before.record, &generation)?;
            refuse_other_config(&before, &next)?;
            self.replace(operation, &next, &generation)
        })
    }

    /// Puts the version in a package in the place of the installed one of this name, as
    /// [`upgrade_folder`](Self::upgrade_folder) does.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; the version before is installed then, and runs if it did.
    pub fn upgrade(
        &self,
        wanted: &str,
        source: &Source,
        allow: Option<&AllowUnsigned>,
        consent: &Consent,
    ) -> Result<PluginView, InstallError> {
        self.upgrade_with(wanted, source, allow, consent, &Together::new())
    }

    /// As [`upgrade`](Self::upgrade), where others change in the same go.
    pub(super) fn upgrade_with(
        &self,
        wanted: &str,
        source: &Source,
        allow: Option<&AllowUnsigned>,
        consent: &Consent,
        together: &Together,
    ) -> Result<PluginView, InstallError> {
        let _turn = self.turns.take()?;
        let mut opened = self.open(source, allow)?;
        let name = opened.package.document().name.to_string();
        if wanted != name {
            return Err(InstallError::OtherPlugin { plugin: wanted.to_owned(), found: name });
        }
        let before = self.installed(&name)?;
        self.is_settled(&name)?;
        self.refuse_older(&before.record, &opened)?;
        self.refuse_pinned(&name, &opened.package.document().version.to_string())?;
        self.refuse_clash_with(&opened.manifest, together)?;
        consent.check(&self.plan_of(&opened, Some(&before))?, &self.packages.settings)?;
        let mut operation = Operation::new(&name, OperationKind::Upgrade, OperationStep::Unpack);
        operation.from = Some(before.record.content.clone());
        let view = self.as_one(&mut operation, |operation| {
            let imported = self.unpack(operation, &mut opened)?;
            let replaced = operation.from.clone().filter(|from| *from != imported.record.content);
            let generation = Generation { replaced, ..imported.generation };
            let next = self.store.as_installed(&before.record, &generation)?;
            refuse_other_config(&before, &next)?;
            self.replace(operation, &next, &generation)
        })?;
        self.forget_upload(source);
        Ok(view)
    }

    /// Goes back to an earlier version whose files are kept: to the one of this version, or to the one in whose place the
    /// current one came.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; the version that was there is there still, and runs if it did.
    pub fn rollback(&self, name: &str, to: Option<&str>) -> Result<PluginView, InstallError> {
        let _turn = self.turns.take()?;
        // Which versions are kept depends on it.
        self.end_begun(name)?;
        // Its files may be what one wants to get away from.
        let record = self.record(name)?;
        let all = self.store.generations(name)?;
        let current = all.iter().find(|generation| generation.content == record.content);
        let since = current.map_or(record.installed_us, |current| current.installed_us);
        let replaced = current.and_then(|current| current.replaced.as_ref());
        let others = || all.iter().filter(|generation| generation.content != record.content);
        let found = match (to, replaced) {
            (Some(version), _) => others().find(|generation| generation.version == version),
            // Not merely the newest of them, which may be one that was gone back from.
            (None, Some(replaced)) => others().find(|generation| generation.content == *replaced),
            (None, None) => others().find(|generation| generation.installed_us < since),
        };
        let generation = found.ok_or_else(|| InstallError::NoGeneration {
            plugin: name.to_owned(),
            wanted: to.map_or_else(|| format!("a version before {}", record.version), str::to_owned),
            kept: others().map(|generation| generation.version.clone()).collect(),
        })?;
        self.refuse_pinned(name, &generation.version)?;
        self.packages.trust.check(generation)?;
        self.store.check(generation)?;
        let next = self.store.as_installed(&record, generation)?;
        self.refuse_clash(&next.manifest)?;
        if let Ok(before) = self.installed(name) {
            refuse_other_config(&before, &next)?;
        }
        let mut operation = Operation::new(name, OperationKind::Rollback, OperationStep::Switch);
        operation.from = Some(record.content.clone());
        operation.to = Some(generation.content.clone());
        self.as_one(&mut operation, |operation| self.replace(operation, &next, generation))
    }

    /// Puts one version in the place of another: beside it, if that runs.
    fn replace(
        &self,
        operation: &mut Operation,
        next: &Installed,
        generation: &Generation,
    ) -> Result<PluginView, InstallError> {
        let name = &next.record.name;
        operation.step = OperationStep::Switch;
        self.store.note(operation)?;
        match &self.runtime {
            Some(runtime) if runtime.state(name) == Some(State::Running) => {
                self.replace_beside(runtime, operation, next, generation)?;
            }
            _ => self.replace_at_rest(operation, next, generation)?,
        }
        operation.step = OperationStep::Prune;
        let pruned = self.store.note(operation);
        let pruned = pruned.and_then(|()| self.store.prune(name, &next.record.content, self.packages.keep));
        if let Err(why) = pruned {
            // It is the new version all the same.
            self.warn("Earlier versions of a plugin stay until its next upgrade.", &why, name);
        }
        Ok(self.view(&self.installed(name)?))
    }

    /// While the one before runs.
    fn replace_beside(
        &self,
        runtime: &Runtime,
        operation: &mut Operation,
        next: &Installed,
        generation: &Generation,
    ) -> Result<(), InstallError> {
        let name = &next.record.name;
        let before = self.record(name)?;
        let spec = spec(&self.store.as_installed(&before, generation)?)?;
        let was_known = self.store.generations(name)?.iter().any(|known| known.content == generation.content);
        let mut may_be_kept = false;
        runtime.replace(spec, &mut |step| match step {
            Step::Prepare => self.is_as_before(&before).map_err(text),
            Step::Keep => {
                may_be_kept = true;
                operation.step = OperationStep::Start;
                let now = self.record(name).map_err(text)?;
                let kept = self.store.commit(&as_current(&now, next), Some(generation), operation);
                kept.map_err(|why| why.to_string())
            }
            // A commit that was reported as failed may have been one.
            Step::TakeBack if may_be_kept => {
                operation.step = OperationStep::Switch;
                self.store.commit(&before, None, operation).map_err(|why| why.to_string())?;
                if was_known {
                    return Ok(());
                }
                self.store.forget_generation(name, &next.record.content).map_err(|why| why.to_string())
            }
            Step::Load | Step::Switch | Step::Retire | Step::TakeBack => Ok(()),
        })?;
        Ok(())
    }

    /// Sees that nobody changed a record while a new version was made ready with what it says. From now on nobody does.
    fn is_as_before(&self, before: &Record) -> Result<(), InstallError> {
        let _records = self.records();
        let now = self.record(&before.name)?;
        let same = (now.enabled, &now.quarantine, &now.config)
            == (before.enabled, &before.quarantine, &before.config);
        if same { Ok(()) } else { Err(InstallError::ChangedMeanwhile { plugin: before.name.clone() }) }
    }

    /// While it does not run. If it is to, it is started.
    fn replace_at_rest(
        &self,
        operation: &mut Operation,
        next: &Installed,
        generation: &Generation,
    ) -> Result<(), InstallError> {
        let name = &next.record.name;
        let before = {
            let _records = self.records();
            self.is_settled(name)?;
            let before = self.record(name)?;
            self.undo_migrations(&before, &next.record)?;
            operation.step = OperationStep::Start;
            self.store.commit(&as_current(&before, next), Some(generation), operation)?;
            before
        };
        if let Some(runtime) = &self.runtime {
            let plugin = self.installed(name)?;
            runtime.announce_upgraded(name, &before.version, &plugin.record.version);
            if plugin.record.enabled {
                self.start(runtime, &plugin)?;
            } else {
                runtime.add(name, &plugin.record.version, State::Disabled);
            }
        }
        Ok(())
    }

    /// Brings the tables of a plugin that does not run back to what another version knows, if that is less.
    fn undo_migrations(&self, from: &Record, to: &Record) -> Result<(), InstallError> {
        let folder = |record: &Record| self.store.folder(&record.name, &record.content);
        // What an upgrade before this one has left of its way back is not this one's.
        self.kept.databases.recover(&from.name, &folder(from))?;
        Ok(self.kept.databases.finish(&from.name, &folder(from), &folder(to))?)
    }

    pub(super) fn record(&self, name: &str) -> Result<Record, InstallError> {
        let record = if name.parse::<PluginName>().is_ok() { self.store.record(name)? } else { None };
        record.ok_or_else(|| InstallError::NotInstalled { plugin: name.chars().take(80).collect() })
    }

    /// Refuses what is no upgrade.
    pub(super) fn refuse_older(&self, record: &Record, opened: &Opened) -> Result<(), InstallError> {
        let document = opened.package.document();
        let Ok(installed) = Version::parse(&record.version) else { return Ok(()) };
        if document.version < installed {
            return Err(InstallError::Older {
                plugin: record.name.clone(),
                installed: record.version.clone(),
                found: document.version.to_string(),
            });
        }
        let is_there = self.store.generations(&record.name)?.into_iter().any(|generation| {
            generation.content == record.content
                && generation.provenance.package == Some(opened.package.hash().to_string())
                && generation.provenance == opened.provenance
        });
        if is_there {
            let (plugin, version) = (record.name.clone(), record.version.clone());
            return Err(InstallError::Same { plugin, version });
        }
        Ok(())
    }

    pub(super) fn refuse_pinned(&self, name: &str, version: &str) -> Result<(), InstallError> {
        match self.store.pin(name)? {
            Some(pinned) if pinned != version => {
                Err(InstallError::Pinned { plugin: name.to_owned(), pinned, found: version.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// A record as it is now, with what is `next`'s.
fn as_current(now: &Record, next: &Installed) -> Record {
    let Record { version, content, library, permissions, .. } = next.record.clone();
    Record { version, content, library, permissions, quarantine: None, ..now.clone() }
}

/// Refuses a version that cannot use the configuration which the one before it uses.
fn refuse_other_config(before: &Installed, next: &Installed) -> Result<(), InstallError> {
    let name = &next.record.name;
    let fits = |plugin: &Installed| {
        schema(plugin)?
            .effective(&before.record.config)
            .map(drop)
            .map_err(|source| InstallError::Config { plugin: name.clone(), source })
    };
    match fits(next) {
        // It does not run for that reason already.
        Err(_) if fits(before).is_err() => Ok(()),
        fits => fits,
    }
}

fn text(why: InstallError) -> String {
    why.to_string()
}
