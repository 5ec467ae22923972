//! Plugins' WebSockets: the handshake, and what is carried between a client and its handler.

use std::{
    cell::Cell,
    error::Error,
    io,
    pin::{Pin, pin},
    str::Utf8Error,
    sync::Arc,
    task::{self, Poll},
    time::{Duration, Instant},
};

use actix_http::ws::Item;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    rt::{self, time::interval},
    web,
};
use actix_ws::{CloseReason, Message, MessageStream, ProtocolError, Session};
use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use streamspace_plugin::websocket::ClosedKind;
use tokio::{select, sync::mpsc, time::timeout};
use utoipa::ToSchema;

use super::{FOLDER, Refusal, answer::whole, copied, find, permitted, private, unknown};
use crate::{
    http::{
        Edge, Problem,
        auth::{self, SignedIn},
        body, origin,
    },
    routes::{self, CallError, Caller, Found, Handshake},
    websocket::{Closed, Incoming, Outgoing, Place, SocketLimits, Wire},
};

/// What a ticket is shown as, in the query.
const TICKET: &str = "ticket";
/// How long the last frame may take.
const CLOSING: Duration = Duration::from_secs(2);

/// What a ticket is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TicketFor {
    /// The path of the WebSocket below the plugin's own, without a query: `/recordings/7/replay`.
    path: String,
}

/// A ticket for a plugin's WebSocket.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SocketTicket {
    /// Good for one use, for this path.
    ticket: String,
    /// For how many seconds.
    expires_in_secs: u64,
    /// The path to open a WebSocket at. More may be added to its query.
    path: String,
}

/// `POST /api/v1/plugins/{name}/tickets`
///
/// A ticket for a browser's WebSocket to a plugin, which can send no header: for one path, one use, and 30 seconds.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/tickets",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = TicketFor,
    responses(
        (status = 201, description = "The ticket", body = SocketTicket),
        (status = 403, description = "The caller is not permitted what the route asks for"),
        (status = 404, description = "No plugin of this name has a WebSocket at this path"),
    ),
)]
pub(in crate::http) async fn ticket(
    SignedIn(identity): SignedIn,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let TicketFor { path } = body::json(payload, edge.max_body_bytes).await?;
    let sent = format!("{name}{path}");
    let refused = |refusal: Refusal| *refusal.problem;
    let is_path = path.starts_with('/') && !path.contains(['?', '#']);
    let split = routes::split(&sent).filter(|_| is_path);
    let (plugin, path) = split.ok_or_else(|| refused(unknown()))?;
    let routes = edge.routes.of(plugin).ok_or_else(|| refused(unknown()))?;
    let found = find(routes, "GET", &path).map_err(|_| refused(unknown()))?;
    if found.socket().is_none() {
        return Err(refused(unknown()));
    }
    permitted(&found, &identity.caller).map_err(refused)?;
    let ticket = edge.routes.tickets.issue(&purpose(plugin, &path), identity.caller, Instant::now());
    let ticket = ticket.map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why))?;
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(SocketTicket {
        path: format!("{FOLDER}{sent}?{TICKET}={}", ticket.secret),
        ticket: ticket.secret,
        expires_in_secs: ticket.lifetime.as_secs(),
    }))
}

/// What a ticket lets into. No name of a plugin has a `/`.
fn purpose(plugin: &str, path: &str) -> String {
    format!("{plugin}{path}")
}

