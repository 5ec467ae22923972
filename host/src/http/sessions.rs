//! Desktop sessions: `/api/v1/sessions…`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;

use super::{
    Edge, Problem,
    auth::May,
    body,
    problem::TransitionMembers,
    query::{Query, understood},
};
use crate::platform::access::rights::{Right, SessionsManage, SessionsOwn, SessionsRead};
use crate::platform::sessions::{
    Access, Activity, Caller, Filter, NewConnection, NewSession, SessionError, SessionPatch, Sessions, Step,
    Usage, Viewer,
};

/// Runs an operation on the threads for blocking ones: it waits for the database.
async fn blocking<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&Sessions) -> Result<T, SessionError> + Send + 'static,
) -> Result<T, Problem> {
    let sessions = edge.sessions.clone();
    match web::block(move || operation(&sessions)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)),
    }
}

/// What the caller may see: everything with this permission, else what is the account's own.
fn viewer(may: &May<SessionsOwn>, everything: &str) -> Viewer {
    let caller = &may.identity.caller;
    if caller.is_permitted(everything) {
        return Viewer::Everything;
    }
    Viewer::User(caller.name().to_owned())
}

fn caller(may: &May<SessionsOwn>) -> Caller {
    Caller { sees: viewer(may, SessionsManage::NAME), ..Caller::administrator() }
}

async fn json<T: serde::de::DeserializeOwned>(
    payload: web::Payload,
    edge: &web::Data<Edge>,
) -> Result<T, Problem> {
    body::json(payload, edge.max_body_bytes).await
}

/// `GET /api/v1/sessions`
pub(super) async fn list(
    may: May<SessionsOwn>,
    query: Query<Filter>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer(&may, SessionsRead::NAME);
    let filter = understood(query)?;
    let page = blocking(&edge, move |sessions| sessions.list(&viewer, &filter)).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// `POST /api/v1/sessions`
pub(super) async fn create(
    may: May<SessionsOwn>,
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let new: NewSession = json(payload, &edge).await?;
    // What is no text is no key: it is refused as one that is empty.
    let key = request.headers().get("Idempotency-Key").map(|key| key.to_str().unwrap_or_default().to_owned());
    let created = blocking(&edge, move |sessions| sessions.create(&by, new, key)).await?;
    let (session, is_new) = created;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    answer.insert_header(("Location", format!("/api/v1/sessions/{}", session.id)));
    Ok(answer.json(session))
}

/// `GET /api/v1/sessions/{id}`
pub(super) async fn show(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer(&may, SessionsRead::NAME);
    let session = blocking(&edge, move |sessions| sessions.get(&viewer, &id)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `PATCH /api/v1/sessions/{id}`: what is not there stays, what is `null` goes.
pub(super) async fn change(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let patch: SessionPatch = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.patch(&by, &id, patch)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `DELETE /api/v1/sessions/{id}`: it is `deleting` then, until a controller says that it is gone.
pub(super) async fn delete(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let session = blocking(&edge, move |sessions| sessions.delete(&by, &id)).await?;
    Ok(HttpResponse::Accepted().json(session))
}

/// `POST /api/v1/sessions/{id}/transition`
pub(super) async fn transition(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let step: Step = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.transition(&by, &id, step)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `POST /api/v1/sessions/{id}/heartbeat`
pub(super) async fn heartbeat(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let usage: Usage = json(payload, &edge).await?;
    blocking(&edge, move |sessions| sessions.heartbeat(&by, &id, usage)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/sessions/{id}/activity`
pub(super) async fn activity(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let now: Activity = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.activity(&by, &id, now)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `POST /api/v1/sessions/{id}/connections`
pub(super) async fn connect(
    may: May<SessionsOwn>,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let new: NewConnection = json(payload, &edge).await?;
    let connected = blocking(&edge, move |sessions| sessions.connect(&by, &id, new)).await?;
    let (connection, is_new) = connected;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(connection))
}

/// `DELETE /api/v1/sessions/{id}/connections/{connection}`
pub(super) async fn disconnect(
    may: May<SessionsOwn>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let (id, connection) = path.into_inner();
    blocking(&edge, move |sessions| sessions.disconnect(&by, &id, &connection)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How a session is shared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewShare {
    /// How much the other user may.
    access: Access,
}

/// `PUT /api/v1/sessions/{id}/shares/{user}`
pub(super) async fn share(
    may: May<SessionsOwn>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let NewShare { access } = json(payload, &edge).await?;
    let (id, user) = path.into_inner();
    let session = blocking(&edge, move |sessions| sessions.share(&by, &id, &user, access)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `DELETE /api/v1/sessions/{id}/shares/{user}`
pub(super) async fn unshare(
    may: May<SessionsOwn>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&may);
    let (id, user) = path.into_inner();
    blocking(&edge, move |sessions| sessions.unshare(&by, &id, &user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let status = match &error {
            SessionError::NotFound { .. } | SessionError::Absent { .. } => StatusCode::NOT_FOUND,
            SessionError::Transition { .. }
            | SessionError::Taken { .. }
            | SessionError::State { .. }
            | SessionError::Full { .. } => StatusCode::CONFLICT,
            SessionError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            SessionError::Forbidden { .. } => StatusCode::FORBIDDEN,
            SessionError::Database(_) | SessionError::Refused { .. } => {
                return Self::of_database(error.code(), error.to_string());
            }
            SessionError::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let error = match error {
            SessionError::Log(why) => return why.into(),
            error => error,
        };
        let transition = match &error {
            SessionError::Transition { from, .. } => {
                Some(Box::new(TransitionMembers { state: *from, allowed: from.next().to_vec() }))
            }
            _ => None,
        };
        let mut problem = Self::new(status, error.code(), &error);
        problem.transition = transition;
        problem
    }
}
