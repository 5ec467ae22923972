//! What a plugin says of its provider; the rest is the same for all.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use streamspace_plugin::prelude::{Context, Registrar, Result, StorageError};
use uuid::Uuid;

use crate::{Notifier, ledger::Ledger, notification::Notification, pace::Limit, settings::Settings};

/// A provider of messages: how it is configured, what its messages look like, how they are sent.
pub trait Provider: Send + Sync + Sized + 'static {
    /// What people call it, for texts: `Slack`.
    const NAME: &'static str;

    /// What it takes from each destination, as its documentation says.
    const LIMITS: &'static [Limit] = &[];

    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Where the messages of one destination go and what they look like there.
    type Target: Send + Sync + 'static;

    /// What is sent. Its JSON is what a preview shows, so it holds no secret.
    type Message: Serialize;

    /// `[setup]` Reads the configuration.
    ///
    /// # Errors
    ///
    /// What makes it unusable. The operator reads the message.
    fn configure(context: &Context, config: Self::Config) -> Result<(Self, Settings<Self::Target>)>;

    /// What this destination takes, where that is not the same for all.
    #[must_use]
    fn limits(to: &Self::Target) -> &'static [Limit] {
        let _ = to;
        Self::LIMITS
    }

    /// Whether this destination has any use for the message, beyond its topics and its route.
    fn wants(&self, notification: &Notification, to: &Self::Target) -> bool {
        let _ = (notification, to);
        true
    }

    /// Whether the message may become a line of a digest where it would have to wait. One that may not waits.
    fn folds(&self, notification: &Notification, to: &Self::Target) -> bool {
        let _ = (notification, to);
        true
    }

    /// Whether a repetition of the message is left out while the window lasts. Of a message that says how something stands now,
    /// none is.
    fn suppresses(&self, notification: &Notification, to: &Self::Target) -> bool {
        let _ = (notification, to);
        true
    }

    /// `[worker]` Why nothing is to be sent of the message, if what was remembered says so. It is asked before the message is
    /// counted for any limit; nothing is written down of a message that it leaves out.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn skips(
        &self,
        notification: &Notification,
        to: &Self::Target,
        delivery: &Delivery<'_>,
    ) -> Result<Option<String>, StorageError> {
        let _ = (notification, to, delivery);
        Ok(None)
    }

    /// Writes the message as the provider wants it: within its limits, and escaped. It depends on nothing but what is given.
    fn render(&self, notification: &Notification, to: &Self::Target) -> Self::Message;

    /// `[worker]` Sends it, within 15 s at most.
    fn send(&self, message: &Self::Message, to: &Self::Target, delivery: &Delivery<'_>) -> Outcome;

    /// `[setup]` Registers what this provider has beyond the others: routes, jobs, pages.
    fn register(&self, on: &mut Registrar<Notifier<Self>>) {
        let _ = on;
    }
}

/// What is being delivered.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// The same at every try: the event's id.
    pub id: Uuid,
    /// Which try it is, from 1 on.
    pub attempt: u32,
    /// What it says.
    pub notification: &'a Notification,
    /// What [`Outcome::progress`] of the try before was; null at the first.
    pub progress: &'a Value,
    pub(crate) ledger: &'a Ledger,
    pub(crate) destination: &'a str,
}

impl Delivery<'_> {
    /// What was remembered of this destination under a key.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn remembered<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        self.ledger.remembered(self.destination, key)
    }

    /// Remembers something of this destination under a key, for a time: what message a thread began with. It survives
    /// restarts.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn remember<T: Serialize>(&self, key: &str, value: &T, time: Duration) -> Result<(), StorageError> {
        self.ledger.remember(self.destination, key, value, time)
    }

    /// Forgets what was remembered under a key.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn forget(&self, key: &str) -> Result<(), StorageError> {
        self.ledger.forget(self.destination, key)
    }
}

/// What a try to send came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What it means.
    pub verdict: Verdict,
    /// The provider's status: of HTTP, or an SMTP reply.
    pub status: Option<u16>,
    /// How long nothing more may be sent to this destination, if the provider says so.
    pub hold: Option<Duration>,
    /// How far it came, for the next try and for the list of deliveries: who has it already. Null if there is nothing to say.
    pub progress: Value,
}

/// What a try to send means for the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider has it.
    Sent,
    /// There was nothing to be sent.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Too fast for the provider. Not counted as a try.
    Limited {
        /// When it may go.
        after: Duration,
        /// In the provider's words.
        reason: String,
    },
    /// It may work later; with no time given, after the back-off.
    Again {
        /// How long to wait.
        after: Option<Duration>,
        /// Why it did not work.
        reason: String,
    },
    /// This message will never work.
    Refused {
        /// Why.
        reason: String,
    },
    /// No message to this destination will ever work, as it is configured.
    Broken {
        /// Why, and what to do.
        reason: String,
    },
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, status: None, hold: None, progress: Value::Null }
    }
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::prelude::Error;

    use super::*;

    struct Acme;

    impl Provider for Acme {
        const NAME: &'static str = "Acme";
        const LIMITS: &'static [Limit] = &[Limit::new(3, 1)];

        type Config = ();
        type Target = bool;
        type Message = ();

        fn configure(_: &Context, (): ()) -> Result<(Self, Settings<bool>)> {
            Err(Error::permanent("it is never configured"))
        }

        fn limits(to: &bool) -> &'static [Limit] {
            if *to { &[] } else { Self::LIMITS }
        }

        fn render(&self, _: &Notification, _: &bool) {}

        fn send(&self, (): &(), _: &bool, _: &Delivery<'_>) -> Outcome {
            Verdict::Sent.into()
        }
    }

    #[test]
    fn a_provider_may_take_more_from_one_destination_than_from_another() {
        assert_eq!((Acme::limits(&true), Acme::limits(&false)), (&[][..], Acme::LIMITS));
    }
}
