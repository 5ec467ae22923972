//! `POST /api/v1/events`.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, rt::time::timeout, web};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Edge, Problem,
    auth::May,
    body,
    cloud_events::{self, Incoming},
};
use crate::events::{EmitError, Limits, LogError, NewEvent, check_topic};
use crate::platform::access::rights::EventsEmit;

/// An event (CloudEvents 1.0): what is read of one in structured mode.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `cloud_events` reads piece by piece")]
struct CloudEvent {
    /// `1.0`
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// The emitter's own id. The host gives each event one of its own.
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    /// Who emits it.
    #[schema(min_length = 1, max_length = 1024)]
    source: String,
    /// The topic.
    #[schema(
        max_length = 255,
        pattern = "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+){0,15}$",
        example = "session.created"
    )]
    r#type: String,
    /// What it is about.
    #[schema(min_length = 1, max_length = 1024, nullable = false)]
    subject: Option<String>,
    /// When it happened, from 1970 on.
    #[schema(format = DateTime, nullable = false)]
    time: Option<String>,
    /// The payload. `data_base64` has its place if it is JSON in Base64.
    data: Option<Value>,
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
struct Accepted {
    /// The ids that the host gave, in order.
    ids: Vec<Uuid>,
    /// `log` if all are in the event log, `memory` if one of them lives as long as the host does.
    durability: &'static str,
}

/// `POST /api/v1/events`
///
/// Takes one CloudEvent, or a batch, and answers with the ids the host gave them.
///
/// Of a batch all are accepted, or none. What is durable is in the log then. In binary mode the attributes are headers
/// that begin with `ce-`, and the body is the payload.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    request_body(content(
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
        (Value = "application/json"),
    )),
    responses(
        (status = 202, description = "They are accepted", body = Accepted),
        (status = 403, description = "The topic is the host's own"),
        (status = 415, description = "This is no CloudEvent by its media type, or its payload is no JSON"),
    ),
)]
pub(super) async fn post(
    _: May<EventsEmit>,
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let body = body::read(payload, edge.max_body_bytes).await?;
    let events = cloud_events::parse(request.headers(), &body)?;
    let many = events.len() > 1;
    for (position, event) in events.iter().enumerate() {
        check(event, edge.bus.limits()).map_err(|mut problem| {
            if many {
                problem.detail = format!("event {position} of the batch: {}", problem.detail);
            }
            problem
        })?;
    }
    let new = events.iter().map(|event| NewEvent {
        topic: &event.topic,
        source: Arc::clone(&event.source),
        subject: &event.subject,
        time_us: event.time_us,
        data: event.data.clone(),
        attributes: event.attributes.clone(),
    });
    let (done, accepted) = oneshot::channel();
    // Nobody listens any more if the client has gone.
    let receipt = edge.bus.emit_all(new.collect(), Box::new(move |result| drop(done.send(result))))?;
    let deadline = edge.bus.log().map_or(Duration::MAX, |log| log.commit_deadline());
    match timeout(deadline, accepted).await {
        Ok(Ok(result)) => result?,
        Ok(Err(_)) => return Err(LogError::Stopping.into()),
        Err(_) => return Err(LogError::Late { seconds: deadline.as_secs() }.into()),
    }
    // Says what being accepted is worth.
    let durability = if receipt.durable { "log" } else { "memory" };
    Ok(HttpResponse::Accepted().json(Accepted { ids: receipt.ids, durability }))
}

/// Checks all that the bus would refuse, so that of a batch nothing is emitted before the last event was looked at.
fn check(event: &Incoming, limits: Limits) -> Result<(), Problem> {
    check_topic(&event.topic).map_err(EmitError::from)?;
    let (found, limit) = (event.data.len(), limits.max_data_bytes);
    if found > limit {
        return Err(EmitError::TooLarge { found, limit }.into());
    }
    if matches!(event.topic.split('.').next(), Some("plugin" | "system")) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "SSP-EVT-003",
            format_args!(
                "the topic `{}` is the host's own: `plugin.` and `system.` are not to be emitted from outside",
                event.topic
            ),
        ));
    }
    Ok(())
}
