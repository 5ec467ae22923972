//! What the host understands of a connection that it relays: the handshake of both sides, and what the viewer sends.
//!
//! What the desktop sends after its handshake is not read: it is most of what is relayed, and a client may agree with its desktop
//! on encodings that nobody here knows.

use std::{fmt, ops::Range};

use bytes::Bytes;
use streamspace_rfb::{Error, Limits};

use super::{handshake::Handshake, messages::Messages};
use crate::platform::sessions::Access;

/// What a tap is shown of what is hidden.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the desktop.
    ToViewer,
    /// From the viewer.
    ToDesktop,
}

/// What became of a piece.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What goes on to the other side. It may be empty.
    pub bytes: Bytes,
    /// Whether the viewer did something: keys, pointer, clipboard. Never for one who only looks on.
    pub is_input: bool,
    masked: Option<Bytes>,
}

/// What a tap may see of a piece: as long as what goes on to the other side.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The very piece, or a copy in which secrets are zeros.
    pub data: Bytes,
    /// Whether something was hidden.
    pub is_masked: bool,
}

impl Heard {
    /// What a tap may see. It copies nothing.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let data = self.masked.as_ref().unwrap_or(&self.bytes).clone();
        Shown { data, is_masked: self.masked.is_some() }
    }
}

/// Why a viewer who only looks on cannot stay: what cannot be read cannot be kept from the desktop either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("looking on takes RFB that the host can read: {0}")]
pub struct NotUnderstood(String);

/// One connection between a viewer and a desktop.
pub struct Conversation {
    access: Access,
    stage: Stage,
    messages: Messages,
}

enum Stage {
    /// Boxed, since it is over soon.
    Handshake(Box<Handshake>),
    /// Both sides are past it.
    Relayed,
    /// Nothing more is understood, and everything may be a secret: another security type, or no RFB.
    Opaque,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Handshake(_) => "handshake",
            Stage::Relayed => "relayed",
            Stage::Opaque => "opaque",
        };
        f.debug_struct("Conversation").field("access", &self.access).field("stage", &stage).finish()
    }
}

impl Conversation {
    /// From a connection's first byte on, with a viewer who may do this.
    #[must_use]
    pub fn new(access: Access) -> Self {
        let stage = Stage::Handshake(Box::new(Handshake::new()));
        Self { access, stage, messages: Messages::new(Limits::default()) }
    }

    /// Whether nothing that comes is understood any more, so that taps are shown zeros alone: the desktop asks for a security type
    /// that hides what follows, or one of the sides speaks no RFB.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        matches!(self.stage, Stage::Opaque)
    }

    /// Hears a piece before it goes on, and says what goes on. Of one who may use the session everything does, and all that is
    /// changed is the byte by which a client asks for others to be thrown out.
    ///
    /// # Errors
    ///
    /// [`NotUnderstood`], if the viewer only looks on. Nothing of the piece may go on then.
    #[inline]
    pub fn hear(&mut self, direction: Direction, piece: Bytes) -> Result<Heard, NotUnderstood> {
        match (&mut self.stage, direction) {
            (Stage::Relayed, Direction::ToViewer) => {
                Ok(Heard { bytes: piece, is_input: false, masked: None })
            }
            (Stage::Relayed, Direction::ToDesktop) => self.messages(piece),
            (Stage::Opaque, _) => Ok(Self::opaque(direction, piece)),
            (Stage::Handshake(_), _) => self.handshake(direction, piece),
        }
    }

    /// What a viewer does in what is hidden is not known. It may be something.
    fn opaque(direction: Direction, piece: Bytes) -> Heard {
        let masked = Some(zeros(piece.len()));
        Heard { bytes: piece, is_input: direction == Direction::ToDesktop, masked }
    }

    fn messages(&mut self, piece: Bytes) -> Result<Heard, NotUnderstood> {
        Ok(match self.access {
            Access::Control => {
                let is_input = self.messages.watch(&piece);
                Heard { bytes: piece, is_input, masked: None }
            }
            Access::View => {
                let mut passed = Vec::with_capacity(piece.len());
                self.messages.filter(&piece, &mut passed)?;
                Heard { bytes: passed.into(), is_input: false, masked: None }
            }
        })
    }

    fn handshake(&mut self, direction: Direction, piece: Bytes) -> Result<Heard, NotUnderstood> {
        let looks_on = self.access == Access::View;
        let Stage::Handshake(handshake) = &mut self.stage else {
            return Ok(Self::opaque(direction, piece));
        };
        let (heard, lost) = match direction {
            Direction::ToViewer => {
                let found = handshake.hear_desktop(&piece);
                let masked = masked(&piece, &found.secrets);
                // What the viewer said too early may be understood now.
                let lost = found.lost.or_else(|| handshake.hear_viewer(&[], looks_on).lost);
                (Heard { bytes: piece, is_input: false, masked }, lost)
            }
            Direction::ToDesktop if handshake.is_over_for_viewer() => return self.messages(piece),
            Direction::ToDesktop => {
                let found = handshake.hear_viewer(&piece, looks_on);
                let lost = found.lost.or_else(|| handshake.hear_desktop(&[]).lost);
                // The first messages may come with the end of the handshake.
                let rest = found.over_at.map_or(&[][..], |at| &piece[at..]);
                let heard = if looks_on {
                    // Whole messages alone: of a part of one it is not known what it will be.
                    let mut passed = found.whole;
                    self.messages.filter(rest, &mut passed)?;
                    let masked = masked(&passed, &found.secrets_of_whole);
                    Heard { bytes: passed.into(), is_input: false, masked }
                } else {
                    let is_input = self.messages.watch(rest);
                    let bytes = match found.shared_at {
                        Some(at) => shared(&piece, at),
                        None => piece,
                    };
                    let masked = masked(&bytes, &found.secrets);
                    Heard { bytes, is_input, masked }
                };
                (heard, lost)
            }
        };
        if let Some(why) = lost {
            if looks_on {
                return Err(NotUnderstood(why));
            }
            self.stage = Stage::Opaque;
        } else if handshake.is_over() {
            self.stage = Stage::Relayed;
        }
        Ok(heard)
    }
}

impl From<Error> for NotUnderstood {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// A copy with zeros where secrets are, if there are any. Only pieces of a handshake have some.
fn masked(bytes: &[u8], secrets: &[Range<usize>]) -> Option<Bytes> {
    if secrets.is_empty() {
        return None;
    }
    let mut copy = bytes.to_vec();
    for secret in secrets {
        copy[secret.clone()].fill(0);
    }
    Some(copy.into())
}

/// A copy with the byte that asks for others to stay.
fn shared(piece: &[u8], at: usize) -> Bytes {
    let mut copy = piece.to_vec();
    copy[at] = 1;
    copy.into()
}

fn zeros(count: usize) -> Bytes {
    ZEROS.get(..count).map_or_else(|| vec![0; count].into(), Bytes::from_static)
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
