//! From what a plugin answers to an answer of the web server.

use std::path::PathBuf;

use actix_files::NamedFile;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web,
};
use streamspace_plugin::{
    http::OwnedHeader,
    routes::{BodyKind, OutgoingAnswer},
};

use super::Refusal;
use crate::{routes::Found, store::open_without_waiting};

pub(super) async fn whole(
    request: &HttpRequest,
    found: &Found,
    id: &str,
    answer: OutgoingAnswer,
) -> Result<HttpResponse, Refusal> {
    if answer.kind == BodyKind::FILE {
        return Box::pin(file(request, found, id, answer)).await;
    }
    whole_at_once(answer)
}

pub(super) fn whole_at_once(answer: OutgoingAnswer) -> Result<HttpResponse, Refusal> {
    match answer.kind {
        BodyKind::BYTES => Ok(build(answer.status, &answer.headers)?.body(answer.body.into_vec())),
        BodyKind::PROBLEM if (400..600).contains(&answer.status) => {
            let detail = String::from_utf8_lossy(&answer.body).into_owned();
            let problem = Refusal::new(answer.status, "SSP-RTE-021", detail).problem;
            let mut response = build(answer.status, &answer.headers)?;
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            Ok(response.content_type("application/problem+json").body(body))
        }
        _ => Err(no_answer()),
    }
}

pub(super) async fn file(
    request: &HttpRequest,
    found: &Found,
    id: &str,
    answer: OutgoingAnswer,
) -> Result<HttpResponse, Refusal> {
    let path = PathBuf::from(String::from_utf8_lossy(&answer.body).into_owned());
    let opened = {
        let path = path.clone();
        web::block(move || open(path)).await
    };
    let file = opened.map_err(std::io::Error::other).flatten().map_err(|why| {
        found.unreadable(id, &path, &why);
        Refusal::new(500, "SSP-RTE-020", "the plugin answered with a file that cannot be read")
    })?;
    let mut response = file.into_response(request);
    put(&answer.headers, |name, value| {
        response.headers_mut().insert(name, value);
    })?;
    Ok(response)
}

fn open(path: PathBuf) -> std::io::Result<NamedFile> {
    let invalid = |why| Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
    if !path.is_absolute() {
        return invalid("expected an absolute path");
    }
    let file = open_without_waiting(&path)?;
    if !file.metadata()?.is_file() {
        return invalid("it is no file");
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

pub(super) fn build(status: u16, headers: &[OwnedHeader]) -> Result<HttpResponseBuilder, Refusal> {
    let known = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
    let mut response = HttpResponse::build(known.ok_or_else(no_answer)?);
    put(headers, |name, value| {
        response.append_header((name, value));
    })?;
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
    "x-request-id",
];

/// Puts a plugin's headers into an answer, but for those that are withheld.
fn put(headers: &[OwnedHeader], mut put_one: impl FnMut(HeaderName, HeaderValue)) -> Result<(), Refusal> {
    for header in headers {
        // What most answers have is known already.
        if header.name == "Content-Type" && header.value.as_slice() == b"application/json" {
            put_one(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            continue;
        }
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| no_answer())?;
        let value = HeaderValue::from_bytes(&header.value).map_err(|_| no_answer())?;
        if !WITHHELD.contains(&name.as_str()) {
            put_one(name, value);
        }
    }
    Ok(())
}
