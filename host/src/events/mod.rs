//! Events: the bus, the log of the durable ones, the consumers, and the host's half of `events/1`.
//!
//! An event's way: [`Bus::emit`] → the log, if it is durable → the consumers whose filters match → each one's queue → a
//! worker → the plugin. An emit never waits for a plugin.

mod bus;
mod change;
mod consumer;
mod emitter;
mod event;
mod id;
mod index;
mod log;
mod switch;
mod tap;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub(crate) use self::consumer::{Change, RefusedEvent, Room, Unsaved};
pub(crate) use self::emitter::{PluginEmitter, open as open_emitter};
pub(crate) use self::id::Ids;
pub use self::{
    bus::{Bus, Receipt},
    change::{ChangeError, Emitted, Stop},
    consumer::{Condition, Consumer, Counts, Fate, Next, Options, Refused, Scratch, Target},
    event::{Event, NewEvent},
    log::{DeadLetter, DeadLetters, EventLog, EventRecords, LogError, Page, Place, Which},
    tap::{Item, Tap, TapError},
};
pub use crate::topic::{InvalidTopic, check_filter, check_topic};

/// Runs consumers that have something to deliver.
pub trait Scheduler: Send + Sync {
    /// Each of `consumers` has something to deliver and is in nobody's hands: call [`Consumer::run`] until it answers
    /// [`Next::Nothing`].
    fn ready(&self, consumers: &[Arc<Consumer>]);
}

/// The limits of the bus, from the operator's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest payload, in bytes.
    pub max_data_bytes: usize,
    /// The most events in memory for one consumer.
    pub max_pending: usize,
    /// After what time a call of a handler is reported as hanging, at the latest.
    pub handler_deadline: Duration,
}

/// Why an event was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The topic is not one.
    #[error(transparent)]
    Topic(#[from] InvalidTopic),
    /// A text has a character that the database does not take.
    #[error("the {0} holds a NUL character, which no database takes as text")]
    Nul(&'static str),
    /// The log does not take it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The payload is too large.
    #[error("the payload has {found} bytes; this host takes up to {limit} (`events.max_data_bytes`)")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why a plugin's consumers were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// A name is not one.
    #[error("the consumer name `{0}` is not valid: expected lower-case letters, digits and `-`, at most 64")]
    Name(String),
    /// A name is there twice.
    #[error("two consumers are called `{0}`: expected each name once")]
    Duplicate(String),
    /// There is no filter.
    #[error("the consumer `{0}` has no topics: expected at least one")]
    NoFilter(String),
    /// A filter is not one.
    #[error("the consumer `{consumer}`: {why}")]
    Filter {
        /// The consumer.
        consumer: String,
        /// What is wrong.
        why: InvalidTopic,
    },
    /// A durable consumer cannot be written down.
    #[error("its durable consumers cannot be written to the database: {0}")]
    Database(String),
}
