//! What can be wrong with a manifest, and what is only worth a word.

use std::fmt;

use super::MAX_BYTES;

/// Why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The document is larger than [`MAX_BYTES`]. It was not parsed.
    #[error(
        "The manifest is {size} bytes long; at most {MAX_BYTES} bytes are read. \
         Keep assets and translations in files of their own and only name them in the manifest."
    )]
    TooLarge {
        /// Bytes received.
        size: usize,
    },
    /// The document is not JSON.
    #[error(
        "The manifest is not valid JSON at line {line}, column {column}: {reason}. \
         Correct it there; comments and trailing commas are not part of JSON."
    )]
    Syntax {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault in bytes, from 1; 0 where the fault is before the line's first byte.
        column: usize,
        /// What the parser met.
        reason: String,
    },
    /// The document is JSON but breaks the manifest's rules.
    #[error("The manifest has {}: {}", count(.0.len()), joined(.0))]
    Invalid(Vec<Finding>),
}

impl ManifestError {
    /// The stable code of this error, for documentation and machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "SSP-MAN-001",
            Self::Syntax { .. } => "SSP-MAN-002",
            Self::Invalid(_) => "SSP-MAN-003",
        }
    }

    /// The single findings of [`ManifestError::Invalid`]; empty for the other variants.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Invalid(findings) => findings,
            _ => &[],
        }
    }
}

/// One rule a manifest breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Where: `ui.pages[0].title`; empty for the document itself.
    pub path: String,
    /// Line and column, both from 1, where the parser knows them.
    pub position: Option<(usize, usize)>,
    /// What was expected, what was found, and what to do.
    pub problem: String,
}

impl Finding {
    pub(super) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), position: None, problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str("the document")?,
            path => write!(f, "`{path}`")?,
        }
        if let Some((line, column)) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Something in a valid manifest that its author probably did not mean.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Where: `ui.pages[0].titel`.
    pub path: String,
    /// What is odd about it, and what to do.
    pub message: String,
}

impl Warning {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "`{path}`: {}", self.message),
        }
    }
}

fn count(findings: usize) -> String {
    match findings {
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    }
}

fn joined(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
}
