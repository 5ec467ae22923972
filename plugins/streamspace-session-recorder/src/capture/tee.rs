//! What a viewer and a desktop say to each other, decoded.
//!
//! # The order of bytes
//!
//! How a desktop's bytes are to be read depends on what the viewer said: its version, its choice of a security type, its pixel
//! format. So what counts is which of both came first.
//!
//! Pieces are taken in the order in which the relay received them, from either side. The relay has a piece of the viewer before
//! it sends it on, so it stands before all that the desktop answered to it, and the other way round. Within the handshake both sides
//! wait for each other, so this order is the only one that there can be. If a piece comes too early all the same, because two
//! threads handed them over, the parser says that it must hear of the other side first: the bytes wait, and are read when it has.
//!
//! After the handshake one thing is left: a pixel format holds from when the *desktop* has read it. Updates that were on their way
//! are still in the old one, and stand behind the viewer's message here. The cases:
//!
//! - No update was asked for, or the one that was asked for has begun: nothing else is on its way, and the format holds from the next
//!   update on. This is what viewers do, since it is their only way of knowing as well.
//! - Updates come by themselves: viewers switch them off around the message, and the desktop says when they have ended
//!   (EndOfContinuousUpdates). The format holds from there on.
//! - Otherwise nobody can tell, the viewer included. If the format is another one, decoding ends: colours that might be wrong are not
//!   a recording.
//!
//! A desktop may answer one by one to requests that a viewer sent ahead, and one update is taken for the answer to all of them here,
//! as most desktops mean it. A viewer that changes its format between two such answers is read wrongly for one update. Where the
//! lengths differ, that is found out.

use std::{sync::Arc, time::Duration};

use streamspace_rfb::{
    Error,
    message::{ClientParser, Progress},
};

use super::{
    Capture, Control, Options, Trouble,
    reassembly::{Reassembly, Step, Stop},
    stream::Stream,
    talk::Talk,
};
use crate::scene::{Moment, Side, Sink};

/// Whether a connection is still followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Following {
    /// It is.
    Yes,
    /// It is not any more, and need not be handed over.
    No,
}

/// Why a connection is not followed any more. The recording itself can go on, with another connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TeeEnd {
    /// Encodings have streams that go on from rectangle to rectangle.
    #[error("the connection was joined later: it can be decoded only from its first byte on")]
    Late,
    /// A gap.
    #[error("{bytes} bytes of {} were lost: what follows cannot be decoded", who(*from))]
    Lost {
        /// Whose bytes.
        from: Side,
        /// How many.
        bytes: u64,
    },
    /// What follows is encrypted, or of a form of its own.
    #[error("the connection hides what is said on it: {0}")]
    Opaque(Error),
    /// What is no message, of an encoding that is not known, or beyond the limits.
    #[error("what {} sent cannot be read: {why}", who(*from))]
    Unreadable {
        /// Who.
        from: Side,
        /// What is wrong with it.
        why: Error,
    },
    /// A message that is too long.
    #[error("a message of {} has {bytes} bytes or more, which is more than {most}", who(*from))]
    TooLong {
        /// Whose.
        from: Side,
        /// How many there would be.
        bytes: usize,
        /// How many at most.
        most: usize,
    },
    /// Nobody can tell which updates are in it.
    #[error("the viewer changed its pixel format while an update was on its way")]
    Format,
    /// It has ended.
    #[error("the connection ended: {0}")]
    Closed(String),
}

fn who(from: Side) -> &'static str {
    match from {
        Side::Desktop => "the desktop",
        Side::Viewer => "the viewer",
    }
}

impl TeeEnd {
    pub(super) fn unreadable(from: Side, why: Error) -> Self {
        match why {
            Error::Unexpected { what: "the security type", .. } => Self::Opaque(why),
            why => Self::Unreadable { from, why },
        }
    }
}

/// Follows one connection between a viewer and a desktop, and decodes what is on the screen.
#[derive(Debug)]
pub struct Tee {
    desktop: Stream,
    viewer: ClientParser,
    pieces: Reassembly,
    talk: Talk,
    most: usize,
    ended: Option<TeeEnd>,
    /// Who may end it, and what is decoded for how long then.
    control: Option<(Arc<Control>, Duration)>,
}

impl Tee {
    /// For a connection that begins. The options are those of the capture that it is for.
    pub fn new(options: &Options) -> Self {
        Self {
            desktop: Stream::new(options),
            viewer: ClientParser::new(options.limits),
            pieces: Reassembly::new(options.most_buffered),
            talk: Talk::default(),
            most: options.most_buffered,
            ended: None,
            control: None,
        }
    }

    /// It is stopped by this control: what comes then is decoded for so long, and no longer. Few bytes can be much to draw.
    #[must_use]
    pub fn under(self, control: Arc<Control>, grace: Duration) -> Self {
        Self { control: Some((control, grace)), ..self }
    }

    /// Why it follows no more.
    pub fn ended(&self) -> Option<&TeeEnd> {
        self.ended.as_ref()
    }

