//! How a call across the interface fails. Frozen.

use std::fmt;

use abi_stable::{
    StableAbi,
    std_types::{RResult, RString},
};

/// What kind of failure a [`Fault`] is. A number and not an enum, so that a newer side can send a kind that an older
/// one does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FaultKind(pub u32);

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl FaultKind {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The kind's name, or `None` if this side does not know it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

fault_kinds! {
    /// The other side reported a failure of its own; the message says which.
    FAILED = 1,
    /// Plugin code panicked; the message has what was said and where.
    PANICKED = 2,
    /// The handle names something that is gone: the plugin is being unloaded.
    CLOSED = 3,
    /// An argument is not valid; the message says which and why.
    INVALID = 4,
    /// The operator did not grant the permission that the call needs.
    DENIED = 5,
    /// The other side does not have this function or capability.
    UNSUPPORTED = 6,
    /// A limit of the host was reached; the message has the limit.
    TOO_LARGE = 7,
    /// A deadline passed.
    TIMED_OUT = 8,
    /// The call could block, and the thread must not: an `[inline]` handler runs on it.
    WOULD_BLOCK = 9,

    /// Outbound HTTP: the host name does not resolve.
    UNKNOWN_HOST = 101,
    /// Outbound HTTP: the name resolves only to addresses that the operator does not allow.
    ADDRESS_REFUSED = 102,
    /// Outbound HTTP: no connection could be made.
    CONNECT = 103,
    /// Outbound HTTP: the TLS handshake failed.
    TLS = 104,
    /// Outbound HTTP: the connection was lost before the answer was complete.
    CONNECTION_LOST = 105,
    /// Outbound HTTP: a redirect was refused, or there were too many.
    REDIRECT_REFUSED = 106,

    /// Data: a constraint of the data refused it.
    CONSTRAINT = 201,
    /// Data: another has it locked; try again.
    BUSY = 202,
    /// Data: the database refused the statement; the message has its words.
    SQL = 203,
    /// Data: a condition on a stored value did not hold.
    CONFLICT = 204,
    /// Data: the database cannot be reached, or its disk is full; try later.
    UNREACHABLE = 205,

    /// Platform: there is nothing of this name or id.
    NOT_FOUND = 251,

    /// Routes: the client has gone, or takes no more of the answer.
    CLIENT_GONE = 301,
}

impl fmt::Debug for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "FaultKind({})", self.0),
        }
    }
}

/// A failure of a call across the interface: what kind, and a sentence for a person.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What a program matches on.
    pub kind: FaultKind,
    /// What happened, to what, expected and found. Holds no secret.
    pub message: RString,
}

impl Fault {
    /// A fault of `kind` with the sentence `message`.
    pub fn new(kind: FaultKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string().into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The answer of a call that can fail.
pub type Outcome<T> = RResult<T, Fault>;
