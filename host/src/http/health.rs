//! Whether the host lives, and whether it is ready.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Edge, Problem};

/// How the host is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok` or `ready`.
    status: &'static str,
}

/// `GET /healthz`
///
/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    security(()),
    responses((status = 200, description = "It lives", body = Health)),
)]
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// `GET /readyz`
///
/// The plugins have been started, and the host is not stopping.
#[utoipa::path(
    get,
    path = "/readyz",
    security(()),
    responses(
        (status = 200, description = "It is ready", body = Health),
        (status = 503, description = "It is starting its plugins, or stopping"),
    ),
)]
pub(super) async fn readyz(edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    if edge.ready.get() {
        return Ok(HttpResponse::Ok().json(Health { status: "ready" }));
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "SSP-API-503",
        "the host is starting its plugins, or stopping",
    ))
}
