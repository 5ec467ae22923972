use std::path::PathBuf;

use streamspace_plugin::abi::FaultKind;

const UNUSABLE: &str = "SSP-DAT-201";
const DAMAGED: &str = "SSP-DAT-202";
const FULL: &str = "SSP-DAT-203";
const UNREACHABLE: &str = "SSP-DAT-204";
const REFUSED: &str = "SSP-DAT-205";

/// Why nothing was read or changed. Names keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The manifest does not ask for it.
    #[error(
        "the plugin `{plugin}` may not use storage: add \"storage\" to the `permissions` of its manifest"
    )]
    Denied {
        /// The plugin.
        plugin: String,
    },
    /// A key, prefix or change is not valid.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// Which one.
        what: String,
        /// What was expected, and what was found.
        reason: String,
    },
    /// A condition does not hold.
    #[error("the key `{key}` was changed: expected {expected}, found {found}. Nothing of the call was done")]
    Conflict {
        /// The key.
        key: String,
        /// The condition.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Something is larger than it may be.
    #[error("{what} is too large: expected at most {limit}, found {found}")]
    TooLarge {
        /// What.
        what: String,
        /// How much there may be of it, with the unit.
        limit: String,
        /// How much there is of it.
        found: String,
    },
    /// The plugin's file may not grow.
    #[error(
        "the plugin's storage is full: it may have {limit} bytes (`database.max_plugin_bytes`). Delete keys, or ask \
         the operator for more ({code})",
        code = FULL
    )]
    Full {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Others had their turn for too long.
    #[error(
        "the storage was busy for {secs} s (`database.wait_deadline_secs`). Nothing was changed; try again"
    )]
    Busy {
        /// How long was waited.
        secs: u64,
    },
    /// No answer came in time.
    #[error(
        "the storage did not answer within {secs} s (`database.wait_deadline_secs`). A change may have been made or not"
    )]
    TimedOut {
        /// How long was waited.
        secs: u64,
    },
    /// The file cannot be used.
    #[error(
        "the plugin's storage {} cannot be used: {reason}. Look whether its disk is full, and who owns the data folder \
         ({code})",
        path.display(),
        code = UNUSABLE
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        reason: String,
    },
    /// The file is damaged, or no storage at all.
    #[error(
        "the plugin's storage {} is damaged: {reason}. Restore it from a backup, or remove it ({code})",
        path.display(),
        code = DAMAGED
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// PostgreSQL cannot be reached, or takes nothing at the moment.
    #[error("the storage cannot be reached: {reason}. Try again later ({code})",
        code = UNREACHABLE)]
    Unreachable {
        /// What the server or the network said.
        reason: String,
    },
    /// PostgreSQL refused a statement of the host's.
    #[error(
        "PostgreSQL refused what the storage needs: {reason}. Look at the rights of the user of `database.url` \
         ({code})",
        code = REFUSED
    )]
    Refused {
        /// What the server said.
        reason: String,
    },
    /// The call that did the work for this one ended in a panic.
    #[error("the storage failed within itself. Nothing was changed, or all of the call")]
    Failed,
}

impl StorageError {
    pub(super) fn kind(&self) -> FaultKind {
        match self {
            Self::Denied { .. } => FaultKind::DENIED,
            Self::Invalid { .. } => FaultKind::INVALID,
            Self::Conflict { .. } => FaultKind::CONFLICT,
            Self::TooLarge { .. } | Self::Full { .. } => FaultKind::TOO_LARGE,
            Self::Busy { .. } => FaultKind::BUSY,
            Self::TimedOut { .. } => FaultKind::TIMED_OUT,
            Self::File { .. } | Self::Unreachable { .. } => FaultKind::UNREACHABLE,
            Self::Damaged { .. } | Self::Refused { .. } | Self::Failed => FaultKind::FAILED,
        }
    }

    /// Whether the changes of one caller may be the reason, so that those of others may succeed without them.
    pub(super) fn may_be_one_callers(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::File { .. } | Self::Refused { .. })
    }
}
