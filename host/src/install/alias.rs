//! Names of other plugins in whose place one is.

use std::borrow::Cow;

use streamspace_plugin::manifest::PluginName;

use super::{InstallError, Plugins};
use crate::store::Listed;

impl Plugins {
    /// The name of the plugin that is meant: the one of this name, or else the one that is in its place (`aliases` in its manifest).
    /// A name that nobody has stays as it is.
    ///
    /// # Errors
    ///
    /// [`InstallError::Store`].
    pub(super) fn own_name<'n>(&self, name: &'n str) -> Result<Cow<'n, str>, InstallError> {
        let Ok(wanted) = name.parse::<PluginName>() else { return Ok(name.into()) };
        // What is installed is what it is called, whatever others claim.
        if self.store.record(name)?.is_some() {
            return Ok(name.into());
        }
        let stands_for = |listed: Listed| {
            let plugin = listed.plugin.ok()?;
            plugin.manifest.aliases.contains(&wanted).then_some(plugin.record.name)
        };
        // Two of them are not installed: each conflicts with the alias. Where they are all the same, nobody is meant.
        let mut all = self.store.list()?.into_iter().filter_map(stands_for);
        match (all.next(), all.next()) {
            (Some(own), None) => Ok(own.into()),
            _ => Ok(name.into()),
        }
    }
}
