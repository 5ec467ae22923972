//! Desktops in a browser: a ticket, and the WebSocket that it lets in.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    rt::{self, time::interval},
    web,
};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use bytes::Bytes;
use futures_util::{
    Stream,
    future::{Either, select},
    pin_mut, stream,
};
use serde::{Deserialize, Serialize};
use slog::{Logger, info, warn};
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::{self, SignedIn},
    origin,
    query::{Query, understood},
    sessions::{blocking, caller},
};
use crate::{
    platform::sessions::{Access, Caller, Desktop, NewConnection},
    streams::{self, About, Ended, Gone, Outgoing, StreamError, Tee},
};

/// The sub-protocol of noVNC and websockify: RFB in binary messages.
const PROTOCOL: &str = "binary";
/// Largest frame that a viewer may send, in bytes: RFB's largest message of a client is a clipboard.
const MAX_FRAME: usize = 1024 * 1024;
/// How often a viewer is asked whether it is there, and looked after whether it may still be.
const LOOK: Duration = Duration::from_secs(5);
/// After how long without any sign a viewer is gone.
const SILENT: Duration = Duration::from_secs(60);

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamTicket {
    /// Good for one use, for this session.
    ticket: String,
    /// For how many seconds.
    expires_in_secs: u64,
    /// The path to open a WebSocket at.
    path: String,
    /// `view` or `control`.
    access: Access,
}

/// What a viewer comes with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// A ticket, in place of a cookie or a token.
    ticket: Option<String>,
}

/// `POST /api/v1/sessions/{id}/tickets`
///
/// A ticket for a browser's WebSocket, which can send no header: for one session, one use, and 30 seconds.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/tickets",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    responses(
        (status = 201, description = "The ticket", body = StreamTicket),
        (status = 403, description = "The caller may do this with no session"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
    ),
)]
pub(super) async fn ticket(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let (session, viewer) = (id.clone(), by.sees.clone());
    let access = blocking(&edge, move |sessions| sessions.may_enter(&viewer, &session)).await?;
    let ticket = edge.streams.tickets.issue(&id, by, Instant::now());
    let ticket = ticket.map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why))?;
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(StreamTicket {
        path: format!("/api/v1/sessions/{id}/vnc?ticket={}", ticket.secret),
        ticket: ticket.secret,
        expires_in_secs: ticket.lifetime.as_secs(),
        access,
    }))
}

/// `GET /api/v1/sessions/{id}/vnc`
///
/// The session's desktop: RFB in the binary messages of a WebSocket (RFC 6455), sub-protocol `binary`. It takes a ticket, a
/// cookie or a token, and from a browser that it is one of the host's own pages.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}/vnc",
    params(
        ("id" = String, Path, description = "The session's id"),
        Shown,
    ),
    responses(
        (status = 101, description = "The stream begins"),
        (status = 400, description = "The query, or the WebSocket's handshake, is not understood"),
        (status = 403, description = "The call comes from another site's page, or the session is shared with the caller for looking only"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session does not run, its desktop is not known, or it has too many connections"),
        (status = 502, description = "The desktop cannot be reached"),
        (status = 503, description = "The host takes no more viewers"),
    ),
)]
pub(super) async fn vnc(
    request: HttpRequest,
    id: web::Path<String>,
    query: Query<Shown>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    origin::check_origin(&request)?;
    let by = match understood(query)?.ticket {
        Some(ticket) => edge.streams.tickets.redeem(&ticket, &id, Instant::now()).ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "SSP-VNC-004",
                "this ticket is not good: it was used, is of another session, or older than 30 seconds; ask for another one",
            )
        })?,
        None => caller(&auth::signed_in(&request).await?)?,
    };
    // To look on, what a viewer does would have to be told from what it asks for.
    let (viewer, name) = (by.sees.clone(), id.clone());
    if blocking(&edge, move |sessions| sessions.may_enter(&viewer, &name)).await? == Access::View {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "SSP-VNC-005",
            "this session is shared for looking on, which streams cannot do yet: ask its owner to share it for use",
        ));
    }
    // The handshake first: what is no WebSocket enters nothing.
    let (mut response, session, messages) = actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])
        .map_err(|why| {
        Problem::bad_request("SSP-VNC-003", format_args!("this is no WebSocket: {why}"))
    })?;
    let place = edge.streams.place()?;
    let new = NewConnection {
        client_address: origin::address(&request, &edge),
        user_agent: request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(255).collect())
            .unwrap_or_default(),
        id: None,
    };
    let (entering, name) = (by.clone(), id.clone());
    let desktop = blocking(&edge, move |sessions| sessions.enter(&entering, &name, new)).await?;
    let stream = match streams::connect(&desktop.session, &desktop.address).await {
        Ok(stream) => stream,
        Err(why) => {
            leave(&edge, &by, &desktop).await;
            return Err(why.into());
        }
    };
    // Before a byte has passed: taps get all of it.
    let tee = Tee::new(
        &edge.streams,
        About {
            session: desktop.session.clone(),
            owner: desktop.owner.clone(),
            user: by.user().unwrap_or_default().to_owned(),
            template: desktop.template.clone(),
            connection: desktop.connection.clone(),
        },
    );
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let logger = edge.runtime.logs().logger().clone();
    rt::spawn(async move {
        let ended = carry(&edge, &by, &desktop, stream, session, messages, &tee).await;
        tee.end(ended.reason());
        drop(tee);
        info!(logger, "A viewer has left a session."; "session" => &desktop.session,
            "connection" => &desktop.connection, "reason" => ended.reason());
        drop(place);
        leave(&edge, &by, &desktop).await;
    });
    Ok(response)
}

