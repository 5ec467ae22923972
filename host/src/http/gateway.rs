//! Plugins' routes: `/api/plugins/{name}/…`.

use std::{sync::Arc, time::Instant};

use actix_files::NamedFile;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use futures_util::stream;
use serde::Serialize;
use streamspace_plugin::{
    http::OwnedHeader,
    routes::{BodyKind, OutgoingAnswer},
};
use utoipa::ToSchema;
use uuid::Builder;

use super::{
    Edge, Problem,
    auth::{self, May},
    body, origin,
    plugins::blocking,
};
use crate::{
    clock,
    figures::PluginFigures,
    platform::access::{is_ours, rights::PluginsRead},
    routes::{self, CallError, Caller, Headers, Reply, Request, RouteView},
    runtime::State,
    store::open_without_waiting,
};

const REQUEST_ID: &str = "x-request-id";

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
    let id = request_id(request.headers());
    let began = Instant::now();
    let mut figures = None;
    let answered = answer(&request, payload, &edge, &id, &mut figures).await;
    let mut response = answered.unwrap_or_else(|refusal| refusal.response(&id));
    if let Some(figures) = figures {
        // For metrics, once a request: two looks at the clock, and four additions to atomics of the plugin's own.
        figures.note_request(response.status().as_u16(), began.elapsed());
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), id);
    }
    response
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
    let sent = request.uri().path().strip_prefix("/api/plugins/");
    let Some((name, path)) = sent.and_then(routes::split) else {
        return Err(Refusal::new(
            400,
            "SSP-RTE-010",
            "the path could be read in two ways: expected no empty segment, no `.` and `..`, and no encoded `/`, `\\` or NUL",
        ));
    };
    let unknown = || Refusal::new(404, "SSP-RTE-011", "no plugin has a route at this path");
    let Some(plugin) = edge.routes.of(name) else {
        return Err(match edge.runtime.state(name) {
            None | Some(State::Running | State::Gone) => unknown(),
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
    *figures = Some(Arc::clone(plugin.figures()));
    let found = plugin.find(request.method().as_str(), &path).map_err(|methods| {
        if methods.is_empty() {
            return unknown();
        }
        let methods = methods.join(", ");
        Refusal::new(405, "SSP-RTE-012", format_args!("this path takes {methods}"))
            .with(header::ALLOW, methods)
    })?;
    let is_public = found.route().public;
    let caller = match auth::identify(request).await {
        Ok(identity) if is_public => identity.map_or_else(Caller::nobody, |identity| identity.caller),
        Ok(identity) => auth::required(identity)?.caller,
        // Who proves nothing is nobody, for whom the route is too.
        Err(_) if is_public => Caller::nobody(),
        Err(problem) => return Err(problem.into()),
    };
    if let Some(permission) = found.lacks(&caller) {
        let detail =
            format_args!("this route takes the permission `{permission}`, which the caller does not have");
        return Err(Refusal::new(403, "SSP-RTE-013", detail));
    }
    let is_private = caller.is_signed_in();
    let limit = found.route().max_body_bytes;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(Refusal::new(413, "SSP-API-413", format_args!("the body has more than {limit} bytes")));
    }
    let body = body::read(payload, limit).await?;
    let incoming = Request {
        path: path.into_owned(),
        query: request.query_string().to_owned(),
        headers: headers(request.headers(), is_public),
        body,
        caller,
        id: id.to_owned(),
        traceparent: text(request.headers(), "traceparent").to_owned(),
    };
    let mut response = match edge.routes.call(found, incoming).await? {
        Reply::Whole(answer) => whole(request, answer).await?,
        Reply::Stream { status, headers, pieces } => {
            let mut response = build(status, &headers)?;
            let pieces = stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece, pieces))
            });
            response.streaming(pieces)
        }
    };
    if is_private && !response.headers().contains_key(header::CACHE_CONTROL) {
        // It may be for this caller alone.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    Ok(response)
}

async fn whole(request: &HttpRequest, answer: OutgoingAnswer) -> Result<HttpResponse, Refusal> {
    match answer.kind {
        BodyKind::BYTES => Ok(build(answer.status, &answer.headers)?.body(answer.body.into_vec())),
        BodyKind::PROBLEM if (400..600).contains(&answer.status) => {
            let detail = String::from_utf8_lossy(&answer.body).into_owned();
            let problem = Refusal::new(answer.status, "SSP-RTE-021", detail).problem;
            let mut response = build(answer.status, &answer.headers)?;
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            Ok(response.content_type("application/problem+json").body(body))
        }
        BodyKind::FILE => {
            let path = std::path::PathBuf::from(String::from_utf8_lossy(&answer.body).into_owned());
            let opened = web::block(move || open(path)).await;
            let file = opened.ok().and_then(Result::ok).ok_or_else(|| {
                Refusal::new(500, "SSP-RTE-020", "the plugin answered with a file that cannot be read")
            })?;
            let mut response = file.into_response(request);
            for (name, value) in allowed(&answer.headers)? {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        }
        _ => Err(no_answer()),
    }
}

fn open(path: std::path::PathBuf) -> std::io::Result<NamedFile> {
    if !path.is_absolute() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let file = open_without_waiting(&path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    NamedFile::from_file(file, path)
}

fn no_answer() -> Refusal {
    Refusal::new(
        502,
        "SSP-RTE-019",
        "the plugin's answer is none: its status, a header or its body is not valid",
    )
}

fn build(status: u16, headers: &[OwnedHeader]) -> Result<HttpResponseBuilder, Refusal> {
    let known = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
    let mut response = HttpResponse::build(known.ok_or_else(no_answer)?);
    for header in allowed(headers)? {
        response.append_header(header);
    }
    Ok(response)
}

/// Headers that are the connection's or the host's. A plugin's are left out.
const WITHHELD: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "set-cookie",
    REQUEST_ID,
];

fn allowed(headers: &[OwnedHeader]) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let mut allowed = Vec::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| no_answer())?;
        let value = HeaderValue::from_bytes(&header.value).map_err(|_| no_answer())?;
        if !WITHHELD.contains(&name.as_str()) {
            allowed.push((name, value));
        }
    }
    Ok(allowed)
}

/// What a plugin is told. Never what a client proves itself to the host with, be it right or wrong: on a public route an
/// `Authorization` that is none of the host's is the plugin's own.
fn headers(sent: &HeaderMap, is_public: bool) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in sent {
        if name == header::COOKIE {
            if let Some(others) = origin::without_own_cookies(value) {
                headers.push(name.as_str(), others.as_bytes());
            }
        } else if !(name == header::AUTHORIZATION && (!is_public || is_the_hosts(value))
            || name == origin::CSRF_HEADER)
        {
            headers.push(name.as_str(), value.as_bytes());
        }
    }
    headers
}

fn is_the_hosts(authorization: &HeaderValue) -> bool {
    // What is no text could be anything.
    authorization.to_str().map_or(true, |text| text.split([' ', ',']).any(is_ours))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The id that was sent, if it is one, or a new one: a UUID of version 7.
fn request_id(headers: &HeaderMap) -> String {
    let sent = text(headers, REQUEST_ID);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=128).contains(&sent.len()) && sent.bytes().all(valid) {
        return sent.to_owned();
    }
    let mut random = [0; 10];
    // Without the system's random numbers an id still has its time. `Uuid::now_v7` takes a lock.
    let _ = getrandom::fill(&mut random);
    Builder::from_unix_timestamp_millis(clock::unix_time_us() / 1000, &random).into_uuid().to_string()
}
