//! Tokens of accounts: `/api/v1/tokens…`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::{self, SignedIn, on_accounts},
    body,
    query::{Query, understood},
};
use crate::platform::access::{NewToken, TokenView};

/// Whose tokens are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// The account's name or id; `*` for all. The caller's own, if it is not given.
    user: Option<String>,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    /// In the order in which they were made.
    tokens: Vec<TokenView>,
}

/// `GET /api/v1/tokens`
///
/// The tokens of an account, or of all, without themselves.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    params(
        Whose,
    ),
    responses(
        (status = 200, description = "The tokens", body = TokenList),
        (status = 400, description = "The query is not understood"),
        (status = 403, description = "Others' tokens take `users.read`"),
        (status = 404, description = "There is no such account"),
    ),
)]
pub(super) async fn list(
    SignedIn(identity): SignedIn,
    query: Query<Whose>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let caller = identity.caller;
    let user = understood(query)?.user.unwrap_or_else(|| caller.id().to_owned());
    if user != caller.id() && user != caller.name() {
        auth::must_be_permitted(&caller, "users.read")?;
    }
    let tokens =
        on_accounts(&edge, move |accounts| accounts.tokens((user != "*").then_some(user.as_str()))).await?;
    Ok(HttpResponse::Ok().json(TokenList { tokens }))
}

/// A token that is asked for, and for whom.
#[derive(Debug, Deserialize, ToSchema)]
struct TokenRequest {
    /// The account's name or id. The caller's own, if it is not given.
    user: Option<String>,
    #[serde(flatten)]
    token: NewToken,
}

/// A token, this once.
#[derive(Serialize, ToSchema)]
struct CreatedToken {
    /// The token.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// `POST /api/v1/tokens`
///
/// Makes a token, which is answered this once.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    request_body = TokenRequest,
    responses(
        (status = 201, description = "The token", body = CreatedToken),
        (status = 403, description = "The caller signed in with a token, or is not permitted what the new one is to be; another's takes `users.manage`"),
        (status = 404, description = "There is no such account"),
        (status = 409, description = "The account has too many tokens"),
        (status = 422, description = "A field is not as it has to be"),
    ),
)]
pub(super) async fn create(
    SignedIn(identity): SignedIn,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    // One token does not make the next: it would outlive its own revocation.
    auth::must_be_a_person(&identity)?;
    let TokenRequest { user, token } = body::json(payload, edge.max_body_bytes).await?;
    let caller = identity.caller;
    let user = user.unwrap_or_else(|| caller.id().to_owned());
    if user != caller.id() && user != caller.name() {
        auth::must_be_permitted(&caller, "users.manage")?;
    }
    let (view, secret) =
        on_accounts(&edge, move |accounts| accounts.create_token(&caller, &user, token)).await?;
    Ok(HttpResponse::Created().json(CreatedToken { token: secret.reveal().to_owned(), view }))
}

/// `DELETE /api/v1/tokens/{id}`
///
/// Revokes a token.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    params(
        ("id" = String, Path, description = "The token's id"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "The account is permitted what the caller is not"),
        (status = 404, description = "There is no such token, or it is another's"),
    ),
)]
pub(super) async fn revoke(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let caller = identity.caller;
    on_accounts(&edge, move |accounts| accounts.revoke_token(&caller, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
