//! Whose packages are taken: `/api/v1/trust…`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Edge, Problem, auth::May, body, plugins::blocking};
use crate::{
    install::{InstallError, KeyView, Revoked, TrustView, UnsignedView},
    platform::access::rights::HostTrust,
    store::parse_until,
};

/// `GET /api/v1/trust`
///
/// Whose packages are taken.
#[utoipa::path(
    get,
    path = "/api/v1/trust",
    responses((status = 200, description = "Keys, revocations, and what may be unsigned", body = TrustView)),
)]
pub(super) async fn show(_: May<HostTrust>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, |plugins| plugins.trust()).await?))
}

/// A vendor's key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTrustedKey {
    /// The text of a `.pub` file of minisign, or the key alone.
    key: String,
    /// The name to know its owner by.
    name: String,
}

/// `POST /api/v1/trust/keys`
///
/// Trusts a vendor's key: its packages are taken.
#[utoipa::path(
    post,
    path = "/api/v1/trust/keys",
    request_body = NewTrustedKey,
    responses(
        (status = 201, description = "The key", body = KeyView),
        (status = 409, description = "The name or the key is there already"),
        (status = 422, description = "It is no key, or no name"),
    ),
)]
pub(super) async fn add(
    _: May<HostTrust>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let NewTrustedKey { key, name } = body::json(payload, edge.max_body_bytes).await?;
    Ok(HttpResponse::Created().json(blocking(&edge, move |plugins| plugins.trust_key(&key, &name)).await?))
}

/// `DELETE /api/v1/trust/keys/{key}`
///
/// Trusts a key no more. What it had signed stays installed.
#[utoipa::path(
    delete,
    path = "/api/v1/trust/keys/{key}",
    params(("key" = String, Path, description = "The key's id, or its name")),
    responses(
        (status = 200, description = "The key that was removed", body = KeyView),
        (status = 404, description = "There is no such key"),
    ),
)]
pub(super) async fn remove(
    _: May<HostTrust>,
    key: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.distrust_key(&key)).await?))
}

/// What is to be revoked: one subject, or a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Revoke {
    /// One.
    One {
        /// The id of a key, or the SHA-256 of a `package.json`.
        subject: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// All in a list: a line each, the subject and behind it why. Lines that begin with `#` are not read.
    List {
        /// The list.
        list: String,
    },
}

/// `POST /api/v1/trust/revocations`
///
/// Revokes keys and packages, for good: nothing that is signed with such a key is taken or loaded any more, nor is such a
/// package.
///
/// What runs goes on until it is stopped.
#[utoipa::path(
    post,
    path = "/api/v1/trust/revocations",
    request_body = Revoke,
    responses(
        (status = 200, description = "How many are new, and which installed plugins are concerned", body = Revoked),
        (status = 422, description = "Something is neither a key's id nor a package's hash. Nothing was revoked"),
    ),
)]
pub(super) async fn revoke(
    _: May<HostTrust>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let revoked = match body::json(payload, edge.max_body_bytes).await? {
        Revoke::One { subject, reason } => {
            blocking(&edge, move |plugins| plugins.revoke(&subject, &reason)).await?
        }
        Revoke::List { list } => blocking(&edge, move |plugins| plugins.revoke_list(&list)).await?,
    };
    Ok(HttpResponse::Ok().json(revoked))
}

/// Until when a plugin may be unsigned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnsignedUntil {
    /// The last day, such as `2026-12-31`, in UTC; within a year.
    until: String,
}

/// `PUT /api/v1/trust/unsigned/{plugin}`
///
/// Lets a plugin be unsigned, for a while. It is refused afterwards, also if it is installed by then.
#[utoipa::path(
    put,
    path = "/api/v1/trust/unsigned/{plugin}",
    params(("plugin" = String, Path, description = "The plugin's name; it need not be installed")),
    request_body = UnsignedUntil,
    responses(
        (status = 200, description = "Until when", body = UnsignedView),
        (status = 422, description = "It is no date from today on and within a year, or no plugin's name"),
    ),
)]
pub(super) async fn allow_unsigned(
    _: May<HostTrust>,
    plugin: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let UnsignedUntil { until } = body::json(payload, edge.max_body_bytes).await?;
    let until_us = parse_until(&until).map_err(InstallError::from)?;
    let allowed = blocking(&edge, move |plugins| plugins.allow_unsigned(&plugin, until_us)).await?;
    Ok(HttpResponse::Ok().json(allowed))
}
