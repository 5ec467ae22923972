//! Plugins' WebSockets: tickets, and the handshake.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Instant,
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::header::{self, HeaderMap, HeaderValue},
    rt, web,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FOLDER, Refusal, answer::whole, carry::carry, copied, find, permitted, private, unknown};
use crate::{
    http::{
        Edge, Problem,
        auth::{self, SignedIn},
        body, origin,
    },
    routes::{self, Caller, Found, Handshake},
    websocket::Place,
};

/// What a ticket is shown as, in the query.
const TICKET: &str = "ticket";

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
        (status = 429, description = "The caller has as many tickets that were not used as may be"),
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
    let (account, purpose) = (identity.caller.id().to_owned(), purpose(plugin, &path));
    let ticket = edge.routes.tickets.issue(&account, &purpose, identity.caller, Instant::now())?;
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
    let entered = edge.routes.enter_socket(&found)?;
    let place = entered.place();
    let mut incoming = copied(
        request,
        edge,
        found.route().public,
        path.to_owned().into(),
        Bytes::new(),
        Arc::clone(&caller),
        id,
    );
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
    let id = id.to_owned();
    rt::spawn(async move {
        let wire = carry(wire, outgoing, session, messages, limits, max_bytes).await;
        found.look_after(&wire, &id).await;
    });
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
