//! The host's half of `config/1`.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use streamspace_plugin::{
    abi::{Capability, Handle, IntoTable, Outcome, RString, guard},
    config::{ConfigSource, ConfigSourceRef},
};

use crate::handles::{Handles, Opened};

/// The configuration of one plugin as the plugin gets it.
pub(crate) struct PluginConfig {
    current: ArcSwap<String>,
}

impl PluginConfig {
    /// `current` is a JSON object, valid and with the defaults applied.
    pub(crate) fn new(current: String) -> Self {
        Self { current: ArcSwap::from_pointee(current) }
    }

    pub(crate) fn replace(&self, current: String) {
        self.current.store(Arc::new(current));
    }
}

impl std::fmt::Debug for PluginConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It holds secrets in clear.
        f.write_str("PluginConfig")
    }
}

static CONFIGS: LazyLock<Handles<PluginConfig>> = LazyLock::new(Handles::new);

/// Gives a plugin its half.
pub(crate) fn open(config: Arc<PluginConfig>) -> (Capability, Opened) {
    let opened = CONFIGS.open(config);
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> ConfigSourceRef {
    static TABLE: LazyLock<ConfigSourceRef> = LazyLock::new(|| ConfigSource { current }.leak_into_prefix());
    *TABLE
}

extern "C" fn current(handle: Handle) -> Outcome<RString> {
    guard("the host's `current`", || {
        CONFIGS.with(handle, |config| Ok(RString::from(config.current.load().as_str())))
    })
    .and_then(|answer| answer)
    .into()
}
