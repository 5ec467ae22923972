//! Administration of plugins: `/api/v1/plugins…` and `/api/v1/blocked-libraries…`.

use std::path::PathBuf;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::{Admin, May},
    body,
    query::{Query, understood},
};
use crate::{
    config::Level,
    install::{InstallError, PluginView, Plugins},
    loader::Blocked,
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

/// The installed plugins.
#[derive(Debug, Serialize, ToSchema)]
struct PluginList {
    /// By name.
    plugins: Vec<PluginView>,
}

/// `GET /api/v1/plugins`
///
/// The installed plugins.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    responses((status = 200, description = "The installed plugins", body = PluginList)),
)]
pub(super) async fn list(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let plugins = blocking(&edge, |plugins| plugins.list()).await?;
    Ok(HttpResponse::Ok().json(PluginList { plugins }))
}

/// What is to be installed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Install {
    /// A folder on the host's machine, as an absolute path.
    #[schema(value_type = String)]
    path: PathBuf,
}

/// `POST /api/v1/plugins`
///
/// Installs and starts the plugin in a folder on the host's machine.
///
/// Waits until it runs or failed: which of the two is in `state`.
#[utoipa::path(
    post,
    path = "/api/v1/plugins",
    request_body = Install,
    responses(
        (status = 201, description = "It is installed", body = PluginView),
        (status = 409, description = "A plugin of this name and version is installed, or is being changed"),
        (status = 422, description = "The folder holds no plugin that this host can load"),
    ),
)]
pub(super) async fn install(
    _: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let path = folder(body::json(payload, edge.max_body_bytes).await?)?;
    let plugin = blocking(&edge, move |plugins| plugins.install(&path)).await?;
    Ok(HttpResponse::Created().json(plugin))
}

fn folder(Install { path }: Install) -> Result<PathBuf, Problem> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Problem::bad_request("SSP-API-003", "`path`: expected an absolute path on the host's machine"))
}

/// `GET /api/v1/plugins/{name}`
///
/// One plugin, with its consumers, jobs and dead letters.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn show(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.show(&name)).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Uninstall {
    /// Whether what it has stored goes too.
    #[serde(default)]
    purge: bool,
}

/// `DELETE /api/v1/plugins/{name}`
///
/// Stops and removes a plugin.
#[utoipa::path(
    delete,
    path = "/api/v1/plugins/{name}",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        Uninstall,
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "The query is not understood"),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 409, description = "The plugin is in a state in which this cannot be done"),
    ),
)]
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

/// What came of sealing.
#[derive(Debug, Serialize, ToSchema)]
struct Sealed {
    /// How many configurations were sealed.
    sealed: usize,
}

/// `POST /api/v1/secrets/rotate`
///
/// Seals all secrets with a new key.
#[utoipa::path(
    post,
    path = "/api/v1/secrets/rotate",
    responses((status = 200, description = "They are sealed", body = Sealed)),
)]
pub(super) async fn rotate_secret_key(_: Admin, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let sealed = blocking(&edge, |plugins| plugins.rotate_secret_key()).await?;
    Ok(HttpResponse::Ok().json(Sealed { sealed }))
}

/// The libraries that are not tried again.
#[derive(Debug, Serialize, ToSchema)]
struct Libraries {
    /// In the order of their hashes.
    libraries: Vec<Blocked>,
}

/// `GET /api/v1/blocked-libraries`
///
/// The libraries that crashed or hung the process that tried them.
#[utoipa::path(
    get,
    path = "/api/v1/blocked-libraries",
    responses((status = 200, description = "The libraries", body = Libraries)),
)]
pub(super) async fn blocked(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let blocked = blocking(&edge, |plugins| plugins.blocked()).await?;
    Ok(HttpResponse::Ok().json(Libraries { libraries: blocked }))
}

/// `DELETE /api/v1/blocked-libraries/{hash}`
///
/// Has a library tried again at its next load.
#[utoipa::path(
    delete,
    path = "/api/v1/blocked-libraries/{hash}",
    params(("hash" = String, Path, description = "The first 8 digits of the library's hash, or more")),
    responses(
        (status = 200, description = "What was blocked", body = Blocked),
        (status = 404, description = "No library of this hash is blocked"),
        (status = 422, description = "Several libraries begin like this, or it has fewer than 8 digits"),
    ),
)]
pub(super) async fn unblock(
    _: May<PluginsManage>,
    hash: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.unblock(&hash)).await?))
}

/// `POST …/enable`
///
/// Has a plugin run.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/enable",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 409, description = "The plugin is in a state in which this cannot be done"),
    ),
)]
pub(super) async fn enable(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.enable(&name)).await?))
}

/// `POST …/disable`
///
/// Has a plugin not run.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/disable",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 409, description = "The plugin is in a state in which this cannot be done"),
    ),
)]
pub(super) async fn disable(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.disable(&name)).await?))
}

/// `GET …/config`
///
/// A plugin's configuration, with the defaults, and with `[secret]` for each secret.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/config",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The configuration", body = Object),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn config(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.config(&name)).await?))
}

/// `PATCH …/config`
///
/// Changes a plugin's configuration by a JSON merge patch (RFC 7396).
#[utoipa::path(
    patch,
    path = "/api/v1/plugins/{name}/config",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body(content = Object, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 409, description = "The plugin is in a state in which this cannot be done"),
        (status = 422, description = "The configuration would not be valid"),
    ),
)]
pub(super) async fn set_config(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch: Value = body::json(payload, edge.max_body_bytes).await?;
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.set_config(&name, patch)).await?))
}

/// How much of what a plugin logs is kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    /// `null` for the host's own.
    level: Option<Level>,
}

/// How much of what a plugin logs is kept by now.
#[derive(Debug, Serialize, ToSchema)]
struct LogLevelSet {
    /// The least severe level that is kept.
    level: String,
}

/// `PUT …/log-level`
///
/// Sets how much of what a plugin logs is kept, until the host stops.
#[utoipa::path(
    put,
    path = "/api/v1/plugins/{name}/log-level",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = LogLevel,
    responses(
        (status = 200, description = "The level", body = LogLevelSet),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
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
    Ok(HttpResponse::Ok()
        .json(LogLevelSet { level: edge.runtime.logs().level_of(&name).as_str().to_lowercase() }))
}
