//! A consumer: the queue of one handler of one plugin, and what becomes of the events in it.

mod condition;
mod options;
mod queue;
mod tail;

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use streamspace_plugin::{
    abi::{ROption, RSlice},
    events::{Batch, EventView, Progress, Refusal, Verdict},
};
use uuid::Uuid;

pub(crate) use self::tail::{Change, RefusedEvent, Room, Unsaved};
pub use self::{
    condition::{Condition, Counts},
    options::Options,
};
use self::{
    queue::{Delivery, Parked, Queue},
    tail::Tail,
};
use super::{Event, EventLog};
use crate::{clock, figures::Histogram, topic};

/// The longest wait for a next try, so that a nonsense number does not park an event for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Where a consumer's events go: the plugin that registered it.
pub trait Target: Send + Sync {
    /// Hands a batch to consumer number `consumer` of the plugin and waits until it is done.
    fn deliver(&self, consumer: u32, batch: Batch<'_>) -> Progress;

    /// `text`, which the plugin said, without the plugin's secrets.
    fn redact(&self, text: &str) -> String;

    /// Tells that an event was refused.
    fn refused(&self, consumer: &Consumer, refused: &Refused<'_>);
}

/// An event that a handler did not acknowledge, and what was decided about it.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The event.
    pub event: &'a Event,
    /// How often it was tried.
    pub attempt: u32,
    /// What the handler said.
    pub verdict: Verdict,
    /// Why, without secrets.
    pub reason: &'a str,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an event that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Tried again after this time.
    Retry(Duration),
    /// Kept as a dead letter.
    DeadLetter,
    /// Dropped: the consumer is ephemeral.
    Dropped,
}

/// What a consumer is to be scheduled for next.
#[derive(Debug, Clone)]
pub enum Next {
    /// There is more to deliver.
    Again,
    /// There is nothing, and the consumer still belongs to the caller: either run it again when [`Consumer::has_more`],
    /// or [let it go](Consumer::let_go).
    Empty,
    /// The next event is due then: call [`Consumer::wake`].
    At(Instant),
    /// Nothing until an event arrives.
    Nothing,
}

/// A durable consumer's part in the log.
struct Logged {
    log: Arc<EventLog>,
    /// Its number in the database.
    id: i64,
}

/// One consumer.
pub struct Consumer {
    plugin: Arc<str>,
    number: u32,
    options: Options,
    /// Where a durable consumer's events come from.
    log: Option<Logged>,
    queue: Mutex<Queue>,
    /// Whether something is pending, for a worker that looks without the lock.
    more: AtomicBool,
    /// Signalled when a call of the handler is over.
    done: Condvar,
    /// [`Batch::stop`] of the call that is running.
    stop: AtomicBool,
    /// When the call that is running began, microseconds after [`epoch`]; 0 if none is.
    running_since_us: AtomicU64,
    delivered: AtomicU64,
    retried: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    /// Events that were given up since the host started.
    dead_lettered: AtomicU64,
    /// How long the calls of the handler took.
    call_time: Histogram,
    /// Thousandths of an event a second, over the last minute.
    rate_milli: AtomicU64,
}

/// What a worker reuses from batch to batch, so that delivering allocates nothing once it is warm.
#[derive(Default)]
pub struct Scratch {
    last_batch: usize,
    batch: Vec<Delivery>,
    views: Vec<EventView<'static>>,
}

impl Scratch {
    /// How many events the last batch had.
    #[must_use]
    pub fn last_batch(&self) -> usize {
        self.last_batch
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("batch", &self.batch.len()).finish_non_exhaustive()
    }
}

impl Consumer {
    /// An ephemeral consumer without a target yet.
    #[must_use]
    pub fn new(plugin: Arc<str>, number: u32, options: Options) -> Self {
        Self {
            plugin,
            number,
            options,
            log: None,
            queue: Mutex::default(),
            more: AtomicBool::new(false),
            done: Condvar::new(),
            stop: AtomicBool::new(false),
            running_since_us: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            dead_lettered: AtomicU64::new(0),
            call_time: Histogram::default(),
            rate_milli: AtomicU64::new(0),
        }
    }

