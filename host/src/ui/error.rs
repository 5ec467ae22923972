//! Why what a plugin contributes is not accepted.

use crate::store::StoreError;

/// Why what a plugin contributes is not accepted: the plugin does not load.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// A field of a contribution is not valid.
    #[error("the {kind} `{id}`: `{field}`: expected {expected}, found {found}")]
    Field {
        /// What it is: `widget`.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The field.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// It is there twice.
    #[error(
        "the {kind} `{id}` is there twice: expected each id once among the plugin's contributions of a kind"
    )]
    Duplicate {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// Another page has the same address.
    #[error(
        "the {kind} `{id}`: `path`: expected an address of its own, found `{path}`, which `{with}` has too"
    )]
    SamePath {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The address.
        path: String,
        /// The id of the other.
        with: String,
    },
    /// A view is not one.
    #[error("the {kind} `{id}`: {why}")]
    View {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
        /// What is wrong with the view, and where.
        why: String,
    },
    /// Its component's module is not among the plugin's assets.
    #[error(
        "the {kind} `{id}`: `module`: expected a JavaScript file below the package's `ui/`, found {module:?}, which is not there"
    )]
    Module {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The file.
        module: String,
    },
    /// There are too many.
    #[error("expected at most {limit} contributions of one plugin, found {found}")]
    TooMany {
        /// The most.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// Their views are too large together.
    #[error("expected at most {limit} bytes of views of one plugin, found {found}")]
    TooLarge {
        /// The most.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// This host does not know the kind.
    #[error(
        "the contribution `{id}`: expected a kind from 1 to 6, found {found}: this host is too old for it"
    )]
    Kind {
        /// Its id.
        id: String,
        /// The number of the kind.
        found: u32,
    },
    /// The assets cannot be read.
    #[error("its assets: {0}")]
    Assets(StoreError),
}

impl UiError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "SSP-UIC-001",
            Self::Duplicate { .. } => "SSP-UIC-002",
            Self::SamePath { .. } => "SSP-UIC-003",
            Self::View { .. } => "SSP-UIC-004",
            Self::Module { .. } => "SSP-UIC-005",
            Self::TooMany { .. } => "SSP-UIC-006",
            Self::Kind { .. } => "SSP-UIC-007",
            Self::Assets(_) => "SSP-UIC-008",
            Self::TooLarge { .. } => "SSP-UIC-009",
        }
    }
}
