//! A consumer: the queue of one handler of one plugin, and what becomes of the events in it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use streamspace_plugin::{
    abi::{ROption, RSlice},
    events::{Batch, EventView, Progress, Refusal, Verdict},
};

use super::Event;
use crate::clock;

/// The longest wait for a next try, so that a nonsense number does not park an event for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How many dead letters a consumer keeps; the oldest goes first.
const DEAD_LETTERS_KEPT: usize = 1000;

/// What a consumer asked for, within the host's limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Unique within the plugin.
    pub name: String,
    /// The topics it wants.
    pub filters: Vec<String>,
    /// Whether events wait while the plugin is away, and are tried again.
    pub durable: bool,
    /// How often an event is tried.
    pub max_deliver: u32,
    /// The waits before the second, third, … try; the last one repeats. Not empty.
    pub backoff: Vec<Duration>,
    /// How many events may wait for their next try while others pass. 1: strict order.
    pub max_in_flight: usize,
    /// The most events of one call.
    pub batch: usize,
    /// The most events in memory.
    pub max_pending: usize,
    /// After what time a call is reported as hanging.
    pub deadline: Duration,
}

impl Options {
    /// The defaults, for a consumer called `name` that wants nothing yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filters: Vec::new(),
            durable: false,
            max_deliver: 8,
            backoff: [1, 5, 30, 120, 600].map(Duration::from_secs).to_vec(),
            max_in_flight: 1,
            batch: 256,
            max_pending: 65_536,
            deadline: Duration::from_secs(60),
        }
    }
}

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
    /// Another consumer took over, and has something to deliver.
    Successor(Arc<Consumer>),
}

/// An event that will never be delivered, and why.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The event.
    pub event: Arc<Event>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
}

/// Figures of a consumer. Counters start with the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events in memory: waiting, being handled, or waiting for their next try.
    pub pending: u64,
    /// The most events that ever were in memory at once.
    pub high_water: u64,
    /// Acknowledged.
    pub delivered: u64,
    /// Tries that were put off or failed and will be made again.
    pub retried: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Failed in the handler of an ephemeral consumer.
    pub failed: u64,
    /// Given up: became a dead letter.
    pub dead: u64,
}

/// One consumer.
pub struct Consumer {
    plugin: Arc<str>,
    number: u32,
    options: Options,
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
}

#[derive(Default)]
struct Queue {
    target: Option<Arc<dyn Target>>,
    paused: bool,
    /// The consumer that took over, for whoever still holds this one.
    successor: Option<Arc<Consumer>>,
    /// Whether the consumer is in the hands of the workers: waiting for one, or running.
    scheduled: bool,
    pending: VecDeque<Delivery>,
    parked: Vec<Parked>,
    /// When the workers will wake this consumer.
    timer: Option<Instant>,
    /// Whether the handler is being called.
    running: bool,
    /// Events of the running call that are not settled yet.
    in_flight: usize,
    high_water: usize,
    /// Threads that wait for `done`.
    waiting: usize,
    dead_letters: VecDeque<DeadLetter>,
}

struct Delivery {
    event: Arc<Event>,
    attempt: u32,
}

struct Parked {
    due: Instant,
    delivery: Delivery,
}

/// What a consumer that was replaced still had in its hands.
struct Left {
    unhandled: Vec<Delivery>,
    parked: Vec<Parked>,
    dead_letters: VecDeque<DeadLetter>,
}

impl Queue {
    fn held(&self) -> usize {
        self.pending.len() + self.parked.len() + self.in_flight
    }

    fn is_open(&self) -> bool {
        !self.paused && self.target.is_some()
    }

    /// Leaves the hands of the workers, and asks them for a timer if an event waits for its next try and none is set.
    fn rest(&mut self) -> Next {
        self.scheduled = false;
        match self.parked.iter().map(|parked| parked.due).min() {
            Some(due) if self.is_open() && self.timer.is_none_or(|timer| due < timer) => {
                self.timer = Some(due);
                Next::At(due)
            }
            _ => Next::Nothing,
        }
    }
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
    /// A consumer without a target yet.
    #[must_use]
    pub fn new(plugin: Arc<str>, number: u32, options: Options) -> Self {
        Self {
            plugin,
            number,
            options,
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
        }
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

    /// Its figures now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let queue = self.queue();
        Counts {
            pending: queue.held() as u64,
            high_water: queue.high_water as u64,
            delivered: self.delivered.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
        }
    }

