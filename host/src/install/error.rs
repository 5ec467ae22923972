//! Why an administration of plugins was not done.

use std::path::PathBuf;

use streamspace_package::PackageError;

use super::resolve::Clash;
use crate::{
    loader::{Refusal, VerdictsError},
    plugin_config::ConfigError,
    runtime::RuntimeError,
    scheduler::NotRun,
    storage::StorageError,
    store::{DatabaseError, RecordError, StoreError, TrustError},
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
    #[error(
        "the plugin `{plugin}` is installed already, in version {version}: upgrade it with a package of another version \
         (`streamspace plugin upgrade`), or uninstall it first"
    )]
    AlreadyInstalled {
        /// The plugin.
        plugin: String,
        /// The version that is installed.
        version: String,
    },
    /// A package is not taken.
    #[error("{}: {source}", file.display())]
    Package {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Box<PackageError>,
    },
    /// A plugin is not trusted any more, or something about trust was not done.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A package is unsigned, and it is of another plugin than the one that may be.
    #[error(
        "{} is not signed by anybody who is trusted here: expected a package of `{allowed}`, which may be unsigned, found one \
         of `{found}`. Look into it with `streamspace package inspect`",
        file.display()
    )]
    OtherUnsigned {
        /// The file.
        file: PathBuf,
        /// The plugin that may be unsigned.
        allowed: String,
        /// The plugin that it is of.
        found: String,
    },
    /// What is to be done is not what was consented to.
    #[error(
        "`{plugin}` {version} is not installed without consent to what changes: expected the digest of the plan, {expected}, \
         found {}. Look at the plan with `streamspace plugin plan FILE|NAME`, and give its digest with `--consent`",
        if found.is_empty() { "none" } else { found }
    )]
    NotConsented {
        /// The plugin.
        plugin: String,
        /// The version.
        version: String,
        /// The digest.
        expected: String,
        /// What was given.
        found: String,
    },
    /// What changes is not approved by the configuration.
    #[error(
        "`{plugin}` {version} is not installed by `--yes` alone: the configuration does not approve {}. Look at the plan with \
         `streamspace plugin plan FILE|NAME` and give its digest with `--consent`, or add to `packages.preapproved`",
        items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
    )]
    NotPreapproved {
        /// The plugin.
        plugin: String,
        /// The version.
        version: String,
        /// What is not approved.
        items: Vec<String>,
    },
    /// It is older than what is installed.
    #[error(
        "the plugin `{plugin}` is installed in version {installed}, and {found} is older: an upgrade goes forward alone. Go \
         back with `streamspace plugin rollback {plugin}`, as far as versions are kept"
    )]
    Older {
        /// The plugin.
        plugin: String,
        /// The version that is installed.
        installed: String,
        /// The version in the package.
        found: String,
    },
    /// The plugin stays at a version.
    #[error(
        "the plugin `{plugin}` is pinned to version {pinned}, and {found} is another: `streamspace plugin pin {plugin} --off` \
         lets it go"
    )]
    Pinned {
        /// The plugin.
        plugin: String,
        /// Where it stays.
        pinned: String,
        /// The other version.
        found: String,
    },
    /// It cannot be beside another plugin.
    #[error(
        "`{}` {} and `{}` {} cannot be beside each other: `{}` says that it conflicts with `{}` {}. Nothing was changed. Take \
         another version of one of them, or uninstall the one that you do not need (`streamspace plugin uninstall NAME`)",
        _0.plugin, _0.version, _0.other, _0.found, _0.plugin, _0.other, _0.range
    )]
    Clash(Box<Clash>),
    /// A package is not the one that the index says.
    #[error(
        "a package is not what its catalogue says: expected {expected}, found {found}. Tell whoever hosts the catalogue"
    )]
    OtherPackage {
        /// Name, version and hash.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A version is not kept.
    #[error(
        "the plugin `{plugin}` cannot go back: expected {wanted} among the versions that are kept, found {}. Install a package \
         of it",
        if kept.is_empty() { "none besides the current one".to_owned() } else { kept.join(", ") }
    )]
    NoGeneration {
        /// The plugin.
        plugin: String,
        /// What was asked for.
        wanted: String,
        /// The versions that are kept.
        kept: Vec<String>,
    },
    /// A text is no version.
    #[error("`{found}` is no version: expected one such as 1.2.0")]
    NoVersion {
        /// What was given.
        found: String,
    },
    /// There is no such upload.
    #[error(
        "no package `{package}` was uploaded, or it waits no longer: upload it again (`POST /api/v1/packages`). Uploads are \
         kept until the host stops, and the newest eight of them"
    )]
    NotUploaded {
        /// The hash asked for.
        package: String,
    },
    /// What is to take a plugin's place is another plugin.
    #[error("what was given is the plugin `{found}`: expected another version of `{plugin}`")]
    OtherPlugin {
        /// The plugin that is to be upgraded.
        plugin: String,
        /// The one that was found.
        found: String,
    },
    /// Something else is installed, upgraded or removed, and takes long.
    #[error(
        "nothing else can be installed, upgraded or removed now: {what}, for {seconds} s so far, and one thing is done at a \
         time. Try again when it is over; `streamspace plugin list` shows when"
    )]
    UnderWay {
        /// What is done.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// What was begun with a plugin before cannot be brought to an end.
    #[error(
        "nothing is begun with the plugin `{plugin}`: the {what} before broke off, and what it left cannot be brought to an end: \
         {source}. Correct that and try again"
    )]
    NotEnded {
        /// The plugin.
        plugin: String,
        /// What was begun.
        what: &'static str,
        /// Why not.
        source: Box<Self>,
    },
    /// The record of a plugin was changed while another version was made ready.
    #[error(
        "the plugin `{plugin}` was configured, enabled or disabled while the new version was made ready: try again"
    )]
    ChangedMeanwhile {
        /// The plugin.
        plugin: String,
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
            Self::Package { source, .. } | Self::Store(StoreError::Package(source)) => source.code(),
            Self::Trust(why) => why.code(),
            Self::OtherUnsigned { .. } => "SSP-TRU-011",
            Self::Store(StoreError::Changed { .. }) => "SSP-PLG-013",
            Self::NotConsented { .. } => "SSP-PLG-014",
            Self::NotPreapproved { .. } => "SSP-PLG-015",
            Self::Older { .. } => "SSP-PLG-016",
            Self::Pinned { .. } => "SSP-PLG-017",
            Self::Clash(_) => "SSP-DEP-008",
            Self::OtherPackage { .. } => "SSP-DEP-005",
            Self::NoGeneration { .. } => "SSP-PLG-018",
            Self::NotUploaded { .. } => "SSP-PLG-019",
            Self::NoVersion { .. } => "SSP-PLG-020",
            Self::UnderWay { .. } => "SSP-PLG-021",
            Self::NotEnded { .. } => "SSP-PLG-022",
            Self::ChangedMeanwhile { .. } => "SSP-PLG-023",
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
