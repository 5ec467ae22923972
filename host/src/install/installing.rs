//! Installing a plugin that is not there yet, and what it has in common with upgrading: unpacking, and trying what came.

use std::path::Path;

use streamspace_plugin::Facts;

use super::{
    AllowUnsigned, Consent, InstallError, Plan, PluginView, Plugins, Source, package::Opened,
    present::Together,
};
use crate::{
    loader::{Identity, Refusal},
    plugin_config::ConfigSchema,
    runtime::State,
    store::{Imported, Installed, Operation, OperationKind, OperationStep, Store, StoreError},
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
        let _turn = self.turns.take()?;
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
        let _turn = self.turns.take()?;
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

    pub(super) fn plan_of(&self, opened: &Opened, before: Option<&Installed>) -> Result<Plan, InstallError> {
        let Some(before) = before else { return Ok(Plan::of(opened, None, 0)) };
        let generation = self.store.generation_of(&before.record)?;
        let folder = self.store.folder(&before.record.name, &before.record.content);
        let size = |name: &String| std::fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
        let bytes = generation.files.keys().map(size).sum();
        Ok(Plan::of(opened, Some((before, &generation)), bytes))
    }

    /// Unpacks a package into the store, and tries its library.
    pub(super) fn unpack(
        &self,
        operation: &mut Operation,
        opened: &mut Opened,
    ) -> Result<Imported, InstallError> {
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
    pub(super) fn admit_new(
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
            self.store.commit(&imported.record, Some(&imported.generation), operation)?;
            self.installed(name)?
        };
        if let Some(runtime) = &self.runtime {
            runtime.add(name, &plugin.record.version, State::Installed);
            runtime.announce_done("plugin.installed", name, &plugin.record.version);
            self.start(runtime, &plugin)?;
        }
        Ok(self.view(&plugin))
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

    pub(super) fn forget_upload(&self, source: &Source) {
        // It goes at the next start if it cannot go now.
        if let Source::Uploaded(hash) = source {
            let _ = self.packages.incoming.remove(hash);
        }
    }
}
