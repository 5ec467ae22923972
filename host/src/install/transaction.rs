//! Changes of what is installed: each is written into the journal before it is begun, and whatever breaks it off leaves the
//! old version or the new one.

use std::{
    path::Path,
    sync::{MutexGuard, PoisonError},
};

use semver::Version;
use slog::warn;
use streamspace_plugin::{Facts, manifest::PluginName};

use super::{
    AllowUnsigned, Consent, InstallError, Plan, PluginView, Plugins, Source, package::Opened,
    present::Together, schema, spec,
};
use crate::{
    loader::{Identity, Refusal},
    plugin_config::ConfigSchema,
    runtime::{State, Step},
    store::{
        Generation, Imported, Installed, Operation, OperationKind, OperationStep, Record, Store, StoreError,
    },
};

impl Plugins {
    /// Installs the plugin in `folder` and, on a running host, starts it.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; nothing is installed then. A plugin that is installed and does not start is no error: its
    /// view says why.
    pub fn install(&self, folder: &Path) -> Result<PluginView, InstallError> {
        let manifest = Store::read_manifest(folder)?;
        let name = manifest.name.to_string();
        ConfigSchema::compile(&manifest)
            .map_err(|source| InstallError::Config { plugin: name.clone(), source })?;
        let _installing = self.installing();
        self.refuse_installed(&name)?;
        self.refuse_clash(&manifest)?;
        let version = manifest.version.to_string();
        // Before it is copied: it may be anything, and large.
        let source = Store::library_in(folder, &manifest)?;
        self.loader.judge(&source, Identity { name: &name, version: &version })?;
        let mut operation = Operation::new(&name, OperationKind::Install, OperationStep::Unpack);
        self.as_one(&mut operation, |operation| {
            let imported = self.store.import(folder, &manifest)?;
            self.admit_new(operation, &imported, &source, |_| Ok(()))?;
            self.put_in_place(operation, &imported)
        })
    }

    /// What installing or upgrading to a package would change. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`InstallError`] for a package that would not be taken.
    pub fn plan(&self, source: &Source, allow: Option<&AllowUnsigned>) -> Result<Plan, InstallError> {
        let opened = self.open(source, allow)?;
        let plan = self.plan_opened(&opened)?;
        self.refuse_clash(&opened.manifest)?;
        Ok(plan)
    }

    pub(super) fn plan_opened(&self, opened: &Opened) -> Result<Plan, InstallError> {
        match self.store.get(opened.package.document().name.as_str())? {
            None => self.plan_of(opened, None),
            Some(before) => {
                self.refuse_older(&before.record, opened)?;
                self.plan_of(opened, Some(&before))
            }
        }
    }

    /// Installs a plugin from a package and, on a running host, starts it.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install), and [`InstallError::NotConsented`] if this is not what was consented to.
    pub fn install_package(
        &self,
        source: &Source,
        allow: Option<&AllowUnsigned>,
        consent: &Consent,
    ) -> Result<PluginView, InstallError> {
        self.install_with(source, allow, consent, &Together::new())
    }

