//! `POST /api/v1/events`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{
    Edge, Problem,
    auth::Admin,
    body,
    cloud_events::{self, Incoming},
};
use crate::events::{EmitError, Limits, NewEvent, check_topic};

/// Takes one CloudEvent, or a batch, and answers 202 with the ids the host gave them. Of a batch all are accepted, or
/// none.
pub(super) async fn post(
    _admin: Admin,
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
    let mut ids = Vec::with_capacity(events.len());
    for event in events {
        let id = edge.bus.emit(NewEvent {
            topic: &event.topic,
            source: event.source,
            subject: &event.subject,
            time_us: event.time_us,
            data: event.data,
            attributes: event.attributes,
        })?;
        ids.push(id);
    }
    // Says what being accepted is worth: until events are written to disk, they live as long as the host does.
    Ok(HttpResponse::Accepted().json(json!({"ids": ids, "durability": "memory"})))
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