    /// Its dead letters, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.queue().dead_letters.iter().cloned().collect()
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

    /// Takes over what `before` holds and will be offered: a plugin that comes back goes on where it was. To be called
    /// before anybody offers events to this one.
    pub(super) fn take_over(self: &Arc<Self>, before: &Self) {
        let mut from = before.queue();
        let mut to = self.queue();
        from.successor = Some(Arc::clone(self));
        to.pending = std::mem::take(&mut from.pending);
        to.parked = std::mem::take(&mut from.parked);
        to.dead_letters = std::mem::take(&mut from.dead_letters);
        to.high_water = from.high_water;
        for (to, from) in [
            (&self.delivered, &before.delivered),
            (&self.retried, &before.retried),
            (&self.dropped, &before.dropped),
            (&self.failed, &before.failed),
            (&self.dead, &before.dead),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Takes back what was on its way when this consumer took over. Answers the consumer that must be handed to the
    /// workers now, which is this one or the one that took over from it.
    fn take_back(self: &Arc<Self>, left: &mut Left) -> Option<Arc<Self>> {
        let mut queue = self.queue();
        if let Some(successor) = queue.successor.clone() {
            drop(queue);
            return successor.take_back(left);
        }
        for delivery in left.unhandled.drain(..).rev() {
            queue.pending.push_front(delivery);
        }
        queue.parked.append(&mut left.parked);
        queue.dead_letters.append(&mut left.dead_letters);
        let waiting = !queue.pending.is_empty() || !queue.parked.is_empty();
        (waiting && queue.is_open() && !std::mem::replace(&mut queue.scheduled, true))
            .then(|| Arc::clone(self))
    }

    /// Lets events flow to `target`. Answers whether there is something to deliver now.
    pub(super) fn resume(&self, target: Arc<dyn Target>) -> bool {
        let mut queue = self.queue();
        queue.target = Some(target);
        queue.paused = false;
        let waiting = !queue.pending.is_empty() || !queue.parked.is_empty();
        waiting && !std::mem::replace(&mut queue.scheduled, true)
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

    /// As [`pause`](Self::pause), and lets go of the plugin. Events for a durable consumer go on being held.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        if !self.pause(deadline) {
            return false;
        }
        let mut queue = self.queue();
        queue.target = None;
        if !self.options.durable {
            queue.pending.clear();
            queue.parked.clear();
        }
        true
    }

    /// Queues an event. Answers the consumer that must be handed to the workers now, which is this one or the one that
    /// took over from it.
    pub(super) fn offer(self: &Arc<Self>, event: &Arc<Event>) -> Option<Arc<Self>> {
        // The one lock on an event's way to a consumer. It is held for a push on this side and for moving a batch out
        // on the other, and a lock-free queue costs the reader a contended exchange per event instead of one lock per
        // batch.
        let mut queue = self.queue();
        if let Some(successor) = &queue.successor {
            let successor = Arc::clone(successor);
            drop(queue);
            return successor.offer(event);
        }
        if queue.target.is_none() && !self.options.durable {
            return None;
        }
        // Freed after the lock is released.
        let mut dropped = None;
        if queue.held() >= self.options.max_pending {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            // If there is none to drop, all that is held is being handled or waits for its next try.
            dropped = Some(queue.pending.pop_front()?);
        }
        queue.pending.push_back(Delivery { event: Arc::clone(event), attempt: 1 });
        self.more.store(true, Ordering::Relaxed);
        queue.high_water = queue.high_water.max(queue.held());
        let blocked =
            queue.paused || queue.target.is_none() || queue.parked.len() >= self.options.max_in_flight;
        let ready = !blocked && !std::mem::replace(&mut queue.scheduled, true);
        drop(queue);
        drop(dropped);
        ready.then(|| Arc::clone(self))
    }

    /// Delivers one batch. Called by a worker, by one at a time.
    pub fn run(&self, scratch: &mut Scratch) -> Next {
        let Some(target) = self.take(&mut scratch.batch) else {
            return self.next_when_idle();
        };
        self.running_since_us.store(now_us(), Ordering::Relaxed);
        scratch.last_batch = scratch.batch.len();

        let mut views: Vec<EventView<'_>> = recycle(std::mem::take(&mut scratch.views));
        views.extend(scratch.batch.iter().map(|delivery| delivery.event.view(delivery.attempt)));
        let mut at = 0;
        while at < views.len() {
            let Some(events) = views.get(at..) else { break };
            let progress =
                target.deliver(self.number, Batch { events: RSlice::from_slice(events), stop: &self.stop });
            // The plugin counts; what it says is bounded by what it was given.
            let acknowledged = usize::try_from(progress.acknowledged).unwrap_or(usize::MAX).min(events.len());
            self.delivered.fetch_add(acknowledged as u64, Ordering::Relaxed);
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

        self.running_since_us.store(0, Ordering::Relaxed);
        self.settle(&mut scratch.batch, at)
    }

    /// Moves the next batch out of the queue. `None` if there is nothing to deliver now.
    fn take(&self, batch: &mut Vec<Delivery>) -> Option<Arc<dyn Target>> {
        let mut queue = self.queue();
        if queue.paused {
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
            self.more.store(!queue.pending.is_empty(), Ordering::Relaxed);
        }
        if batch.is_empty() {
            return None;
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
        if queue.is_open() && !queue.pending.is_empty() && queue.parked.len() < self.options.max_in_flight {
            return Next::Again;
        }
        queue.rest()
    }

    /// The time of [`Next::At`] has come. Answers whether the consumer must be handed to the workers now.
    #[must_use]
    pub fn wake(&self) -> bool {
        let mut queue = self.queue();
        queue.timer = None;
        queue.is_open() && !std::mem::replace(&mut queue.scheduled, true)
    }

    /// Decides about an event that was not acknowledged. Answers whether events behind it may go on.
    fn refuse(&self, target: &dyn Target, delivery: &Delivery, refusal: &Refusal) -> bool {
        let Delivery { event, attempt } = delivery;
        let fate = self.fate(*attempt, refusal);
        let reason = target.redact(&refusal.reason);
        target.refused(
            self,
            &Refused { event, attempt: *attempt, verdict: refusal.verdict, reason: &reason, fate },
        );
        match fate {
            Fate::Retry(after) => {
                self.retried.fetch_add(1, Ordering::Relaxed);
                let attempt = if refusal.verdict == Verdict::DEFER { *attempt } else { attempt + 1 };
                let mut queue = self.queue();
                queue.parked.push(Parked {
                    due: Instant::now() + after,
                    delivery: Delivery { event: Arc::clone(event), attempt },
                });
                queue.in_flight = queue.in_flight.saturating_sub(1);
                queue.parked.len() < self.options.max_in_flight
            }
            Fate::DeadLetter => {
                self.dead.fetch_add(1, Ordering::Relaxed);
                let mut queue = self.queue();
                if queue.dead_letters.len() == DEAD_LETTERS_KEPT {
                    queue.dead_letters.pop_front();
                }
                queue.dead_letters.push_back(DeadLetter {
                    event: Arc::clone(event),
                    attempts: *attempt,
                    reason,
                    time_us: clock::unix_time_us(),
                });
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
            _ if !self.options.durable => Fate::Dropped,
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

    /// Ends a batch of which the first `handled` events are settled; the others go back to the front.
    fn settle(&self, batch: &mut Vec<Delivery>, handled: usize) -> Next {
        // Usually empty, and then `split_off` allocates nothing.
        let mut unhandled = batch.split_off(handled.min(batch.len()));
        let next = {
            let mut queue = self.queue();
            if let Some(successor) = queue.successor.clone() {
                queue.in_flight = 0;
                queue.running = false;
                self.done.notify_all();
                let mut left = Left {
                    unhandled,
                    parked: std::mem::take(&mut queue.parked),
                    dead_letters: std::mem::take(&mut queue.dead_letters),
                };
                drop(queue);
                batch.clear();
                return successor.take_back(&mut left).map_or(Next::Nothing, Next::Successor);
            }
            for delivery in unhandled.drain(..).rev() {
                queue.pending.push_front(delivery);
            }
            queue.in_flight = 0;
            queue.running = false;
            // A system call even if nobody waits, and under the lock that every emit takes.
            if queue.waiting > 0 {
                self.done.notify_all();
            }
            let blocked = queue.parked.len() >= self.options.max_in_flight;
            match (queue.is_open(), queue.pending.is_empty()) {
                (true, false) if !blocked => Next::Again,
                (true, true) if queue.parked.is_empty() => Next::Empty,
                _ => queue.rest(),
            }
        };
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