/// Carries bytes until somebody has enough, or the viewer may be there no more.
async fn carry(
    edge: &web::Data<Edge>,
    by: &Caller,
    desktop: &Desktop,
    stream: tokio::net::TcpStream,
    session: Session,
    messages: MessageStream,
    tee: &Tee,
) -> Ended {
    let heard = std::rc::Rc::new(std::cell::Cell::new(Instant::now()));
    let incoming = incoming(messages.max_frame_size(MAX_FRAME), session.clone(), heard.clone());
    let relayed = streams::relay(incoming, Viewer(session.clone()), stream, tee);
    let watched = watch(edge, by, desktop, session.clone(), &heard);
    pin_mut!(relayed, watched);
    let ended = match select(relayed, watched).await {
        Either::Left((relayed, _)) => relayed.ended,
        Either::Right((ended, _)) => ended,
    };
    let code = match ended {
        Ended::Viewer | Ended::Desktop => CloseCode::Normal,
        Ended::Stopping => CloseCode::Away,
        Ended::Over => CloseCode::Policy,
        _ => CloseCode::Error,
    };
    // The viewer may be gone, which is what this tells it.
    let _ = session.close(Some(CloseReason { code, description: Some(ended.reason()) })).await;
    ended
}

struct Viewer(Session);

impl Outgoing for Viewer {
    async fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        self.0.binary(piece).await.map_err(|_| Gone)
    }
}

/// What a viewer sends, without what is the WebSocket's own.
fn incoming(
    messages: MessageStream,
    session: Session,
    heard: std::rc::Rc<std::cell::Cell<Instant>>,
) -> impl Stream<Item = Result<Bytes, Gone>> {
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

/// Ends when the host stops, the viewer gives no sign, or the session is not the viewer's any more.
async fn watch(
    edge: &web::Data<Edge>,
    by: &Caller,
    desktop: &Desktop,
    mut session: Session,
    heard: &std::cell::Cell<Instant>,
) -> Ended {
    let mut looks = interval(LOOK);
    looks.tick().await;
    loop {
        looks.tick().await;
        if edge.is_stopping() {
            return Ended::Stopping;
        }
        if heard.get().elapsed() > SILENT {
            return Ended::ViewerSilent;
        }
        if session.ping(b"").await.is_err() {
            return Ended::Viewer;
        }
        let (viewer, desktop) = (by.sees.clone(), desktop.clone());
        match blocking(edge, move |sessions| sessions.is_there(&viewer, &desktop)).await {
            Ok(true) => {}
            Ok(false) => return Ended::Over,
            // The database is away for a moment: nobody loses a desktop for it.
            Err(_) => {}
        }
    }
}

/// Notes that a viewer has left. If that cannot be, the next start does.
async fn leave(edge: &web::Data<Edge>, by: &Caller, desktop: &Desktop) {
    let logger: Logger = edge.runtime.logs().logger().clone();
    let (left, by) = (desktop.clone(), by.clone());
    if let Err(why) = blocking(edge, move |sessions| sessions.leave(&by, &left)).await {
        warn!(logger, "That a viewer has left a session could not be written down.";
            "session" => &desktop.session, "reason" => why.to_string());
    }
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        let status = match &error {
            StreamError::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
            StreamError::Unreachable { .. } => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.code(), &error)
    }
}
