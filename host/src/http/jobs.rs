//! Plugins' jobs: `/api/v1/plugins/{name}/jobs…`.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{Edge, Problem, auth::Admin, plugins::blocking};

/// `GET …/jobs`
pub(super) async fn list(
    _admin: Admin,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let jobs = blocking(&edge, move |plugins| plugins.jobs(&name)).await?;
    Ok(HttpResponse::Ok().json(json!({"jobs": jobs})))
}

/// `GET …/jobs/{job}`: with its newest runs.
pub(super) async fn show(
    _admin: Admin,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/run`
pub(super) async fn run(
    _admin: Admin,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.run_job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/pause`
pub(super) async fn pause(
    _admin: Admin,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, true)).await?))
}

/// `POST …/jobs/{job}/resume`
pub(super) async fn resume(
    _admin: Admin,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, false)).await?))
}
