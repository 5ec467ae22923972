//! Headers of every answer.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use slog::{Logger, error};

use super::problem::Hidden;

/// Nothing that the host answers is a page; a plugin that answers one says what may be in it.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Adds what keeps a browser from taking an answer for what it is not. What a handler has said itself stays. `path` is the
/// request's.
pub(super) fn complete<B>(response: &mut HttpResponse<B>, path: &str, logger: &Logger) {
    let of_the_host = path.starts_with("/api/v1/");
    // Of JSON that is not to be guessed at, a browser makes neither a page nor a part of one. All of the others would be
    // paid for by every request to a plugin.
    let is_data = path.starts_with("/api/plugins/")
        && response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if response.status().is_server_error()
        && let Some(Hidden(reason)) = response.extensions().get::<Hidden>()
    {
        error!(logger, "A request failed."; "error" => reason, "path" => path);
    }
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    add(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_data {
        return;
    }
    add(header::CONTENT_SECURITY_POLICY, POLICY);
    add(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    add(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    if of_the_host {
        add(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
