//! Where the scenes of a recording that runs go: to the store, with whatever else is to be noted.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    News, Progress, Tell,
    budget::{self, Budget},
};
use crate::{
    capture::Control,
    scene::{Moment, Scene, Sink},
    store::{self, Writer},
};

/// Marks that wait to be written. What comes beyond that before the next scene is in the tables alone.
const MAX_MARKS: usize = 1000;

/// What a recording's thread and those who steer it share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) control: Arc<Control>,
    /// It was so long that it ended by itself.
    pub(super) is_long: AtomicBool,
    bytes: AtomicU64,
    length: AtomicU64,
    marks: Mutex<VecDeque<(String, String)>>,
    stopped: Mutex<bool>,
    paused: AtomicBool,
    woken: Condvar,
}

impl Shared {
    pub(super) fn pause(&self, pause: bool) {
        self.paused.store(pause, Ordering::Relaxed);
        self.control.pause(pause);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Notes something at this moment.
    pub(super) fn mark(&self, kind: &str, text: &str) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() < MAX_MARKS {
            marks.push_back((kind.to_owned(), text.to_owned()));
        }
    }

    pub(super) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.control.stop();
        self.woken.notify_all();
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { bytes: self.bytes.load(Ordering::Relaxed), length: self.length.load(Ordering::Relaxed) }
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until it is stopped.
    pub(super) fn rest(&self, time: Duration) {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        // A lock that is poisoned has a plain flag in it.
        drop(self.woken.wait_timeout_while(stopped, time, |stopped| !*stopped));
    }
}

/// A recording's file, for the capture that puts scenes and for the connection that says how time passes: both on one thread.
#[derive(Clone)]
pub(super) struct Tape(Rc<RefCell<Inner>>);

struct Inner {
    writer: Writer,
    shared: Arc<Shared>,
    tell: Tell,
    budget: Budget,
    has_picture: bool,
}

impl Tape {
    pub(super) fn new(writer: Writer, shared: Arc<Shared>, tell: Tell, budget: Budget) -> Self {
        Self(Rc::new(RefCell::new(Inner { writer, shared, tell, budget, has_picture: false })))
    }

    /// Nothing happened until now.
    pub(super) fn tick(&self, at: Moment) -> Result<(), store::Error> {
        let mut inner = self.0.borrow_mut();
        let interval = inner.budget.look(at, budget::taken());
        inner.shared.control.slow_to(interval);
        inner.notes(at)?;
        inner.writer.tick(at)?;
        inner.publish(at);
        Ok(())
    }

    pub(super) fn has_picture(&self) -> bool {
        self.0.borrow().has_picture
    }

    /// What is left when nobody puts anything any more, and whether there is a picture in it. None if somebody still may.
    pub(super) fn take(self) -> Option<(Writer, bool)> {
        let inner = Rc::into_inner(self.0)?.into_inner();
        Some((inner.writer, inner.has_picture))
    }
}

impl Inner {
    fn notes(&mut self, at: Moment) -> Result<(), store::Error> {
        // Before the first picture there is nothing that could be marked.
        while self.has_picture {
            let next = self.shared.marks.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((kind, text)) = next else { break };
            self.writer.put(at, &Scene::Marker { kind: &kind, text: &text })?;
        }
        Ok(())
    }

    fn publish(&self, at: Moment) {
        self.shared.bytes.store(self.writer.bytes(), Ordering::Relaxed);
        self.shared.length.store(at.0, Ordering::Relaxed);
    }
}

impl Sink for Tape {
    type Error = store::Error;

    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), store::Error> {
        let mut inner = self.0.borrow_mut();
        inner.writer.put(at, scene)?;
        if !inner.has_picture && matches!(scene, Scene::Picture { .. } | Scene::Wire { .. }) {
            inner.has_picture = true;
            (inner.tell)(News::Begun);
        }
        inner.notes(at)?;
        inner.publish(at);
        Ok(())
    }
}
