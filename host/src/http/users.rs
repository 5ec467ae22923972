//! Accounts: `/api/v1/users…`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Edge, Problem,
    auth::{May, on_accounts, on_accounts_in_turn},
    body,
    query::{Query, understood},
};
use crate::platform::{
    access::rights::{UsersManage, UsersRead},
    users::{NewUser, UserFilter, UserPatch, UserView},
};

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
struct UserList {
    /// Those of this page, by name.
    users: Vec<UserView>,
    /// How many there are in all.
    total: i64,
}

/// `GET /api/v1/users`
///
/// Accounts, by name.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    params(
        UserFilter,
    ),
    responses(
        (status = 200, description = "Those of this page", body = UserList),
        (status = 400, description = "The query is not understood"),
        (status = 422, description = "What the query asks for is out of bounds"),
    ),
)]
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
///
/// Makes an account.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    request_body = NewUser,
    responses(
        (status = 201, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is to be permitted"),
        (status = 409, description = "Somebody has the name, or the permissions are too many"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
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
///
/// One account.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user}",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 404, description = "There is no such account"),
    ),
)]
pub(super) async fn show(
    _: May<UsersRead>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(on_accounts(&edge, move |accounts| accounts.user(&user)).await?))
}

/// `PATCH /api/v1/users/{user}`
///
/// Changes an account.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{user}",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    request_body = UserPatch,
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "Nobody would be left with the role `admin`"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
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
///
/// Lets an account sign in and use its tokens again.
#[utoipa::path(
    post,
    path = "/api/v1/users/{user}/enable",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "Nobody would be left with the role `admin`"),
    ),
)]
pub(super) async fn enable(
    may: May<UsersManage>,
    user: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch = UserPatch { disabled: Some(false), ..UserPatch::default() };
    patched(&may, &edge, user.into_inner(), patch).await
}

/// `POST /api/v1/users/{user}/disable`
///
/// Keeps an account from signing in and from using its tokens.
#[utoipa::path(
    post,
    path = "/api/v1/users/{user}/disable",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "Nobody would be left with the role `admin`"),
    ),
)]
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
///
/// Deletes an account, with its sign-ins and tokens.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "Nobody would be left with the role `admin`"),
    ),
)]
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
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 12 characters or more.
    password: String,
}

/// `PUT /api/v1/users/{user}/password`
///
/// Sets the password of an account, and ends its sign-ins.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/password",
    params(
        ("user" = String, Path, description = "The account's name or id"),
    ),
    request_body = NewPassword,
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 422, description = "The password is not good enough"),
    ),
)]
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
///
/// Permits an account something beyond its role and its groups.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/permissions/{permission:.*}",
    params(
        ("user" = String, Path, description = "The account's name or id"),
        ("permission" = String, Path, description = "The permission, such as `slack.preview`"),
    ),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, what the account is permitted, and the permission itself"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "The account has too many permissions"),
        (status = 422, description = "This is no permission"),
    ),
)]
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
///
/// Takes a permission from an account.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}/permissions/{permission:.*}",
    params(
        ("user" = String, Path, description = "The account's name or id"),
        ("permission" = String, Path, description = "The permission, such as `slack.preview`"),
    ),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "This takes `users.manage`, and whatever the account is permitted"),
        (status = 404, description = "There is no such account"),
        (status = 422, description = "This is no permission"),
    ),
)]
pub(super) async fn revoke(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let (by, (user, permission)) = (may.identity.caller, path.into_inner());
    let user = on_accounts(&edge, move |accounts| accounts.revoke(&by, &user, &permission)).await?;
    Ok(HttpResponse::Ok().json(user))
}