/// Answers a client that wishes to open a socket at a route for that.
pub(super) async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
    plugin: &str,
    found: Found,
    path: &str,
    id: &str,
) -> Result<HttpResponse, Refusal> {
    if !request.headers().contains_key(header::UPGRADE) {
        let refusal =
            Refusal::new(426, "SSP-WSK-001", "this path is a WebSocket: open it with a client for that");
        return Err(refusal.with(header::UPGRADE, "websocket"));
    }
    origin::check_origin(request)?;
    let (shown, query) = without_ticket(request.query_string());
    let caller = match shown {
        Some(ticket) => {
            let purpose = purpose(plugin, path);
            edge.routes.tickets.redeem(ticket, &purpose, Instant::now()).ok_or_else(|| {
                let detail = "this ticket is not good: it was used, is for another path, or older than 30 seconds; ask for another one";
                Refusal::new(401, "SSP-WSK-003", detail)
            })?
        }
        None => who(request, found.route().public).await?,
    };
    permitted(&found, &caller)?;
    // Before the plugin is asked: what is no WebSocket never comes to it.
    let (mut response, session, messages) = actix_ws::handle(request, payload).map_err(|why| {
        Refusal::new(400, "SSP-WSK-002", format_args!("this is no WebSocket's handshake: {why}"))
    })?;
    let offered = offered(request.headers());
    if !found.socket().is_some_and(|socket| socket.speaks(&offered)) {
        let spoken = found.socket().map(|socket| socket.protocols.join(", ")).unwrap_or_default();
        let detail = format_args!(
            "none of the sub-protocols that are offered is spoken here: expected one of {spoken}"
        );
        return Err(Refusal::new(400, "SSP-WSK-006", detail));
    }
    if edge.is_stopping() {
        return Err(CallError::Closed.into());
    }
    let entered = edge.routes.enter_socket(&found)?;
    let place = entered.place();
    let mut incoming =
        copied(request, found.route().public, path.to_owned().into(), Bytes::new(), Arc::clone(&caller), id);
    incoming.query = query;
    let (found, limits) = (Arc::new(found), edge.routes.limits().sockets);
    let max_bytes = found.route().max_body_bytes;
    let (protocol, wire, outgoing) = match edge.routes.serve(&found, entered, incoming, offered).await? {
        Handshake::Refused(answer) => {
            return Ok(private(whole(request, &found, id, answer).await?, caller.is_signed_in()));
        }
        Handshake::Accepted { protocol, wire, outgoing } => (protocol, wire, outgoing),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(protocol) = protocol.and_then(|protocol| HeaderValue::from_str(&protocol).ok()) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let messages = messages.max_frame_size(max_bytes);
    rt::spawn(carry(wire, outgoing, session, messages, limits, max_bytes));
    Ok(response.map_body(|_, body| BoxBody::new(Kept { body, _place: place })))
}

async fn who(request: &HttpRequest, is_public: bool) -> Result<Arc<Caller>, Refusal> {
    match auth::identify(request).await {
        Ok(identity) if is_public => Ok(identity.map_or_else(Caller::nobody, |identity| identity.caller)),
        Ok(identity) => Ok(auth::required(identity)?.caller),
        // Who proves nothing is nobody, for whom the route is too.
        Err(_) if is_public => Ok(Caller::nobody()),
        Err(problem) => Err(problem.into()),
    }
}

/// The ticket in a query, and the query without it: what lets somebody in is not the plugin's business.
fn without_ticket(query: &str) -> (Option<&str>, String) {
    let (mut ticket, mut others) = (None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((TICKET, secret)) => ticket = Some(secret),
            _ => others.push(pair),
        }
    }
    (ticket, others.join("&"))
}

fn offered(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    let offers = all.flat_map(|value| value.split(',')).map(str::trim).filter(|offer| !offer.is_empty());
    offers.map(str::to_owned).collect()
}

/// A connection's body, and the socket's place: it is free again when the connection is gone, also one that is stuck.
struct Kept {
    body: BoxBody,
    _place: Arc<Place>,
}

impl MessageBody for Kept {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// Carries messages between the client and the handler until one of them has enough.
async fn carry(
    wire: Wire,
    mut outgoing: mpsc::Receiver<Outgoing>,
    session: Session,
    mut messages: MessageStream,
    limits: SocketLimits,
    max_bytes: usize,
) {
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
        return;
    }
    // 1005 stands for none, and is never sent (RFC 6455, 7.4.1).
    let reason = (closed.code != 1005).then(|| CloseReason {
        code: closed.code.into(),
        description: Some(closed.reason).filter(|_| closed.kind != ClosedKind::CLIENT),
    });
    // A client that takes nothing does not take this either. What it has not read of the rest goes with its connection.
    let _ = timeout(CLOSING, session.close(reason)).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_not_told_the_ticket() {
        assert_eq!(without_ticket("a=1&ticket=x&b=2"), (Some("x"), "a=1&b=2".to_owned()));
        assert_eq!(without_ticket("ticket=x"), (Some("x"), String::new()));
        assert_eq!(without_ticket("tickets=x"), (None, "tickets=x".to_owned()));
        assert_eq!(without_ticket(""), (None, String::new()));
    }
}