    /// A durable consumer without a target yet, at the place where the log has it.
    pub(super) fn durable(
        plugin: Arc<str>,
        number: u32,
        options: Options,
        log: Arc<EventLog>,
        stored: Stored,
    ) -> Self {
        let Stored { id, position, missed, waiting, dead, parked } = stored;
        let mut consumer = Self::new(plugin, number, options);
        consumer.log = Some(Logged { log, id });
        *consumer.dead.get_mut() = dead;
        let queue = consumer.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        queue.tail = Tail::at(position, missed, waiting);
        queue.parked = parked
            .into_iter()
            .map(|refused| {
                let due_us = refused.due_us.unwrap_or_default();
                Parked::stored(refused.event, refused.seq, refused.attempts, due_us)
            })
            .collect();
        consumer
    }

    /// Its number in the database, if it is durable.
    pub(crate) fn id(&self) -> Option<i64> {
        self.log.as_ref().map(|logged| logged.id)
    }

    /// The plugin it belongs to.
    #[must_use]
    pub fn plugin(&self) -> &Arc<str> {
        &self.plugin
    }

    /// Its position among the plugin's consumers.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What it asked for.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The topics it wants.
    #[must_use]
    pub fn filters(&self) -> &[String] {
        &self.options.filters
    }

    /// How long the call that is running has been running.
    #[must_use]
    pub fn running_for(&self) -> Option<Duration> {
        match self.running_since_us.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Duration::from_micros(now_us().saturating_sub(since))),
        }
    }

    /// Asks the call that is running to end after the event that it is at.
    pub fn ask_to_yield(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Takes the place of `before`, durable or ephemeral as this one: a plugin that comes back, or another version of it,
    /// goes on where it was. What a handler that hangs still has in its hands is delivered again, if it is in the log.
    pub(super) fn take_over(self: &Arc<Self>, before: &Self) {
        let mut from = before.queue();
        from.replaced = true;
        from.successor = Some(Arc::clone(self));
        let same = self.options.filters == before.options.filters;
        if self.log.is_some() && (from.running || !same) {
            // From the place in the log, by this one's filters.
            from.rewind();
        }
        let mut to = self.queue();
        let mut pending = std::mem::take(&mut from.pending);
        if self.log.is_some() {
            to.tail = from.tail.hand_on(&to.tail);
        } else {
            if !same {
                let wanted = |topic: &str| self.filters().iter().any(|filter| topic::matches(filter, topic));
                pending.retain(|delivery| wanted(&delivery.event.topic));
            }
            // What was accepted for it since it is there comes behind.
            pending.append(&mut to.pending);
        }
        to.pending = pending;
        to.parked = std::mem::take(&mut from.parked);
        to.high_water = from.high_water;
        self.note_more(!to.pending.is_empty());
        for (to, from) in [
            (&self.delivered, &before.delivered),
            (&self.retried, &before.retried),
            (&self.dropped, &before.dropped),
            (&self.failed, &before.failed),
            (&self.dead, &before.dead),
            (&self.dead_lettered, &before.dead_lettered),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.call_time.copy_from(&before.call_time);
    }

    /// Takes in events for `target` and hands over none before [`resume`](Self::resume).
    pub(super) fn stand_by(&self, target: Arc<dyn Target>) {
        let mut queue = self.queue();
        queue.target = Some(target);
        queue.paused = true;
    }

    /// Goes on after a [`pause`](Self::pause). Answers whether there is something to deliver now.
    pub(super) fn go_on(self: &Arc<Self>) -> bool {
        let target = self.queue().target.clone();
        target.is_some_and(|target| self.resume(target))
    }

    /// Nothing of it is to be kept any more: its plugin is gone, or does not ask for it.
    pub(super) fn forget(&self) {
        let mut queue = self.queue();
        queue.replaced = true;
        queue.pending.clear();
        queue.parked.clear();
        queue.tail = Tail::default();
    }

    /// Whether another has taken its place, or it was forgotten.
    pub(crate) fn is_gone(&self) -> bool {
        self.queue().replaced
    }

    /// Lets events flow to `target`. Answers whether there is something to deliver now.
    pub(super) fn resume(self: &Arc<Self>, target: Arc<dyn Target>) -> bool {
        let mut queue = self.queue();
        queue.target = Some(target);
        queue.paused = false;
        let read = queue.wants_reading(self.options.max_pending);
        let waiting = !queue.pending.is_empty() || !queue.parked.is_empty();
        let ready = waiting && queue.schedule();
        drop(queue);
        self.read_on(read);
        ready
    }

    /// Waits until everything that waits now, except for a next try, was handed to the plugin. Answers whether it was.
    pub(super) fn drain(&self, deadline: Instant) -> bool {
        let mut queue = self.queue();
        let moves = |queue: &Queue| {
            let blocked = queue.parked.len() >= self.options.max_in_flight;
            queue.running || (queue.is_open() && !queue.pending.is_empty() && !blocked)
        };
        while moves(&queue) {
            let Some(wait) = deadline.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            else {
                return false;
            };
            queue = self.wait_until_done(queue, wait);
        }
        true
    }

    /// Hands no more events to the plugin.
    pub(super) fn hold(&self) {
        let mut queue = self.queue();
        queue.paused = true;
        self.ask_to_yield();
    }

    /// Hands no more events to the plugin, and waits until the call that is running is over. Answers whether it is.
    pub(super) fn pause(&self, deadline: Instant) -> bool {
        let mut queue = self.queue();
        queue.paused = true;
        self.ask_to_yield();
        while queue.running {
            let Some(wait) = deadline.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            else {
                return false;
            };
            queue = self.wait_until_done(queue, wait);
        }
        true
    }

    /// As [`pause`](Self::pause), and lets go of the plugin. Events for a durable consumer wait in the log.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        if !self.pause(deadline) {
            return false;
        }
        let mut queue = self.queue();
        queue.target = None;
        if self.log.is_some() {
            // The log has it.
            queue.rewind();
        } else {
            queue.pending.clear();
            queue.parked.clear();
        }
        true
    }

    /// Queues an event: number `seq` of the log, or 0. Answers the consumer if it must be handed to the workers now. That is
    /// the one which has taken this one's place, if the emitter had found this one before.
    pub(super) fn offer(self: &Arc<Self>, event: &Arc<Event>, seq: u64) -> Option<Arc<Self>> {
        // The one lock on an event's way to a consumer. It is held for a push on this side and for moving a batch out
        // on the other, and a lock-free queue costs the reader a contended exchange per event instead of one lock per
        // batch.
        let mut queue = self.queue();
        if self.log.is_some() {
            if !queue.follow(seq, event, self.options.max_pending) {
                return None;
            }
        } else {
            if let Some(successor) = queue.successor.clone() {
                drop(queue);
                return successor.offer(event, seq);
            }
            queue.target.as_ref()?;
            if queue.held() >= self.options.max_pending {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                // If there is none to drop, all that is held is being handled.
                let dropped = queue.pending.pop_front()?;
                queue.push(event);
                self.note_more(true);
                drop(queue);
                // Freed after the lock is released.
                drop(dropped);
                return None;
            }
            queue.push(event);
        }
        self.note_more(true);
        queue.high_water = queue.high_water.max(queue.held());
        (!self.is_blocked(&queue) && queue.schedule()).then(|| Arc::clone(self))
    }

    /// Whether nothing is to be handed to the plugin now.
    fn is_blocked(&self, queue: &Queue) -> bool {
        !queue.is_open() || queue.parked.len() >= self.options.max_in_flight || queue.tail.is_stuck()
    }

    fn note_more(&self, more: bool) {
        self.more.store(more, Ordering::Relaxed);
    }

    fn forget_dead(&self, count: u64) {
        let less = |dead: u64| Some(dead.saturating_sub(count));
        // It always answers with a value, so it never fails.
        let _ = self.dead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Dead letters were dropped.
    pub(super) fn dropped_dead_letters(&self, count: u64) {
        self.forget_dead(count);
    }

    /// Asks the log's reader for more, if that is wanted.
    fn read_on(self: &Arc<Self>, wanted: bool) {
        if wanted && let Some(logged) = &self.log {
            logged.log.read(Arc::clone(self));
        }
    }

    /// Delivers one batch. Called by a worker, by one at a time.
    pub fn run(self: &Arc<Self>, scratch: &mut Scratch) -> Next {
        let Some(target) = self.take(&mut scratch.batch) else {
            return self.next_when_idle();
        };
        let began_us = now_us();
        self.running_since_us.store(began_us, Ordering::Relaxed);
        scratch.last_batch = scratch.batch.len();

        let mut views: Vec<EventView<'_>> = recycle(std::mem::take(&mut scratch.views));
        views.extend(scratch.batch.iter().map(|delivery| delivery.event.view(delivery.attempt)));
        let mut at = 0;
        let mut resolved = Vec::new();
        while at < views.len() {
            let Some(events) = views.get(at..) else { break };
            let progress =
                target.deliver(self.number, Batch { events: RSlice::from_slice(events), stop: &self.stop });
            // The plugin counts; what it says is bounded by what it was given.
            let acknowledged = usize::try_from(progress.acknowledged).unwrap_or(usize::MAX).min(events.len());
            self.delivered.fetch_add(acknowledged as u64, Ordering::Relaxed);
            resolved.extend(
                scratch
                    .batch
                    .iter()
                    .skip(at)
                    .take(acknowledged)
                    .filter(|done| done.refused)
                    .map(|done| done.event.id),
            );
            at += acknowledged;
            let refusal = match progress.stopped_at {
                ROption::RSome(refusal) => refusal,
                // It must settle at least one event of a call; one that settles none would be called for ever.
                ROption::RNone if acknowledged == 0 => Refusal {
                    verdict: Verdict::RETRY,
                    after_ms: Refusal::BACKOFF,
                    reason: "the plugin says nothing of the event".into(),
                },
                ROption::RNone => break,
            };
            let Some(delivery) = scratch.batch.get(at) else { break };
            let may_go_on = self.refuse(&*target, delivery, &refusal);
            at += 1;
            // The plugin looks at `stop` within a call; between two calls that is up to this side.
            if !may_go_on || self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        scratch.views = recycle(views);

        // For metrics, once a batch: a look at the clock and two additions to atomics of this consumer's own.
        self.call_time.note_us(now_us().saturating_sub(began_us));
        self.running_since_us.store(0, Ordering::Relaxed);
        self.settle(&mut scratch.batch, at, resolved)
    }

    /// Moves the next batch out of the queue. `None` if there is nothing to deliver now.
    fn take(&self, batch: &mut Vec<Delivery>) -> Option<Arc<dyn Target>> {
        let mut queue = self.queue();
        if queue.paused || queue.replaced || queue.tail.is_stuck() {
            return None;
        }
        let target = queue.target.clone()?;
        batch.clear();
        if !queue.parked.is_empty() {
            let now = Instant::now();
            queue.parked.sort_by_key(|parked| parked.due);
            let due =
                queue.parked.iter().take(self.options.batch).take_while(|parked| parked.due <= now).count();
            batch.extend(queue.parked.drain(..due).map(|parked| parked.delivery));
        }
        if queue.parked.len() < self.options.max_in_flight {
            let room = (self.options.batch - batch.len()).min(queue.pending.len());
            batch.extend(queue.pending.drain(..room));
            self.note_more(!queue.pending.is_empty());
        }
        if batch.is_empty() {
            return None;
        }
        if self.log.is_some() {
            queue.first_in_flight =
                batch.iter().find(|delivery| !delivery.refused).map(|delivery| delivery.seq);
            let mut bytes = 0;
            for delivery in batch.iter() {
                if delivery.refused {
                    queue.tried_again.push(delivery.clone());
                } else {
                    bytes += delivery.event.data.len();
                }
            }
            queue.tail.bytes = queue.tail.bytes.saturating_sub(bytes);
        }
        queue.running = true;
        queue.in_flight = batch.len();
        self.stop.store(false, Ordering::Relaxed);
        Some(target)
    }

    /// Whether something seems to be pending. Takes no lock.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more.load(Ordering::Relaxed)
    }

    /// Gives up a consumer after [`Next::Empty`].
    pub fn let_go(&self) -> Next {
        self.next_when_idle()
    }

    fn next_when_idle(&self) -> Next {
        let mut queue = self.queue();
        // What arrived between `take` and here.
        if !queue.pending.is_empty() && !self.is_blocked(&queue) {
            return Next::Again;
        }
        queue.rest()
    }

    /// The time of [`Next::At`] has come. Answers whether the consumer must be handed to the workers now.
    #[must_use]
    pub fn wake(&self) -> bool {
        let mut queue = self.queue();
        queue.timer = None;
        queue.is_open() && queue.schedule()
    }

    /// Decides about an event that was not acknowledged. Answers whether events behind it may go on.
    fn refuse(&self, target: &dyn Target, delivery: &Delivery, refusal: &Refusal) -> bool {
        let Delivery { event, attempt, seq, .. } = delivery;
        let fate = self.fate(*attempt, refusal);
        let reason = target.redact(&refusal.reason);
        target.refused(
            self,
            &Refused { event, attempt: *attempt, verdict: refusal.verdict, reason: &reason, fate },
        );
        let refused_us = clock::unix_time_us();
        let mut stored = RefusedEvent {
            event: Arc::clone(event),
            seq: *seq,
            attempts: *attempt,
            due_us: None,
            refused_us,
            reason,
        };
        match fate {
            Fate::Retry(after) => {
                self.retried.fetch_add(1, Ordering::Relaxed);
                let attempt = if refusal.verdict == Verdict::DEFER { *attempt } else { attempt + 1 };
                let refused = self.log.is_some();
                let delivery = Delivery { event: Arc::clone(event), attempt, seq: *seq, refused };
                let mut queue = self.queue();
                if refused {
                    stored.attempts = attempt - 1;
                    stored.due_us = Some(refused_us.saturating_add(clock::micros(after)));
                    queue.tail.note(Change::Refused(stored));
                }
                queue.parked.push(Parked { due: Instant::now() + after, delivery });
                queue.in_flight = queue.in_flight.saturating_sub(1);
                queue.parked.len() < self.options.max_in_flight
            }
            Fate::DeadLetter => {
                self.dead.fetch_add(1, Ordering::Relaxed);
                self.dead_lettered.fetch_add(1, Ordering::Relaxed);
                self.queue().tail.note(Change::Refused(stored));
                true
            }
            Fate::Dropped => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }

    fn fate(&self, attempt: u32, refusal: &Refusal) -> Fate {
        let asked = (refusal.after_ms != Refusal::BACKOFF)
            .then(|| Duration::from_millis(refusal.after_ms).min(LONGEST_WAIT));
        match refusal.verdict {
            Verdict::DEFER => Fate::Retry(asked.unwrap_or_else(|| self.backoff(1))),
            _ if self.log.is_none() => Fate::Dropped,
            Verdict::REJECT => Fate::DeadLetter,
            // A verdict that a newer plugin knows and this host does not is a retry.
            _ if attempt >= self.options.max_deliver => Fate::DeadLetter,
            _ => Fate::Retry(asked.unwrap_or_else(|| self.backoff(attempt))),
        }
    }

    fn backoff(&self, attempt: u32) -> Duration {
        let last = self.options.backoff.len().saturating_sub(1);
        let position = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(1).min(last);
        self.options.backoff.get(position).copied().unwrap_or(Duration::from_secs(1)).min(LONGEST_WAIT)
    }

    /// Ends a batch of which the first `handled` events are settled; the others go back to the front. `resolved` are those
    /// that were refused before and are acknowledged now.
    fn settle(self: &Arc<Self>, batch: &mut Vec<Delivery>, handled: usize, resolved: Vec<Uuid>) -> Next {
        // Usually empty, and then `split_off` allocates nothing.
        let mut unhandled = batch.split_off(handled.min(batch.len()));
        let (mut tell, mut read) = (false, false);
        let next = {
            let mut queue = self.queue();
            queue.in_flight = 0;
            queue.first_in_flight = None;
            queue.tried_again.clear();
            queue.running = false;
            // A system call even if nobody waits, and under the lock that every emit takes.
            if queue.waiting > 0 {
                self.done.notify_all();
            }
            if queue.replaced {
                // Whoever took its place is handed all of it again.
                Next::Nothing
            } else {
                if self.log.is_some() {
                    for event in resolved {
                        queue.tail.note(Change::Resolved(event));
                    }
                    tell = queue.tail.end_call();
                }
                for delivery in unhandled.drain(..).rev() {
                    if !delivery.refused {
                        queue.tail.bytes += delivery.event.data.len();
                    }
                    queue.pending.push_front(delivery);
                }
                read = queue.wants_reading(self.options.max_pending);
                match queue.pending.is_empty() {
                    false if !self.is_blocked(&queue) => Next::Again,
                    true if queue.parked.is_empty() && queue.is_open() => Next::Empty,
                    _ => queue.rest(),
                }
            }
        };
        if tell && let Some(logged) = &self.log {
            logged.log.settled(Arc::clone(self));
        }
        self.read_on(read);
        // Outside of the lock: the last holder of an event frees it.
        batch.clear();
        next
    }

    /// Waits until a call of the handler is over, or this time has passed.
    fn wait_until_done<'a>(&self, mut queue: MutexGuard<'a, Queue>, wait: Duration) -> MutexGuard<'a, Queue> {
        queue.waiting += 1;
        let (mut queue, _) = self.done.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner);
        queue.waiting -= 1;
        queue
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No plugin code runs under this lock, and nothing in here panics half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the database has of a durable consumer.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) position: u64,
    pub(super) missed: u64,
    /// Events in the log after the position that it wants.
    pub(super) waiting: u64,
    /// Its dead letters.
    pub(super) dead: u64,
    /// What waits for its next try.
    pub(super) parked: Vec<RefusedEvent>,
}

impl Stored {
    /// One that takes the place of another in memory, and has everything from there.
    pub(super) fn known(id: i64) -> Self {
        Self { id, position: 0, missed: 0, waiting: 0, dead: 0, parked: Vec::new() }
    }
}

/// Empties a vector and gives it another lifetime, keeping its memory.
fn recycle<'a>(mut views: Vec<EventView<'_>>) -> Vec<EventView<'a>> {
    views.clear();
    // The standard library collects in place when source and target have one layout.
    views.into_iter().map(|_| -> EventView<'a> { unreachable!("the vector is empty") }).collect()
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("plugin", &self.plugin)
            .field("name", &self.options.name)
            .finish_non_exhaustive()
    }
}

/// Microseconds since the process began to count, never 0.
fn now_us() -> u64 {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(EPOCH.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}
