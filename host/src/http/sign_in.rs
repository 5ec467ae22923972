//! Signing in and out, and what is one's own: `/api/v1/sign-in`, `/api/v1/sign-out`, `/api/v1/me…`, `/api/v1/permissions`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Edge, Problem,
    auth::{self, SignedIn, on_accounts, on_accounts_in_turn},
    body, origin,
};
use crate::platform::{
    access::{Means, PERMISSIONS, Permission, csrf_token},
    users::{UserPatch, UserView},
};

/// Signing in takes little, and comes from anybody.
const MAX_BODY_BYTES: usize = 8 * 1024;

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// The account's name.
    username: String,
    /// Its password.
    password: String,
}

/// Who signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedInView {
    /// The account.
    user: UserView,
    /// What calls with the cookie that change something have in `X-CSRF-Token`.
    csrf_token: String,
    /// After how many seconds without a call the sign-in is over.
    idle_secs: u64,
    /// After how many seconds it is over in any case.
    lifetime_secs: u64,
}

/// `POST /api/v1/sign-in`
///
/// Signs in with a name and a password.
#[utoipa::path(
    post,
    path = "/api/v1/sign-in",
    security(()),
    request_body = Credentials,
    responses(
        (status = 200, description = "Who signed in", body = SignedInView, headers(("Set-Cookie" = String, description = "What later calls are known by"))),
        (status = 401, description = "The name or the password is wrong, or the account is disabled"),
        (status = 403, description = "The call comes from another site's page"),
        (status = 415, description = "The body is not `application/json`"),
        (status = 429, description = "Too many attempts failed"),
    ),
)]
pub(super) async fn sign_in(
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    origin::check_origin(&request)?;
    // A form of another site's page cannot send this type without asking first.
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|value| {
        value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
    });
    if !is_json {
        return Err(Problem::new(
            actix_web::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "SSP-API-415",
            "expected `Content-Type: application/json`",
        ));
    }
    let Credentials { username, password } = body::json(payload, MAX_BODY_BYTES).await?;
    let attempt = edge.accounts.attempt(&username, origin::address(&request, &edge))?;
    let before = origin::cookie(&request).map(str::to_owned);
    let signed_in = on_accounts_in_turn(&edge, move |accounts| {
        accounts.sign_in(attempt, &username, &password, before.as_deref())
    });
    let signed_in = signed_in.await?;
    let lifetimes = edge.accounts.lifetimes();
    let cookie = origin::set_cookie(&request, Some(signed_in.cookie.reveal()), lifetimes.whole.as_secs());
    let csrf_token = signed_in.csrf_token();
    Ok(HttpResponse::Ok().insert_header((header::SET_COOKIE, cookie)).json(SignedInView {
        user: signed_in.user,
        csrf_token,
        idle_secs: lifetimes.idle.as_secs(),
        lifetime_secs: lifetimes.whole.as_secs(),
    }))
}

/// `POST /api/v1/sign-out`
///
/// Ends the sign-in of the cookie that the call has.
#[utoipa::path(
    post,
    path = "/api/v1/sign-out",
    responses(
        (status = 204, description = "It is over", headers(("Set-Cookie" = String, description = "Has the browser forget the cookie"))),
    ),
)]
pub(super) async fn sign_out(
    SignedIn(identity): SignedIn,
    request: HttpRequest,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    if let (Means::Cookie, Some(cookie)) = (identity.means, origin::cookie(&request)) {
        let cookie = cookie.to_owned();
        on_accounts(&edge, move |accounts| accounts.sign_out(&cookie)).await?;
    }
    let forget = origin::set_cookie(&request, None, 0);
    Ok(HttpResponse::NoContent().insert_header((header::SET_COOKIE, forget)).finish())
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The account's id.
    id: String,
    /// Its name.
    username: String,
    /// Its roles. None with a token that has not all of the account's permissions.
    roles: Vec<String>,
    /// Its groups.
    groups: Vec<String>,
    /// What is permitted, of the host's own permissions and of those that were granted.
    permissions: Vec<String>,
    /// Whether everything is permitted.
    unrestricted: bool,
    /// `cookie`, `token` or `admin_token`.
    signed_in_by: &'static str,
    /// With a cookie: what calls that change something have in `X-CSRF-Token`.
    csrf_token: Option<String>,
}

