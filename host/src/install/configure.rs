//! The configuration of a plugin: shown, changed, and held against its schema.

use serde_json::Value;

use super::{InstallError, PluginView, Plugins, spec};
use crate::{
    plugin_config::{ConfigSchema, merge_patch},
    runtime::RuntimeError,
    store::Installed,
};

impl Plugins {
    /// The configuration in use, with the defaults and without the secrets.
    ///
    /// # Errors
    ///
    /// [`InstallError`].
    pub fn config(&self, name: &str) -> Result<Value, InstallError> {
        let name = &*self.own_name(name)?;
        let plugin = self.installed(name)?;
        let schema = schema(&plugin)?;
        let config = match schema.effective(&plugin.record.config) {
            Ok(effective) => effective.into_value(),
            // It is not complete yet: what there is of it.
            Err(_) => Value::Object(plugin.record.config.clone()),
        };
        Ok(schema.redact(&config))
    }

    /// Changes the configuration by a JSON merge patch (RFC 7396) and gives it to the plugin. A secret that comes back
    /// as it was shown stays what it is.
    ///
    /// # Errors
    ///
    /// [`InstallError::Config`] names everything that breaks the schema; nothing is changed then.
    pub fn set_config(&self, name: &str, patch: Value) -> Result<PluginView, InstallError> {
        let name = &*self.own_name(name)?;
        if !patch.is_object() {
            return Err(InstallError::NotAnObject { plugin: name.to_owned() });
        }
        if self.runtime.is_some() {
            // It may have to be loaded again with it.
            self.admissible(&self.installed(name)?)?;
        }
        let plugin = self.change(name, |plugin| {
            let schema = schema(plugin)?;
            let old = Value::Object(plugin.record.config.clone());
            let mut new = old.clone();
            merge_patch(&mut new, patch);
            let Value::Object(new) = schema.unredact(new, &old) else {
                return Err(InstallError::NotAnObject { plugin: name.to_owned() });
            };
            let effective = schema.effective(&new);
            effective.map_err(|source| InstallError::Config { plugin: name.to_owned(), source })?;
            plugin.record.config = new;
            // It is started anew with it.
            plugin.record.quarantine = None;
            Ok(())
        })?;
        if let Some(runtime) = &self.runtime {
            runtime.announce_updated(name, &plugin.record.version);
        }
        if let Some(runtime) = &self.runtime
            && plugin.record.enabled
        {
            match runtime.configure(spec(&plugin)?) {
                // Its state says why it does not run.
                Ok(()) | Err(RuntimeError::Start { .. }) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Ok(self.view(&plugin))
    }
}

pub(super) fn schema(plugin: &Installed) -> Result<ConfigSchema, InstallError> {
    ConfigSchema::compile(&plugin.manifest)
        .map_err(|source| InstallError::Config { plugin: plugin.record.name.clone(), source })
}
