//! Handles that plugins hold: indexes with a generation, so that one that outlives what it named finds nothing.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use streamspace_plugin::abi::{Fault, FaultKind, Handle};

type Slots<T> = SlotMap<DefaultKey, Arc<T>>;

/// What one kind of handle names. One static per capability.
pub(crate) struct Handles<T: 'static> {
    // Read at every call of a plugin, written when a plugin comes or goes: readers take no lock.
    slots: ArcSwap<Slots<T>>,
    writer: Mutex<()>,
}

impl<T: Send + Sync> Handles<T> {
    pub(crate) fn new() -> Self {
        Self { slots: ArcSwap::from_pointee(SlotMap::new()), writer: Mutex::new(()) }
    }

    /// Runs `f` with what `handle` names.
    pub(crate) fn with<R>(&self, handle: Handle, f: impl FnOnce(&T) -> Result<R, Fault>) -> Result<R, Fault> {
        let slots = self.slots.load();
        match slots.get(KeyData::from_ffi(handle.0).into()) {
            Some(object) => f(object),
            None => Err(Fault::new(
                FaultKind::CLOSED,
                "the plugin was unloaded: this handle names nothing any more",
            )),
        }
    }

    /// What `handle` names, for a call that takes long.
    pub(crate) fn get(&self, handle: Handle) -> Result<Arc<T>, Fault> {
        let slots = self.slots.load();
        slots.get(KeyData::from_ffi(handle.0).into()).map(Arc::clone).ok_or_else(closed)
    }

    /// Gives `object` a handle, which is valid until the answer is dropped.
    pub(crate) fn open(&'static self, object: Arc<T>) -> Opened {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = Slots::clone(&self.slots.load());
        let key = slots.insert(object);
        self.slots.store(Arc::new(slots));
        Opened { handle: Handle(key.data().as_ffi()), close: Box::new(move || self.close(key)) }
    }

    fn close(&self, key: DefaultKey) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = Slots::clone(&self.slots.load());
        slots.remove(key);
        self.slots.store(Arc::new(slots));
    }
}

fn closed() -> Fault {
    Fault::new(FaultKind::CLOSED, "the plugin was unloaded: this handle names nothing any more")
}

/// Keeps a handle valid; dropping it makes every later call with the handle an error.
pub struct Opened {
    handle: Handle,
    close: Box<dyn Fn() + Send + Sync>,
}

impl Opened {
    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        (self.close)();
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opened").field(&self.handle).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    #[test]
    fn a_handle_that_was_closed_names_nothing_even_when_its_slot_is_used_again() {
        static NUMBERS: LazyLock<Handles<u32>> = LazyLock::new(Handles::new);
        let first = NUMBERS.open(Arc::new(1));
        let old = first.handle();
        assert_eq!(NUMBERS.with(old, |number| Ok(*number)), Ok(1));
        drop(first);
        let second = NUMBERS.open(Arc::new(2));
        assert_eq!(NUMBERS.with(second.handle(), |number| Ok(*number)), Ok(2));
        assert_eq!(NUMBERS.with(old, |number| Ok(*number)).expect_err("closed").kind, FaultKind::CLOSED);
    }
}
