//! Plugins' routes: `/api/plugins/{name}/…`.

mod answer;
pub(super) mod at_once;
mod carry;
pub(super) mod socket;

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{self, Poll},
    time::Instant,
};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use smallvec::SmallVec;
use streamspace_plugin::routes::OutgoingAnswer;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use self::socket::{__path_ticket, ticket};
use self::{
    answer::{build, file, whole},
    at_once::Answered,
};
use super::{
    Edge, Problem,
    auth::{self, May},
    body,
    origin::{self, Client},
    plugins::blocking,
};
use crate::{
    events::Ids,
    figures::PluginFigures,
    platform::access::{is_ours, rights::PluginsRead},
    routes::{
        self, CallError, Caller, Found, HeaderViews, Headers, Lent, Permit, PluginRoutes, Reply, Request,
        RouteView,
    },
    runtime::State,
};

/// What stands before the plugin's name in the path.
const FOLDER: &str = "/api/plugins/";

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A plugin's routes.
#[derive(Debug, Serialize, ToSchema)]
struct RouteList {
    /// In the order in which the plugin registered them.
    routes: Vec<RouteView>,
}

/// `GET …/routes`
///
/// The HTTP routes of a plugin that runs.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/routes",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The routes", body = RouteList),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn list(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let plugin = name.clone();
    blocking(&edge, move |plugins| plugins.show(&plugin)).await?;
    Ok(HttpResponse::Ok().json(RouteList { routes: edge.routes.views(&name) }))
}

/// Everything below `/api/plugins`.
pub(super) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> HttpResponse {
    let began = Instant::now();
    let answered = request.extensions_mut().remove::<Answered>();
    let id = answered.as_ref().map_or_else(|| request_id(request.headers()), |answered| answered.id.clone());
    let mut figures = None;
    let told = text_of(&id);
    let answered = match answered {
        Some(Answered { found, answer, .. }) => {
            figures = Some(Arc::clone(found.figures()));
            Box::pin(file(&request, &found, told, answer)).await
        }
        None => answer(&request, payload, &edge, told, &mut figures).await,
    };
    let mut response = answered.unwrap_or_else(|refusal| refusal.response(told));
    if request.method() == Method::HEAD {
        response = response.map_body(|_, body| BoxBody::new(SizeAlone(body.size())));
    }
    finish(&mut response, figures.as_deref(), began, id);
    response
}

/// What every answer gets, also those that are refusals.
fn finish(response: &mut HttpResponse, figures: Option<&PluginFigures>, began: Instant, id: HeaderValue) {
    if let Some(figures) = figures {
        // For metrics, once a request: two looks at the clock, and four additions to atomics of the plugin's own.
        figures.note_request(response.status().as_u16(), began.elapsed());
    }
    response.headers_mut().insert(REQUEST_ID, id);
}

/// What is left of a body for `HEAD`: nothing is read, and a plugin's stream ends.
struct SizeAlone(BodySize);

impl MessageBody for SizeAlone {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// A problem, and the header that goes with it.
struct Refusal {
    problem: Box<Problem>,
    header: Option<(HeaderName, String)>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), header: None }
    }
}

