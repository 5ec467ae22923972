//! Who calls, and whether they may: what a client proves itself with, and what handlers ask of it.

use std::{fmt, marker::PhantomData};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use futures_util::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::{Edge, Problem, origin};
use crate::{
    platform::{
        access::{Identity, Means, rights::Right},
        users::UserError,
    },
    routes::Caller,
};

/// The administrator's token, as its hash.
#[derive(Debug)]
pub(super) struct AdminToken([u8; 32]);

impl AdminToken {
    pub(super) fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn is(&self, token: &str) -> bool {
        // Of a comparison of hashes, the time tells nothing about the token.
        let hash: [u8; 32] = Sha256::digest(token).into();
        hash == self.0
    }
}

/// What a request has to prove itself with.
#[derive(Clone, Copy)]
enum Sent<'r> {
    Nothing,
    Bearer(&'r str),
    /// An `Authorization` that is no token.
    Other,
    Cookie(&'r str),
}

fn sent(request: &HttpRequest) -> Sent<'_> {
    if let Some(header) = request.headers().get(header::AUTHORIZATION) {
        let header = header.to_str().ok().and_then(|header| header.split_once(' '));
        return match header {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Sent::Bearer(token.trim()),
            _ => Sent::Other,
        };
    }
    match origin::cookie(request) {
        Some(cookie) => Sent::Cookie(cookie),
        None => Sent::Nothing,
    }
}

fn unauthorized(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn not_signed_in() -> Problem {
    unauthorized(
        "SSP-AUT-001",
        "not signed in: expected the cookie of `POST /api/v1/sign-in`, or `Authorization: Bearer TOKEN` with a token of \
         an account or the one in `admin.token` in the host's data folder",
    )
}

fn not_known(means: Means) -> Problem {
    let detail = match means {
        Means::Cookie => "this sign-in is over: sign in again",
        Means::Token | Means::AdminToken => {
            "this token is not known to the host: it is wrong, over or revoked, or its account is disabled"
        }
    };
    unauthorized("SSP-AUT-002", detail)
}

/// Who calls. `None`: nothing was sent to prove it with.
pub(super) async fn identify(request: &HttpRequest) -> Result<Option<Identity>, Problem> {
    let (means, secret) = match sent(request) {
        Sent::Nothing => return Ok(None),
        Sent::Other => return Err(not_signed_in()),
        Sent::Bearer(token) => (Means::Token, token),
        Sent::Cookie(cookie) => (Means::Cookie, cookie),
    };
    let Some(edge) = request.app_data::<web::Data<Edge>>() else { return Err(not_signed_in()) };
    let known = match means {
        Means::Cookie => edge.accounts.known_by_cookie(secret),
        _ => {
            let admin = request.app_data::<web::Data<AdminToken>>();
            if admin.is_some_and(|admin| admin.is(secret)) {
                return Ok(Some(Identity::admin()));
            }
            edge.accounts.known_by_token(secret)
        }
    };
    let found = match known {
        Some(found) => found,
        None => {
            let (accounts, secret) = (edge.accounts.clone(), secret.to_owned());
            let found = web::block(move || accounts.look_up(means, &secret)).await;
            found.map_err(failed)?.map_err(Problem::from)?
        }
    };
    let Some(identity) = found else { return Err(not_known(means)) };
    if means == Means::Cookie {
        origin::check_call(request, secret)?;
    }
    Ok(Some(identity))
}

/// Who that is by now, with what they are permitted by now.
pub(super) async fn again(edge: &Edge, identity: &Identity) -> Result<Option<Identity>, Problem> {
    let (accounts, identity) = (edge.accounts.clone(), identity.clone());
    let found = web::block(move || accounts.again(&identity)).await;
    found.map_err(failed)?.map_err(Problem::from)
}

fn failed(why: impl fmt::Display) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)
}

/// Who calls, if that is known.
pub(super) async fn signed_in(request: &HttpRequest) -> Result<Identity, Problem> {
    identify(request).await?.ok_or_else(not_signed_in)
}

/// Whoever is signed in.
#[derive(Debug)]
pub(super) struct SignedIn(pub(super) Identity);

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { identify(&request).await?.map(Self).ok_or_else(not_signed_in) })
    }
}

/// Whoever has the permission. A handler that takes this answers 401 to those who are not signed in, and 403 to others.
#[derive(Debug)]
pub(super) struct May<R> {
    pub(super) identity: Identity,
    right: PhantomData<R>,
}

impl<R: Right> FromRequest for May<R> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed_in = SignedIn::from_request(request, payload);
        Box::pin(async move {
            let SignedIn(identity) = signed_in.await?;
            must_be_permitted(&identity.caller, R::NAME)?;
            Ok(Self { identity, right: PhantomData })
        })
    }
}

/// Whoever may do everything.
#[derive(Debug)]
pub(super) struct Admin;

impl FromRequest for Admin {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed_in = SignedIn::from_request(request, payload);
        Box::pin(async move {
            let SignedIn(identity) = signed_in.await?;
            if identity.caller.is_unrestricted() { Ok(Self) } else { Err(forbidden("the role `admin`")) }
        })
    }
}

/// Whether the caller shows nothing to be known by.
pub(super) fn is_anonymous(request: &HttpRequest) -> bool {
    matches!(sent(request), Sent::Nothing)
}

/// Answers 403 with the permission that is missing.
pub(super) fn must_be_permitted(caller: &Caller, permission: &str) -> Result<(), Problem> {
    if caller.is_permitted(permission) {
        return Ok(());
    }
    Err(forbidden(format_args!("the permission `{permission}`")))
}

fn forbidden(what: impl fmt::Display) -> Problem {
    let detail = format_args!("this takes {what}, which the caller does not have");
    Problem::new(StatusCode::FORBIDDEN, "SSP-AUT-004", detail)
}

/// Answers 403 to a program: what only a person does who has just signed in, or whoever has the data folder.
pub(super) fn must_be_a_person(identity: &Identity) -> Result<(), Problem> {
    if identity.means != Means::Token {
        return Ok(());
    }
    let detail = "a token is not enough for this: sign in with the account's password";
    Err(Problem::new(StatusCode::FORBIDDEN, "SSP-AUT-009", detail))
}

/// Not signed in, as a problem: for routes that take anybody who is.
pub(super) fn required(identity: Option<Identity>) -> Result<Identity, Problem> {
    identity.ok_or_else(not_signed_in)
}

/// Runs an operation on the threads for blocking ones.
pub(super) async fn on_accounts<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&crate::platform::users::Accounts) -> Result<T, UserError> + Send + 'static,
) -> Result<T, Problem> {
    let accounts = edge.accounts.clone();
    web::block(move || operation(&accounts)).await.map_err(failed)?.map_err(Problem::from)
}

/// As [`on_accounts`], for one that hashes a password: a few at a time.
pub(super) async fn on_accounts_in_turn<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&crate::platform::users::Accounts) -> Result<T, UserError> + Send + 'static,
) -> Result<T, Problem> {
    let turn = edge.accounts.turn().await?;
    // Kept also when the client goes.
    on_accounts(edge, move |accounts| {
        let _turn = turn;
        operation(accounts)
    })
    .await
}
