//! Looking at the host and its plugins: status, consumers, health, grants, events of the log.

use std::{collections::BTreeMap, time::Instant};

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::May,
    plugins::blocking,
    query::{Query, understood},
    stream::may_see,
};
use crate::{
    clock,
    events::{Event, Place, check_filter},
    install::{ConsumerState, GrantView, Health, InstallError},
    platform::access::rights::{HostObserve, PluginsRead},
};

/// How many events are listed if nothing else is asked for, and at most.
const LISTED: usize = 50;
const MOST_LISTED: usize = 500;
/// The most data of an event that is shown, in bytes.
const SHOWN_BYTES: usize = 64 * 1024;

/// How the host is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Status {
    /// Its version.
    pub(crate) version: String,
    /// Whether the plugins were started and the host is not stopping.
    pub(crate) ready: bool,
    /// When it started, RFC 3339.
    pub(crate) started_at: String,
    /// Seconds since then.
    pub(crate) uptime_secs: u64,
    /// `sqlite` or `postgres`.
    pub(crate) database: String,
    /// How many plugins are in which state; only states that one is in.
    pub(crate) plugins: BTreeMap<String, u64>,
    /// Consumers of all plugins.
    pub(crate) consumers: u64,
    /// The event log.
    pub(crate) event_log: EventLogStatus,
    /// Streams of live changes that are open.
    pub(crate) streams: u64,
}

/// How the event log is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventLogStatus {
    /// The number of the newest event.
    pub(crate) head: u64,
    /// The bytes of data in it.
    pub(crate) bytes: u64,
}

/// `GET /api/v1/status`
///
/// How the host is.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    responses(
        (status = 200, description = "The status", body = Status),
    ),
)]
pub(super) async fn status(_: May<HostObserve>, edge: web::Data<Edge>) -> HttpResponse {
    let mut plugins = BTreeMap::new();
    for (_, state) in edge.runtime.states() {
        *plugins.entry(state.name().to_owned()).or_default() += 1;
    }
    let log = edge.bus.log();
    HttpResponse::Ok().json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: edge.ready.get(),
        started_at: clock::rfc3339(edge.started_us),
        uptime_secs: Instant::now().duration_since(edge.started).as_secs(),
        database: edge.database.to_owned(),
        plugins,
        consumers: edge.bus.consumers().len() as u64,
        event_log: EventLogStatus {
            head: log.map_or(0, |log| log.head()),
            bytes: log.map_or(0, |log| log.bytes()),
        },
        streams: edge.bus.taps().0 as u64,
    })
}

/// Consumers.
#[derive(Debug, Serialize, ToSchema)]
struct Consumers {
    /// By plugin and name.
    consumers: Vec<ConsumerState>,
}

/// `GET /api/v1/consumers`
///
/// The consumers of all plugins, and how they are doing.
#[utoipa::path(
    get,
    path = "/api/v1/consumers",
    responses(
        (status = 200, description = "The consumers", body = Consumers),
    ),
)]
pub(super) async fn consumers(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let consumers = blocking(&edge, |plugins| plugins.consumers(None)).await?;
    Ok(HttpResponse::Ok().json(Consumers { consumers }))
}

/// `GET /api/v1/plugins/{name}/consumers`
///
/// The consumers of a plugin, and how they are doing.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/consumers",
    params(
        ("name" = String, Path, description = "The plugin's name"),
    ),
    responses(
        (status = 200, description = "The consumers", body = Consumers),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn consumers_of(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let consumers = blocking(&edge, move |plugins| plugins.consumers(Some(&name))).await?;
    Ok(HttpResponse::Ok().json(Consumers { consumers }))
}

/// `GET /api/v1/plugins/{name}/health`
///
/// How a plugin is, in one word, and why.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/health",
    params(
        ("name" = String, Path, description = "The plugin's name"),
    ),
    responses(
        (status = 200, description = "How it is", body = Health),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn health(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(&edge, move |plugins| plugins.health(&name)).await?))
}

/// What a plugin is allowed.
#[derive(Debug, Serialize, ToSchema)]
struct Grants {
    /// By permission.
    grants: Vec<GrantView>,
}

