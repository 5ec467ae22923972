//! Administration of plugins: `/api/v1/plugins…` and `/api/v1/blocked-libraries…`.

use std::path::PathBuf;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Edge, Problem,
    auth::{Admin, May},
    body,
    query::{Query, understood},
};
use crate::{
    config::Level,
    install::InstallError,
    install::Plugins,
    platform::access::rights::{PluginsManage, PluginsOperate, PluginsRead},
};

/// Runs an operation on the threads for blocking ones: it waits for plugins, disks and locks.
pub(super) async fn blocking<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&Plugins) -> Result<T, InstallError> + Send + 'static,
) -> Result<T, Problem> {
    let plugins = edge.plugins.clone();
    match web::block(move || operation(&plugins)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)),
    }
}

/// `GET /api/v1/plugins`
pub(super) async fn list(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let plugins = blocking(&edge, |plugins| plugins.list()).await?;
    Ok(HttpResponse::Ok().json(json!({"plugins": plugins})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Install {
    /// A folder on the host's machine.
    path: PathBuf,
}

/// `POST /api/v1/plugins` with `{"path": FOLDER}`, a folder on the host's machine.
pub(super) async fn install(
    _: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Install { path } = body::json(payload, edge.max_body_bytes).await?;
    if !path.is_absolute() {
        return Err(Problem::bad_request(
            "SSP-API-003",
            "`path`: expected an absolute path on the host's machine",
        ));
    }
    let plugin = blocking(&edge, move |plugins| plugins.install(&path)).await?;
    Ok(HttpResponse::Created().json(plugin))
}

/// `GET /api/v1/plugins/{name}`
pub(super) async fn show(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.show(&name)).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Uninstall {
    /// Whether what it has stored goes too.
    #[serde(default)]
    purge: bool,
}

/// `DELETE /api/v1/plugins/{name}?purge=false`
pub(super) async fn uninstall(
    _: May<PluginsManage>,
    name: web::Path<String>,
    query: Query<Uninstall>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Uninstall { purge } = understood(query)?;
    blocking(&edge, move |plugins| plugins.uninstall(&name, purge)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/secrets/rotate`
pub(super) async fn rotate_secret_key(_: Admin, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let sealed = blocking(&edge, |plugins| plugins.rotate_secret_key()).await?;
    Ok(HttpResponse::Ok().json(json!({"sealed": sealed})))
}

/// `GET /api/v1/blocked-libraries`
pub(super) async fn blocked(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let blocked = blocking(&edge, |plugins| plugins.blocked()).await?;
    Ok(HttpResponse::Ok().json(json!({"libraries": blocked})))
}

/// `DELETE /api/v1/blocked-libraries/{hash}`
pub(super) async fn unblock(
    _: May<PluginsManage>,
    hash: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.unblock(&hash)).await?))
}

/// `POST /api/v1/plugins/{name}/enable`
pub(super) async fn enable(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.enable(&name)).await?))
}

/// `POST /api/v1/plugins/{name}/disable`
pub(super) async fn disable(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.disable(&name)).await?))
}

/// `GET /api/v1/plugins/{name}/config`: with the defaults, without the secrets.
pub(super) async fn config(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.config(&name)).await?))
}

/// `PATCH /api/v1/plugins/{name}/config`: a JSON merge patch (RFC 7396).
pub(super) async fn set_config(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch: Value = body::json(payload, edge.max_body_bytes).await?;
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.set_config(&name, patch)).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    /// `null` for the host's own.
    level: Option<Level>,
}

/// `PUT /api/v1/plugins/{name}/log-level` with `{"level": "debug"}`, until the host stops.
pub(super) async fn set_log_level(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let LogLevel { level } = body::json(payload, edge.max_body_bytes).await?;
    let plugin = name.clone();
    blocking(&edge, move |plugins| plugins.show(&plugin)).await?;
    edge.runtime.logs().set_level_of(&name, level.map(Into::into));
    Ok(HttpResponse::Ok().json(json!({"level": edge.runtime.logs().level_of(&name).as_str().to_lowercase()})))
}
