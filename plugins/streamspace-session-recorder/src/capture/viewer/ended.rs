//! Why a viewer saw no more.

use std::{io, time::Duration};

use streamspace_rfb::Error;

/// Why a viewer saw no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// It was stopped.
    #[error("it was stopped")]
    Stopped,
    /// The desktop closed the connection.
    #[error("the desktop closed the connection")]
    Closed,
    /// The connection broke, or what was sent was not taken.
    #[error("the connection to the desktop broke: {0}")]
    Broken(#[source] io::Error),
    /// The desktop let nobody in.
    #[error("the desktop refused the viewer: {0}")]
    Refused(String),
    /// The desktop wants to know in a way that is not known here.
    #[error(
        "the desktop wants one of the security types {offered:?}: None (1) and VNC authentication (2) are known"
    )]
    Security {
        /// The types that it has.
        offered: Vec<u8>,
    },
    /// The desktop wants a password.
    #[error("the desktop wants a password, and none was given")]
    Password,
    /// The handshake took too long.
    #[error("the handshake with the desktop was not over after {} s", .0.as_secs_f32())]
    Handshake(Duration),
    /// A message, or an update, had no end.
    #[error("the desktop began a message or an update, and then sent nothing for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The desktop did not answer.
    #[error("the desktop gave no sign for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// What is no message, of an encoding that was not asked for, or beyond the limits.
    #[error("what the desktop sent cannot be read: {0}")]
    Unreadable(#[source] Error),
    /// A message that is too long.
    #[error("a message of the desktop has {bytes} bytes or more, which is more than {most}")]
    TooLong {
        /// How many there would be.
        bytes: usize,
        /// How many at most.
        most: usize,
    },
}

impl Ended {
    /// Whether another connection may do better. A password that is tried too often locks everybody out.
    pub fn is_worth_a_try(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Refused(_) | Self::Security { .. } | Self::Password)
    }
}
