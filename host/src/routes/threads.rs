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
    /// How many threads have no work; never fewer than wait in the queue.
    idle: usize,
    /// Whether one of them is on its way to the queue. It wakes the next before it begins, so that work behind a handler
    /// that blocks is taken too, and many that do not block are run by few threads: waking one costs more than most of them.
    waking: bool,
}

impl Threads {
    /// Runs `work` for a plugin.
    pub(super) fn run(&self, plugin: Arc<str>, work: Work) -> io::Result<()> {
        let mut state = self.0.state();
        if state.idle > state.queue.len() {
            state.queue.push_back((plugin, work));
            self.0.wake(state);
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

    /// Wakes a thread for what is in the queue, unless one is on its way.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wanted = !state.queue.is_empty() && !state.waking;
        state.waking |= wanted;
        drop(state);
        if wanted {
            self.work.notify_one();
        }
    }

    /// Waits until there is work, or has been none for long.
    fn wait<'p>(&'p self, mut state: MutexGuard<'p, State>) -> MutexGuard<'p, State> {
        state.idle += 1;
        loop {
            let waited = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            // Whoever comes back is who was on its way: one wake too many costs little, one too few would never be made up.
            state.waking = false;
            if !state.queue.is_empty() || waited.1.timed_out() {
                state.idle -= 1;
                return state;
            }
        }
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
                state = self.wait(state);
            }
            next = state.queue.pop_front();
            self.wake(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};

    use super::*;

    const MANY: usize = 16;

    /// Has `MANY` run that wait for each other, and answers how many did.
    fn run_together(threads: &Threads) -> usize {
        let (all, (done, ended)) = (Arc::new(Barrier::new(MANY)), mpsc::channel());
        for _ in 0..MANY {
            let (all, done) = (Arc::clone(&all), done.clone());
            let work = Box::new(move || {
                all.wait();
                done.send(()).expect("somebody waits");
            });
            threads.run("p".into(), work).expect("a thread");
        }
        (0..MANY).take_while(|_| ended.recv_timeout(Duration::from_secs(20)).is_ok()).count()
    }

    #[test]
    fn no_work_waits_for_another_that_blocks() {
        let threads = Threads::default();
        // By new threads, and then by those, as soon as they have no work.
        for _ in 0..20 {
            assert_eq!(run_together(&threads), MANY);
        }
    }

    #[test]
    fn much_work_that_does_not_block_is_all_done() {
        let (threads, (done, ended)) = (Threads::default(), mpsc::channel());
        for number in 0..5_000 {
            let done = done.clone();
            threads
                .run("p".into(), Box::new(move || done.send(number).expect("somebody waits")))
                .expect("a thread");
        }
        drop(done);
        assert_eq!(ended.iter().count(), 5_000);
        let state = threads.0.state();
        assert!(state.queue.is_empty() && state.idle <= 5_000);
    }
}
