//! Registering consumers.

use std::{fmt, time::Duration};

use super::{ConsumerSpec, Event, Handled, IntoHandled, payload::Payload};
use crate::Registrar;

type Handler<P> = Box<dyn Fn(&P, &Event<'_>) -> Handled + Send + Sync>;

/// A consumer that was registered: what the host is told, and the handler.
pub(crate) struct Consumer<P> {
    pub(crate) spec: ConsumerSpec,
    pub(crate) handler: Handler<P>,
}

/// Describes a consumer. Ends with [`handle`](Self::handle) or [`handle_payload`](Self::handle_payload), which
/// register it; without one of them nothing is registered.
///
/// Defaults: ephemeral, 1 event in flight (strict order), batches of 256, 65 536 events pending, a deadline of 60 s a
/// batch; a durable one gives up after 8 tries with a back-off of 1 s, 5 s, 30 s, 2 min, 10 min. The operator's limits
/// hold over what is asked for here.
#[must_use = "a consumer is registered by `handle` or `handle_payload`"]
pub struct ConsumerBuilder<'r, P> {
    registrar: &'r mut Registrar<P>,
    spec: ConsumerSpec,
}

impl<'r, P> ConsumerBuilder<'r, P> {
    pub(crate) fn new(registrar: &'r mut Registrar<P>, name: &str) -> Self {
        Self { registrar, spec: ConsumerSpec::named(name) }
    }

    /// Adds topics: dot-separated tokens, where `*` is any one token and a final `>` any rest of one or more.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.spec.filters.extend(topics.into_iter().map(|topic| topic.into().into()));
        self
    }

    /// Keeps what was accepted while the plugin is away, and tries again when the handler fails. Each event arrives at
    /// least once, in order.
    pub fn durable(mut self) -> Self {
        self.spec.durable = true;
        self
    }

    /// Starts a durable consumer that is new at the oldest event the host still has.
    pub fn from_start(mut self) -> Self {
        self.spec.from_start = true;
        self
    }

    /// How often an event is tried before it becomes a dead letter, 1 and up.
    pub fn max_deliver(mut self, tries: u32) -> Self {
        self.spec.max_deliver = tries;
        self
    }

    /// How long to wait before the second, third, … try, to the millisecond; the last one repeats.
    pub fn backoff(mut self, waits: impl IntoIterator<Item = Duration>) -> Self {
        self.spec.backoff_ms =
            waits.into_iter().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)).collect();
        self
    }

    /// How many events may be unsettled at once. With 1 an event that waits for its next try holds back those behind
    /// it; with more, that many may wait while others pass.
    pub fn max_in_flight(mut self, events: u32) -> Self {
        self.spec.max_in_flight = events;
        self
    }

    /// How many events one call across the interface carries at most.
    pub fn batch(mut self, events: u32) -> Self {
        self.spec.batch = events;
        self
    }

    /// How many events may wait in memory. Beyond it a durable consumer's are read from the log later; of an ephemeral one
    /// the oldest is dropped, counted and reported.
    pub fn max_pending(mut self, events: u32) -> Self {
        self.spec.max_pending = events;
        self
    }

    /// After what time a batch that is still being handled is reported as hanging.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.spec.deadline_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Registers the consumer. `handler` runs as `[worker]`, one call at a time.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// # struct Audit;
    /// # impl Plugin for Audit {
    /// #     type Config = ();
    /// #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
    /// fn register(&self, on: &mut Registrar<Self>) {
    ///     on.consumer("audit").topics(["session.>", "user.*"]).durable().handle(Self::audit);
    /// }
    /// # }
    /// # impl Audit {
    /// fn audit(&self, event: &Event<'_>) -> Handled {
    ///     if event.data().is_empty() { Handled::reject("no payload") } else { Handled::Ack }
    /// }
    /// # }
    /// ```
    pub fn handle<R: IntoHandled>(self, handler: impl Fn(&P, &Event<'_>) -> R + Send + Sync + 'static) {
        self.registrar.add_consumer(Consumer {
            spec: self.spec,
            handler: Box::new(move |plugin, event| handler(plugin, event).into_handled()),
        });
    }

    /// Registers the consumer with a handler of a typed payload: the topics are the payload's, unless topics were
    /// given; an event whose payload has another shape is rejected.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// # struct Welcome;
    /// # impl Plugin for Welcome {
    /// #     type Config = ();
    /// #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
    /// fn register(&self, on: &mut Registrar<Self>) {
    ///     on.consumer("welcome").topics(["user.created"]).handle_payload(Self::welcome);
    /// }
    /// # }
    /// # impl Welcome {
    /// fn welcome(&self, _event: &Event<'_>, user: payload::User) {
    ///     log::info!("Welcome, {}.", user.username);
    /// }
    /// # }
    /// ```
    pub fn handle_payload<T: Payload, R: IntoHandled>(
        mut self,
        handler: impl Fn(&P, &Event<'_>, T) -> R + Send + Sync + 'static,
    ) {
        if self.spec.filters.is_empty() {
            self = self.topics(T::TOPICS.iter().copied());
        }
        self.handle(move |plugin, event| match event.decode::<T>() {
            Ok(payload) => handler(plugin, event, payload).into_handled(),
            Err(why) => Handled::reject(why.to_string()),
        });
    }
}

impl<P> fmt::Debug for ConsumerBuilder<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder").field("spec", &self.spec).finish_non_exhaustive()
    }
}
