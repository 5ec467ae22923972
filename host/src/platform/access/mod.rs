//! Who may do what: permissions, roles, passwords, sign-ins and tokens.

mod known;
mod password;
mod permission;
mod secret;
mod sign_in;
mod throttle;
mod token;

pub(in crate::platform) use self::{
    known::Known,
    password::{Passwords, hash as hash_password, verify as verify_password},
    secret::{Hash, hash as hash_of},
    throttle::Throttle,
};
pub use self::{
    known::{Identity, Means},
    password::check_password,
    permission::{PERMISSIONS, Permission, Role, check_permission, rights},
    secret::{Secret, csrf_token, is_ours},
    sign_in::{Lifetimes, SignedIn},
    throttle::Attempt,
    token::{NewToken, TokenView},
};
