//! The platform's desktop sessions and users: `platform/1`.
//!
//! | a plugin may | with one of these in the manifest's `permissions` |
//! |---|---|
//! | list and get sessions | `read:sessions`, `sessions:read`, `sessions.read` |
//! | make sessions and have them take steps | `write:sessions`, `sessions:write`, `sessions.write` |
//! | list and get users | `read:users`, `users:read`, `users.read` |
//!
//! `sessions:read/write` stands for both. To write does not include to read. A call that is not permitted fails, and names
//! the permission. A plugin sees the sessions of all users; where their desktops speak RFB it is not told.
//!
//! Every call waits for the disk or the network: in an inline route it fails with
//! [`PlatformError::WouldBlock`].

mod error;
mod session;
mod table;
mod user;

use std::vec;

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    error::PlatformError,
    session::{NewSession, Session, SessionFilter, SessionPage, SessionState, Sessions, Share, Usage},
    table::{ID, PlatformRef, PlatformTable},
    user::{User, UserFilter, UserPage, Users},
};
use crate::{
    abi::{Bound, RVec},
    decode,
};

/// The platform's sessions and users. Made by [`Context::platform`](crate::Context::platform).
#[derive(Debug, Clone, Copy)]
pub struct Platform(Option<Bound<PlatformRef>>);

impl Platform {
    pub(crate) fn new(host: Option<Bound<PlatformRef>>) -> Self {
        Self(host)
    }

    /// `[any]` The sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions(*self)
    }

    /// `[any]` The users.
    #[must_use]
    pub fn users(&self) -> Users {
        Users(*self)
    }

    fn host(&self) -> Result<Bound<PlatformRef>, PlatformError> {
        self.0.ok_or(PlatformError::Unavailable)
    }
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, PlatformError> {
    serde_json::to_vec(value).map_err(|why| PlatformError::Invalid(why.to_string()))
}

fn read<T: DeserializeOwned>(answer: RVec<u8>) -> Result<T, PlatformError> {
    Ok(decode::decode(&answer)?)
}

/// Reads page by page. After a page that failed there is nothing more.
struct Reader<T, F> {
    read: F,
    page: vec::IntoIter<T>,
    next: Option<String>,
    done: bool,
}

impl<T, F: FnMut(Option<String>) -> Result<(Vec<T>, Option<String>), PlatformError>> Reader<T, F> {
    fn new(read: F) -> Self {
        Self { read, page: Vec::new().into_iter(), next: None, done: false }
    }
}

impl<T, F: FnMut(Option<String>) -> Result<(Vec<T>, Option<String>), PlatformError>> Iterator
    for Reader<T, F>
{
    type Item = Result<T, PlatformError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(Ok(item));
            }
            if self.done {
                return None;
            }
            match (self.read)(self.next.take()) {
                Ok((page, next)) => {
                    self.done = next.is_none();
                    self.next = next;
                    self.page = page.into_iter();
                }
                Err(why) => {
                    self.done = true;
                    return Some(Err(why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_to_their_end_and_no_further_than_a_failure() {
        let pages = [(vec![1, 2], Some("a")), (vec![], Some("b")), (vec![3], None)];
        let mut left = pages.into_iter();
        let mut asked = Vec::new();
        let all: Result<Vec<i32>, _> = Reader::new(|after| {
            asked.push(after);
            let (page, next) = left.next().expect("it is not asked again");
            Ok((page, next.map(str::to_owned)))
        })
        .collect();
        assert_eq!(all, Ok(vec![1, 2, 3]));
        assert_eq!(asked, [None, Some("a".to_owned()), Some("b".to_owned())]);
        let mut failing = Reader::<i32, _>::new(|_| Err(PlatformError::Unavailable));
        assert!(failing.next().is_some_and(|item| item.is_err()));
        assert!(failing.next().is_none());
    }
}
