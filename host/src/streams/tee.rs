//! Where a stream passes by its taps.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;
use streamspace_plugin::streams::Direction;

use super::{
    Shown, Streams, now_ns,
    ring::{End, Offered, Piece, Writer, ring},
    taps::{Offer, Tap},
};
use crate::clock;

/// Whose stream it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The session.
    pub session: String,
    /// Whose it is.
    pub owner: String,
    /// The account that looks, or empty.
    pub user: String,
    /// What the desktop is made from.
    pub template: String,
    /// The connection, as the session lists it.
    pub connection: String,
}

/// A stream that runs, for those who come later.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: u64,
    pub(super) about: Arc<About>,
    /// How many bytes have passed, to the viewer and to the desktop.
    passed: [AtomicU64; 2],
    joining: Mutex<Joining>,
    has_joining: AtomicBool,
}

#[derive(Debug, Default)]
struct Joining {
    /// Until the relay looks, which it does with each piece.
    writers: Vec<Writer>,
    is_over: bool,
}

impl Live {
    fn joining(&self) -> MutexGuard<'_, Joining> {
        // Held for a push or a take.
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes have passed, to the viewer and to the desktop.
    pub(super) fn passed(&self) -> [u64; 2] {
        [0, 1].map(|side: usize| self.passed[side].load(Ordering::Acquire))
    }

    /// Offers the stream to a tap, from what passes next.
    pub(super) fn join(&self, tap: &Arc<Tap>) -> bool {
        let mut joining = self.joining();
        if joining.is_over {
            return false;
        }
        // What passes between this look and the relay's is a gap before the tap's first chunk.
        let Some(writer) = offer(tap, self.id, &self.about, self.passed(), false) else { return false };
        joining.writers.push(writer);
        self.has_joining.store(true, Ordering::Release);
        true
    }
}

/// Offers a stream to a tap. `None`: the tap has it, or takes none any more.
fn offer(tap: &Arc<Tap>, id: u64, about: &Arc<About>, passed: [u64; 2], from_start: bool) -> Option<Writer> {
    let (writer, reader) = ring(tap, tap.options().ring_bytes);
    let about = Arc::clone(about);
    let (at_ns, time_us) = (now_ns(), clock::unix_time_us());
    let taken = tap.offer(Offer { id, about, from_start, passed, at_ns, time_us, reader });
    taken.then_some(writer)
}

/// The relay's side of all taps of one stream. It belongs to one task.
#[derive(Debug)]
pub struct Tee {
    streams: Arc<Streams>,
    live: Arc<Live>,
    writers: RefCell<SmallVec<[Rc<Writer>; 4]>>,
    passed: [Cell<u64>; 2],
    reason: RefCell<Option<String>>,
}

impl Tee {
    /// A stream that begins: each tap is offered it, from byte 0.
    #[must_use]
    pub fn new(streams: &Arc<Streams>, about: About) -> Self {
        let live = Arc::new(Live {
            id: streams.next_id(),
            about: Arc::new(about),
            passed: Default::default(),
            joining: Mutex::default(),
            has_joining: AtomicBool::new(false),
        });
        streams.begin(&live);
        let taps = streams.attached();
        let writers = taps.iter().filter_map(|tap| offer(tap, live.id, &live.about, [0; 2], true));
        Self {
            streams: Arc::clone(streams),
            writers: RefCell::new(writers.map(Rc::new).collect()),
            live,
            passed: Default::default(),
            reason: RefCell::default(),
        }
    }

    /// Shows taps what goes to the viewer, before it does. Waits only for taps that asked for it.
    pub async fn to_viewer(&self, shown: &Shown) {
        self.pass(Direction::TO_VIEWER, 0, shown).await;
    }

    /// Shows taps what goes to the desktop, as [`to_viewer`](Self::to_viewer).
    pub async fn to_desktop(&self, shown: &Shown) {
        self.pass(Direction::TO_DESKTOP, 1, shown).await;
    }

    /// Says why the stream ends, before this is dropped.
    pub fn end(&self, reason: String) {
        *self.reason.borrow_mut() = Some(reason);
    }

    async fn pass(&self, direction: Direction, side: usize, shown: &Shown) {
        let Shown { data, is_masked } = shown;
        if data.is_empty() {
            return;
        }
        if self.live.has_joining.load(Ordering::Acquire) {
            self.let_join();
        }
        let offset = self.passed[side].get();
        let passed = offset + data.len() as u64;
        self.passed[side].set(passed);
        let waiting = if self.writers.borrow().is_empty() {
            SmallVec::new()
        } else {
            let at_ns = now_ns();
            self.offer(&Piece { data: data.clone(), direction, is_masked: *is_masked, at_ns, offset })
        };
        // After the taps have it, so that one that joins is not told of more than it was spared.
        self.live.passed[side].store(passed, Ordering::Release);
        for (writer, piece) in waiting {
            writer.wait(&piece).await;
        }
    }

    /// Offers a piece to all. Answers those that are to be waited for.
    fn offer(&self, piece: &Piece) -> SmallVec<[(Rc<Writer>, Piece); 1]> {
        let (mut waiting, mut is_any_gone) = (SmallVec::new(), false);
        let writers = self.writers.borrow();
        for writer in &*writers {
            match writer.offer(piece) {
                Offered::Taken | Offered::Lost => {}
                Offered::Wait => waiting.push((Rc::clone(writer), piece.clone())),
                Offered::Gone => is_any_gone = true,
            }
        }
        drop(writers);
        if is_any_gone {
            self.writers.borrow_mut().retain(|writer| !writer.is_closed());
        }
        waiting
    }

    fn let_join(&self) {
        let mut joining = self.live.joining();
        self.live.has_joining.store(false, Ordering::Relaxed);
        self.writers.borrow_mut().extend(joining.writers.drain(..).map(Rc::new));
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.streams.over(self.live.id);
        let mut joining = self.live.joining();
        joining.is_over = true;
        let late = std::mem::take(&mut joining.writers);
        drop(joining);
        let reason = self.reason.take().unwrap_or_else(|| "the stream ended".to_owned());
        let offsets = [self.passed[0].get(), self.passed[1].get()];
        let at_ns = now_ns();
        for writer in self.writers.take().into_iter().chain(late.into_iter().map(Rc::new)) {
            writer.end(End { reason: reason.clone(), at_ns, offsets });
        }
    }
}
