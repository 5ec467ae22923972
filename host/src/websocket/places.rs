//! How many sockets are open, and which.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use slotmap::{DefaultKey, SlotMap};
use streamspace_plugin::websocket::ClosedKind;

use super::{Closed, End};

/// The sockets of one plugin that runs.
#[derive(Default)]
pub(crate) struct Places {
    // Taken when a socket comes or goes, and when all are told.
    open: Mutex<SlotMap<DefaultKey, Arc<End>>>,
    /// How many handlers have one.
    served: AtomicUsize,
    closed: AtomicBool,
}

/// Why there is no place for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// The plugin is on its way up or down.
    Closed,
    /// The plugin has as many as it may.
    OfPlugin,
    /// The host has as many as it may.
    OfHost,
}

impl Places {
    /// A place for one more, which is free again when it is dropped, and what counts its handler.
    pub(crate) fn take(
        self: &Arc<Self>,
        max: usize,
        host: &Arc<AtomicUsize>,
        max_of_host: usize,
    ) -> Result<(Place, Serving), NoPlace> {
        let mut open = self.open();
        // Under the lock under which all are told: nobody comes in behind that.
        if self.closed.load(Ordering::SeqCst) {
            return Err(NoPlace::Closed);
        }
        if open.len() >= max {
            return Err(NoPlace::OfPlugin);
        }
        if host.fetch_add(1, Ordering::Relaxed) >= max_of_host {
            host.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::OfHost);
        }
        let end = Arc::<End>::default();
        let key = open.insert(Arc::clone(&end));
        // From here on, so that who has closed them sees a handler that has not begun yet.
        self.served.fetch_add(1, Ordering::SeqCst);
        let place = Place { places: Arc::clone(self), host: Arc::clone(host), key, end };
        Ok((place, Serving(Arc::clone(self))))
    }

    /// Lets sockets in.
    pub(crate) fn let_in(&self) {
        let _open = self.open();
        self.closed.store(false, Ordering::SeqCst);
    }

    /// Lets none in any more, and tells those that are open to end.
    pub(crate) fn close(&self) {
        let open = self.open();
        self.closed.store(true, Ordering::SeqCst);
        for end in open.values() {
            end.set(Closed::by_host(ClosedKind::STOPPING));
        }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open().len()
    }

    /// How many handlers are at work.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    fn open(&self) -> MutexGuard<'_, SlotMap<DefaultKey, Arc<End>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("served", &self.served()).finish_non_exhaustive()
    }
}

/// One socket's place: kept as long as its connection or its handler is there.
pub(crate) struct Place {
    places: Arc<Places>,
    host: Arc<AtomicUsize>,
    key: DefaultKey,
    end: Arc<End>,
}

impl Place {
    /// Whether the socket is closed.
    pub(crate) fn end(&self) -> &Arc<End> {
        &self.end
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().remove(self.key);
        self.host.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("end", &self.end).finish_non_exhaustive()
    }
}

/// A handler that is at work, or about to be.
#[derive(Debug)]
pub(crate) struct Serving(Arc<Places>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.served.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Arc<Places> {
        let places = Arc::<Places>::default();
        places.let_in();
        places
    }

    #[test]
    fn a_place_is_free_again_when_it_is_let_go() {
        let (places, host) = (open(), Arc::<AtomicUsize>::default());
        let first = places.take(1, &host, 2).expect("a place");
        assert_eq!(places.take(1, &host, 2).err(), Some(NoPlace::OfPlugin));
        let other = open();
        let second = other.take(9, &host, 2).expect("a place");
        assert_eq!(other.take(9, &host, 2).err(), Some(NoPlace::OfHost));
        drop((first, second));
        assert_eq!((places.count(), other.count(), host.load(Ordering::Relaxed)), (0, 0, 0));
    }

    #[test]
    fn all_are_told_and_nobody_comes_behind_that() {
        let (places, host) = (open(), Arc::<AtomicUsize>::default());
        let (place, serving) = places.take(9, &host, 9).expect("a place");
        places.close();
        assert_eq!(places.served(), 1);
        drop(serving);
        assert_eq!(places.served(), 0);
        assert_eq!(place.end().kind(), ClosedKind::STOPPING);
        assert_eq!(places.take(9, &host, 9).err(), Some(NoPlace::Closed));
        places.let_in();
        assert!(places.take(9, &host, 9).is_ok());
    }
}
