//! Where a durable consumer is in the log.
//!
//! What is in memory is a piece of the log. While the consumer is *behind*, the log has more for it than its memory has:
//! what is accepted then is only counted, and the log's reader fills the memory up when there is room. It catches up
//! when the reader found the end of the log and nothing was accepted for it since.

use std::{sync::Arc, time::Instant};

use uuid::Uuid;

use super::{Consumer, Delivery, Event, Parked, queue::Queue};

/// The most data in memory of a durable consumer, in bytes: the log has the rest.
const MEMORY_BYTES: usize = 16 * 1024 * 1024;
/// With so many changes that the log could not write yet, nothing more is delivered.
const UNSAVED_LIMIT: usize = 1024;

#[derive(Default)]
pub(super) struct Tail {
    /// Up to which number everything that is wanted was taken into memory.
    pub(super) read_to: u64,
    /// Whether the log has more than that.
    pub(super) behind: bool,
    /// The newest event that was accepted while behind.
    newest: u64,
    /// Whether the reader was asked.
    reading: bool,
    /// Events in the log that are not in memory.
    pub(super) waiting: u64,
    /// Bytes of data in `pending`.
    pub(super) bytes: usize,
    /// What the log has not written yet, in the order in which it happened.
    unsaved: Vec<Change>,
    /// What goes there when the call that runs is over: the position and the refusals before it belong together.
    of_call: Vec<Change>,
    /// Whether the log was told that there is something to write.
    told: bool,
    /// The last position that was written.
    saved: u64,
    /// Events that the log removed before this consumer had them.
    pub(super) missed: u64,
}

/// A change of what the database knows of a consumer's refusals.
pub(crate) enum Change {
    /// An event was refused, or was refused again.
    Refused(RefusedEvent),
    /// An event that had been refused was acknowledged.
    Resolved(Uuid),
}

/// An event that was refused.
pub(crate) struct RefusedEvent {
    pub(crate) event: Arc<Event>,
    pub(crate) seq: u64,
    pub(crate) attempts: u32,
    /// When it is tried again, microseconds since 1970-01-01 UTC; `None` for a dead letter.
    pub(crate) due_us: Option<u64>,
    pub(crate) refused_us: u64,
    pub(crate) reason: String,
}

/// What the log is to write of a consumer.
pub(crate) struct Unsaved {
    pub(crate) position: u64,
    pub(crate) changes: Vec<Change>,
}

/// How much the reader may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// After this number.
    pub(crate) after: u64,
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Tail {
    /// Behind, at a position: what a consumer is before the reader has found the end of the log for it.
    pub(super) fn at(position: u64, missed: u64, waiting: u64) -> Self {
        Self { read_to: position, behind: true, saved: position, missed, waiting, ..Self::default() }
    }

    /// Notes a change by the call that runs.
    pub(super) fn note(&mut self, change: Change) {
        self.of_call.push(change);
    }

    /// Gives itself to a consumer that takes the place of this one, and was offered what `since` says. What the log and its
    /// reader were told of, and what a call that still runs has done, was this one's. The reader is to look whether there is
    /// more: something may have been accepted that neither has in memory.
    pub(super) fn hand_on(&mut self, since: &Self) -> Self {
        let before = std::mem::take(self);
        Self {
            behind: true,
            newest: before.newest.max(since.newest),
            waiting: before.waiting + since.waiting,
            reading: false,
            told: false,
            of_call: Vec::new(),
            ..before
        }
    }

    /// The call that made changes is over. Answers whether the log must be told.
    pub(super) fn end_call(&mut self) -> bool {
        self.unsaved.append(&mut self.of_call);
        !std::mem::replace(&mut self.told, true)
    }

    /// Whether so much could not be written that it is better to wait.
    pub(super) fn is_stuck(&self) -> bool {
        self.unsaved.len() >= UNSAVED_LIMIT
    }
}

impl Queue {
    /// Lets go of what is in memory of the log. What was refused stays.
    pub(super) fn rewind(&mut self) {
        let position = self.position(0).max(self.tail.saved);
        self.tail.read_to = position;
        self.tail.behind = true;
        // What a call that does not end has refused is in the log still, after the position.
        self.parked.retain(|parked| parked.delivery.seq <= position);
        for delivery in self.tried_again.drain(..).chain(self.pending.drain(..)) {
            if !delivery.refused {
                self.tail.waiting += 1;
            } else if !self.parked.iter().any(|parked| parked.delivery.event.id == delivery.event.id) {
                self.parked.push(Parked { due: Instant::now(), delivery });
            }
        }
        self.tail.bytes = 0;
    }

    /// Up to which number everything is settled or a refusal. `offered` is from before the lock was taken.
    pub(super) fn position(&self, offered: u64) -> u64 {
        let first = self.first_in_flight.or_else(|| {
            // Those that were refused before are refusals already, and are elsewhere.
            self.pending.iter().find(|delivery| !delivery.refused).map(|delivery| delivery.seq)
        });
        match first {
            Some(first) => first.saturating_sub(1).min(self.tail.read_to),
            None if self.tail.behind => self.tail.read_to,
            None => self.tail.read_to.max(offered),
        }
    }

    /// Whether the reader is to be asked now.
    pub(super) fn wants_reading(&mut self, max_pending: usize) -> bool {
        let room = self.pending.len() < max_pending.div_ceil(2) && self.tail.bytes < MEMORY_BYTES / 2;
        let wants = self.is_open() && self.tail.behind && !self.tail.reading && room;
        self.tail.reading |= wants;
        wants
    }

