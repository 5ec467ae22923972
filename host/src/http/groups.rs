//! Groups: `/api/v1/groups…`.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{
    Edge, Problem,
    auth::{May, on_accounts},
    body, resource,
};
use crate::platform::{
    access::rights::{UsersManage, UsersRead},
    users::{GroupPatch, GroupView, NewGroup},
};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/api/v1/groups", "GET, POST").route(web::get().to(list)).route(web::post().to(create)),
    )
    .service(
        resource("/api/v1/groups/{group}", "GET, PATCH, DELETE")
            .route(web::get().to(show))
            .route(web::patch().to(update))
            .route(web::delete().to(remove)),
    )
    .service(
        resource("/api/v1/groups/{group}/members/{user}", "PUT, DELETE")
            .route(web::put().to(add))
            .route(web::delete().to(take_out)),
    )
    .service(
        resource("/api/v1/groups/{group}/permissions/{permission:.*}", "PUT, DELETE")
            .route(web::put().to(grant))
            .route(web::delete().to(revoke)),
    );
}

/// Groups.
#[derive(Debug, Serialize)]
struct GroupList {
    /// All, by name.
    groups: Vec<GroupView>,
}

/// `GET /api/v1/groups`
pub(super) async fn list(_: May<UsersRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let groups = on_accounts(&edge, |accounts| accounts.groups()).await?;
    Ok(HttpResponse::Ok().json(GroupList { groups }))
}

/// `POST /api/v1/groups`
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
pub(super) async fn show(
    _: May<UsersRead>,
    group: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(on_accounts(&edge, move |accounts| accounts.group(&group)).await?))
}

/// `PATCH /api/v1/groups/{group}`
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
pub(super) async fn add(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_member(may, path, edge, true).await
}

/// `DELETE /api/v1/groups/{group}/members/{user}`
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
pub(super) async fn grant(
    may: May<UsersManage>,
    path: web::Path<(String, String)>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    set_permission(may, path, edge, true).await
}

/// `DELETE /api/v1/groups/{group}/permissions/{permission}`
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
