//! Whoever watches events go by: it has a short queue, and an emit never waits for it.
//!
//! A tap is in the index with the consumers, so that an event that no tap wants costs nothing more. Nobody is woken for
//! one: waking a thread costs an emitter more than the event, so whoever watches looks every now and then.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Event;

/// The most that waits for one who watches: entries, and bytes of data.
const MAX_ITEMS: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;

/// Something that went by.
#[derive(Debug, Clone)]
pub enum Item {
    /// An event, and its number in the log, or 0.
    Event(u64, Arc<Event>),
    /// News that is no event: its kind and a JSON value.
    Notice(&'static str, Arc<str>),
}

/// Why a tap was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TapError {
    /// There are as many as there may be.
    #[error("{0} streams are open already (`server.max_streams`): close one, or try again later")]
    Full(usize),
    /// The host stops.
    #[error("the host is stopping")]
    Stopping,
}

/// One who watches.
#[derive(Debug)]
pub struct Tap {
    filters: Vec<String>,
    notices: bool,
    queue: Mutex<Queue>,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    lost: u64,
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(_, event) => event.data.len(),
            Self::Notice(_, data) => data.len(),
        }
    }
}

impl Tap {
    pub(super) fn new(filters: Vec<String>, notices: bool) -> Self {
        Self { filters, notices, queue: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// The topics that it wants.
    #[must_use]
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    pub(super) fn wants_notices(&self) -> bool {
        self.notices
    }

    /// Queues what goes by. Once something did not fit, nothing more is queued: what is missing is to be at the end.
    pub(super) fn offer(&self, item: Item) {
        let mut queue = self.queue();
        let bytes = item.bytes();
        let full = queue.items.len() >= MAX_ITEMS || queue.bytes + bytes > MAX_BYTES && queue.bytes > 0;
        if full || queue.lost > 0 {
            queue.lost += 1;
            return;
        }
        queue.bytes += bytes;
        queue.items.push_back(item);
    }

    /// Queues news if there is room to spare: news must not push events out.
    pub(super) fn offer_notice(&self, kind: &'static str, data: &Arc<str>) {
        if self.queue().items.len() < MAX_ITEMS / 2 {
            self.offer(Item::Notice(kind, Arc::clone(data)));
        }
    }

    /// What waits, at most `most` of it.
    #[must_use]
    pub fn take(&self, most: usize) -> Vec<Item> {
        let mut queue = self.queue();
        let count = most.min(queue.items.len());
        let items: Vec<Item> = queue.items.drain(..count).collect();
        let bytes: usize = items.iter().map(Item::bytes).sum();
        queue.bytes = queue.bytes.saturating_sub(bytes);
        items
    }

    /// How many events went by that did not fit. From the first one on, the tap gets nothing more.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue().lost
    }

    /// Whether nothing more comes, since the host stops.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Held for a push or for moving entries out.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(tap: &Tap) {
        tap.offer_notice("job", &"{}".into());
    }

    fn item() -> Item {
        Item::Notice("test", "{}".into())
    }

    #[test]
    fn one_that_does_not_read_gets_what_fits_and_hears_what_is_missing() {
        let tap = Tap::new(vec![">".to_owned()], true);
        for _ in 0..MAX_ITEMS + 5 {
            tap.offer(item());
        }
        assert_eq!(tap.lost(), 5);
        assert_eq!(tap.take(10).len(), 10);
        tap.offer(item());
        assert_eq!((tap.lost(), tap.take(usize::MAX).len()), (6, MAX_ITEMS - 10), "nothing follows a gap");
    }

    #[test]
    fn data_is_bounded_and_one_large_event_passes() {
        let tap = Tap::new(vec![">".to_owned()], true);
        let large = || Item::Notice("test", "x".repeat(MAX_BYTES + 1).into());
        tap.offer(large());
        assert_eq!(tap.lost(), 0);
        tap.offer(item());
        assert_eq!((tap.lost(), tap.take(usize::MAX).len()), (1, 1));
    }

    #[test]
    fn news_leaves_room_for_events() {
        let tap = Tap::new(vec![">".to_owned()], true);
        for _ in 0..MAX_ITEMS {
            notice(&tap);
        }
        assert_eq!(tap.lost(), 0);
        assert_eq!(tap.take(usize::MAX).len(), MAX_ITEMS / 2);
    }
}
