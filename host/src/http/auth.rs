//! Who may do what: so far, whoever holds the administrator's token may do everything.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use sha2::{Digest, Sha256};

use super::Problem;

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

/// The caller is the administrator. A handler that takes this answers 401 to anybody else.
#[derive(Debug)]
pub(super) struct Admin;

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request))
    }
}

/// Whether the caller shows nothing to be known by.
pub(super) fn is_anonymous(request: &HttpRequest) -> bool {
    !request.headers().contains_key(header::AUTHORIZATION)
}

pub(super) fn check(request: &HttpRequest) -> Result<Admin, Problem> {
    let unauthorized = |code, detail| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = header.and_then(|header| header.split_once(' ')) else {
        return Err(unauthorized(
            "SSP-AUT-001",
            "expected `Authorization: Bearer TOKEN`; the host wrote its token to `admin.token` in its data folder",
        ));
    };
    let known = request.app_data::<web::Data<AdminToken>>();
    if scheme.eq_ignore_ascii_case("bearer") && known.is_some_and(|known| known.is(token.trim())) {
        return Ok(Admin);
    }
    Err(unauthorized(
        "SSP-AUT-002",
        "this token is not known to the host; read it from `admin.token` in its data folder",
    ))
}
