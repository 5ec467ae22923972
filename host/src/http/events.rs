//! `POST /api/v1/events`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::{Edge, Problem, auth::Admin, body, cloud_events};
use crate::events::{EmitError, NewEvent, check_topic};

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
    let limits = edge.bus.limits();
    for event in &events {
        check_topic(&event.topic).map_err(EmitError::from)?;
        if event.data.len() > limits.max_data_bytes {
            let (found, limit) = (event.data.len(), limits.max_data_bytes);
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
