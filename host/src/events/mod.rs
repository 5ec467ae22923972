//! Events: the bus, its consumers, and the host's half of `events/1`.
//!
//! An event's way: [`Bus::emit`] → the consumers whose filters match → each one's queue → a worker → the plugin. An
//! emit never waits for a plugin.

mod consumer;
mod emitter;
mod event;
mod id;
mod index;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use smallvec::SmallVec;
use streamspace_plugin::events::ConsumerSpec;
use uuid::Uuid;

pub(crate) use self::emitter::{PluginEmitter, open as open_emitter};
pub use self::{
    consumer::{Consumer, Counts, DeadLetter, Fate, Next, Options, Refused, Scratch, Target},
    event::{Event, NewEvent},
};
use self::{
    id::Ids,
    index::{Audience, Index},
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
}

/// Takes events and queues them for the consumers that want them.
pub struct Bus {
    // Read by every emit, replaced when a plugin comes or goes: emitters take no lock for it.
    index: ArcSwap<Index>,
    /// Serializes changes of `index`.
    changes: Mutex<()>,
    scheduler: OnceLock<Arc<dyn Scheduler>>,
    ids: Ids,
    limits: Limits,
}

impl Bus {
    /// A bus without consumers.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            index: ArcSwap::default(),
            changes: Mutex::new(()),
            scheduler: OnceLock::new(),
            ids: Ids::new(),
            limits,
        }
    }

    /// Says who runs the consumers. Once, before the first event.
    pub fn run_on(&self, scheduler: Arc<dyn Scheduler>) {
        let _ = self.scheduler.set(scheduler);
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Accepts an event and queues it for every consumer that wants it. Waits for none of them.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; no consumer gets the event then.
    pub fn emit(&self, new: NewEvent<'_>) -> Result<Uuid, EmitError> {
        if new.data.len() > self.limits.max_data_bytes {
            return Err(EmitError::TooLarge { found: new.data.len(), limit: self.limits.max_data_bytes });
        }
        let index = self.index.load();
        Ok(index.with_audience(new.topic, |audience| self.hand_over(new, audience))?)
    }

    fn hand_over(&self, new: NewEvent<'_>, audience: &Audience) -> Uuid {
        let (id, now_us) = self.ids.next();
        if audience.consumers.is_empty() {
            return id;
        }
        let event = Arc::new(Event {
            id,
            time_us: new.time_us.unwrap_or(now_us),
            topic: Arc::clone(&audience.topic),
            source: new.source,
            subject: new.subject.into(),
            data: new.data,
            attributes: new.attributes,
        });
        // All queues first, so that the first consumer to run does not delay the push to the last.
        let ready: SmallVec<[Arc<Consumer>; 16]> =
            audience.consumers.iter().filter_map(|consumer| consumer.offer(&event)).collect();
        self.schedule(&ready);
        id
    }

    /// Registers the consumers of a plugin. Nothing is delivered before [`resume`](Self::resume); until then the durable
    /// ones hold what is meant for them. A durable consumer that is known goes on where it was.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; nothing is registered then.
    pub fn subscribe(
        &self,
        plugin: &Arc<str>,
        specs: &[ConsumerSpec],
    ) -> Result<Vec<Arc<Consumer>>, SubscribeError> {
        let mut consumers: Vec<Arc<Consumer>> = Vec::with_capacity(specs.len());
        for (number, spec) in (0..).zip(specs) {
            let options = self.options(spec)?;
            if consumers.iter().any(|other| other.options().name == options.name) {
                return Err(SubscribeError::Duplicate(options.name));
            }
            consumers.push(Arc::new(Consumer::new(Arc::clone(plugin), number, options)));
        }
        self.change(|all| {
            for consumer in &consumers {
                if let Some(before) = all.iter().find(|before| {
                    before.plugin() == plugin
                        && before.options().name == consumer.options().name
                        && before.options().durable
                        && consumer.options().durable
                }) {
                    consumer.take_over(before);
                }
            }
            all.retain(|consumer| consumer.plugin() != plugin);
            all.extend(consumers.iter().cloned());
        });
        Ok(consumers)
    }

    /// Lets events flow to a plugin.
    pub fn resume(&self, consumers: &[Arc<Consumer>], target: &Arc<dyn Target>) {
        let ready: Vec<_> =
            consumers.iter().filter(|consumer| consumer.resume(Arc::clone(target))).cloned().collect();
        self.schedule(&ready);
    }

    /// Holds back events until [`resume`](Self::resume), and waits until the handlers are done. Answers whether they
    /// are.
    #[must_use]
    pub fn pause(&self, consumers: &[Arc<Consumer>], deadline: Instant) -> bool {
        for consumer in consumers {
            consumer.hold();
        }
        // Every one is waited for, also behind one that hangs.
        let hanging = consumers.iter().filter(|consumer| !consumer.pause(deadline)).count();
        hanging == 0
    }

    /// Delivers nothing more to these consumers of a plugin and waits until their handlers are done. What the durable
    /// ones are meant to get waits for them from now on; the ephemeral ones are gone. Answers those whose handler did
    /// not end in time.
    pub fn detach(&self, consumers: &[Arc<Consumer>], deadline: Instant) -> Vec<Arc<Consumer>> {
        let (durable, ephemeral): (Vec<_>, Vec<_>) =
            consumers.iter().cloned().partition(|consumer| consumer.options().durable);
        if !ephemeral.is_empty() {
            self.change(|all| {
                all.retain(|consumer| !ephemeral.iter().any(|gone| Arc::ptr_eq(gone, consumer)))
            });
        }
        // All are told to stop before the first is waited for. What an ephemeral one has accepted would be lost: half
        // of the time is for that.
        for consumer in &durable {
            consumer.hold();
        }
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        for consumer in &ephemeral {
            consumer.drain(half);
        }
        durable.into_iter().chain(ephemeral).filter(|consumer| !consumer.close(deadline)).collect()
    }

    /// Waits until every event that was accepted was handed to its plugins, those that wait for a next try apart.
    /// Answers whether that is so.
    #[must_use]
    pub fn drain(&self, deadline: Instant) -> bool {
        let index = self.index.load();
        // Every one gets its chance, also behind one that hangs.
        let hanging = index.consumers().iter().filter(|consumer| !consumer.drain(deadline)).count();
        hanging == 0
    }

    /// Forgets a plugin's consumers, durable ones and what they hold included.
    pub fn forget(&self, plugin: &str) {
        self.change(|all| all.retain(|consumer| &**consumer.plugin() != plugin));
    }

    /// Whether an event of `topic` reaches `consumer`.
    #[must_use]
    pub fn reaches(&self, topic: &str, consumer: &Consumer) -> bool {
        let is_in =
            |audience: &Audience| audience.consumers.iter().any(|other| std::ptr::eq(&**other, consumer));
        self.index.load().with_audience(topic, is_in).unwrap_or(false)
    }

    /// All consumers.
    #[must_use]
    pub fn consumers(&self) -> Vec<Arc<Consumer>> {
        self.index.load().consumers().to_vec()
    }

    fn schedule(&self, ready: &[Arc<Consumer>]) {
        if !ready.is_empty()
            && let Some(scheduler) = self.scheduler.get()
        {
            scheduler.ready(ready);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Consumer>>)) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut consumers = self.index.load().consumers().to_vec();
        change(&mut consumers);
        self.index.store(Arc::new(Index::new(consumers)));
    }

    /// What a consumer asks for, with the defaults where it says nothing and within the limits.
    fn options(&self, spec: &ConsumerSpec) -> Result<Options, SubscribeError> {
        let name = spec.name.as_str();
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(valid) {
            return Err(SubscribeError::Name(name.chars().take(80).collect()));
        }
        if spec.filters.is_empty() {
            return Err(SubscribeError::NoFilter(name.to_owned()));
        }
        for filter in &spec.filters {
            check_filter(filter).map_err(|why| SubscribeError::Filter { consumer: name.to_owned(), why })?;
        }
        let defaults = Options::named(name);
        let or = |asked: u32, default: usize| if asked == 0 { default } else { asked as usize };
        let max_pending = or(spec.max_pending, defaults.max_pending).min(self.limits.max_pending);
        // `from_start` asks for the oldest event that the host still has. It keeps none that was delivered, so the
        // oldest is the next one.
        Ok(Options {
            filters: spec.filters.iter().map(|filter| filter.to_string()).collect(),
            durable: spec.durable,
            max_deliver: if spec.max_deliver == 0 { defaults.max_deliver } else { spec.max_deliver },
            backoff: if spec.backoff_ms.is_empty() {
                defaults.backoff
            } else {
                spec.backoff_ms.iter().map(|ms| Duration::from_millis(*ms)).collect()
            },
            max_in_flight: or(spec.max_in_flight, 1).min(max_pending),
            batch: or(spec.batch, defaults.batch).min(4096).min(max_pending),
            max_pending,
            deadline: match spec.deadline_ms {
                0 => self.limits.handler_deadline,
                ms => Duration::from_millis(ms).min(self.limits.handler_deadline),
            },
            name: defaults.name,
        })
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("consumers", &self.index.load().consumers().len()).finish_non_exhaustive()
    }
}
