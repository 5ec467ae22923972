//! One thing at a time: whose turn it is to change what is installed.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::InstallError;

/// How long one waits for one's turn. An upgrade may take an hour (`plugins.health_gate_secs`).
const PATIENCE: Duration = Duration::from_secs(10);

/// Given to one at a time.
#[derive(Debug, Default)]
pub(super) struct Turns {
    under_way: Mutex<Option<UnderWay>>,
    over: Condvar,
}

#[derive(Debug)]
struct UnderWay {
    what: String,
    since: Instant,
}

/// Held for as long as it takes.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for one's turn.
    ///
    /// # Errors
    ///
    /// [`InstallError::UnderWay`] says what takes so long.
    pub(super) fn take(&self) -> Result<Turn<'_>, InstallError> {
        self.take_within(PATIENCE)
    }

    fn take_within(&self, patience: Duration) -> Result<Turn<'_>, InstallError> {
        let until = Instant::now() + patience;
        let mut under_way = self.under_way();
        while let Some(UnderWay { what, since }) = &*under_way {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(InstallError::UnderWay {
                    what: what.clone(),
                    seconds: since.elapsed().as_secs(),
                });
            }
            under_way = self.over.wait_timeout(under_way, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *under_way = Some(UnderWay { what: "a plugin is looked at".to_owned(), since: Instant::now() });
        drop(under_way);
        Ok(Turn(self))
    }

    /// Tells those who wait what is done. For whoever has the turn.
    pub(super) fn say(&self, what: String) {
        if let Some(under_way) = &mut *self.under_way() {
            under_way.what = what;
        }
    }

    fn under_way(&self) -> MutexGuard<'_, Option<UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.under_way() = None;
        self.0.over.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_too_long_is_told_for_what() {
        let turns = Turns::default();
        let turn = turns.take().expect("nobody has it");
        turns.say("`a` is being upgraded".to_owned());
        let refused = turns.take_within(Duration::from_millis(1)).expect_err("it is taken");
        assert_eq!(refused.code(), "SSP-PLG-021");
        assert!(refused.to_string().contains("`a` is being upgraded"), "{refused}");
        drop(turn);
        turns.take_within(Duration::ZERO).expect("it was given back");
    }

    #[test]
    fn the_next_one_goes_on_when_it_is_over() {
        let turns = Turns::default();
        let turn = turns.take().expect("nobody has it");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take().map(drop));
            drop(turn);
            waiting.join().expect("no panic").expect("its turn");
        });
    }

    #[test]
    fn a_panic_gives_it_back() {
        let turns = Turns::default();
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _turn = turns.take().expect("nobody has it");
            panic!("in the middle");
        }));
        assert!(panics.is_err());
        turns.take_within(Duration::ZERO).expect("it was given back");
    }
}
