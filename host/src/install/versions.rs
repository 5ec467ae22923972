//! The versions of a plugin that are kept, and the one that it stays at.

use semver::Version;

use super::{GenerationView, InstallError, PluginView, Plugins};

impl Plugins {
    /// The versions of a plugin whose files are kept, the newest first.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`].
    pub fn generations(&self, name: &str) -> Result<Vec<GenerationView>, InstallError> {
        let record = self.record(name)?;
        let all = self.store.generations(name)?;
        Ok(all.iter().map(|generation| GenerationView::new(generation, &record)).collect())
    }

    /// Has a plugin stay at a version: at this one, or at the one that is installed. Answers which.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`], [`InstallError::NoVersion`].
    pub fn pin(&self, name: &str, version: Option<&str>) -> Result<PluginView, InstallError> {
        let _records = self.records();
        let plugin = self.installed(name)?;
        let version = version.unwrap_or(&plugin.record.version);
        if Version::parse(version).is_err() {
            return Err(InstallError::NoVersion { found: version.chars().take(80).collect() });
        }
        self.store.set_pin(name, Some(version))?;
        Ok(self.view(&plugin))
    }

    /// Has a plugin be upgraded again.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`].
    pub fn unpin(&self, name: &str) -> Result<PluginView, InstallError> {
        let _records = self.records();
        let plugin = self.installed(name)?;
        self.store.set_pin(name, None)?;
        Ok(self.view(&plugin))
    }
}
