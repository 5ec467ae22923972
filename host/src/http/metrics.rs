//! `GET /metrics`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};

use super::{Edge, Problem, auth};
use crate::{
    config,
    metrics::{Format, Sources, gather},
    platform::access::rights::{HostObserve, Right},
};

/// `GET /metrics`
///
/// The metrics, in the text format of Prometheus, or in that of OpenMetrics if it is asked for.
#[utoipa::path(
    get,
    path = "/metrics",
    security((), ("token" = []), ("cookie" = [])),
    responses(
        (
            status = 200,
            description = "The metrics",
            content((String = "text/plain"), (String = "application/openmetrics-text")),
        ),
        (status = 401, description = "Nobody is signed in, where `server.metrics` is `token`"),
        (status = 403, description = "The caller does not have the permission `host.observe`"),
        (status = 500, description = "The host cannot do it"),
    ),
)]
pub(super) async fn metrics(request: HttpRequest, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    if edge.metrics == config::Metrics::Token {
        let identity = auth::required(auth::identify(&request).await?)?;
        auth::must_be_permitted(&identity.caller, HostObserve::NAME)?;
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = match accept {
        Some(accept) if accept.contains("application/openmetrics-text") => Format::OpenMetrics,
        _ => Format::Prometheus,
    };
    let text = web::block(move || {
        let sources =
            Sources { runtime: &edge.runtime, ready: edge.ready.get(), started_us: edge.started_us };
        gather(&sources).write(format)
    });
    let text =
        text.await.map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why))?;
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(text))
}
