//! Why a socket is closed, and why a call on one failed.

use super::{ClosedKind, ReceivedMessage};
use crate::abi::{Fault, FaultKind};

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// The client closed it.
    Client {
        /// The code that it sent (RFC 6455, 7.4); 1005 if it sent none.
        code: u16,
        /// What it said, which may be nothing.
        reason: String,
    },
    /// The connection is gone: nobody closed it.
    Gone,
    /// The client gave no sign for too long (`plugins.socket_silence_secs`).
    Silent,
    /// The client took nothing for too long (`plugins.socket_send_deadline_secs`).
    Slow,
    /// The client sent a message that is larger than the route takes.
    TooLarge,
    /// The client sent what is no WebSocket's, or a text that is none.
    Protocol,
    /// The plugin is to end, or the host. The handler is to return soon: within `plugins.drain_deadline_secs`.
    Stopping,
    /// The plugin closed it itself, or its handler has returned.
    Done,
}

impl Closed {
    pub(super) fn of_kind(kind: ClosedKind) -> Option<Self> {
        Some(match kind {
            ClosedKind::NOT => return None,
            ClosedKind::CLIENT => Self::Client { code: 1005, reason: String::new() },
            ClosedKind::SILENT => Self::Silent,
            ClosedKind::SLOW => Self::Slow,
            ClosedKind::TOO_LARGE => Self::TooLarge,
            ClosedKind::PROTOCOL => Self::Protocol,
            ClosedKind::STOPPING => Self::Stopping,
            ClosedKind::PLUGIN => Self::Done,
            // Whatever else a host knows: it is closed.
            _ => Self::Gone,
        })
    }

    pub(super) fn of_message(message: ReceivedMessage) -> Self {
        match Self::of_kind(message.closed) {
            Some(Self::Client { .. }) => {
                Self::Client { code: message.code, reason: message.text.into_string() }
            }
            Some(closed) => closed,
            None => Self::Gone,
        }
    }
}

/// Why a call on a socket failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketError {
    /// It is closed. The sentence says why.
    #[error("{0}")]
    Closed(String),
    /// An argument is not one that the host takes, or another thread waits for a message already.
    #[error("{0}")]
    Invalid(String),
    /// The thread must not wait.
    #[error("{0}")]
    WouldBlock(String),
    /// This host has no `websocket/1`.
    #[error("this host offers no WebSockets (`websocket/1`)")]
    Unavailable,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Fault> for SocketError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::CLIENT_GONE | FaultKind::CLOSED => Self::Closed(message),
            FaultKind::INVALID | FaultKind::BUSY => Self::Invalid(message),
            FaultKind::WOULD_BLOCK => Self::WouldBlock(message),
            _ => Self::Other(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_a_later_host_is_still_a_reason() {
        assert_eq!(Closed::of_kind(ClosedKind(999)), Some(Closed::Gone));
        assert_eq!(Closed::of_kind(ClosedKind::NOT), None);
    }
}