/// `GET /api/v1/plugins/{name}/grants`
///
/// What a plugin was granted.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/grants",
    params(
        ("name" = String, Path, description = "The plugin's name"),
    ),
    responses(
        (status = 200, description = "The permissions", body = Grants),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn grants(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let grants = blocking(&edge, move |plugins| plugins.grants(&name)).await?;
    Ok(HttpResponse::Ok().json(Grants { grants }))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// A filter of topics.
    topic: Option<String>,
    /// Those after this number of the log.
    after: Option<u64>,
    /// Those before this number of the log.
    before: Option<u64>,
    /// The most.
    limit: Option<usize>,
}

/// Events of the log.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventPage {
    /// In the order of their numbers.
    pub(crate) events: Vec<EventView>,
    /// What to give as `after` for what comes next.
    pub(crate) next: u64,
    /// What to give as `before` for what was earlier.
    pub(crate) previous: u64,
    /// Whether there is more in the direction that was asked for.
    pub(crate) more: bool,
}

/// An event of the log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventView {
    /// Its number in the log; `null` if it is not in it.
    pub(crate) number: Option<u64>,
    /// Its id, a UUID.
    pub(crate) id: String,
    /// When it happened, RFC 3339.
    pub(crate) time: String,
    /// Its topic.
    pub(crate) topic: String,
    /// Who emitted it.
    pub(crate) source: String,
    /// What it is about; empty if that was not said.
    pub(crate) subject: String,
    /// Its payload; `null` too if it is larger than 64 KiB.
    pub(crate) data: serde_json::Value,
    /// Whether the payload was left out.
    pub(crate) data_left_out: bool,
    /// Bytes of the payload.
    pub(crate) data_bytes: u64,
}

impl EventView {
    pub(super) fn new(number: u64, event: &Event) -> Self {
        let left_out = event.data.len() > SHOWN_BYTES;
        // What was accepted is JSON.
        let data = if left_out { None } else { serde_json::from_slice(&event.data).ok() };
        Self {
            number: Some(number).filter(|number| *number > 0),
            id: event.id.to_string(),
            time: clock::rfc3339(event.time_us),
            topic: event.topic.to_string(),
            source: event.source.to_string(),
            subject: event.subject.to_string(),
            data: data.unwrap_or_default(),
            data_left_out: left_out,
            data_bytes: event.data.len() as u64,
        }
    }
}

/// `GET /api/v1/events`
///
/// What is in the event log; without `after` and `before` the newest.
///
/// What the caller may not see is left out, as from live changes: `session.*` takes `sessions.read` too, `user.*` and
/// `group.*` take `users.read`.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    params(Asked),
    responses(
        (status = 200, description = "The events, in the order of their numbers", body = EventPage),
        (status = 400, description = "The query is not understood"),
    ),
)]
pub(super) async fn events(
    may: May<HostObserve>,
    query: Query<Asked>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Asked { topic, after, before, limit } = understood(query)?;
    let filters: Vec<String> = topic.into_iter().collect();
    for filter in &filters {
        check_filter(filter).map_err(|why| Problem::bad_request("SSP-EVT-001", why))?;
    }
    let place = match (after, before) {
        (None, None) => Place::Newest,
        (Some(after), None) => Place::After(after),
        (None, Some(before)) => Place::Before(before),
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "SSP-API-003",
                "the query: expected `after` or `before`, not both",
            ));
        }
    };
    let Some(records) = edge.bus.log().map(|log| log.records()) else {
        return Ok(HttpResponse::Ok().json(EventPage::default()));
    };
    let limit = limit.unwrap_or(LISTED).clamp(1, MOST_LISTED);
    let page = blocking(&edge, move |_| {
        let page = records.page(&filters, place, limit).map_err(InstallError::Database)?;
        let (first, last) = page.looked_at.unwrap_or(match place {
            Place::After(after) => (after.saturating_add(1), after),
            Place::Before(before) => (before, before.saturating_sub(1)),
            Place::Newest => (0, 0),
        });
        let seen = page.events.iter().filter(|(_, event)| may_see(&may.identity.caller, &event.topic));
        let events = seen.map(|(number, event)| EventView::new(*number, event)).collect();
        Ok(EventPage { events, next: last, previous: first, more: page.more })
    });
    Ok(HttpResponse::Ok().json(page.await?))
}
