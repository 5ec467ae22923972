//! `POST /api/v1/events`.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, rt::time::timeout, web};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Edge, Problem,
    auth::May,
    body,
    cloud_events::{self, Incoming},
};
use crate::events::{EmitError, Limits, LogError, NewEvent, check_topic};
use crate::platform::access::rights::EventsEmit;

/// Takes one CloudEvent, or a batch, and answers 202 with the ids the host gave them. Of a batch all are accepted, or
/// none. What is durable is in the log then.
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
    Ok(HttpResponse::Accepted().json(json!({"ids": receipt.ids, "durability": durability})))
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
