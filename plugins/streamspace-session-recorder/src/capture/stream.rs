//! What a desktop sends on one connection.

use streamspace_rfb::{
    Decoder, Error, Limits,
    message::{Progress, ServerMessage, ServerParser},
};

use super::{
    Capture, Options, Trouble,
    reassembly::{Reassembly, Step, Stop},
};
use crate::scene::{Moment, Sink};

/// What a desktop sends on one connection, from its first byte on.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) parser: ServerParser,
    decoder: Decoder,
    pieces: Reassembly,
}

impl Stream {
    pub(super) fn new(options: &Options) -> Self {
        let limits: Limits = options.limits;
        Self {
            parser: ServerParser::new(limits),
            decoder: Decoder::new(limits),
            pieces: Reassembly::new(options.most_buffered),
        }
    }

    /// Whether the end of a message, or of an update, has not come.
    pub(super) fn is_within(&self) -> bool {
        self.pieces.is_within() || !self.parser.is_between_messages()
    }

    /// Gives back memory that only large messages need.
    pub(super) fn shrink(&mut self) {
        self.pieces.shrink();
        self.decoder.shrink();
    }

    /// Bytes of memory for messages that come in pieces.
    pub(super) fn memory(&self) -> usize {
        self.pieces.memory()
    }

    /// Takes bytes. Each message goes to `each` before it is captured. Where `goes_on` says no, the rest is kept as it is.
    pub(super) fn feed<S: Sink>(
        &mut self,
        at: Moment,
        bytes: &[u8],
        capture: &mut Capture<S>,
        goes_on: impl Fn() -> bool,
        mut each: impl FnMut(&mut ServerParser, &ServerMessage<'_>),
    ) -> Result<(), Stop<Trouble<S::Error>>> {
        let Self { parser, decoder, pieces } = self;
        pieces.feed(bytes, |bytes| {
            if !goes_on() {
                return Ok(Step::Wait);
            }
            match parser.parse(bytes) {
                Ok(Progress::Message { consumed, message }) => {
                    each(parser, &message);
                    capture.desktop(at, decoder, &message)?;
                    Ok(Step::Consumed(consumed))
                }
                Ok(Progress::Need { more }) => Ok(Step::Need(more)),
                // It reads the same bytes again when it was told.
                Err(Error::Unheard { .. }) => Ok(Step::Wait),
                Err(error) => Err(error.into()),
            }
        })
    }
}
