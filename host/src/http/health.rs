//! Whether the host lives, and whether it is ready.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{Edge, Problem};

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /readyz`: the plugins have been started, and the host is not stopping.
pub(super) async fn readyz(edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    if edge.ready.get() {
        return Ok(HttpResponse::Ok().json(json!({"status": "ready"})));
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "SSP-API-503",
        "the host is starting its plugins, or stopping",
    ))
}
