//! What a handler answers.

use std::time::Duration;

use super::{Refusal, Verdict};
use crate::Error;

/// What is to become of an event that a handler was given. Reasons go to the log and to the dead-letter list: put no
/// secret into them.
///
/// ```
/// # use std::time::Duration;
/// # use streamspace_plugin::prelude::*;
/// fn verdict(status: u16, retry_after: Option<u64>) -> Handled {
///     match status {
///         200..=299 => Handled::Ack,
///         429 => Handled::retry_after(Duration::from_secs(retry_after.unwrap_or(30)), "the provider is busy"),
///         500..=599 => Handled::retry(format!("the provider answered {status}")),
///         _ => Handled::reject(format!("the provider answered {status}")),
///     }
/// }
///
/// assert_eq!(verdict(204, None), Handled::Ack);
/// assert!(matches!(verdict(404, None), Handled::Reject { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handled {
    /// Done.
    Ack,
    /// Failed; try again, after the consumer's back-off if no time is given. Counts as a try. An ephemeral consumer
    /// does not try again.
    Retry {
        /// How long to wait.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Not now: put it back and ask again after this time. Does not count as a try.
    Defer {
        /// How long to wait.
        after: Duration,
        /// Why.
        reason: String,
    },
    /// It will never work: a dead letter.
    Reject {
        /// Why.
        reason: String,
    },
}

impl Handled {
    /// Failed; try again after the consumer's back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// Failed; try again after `after`, e.g. what a `Retry-After` header says.
    pub fn retry_after(after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after: Some(after), reason: reason.into() }
    }

    /// Not now; ask again after `after`, without counting a try. For limits on the plugin's own side.
    pub fn defer(after: Duration, reason: impl Into<String>) -> Self {
        Self::Defer { after, reason: reason.into() }
    }

    /// It will never work.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject { reason: reason.into() }
    }

    /// The refusal that crosses the interface; `None` for an acknowledgement.
    pub(crate) fn into_refusal(self) -> Option<Refusal> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(Refusal::BACKOFF - 1);
        let (verdict, after_ms, reason) = match self {
            Self::Ack => return None,
            Self::Retry { after, reason } => (Verdict::RETRY, after.map_or(Refusal::BACKOFF, millis), reason),
            Self::Defer { after, reason } => (Verdict::DEFER, millis(after), reason),
            Self::Reject { reason } => (Verdict::REJECT, 0, reason),
        };
        Some(Refusal { verdict, after_ms, reason: reason.into() })
    }
}

impl From<Error> for Handled {
    fn from(error: Error) -> Self {
        if error.is_permanent() { Self::reject(error.to_string()) } else { Self::retry(error.to_string()) }
    }
}

/// What a handler may return.
///
/// ```
/// # use streamspace_plugin::{events::IntoHandled, prelude::*};
/// fn nothing() {}
/// fn failing() -> Result<()> { Err(Error::new("not yet")) }
/// fn hopeless() -> Result<()> { Err(Error::permanent("never")) }
///
/// assert_eq!(nothing().into_handled(), Handled::Ack);
/// assert_eq!(failing().into_handled(), Handled::retry("not yet"));
/// assert_eq!(hopeless().into_handled(), Handled::reject("never"));
/// ```
///
/// That is: nothing, [`Handled`], or a `Result` of either. An `Err` is a retry, or a reject if the
/// error is [permanent](Error::permanent).
#[diagnostic::on_unimplemented(
    message = "a handler may not return `{Self}`",
    label = "expects a handler that returns `Result<()>`, `Result<Handled>`, `Handled` or nothing",
    note = "a handler is `fn(&Self, &Event<'_>) -> Result<()>` or `fn(&Self, &Event<'_>) -> Result<Handled>`; with `handle_payload` it takes the payload as well",
    note = "its error is `streamspace_plugin::Error`, which any `std::error::Error` becomes with `?`",
    note = "it is not `async`: it runs on a worker thread and may block"
)]
pub trait IntoHandled {
    /// What is to become of the event.
    fn into_handled(self) -> Handled;
}

impl IntoHandled for () {
    fn into_handled(self) -> Handled {
        Handled::Ack
    }
}

impl IntoHandled for Handled {
    fn into_handled(self) -> Handled {
        self
    }
}

// Otherwise the compiler would name the part of a `Result` that does not fit, and not what a handler may return.
#[diagnostic::do_not_recommend]
impl<T: IntoHandled, E: Into<Handled>> IntoHandled for Result<T, E> {
    fn into_handled(self) -> Handled {
        match self {
            Ok(handled) => handled.into_handled(),
            Err(error) => error.into(),
        }
    }
}
