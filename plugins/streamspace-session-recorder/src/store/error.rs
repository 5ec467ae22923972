//! Why a recording cannot be written or read, and what is wrong with a file.

use std::{fmt, io, path::PathBuf};

use crate::scene::Moment;

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refuses.
    #[error("{doing} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, such as `writing`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },

    /// A file is not what was written.
    #[error(transparent)]
    Fault(#[from] Fault),

    /// The recording is encrypted.
    #[error(
        "the recording {recording} is encrypted: expected its data key, found none. Unwrap `{file}` with the master key"
    )]
    Locked {
        /// Its id.
        recording: String,
        /// Where the wrapped key is.
        file: &'static str,
    },

    /// A key that is not what was wrapped, or another recording's.
    #[error("the wrapped key {path}: {why}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        why: String,
    },

    /// A scene that cannot stand where it was put. The writer goes on without it.
    #[error("a scene at {at}: expected {expected}, found {found}", at = at.0)]
    Scene {
        /// When, in microseconds.
        at: Moment,
        /// What could have stood there.
        expected: &'static str,
        /// What was put.
        found: String,
    },

    /// Writing failed before; what came before that is kept.
    #[error("the recording takes no more: writing it failed before")]
    Failed,

    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),

    /// What was asked for cannot be.
    #[error("{what}: expected {expected}, found {found}")]
    Unexpected {
        /// What was read.
        what: &'static str,
        /// What could have stood there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
}

/// The first thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} at byte {offset}, {place}: {wrong}", path = path.display(), place = Place(self))]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The number of the block, from 0; none if it is the head or the end of the file.
    pub block: Option<u64>,
    /// Where the block begins, in bytes.
    pub offset: u64,
    /// When what is in it happened; when what is before it ended, if that cannot be read.
    pub at: Moment,
    /// What is wrong with it.
    pub wrong: Wrong,
}

struct Place<'a>(&'a Fault);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.block {
            Some(block) => write!(f, "block {block}, {} µs", self.0.at.0),
            None => write!(f, "{} µs", self.0.at.0),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// A sum is not that of the bytes: they were changed by accident.
    #[error("crc: expected {found:08x}, the sum of the bytes, found {written:08x}")]
    Crc {
        /// What stands there.
        written: u32,
        /// What the bytes have.
        found: u32,
    },
    /// The hash is not that of what came before and the block: it was changed on purpose, or does not belong here.
    #[error("chain: the hash is not that of what came before and this block")]
    Chain,
    /// It cannot be decrypted: the key is another one, or it was changed by somebody without the key.
    #[error("cipher: this key did not encrypt it, or it was changed")]
    Cipher,
    /// Something is missing, repeated, or in another place.
    #[error("order: expected {expected}, found {found}")]
    Order {
        /// What had to come.
        expected: String,
        /// What came.
        found: String,
    },
    /// The file ends too early.
    #[error("truncated: expected {missing} more bytes at least")]
    Truncated {
        /// How many bytes are missing at least.
        missing: u64,
    },
    /// What has good sums and cannot be.
    #[error("content: {what}: expected {expected}, found {found}")]
    Content {
        /// What was read.
        what: &'static str,
        /// What could have stood there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

impl Wrong {
    /// One word for it: `crc`, `chain`, `cipher`, `order`, `truncated` or `content`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crc { .. } => "crc",
            Self::Chain => "chain",
            Self::Cipher => "cipher",
            Self::Order { .. } => "order",
            Self::Truncated { .. } => "truncated",
            Self::Content { .. } => "content",
        }
    }

    pub(super) fn content(what: &'static str, expected: impl ToString, found: impl ToString) -> Self {
        Self::Content { what, expected: expected.to_string(), found: found.to_string() }
    }

    pub(super) fn order(expected: impl ToString, found: impl ToString) -> Self {
        Self::Order { expected: expected.to_string(), found: found.to_string() }
    }
}
