//! What goes on between a client's connection and a plugin's handler, once a WebSocket is open.

use std::{
    cell::Cell,
    io,
    pin::pin,
    str::Utf8Error,
    time::{Duration, Instant},
};

use actix_http::ws::Item;
use actix_web::rt::time::interval;
use actix_ws::{CloseReason, Message, MessageStream, ProtocolError, Session};
use bytestring::ByteString;
use streamspace_plugin::websocket::ClosedKind;
use tokio::{select, sync::mpsc, time::timeout};

use crate::websocket::{Closed, Incoming, Outgoing, SocketLimits, Wire};

/// How long the last frame may take.
const CLOSING: Duration = Duration::from_secs(2);

/// Carries messages between the client and the handler until one of them has enough, and closes the socket.
pub(super) async fn carry(
    wire: Wire,
    mut outgoing: mpsc::Receiver<Outgoing>,
    session: Session,
    mut messages: MessageStream,
    limits: SocketLimits,
    max_bytes: usize,
) -> Wire {
    let heard = Heard { last: Cell::new(Instant::now()), is_listening: Cell::new(true) };
    let closed = {
        let reader = Reader { wire: &wire, heard: &heard, limits, max_bytes, session: session.clone() };
        let (read, write) =
            (pin!(reader.read(&mut messages)), pin!(write(&mut outgoing, session.clone(), limits)));
        let watch = pin!(watch(session.clone(), &heard, limits));
        select! {
            biased;
            closed = wire.closed() => closed,
            closed = write => closed,
            closed = read => closed,
            closed = watch => closed,
        }
    };
    let closed = wire.close(closed);
    if closed.kind == ClosedKind::GONE {
        return wire;
    }
    // 1005 stands for none, and is never sent (RFC 6455, 7.4.1).
    let reason = (closed.code != 1005).then(|| CloseReason {
        code: closed.code.into(),
        description: Some(closed.reason).filter(|_| closed.kind != ClosedKind::CLIENT),
    });
    // A client that takes nothing does not take this either. What it has not read of the rest goes with its connection.
    let _ = timeout(CLOSING, session.close(reason)).await;
    wire
}

/// When there was a sign of the client, and whether anybody listens: while the handler takes no message, nothing is read.
struct Heard {
    last: Cell<Instant>,
    is_listening: Cell<bool>,
}

struct Reader<'c> {
    wire: &'c Wire,
    heard: &'c Heard,
    limits: SocketLimits,
    max_bytes: usize,
    session: Session,
}

/// A message whose pieces are still coming.
struct Unfinished {
    is_text: bool,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    /// Hands what the client sends to the handler, until there is nothing more.
    async fn read(mut self, messages: &mut MessageStream) -> Closed {
        let mut unfinished = None;
        loop {
            let message = match messages.recv().await {
                None => return Closed::by_host(ClosedKind::GONE),
                Some(Err(why)) => return broken(&why),
                Some(Ok(message)) => message,
            };
            self.heard.last.set(Instant::now());
            let whole = match message {
                // Copied: what the web server read into may be much more than the message, and would be kept with it.
                Message::Binary(bytes) => Incoming::Binary(bytes.to_vec()),
                Message::Text(text) => Incoming::Text(text.to_string()),
                Message::Continuation(piece) => match self.put_together(&mut unfinished, piece) {
                    Ok(Some(whole)) => whole,
                    Ok(None) => continue,
                    Err(closed) => return closed,
                },
                Message::Ping(asked) => {
                    match timeout(self.limits.send_deadline, self.session.pong(&asked)).await {
                        Ok(Ok(())) => continue,
                        Ok(Err(_)) => return Closed::by_host(ClosedKind::GONE),
                        Err(_) => return Closed::by_host(ClosedKind::SLOW),
                    }
                }
                Message::Pong(_) | Message::Nop => continue,
                Message::Close(reason) => return closed_by_client(reason),
            };
            self.heard.is_listening.set(false);
            // Nobody may take it any more: then what the handler has sent is on its way still.
            let _ = self.wire.hand_over(whole).await;
            self.heard.last.set(Instant::now());
            self.heard.is_listening.set(true);
        }
    }

