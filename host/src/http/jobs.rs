//! Plugins' jobs: `/api/v1/plugins/{name}/jobs…`.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{Edge, Problem, auth::May, plugins::blocking};
use crate::platform::access::rights::{PluginsOperate, PluginsRead};

/// `GET …/jobs`
pub(super) async fn list(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let jobs = blocking(&edge, move |plugins| plugins.jobs(&name)).await?;
    Ok(HttpResponse::Ok().json(json!({"jobs": jobs})))
}

/// `GET …/jobs/{job}`: with its newest runs.
pub(super) async fn show(
    _: May<PluginsRead>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/run`
pub(super) async fn run(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.run_job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/pause`
pub(super) async fn pause(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, true)).await?))
}

/// `POST …/jobs/{job}/resume`
pub(super) async fn resume(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, false)).await?))
}
