//! What of one stream waits for one tap: bounded, from the relay's thread to the tap's.
//!
//! Pieces are shared and not copied: what waits here is what the viewer was sent. Neither side takes a lock or waits for the other.
//! The relay wakes the tap's thread only if that sleeps, or naps while much has gathered.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    time::Duration,
};

use bytes::Bytes;
use rtrb::{Consumer, Producer, RingBuffer};
use streamspace_plugin::streams::{Direction, Overflow};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::taps::Tap;

/// What a place in a ring stands for, in bytes: small pieces fill a ring by their number. A place takes some 72 bytes.
const PLACE_BYTES: u64 = 2 * 1024;
/// Fewest and most places.
const PLACES: (u64, u64) = (64, 8 * 1024);
/// How long a stream waits for a tap that blocks. A viewer that takes nothing is given six times that.
const HOLD_UP: Duration = Duration::from_secs(5);

/// What passed.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) data: Bytes,
    pub(super) direction: Direction,
    pub(super) is_masked: bool,
    pub(super) at_ns: u64,
    pub(super) offset: u64,
}

/// How a stream ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) reason: String,
    pub(super) at_ns: u64,
    /// How many bytes passed, to the viewer and to the desktop.
    pub(super) offsets: [u64; 2],
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    /// What waits, as [`Shared::charge`] counts. What the tap has in its hands is among it.
    used: AtomicU64,
    capacity: u64,
    /// The least that a piece counts for.
    place: u64,
    end: OnceLock<End>,
    /// The tap wants no more.
    closed: AtomicBool,
    /// The relay waits for room.
    waiting: AtomicBool,
    room: Notify,
}

impl Shared {
    fn charge(&self, piece: &Piece) -> u64 {
        self.place.max(piece.data.len() as u64)
    }
}

/// A ring of `capacity` bytes for `tap`.
pub(super) fn ring(tap: &Arc<Tap>, capacity: u64) -> (Writer, Reader) {
    let places = (capacity / PLACE_BYTES).clamp(PLACES.0, PLACES.1);
    // One more than is ever used: a piece that is larger than the ring comes into an empty one.
    let (producer, consumer) = RingBuffer::new(places as usize + 1);
    let shared = Arc::new(Shared {
        used: AtomicU64::new(0),
        capacity,
        place: capacity / places,
        end: OnceLock::new(),
        closed: AtomicBool::new(false),
        waiting: AtomicBool::new(false),
        room: Notify::new(),
    });
    let writer = Writer {
        tap: Arc::clone(tap),
        producer: RefCell::new(producer),
        shared: Arc::clone(&shared),
        is_losing: Cell::new(false),
        has_lapsed: Cell::new(false),
    };
    (writer, Reader { consumer, shared })
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// It waits for the tap.
    Taken,
    /// There was no room.
    Lost,
    /// There is no room, and the tap is to be waited for.
    Wait,
    /// The tap wants no more.
    Gone,
}

/// The relay's end. It belongs to one task.
#[derive(Debug)]
pub(super) struct Writer {
    tap: Arc<Tap>,
    // Both directions of a stream are one task's, and nothing is awaited while this is borrowed.
    producer: RefCell<Producer<Piece>>,
    shared: Arc<Shared>,
    is_losing: Cell<bool>,
    /// The tap let the stream wait for too long: it is not waited for until it has caught up.
    has_lapsed: Cell<bool>,
}

impl Writer {
    /// Hands a piece to the tap. Takes no lock, allocates nothing and does not wait.
    pub(super) fn offer(&self, piece: &Piece) -> Offered {
        let shared = &*self.shared;
        if shared.closed.load(Ordering::Relaxed) {
            return Offered::Gone;
        }
        if !self.push(piece) {
            return if self.tap.options().overflow == Overflow::BLOCK && !self.has_lapsed.get() {
                Offered::Wait
            } else {
                self.lose(piece);
                Offered::Lost
            };
        }
        Offered::Taken
    }

