//! The threads that run consumers.
//!
//! As many threads as there are cores take consumers from one queue, a batch each. A consumer is in the hands of at
//! most one of them. A handler that blocks keeps its thread; when consumers wait and no thread takes any, another
//! thread is started, so a slow plugin holds up nobody. One thread that ran out of work looks on for a moment before it
//! sleeps: waking a sleeping thread costs more than most handlers.

use std::{
    collections::{BinaryHeap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use slog::{Logger, error};
use streamspace_plugin::abi;

use crate::{
    events::{Consumer, Next, Scheduler, Scratch},
    thread_name::name_thread,
};

/// How long consumers may wait while no thread takes one, before another thread is started.
const PATIENCE: Duration = Duration::from_millis(1);
/// How long a thread beyond the number of cores stays without work.
const SPARE_IDLE: Duration = Duration::from_secs(10);
/// How long one thread looks for work before it sleeps.
const LOOK_ON: Duration = Duration::from_micros(30);
/// Below this many events in a batch, a worker that finds more lets some gather first.
const GATHER_BELOW: usize = 64;
/// A consumer keeps at most one thread, so this is only reached by as many handlers that block.
const MAX_THREADS: usize = 1024;

/// The pool. Stops when [`stop`](Self::stop) is called.
#[derive(Debug)]
pub struct Workers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    state: Mutex<State>,
    /// There is something to run.
    work: Condvar,
    /// The overseer has something to look at: consumers wait while every thread is busy, or there is an earlier timer.
    overseer: Condvar,
    /// A thread ended.
    ended: Condvar,
    /// Whether threads are wanted at the lock: consumers are ready, or the pool stops.
    wanted: AtomicBool,
    /// Whether a thread looks on.
    looking: AtomicBool,
    cores: usize,
    logger: Logger,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Arc<Consumer>>,
    timers: BinaryHeap<Timer>,
    threads: usize,
    /// Threads that sleep.
    idle: usize,
    /// Consumers taken so far.
    taken: u64,
    /// Whether the overseer sleeps and wants to be woken under pressure.
    overseer_sleeps: bool,
    stopping: bool,
}

/// A consumer that has something to deliver later. Ordered by time, the earliest first.
#[derive(Debug)]
struct Timer {
    due: Instant,
    consumer: Arc<Consumer>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl Workers {
    /// Starts the pool with a thread per core.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn start(logger: Logger) -> std::io::Result<Self> {
        let cores = thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let pool = Arc::new(Pool {
            state: Mutex::default(),
            work: Condvar::new(),
            overseer: Condvar::new(),
            ended: Condvar::new(),
            wanted: AtomicBool::new(false),
            looking: AtomicBool::new(false),
            cores,
            logger,
        });
        for _ in 0..cores {
            pool.state().threads += 1;
            spawn_worker(&pool)?;
        }
        let overseer = Arc::clone(&pool);
        thread::Builder::new().name("ss:overseer".to_owned()).spawn(move || overseer.oversee())?;
        Ok(Self(pool))
    }

    /// Takes no more consumers and waits until the threads are done. Answers how many are not, by the deadline.
    #[must_use]
    pub fn stop(&self, deadline: Instant) -> usize {
        let mut state = self.0.state();
        state.stopping = true;
        state.ready.clear();
        state.timers.clear();
        self.0.hint(&state);
        self.0.work.notify_all();
        self.0.overseer.notify_all();
        while state.threads > 0 {
            let Some(wait) = deadline.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            else {
                break;
            };
            state = self.0.ended.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.threads
    }
}

impl Scheduler for Workers {
    fn ready(&self, consumers: &[Arc<Consumer>]) {
        let mut state = self.0.state();
        if state.stopping {
            return;
        }
        state.ready.extend(consumers.iter().cloned());
        self.0.hint(&state);
        if self.0.looking.load(Ordering::SeqCst) {
            // That thread sees them without being woken, and wakes others if there is more than it can take.
        } else if state.idle > 0 {
            // One is enough here: who takes a consumer and leaves others wakes the next.
            self.0.work.notify_one();
        } else {
            self.0.wake_overseer(&mut state);
        }
    }
}

fn spawn_worker(pool: &Arc<Pool>) -> std::io::Result<()> {
    let worker = Arc::clone(pool);
    let spawned = thread::Builder::new().name("ss:idle".to_owned()).spawn(move || {
        // Plugins' panics do not come this far; one of the host's own must not cost it a thread.
        while let Err(why) = abi::guard("a worker", || worker.work()) {
            error!(worker.logger, "A worker failed; its consumer is stuck until its plugin is started anew."; "error" => %why);
        }
        worker.ended.notify_all();
    });
    if spawned.is_err() {
        pool.state().threads -= 1;
    }
    spawned.map(drop)
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        // No consumer runs under this lock, and nothing under it panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hint(&self, state: &State) {
        self.wanted.store(!state.ready.is_empty() || state.stopping, Ordering::SeqCst);
    }

    /// Runs a consumer for as long as it has something and nothing else waits, and a moment longer: an event that comes
    /// then is handled without the pool's lock and without waking anybody.
    fn run(&self, consumer: &Arc<Consumer>, scratch: &mut Scratch) -> Next {
        loop {
            match consumer.run(scratch) {
                Next::Again if !self.wanted.load(Ordering::SeqCst) => {
                    if scratch.last_batch() < GATHER_BELOW {
                        gather();
                    }
                }
                Next::Empty => {
                    if !self.look_on(consumer) {
                        return consumer.let_go();
                    }
                }
                next => return next,
            }
        }
    }

    /// Looks for more events of a consumer, one thread at a time. Answers whether to run it again.
    fn look_on(&self, consumer: &Consumer) -> bool {
        if self.looking.swap(true, Ordering::SeqCst) {
            return false;
        }
        let until = Instant::now() + LOOK_ON;
        let mut more = false;
        while !more && !self.wanted.load(Ordering::Relaxed) {
            for _ in 0..32 {
                std::hint::spin_loop();
            }
            more = consumer.has_more();
            if !more && Instant::now() >= until {
                break;
            }
        }
        // In this order, and sequentially consistent as in `ready`: either `ready` sees that nobody looks any more, and
        // wakes a thread, or this thread sees what it pushed, and goes for it instead of into a handler that may block.
        self.looking.store(false, Ordering::SeqCst);
        more && !self.wanted.load(Ordering::SeqCst)
    }

    fn wake_overseer(&self, state: &mut State) {
        if std::mem::take(&mut state.overseer_sleeps) {
            self.overseer.notify_one();
        }
    }

    /// A worker's life. It counts itself out under the lock, so that not all leave at once.
    fn work(&self) {
        let mut scratch = Scratch::default();
        let mut named_for: Option<Arc<str>> = None;
        let mut state = self.state();
        while !state.stopping {
            if let Some(consumer) = state.ready.pop_front() {
                state.taken += 1;
                self.hint(&state);
                let left = !state.ready.is_empty();
                let wake = left && state.idle > 0;
                if left && !wake {
                    // Should this one block, nobody takes what it leaves.
                    self.wake_overseer(&mut state);
                }
                drop(state);
                if wake {
                    self.work.notify_one();
                }
                if named_for.as_ref() != Some(consumer.plugin()) {
                    name_thread(consumer.plugin());
                    named_for = Some(Arc::clone(consumer.plugin()));
                }
                let next = self.run(&consumer, &mut scratch);
                state = self.state();
                match next {
                    Next::Again | Next::Empty => state.ready.push_back(consumer),
                    Next::At(due) => {
                        let earliest = state.timers.peek().is_none_or(|timer| due < timer.due);
                        state.timers.push(Timer { due, consumer });
                        if earliest {
                            self.wake_overseer(&mut state);
                        }
                    }
                    Next::Nothing => {}
                }
                self.hint(&state);
                continue;
            }
            let wait = if state.threads > self.cores { SPARE_IDLE } else { Duration::MAX };
            state.idle += 1;
            let (woken, slept) = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if slept.timed_out() && state.ready.is_empty() && state.threads > self.cores {
                break;
            }
        }
        state.threads -= 1;
    }

    /// Hands over consumers whose time has come, and starts a thread whenever consumers wait and none is taken.
    fn oversee(self: Arc<Self>) {
        let mut state = self.state();
        while !state.stopping {
            if state.fire_timers() {
                self.hint(&state);
                if state.idle > 0 {
                    self.work.notify_one();
                }
            }
            let starved = !state.ready.is_empty() && state.idle == 0;
            if !starved {
                let wait = state
                    .timers
                    .peek()
                    .map_or(Duration::MAX, |timer| timer.due.saturating_duration_since(Instant::now()));
                state.overseer_sleeps = true;
                state = self.overseer.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
                state.overseer_sleeps = false;
                continue;
            }
            let before = state.taken;
            drop(state);
            thread::sleep(PATIENCE);
            state = self.state();
            let stuck = state.taken == before && !state.ready.is_empty() && state.idle == 0;
            if stuck && !state.stopping && state.threads < MAX_THREADS {
                state.threads += 1;
                drop(state);
                if let Err(why) = spawn_worker(&self) {
                    error!(
                        self.logger, "Cannot start a worker thread; handlers that block hold up others until one ends.";
                        "error" => %why
                    );
                    thread::sleep(Duration::from_millis(100));
                }
                state = self.state();
            }
        }
    }
}

/// Lets a few microseconds pass. A worker that takes event by event what an emitter puts there one by one meets it at
/// the queue's lock each time, which costs both more than a batch does.
fn gather() {
    for _ in 0..256 {
        std::hint::spin_loop();
    }
}

impl State {
    /// Makes ready what is due. Answers whether there was any.
    fn fire_timers(&mut self) -> bool {
        if self.timers.is_empty() {
            return false;
        }
        let now = Instant::now();
        let before = self.ready.len();
        while self.timers.peek().is_some_and(|timer| timer.due <= now) {
            if let Some(timer) = self.timers.pop()
                && timer.consumer.wake()
            {
                self.ready.push_back(timer.consumer);
            }
        }
        self.ready.len() > before
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use bytes::Bytes;
    use streamspace_plugin::{
        abi::ROption,
        events::{Batch, ConsumerSpec, Progress},
    };

    use super::*;
    use crate::events::{Bus, Limits, NewEvent, Refused, Target};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// A handler that says that it was entered, and stays until it is let go.
    struct Blocks {
        entered: Mutex<mpsc::Sender<()>>,
        go: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Target for Blocks {
        fn deliver(&self, _: u32, batch: Batch<'_>) -> Progress {
            self.entered.lock().expect("a lock").send(()).expect("the test listens");
            let (gone, signal) = &*self.go;
            let gone = gone.lock().expect("a lock");
            let _ = signal.wait_timeout_while(gone, DEADLINE, |gone| !*gone).expect("a lock");
            Progress { acknowledged: batch.events.len() as u64, stopped_at: ROption::RNone }
        }

        fn redact(&self, text: &str) -> String {
            text.to_owned()
        }

        fn refused(&self, _: &Consumer, _: &Refused<'_>) {}
    }

    #[test]
    fn handlers_that_block_hold_up_nobody() {
        let workers = Arc::new(Workers::start(Logger::root(slog::Discard, slog::o!())).expect("threads"));
        let limits = Limits { max_data_bytes: 10, max_pending: 10, handler_deadline: DEADLINE };
        let bus = Bus::new(limits);
        bus.run_on(Arc::clone(&workers) as Arc<dyn Scheduler>);
        let plugins = workers.0.cores + 3;
        let (entered, entries) = mpsc::channel();
        let go = Arc::new((Mutex::new(false), Condvar::new()));
        for plugin in 0..plugins {
            let spec = ConsumerSpec { filters: vec!["t".into()].into(), ..ConsumerSpec::named("c") };
            let consumers = bus.subscribe(&format!("p{plugin}").into(), &[spec]).expect("a good consumer");
            let target = Blocks { entered: Mutex::new(entered.clone()), go: Arc::clone(&go) };
            bus.resume(&consumers, &(Arc::new(target) as Arc<dyn Target>));
        }
        let event = NewEvent {
            topic: "t",
            source: "test".into(),
            subject: "",
            time_us: None,
            data: Bytes::from_static(b"1"),
            attributes: Bytes::new(),
        };
        bus.emit(event).expect("accepted");
        for _ in 0..plugins {
            entries.recv_timeout(DEADLINE).expect("every handler is entered while all of them block");
        }
        *go.0.lock().expect("a lock") = true;
        go.1.notify_all();
        assert!(bus.drain(Instant::now() + DEADLINE));
        assert_eq!(workers.stop(Instant::now() + DEADLINE), 0, "every thread ends");
    }
}
