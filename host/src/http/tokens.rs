//! Tokens of accounts: `/api/v1/tokens…`.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Edge, Problem,
    auth::{self, SignedIn, on_accounts},
    body,
    query::{Query, understood},
    resource,
};
use crate::platform::access::{NewToken, TokenView};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/api/v1/tokens", "GET, POST").route(web::get().to(list)).route(web::post().to(create)),
    )
    .service(resource("/api/v1/tokens/{id}", "DELETE").route(web::delete().to(revoke)));
}

/// Whose tokens are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// The account's name or id; `*` for all. The caller's own, if it is not given.
    user: Option<String>,
}

/// Tokens.
#[derive(Debug, Serialize)]
struct TokenList {
    /// In the order in which they were made.
    tokens: Vec<TokenView>,
}

/// `GET /api/v1/tokens?user=`
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
#[derive(Debug, Deserialize)]
struct Asked {
    /// The account's name or id. The caller's own, if it is not given.
    user: Option<String>,
    #[serde(flatten)]
    token: NewToken,
}

/// A token, this once.
#[derive(Serialize)]
struct Created {
    /// The token.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// `POST /api/v1/tokens`
pub(super) async fn create(
    SignedIn(identity): SignedIn,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    // One token does not make the next: it would outlive its own revocation.
    auth::must_be_a_person(&identity)?;
    let Asked { user, token } = body::json(payload, edge.max_body_bytes).await?;
    let caller = identity.caller;
    let user = user.unwrap_or_else(|| caller.id().to_owned());
    if user != caller.id() && user != caller.name() {
        auth::must_be_permitted(&caller, "users.manage")?;
    }
    let (view, secret) =
        on_accounts(&edge, move |accounts| accounts.create_token(&caller, &user, token)).await?;
    Ok(HttpResponse::Created().json(Created { token: secret.reveal().to_owned(), view }))
}

/// `DELETE /api/v1/tokens/{id}`
pub(super) async fn revoke(
    SignedIn(identity): SignedIn,
    id: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let caller = identity.caller;
    on_accounts(&edge, move |accounts| accounts.revoke_token(&caller, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
