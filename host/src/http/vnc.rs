//! Desktops in a browser: a ticket, and the WebSocket that it lets in.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    rt::{
        self,
        time::{interval, timeout},
    },
    web,
};
use actix_ws::{CloseCode, CloseReason, MessageStream, Session};
use futures_util::{
    future::{Either, select},
    pin_mut,
};
use serde::{Deserialize, Serialize};
use slog::{Logger, info, warn};
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::{self, SignedIn},
    origin,
    query::{Query, understood},
    sessions::{blocking, caller},
    viewer::{self, Viewer},
};
use crate::{
    platform::{
        access::Identity,
        sessions::{Access, Caller, Desktop, NewConnection},
    },
    streams::{self, About, Conversation, Ended, StreamError, Tee},
};

/// How often a viewer is asked whether it is there, and looked after whether it may still be.
const LOOK: Duration = Duration::from_secs(5);
/// How long a viewer may take to be told why it ends.
const CLOSE: Duration = Duration::from_secs(2);
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
        (status = 429, description = "The caller has as many tickets that were not used as may be"),
    ),
)]
pub(super) async fn ticket(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (session, by) = (id.clone(), caller(&identity)?);
    let access = blocking(&edge, move |sessions| sessions.may_enter(&by.sees, &session)).await?;
    let account = identity.caller.id().to_owned();
    let ticket = edge.streams.tickets.issue(&account, &id, identity, Instant::now())?;
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
    security((), ("token" = []), ("cookie" = [])),
    params(
        ("id" = String, Path, description = "The session's id"),
        Shown,
    ),
    responses(
        (status = 101, description = "The stream begins"),
        (status = 400, description = "The query, or the WebSocket's handshake, is not understood"),
        (status = 401, description = "Nobody is signed in, or the ticket is not good"),
        (status = 403, description = "The call comes from another site's page"),
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
    let identity = match understood(query)?.ticket {
        Some(ticket) => {
            let issued = edge.streams.tickets.redeem(&ticket, &id, Instant::now());
            let by_now = match issued {
                Some(identity) => auth::again(&edge, &identity).await?,
                None => None,
            };
            by_now.ok_or_else(|| {
                Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "SSP-VNC-004",
                    "this ticket is not good: it was used, is of another session, or older than 30 seconds; ask for another one",
                )
            })?
        }
        None => auth::signed_in(&request).await?,
    };
    let by = caller(&identity)?;
    // The handshake first: what is no WebSocket enters nothing.
    let (mut response, session, messages) =
        actix_ws::handle_with_protocols(&request, payload, &[viewer::PROTOCOL]).map_err(|why| {
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
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // On a task of its own from here on: a client that goes while it waits has this handler dropped, and who has entered has to leave.
    let (outcome, entered) = oneshot::channel();
    rt::spawn(async move {
        let (entering, name) = (by.clone(), id.into_inner());
        let desktop = match blocking(&edge, move |sessions| sessions.enter(&entering, &name, new)).await {
            Ok(desktop) => desktop,
            // Nobody to be told is nobody who has entered.
            Err(why) => return drop(outcome.send(Err(why))),
        };
        let stream = match streams::connect(&desktop.session, &desktop.address).await {
            Ok(stream) => stream,
            Err(why) => {
                leave(&edge, &by, &desktop).await;
                return drop(outcome.send(Err(why.into())));
            }
        };
        if outcome.send(Ok(())).is_err() {
            return leave(&edge, &by, &desktop).await;
        }
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
        let logger = edge.runtime.logs().logger().clone();
        let ended = carry(&edge, &identity, &desktop, stream, session, messages, &tee).await;
        edge.streams.note_ended(&ended);
        tee.end(ended.reason());
        drop(tee);
        info!(logger, "A viewer has left a session."; "session" => &desktop.session,
            "connection" => &desktop.connection, "reason" => ended.reason());
        drop(place);
        leave(&edge, &by, &desktop).await;
    });
    match entered.await {
        Ok(entered) => entered.map(|()| response),
        Err(_) => {
            let why = "the way to the desktop ended in a panic";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why))
        }
    }
}

/// Carries bytes until somebody has enough, or the viewer may be there no more.
async fn carry(
    edge: &web::Data<Edge>,
    identity: &Identity,
    desktop: &Desktop,
    stream: tokio::net::TcpStream,
    session: Session,
    messages: MessageStream,
    tee: &Tee,
) -> Ended {
    let heard = std::rc::Rc::new(std::cell::Cell::new(Instant::now()));
    let incoming = viewer::incoming(messages, session.clone(), heard.clone());
    let conversation = Conversation::new(desktop.access);
    let input = edge.sessions.input(&desktop.session);
    let relayed =
        streams::relay(incoming, Viewer(session.clone()), stream, conversation, tee, || input.note());
    let watched = watch(edge, identity, desktop, session.clone(), &heard);
    pin_mut!(relayed, watched);
    let ended = match select(relayed, watched).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    };
    let code = match ended {
        Ended::Viewer | Ended::Desktop => CloseCode::Normal,
        Ended::Stopping => CloseCode::Away,
        Ended::Over | Ended::NotUnderstood(_) => CloseCode::Policy,
        _ => CloseCode::Error,
    };
    // The viewer may be gone, which is what this tells it. One that takes nothing does not take this either.
    let told = session.close(Some(CloseReason { code, description: Some(ended.reason()) }));
    let _ = timeout(CLOSE, told).await;
    ended
}

/// Ends when the host stops, the viewer gives no sign, or the session is not the viewer's any more.
async fn watch(
    edge: &web::Data<Edge>,
    identity: &Identity,
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
        // Where there is no room for it, the relay knows how long it waits for that.
        if let Ok(Err(_)) = timeout(LOOK, session.ping(b"")).await {
            return Ended::Viewer;
        }
        // The database may be away for a moment: nobody loses a desktop for it.
        if let Ok(false) = may_stay(edge, identity, desktop).await {
            return Ended::Over;
        }
    }
}

/// Whether a viewer may still be there: by what it has proved who it is with, what it is permitted, and whose the session is by now.
async fn may_stay(edge: &web::Data<Edge>, identity: &Identity, desktop: &Desktop) -> Result<bool, Problem> {
    let Some(identity) = auth::again(edge, identity).await? else { return Ok(false) };
    let Ok(by) = caller(&identity) else { return Ok(false) };
    let desktop = desktop.clone();
    blocking(edge, move |sessions| sessions.is_there(&by.sees, &desktop)).await
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
