//! Why an administration of plugins was not done.

use crate::{
    loader::{Refusal, VerdictsError},
    plugin_config::ConfigError,
    runtime::RuntimeError,
    scheduler::NotRun,
    storage::StorageError,
    store::{DatabaseError, RecordError, StoreError},
};

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
    /// What is to take a plugin's place is another plugin.
    #[error("the folder holds the plugin `{found}`: expected another version of `{plugin}`")]
    OtherPlugin {
        /// The plugin that is to be upgraded.
        plugin: String,
        /// The one that was found.
        found: String,
    },
    /// It is what is installed already.
    #[error("version {version} of the plugin `{plugin}` with these very files is installed already")]
    Same {
        /// The plugin.
        plugin: String,
        /// Its version.
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
    /// The library is refused.
    #[error(transparent)]
    Library(Box<Refusal>),
    /// What is known of libraries.
    #[error(transparent)]
    Verdicts(#[from] VerdictsError),
    /// There is no such dead letter.
    #[error(
        "the plugin `{plugin}` has no dead letter {event}. `streamspace dead-letters list {plugin}` lists them"
    )]
    NoDeadLetter {
        /// The plugin.
        plugin: String,
        /// The event.
        event: uuid::Uuid,
    },
    /// There is no such job.
    #[error("the plugin `{plugin}` has no job `{job}`. `streamspace plugin jobs {plugin}` lists them")]
    NoJob {
        /// The plugin.
        plugin: String,
        /// The job.
        job: String,
    },
    /// The job cannot be run now.
    #[error(
        "the job `{job}` of the plugin `{plugin}` cannot be run now: {source}. Try again when that has changed"
    )]
    NotRun {
        /// The plugin.
        plugin: String,
        /// The job.
        job: String,
        /// Why.
        source: NotRun,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A plugin's keys and values.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A plugin's tables.
    #[error(transparent)]
    Tables(#[from] crate::database::DatabaseError),
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
            Self::OtherPlugin { .. } => "SSP-UPG-002",
            Self::Same { .. } => "SSP-UPG-003",
            Self::Config { source, .. } => source.code(),
            Self::NotAnObject { .. } => "SSP-CFG-005",
            Self::Store(StoreError::Manifest { source, .. }) => source.code(),
            Self::Store(StoreError::NoLibrary { .. }) => "SSP-PLG-003",
            Self::Store(StoreError::File { .. }) => "SSP-PLG-004",
            Self::Store(StoreError::Io { .. }) => "SSP-PLG-005",
            Self::Store(StoreError::Damaged { .. } | StoreError::Record(RecordError::Config { .. })) => {
                "SSP-PLG-006"
            }
            Self::Store(StoreError::Database(why) | StoreError::Record(RecordError::Database(why))) => {
                why.code()
            }
            Self::Store(StoreError::Secret(why) | StoreError::Record(RecordError::Secret(why))) => why.code(),
            Self::NoDeadLetter { .. } => "SSP-EVT-010",
            Self::NoJob { .. } => "SSP-JOB-005",
            Self::NotRun { .. } => "SSP-JOB-006",
            Self::Database(why) => why.code(),
            Self::Storage(_) => "SSP-DAT-031",
            Self::Tables(why) => why.code(),
            Self::Library(refusal) => refusal.code(),
            Self::Verdicts(why) => why.code(),
            Self::Runtime(RuntimeError::State { .. }) => "SSP-PLG-007",
            Self::Runtime(RuntimeError::Stopping { .. }) => "SSP-PLG-012",
            Self::Runtime(RuntimeError::Start { .. }) => "SSP-PLG-008",
            Self::Runtime(RuntimeError::Stop { .. }) => "SSP-PLG-009",
            Self::Runtime(RuntimeError::Replace { .. }) => "SSP-UPG-001",
        }
    }
}

impl From<Refusal> for InstallError {
    fn from(refusal: Refusal) -> Self {
        Self::Library(Box::new(refusal))
    }
}
