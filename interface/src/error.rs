//! What a plugin's functions fail with.

use std::{any::Any, fmt};

use crate::{events::DecodeError, routes::Problem};

/// Why something in a plugin failed: any error converts into it with `?`, its sources become part of the message.
///
/// ```
/// use streamspace_plugin::prelude::*;
///
/// fn port(text: &str) -> Result<u16> {
///     text.parse().map_err(|why| Error::new(format!("`port` is {text:?}: {why}")))
/// }
///
/// assert_eq!(
///     port("x").expect_err("not a number").to_string(),
///     "`port` is \"x\": invalid digit found in string"
/// );
/// ```
pub struct Error {
    message: String,
    permanent: bool,
    /// What a route's caller is told instead of the message.
    problem: Option<Problem>,
}

/// The result of a plugin's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says `message`. It goes to the log and to the operator: put no secret into it.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), permanent: false, problem: None }
    }

    /// As [`new`](Self::new), and trying again will not help: returned from a handler, it rejects the event.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), permanent: true, problem: None }
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Whether trying again will not help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// `Error` does not implement `std::error::Error`, so that this conversion can exist; `anyhow` does the same.
impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors repeat their source in their own message.
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        // A payload of another shape stays one, however often it is delivered.
        let permanent = (&error as &dyn Any).is::<DecodeError>();
        let problem = (&error as &dyn Any).downcast_ref::<Problem>().cloned();
        Self { message, permanent, problem }
    }
}
