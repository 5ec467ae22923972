//! Groups: `/api/v1/groups…`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Edge, Problem,
    auth::{May, on_accounts},
    body,
};
use crate::platform::{
    access::rights::{UsersManage, UsersRead},
    users::{GroupPatch, GroupView, NewGroup},
};

/// Groups.
#[derive(Debug, Serialize, ToSchema)]
struct GroupList {
    /// All, by name.
    groups: Vec<GroupView>,
}

/// `GET /api/v1/groups`
///
/// All groups, by name.
#[utoipa::path(
    get,
    path = "/api/v1/groups",
    responses(
        (status = 200, description = "The groups", body = GroupList),
    ),
)]
pub(super) async fn list(_: May<UsersRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let groups = on_accounts(&edge, |accounts| accounts.groups()).await?;
    Ok(HttpResponse::Ok().json(GroupList { groups }))
}

/// `POST /api/v1/groups`
///
/// Makes a group.
#[utoipa::path(
    post,
    path = "/api/v1/groups",
    request_body = NewGroup,
    responses(
        (status = 201, description = "The group", body = GroupView),
        (status = 409, description = "A group has the name, or there are too many"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn create(
    _: May<UsersManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let new: NewGroup = body::json(payload, edge.max_body_bytes).await?;
    let group = on_accounts(&edge, move |accounts| accounts.create_group(new)).await?;
    Ok(HttpResponse::Created().json(group))
}

/// `GET /api/v1/groups/{group}`
///
/// One group.
#[utoipa::path(
    get,
    path = "/api/v1/groups/{group}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 404, description = "There is no such group"),
    ),
)]
pub(super) async fn show(
    _: May<UsersRead>,
    group: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(on_accounts(&edge, move |accounts| accounts.group(&group)).await?))
}

/// `PATCH /api/v1/groups/{group}`
///
/// Changes what a group is for.
#[utoipa::path(
    patch,
    path = "/api/v1/groups/{group}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
    ),
    request_body = GroupPatch,
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 403, description = "This takes `users.manage`, and whatever the group's members are permitted"),
        (status = 404, description = "There is no such group"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn update(
    may: May<UsersManage>,
    group: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let patch: GroupPatch = body::json(payload, edge.max_body_bytes).await?;
    let by = may.identity.caller;
    let group = on_accounts(&edge, move |accounts| accounts.update_group(&by, &group, patch)).await?;
    Ok(HttpResponse::Ok().json(group))
}

/// `DELETE /api/v1/groups/{group}`
///
/// Deletes a group. Its members stay.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "This takes `users.manage`, and whatever the group's members are permitted"),
        (status = 404, description = "There is no such group"),
    ),
)]
pub(super) async fn remove(
    may: May<UsersManage>,
    group: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let by = may.identity.caller;
    on_accounts(&edge, move |accounts| accounts.delete_group(&by, &group)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /api/v1/groups/{group}/members/{user}`
///
/// Takes an account into a group.
#[utoipa::path(
    put,
    path = "/api/v1/groups/{group}/members/{user}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 403, description = "This takes `users.manage`, and whatever the group's members and the account are permitted"),
        (status = 404, description = "There is no such group, or no such account"),
        (status = 409, description = "The group has too many members"),
    ),
)]
pub(super) async fn add(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_member(may, path, edge, true).await
}

/// `DELETE /api/v1/groups/{group}/members/{user}`
///
/// Takes an account out of a group.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group}/members/{user}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
        ("user" = String, Path, description = "The account's name or id"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 403, description = "This takes `users.manage`, and whatever the group's members and the account are permitted"),
        (status = 404, description = "There is no such group, or no such account"),
    ),
)]
pub(super) async fn take_out(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_member(may, path, edge, false).await
}

async fn set_member(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
    member: bool,
) -> Result<HttpResponse, Problem> {
    let (by, (group, user)) = (may.identity.caller, path.into_inner());
    let group = on_accounts(&edge, move |accounts| accounts.set_member(&by, &group, &user, member)).await?;
    Ok(HttpResponse::Ok().json(group))
}

/// `PUT /api/v1/groups/{group}/permissions/{permission}`
///
/// Permits something to all members of a group.
#[utoipa::path(
    put,
    path = "/api/v1/groups/{group}/permissions/{permission:.*}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
        ("permission" = String, Path, description = "The permission, such as `slack.preview`"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 403, description = "This takes `users.manage`, what the group's members are permitted, and the permission itself"),
        (status = 404, description = "There is no such group"),
        (status = 409, description = "The group has too many permissions"),
        (status = 422, description = "This is no permission"),
    ),
)]
pub(super) async fn grant(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_permission(may, path, edge, true).await
}

/// `DELETE /api/v1/groups/{group}/permissions/{permission}`
///
/// Takes a permission from a group.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group}/permissions/{permission:.*}",
    params(
        ("group" = String, Path, description = "The group's name or id"),
        ("permission" = String, Path, description = "The permission, such as `slack.preview`"),
    ),
    responses(
        (status = 200, description = "The group", body = GroupView),
        (status = 403, description = "This takes `users.manage`, and whatever the group's members are permitted"),
        (status = 404, description = "There is no such group"),
        (status = 422, description = "This is no permission"),
    ),
)]
pub(super) async fn revoke(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_permission(may, path, edge, false).await
}

async fn set_permission(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
    granted: bool,
) -> Result<HttpResponse, Problem> {
    let (by, (group, permission)) = (may.identity.caller, path.into_inner());
    let group =
        on_accounts(&edge, move |accounts| accounts.set_group_permission(&by, &group, &permission, granted));
    Ok(HttpResponse::Ok().json(group.await?))
}
