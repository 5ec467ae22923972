//! Plugins' jobs: `/api/v1/plugins/{name}/jobs…`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Edge, Problem, auth::May, plugins::blocking};
use crate::{
    install::JobView,
    platform::access::rights::{PluginsOperate, PluginsRead},
};

/// A plugin's jobs.
#[derive(Debug, Serialize, ToSchema)]
struct Jobs {
    /// By name.
    jobs: Vec<JobView>,
}

/// `GET …/jobs`
///
/// A plugin's jobs.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/jobs",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The jobs", body = Jobs),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn list(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let jobs = blocking(&edge, move |plugins| plugins.jobs(&name)).await?;
    Ok(HttpResponse::Ok().json(Jobs { jobs }))
}

/// `GET …/jobs/{job}`
///
/// One job, with its newest runs.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/jobs/{job}",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("job" = String, Path, description = "The job's name"),
    ),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 404, description = "No such plugin is installed, or it has no such job"),
    ),
)]
pub(super) async fn show(
    _: May<PluginsRead>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/run`
///
/// Begins a run now, paused or not, and does not wait for its end.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/jobs/{job}/run",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("job" = String, Path, description = "The job's name"),
    ),
    responses(
        (status = 200, description = "The run has begun", body = JobView),
        (status = 404, description = "No such plugin is installed, or it has no such job"),
        (status = 409, description = "The plugin does not run, or an earlier run has not ended"),
    ),
)]
pub(super) async fn run(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.run_job(&name, &job)).await?))
}

/// `POST …/jobs/{job}/pause`
///
/// Has a job run by hand alone, also after a restart.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/jobs/{job}/pause",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("job" = String, Path, description = "The job's name"),
    ),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 404, description = "No such plugin is installed, or it has no such job"),
    ),
)]
pub(super) async fn pause(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, true)).await?))
}

/// `POST …/jobs/{job}/resume`
///
/// Has a job run by its times again. What was due meanwhile is not made up for.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/jobs/{job}/resume",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("job" = String, Path, description = "The job's name"),
    ),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 404, description = "No such plugin is installed, or it has no such job"),
    ),
)]
pub(super) async fn resume(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, job) = path.into_inner();
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.pause_job(&name, &job, false)).await?))
}
