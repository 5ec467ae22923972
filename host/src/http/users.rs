//! Accounts: `/api/v1/users…`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Edge, Problem,
    auth::{May, on_accounts, on_accounts_in_turn},
    body,
    query::{Query, understood},
    resource,
};
use crate::platform::{
    access::rights::{UsersManage, UsersRead},
    users::{NewUser, UserFilter, UserPatch, UserView},
};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/api/v1/users", "GET, POST").route(web::get().to(list)).route(web::post().to(create)),
    )
    .service(
        resource("/api/v1/users/{user}", "GET, PATCH, DELETE")
            .route(web::get().to(show))
            .route(web::patch().to(update))
            .route(web::delete().to(remove)),
    )
    .service(resource("/api/v1/users/{user}/enable", "POST").route(web::post().to(enable)))
    .service(resource("/api/v1/users/{user}/disable", "POST").route(web::post().to(disable)))
    .service(resource("/api/v1/users/{user}/password", "PUT").route(web::put().to(set_password)))
    .service(
        resource("/api/v1/users/{user}/permissions/{permission:.*}", "PUT, DELETE")
            .route(web::put().to(grant))
            .route(web::delete().to(revoke)),
    );
}

/// Accounts.
#[derive(Debug, Serialize)]
struct UserList {
    /// Those of this page, by name.
    users: Vec<UserView>,
    /// How many there are in all.
    total: i64,
}

/// `GET /api/v1/users?name=&role=&skip=0&limit=100`
pub(super) async fn list(
    _: May<UsersRead>,
    query: Query<UserFilter>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let filter = understood(query)?;
    let (users, total) = on_accounts(&edge, move |accounts| accounts.users(&filter)).await?;
    Ok(HttpResponse::Ok().json(UserList { users, total }))
}

/// `POST /api/v1/users`
pub(super) async fn create(
    may: May<UsersManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let new: NewUser = body::json(payload, edge.max_body_bytes).await?;
    let by = may.identity.caller;
    let user = on_accounts_in_turn(&edge, move |accounts| accounts.create_user(&by, new)).await?;
    Ok(HttpResponse::Created().json(user))
}

/// `GET /api/v1/users/{user}`
pub(super) async fn show(
    _: May<UsersRead>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(on_accounts(&edge, move |accounts| accounts.user(&user)).await?))
}

/// `PATCH /api/v1/users/{user}`
pub(super) async fn update(
    may: May<UsersManage>,
    user: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch: UserPatch = body::json(payload, edge.max_body_bytes).await?;
    patched(&may, &edge, user.into_inner(), patch).await
}

/// `POST /api/v1/users/{user}/enable`
pub(super) async fn enable(
    may: May<UsersManage>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch = UserPatch { disabled: Some(false), ..UserPatch::default() };
    patched(&may, &edge, user.into_inner(), patch).await
}

/// `POST /api/v1/users/{user}/disable`
pub(super) async fn disable(
    may: May<UsersManage>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch = UserPatch { disabled: Some(true), ..UserPatch::default() };
    patched(&may, &edge, user.into_inner(), patch).await
}

async fn patched(
    may: &May<UsersManage>,
    edge: &web::Data<Edge>,
    user: String,
    patch: UserPatch,
) -> Result<HttpResponse, Problem> {
    let by = may.identity.caller.clone();
    let user = on_accounts(edge, move |accounts| accounts.update_user(&by, &user, patch)).await?;
    Ok(HttpResponse::Ok().json(user))
}

/// `DELETE /api/v1/users/{user}`
pub(super) async fn remove(
    may: May<UsersManage>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = may.identity.caller;
    on_accounts(&edge, move |accounts| accounts.delete_user(&by, &user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 12 characters or more.
    password: String,
}

/// `PUT /api/v1/users/{user}/password`
pub(super) async fn set_password(
    may: May<UsersManage>,
    user: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let NewPassword { password } = body::json(payload, edge.max_body_bytes).await?;
    let by = may.identity.caller;
    let user =
        on_accounts_in_turn(&edge, move |accounts| accounts.set_password(&by, &user, &password)).await?;
    Ok(HttpResponse::Ok().json(user))
}

/// `PUT /api/v1/users/{user}/permissions/{permission}`
pub(super) async fn grant(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (by, (user, permission)) = (may.identity.caller, path.into_inner());
    let user = on_accounts(&edge, move |accounts| accounts.grant(&by, &user, &permission)).await?;
    Ok(HttpResponse::Ok().json(user))
}

/// `DELETE /api/v1/users/{user}/permissions/{permission}`
pub(super) async fn revoke(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (by, (user, permission)) = (may.identity.caller, path.into_inner());
    let user = on_accounts(&edge, move |accounts| accounts.revoke(&by, &user, &permission)).await?;
    Ok(HttpResponse::Ok().json(user))
}
