//! The threads that run handlers.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use streamspace_plugin::abi;

use crate::thread_name::name_thread;

/// How long a thread stays without work.
const IDLE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce() + Send>;

/// As many threads as handlers run at once: which one blocks is not to be foreseen, and none must wait for another
/// plugin's. Plugins' own limits bound them.
#[derive(Default)]
pub(super) struct Threads(Arc<Pool>);

#[derive(Default)]
struct Pool {
    // Held for a push or a pop; no plugin code runs under it.
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Arc<str>, Work)>,
    idle: usize,
}

impl Threads {
    /// Runs `work` for a plugin.
    pub(super) fn run(&self, plugin: Arc<str>, work: Work) -> io::Result<()> {
        let mut state = self.0.state();
        if state.idle > state.queue.len() {
            state.queue.push_back((plugin, work));
            drop(state);
            self.0.work.notify_one();
            return Ok(());
        }
        drop(state);
        let pool = Arc::clone(&self.0);
        thread::Builder::new().name("ss:idle".to_owned()).spawn(move || pool.work(plugin, work)).map(drop)
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, plugin: Arc<str>, work: Work) {
        let mut named_for: Option<Arc<str>> = None;
        let mut next = Some((plugin, work));
        while let Some((plugin, work)) = next.take() {
            if named_for.as_ref() != Some(&plugin) {
                name_thread(&plugin);
                named_for = Some(plugin);
            }
            // Plugins' panics do not come this far. Of the host's own the caller learns as of a reply that is lost.
            let _ = abi::guard("a request's thread", work);
            let mut state = self.state();
            if state.queue.is_empty() {
                state.idle += 1;
                let empty = |state: &mut State| state.queue.is_empty();
                state = self
                    .work
                    .wait_timeout_while(state, IDLE, empty)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                state.idle -= 1;
            }
            next = state.queue.pop_front();
        }
    }
}