impl Refusal {
    fn new(status: u16, code: &str, detail: impl std::fmt::Display) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Problem::new(status, code, detail).into()
    }

    fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    fn response(self, id: &str) -> HttpResponse {
        let mut problem = self.problem;
        if problem.status >= 500 {
            problem.detail = format!("{} (request {id})", problem.detail);
        }
        let mut response = actix_web::ResponseError::error_response(&*problem);
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<CallError> for Refusal {
    fn from(why: CallError) -> Self {
        match why {
            CallError::Closed => Self::new(503, "SSP-RTE-014", why).with(header::RETRY_AFTER, "1"),
            CallError::Busy { .. } => Self::new(503, "SSP-RTE-015", why).with(header::RETRY_AFTER, "1"),
            CallError::Late { .. } => Self::new(504, "SSP-RTE-016", why),
            CallError::Panicked => Self::new(500, "SSP-RTE-017", why),
            CallError::Failed => Self::new(500, "SSP-RTE-018", why),
            CallError::NoThread => Self::new(503, "SSP-RTE-015", why).with(header::RETRY_AFTER, "1"),
            CallError::Sockets { of_plugin, .. } => {
                let code = if of_plugin { "SSP-WSK-005" } else { "SSP-WSK-004" };
                Self::new(503, code, why).with(header::RETRY_AFTER, "1")
            }
            CallError::Unaccepted => Self::new(500, "SSP-WSK-007", why),
        }
    }
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    edge: &Edge,
    id: &str,
    figures: &mut Option<Arc<PluginFigures>>,
) -> Result<HttpResponse, Refusal> {
    // The path as it was sent: the web server's own reading of it decodes some of it.
    let sent = request.uri().path().strip_prefix(FOLDER).ok_or_else(unknown)?;
    let Some((name, path)) = routes::split(sent) else {
        return Err(Refusal::new(
            400,
            "SSP-RTE-010",
            "the path could be read in two ways: expected no empty segment, no `.` and `..`, and no encoded `/`, `\\` or NUL",
        ));
    };
    let Some(plugin) = edge.routes.of(name) else {
        return Err(match edge.runtime.state(name) {
            None | Some(State::Running | State::Upgrading | State::Gone) => unknown(),
            Some(state) => {
                let detail = format!("the plugin `{name}` is {state} and takes no requests");
                let refusal = Refusal::new(503, "SSP-RTE-014", detail);
                match state {
                    State::Loading | State::Retiring => refusal.with(header::RETRY_AFTER, "1"),
                    _ => refusal,
                }
            }
        });
    };
    // Counted at the end, when the plugin's routes may be others.
    *figures = Some(Arc::clone(plugin.figures()));
    // What a plugin sees of `HEAD` is `GET`: the answer is the same but for the body.
    let method = match request.method() {
        &Method::HEAD => "GET",
        method => method.as_str(),
    };
    let found = find(plugin, method, &path)?;
    if found.socket().is_some() {
        return Box::pin(socket::open(request, payload, edge, name, found, &path, id)).await;
    }
    let is_public = found.route().public;
    let caller = if auth::is_anonymous(request) && is_public {
        Caller::nobody()
    } else {
        match Box::pin(auth::identify(request)).await {
            Ok(identity) if is_public => identity.map_or_else(Caller::nobody, |identity| identity.caller),
            Ok(identity) => auth::required(identity)?.caller,
            // Who proves nothing is nobody, for whom the route is too.
            Err(_) if is_public => Caller::nobody(),
            Err(problem) => return Err(problem.into()),
        }
    };
    permitted(&found, &caller)?;
    let is_private = caller.is_signed_in();
    let body = whole_body(request, payload, found.route().max_body_bytes).await?;
    let (found, permit) = match found.enter() {
        // Another version of the plugin has taken its place since: that has the request then.
        Err(CallError::Closed) => enter_again(edge, name, method, &path, &caller, body.len())?,
        entered => (found, entered?),
    };
    if found.route().inline {
        let answer = call_inline(request, edge, &found, permit, &path, &body, &caller, id)?;
        return Ok(private(whole(request, &found, id, answer).await?, is_private));
    }
    let incoming = copied(request, edge, found.route().public, path, body, caller, id);
    // What waits has a future of its own: that of a request which does not is made and moved for every request.
    let response = Box::pin(call(request, edge, Arc::new(found), permit, incoming)).await?;
    Ok(private(response, is_private))
}

/// Finds a route of a plugin.
fn find(plugin: Arc<PluginRoutes>, method: &str, path: &str) -> Result<Found, Refusal> {
    plugin.find(method, path).map_err(|mut methods| {
        if methods.is_empty() {
            return unknown();
        }
        if let Some(get) = methods.iter().position(|method| *method == "GET") {
            methods.insert(get + 1, "HEAD");
        }
        let methods = methods.join(", ");
        Refusal::new(405, "SSP-RTE-012", format_args!("this path takes {methods}"))
            .with(header::ALLOW, methods)
    })
}

fn unknown() -> Refusal {
    Refusal::new(404, "SSP-RTE-011", "no plugin has a route at this path")
}

fn permitted(found: &Found, caller: &Caller) -> Result<(), Refusal> {
    let Some(permission) = found.lacks(caller) else { return Ok(()) };
    let detail =
        format_args!("this route takes the permission `{permission}`, which the caller does not have");
    Err(Refusal::new(403, "SSP-RTE-013", detail))
}

/// Finds the route anew for a request that was let in by the routes of a version that is gone.
fn enter_again(
    edge: &Edge,
    name: &str,
    method: &str,
    path: &str,
    caller: &Caller,
    body_bytes: usize,
) -> Result<(Found, Permit), Refusal> {
    let found = find(edge.routes.of(name).ok_or(CallError::Closed)?, method, path)?;
    if !found.route().public && !caller.is_signed_in() {
        // Who is nobody here was let in by a route that was for everybody.
        return Err(CallError::Closed.into());
    }
    permitted(&found, caller)?;
    if body_bytes > found.route().max_body_bytes {
        return Err(CallError::Closed.into());
    }
    let permit = found.enter()?;
    Ok((found, permit))
}

/// Runs a handler here. Not within the future above: what is on the stack here would be in that, and be moved with it.
#[expect(clippy::too_many_arguments, reason = "what a request is made of, each from another place")]
fn call_inline(
    request: &HttpRequest,
    edge: &Edge,
    found: &Found,
    permit: Permit,
    path: &str,
    body: &[u8],
    caller: &Caller,
    id: &str,
) -> Result<OutgoingAnswer, CallError> {
    let client = Client::of(request.peer_addr(), request.headers(), edge);
    let headers = told(request.headers(), found.route().public, &client);
    let headers: HeaderViews<'_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    let lent = Lent {
        path,
        query: request.query_string(),
        headers: headers.all(),
        body,
        caller,
        id,
        traceparent: text(request.headers(), &TRACEPARENT),
    };
    found.call_inline(permit, &lent)
}