    fn push(&self, piece: &Piece) -> bool {
        let (shared, charge) = (&*self.shared, self.shared.charge(piece));
        let used = shared.used.load(Ordering::Relaxed);
        // Once something is lost, all is until half the ring has room: one gap, and not many with small pieces between them.
        let is_full = used + charge > shared.capacity;
        if used > 0 && (is_full || (self.is_losing.get() && used > shared.capacity / 2)) {
            return false;
        }
        // Before the piece can be seen, whose reader takes it off again.
        shared.used.fetch_add(charge, Ordering::Relaxed);
        if self.producer.borrow_mut().push(piece.clone()).is_err() {
            shared.used.fetch_sub(charge, Ordering::Relaxed);
            return false;
        }
        self.is_losing.set(false);
        let used = used + charge;
        if used <= shared.capacity / 2 && self.has_lapsed.replace(false) {
            self.tap.figures().lapsed.fetch_sub(1, Ordering::Relaxed);
        }
        self.tap.wake(used > shared.capacity / 4);
        true
    }

    fn lose(&self, piece: &Piece) {
        let figures = self.tap.figures();
        figures.lost_bytes.fetch_add(piece.data.len() as u64, Ordering::Relaxed);
        if !self.is_losing.replace(true) {
            figures.gaps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until there is room for a piece, and hands it over then. After [`HOLD_UP`] it is lost.
    pub(super) async fn wait(&self, piece: &Piece) {
        let until = Instant::now() + HOLD_UP;
        loop {
            // Asked for before it is looked whether there is room, so that none is missed.
            let room = self.shared.room.notified();
            self.shared.waiting.store(true, Ordering::SeqCst);
            // The look must not come before what is said here: the reader would wake nobody.
            fence(Ordering::SeqCst);
            match self.offer(piece) {
                Offered::Wait => {}
                _ => return,
            }
            if timeout_at(until, room).await.is_err() {
                // The other direction may have found out meanwhile.
                if !self.has_lapsed.replace(true) {
                    let figures = self.tap.figures();
                    figures.lapses.fetch_add(1, Ordering::Relaxed);
                    figures.lapsed.fetch_add(1, Ordering::Relaxed);
                }
                self.lose(piece);
                return;
            }
        }
    }

    /// Whether the tap wants no more.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Relaxed)
    }

    /// Says that nothing more comes.
    pub(super) fn end(&self, end: End) {
        let _ = self.shared.end.set(end);
        self.tap.wake(true);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.has_lapsed.get() {
            self.tap.figures().lapsed.fetch_sub(1, Ordering::Relaxed);
        }
        if self.shared.end.get().is_none() {
            self.end(End { reason: "the stream ended".to_owned(), at_ns: super::now_ns(), offsets: [0; 2] });
        }
    }
}

/// The tap's end.
#[derive(Debug)]
pub(super) struct Reader {
    consumer: Consumer<Piece>,
    shared: Arc<Shared>,
}

impl Reader {
    /// How the stream ended, if nothing more is written. What waits is still to be read.
    pub(super) fn end(&self) -> Option<&End> {
        self.shared.end.get()
    }

    /// Whether there is nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.consumer.is_empty() && self.shared.end.get().is_none()
    }

    /// Takes out up to `most` pieces. They count as waiting until they are [`done`](Self::done).
    pub(super) fn take(&mut self, pieces: &mut Vec<Piece>, most: usize) {
        while pieces.len() < most {
            let Ok(piece) = self.consumer.pop() else { break };
            pieces.push(piece);
        }
    }

    /// The tap is done with these, and there is room for others.
    pub(super) fn done(&mut self, pieces: &mut Vec<Piece>) {
        let charge: u64 = pieces.iter().map(|piece| self.shared.charge(piece)).sum();
        pieces.clear();
        self.shared.used.fetch_sub(charge, Ordering::SeqCst);
        if self.shared.waiting.swap(false, Ordering::SeqCst) {
            self.shared.room.notify_waiters();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.room.notify_waiters();
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