    fn put_together(
        &self,
        unfinished: &mut Option<Unfinished>,
        piece: Item,
    ) -> Result<Option<Incoming>, Closed> {
        let (piece, is_last) = match piece {
            Item::FirstText(piece) | Item::FirstBinary(piece) if unfinished.is_some() => {
                drop(piece);
                return Err(Closed::by_host(ClosedKind::PROTOCOL));
            }
            Item::FirstText(piece) => {
                *unfinished = Some(Unfinished { is_text: true, bytes: Vec::new() });
                (piece, false)
            }
            Item::FirstBinary(piece) => {
                *unfinished = Some(Unfinished { is_text: false, bytes: Vec::new() });
                (piece, false)
            }
            Item::Continue(piece) => (piece, false),
            Item::Last(piece) => (piece, true),
        };
        let Some(message) = unfinished else { return Err(Closed::by_host(ClosedKind::PROTOCOL)) };
        if message.bytes.len() + piece.len() > self.max_bytes {
            return Err(Closed::by_host(ClosedKind::TOO_LARGE));
        }
        message.bytes.extend_from_slice(&piece);
        if !is_last {
            return Ok(None);
        }
        let Some(Unfinished { is_text, bytes }) = unfinished.take() else { return Ok(None) };
        if !is_text {
            return Ok(Some(Incoming::Binary(bytes)));
        }
        String::from_utf8(bytes).map(|text| Some(Incoming::Text(text))).map_err(|_| no_text())
    }
}

fn no_text() -> Closed {
    Closed { code: 1007, reason: "a text is not UTF-8".to_owned(), ..Closed::by_host(ClosedKind::PROTOCOL) }
}

/// What is to be said of bytes that are no WebSocket's.
fn broken(why: &ProtocolError) -> Closed {
    match why {
        ProtocolError::Overflow => Closed::by_host(ClosedKind::TOO_LARGE),
        ProtocolError::Io(why) if why.get_ref().is_some_and(|why| why.is::<Utf8Error>()) => no_text(),
        ProtocolError::Io(why) if why.kind() != io::ErrorKind::InvalidData => {
            Closed::by_host(ClosedKind::GONE)
        }
        _ => Closed::by_host(ClosedKind::PROTOCOL),
    }
}

fn closed_by_client(reason: Option<CloseReason>) -> Closed {
    let (code, reason) = reason
        .map_or((1005, String::new()), |reason| (reason.code.into(), reason.description.unwrap_or_default()));
    Closed { kind: ClosedKind::CLIENT, code, reason }
}

/// Sends what the handler has, until that closes the socket or the client takes nothing.
async fn write(
    outgoing: &mut mpsc::Receiver<Outgoing>,
    mut session: Session,
    limits: SocketLimits,
) -> Closed {
    while let Some(message) = outgoing.recv().await {
        let sent = match message {
            Outgoing::Binary(bytes) => timeout(limits.send_deadline, session.binary(bytes)).await,
            Outgoing::Text(bytes) => match ByteString::try_from(bytes) {
                Ok(text) => timeout(limits.send_deadline, session.text(text)).await,
                // Looked at where it came from the plugin.
                Err(_) => continue,
            },
            Outgoing::Close { code, reason } => return Closed { kind: ClosedKind::PLUGIN, code, reason },
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Closed::by_host(ClosedKind::GONE),
            Err(_) => return Closed::by_host(ClosedKind::SLOW),
        }
    }
    Closed { kind: ClosedKind::PLUGIN, code: 1000, reason: String::new() }
}

/// Asks the client for a sign now and then. Ends when there is none.
async fn watch(mut session: Session, heard: &Heard, limits: SocketLimits) -> Closed {
    let mut looks = interval(limits.silence / 4);
    looks.tick().await;
    loop {
        looks.tick().await;
        if heard.is_listening.get() && heard.last.get().elapsed() > limits.silence {
            return Closed::by_host(ClosedKind::SILENT);
        }
        match timeout(limits.send_deadline, session.ping(b"")).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Closed::by_host(ClosedKind::GONE),
            Err(_) => return Closed::by_host(ClosedKind::SLOW),
        }
    }
}
