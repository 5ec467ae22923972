//! The taps of plugins: the thread of each, and what is counted of it.

use std::{
    collections::HashSet,
    fmt, io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use streamspace_plugin::{
    abi::Fault,
    streams::{Chunk, ClosedView, StreamView},
};

use super::{now_ns, ring::Reader, tap_options::TapOptions, tee::About, thread::run};
use crate::thread_name::thread_name;

/// What handles what passes: a plugin.
pub trait Target: Send + Sync {
    /// Offers a stream to a tap of the plugin.
    ///
    /// # Errors
    ///
    /// What the handler answered, or that it panicked.
    fn open(&self, tap: u32, stream: StreamView<'_>) -> Result<bool, Fault>;

    /// Hands over what passed. Answers whether the tap wants more.
    ///
    /// # Errors
    ///
    /// What the handler answered, or that it panicked.
    fn deliver(&self, tap: u32, stream: u64, chunks: &[Chunk<'_>]) -> Result<bool, Fault>;

    /// Says that there is no more of a stream.
    ///
    /// # Errors
    ///
    /// That the handler panicked.
    fn closed(&self, tap: u32, stream: u64, closed: ClosedView<'_>) -> Result<(), Fault>;

    /// A handler failed, and its tap gets no more of this stream.
    fn failed(&self, tap: &Tap, session: &str, fault: &Fault);
}

/// What is counted of a tap, since its plugin was loaded.
#[derive(Debug, Default)]
pub struct TapFigures {
    /// Streams that it has now.
    pub streams: AtomicU64,
    /// Chunks that were handed over.
    pub chunks: AtomicU64,
    /// Bytes that were handed over.
    pub bytes: AtomicU64,
    /// Bytes for which there was no room.
    pub lost_bytes: AtomicU64,
    /// How often something was lost, however much in a row.
    pub gaps: AtomicU64,
    /// How often a stream waited for the tap in vain.
    pub lapses: AtomicU64,
    /// Streams that do not wait for the tap any more, until it has caught up.
    pub lapsed: AtomicU64,
}

/// A stream that a tap is offered.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: u64,
    pub(super) about: Arc<About>,
    pub(super) from_start: bool,
    pub(super) passed: [u64; 2],
    pub(super) at_ns: u64,
    pub(super) time_us: u64,
    pub(super) reader: Reader,
}

/// The tap's thread works.
const AWAKE: u8 = 0;
/// It looks again in a moment, and need be woken only for much.
const NAPPING: u8 = 1;
/// It sleeps until it is woken.
const SLEEPING: u8 = 2;
/// How long the first and the last nap is. While a stream runs, waking the thread for each piece would cost the relay more than all
/// else here; a desktop that pauses for a moment is one that runs.
pub(super) const FIRST_NAP: Duration = Duration::from_millis(1);
pub(super) const LAST_NAP: Duration = Duration::from_millis(16);

/// A tap of a plugin that was loaded.
pub struct Tap {
    plugin: Arc<str>,
    pub(super) number: u32,
    options: TapOptions,
    figures: TapFigures,
    sleep: AtomicU8,
    thread: OnceLock<Thread>,
    /// When the call that runs began, by [`now_ns`]; 0 if none does.
    since_ns: AtomicU64,
    /// Whether the thread is to look at `control`.
    pub(super) attention: AtomicBool,
    // Taken when a stream begins or ends, and by those who start and stop plugins. No plugin code runs under it.
    control: Mutex<Control>,
    changed: Condvar,
}

/// What others want of a tap's thread.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) offers: Vec<Offer>,
    pub(super) leaves: Vec<u64>,
    /// The streams that it has or is offered.
    pub(super) has: HashSet<u64>,
    /// Nothing is to be handed over.
    pub(super) paused: bool,
    /// Nothing is being handed over.
    pub(super) rests: bool,
    /// All streams are to be left.
    pub(super) detaching: bool,
    /// Nothing is to be called any more.
    pub(super) abandoned: bool,
    pub(super) ended: bool,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("plugin", &self.plugin)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Tap {
    /// Tap number `number` of a plugin, on a thread of its own. No stream is offered to it yet.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn start(
        plugin: &Arc<str>,
        number: u32,
        options: TapOptions,
        target: Arc<dyn Target>,
    ) -> io::Result<Arc<Self>> {
        let tap = Arc::new(Self {
            plugin: Arc::clone(plugin),
            number,
            options,
            figures: TapFigures::default(),
            sleep: AtomicU8::new(AWAKE),
            thread: OnceLock::new(),
            since_ns: AtomicU64::new(0),
            attention: AtomicBool::new(false),
            control: Mutex::default(),
            changed: Condvar::new(),
        });
        let running = Arc::clone(&tap);
        let thread =
            thread::Builder::new().name(thread_name(plugin)).spawn(move || run(&running, &*target))?;
        let _ = tap.thread.set(thread.thread().clone());
        Ok(tap)
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<str> {
        &self.plugin
    }

    /// What it asked for.
    #[must_use]
    pub fn options(&self) -> &TapOptions {
        &self.options
    }

    /// What is counted of it.
    #[must_use]
    pub fn figures(&self) -> &TapFigures {
        &self.figures
    }

    /// For how long the call of its handler that runs has been running.
    #[must_use]
    pub fn running_for(&self) -> Option<Duration> {
        match self.since_ns.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Duration::from_nanos(now_ns().saturating_sub(since))),
        }
    }

    /// Runs a call of the plugin, which is looked at meanwhile.
    pub(super) fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.since_ns.store(now_ns().max(1), Ordering::Relaxed);
        let answer = call();
        self.since_ns.store(0, Ordering::Relaxed);
        answer
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread look at what is wanted of it.
    fn attend(&self, control: MutexGuard<'_, Control>) {
        self.attention.store(true, Ordering::Release);
        drop(control);
        self.sleep.store(AWAKE, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Offers it a stream. `false`: it has that, or takes none any more.
    pub(super) fn offer(&self, offer: Offer) -> bool {
        let mut control = self.control();
        if control.detaching || control.ended || !control.has.insert(offer.id) {
            return false;
        }
        control.offers.push(offer);
        self.attend(control);
        true
    }

    /// Has it leave a stream. `false`: it has no such stream.
    pub(super) fn leave(&self, stream: u64) -> bool {
        let mut control = self.control();
        let has = control.has.contains(&stream);
        if has {
            control.leaves.push(stream);
            self.attend(control);
        }
        has
    }

    /// Hands nothing more over until [`resume`](Self::resume), and waits for the call that runs. What passes meanwhile waits, as if
    /// the tap were slow. Answers whether the call ended in time.
    #[must_use]
    pub fn pause(&self, deadline: Instant) -> bool {
        let mut control = self.control();
        control.paused = true;
        self.attend(control);
        self.wait(deadline, |control| control.rests || control.ended)
    }

    /// Hands over again.
    pub fn resume(&self) {
        let mut control = self.control();
        if control.paused {
            control.paused = false;
            self.changed.notify_all();
            self.attend(control);
        }
    }

    /// Has it leave all its streams, and takes it out of service for good. [`drain`](Self::drain) waits for that.
    pub fn detach(&self) {
        let mut control = self.control();
        control.detaching = true;
        control.paused = false;
        self.changed.notify_all();
        self.attend(control);
    }

    /// Waits until a tap that was detached has left its streams. If it has not by the deadline, nothing of the plugin is called
    /// any more once the call that hangs returns.
    #[must_use]
    pub fn drain(&self, deadline: Instant) -> bool {
        let is_done = self.wait(deadline, |control| control.ended);
        if !is_done {
            let mut control = self.control();
            control.abandoned = true;
            self.attend(control);
        }
        is_done
    }

    fn wait(&self, deadline: Instant, until: impl Fn(&Control) -> bool) -> bool {
        let mut control = self.control();
        while !until(&control) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            control = self.changed.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The thread's: rests for as long as it is wanted to.
    pub(super) fn rest<'c>(&'c self, mut control: MutexGuard<'c, Control>) -> MutexGuard<'c, Control> {
        while control.paused && !control.detaching {
            control.rests = true;
            self.changed.notify_all();
            control = self.changed.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        control.rests = false;
        control
    }

    /// The thread's last word.
    pub(super) fn ended(&self) {
        let mut control = self.control();
        control.ended = true;
        control.offers.clear();
        control.has.clear();
        self.figures.streams.store(0, Ordering::Relaxed);
        drop(control);
        self.changed.notify_all();
    }

    /// The relay's: there is something for the thread. An atomic load, and a call of the operating system only if the thread sleeps,
    /// or naps while `much` has gathered.
    pub(super) fn wake(&self, much: bool) {
        // What was written before this and the thread's last look cannot both miss each other.
        fence(Ordering::SeqCst);
        let sleep = self.sleep.load(Ordering::Relaxed);
        if (sleep == SLEEPING || (sleep == NAPPING && much))
            && self.sleep.swap(AWAKE, Ordering::SeqCst) != AWAKE
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// The thread's: looks again in so long.
    pub(super) fn nap(&self, time: Duration) {
        self.sleep.store(NAPPING, Ordering::SeqCst);
        thread::park_timeout(time);
        self.sleep.store(AWAKE, Ordering::SeqCst);
    }

    /// The thread's: sleeps until it is woken, unless there is something to do.
    pub(super) fn sleep(&self, is_idle: impl Fn() -> bool) {
        self.sleep.store(SLEEPING, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if is_idle() && !self.attention.load(Ordering::Acquire) {
            thread::park();
        }
        self.sleep.store(AWAKE, Ordering::SeqCst);
    }
}
