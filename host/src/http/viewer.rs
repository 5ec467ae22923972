//! A viewer's WebSocket, as the relay has it: the half that takes bytes, and the half that gives them.

use std::{cell::Cell, rc::Rc, time::Instant};

use actix_ws::{Message, MessageStream, Session};
use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::streams::{Gone, Outgoing};

/// The sub-protocol of noVNC and websockify: RFB in binary messages.
pub const PROTOCOL: &str = "binary";
/// Largest frame that a viewer may send, in bytes. Longer messages of RFB, which are clipboards, come in several.
pub const MAX_FRAME: usize = 1024 * 1024;

/// The half of a viewer that takes bytes.
pub struct Viewer(pub Session);

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Viewer")
    }
}

impl Outgoing for Viewer {
    async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.0.binary(piece).await.map_err(|_| Gone)
    }
}

/// What a viewer sends, without what is the WebSocket's own. When anything came last is noted in `heard`.
pub fn incoming(
    messages: MessageStream,
    session: Session,
    heard: Rc<Cell<Instant>>,
) -> impl Stream<Item = Result<Bytes, Gone>> {
    let messages = messages.max_frame_size(MAX_FRAME);
    stream::unfold((messages, session, heard), |(mut messages, mut session, heard)| async move {
        loop {
            let message = messages.recv().await?;
            heard.set(Instant::now());
            let piece = match message {
                Ok(Message::Binary(piece)) => Ok(piece),
                // Pieces of a message are a stream's as well as whole ones.
                Ok(Message::Continuation(
                    actix_http::ws::Item::FirstBinary(piece)
                    | actix_http::ws::Item::Continue(piece)
                    | actix_http::ws::Item::Last(piece),
                )) => Ok(piece),
                Ok(Message::Ping(asked)) => {
                    if session.pong(&asked).await.is_err() {
                        return None;
                    }
                    continue;
                }
                Ok(Message::Pong(_) | Message::Nop) => continue,
                Ok(Message::Close(_) | Message::Text(_) | Message::Continuation(_)) | Err(_) => Err(Gone),
            };
            return Some((piece, (messages, session, heard)));
        }
    })
}