    /// As [`install_package`](Self::install_package), where others change in the same go.
    pub(super) fn install_with(
        &self,
        source: &Source,
        allow: Option<&AllowUnsigned>,
        consent: &Consent,
        together: &Together,
    ) -> Result<PluginView, InstallError> {
        let _installing = self.installing();
        let mut opened = self.open(source, allow)?;
        let name = opened.package.document().name.to_string();
        self.refuse_installed(&name)?;
        self.refuse_clash_with(&opened.manifest, together)?;
        consent.check(&self.plan_of(&opened, None)?, &self.packages.settings)?;
        ConfigSchema::compile(&opened.manifest)
            .map_err(|source| InstallError::Config { plugin: name.clone(), source })?;
        let mut operation = Operation::new(&name, OperationKind::Install, OperationStep::Unpack);
        let view = self.as_one(&mut operation, |operation| {
            let imported = self.unpack(operation, &mut opened)?;
            self.put_in_place(operation, &imported)
        })?;
        self.forget_upload(source);
        Ok(view)
    }

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
        let _installing = self.installing();
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
            let next = self.store.as_installed(&before.record, &imported.generation)?;
            refuse_other_config(&before, &next)?;
            self.replace(operation, &next, &imported.generation)
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
        let _installing = self.installing();
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
            let next = self.store.as_installed(&before.record, &imported.generation)?;
            refuse_other_config(&before, &next)?;
            self.replace(operation, &next, &imported.generation)
        })?;
        self.forget_upload(source);
        Ok(view)
    }

    /// Goes back to an earlier version whose files are kept: to the one of this version, or to the one that was installed
    /// before the current one.
    ///
    /// # Errors
    ///
    /// [`InstallError`]; the version that was there is there still, and runs if it did.
    pub fn rollback(&self, name: &str, to: Option<&str>) -> Result<PluginView, InstallError> {
        let _installing = self.installing();
        // Its files may be what one wants to get away from.
        let record = self.record(name)?;
        let all = self.store.generations(name)?;
        let current = all.iter().find(|generation| generation.content == record.content);
        let since = current.map_or(record.installed_us, |current| current.installed_us);
        let others = || all.iter().filter(|generation| generation.content != record.content);
        let found = match to {
            Some(version) => others().find(|generation| generation.version == version),
            None => others().find(|generation| generation.installed_us < since),
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

    /// Does something that is written into the journal before it begins and taken out of it when it is done, or was taken
    /// back. What is neither stays in the journal: it is brought to its end at the next start.
    pub(super) fn as_one<T>(
        &self,
        operation: &mut Operation,
        work: impl FnOnce(&mut Operation) -> Result<T, InstallError>,
    ) -> Result<T, InstallError> {
        self.store.note(operation)?;
        let result = work(operation);
        let is_settled = match (&result, operation.step) {
            // Nothing names it any more, and something of it is there still.
            (Err(_), OperationStep::Remove) => false,
            // It is the new. Files that are too many are swept at the next start.
            (Ok(_), _) | (Err(_), OperationStep::Start | OperationStep::Prune) => true,
            (Err(_), _) => self.take_back(operation),
        };
        if is_settled {
            self.store.done(&operation.plugin)?;
        }
        result
    }

    /// Removes what was put into the store for nothing. Answers whether nothing is left.
    fn take_back(&self, operation: &Operation) -> bool {
        let content = operation.to.as_deref();
        let Err(why) = content.map_or(Ok(()), |content| self.store.discard(&operation.plugin, content))
        else {
            return true;
        };
        if let Some(runtime) = &self.runtime {
            warn!(
                runtime.logs().logger(), "What was begun with a plugin cannot be taken back now: it is at the next start.";
                "error" => %why, "plugin" => &operation.plugin
            );
        }
        false
    }

    fn plan_of(&self, opened: &Opened, before: Option<&Installed>) -> Result<Plan, InstallError> {
        let Some(before) = before else { return Ok(Plan::of(opened, None, 0)) };
        let generation = self.store.generation_of(&before.record)?;
        let folder = self.store.folder(&before.record.name, &before.record.content);
        let size = |name: &String| std::fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
        let bytes = generation.files.keys().map(size).sum();
        Ok(Plan::of(opened, Some((before, &generation)), bytes))
    }

    /// Unpacks a package into the store, and tries its library.
    fn unpack(&self, operation: &mut Operation, opened: &mut Opened) -> Result<Imported, InstallError> {
        let Opened { file, package, manifest, target, provenance, allow } = opened;
        let imported =
            self.store.unpack(package, target, manifest, provenance.clone(), &*self.packages.progress);
        let imported = imported.map_err(|why| match why {
            StoreError::Package(source) => InstallError::Package { file: file.clone(), source },
            why => why.into(),
        })?;
        self.admit_new(operation, &imported, file, |facts| {
            let checked = package.document().check_library(target, facts);
            checked.map_err(|why| InstallError::Package { file: file.clone(), source: Box::new(why) })
        })?;
        if let Some(AllowUnsigned { plugin, until_us }) = allow {
            self.packages.trust.allow_unsigned(plugin, *until_us)?;
        }
        Ok(imported)
    }

    /// Judges the library of a version that was put into the store, and tries it in a child process. `shown` is the file
    /// that a refusal names.
    fn admit_new(
        &self,
        operation: &mut Operation,
        imported: &Imported,
        shown: &Path,
        check: impl FnOnce(&Facts) -> Result<(), InstallError>,
    ) -> Result<(), InstallError> {
        let record = &imported.record;
        operation.to = Some(record.content.clone());
        let identity = Identity { name: &record.name, version: &record.version };
        let facts = self.loader.judge(&imported.library, identity);
        let facts = facts.map_err(|refusal| Refusal { file: shown.into(), ..refusal })?;
        check(&facts)?;
        self.loader.admit(&imported.library, shown, identity)?;
        Ok(())
    }

    /// Writes a plugin down that was not there before, and starts it.
    fn put_in_place(
        &self,
        operation: &mut Operation,
        imported: &Imported,
    ) -> Result<PluginView, InstallError> {
        let name = &imported.record.name;
        let plugin = {
            // Copying and trying take long: only what decides is done under the lock.
            let _records = self.records();
            self.refuse_installed(name)?;
            operation.step = OperationStep::Start;
            self.store.commit(&imported.record, Some(&imported.generation), operation).inspect_err(|_| {
                operation.step = OperationStep::Unpack;
            })?;
            self.installed(name)?
        };
        if let Some(runtime) = &self.runtime {
            runtime.add(name, &plugin.record.version, State::Installed);
            runtime.announce_done("plugin.installed", name, &plugin.record.version);
            self.start(runtime, &plugin)?;
        }
        Ok(self.view(&plugin))
    }

    /// Puts one version in the place of another: beside it, if that runs.
    fn replace(
        &self,
        operation: &mut Operation,
        next: &Installed,
        generation: &Generation,
    ) -> Result<PluginView, InstallError> {
        let name = &next.record.name;
        let state = self.runtime.as_ref().and_then(|runtime| runtime.state(name));
        match (&self.runtime, state) {
            (Some(runtime), Some(State::Running)) => {
                operation.step = OperationStep::Switch;
                self.store.note(operation)?;
                let before = self.record(name)?;
                let spec = spec(&self.store.as_installed(&before, generation)?)?;
                let was_known =
                    self.store.generations(name)?.iter().any(|known| known.content == generation.content);
                let mut is_kept = false;
                let replaced = runtime.replace(spec, &mut |step| {
                    let (record, step) = match step {
                        Step::Keep => {
                            (as_current(&self.record(name).map_err(text)?, next), OperationStep::Start)
                        }
                        Step::TakeBack if is_kept => (before.clone(), OperationStep::Switch),
                        _ => return Ok(()),
                    };
                    operation.step = step;
                    let generation = (step == OperationStep::Start).then_some(generation);
                    self.store.commit(&record, generation, operation).map_err(|why| why.to_string())?;
                    is_kept = step == OperationStep::Start;
                    if !is_kept && !was_known {
                        let forgotten = self.store.forget_generation(name, &next.record.content);
                        forgotten.map_err(|why| why.to_string())?;
                    }
                    Ok(())
                });
                if let Err(why) = replaced {
                    operation.step = OperationStep::Switch;
                    return Err(why.into());
                }
            }
            (runtime, _) => {
                let records = self.records();
                self.is_settled(name)?;
                let before = self.record(name)?;
                self.undo_migrations(&before, &next.record)?;
                operation.step = OperationStep::Start;
                self.store
                    .commit(&as_current(&before, next), Some(generation), operation)
                    .inspect_err(|_| operation.step = OperationStep::Switch)?;
                drop(records);
                if let Some(runtime) = runtime {
                    let plugin = self.installed(name)?;
                    runtime.announce_upgraded(name, &before.version, &plugin.record.version);
                    if plugin.record.enabled {
                        self.start(runtime, &plugin)?;
                    } else {
                        runtime.add(name, &plugin.record.version, State::Disabled);
                    }
                }
            }
        }
        operation.step = OperationStep::Prune;
        self.store.note(operation)?;
        let plugin = self.installed(name)?;
        self.store.prune(&plugin.record, self.packages.keep)?;
        Ok(self.view(&plugin))
    }

    /// Brings the tables of a plugin that does not run back to what another version knows, if that is less.
    fn undo_migrations(&self, from: &Record, to: &Record) -> Result<(), InstallError> {
        let folder = |record: &Record| self.store.folder(&record.name, &record.content);
        let permissions = from.permissions.iter().map(String::as_str);
        Ok(self.kept.databases.finish(&from.name, permissions, &folder(from), &folder(to))?)
    }

    pub(super) fn record(&self, name: &str) -> Result<Record, InstallError> {
        let record = if name.parse::<PluginName>().is_ok() { self.store.record(name)? } else { None };
        record.ok_or_else(|| InstallError::NotInstalled { plugin: name.chars().take(80).collect() })
    }

    fn refuse_installed(&self, name: &str) -> Result<(), InstallError> {
        match self.store.get(name)? {
            Some(before) => Err(InstallError::AlreadyInstalled {
                plugin: name.to_owned(),
                version: before.record.version,
            }),
            None => Ok(()),
        }
    }

    /// Refuses what is no upgrade.
    fn refuse_older(&self, record: &Record, opened: &Opened) -> Result<(), InstallError> {
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

    fn forget_upload(&self, source: &Source) {
        // It goes at the next start if it cannot go now.
        if let Source::Uploaded(hash) = source {
            let _ = self.packages.incoming.remove(hash);
        }
    }

    pub(super) fn installing(&self) -> MutexGuard<'_, ()> {
        self.installs.lock().unwrap_or_else(PoisonError::into_inner)
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