    /// Gives back memory that only large messages need. For when nothing has come for a while.
    pub fn shrink(&mut self) {
        self.desktop.shrink();
        self.pieces.shrink();
    }

    /// Bytes of memory for messages that come in pieces.
    pub fn memory(&self) -> usize {
        self.desktop.memory() + self.pieces.memory()
    }

    /// The connection was joined when it ran already: it cannot be followed.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn joined<S: Sink>(&mut self, at: Moment, capture: &mut Capture<S>) -> Result<Following, S::Error> {
        self.end(at, TeeEnd::Late, capture)
    }

    /// Takes a piece of what `from` sends, before which so many bytes were lost. Pieces come in the order in which the relay
    /// received them.
    ///
    /// # Errors
    ///
    /// The sink's. What is wrong with the bytes is no error, but the end of this connection: the sink has been told of a gap, and
    /// [`Tee::ended`] says why.
    pub fn take<S: Sink>(
        &mut self,
        at: Moment,
        from: Side,
        lost: u64,
        bytes: &[u8],
        capture: &mut Capture<S>,
    ) -> Result<Following, S::Error> {
        if self.ended.is_some() {
            return Ok(Following::No);
        }
        if lost > 0 {
            return self.end(at, TeeEnd::Lost { from, bytes: lost }, capture);
        }
        // What one side said may be what the other side's bytes wait for.
        let followed = match from {
            Side::Desktop => self
                .hear_desktop(at, bytes, capture)
                .and_then(|()| self.hear_viewer(at, &[], capture))
                .and_then(|()| self.hear_desktop(at, &[], capture)),
            Side::Viewer => self
                .hear_viewer(at, bytes, capture)
                .and_then(|()| self.hear_desktop(at, &[], capture))
                .and_then(|()| self.hear_viewer(at, &[], capture)),
        };
        match followed {
            Ok(()) => Ok(Following::Yes),
            Err(Trouble::Sink(error)) => Err(error),
            Err(Trouble::Stream(end)) => self.end(at, end, capture),
        }
    }

    /// The connection is closed.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn closed<S: Sink>(
        &mut self,
        at: Moment,
        why: &str,
        capture: &mut Capture<S>,
    ) -> Result<(), S::Error> {
        match self.ended {
            Some(_) => Ok(()),
            None => self.end(at, TeeEnd::Closed(why.into()), capture).map(|_| ()),
        }
    }

    fn end<S: Sink>(
        &mut self,
        at: Moment,
        end: TeeEnd,
        capture: &mut Capture<S>,
    ) -> Result<Following, S::Error> {
        let why = end.to_string();
        self.ended = Some(end);
        self.shrink();
        capture.lost(at, &why)?;
        Ok(Following::No)
    }

    fn hear_desktop<S: Sink>(
        &mut self,
        at: Moment,
        bytes: &[u8],
        capture: &mut Capture<S>,
    ) -> Result<(), Trouble<S::Error, TeeEnd>> {
        let Self { desktop, viewer, talk, most, control, .. } = self;
        let goes_on = || !control.as_ref().is_some_and(|(control, grace)| control.is_overdue(*grace));
        let fed = desktop.feed(at, bytes, capture, goes_on, |parser, message| {
            viewer.heard(message);
            talk.desktop(parser, message);
        });
        fed.map_err(|stop| ending(Side::Desktop, *most, stop))
    }

    fn hear_viewer<S: Sink>(
        &mut self,
        at: Moment,
        bytes: &[u8],
        capture: &mut Capture<S>,
    ) -> Result<(), Trouble<S::Error, TeeEnd>> {
        let Self { desktop, viewer, pieces, talk, most, .. } = self;
        let fed = pieces.feed(bytes, |bytes| match viewer.parse(bytes) {
            Ok(Progress::Message { consumed, message }) => {
                talk.viewer(&mut desktop.parser, &message).map_err(Trouble::Stream)?;
                capture.viewer(at, &message).map_err(Trouble::Sink)?;
                Ok(Step::Consumed(consumed))
            }
            Ok(Progress::Need { more }) => Ok(Step::Need(more)),
            Err(Error::Unheard { .. }) => Ok(Step::Wait),
            Err(error) => Err(Trouble::Stream(TeeEnd::unreadable(Side::Viewer, error))),
        });
        fed.map_err(|stop| match stop {
            Stop::TooLong(bytes) => {
                Trouble::Stream(TeeEnd::TooLong { from: Side::Viewer, bytes, most: *most })
            }
            Stop::Of(trouble) => trouble,
        })
    }
}

fn ending<E>(from: Side, most: usize, stop: Stop<Trouble<E>>) -> Trouble<E, TeeEnd> {
    match stop {
        Stop::TooLong(bytes) => Trouble::Stream(TeeEnd::TooLong { from, bytes, most }),
        Stop::Of(Trouble::Stream(error)) => Trouble::Stream(TeeEnd::unreadable(from, error)),
        Stop::Of(Trouble::Sink(error)) => Trouble::Sink(error),
    }
}
