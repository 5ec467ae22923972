//! Why a plugin's routes are not accepted.

/// Why a plugin's routes are not accepted: the plugin does not load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path is not one.
    #[error("the route `{method} {path}`: {why}")]
    Path {
        /// The route's method.
        method: String,
        /// The route's path.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is there twice.
    #[error("the route `{method} {path}` is registered twice: expected each method once for a path")]
    Duplicate {
        /// The route's method.
        method: String,
        /// The route's path.
        path: String,
    },
    /// Another path matches the same requests.
    #[error(
        "the routes `{path}` and `{with}` match the same requests: give their parameters the same names, or other paths"
    )]
    Conflict {
        /// The route's path.
        path: String,
        /// The other's.
        with: String,
    },
    /// Something else about it is not valid.
    #[error("the route `{method} {path}`: {why}")]
    Invalid {
        /// The route's method.
        method: String,
        /// The route's path.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl RouteError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path { .. } => "SSP-RTE-001",
            Self::Duplicate { .. } => "SSP-RTE-002",
            Self::Conflict { .. } => "SSP-RTE-003",
            Self::Invalid { .. } => "SSP-RTE-004",
        }
    }
}