    /// Takes an event that was accepted into memory, or leaves it to the reader.
    pub(super) fn follow(&mut self, seq: u64, event: &Arc<Event>, max_pending: usize) -> bool {
        let tail = &mut self.tail;
        if seq <= tail.read_to {
            return false;
        }
        let open = !self.replaced && self.target.is_some();
        let full = self.pending.len() >= max_pending || tail.bytes >= MEMORY_BYTES;
        if tail.behind || !open || full {
            tail.behind = true;
            tail.newest = seq;
            tail.waiting += 1;
            return false;
        }
        tail.read_to = seq;
        tail.bytes += event.data.len();
        self.pending.push_back(Delivery { event: Arc::clone(event), attempt: 1, seq, refused: false });
        true
    }
}

impl Consumer {
    /// What the log has to write, `offered` being the newest event that every consumer was offered. To be given to
    /// [`saved`](Self::saved) or [`not_saved`](Self::not_saved). `None` if it is another one's by now.
    pub(crate) fn take_unsaved(&self, offered: u64) -> Option<Unsaved> {
        let mut queue = self.queue();
        if queue.replaced {
            return None;
        }
        queue.tail.told = false;
        let position = queue.position(offered);
        Some(Unsaved { position, changes: std::mem::take(&mut queue.tail.unsaved) })
    }

    /// The log has written it. Answers whether the consumer must be handed to the workers, having waited for that.
    pub(crate) fn saved(&self, position: u64) -> bool {
        let mut queue = self.queue();
        queue.tail.saved = position;
        let waits = !queue.pending.is_empty() || !queue.parked.is_empty();
        waits && queue.is_open() && !queue.running && queue.schedule()
    }

    /// The log could not write it. Answers the consumer that it is to be asked of again.
    pub(crate) fn not_saved(self: &Arc<Self>, mut unsaved: Unsaved) -> Arc<Self> {
        let mut queue = self.queue();
        if let Some(successor) = queue.successor.clone() {
            drop(queue);
            return successor.not_saved(unsaved);
        }
        let since = std::mem::take(&mut queue.tail.unsaved);
        unsaved.changes.extend(since);
        queue.tail.unsaved = unsaved.changes;
        Arc::clone(self)
    }

    /// The position that the log has and the one that it would have now.
    pub(crate) fn positions(&self, offered: u64) -> (u64, u64) {
        let queue = self.queue();
        (queue.tail.saved, queue.position(offered))
    }

    /// How much the reader may bring; `None` if nothing is wanted any more.
    pub(crate) fn room(&self) -> Option<Room> {
        let mut queue = self.queue();
        if !queue.is_open() || !queue.tail.behind {
            queue.tail.reading = false;
            return None;
        }
        let events = self.options.max_pending.saturating_sub(queue.pending.len());
        let bytes = MEMORY_BYTES.saturating_sub(queue.tail.bytes);
        if events == 0 || bytes == 0 {
            queue.tail.reading = false;
            return None;
        }
        Some(Room { after: queue.tail.read_to, events, bytes })
    }

    /// Takes what the reader found: everything that is wanted up to `read_to`. `at_end` if the log had no more. Answers
    /// whether the consumer must be handed to the workers now, and whether there is more to read.
    pub(crate) fn fill(
        &self,
        found: impl IntoIterator<Item = (u64, Arc<Event>)>,
        read_to: u64,
        at_end: bool,
    ) -> (bool, bool) {
        let mut queue = self.queue();
        if !queue.is_open() {
            // It was stopped meanwhile: what it holds is not to grow.
            queue.tail.reading = false;
            return (false, false);
        }
        for (seq, event) in found {
            if seq <= queue.tail.read_to {
                continue;
            }
            queue.tail.bytes += event.data.len();
            queue.tail.waiting = queue.tail.waiting.saturating_sub(1);
            queue.pending.push_back(Delivery { event, attempt: 1, seq, refused: false });
        }
        queue.tail.read_to = queue.tail.read_to.max(read_to);
        if at_end && queue.tail.newest <= queue.tail.read_to {
            queue.tail.behind = false;
            queue.tail.waiting = 0;
        }
        queue.high_water = queue.high_water.max(queue.held());
        self.note_more(!queue.pending.is_empty());
        queue.tail.reading = false;
        let again = queue.wants_reading(self.options.max_pending);
        let ready = !queue.pending.is_empty() && !self.is_blocked(&queue) && queue.schedule();
        (ready, again)
    }

    /// The reader gave up for now.
    pub(crate) fn not_read(&self) {
        self.queue().tail.reading = false;
    }

    /// The log may have more than what was offered. Answers whether the reader is to be asked.
    pub(crate) fn fall_behind(&self) -> bool {
        let mut queue = self.queue();
        queue.tail.behind = true;
        queue.wants_reading(self.options.max_pending)
    }

    /// The log has removed everything up to `seq`, `count` of it unread by this consumer.
    pub(crate) fn miss(&self, seq: u64, count: u64) {
        let mut queue = self.queue();
        queue.tail.read_to = queue.tail.read_to.max(seq);
        queue.tail.missed += count;
        queue.tail.waiting = queue.tail.waiting.saturating_sub(count);
    }

    /// Makes what waits for its next try due.
    #[cfg(test)]
    pub(crate) fn make_due(&self) {
        for parked in &mut self.queue().parked {
            parked.due = Instant::now();
        }
    }

    /// Has events that were refused before tried now: dead letters that are replayed. Answers whether the consumer must
    /// be handed to the workers.
    pub(crate) fn replay(&self, refusals: Vec<RefusedEvent>) -> bool {
        self.forget_dead(refusals.len() as u64);
        let mut queue = self.queue();
        if queue.replaced {
            return false;
        }
        for refusal in refusals {
            queue.parked.push(Parked::stored(refusal.event, refusal.seq, refusal.attempts, 0));
        }
        queue.is_open() && queue.schedule()
    }
}
