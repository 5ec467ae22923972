//! Desktop sessions: `/api/v1/sessions…`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;

use super::{
    Edge, Problem,
    auth::{SignedIn, must_be_permitted},
    body,
    problem::TransitionMembers,
    query::{Query, understood},
};
use crate::platform::{
    access::{
        Identity, Means,
        rights::{Right, SessionsManage, SessionsOwn, SessionsRead},
    },
    sessions::{
        Access, Activity, Caller, ConnectionView, Filter, NewConnection, NewSession, SessionError,
        SessionPage, SessionPatch, SessionView, Sessions, Step, Usage, Viewer,
    },
};

/// Runs an operation on the threads for blocking ones: it waits for the database.
pub(super) async fn blocking<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&Sessions) -> Result<T, SessionError> + Send + 'static,
) -> Result<T, Problem> {
    let sessions = edge.sessions.clone();
    match web::block(move || operation(&sessions)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)),
    }
}

/// What somebody may see of sessions, and do with them: who manages them all of it; who reads them look at all; who has own
/// ones what is the account's own or shared with it. A token takes the permission among its scopes.
pub(super) fn caller(identity: &Identity) -> Result<Caller, Problem> {
    let account = &identity.caller;
    if identity.means == Means::AdminToken {
        return Ok(Caller::administrator());
    }
    let sees = if account.is_permitted(SessionsManage::NAME) {
        Viewer::Everything
    } else if account.is_permitted(SessionsRead::NAME) {
        let has_own = account.is_permitted(SessionsOwn::NAME);
        Viewer::All(has_own.then(|| account.name().to_owned()))
    } else {
        must_be_permitted(account, SessionsOwn::NAME)?;
        Viewer::User(account.name().to_owned())
    };
    Ok(Caller::account(account.name(), sees))
}

async fn json<T: serde::de::DeserializeOwned>(
    payload: web::Payload,
    edge: &web::Data<Edge>,
) -> Result<T, Problem> {
    body::json(payload, edge.max_body_bytes).await
}

/// `GET /api/v1/sessions`
///
/// Sessions, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    params(
        Filter,
    ),
    responses(
        (status = 200, description = "Some of them", body = SessionPage),
        (status = 400, description = "The query is not understood"),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 422, description = "What the query asks for is out of bounds"),
    ),
)]
pub(super) async fn list(
    SignedIn(identity): SignedIn,
    query: Query<Filter>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let filter = understood(query)?;
    let page = blocking(&edge, move |sessions| sessions.list(&by.sees, &filter)).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// `POST /api/v1/sessions`
///
/// Makes a session.
///
/// It is `pending`, until a controller makes its desktop.
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "With the same key and the same body it is the same session"),
    ),
    request_body = NewSession,
    responses(
        (status = 200, description = "The session, which there is", body = SessionView, headers(("Location" = String, description = "The session's path"))),
        (status = 201, description = "The session", body = SessionView, headers(("Location" = String, description = "The session's path"))),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 409, description = "Another request has made a session with this id or key, or there are too many"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn create(
    SignedIn(identity): SignedIn,
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
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
///
/// One session, with who is connected.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
    ),
)]
pub(super) async fn show(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let session = blocking(&edge, move |sessions| sessions.get(&by.sees, &id)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `PATCH /api/v1/sessions/{id}`
///
/// Changes a session. What is not there stays, what is `null` goes.
#[utoipa::path(
    patch,
    path = "/api/v1/sessions/{id}",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    request_body = SessionPatch,
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session is in a state in which this cannot be done"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn change(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let patch: SessionPatch = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.patch(&by, &id, patch)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `DELETE /api/v1/sessions/{id}`
///
/// Has a session go. It is `deleting` then, until a controller says that it is gone.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    responses(
        (status = 202, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session is in a state in which this cannot be done"),
    ),
)]
pub(super) async fn delete(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let session = blocking(&edge, move |sessions| sessions.delete(&by, &id)).await?;
    Ok(HttpResponse::Accepted().json(session))
}

/// `POST /api/v1/sessions/{id}/transition`
///
/// Takes a session to another state.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/transition",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    request_body = Step,
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "This does not follow the state that it has; with the members of `TransitionMembers`"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn transition(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let step: Step = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.transition(&by, &id, step)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `POST /api/v1/sessions/{id}/heartbeat`
///
/// Says that a desktop lives, and what it uses.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/heartbeat",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    request_body = Usage,
    responses(
        (status = 204, description = "It is kept"),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session is in a state in which this cannot be done"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn heartbeat(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let usage: Usage = json(payload, &edge).await?;
    blocking(&edge, move |sessions| sessions.heartbeat(&by, &id, usage)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/sessions/{id}/activity`
///
/// Says whether a session's user does something.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/activity",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    request_body = Activity,
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session is in a state in which this cannot be done"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn activity(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let now: Activity = json(payload, &edge).await?;
    let session = blocking(&edge, move |sessions| sessions.activity(&by, &id, now)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `POST /api/v1/sessions/{id}/connections`
///
/// Says that somebody connected.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/connections",
    params(
        ("id" = String, Path, description = "The session's id"),
    ),
    request_body = NewConnection,
    responses(
        (status = 200, description = "The connection, which there is", body = ConnectionView),
        (status = 201, description = "The connection", body = ConnectionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session does not run, or has too many connections"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn connect(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let new: NewConnection = json(payload, &edge).await?;
    let connected = blocking(&edge, move |sessions| sessions.connect(&by, &id, new)).await?;
    let (connection, is_new) = connected;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(connection))
}

/// `DELETE /api/v1/sessions/{id}/connections/{connection}`
///
/// Says that somebody is not connected any more.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}/connections/{connection}",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("connection" = String, Path, description = "The connection's id"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, or no such connection"),
    ),
)]
pub(super) async fn disconnect(
    SignedIn(identity): SignedIn,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let (id, connection) = path.into_inner();
    blocking(&edge, move |sessions| sessions.disconnect(&by, &id, &connection)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How a session is shared.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewShare {
    /// How much the other user may.
    access: Access,
}

/// `PUT /api/v1/sessions/{id}/shares/{user}`
///
/// Shares a session with another user.
#[utoipa::path(
    put,
    path = "/api/v1/sessions/{id}/shares/{user}",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("user" = String, Path, description = "The other user"),
    ),
    request_body = NewShare,
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, as far as the caller may see"),
        (status = 409, description = "The session is in a state in which this cannot be done, or has too many shares"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn share(
    SignedIn(identity): SignedIn,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
    let NewShare { access } = json(payload, &edge).await?;
    let (id, user) = path.into_inner();
    let session = blocking(&edge, move |sessions| sessions.share(&by, &id, &user, access)).await?;
    Ok(HttpResponse::Ok().json(session))
}

/// `DELETE /api/v1/sessions/{id}/shares/{user}`
///
/// Ends that a session is shared with a user.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}/shares/{user}",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("user" = String, Path, description = "The other user"),
    ),
    responses(
        (status = 204, description = "It is over"),
        (status = 403, description = "The caller may not do this with the session, or with any"),
        (status = 404, description = "There is no such session, or it is not shared with this user"),
        (status = 422, description = "The user's name is none"),
    ),
)]
pub(super) async fn unshare(
    SignedIn(identity): SignedIn,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = caller(&identity)?;
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
            | SessionError::NoDesktop { .. }
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
