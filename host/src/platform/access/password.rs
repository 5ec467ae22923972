//! Passwords: hashed with Argon2id.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::platform::users::UserError;

/// 19 MiB, two passes, one lane: the parameters that OWASP recommends for Argon2id
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What is verified where there is no account, so that it takes as long. No password has this hash.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest password and the longest, in characters and in bytes. OWASP and NIST SP 800-63B ask for at least 8 and at
/// least 64; here there is no second factor.
const SHORTEST: usize = 12;
const LONGEST: usize = 1024;

/// Hashes passwords, a few at a time: each takes 19 MiB and a core.
#[derive(Debug)]
pub(in crate::platform) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(in crate::platform) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new((cores / 2).max(1))) }
    }

    /// Waits for a turn, which is held while one password is hashed.
    pub(in crate::platform) async fn turn(&self) -> Result<OwnedSemaphorePermit, UserError> {
        match timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(UserError::Busy),
        }
    }
}

fn argon2() -> Result<Argon2<'static>, UserError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(why: impl std::fmt::Display) -> UserError {
    UserError::System { what: "hash the password", reason: why.to_string() }
}

/// The hash of a new password, as a PHC string. Takes some ten milliseconds of a core.
pub(in crate::platform) fn hash(password: &str) -> Result<String, UserError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(failed)?;
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether a password is the one with this hash. Without a hash it is not, after the same time.
pub(in crate::platform) fn verify(password: &str, hash: Option<&str>) -> Result<bool, UserError> {
    let argon2 = argon2()?;
    // Nobody has a longer one; it is not hashed, whoever it is tried for.
    if password.len() > LONGEST {
        return Ok(false);
    }
    let right = argon2.verify_password(password.as_bytes(), hash.unwrap_or(NOBODYS)).is_ok();
    Ok(right && hash.is_some())
}

/// Checks a new password.
///
/// # Errors
///
/// [`UserError::Password`].
pub fn check_password(password: &str, name: &str) -> Result<(), UserError> {
    let refused = |expected| Err(UserError::Password { expected });
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return refused("12 characters or more, in at most 1024 bytes");
    }
    let first = password.chars().next();
    if password.chars().all(|character| Some(character) == first) {
        return refused("more than one character over and over");
    }
    if password.eq_ignore_ascii_case(name) {
        return refused("another text than the name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id_with_the_recommended_parameters() {
        let hash = hash("correct horse battery").expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse battery", Some(&hash)).expect("verified"));
        assert!(!verify("correct horse batterz", Some(&hash)).expect("verified"));
        assert!(!verify("correct horse battery", None).expect("verified"));
    }

    #[test]
    fn what_stands_for_nobody_costs_as_much() {
        let nobodys = PasswordHash::new(NOBODYS).expect("a hash");
        let somebodys = hash("correct horse battery").expect("a hash");
        let somebodys = PasswordHash::new(&somebodys).expect("a hash");
        assert_eq!((nobodys.algorithm, nobodys.version), (somebodys.algorithm, somebodys.version));
        assert_eq!(nobodys.params, somebodys.params);
        let length = |hash: &PasswordHash| hash.hash.as_ref().map(|hash| hash.as_bytes().len());
        assert_eq!(length(&nobodys), length(&somebodys));
    }

    #[test]
    fn a_poor_password_is_not_accepted() {
        for bad in ["short", "aaaaaaaaaaaaaaaa", "grace.hopper@navy", &"ab".repeat(600)] {
            assert!(check_password(bad, "grace.hopper@navy").is_err(), "{bad}");
        }
        assert!(check_password("correct horse battery", "grace").is_ok());
    }
}
