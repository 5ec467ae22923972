//! Events that were given up: `/api/v1/plugins/{name}/dead-letters…`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Edge, Problem,
    auth::May,
    plugins::blocking,
    query::{Query, understood},
};
use crate::events::Which;
use crate::platform::access::rights::{PluginsOperate, PluginsRead};

/// How many are listed if nothing else is asked for, and at most.
const LISTED: u32 = 100;
const MOST_LISTED: u32 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    consumer: Option<String>,
    #[serde(default)]
    skip: u32,
    limit: Option<u32>,
}

/// Those of one consumer, or of all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    consumer: Option<String>,
}

/// `GET …/dead-letters?consumer=NAME&skip=0&limit=100`: oldest first, without the payloads.
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
    Ok(HttpResponse::Ok().json(json!({"dead_letters": letters})))
}

/// `GET …/dead-letters/{event}`: with the payload, once for each consumer that gave the event up.
pub(super) async fn show(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, event) = one(path)?;
    let letters = blocking(&edge, move |plugins| plugins.dead_letter(&name, event)).await?;
    Ok(HttpResponse::Ok().json(json!({"dead_letters": letters})))
}

/// `POST …/dead-letters/replay?consumer=NAME`
pub(super) async fn replay_all(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which = Which { consumer: understood(query)?.consumer, event: None };
    replay(&edge, name.into_inner(), which).await
}

/// `POST …/dead-letters/{event}/replay?consumer=NAME`
pub(super) async fn replay_one(
    _: May<PluginsOperate>,
    path: web::Path<(String, String)>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (name, event) = one(path)?;
    replay(&edge, name, Which { consumer: understood(query)?.consumer, event: Some(event) }).await
}

/// `DELETE …/dead-letters?consumer=NAME`
pub(super) async fn drop_all(
    _: May<PluginsOperate>,
    name: web::Path<String>,
    query: Query<Of>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let which = Which { consumer: understood(query)?.consumer, event: None };
    drop_them(&edge, name.into_inner(), which).await
}

/// `DELETE …/dead-letters/{event}?consumer=NAME`
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
    Ok(HttpResponse::Ok().json(json!({"replayed": count})))
}

async fn drop_them(edge: &web::Data<Edge>, name: String, which: Which) -> Result<HttpResponse, Problem> {
    let count = blocking(edge, move |plugins| plugins.drop_dead_letters(&name, &which)).await?;
    Ok(HttpResponse::Ok().json(json!({"dropped": count})))
}

fn one(path: web::Path<(String, String)>) -> Result<(String, Uuid), Problem> {
    let (name, event) = path.into_inner();
    let event = event.parse().map_err(|why| {
        Problem::bad_request("SSP-API-003", format_args!("the event's id is no UUID: {why}"))
    })?;
    Ok((name, event))
}
