//! What is given to clients to prove who they are: random, and kept as a hash alone.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{hex::hex, platform::users::UserError};

/// What tokens begin with, so that they are recognized where they do not belong.
const TOKEN_PREFIX: &str = "ssp_";

/// The SHA-256 of a secret. With 256 random bits a slow hash would add nothing.
pub(in crate::platform) type Hash = [u8; 32];

/// 256 random bits that a client keeps.
pub struct Secret(String);

impl Secret {
    /// A new one for a cookie.
    pub(super) fn for_cookie() -> Result<Self, UserError> {
        random().map(Self)
    }

    /// A new one for a program.
    pub(super) fn for_token() -> Result<Self, UserError> {
        random().map(|random| Self(format!("{TOKEN_PREFIX}{random}")))
    }

    /// A new password for a person to type.
    pub(in crate::platform) fn password() -> Result<Self, UserError> {
        let mut random = random()?;
        random.truncate(32);
        Ok(Self(random))
    }

    /// What the client is given, once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn random() -> Result<String, UserError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|why| UserError::System { what: "make random bytes", reason: why.to_string() })?;
    Ok(hex(&bytes))
}

pub(in crate::platform) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// What a page proves with that a call is its own: it follows from the cookie, and the cookie does not follow from it.
#[must_use]
pub fn csrf_token(cookie: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"streamspace csrf\0");
    digest.update(cookie);
    hex(&digest.finalize())
}

/// Whether a bearer token looks like one that this host gave out or had given out, right or wrong. No plugin is to see it.
#[must_use]
pub fn is_ours(token: &str) -> bool {
    let hexadecimal = (56..=72).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    token.contains(TOKEN_PREFIX) || hexadecimal
}

/// Whether it can be a token of an account.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_PREFIX.len() + 64 && text.starts_with(TOKEN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_a_page_is_the_cookies_and_no_other_cookies() {
        let (one, other) = (Secret::for_cookie().expect("random"), Secret::for_cookie().expect("random"));
        assert_eq!(csrf_token(one.reveal()), csrf_token(one.reveal()));
        assert_ne!(csrf_token(one.reveal()), csrf_token(other.reveal()));
        assert_ne!(csrf_token(one.reveal()), hex(&one.hash()), "what is kept says nothing");
    }

    #[test]
    fn the_hosts_tokens_are_recognized_also_when_they_are_cut() {
        let token = Secret::for_token().expect("random");
        assert!(is_token(token.reveal()) && is_ours(token.reveal()) && is_ours(&token.reveal()[..20]));
        let cookie = Secret::for_cookie().expect("random");
        assert!(is_ours(cookie.reveal()) && is_ours(&cookie.reveal()[..63]));
        assert!(!is_ours("xoxb-123") && !is_ours("abc123"));
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }
}
