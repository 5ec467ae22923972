//! Why an administration of plugins was not done.

use crate::{loader::ProbeError, plugin_config::ConfigError, runtime::RuntimeError, store::StoreError};

/// Why it was not done. Each has a stable code.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no plugin of this name.
    #[error("no plugin `{plugin}` is installed; `streamspace plugin list` shows those that are")]
    NotInstalled {
        /// The name asked for.
        plugin: String,
    },
    /// There is one already.
    #[error("the plugin `{plugin}` is installed already, in version {version}: uninstall it first")]
    AlreadyInstalled {
        /// The plugin.
        plugin: String,
        /// The version that is installed.
        version: String,
    },
    /// The configuration, or the schema that it is held against, is not valid.
    #[error(
        "the plugin `{plugin}` cannot use its configuration. {source} Set it with `streamspace plugin config set {plugin} FILE`."
    )]
    Config {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// A configuration is not an object.
    #[error("the configuration of `{plugin}`: expected a JSON object, found another JSON value")]
    NotAnObject {
        /// The plugin.
        plugin: String,
    },
    /// The library is not a plugin.
    #[error("the library {library} of `{plugin}` is refused: {source}")]
    Library {
        /// The plugin.
        plugin: String,
        /// The file's name.
        library: String,
        /// Why.
        source: ProbeError,
    },
    /// The library is another plugin than the manifest says.
    #[error(
        "the library of `{plugin}` is refused: expected {expected}, which is what the manifest says, found {found}. \
         Build it anew, or correct the manifest"
    )]
    OtherPlugin {
        /// The plugin.
        plugin: String,
        /// Name and version of the manifest.
        expected: String,
        /// Name and version in the library.
        found: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl InstallError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "SSP-PLG-001",
            Self::AlreadyInstalled { .. } => "SSP-PLG-002",
            Self::Config { source, .. } => source.code(),
            Self::NotAnObject { .. } => "SSP-CFG-005",
            Self::Store(StoreError::Manifest { source, .. }) => source.code(),
            Self::Store(StoreError::NoLibrary { .. }) => "SSP-PLG-003",
            Self::Store(StoreError::File { .. }) => "SSP-PLG-004",
            Self::Store(StoreError::Io { .. }) => "SSP-PLG-005",
            Self::Store(StoreError::Damaged { .. }) => "SSP-PLG-006",
            Self::Library { .. } => "SSP-PLG-010",
            Self::OtherPlugin { .. } => "SSP-PLG-011",
            Self::Runtime(RuntimeError::State { .. }) => "SSP-PLG-007",
            Self::Runtime(RuntimeError::Stopping { .. }) => "SSP-PLG-012",
            Self::Runtime(RuntimeError::Start { .. }) => "SSP-PLG-008",
            Self::Runtime(RuntimeError::Stop { .. }) => "SSP-PLG-009",
        }
    }
}