/// `GET /api/v1/me`
///
/// Who calls, and what they are permitted.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    responses(
        (status = 200, description = "Who calls", body = Me),
    ),
)]
pub(super) async fn me(SignedIn(identity): SignedIn, request: HttpRequest) -> HttpResponse {
    let caller = identity.caller;
    let (signed_in_by, csrf_token) = match identity.means {
        Means::Cookie => ("cookie", origin::cookie(&request).map(csrf_token)),
        Means::Token => ("token", None),
        Means::AdminToken => ("admin_token", None),
    };
    HttpResponse::Ok().json(Me {
        id: caller.id().to_owned(),
        username: caller.name().to_owned(),
        roles: caller.roles().to_vec(),
        groups: caller.groups().to_vec(),
        permissions: caller.permissions().to_vec(),
        unrestricted: caller.is_unrestricted(),
        signed_in_by,
        csrf_token,
    })
}

/// What an account may change of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnPatch {
    /// The name to show.
    full_name: Option<String>,
    /// The e-mail address.
    email: Option<String>,
}

/// `PATCH /api/v1/me`
///
/// Changes the caller's own account.
#[utoipa::path(
    patch,
    path = "/api/v1/me",
    request_body = OwnPatch,
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 403, description = "The caller signed in with a token, or the call comes from another site's page"),
        (status = 404, description = "The caller has no account: the administrator's token has none"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn change_me(
    SignedIn(identity): SignedIn,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    auth::must_be_a_person(&identity)?;
    let OwnPatch { full_name, email } = body::json(payload, MAX_BODY_BYTES).await?;
    let patch = UserPatch { full_name, email, ..UserPatch::default() };
    let caller = identity.caller;
    let user = on_accounts(&edge, move |accounts| accounts.update_user(&caller, caller.id(), patch)).await?;
    Ok(HttpResponse::Ok().json(user))
}

/// The present password and the next.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Passwords {
    /// The present one.
    current: String,
    /// The next one: 12 characters or more.
    new: String,
}

/// `PUT /api/v1/me/password`
///
/// Changes the caller's own password, and ends their other sign-ins.
#[utoipa::path(
    put,
    path = "/api/v1/me/password",
    request_body = Passwords,
    responses(
        (status = 204, description = "It is changed"),
        (status = 403, description = "The present password is wrong, the caller signed in with a token, or the call comes from another site's page"),
        (status = 404, description = "The caller has no account: the administrator's token has none"),
        (status = 422, description = "The next password is not good enough"),
        (status = 429, description = "Too many attempts failed"),
    ),
)]
pub(super) async fn change_password(
    SignedIn(identity): SignedIn,
    request: HttpRequest,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    auth::must_be_a_person(&identity)?;
    let Passwords { current, new } = body::json(payload, MAX_BODY_BYTES).await?;
    let (caller, cookie) = (identity.caller, origin::cookie(&request).map(str::to_owned));
    let changed = on_accounts_in_turn(&edge, move |accounts| {
        accounts.change_password(&caller, cookie.as_deref(), &current, &new)
    });
    changed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The host's own permissions.
#[derive(Debug, Serialize, ToSchema)]
struct Permissions {
    /// Each with what it is for.
    permissions: &'static [Permission],
}

/// `GET /api/v1/permissions`
///
/// The host's own permissions.
#[utoipa::path(
    get,
    path = "/api/v1/permissions",
    responses(
        (status = 200, description = "The permissions", body = Permissions),
    ),
)]
pub(super) async fn permissions(_: SignedIn) -> HttpResponse {
    HttpResponse::Ok().json(Permissions { permissions: PERMISSIONS })
}
