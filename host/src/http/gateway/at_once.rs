//! Requests for which nothing is waited: to a route that is `inline` and public, without a body, from nobody who shows who
//! it is. They are answered before the web server's own way begins, with its routing, its middleware and its futures, which
//! would cost more than all that is done here.

use std::{sync::LazyLock, time::Instant};

use actix_http::{Request, Response};
use actix_web::{
    HttpMessage,
    body::BoxBody,
    http::header::{self, HeaderMap, HeaderValue},
};
use streamspace_plugin::routes::{BodyKind, OutgoingAnswer};

use super::{FOLDER, REQUEST_ID, Refusal, TRACEPARENT, answer::whole_at_once, finish, id_or_new, text_of};
use crate::{
    http::{
        Edge,
        headers::complete,
        origin::{self, Client},
    },
    routes::{self, Caller, Found, HeaderViews, Lent},
};

/// What a plugin has answered, on its way to where files are read.
pub(super) struct Answered {
    pub(super) found: Found,
    pub(super) answer: OutgoingAnswer,
    pub(super) id: HeaderValue,
}

static NOBODY: LazyLock<Caller> = LazyLock::new(Caller::default);

/// The answer; `None` for a request that goes the web server's way.
pub(in crate::http) fn answer(request: &Request, edge: &Edge) -> Option<Response<BoxBody>> {
    let (name, path) = routes::split(request.path().strip_prefix(FOLDER)?)?;
    let found = edge.routes.of(name)?.find(request.method().as_str(), &path).ok()?;
    if !(found.route().inline && found.route().public) {
        return None;
    }
    let client = Client::of(request.peer_addr(), request.headers(), edge);
    let mut headers = HeaderViews::default();
    let sent = look_through(request.headers(), &mut headers)?;
    if let Some((name, address)) = client.header() {
        headers.push(name, address);
    }
    let began = Instant::now();
    let id = id_or_new(sent.id);
    let told = text_of(&id);
    // Refusals are the other way's affair, and a version that has taken this one's place is found there.
    let permit = found.enter().ok()?;
    let lent = Lent {
        path: &path,
        query: request.uri().query().unwrap_or_default(),
        headers: headers.all(),
        body: &[],
        caller: &NOBODY,
        id: told,
        traceparent: sent.traceparent,
    };
    let answered = match found.call_inline(permit, &lent) {
        Ok(answer) if answer.kind == BodyKind::FILE => {
            request.extensions_mut().insert(Answered { found, answer, id });
            return None;
        }
        Ok(answer) => whole_at_once(answer),
        Err(why) => Err(Refusal::from(why)),
    };
    let mut response = answered.unwrap_or_else(|refusal| refusal.response(told));
    finish(&mut response, Some(found.figures()), began, id);
    complete(&mut response, request.path(), edge.runtime.logs().logger());
    Some(response.into())
}

/// What is found among the headers of a request, besides what its plugin is told.
struct Sent<'r> {
    id: Option<&'r HeaderValue>,
    traceparent: &'r str,
}

/// Looks through them once, and adds what the plugin is told to `told`, in its place. `None` if they say who calls, or that
/// a body comes.
fn look_through<'r>(headers: &'r HeaderMap, told: &mut HeaderViews<'r>) -> Option<Sent<'r>> {
    let mut sent = Sent { id: None, traceparent: "" };
    for (name, value) in headers {
        match *name {
            header::AUTHORIZATION
            | header::COOKIE
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::UPGRADE => return None,
            _ if *name == REQUEST_ID => sent.id = sent.id.or(Some(value)),
            _ if *name == TRACEPARENT && sent.traceparent.is_empty() => sent.traceparent = text_of(value),
            _ if *name == origin::CSRF_HEADER || *name == origin::FORWARDED_FOR => continue,
            _ => {}
        }
        told.push(name.as_str(), value.as_bytes());
    }
    Some(sent)
}
