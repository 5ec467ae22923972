//! Packages: `/api/v1/packages…`, and what is done with the versions of a plugin.

use std::{io::Write, path::PathBuf};

use actix_web::{HttpResponse, http::StatusCode, rt::time::timeout, web};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    Edge, Problem,
    auth::{self, May},
    body,
    plugins::blocking,
};
use crate::{
    hex::hex,
    install::{AllowUnsigned, Consent, GenerationView, InstallError, Plan, PluginView, Plugins, Source},
    platform::access::rights::{HostTrust, PluginsManage, PluginsRead, Right},
    store::{StoreError, parse_until},
};

/// How long a package may take to arrive.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(600);

/// A package that waits for consent.
#[derive(Debug, Serialize, ToSchema)]
struct Uploaded {
    /// The SHA-256 of the file: what it is called in the following calls.
    package: String,
    /// How many bytes it has.
    bytes: u64,
}

/// `POST /api/v1/packages`
///
/// Uploads a package, `.sspkg`, as the body.
///
/// It waits until it is installed or the host stops; the newest eight do. Nothing is looked at yet.
#[utoipa::path(
    post,
    path = "/api/v1/packages",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It waits", body = Uploaded),
        (status = 413, description = "It is too large: `packages.max_bytes`"),
    ),
)]
pub(super) async fn upload(
    _: May<PluginsManage>,
    mut payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let limit = edge.plugins.max_package_bytes();
    let mut file = blocking(&edge, |plugins| Ok(plugins.incoming().begin()?)).await?;
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    let arriving = async {
        while let Some(part) = payload.next().await {
            let part = part.map_err(|why| {
                let detail = format_args!("the body did not arrive whole: {why}");
                Problem::bad_request("SSP-API-001", detail)
            })?;
            bytes += part.len() as u64;
            if bytes > limit {
                let detail = format_args!("the package has more than {limit} bytes (`packages.max_bytes`)");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "SSP-API-413", detail));
            }
            hash.update(&part);
            file = blocking(&edge, move |_| {
                let path = file.path().to_owned();
                let failed = |source| StoreError::Io { what: "write", path, source };
                file.write_all(&part).map_err(failed)?;
                Ok(file)
            })
            .await?;
        }
        Ok((file, hash, bytes))
    };
    let Ok(arrived) = timeout(DEADLINE, arriving).await else {
        let detail = format_args!("the body did not arrive within {} s", DEADLINE.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "SSP-API-408", detail));
    };
    let (file, hash, bytes) = arrived?;
    let package = hex(&hash.finalize());
    let name = package.clone();
    blocking(&edge, move |plugins| Ok(plugins.incoming().keep(file, &name)?)).await?;
    Ok(HttpResponse::Created().json(Uploaded { package, bytes }))
}

/// That a plugin may be unsigned, for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowedUnsigned {
    /// The plugin.
    plugin: String,
    /// The last day on which it may, such as `2026-12-31`, in UTC; within a year.
    until: String,
}

/// Which package, and whether it may be unsigned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichPackage {
    /// A file on the host's machine, as an absolute path; where a plugin is upgraded, also a folder.
    #[schema(value_type = Option<String>)]
    path: Option<PathBuf>,
    /// An uploaded one: what `POST /api/v1/packages` answered. Either this or `path`.
    package: Option<String>,
    /// Takes the permission `host.trust` too.
    allow_unsigned: Option<AllowedUnsigned>,
    /// What is consented to: the `digest` of a plan, or `preapproved` for what `packages.preapproved` approves.
    consent: Option<String>,
}

/// What a caller asks for, read.
pub(super) struct Asked {
    pub(super) source: Source,
    pub(super) allow: Option<AllowUnsigned>,
    pub(super) consent: Consent,
}

impl WhichPackage {
    pub(super) fn read(self, caller: &May<PluginsManage>) -> Result<Asked, Problem> {
        let source = match (self.path, self.package) {
            (Some(path), None) if path.is_absolute() => Source::File(path),
            (None, Some(package)) => Source::Uploaded(package),
            _ => {
                return Err(Problem::bad_request(
                    "SSP-API-003",
                    "expected either `path`, an absolute path on the host's machine, or `package`, an upload",
                ));
            }
        };
        let allow = match self.allow_unsigned {
            Some(AllowedUnsigned { plugin, until }) => {
                auth::must_be_permitted(&caller.identity.caller, HostTrust::NAME)?;
                let until_us = parse_until(&until).map_err(InstallError::from)?;
                Some(AllowUnsigned { plugin, until_us })
            }
            None => None,
        };
        Ok(Asked { source, allow, consent: Consent::parse(&self.consent.unwrap_or_default()) })
    }
}

