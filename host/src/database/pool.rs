//! A plugin's sessions: at most so many, made when they are needed and kept for the next call.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use streamspace_plugin::abi::{Fault, FaultKind};

use super::session::{Connect, Session};

pub(super) struct Pool {
    connect: Box<dyn Connect>,
    size: u32,
    wait: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    /// The one used last is at the end.
    idle: Vec<Box<dyn Session>>,
    /// How many there are, idle or not.
    all: u32,
}

/// A session that goes back to its pool, if it is sound.
pub(super) struct Pooled {
    pool: Arc<Pool>,
    session: Option<Box<dyn Session>>,
}

impl Pool {
    pub(super) fn new(connect: Box<dyn Connect>, size: u32, wait: Duration) -> Arc<Self> {
        Arc::new(Self { connect, size, wait, state: Mutex::default(), freed: Condvar::new() })
    }

    /// A session, once there is one.
    pub(super) fn take(self: &Arc<Self>) -> Result<Pooled, Fault> {
        let until = Instant::now() + self.wait;
        let mut state = self.state();
        loop {
            while let Some(session) = state.idle.pop() {
                if session.is_sound() {
                    return Ok(Pooled { pool: Arc::clone(self), session: Some(session) });
                }
                // The server has gone away meanwhile.
                state.all -= 1;
            }
            if state.all < self.size {
                state.all += 1;
                drop(state);
                // Its place is given back if it cannot be made.
                let mut pooled = Pooled { pool: Arc::clone(self), session: None };
                pooled.session = Some(self.connect.connect()?);
                return Ok(pooled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::new(
                    FaultKind::BUSY,
                    format_args!(
                        "all {} connections of the plugin were in use for {} s: use fewer at once, or raise \
                         `database.plugin_connections`",
                        self.size,
                        self.wait.as_secs()
                    ),
                ));
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Deref for Pooled {
    type Target = dyn Session;

    fn deref(&self) -> &(dyn Session + 'static) {
        &**self.session.as_ref().expect("`take` gives none out without a session")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut (dyn Session + 'static) {
        &mut **self.session.as_mut().expect("`take` gives none out without a session")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let sound = self.session.take().filter(|session| session.is_sound());
        let mut state = self.pool.state();
        match sound {
            Some(session) => state.idle.push(session),
            None => state.all -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU32, Ordering},
        thread,
    };

    use super::{
        super::session::{Sink, Statement},
        *,
    };

    #[derive(Default)]
    struct Fake {
        made: Arc<AtomicU32>,
        fails: Arc<AtomicBool>,
        sound: Arc<AtomicBool>,
    }

    struct FakeSession(Arc<AtomicBool>);

    impl Session for FakeSession {
        fn exec(&mut self, _: &Statement<'_>) -> Result<u64, Fault> {
            Ok(0)
        }

        fn query(&mut self, _: &Statement<'_>, _: &mut Sink<'_>) -> Result<u64, Fault> {
            Ok(0)
        }

        fn begin(&mut self, _: Instant) -> Result<(), Fault> {
            Ok(())
        }

        fn commit(&mut self, _: Instant) -> Result<(), Fault> {
            Ok(())
        }

        fn rollback(&mut self) {}

        fn is_sound(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Connect for Fake {
        fn connect(&self) -> Result<Box<dyn Session>, Fault> {
            if self.fails.load(Ordering::Relaxed) {
                return Err(Fault::new(FaultKind::UNREACHABLE, "away"));
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(FakeSession(Arc::clone(&self.sound))))
        }
    }

    fn pool(size: u32, wait: Duration) -> (Arc<Pool>, Arc<AtomicU32>, Arc<AtomicBool>, Arc<AtomicBool>) {
        let fake = Fake::default();
        fake.sound.store(true, Ordering::Relaxed);
        let (made, fails, sound) = (Arc::clone(&fake.made), Arc::clone(&fake.fails), Arc::clone(&fake.sound));
        (Pool::new(Box::new(fake), size, wait), made, fails, sound)
    }

    #[test]
    fn a_session_is_used_again_and_a_broken_one_is_not() {
        let (pool, made, _, sound) = pool(1, Duration::ZERO);
        drop(pool.take().expect("one"));
        drop(pool.take().expect("the same"));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        // One that breaks while it is idle, and one that breaks in use.
        sound.store(false, Ordering::Relaxed);
        drop(pool.take().expect("another"));
        drop(pool.take().expect("another"));
        assert_eq!(made.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn there_are_no_more_than_so_many_and_waiting_ends() {
        let (pool, ..) = pool(2, Duration::from_millis(10));
        let held = (pool.take().expect("one"), pool.take().expect("two"));
        assert_eq!(pool.take().map(drop).expect_err("a third").kind, FaultKind::BUSY);
        drop(held);
        drop(pool.take().expect("one again"));
    }

    #[test]
    fn one_that_waits_gets_what_another_gives_back() {
        let (pool, ..) = pool(1, Duration::from_secs(60));
        let held = pool.take().expect("one");
        let waiting = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.take().map(drop))
        };
        drop(held);
        waiting.join().expect("no panic").expect("the one that was given back");
    }

    #[test]
    fn a_connection_that_fails_takes_no_place() {
        let (pool, _, fails, _) = pool(1, Duration::ZERO);
        fails.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(pool.take().map(drop).expect_err("away").kind, FaultKind::UNREACHABLE);
        }
        fails.store(false, Ordering::Relaxed);
        drop(pool.take().expect("back"));
    }
}
