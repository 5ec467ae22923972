//! The latest lines of the log: `/api/v1/logs`, `/api/v1/plugins/{name}/logs`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Edge, Problem,
    auth::May,
    plugins::blocking,
    query::{Query, understood},
};
use crate::{
    config::Level,
    log::{LogPage, Wanted, Whose},
    platform::access::rights::HostObserve,
};

/// How many are answered if nothing else is asked for, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1000;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The least severe level.
    level: Option<Level>,
    /// Those after this number; without it the newest.
    after: Option<u64>,
    /// The most.
    limit: Option<usize>,
}

impl From<Asked> for Wanted {
    fn from(asked: Asked) -> Self {
        Self {
            level: asked.level.unwrap_or(Level::Trace).into(),
            after: asked.after,
            limit: asked.limit.unwrap_or(LISTED).clamp(1, MOST_LISTED),
        }
    }
}

/// `GET /api/v1/logs`
///
/// The latest lines of the host's log, its own.
#[utoipa::path(
    get,
    path = "/api/v1/logs",
    params(
        Asked,
    ),
    responses(
        (status = 200, description = "The lines", body = LogPage),
        (status = 400, description = "The query is not understood"),
    ),
)]
pub(super) async fn host(
    _: May<HostObserve>,
    query: Query<Asked>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let wanted = understood(query)?.into();
    let page = blocking(&edge, {
        let edge = edge.clone();
        move |_| Ok(edge.runtime.logs().page(Whose::Host, wanted))
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

/// `GET /api/v1/plugins/{name}/logs`
///
/// The latest lines of a plugin's log, and the host's about it.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/logs",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        Asked,
    ),
    responses(
        (status = 200, description = "The lines", body = LogPage),
        (status = 400, description = "The query is not understood"),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn plugin(
    _: May<HostObserve>,
    name: web::Path<String>,
    query: Query<Asked>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let wanted = understood(query)?.into();
    let page = blocking(&edge, {
        let edge = edge.clone();
        move |plugins| {
            plugins.exists(&name)?;
            Ok(edge.runtime.logs().page(Whose::Plugin(&name), wanted))
        }
    });
    Ok(HttpResponse::Ok().json(page.await?))
}