/// `POST /api/v1/packages/plan`
///
/// What installing a package, or upgrading to it, would change. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/packages/plan",
    request_body = WhichPackage,
    responses(
        (status = 200, description = "The plan. Its `digest` is what one consents to", body = Plan),
        (status = 404, description = "No such package waits"),
        (status = 409, description = "It is no upgrade of what is installed"),
        (status = 422, description = "It is no package that this host takes"),
    ),
)]
pub(super) async fn plan(
    caller: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which: WhichPackage = body::json(payload, edge.max_body_bytes).await?;
    let Asked { source, allow, .. } = which.read(&caller)?;
    let plan = blocking(&edge, move |plugins| plugins.plan(&source, allow.as_ref())).await?;
    Ok(HttpResponse::Ok().json(plan))
}

/// `POST /api/v1/packages/install`
///
/// Installs and starts the plugin in a package. Waits until it runs or failed: which of the two is in `state`.
#[utoipa::path(
    post,
    path = "/api/v1/packages/install",
    request_body = WhichPackage,
    responses(
        (status = 201, description = "It is installed", body = PluginView),
        (status = 404, description = "No such package waits"),
        (status = 409, description = "The plugin is installed, or what would change is not what was consented to"),
        (status = 422, description = "It is no package that this host takes"),
    ),
)]
pub(super) async fn install(
    caller: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which: WhichPackage = body::json(payload, edge.max_body_bytes).await?;
    let Asked { source, allow, consent } = which.read(&caller)?;
    let plugin =
        blocking(&edge, move |plugins| plugins.install_package(&source, allow.as_ref(), &consent)).await?;
    Ok(HttpResponse::Created().json(plugin))
}

/// `POST /api/v1/plugins/{name}/upgrade`
///
/// Puts the version in a package, or in a folder on the host's machine, in the place of the installed one.
///
/// One that runs serves until the new one has taken its place. Waits until that has passed `plugins.health_gate_secs`, or was
/// taken back. For a folder, which is for development, `path` is enough.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/upgrade",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = WhichPackage,
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed, or no such package waits"),
        (status = 409, description = "It is there already, older, pinned, on its way up or down, or what would change is not what was consented to"),
        (status = 422, description = "It is nothing that this host takes, or it failed: the version before is there still"),
    ),
)]
pub(super) async fn upgrade(
    caller: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which: WhichPackage = body::json(payload, edge.max_body_bytes).await?;
    let Asked { source, allow, consent } = which.read(&caller)?;
    let upgrade = move |plugins: &Plugins| match &source {
        Source::File(folder) if folder.is_dir() => plugins.upgrade_folder(&name, folder),
        _ => plugins.upgrade(&name, &source, allow.as_ref(), &consent),
    };
    Ok(HttpResponse::Ok().json(blocking(&edge, upgrade).await?))
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Rollback {
    /// The version. The one before the current one, if it is not given.
    to: Option<String>,
}

/// `POST /api/v1/plugins/{name}/rollback`
///
/// Goes back to a version that is kept. Takes no consent: it was given when that version was installed.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/rollback",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = Rollback,
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 409, description = "No such version is kept, its files were changed, or the plugin is pinned or on its way up or down"),
        (status = 422, description = "The version cannot be used: it was revoked, or the configuration is not valid for it"),
    ),
)]
pub(super) async fn rollback(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Rollback { to } = body::json(payload, edge.max_body_bytes).await?;
    let plugin = blocking(&edge, move |plugins| plugins.rollback(&name, to.as_deref())).await?;
    Ok(HttpResponse::Ok().json(plugin))
}

/// The versions of a plugin that are kept.
#[derive(Debug, Serialize, ToSchema)]
struct Generations {
    /// The newest first.
    generations: Vec<GenerationView>,
}

/// `GET /api/v1/plugins/{name}/generations`
///
/// The versions of a plugin whose files are kept.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/generations",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The versions", body = Generations),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn generations(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let generations = blocking(&edge, move |plugins| plugins.generations(&name)).await?;
    Ok(HttpResponse::Ok().json(Generations { generations }))
}

/// Where a plugin stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Pin {
    /// The version. The one that is installed, if it is not given.
    version: Option<String>,
}

/// `PUT /api/v1/plugins/{name}/pin`
///
/// Has a plugin stay at a version: it is neither upgraded to another nor rolled back to one.
#[utoipa::path(
    put,
    path = "/api/v1/plugins/{name}/pin",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = Pin,
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
        (status = 422, description = "It is no version"),
    ),
)]
pub(super) async fn pin(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Pin { version } = body::json(payload, edge.max_body_bytes).await?;
    let plugin = blocking(&edge, move |plugins| plugins.pin(&name, version.as_deref())).await?;
    Ok(HttpResponse::Ok().json(plugin))
}

/// `DELETE /api/v1/plugins/{name}/pin`
///
/// Lets a plugin go to other versions again.
#[utoipa::path(
    delete,
    path = "/api/v1/plugins/{name}/pin",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginView),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn unpin(
    _: May<PluginsManage>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.unpin(&name)).await?))
}
