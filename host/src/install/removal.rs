//! Uninstalling.

use streamspace_plugin::manifest::PluginName;

use super::{InstallError, Plugins};
use crate::{
    runtime::State,
    store::{Operation, OperationKind, OperationStep},
};

impl Plugins {
    /// Stops a plugin and removes it. What it has stored waits for another installation, unless `purge` says that it goes
    /// too. With `purge`, a plugin that was uninstalled before is purged now.
    ///
    /// # Errors
    ///
    /// [`InstallError`], also when it does not stop in time; it is installed still then.
    pub fn uninstall(&self, name: &str, purge: bool) -> Result<(), InstallError> {
        // What is purged is not what another installation has stored since.
        let _installing = self.installing();
        match self.installed(name) {
            Ok(_) => {}
            // What is damaged is to be got rid of too.
            Err(InstallError::Store(why)) if why.is_damage() => {}
            // The name becomes a path: only what can be a plugin's is one.
            Err(InstallError::NotInstalled { .. }) if purge && name.parse::<PluginName>().is_ok() => {
                return self.purge(name);
            }
            Err(why) => return Err(why),
        }
        let mut operation = Operation::new(name, OperationKind::Uninstall, OperationStep::Stop);
        operation.purge = purge;
        self.as_one(&mut operation, |operation| {
            if let Some(runtime) = &self.runtime
                && runtime.state(name).is_some()
            {
                runtime.stop(name, State::Installed)?;
                runtime.remove(name)?;
            }
            let _records = self.records();
            operation.step = OperationStep::Remove;
            self.store.forget(operation)?;
            self.finish_uninstall(operation)
        })
    }

    /// Removes what is left of a plugin that nothing is written down of any more.
    pub(super) fn finish_uninstall(&self, operation: &Operation) -> Result<(), InstallError> {
        self.store.remove_files(&operation.plugin)?;
        if operation.purge { self.purge(&operation.plugin) } else { Ok(()) }
    }

    fn purge(&self, name: &str) -> Result<(), InstallError> {
        self.kept.storage.purge(name)?;
        Ok(self.kept.databases.purge(name)?)
    }
}