/// A request for a handler on another thread.
fn copied(
    request: &HttpRequest,
    edge: &Edge,
    is_public: bool,
    path: Cow<'_, str>,
    body: Bytes,
    caller: Arc<Caller>,
    id: &str,
) -> Request {
    let mut headers = Headers::default();
    let client = Client::of(request.peer_addr(), request.headers(), edge);
    for (name, value) in told(request.headers(), is_public, &client) {
        headers.push(name, &value);
    }
    Request {
        path: path.into_owned(),
        query: request.query_string().to_owned(),
        headers,
        body,
        caller,
        id: id.to_owned(),
        traceparent: text(request.headers(), &TRACEPARENT).to_owned(),
    }
}

/// Has a handler run on another thread, and waits for it.
async fn call(
    request: &HttpRequest,
    edge: &Edge,
    found: Arc<Found>,
    permit: Permit,
    incoming: Request,
) -> Result<HttpResponse, Refusal> {
    let id = incoming.id.clone();
    match edge.routes.call(&found, permit, incoming).await? {
        Reply::Whole(answer) => whole(request, &found, &id, answer).await,
        Reply::Stream { status, headers, pieces } => {
            let mut response = build(status, &headers)?;
            let pieces = stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece, pieces))
            });
            Ok(response.streaming(pieces))
        }
    }
}

/// An answer that may be for this caller alone, unless the plugin says otherwise.
fn private(mut response: HttpResponse, is_private: bool) -> HttpResponse {
    if is_private && !response.headers().contains_key(header::CACHE_CONTROL) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    response
}

/// The body. Most requests have none, and nothing is waited for then.
async fn whole_body(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<Bytes, Refusal> {
    let headers = request.headers();
    match headers.get(header::CONTENT_LENGTH) {
        None if !headers.contains_key(header::TRANSFER_ENCODING) => return Ok(Bytes::new()),
        None => {}
        Some(announced) => {
            let announced = announced.to_str().ok().and_then(|length| length.parse::<u64>().ok());
            if announced.is_some_and(|length| length > limit as u64) {
                let detail = format_args!("the body has more than {limit} bytes");
                return Err(Refusal::new(413, "SSP-API-413", detail));
            }
        }
    }
    Ok(Box::pin(body::read(payload, limit)).await?)
}

/// The headers that a plugin is told.
type Told<'h> = SmallVec<[(&'h str, Cow<'h, [u8]>); 16]>;

/// What a plugin is told. Never what a client proves itself to the host with, be it right or wrong: on a public route an
/// `Authorization` that is none of the host's is the plugin's own. And never what it says of its own address.
fn told<'h>(sent: &'h HeaderMap, is_public: bool, client: &'h Client) -> Told<'h> {
    let is_withheld = |name: &HeaderName, value: &HeaderValue| {
        name == header::AUTHORIZATION && (!is_public || is_the_hosts(value))
            || name == origin::CSRF_HEADER
            || name == origin::FORWARDED_FOR
    };
    let told = sent.iter().filter(|(name, value)| !is_withheld(name, value)).filter_map(|(name, value)| {
        let value = match *name {
            header::COOKIE => origin::without_own_cookies(value)?,
            _ => Cow::Borrowed(value.as_bytes()),
        };
        Some((name.as_str(), value))
    });
    told.chain(client.header().map(|(name, address)| (name, Cow::Borrowed(address)))).collect()
}

fn is_the_hosts(authorization: &HeaderValue) -> bool {
    // What is no text could be anything.
    authorization.to_str().map_or(true, |text| text.split([' ', ',']).any(is_ours))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).map(text_of).unwrap_or_default()
}

/// Nothing for what is not ASCII.
fn text_of(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// The id that was sent, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    id_or_new(headers.get(REQUEST_ID))
}

/// What was sent, if it is an id, or a new one: a UUID of version 7.
fn id_or_new(sent: Option<&HeaderValue>) -> HeaderValue {
    static IDS: LazyLock<Ids> = LazyLock::new(Ids::new);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if let Some(sent) = sent
        && (1..=128).contains(&sent.len())
        && sent.as_bytes().iter().copied().all(valid)
    {
        return sent.clone();
    }
    let mut text = Uuid::encode_buffer();
    let made = IDS.next().0.hyphenated().encode_lower(&mut text);
    // Hexadecimal digits and hyphens are a value.
    HeaderValue::from_str(made).unwrap_or_else(|_| HeaderValue::from_static(""))
}
