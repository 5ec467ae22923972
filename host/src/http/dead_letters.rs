//! Events that were given up: `/api/v1/plugins/{name}/dead-letters…`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Edge, Problem,
    auth::May,
    plugins::blocking,
    query::{Query, understood},
};
use crate::{
    events::Which,
    install::DeadLetterView,
    platform::access::rights::{PluginsOperate, PluginsRead},
};

/// How many are listed if nothing else is asked for, and at most.
const LISTED: u32 = 100;
const MOST_LISTED: u32 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Those of this consumer alone.
    consumer: Option<String>,
    /// How many of the oldest are left out.
    #[serde(default)]
    skip: u32,
    /// How many are listed: 100, and at most 1000.
    limit: Option<u32>,
}

/// Those of one consumer, or of all.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// Those of this consumer alone.
    consumer: Option<String>,
}

/// Events that were given up.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetters {
    /// The oldest first.
    dead_letters: Vec<DeadLetterView>,
}

/// What is tried again.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// How many dead letters.
    replayed: u64,
}

/// What was dropped.
#[derive(Debug, Serialize, ToSchema)]
struct Dropped {
    /// How many dead letters.
    dropped: u64,
}

/// `GET …/dead-letters`
///
/// Events that a plugin gave up, the oldest first, without the payloads.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/dead-letters",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        Asked,
    ),
    responses(
        (status = 200, description = "The dead letters", body = DeadLetters),
        (status = 400, description = "The query is not understood"),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn list(
    _: May<PluginsRead>,
    name: web::Path<String>,
    query: Query<Asked>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Asked { consumer, skip, limit } = understood(query)?;
    let limit = limit.unwrap_or(LISTED).min(MOST_LISTED);
    let which = Which { consumer, event: None };
    let letters = blocking(&edge, move |plugins| plugins.dead_letters(&name, &which, skip, limit)).await?;
    Ok(HttpResponse::Ok().json(DeadLetters { dead_letters: letters }))
}

/// `GET …/dead-letters/{event}`
///
/// An event that was given up, with the payload, once for each consumer that did so.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/dead-letters/{event}",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("event" = Uuid, Path, description = "The event's id"),
    ),
    responses(
        (status = 200, description = "The dead letters", body = DeadLetters),
        (status = 400, description = "The event's id is none"),
        (status = 404, description = "No such plugin is installed, or it gave up no such event"),
    ),
)]
pub(super) async fn show(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, event) = one(path)?;
    let letters = blocking(&edge, move |plugins| plugins.dead_letter(&name, event)).await?;
    Ok(HttpResponse::Ok().json(DeadLetters { dead_letters: letters }))
}

/// `POST …/dead-letters/replay`
///
/// Has all that a plugin gave up tried again.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/dead-letters/replay",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        Of,
    ),
    responses(
        (status = 200, description = "They are tried again", body = Replayed),
        (status = 400, description = "The query is not understood"),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn replay_all(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which = Which { consumer: understood(query)?.consumer, event: None };
    replay(&edge, name.into_inner(), which).await
}

/// `POST …/dead-letters/{event}/replay`
///
/// Has an event that was given up tried again.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/dead-letters/{event}/replay",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("event" = Uuid, Path, description = "The event's id"),
        Of,
    ),
    responses(
        (status = 200, description = "It is tried again", body = Replayed),
        (status = 400, description = "The event's id or the query is not understood"),
        (status = 404, description = "No such plugin is installed, or it gave up no such event"),
    ),
)]
pub(super) async fn replay_one(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, event) = one(path)?;
    replay(&edge, name, Which { consumer: understood(query)?.consumer, event: Some(event) }).await
}

/// `DELETE …/dead-letters`
///
/// Drops all that a plugin gave up.
#[utoipa::path(
    delete,
    path = "/api/v1/plugins/{name}/dead-letters",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        Of,
    ),
    responses(
        (status = 200, description = "They are dropped", body = Dropped),
        (status = 400, description = "The query is not understood"),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn drop_all(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which = Which { consumer: understood(query)?.consumer, event: None };
    drop_them(&edge, name.into_inner(), which).await
}

/// `DELETE …/dead-letters/{event}`
///
/// Drops an event that was given up.
#[utoipa::path(
    delete,
    path = "/api/v1/plugins/{name}/dead-letters/{event}",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("event" = Uuid, Path, description = "The event's id"),
        Of,
    ),
    responses(
        (status = 200, description = "It is dropped", body = Dropped),
        (status = 400, description = "The event's id or the query is not understood"),
        (status = 404, description = "No such plugin is installed, or it gave up no such event"),
    ),
)]
pub(super) async fn drop_one(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, event) = one(path)?;
    drop_them(&edge, name, Which { consumer: understood(query)?.consumer, event: Some(event) }).await
}

async fn replay(edge: &web::Data<Edge>, name: String, which: Which) -> Result<HttpResponse, Problem> {
    let count = blocking(edge, move |plugins| plugins.replay(&name, &which)).await?;
    Ok(HttpResponse::Ok().json(Replayed { replayed: count }))
}

async fn drop_them(edge: &web::Data<Edge>, name: String, which: Which) -> Result<HttpResponse, Problem> {
    let count = blocking(edge, move |plugins| plugins.drop_dead_letters(&name, &which)).await?;
    Ok(HttpResponse::Ok().json(Dropped { dropped: count }))
}

fn one(path: web::Path<(String, String)>) -> Result<(String, Uuid), Problem> {
    let (name, event) = path.into_inner();
    let event = event.parse().map_err(|why| {
        Problem::bad_request("SSP-API-003", format_args!("the event's id is no UUID: {why}"))
    })?;
    Ok((name, event))
}
