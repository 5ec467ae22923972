//! Uninstalling.

use streamspace_plugin::manifest::PluginName;

use super::{InstallError, Plugins};
use crate::{
    runtime::{RuntimeError, State},
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
        let _turn = self.turns.take()?;
        let begun = self.end_begun(name)?;
        let was_going = begun.is_some_and(|begun| begun.step == OperationStep::Remove);
        match self.installed(name) {
            Ok(_) => {}
            // What is damaged is to be got rid of too.
            Err(InstallError::Store(why)) if why.is_damage() => {}
            Err(InstallError::NotInstalled { .. }) if was_going && !purge => return Ok(()),
            // The name becomes a path: only what can be a plugin's is one.
            Err(InstallError::NotInstalled { .. }) if purge && name.parse::<PluginName>().is_ok() => {
                return self.purge(name);
            }
            Err(why) => return Err(why),
        }
        let mut operation = Operation::new(name, OperationKind::Uninstall, OperationStep::Stop);
        operation.purge = purge;
        self.as_one(&mut operation, |operation| {
            if let Some(runtime) = &self.runtime {
                runtime.stop(name, State::Installed)?;
            }
            {
                let _records = self.records();
                self.is_at_rest(name)?;
                operation.step = OperationStep::Remove;
                self.store.forget(operation)?;
                // Not before: what it waits for in the event log goes with it.
                if let Some(runtime) = self.runtime.as_ref().filter(|runtime| runtime.state(name).is_some()) {
                    runtime.remove(name)?;
                }
            }
            self.finish_uninstall(operation)
        })
    }

    /// Sees that nobody has started a plugin that was stopped.
    fn is_at_rest(&self, name: &str) -> Result<(), InstallError> {
        match self.runtime.as_ref().and_then(|runtime| runtime.state(name)) {
            Some(state) if !state.is_at_rest() => {
                let (plugin, state, what) = (name.to_owned(), state.name(), "removing it");
                Err(RuntimeError::State { plugin, state, what }.into())
            }
            _ => Ok(()),
        }
    }

    /// Removes what is left of a plugin that nothing is written down of any more.
    pub(super) fn finish_uninstall(&self, operation: &Operation) -> Result<(), InstallError> {
        let plugin = &operation.plugin;
        if let Some(runtime) = &self.runtime {
            runtime.bus().forget(plugin);
        }
        self.letters.forget(plugin)?;
        self.store.remove_files(plugin)?;
        if operation.purge { self.purge(plugin) } else { Ok(()) }
    }

    fn purge(&self, name: &str) -> Result<(), InstallError> {
        self.kept.storage.purge(name)?;
        Ok(self.kept.databases.purge(name)?)
    }
}
