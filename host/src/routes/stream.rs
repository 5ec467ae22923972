//! Answers in pieces: from the handler's thread to the server's, a bounded number at a time.

use std::time::Duration;

use bytes::Bytes;
use streamspace_plugin::{
    abi::{AnswerSink, Fault, FaultKind},
    http::OwnedHeader,
};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{CallError, Reply};

/// How many pieces may wait for the client.
const WAITING: usize = 16;
/// The largest piece that is handed on as one; larger ones are taken apart. With [`WAITING`] this bounds the memory.
const PIECE: usize = 64 * 1024;

/// The handler failed in the middle of its answer, which is cut off.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the plugin's handler failed in the middle of its answer")]
pub struct Broken;

/// The pieces of an answer.
pub type Pieces = mpsc::Receiver<Result<Bytes, Broken>>;

/// Where a handler on a thread of its own answers.
pub(super) struct Sink {
    /// `None` once the answer has begun.
    pub(super) reply: Option<oneshot::Sender<Result<Reply, CallError>>>,
    pub(super) pieces: Option<mpsc::Sender<Result<Bytes, Broken>>>,
    pub(super) network: runtime::Handle,
    pub(super) patience: Duration,
}

impl AnswerSink for Sink {
    fn begin(&mut self, status: u16, headers: Vec<OwnedHeader>) -> Result<(), Fault> {
        let Some(reply) = self.reply.take() else {
            return Err(Fault::new(FaultKind::INVALID, "the answer has begun already"));
        };
        let (sender, pieces) = mpsc::channel(WAITING);
        self.pieces = Some(sender);
        reply.send(Ok(Reply::Stream { status, headers, pieces })).map_err(|_| gone())
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let Some(pieces) = &self.pieces else {
            return Err(Fault::new(FaultKind::INVALID, "the answer has not begun yet"));
        };
        for part in piece.chunks(PIECE) {
            // Copied, since it is lent for this call and waits for the client.
            let part = Ok(Bytes::copy_from_slice(part));
            let part = match pieces.try_send(part) {
                Ok(()) => continue,
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(gone()),
                Err(mpsc::error::TrySendError::Full(part)) => part,
            };
            let sending = async { timeout(self.patience, pieces.send(part)).await };
            match self.network.block_on(sending) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(gone()),
                Err(_) => {
                    return Err(Fault::new(
                        FaultKind::CLIENT_GONE,
                        format_args!("the client took nothing for {} ms", self.patience.as_millis()),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn gone() -> Fault {
    Fault::new(FaultKind::CLIENT_GONE, "the client has gone")
}

/// Where an inline handler answers: not in pieces, for its thread is the one that would have to take them.
pub(super) struct NoSink;

impl AnswerSink for NoSink {
    fn begin(&mut self, _: u16, _: Vec<OwnedHeader>) -> Result<(), Fault> {
        Err(Fault::new(FaultKind::WOULD_BLOCK, "an inline route cannot answer with a stream"))
    }

    fn write(&mut self, _: &[u8]) -> Result<(), Fault> {
        self.begin(0, Vec::new())
    }
}
