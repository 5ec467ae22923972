//! What share of a core a recording takes: the busier its thread is, the fewer pictures it keeps.

use std::time::Duration;

use crate::scene::Moment;

/// However busy it is, the screen is kept as often as this, in microseconds.
const SLOWEST: u64 = 1_000_000;
/// What is measured over a shorter time says little, in microseconds.
const LEAST: u64 = 500_000;

/// How often a recording may keep the screen, by what its thread takes of the processor.
///
/// What pictures cost grows with their number at most. So the number is cut by as much as the thread takes too much, and doubled when it
/// takes less than half of its share: that is never too much again.
#[derive(Debug)]
pub(super) struct Budget {
    percent: u64,
    /// Microseconds between two pictures when nothing is wrong.
    shortest: u64,
    interval: u64,
    /// When it was looked at, and what had been taken until then.
    last: Option<(Moment, Duration)>,
}

impl Budget {
    /// So many per cent of a core, for so many pictures a second. A whole core is no limit: a thread has no more.
    pub(super) fn new(percent: u32, frames_per_second: u32) -> Self {
        let shortest = SLOWEST / u64::from(frames_per_second.max(1));
        Self { percent: percent.into(), shortest, interval: shortest, last: None }
    }

    /// The thread has taken so much of the processor until now. Answers the time from one picture to the next from now on.
    pub(super) fn look(&mut self, at: Moment, taken: Duration) -> Duration {
        let (since, before) = *self.last.get_or_insert((at, taken));
        let passed = at.0.saturating_sub(since.0);
        if self.percent < 100 && passed >= LEAST {
            let used = u64::try_from(taken.saturating_sub(before).as_micros()).unwrap_or(u64::MAX);
            let allowed = (passed.saturating_mul(self.percent) / 100).max(1);
            let wanted = if used > allowed {
                self.interval.saturating_mul(used) / allowed
            } else if used.saturating_mul(2) <= allowed {
                self.interval / 2
            } else {
                self.interval
            };
            self.interval = wanted.clamp(self.shortest, SLOWEST);
            self.last = Some((at, taken));
        }
        Duration::from_micros(self.interval)
    }
}

/// How much of a processor the thread that asks has had. Nothing where the system does not tell.
pub(super) fn taken() -> Duration {
    #[cfg(unix)]
    return rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default();
    #[cfg(not(unix))]
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread that takes so many milliseconds for each picture, and some more each second. Answers the pictures of each second.
    fn seconds(budget: &mut Budget, clock: &mut (u64, Duration), costs: &[(u64, u64)]) -> Vec<u64> {
        let mut rates = Vec::new();
        let mut rate = 1_000_000 / budget.look(Moment(clock.0), clock.1).as_micros() as u64;
        for (picture, rest) in costs {
            clock.0 += 1_000_000;
            clock.1 += Duration::from_millis(rate * picture + rest);
            rate = 1_000_000 / budget.look(Moment(clock.0), clock.1).as_micros() as u64;
            rates.push(rate);
        }
        rates
    }

    #[test]
    fn pictures_are_fewer_while_they_cost_too_much_and_as_many_as_before_when_it_is_quiet() {
        let (mut budget, mut clock) = (Budget::new(20, 16), (7_000, Duration::from_secs(3)));
        // 16 pictures of 50 ms are 80 %: four times too much.
        let busy = seconds(&mut budget, &mut clock, &[(50, 0); 5]);
        assert_eq!(busy, [4; 5]);
        // All the same, there is one a second.
        assert_eq!(seconds(&mut budget, &mut clock, &[(900, 0); 3]), [1; 3]);
        assert_eq!(seconds(&mut budget, &mut clock, &[(0, 1); 6]), [2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn what_is_within_its_share_is_left_alone() {
        let (mut budget, mut clock) = (Budget::new(50, 10), (0, Duration::ZERO));
        assert_eq!(seconds(&mut budget, &mut clock, &[(50, 0), (10, 0), (40, 80)]), [10; 3]);
        // Nothing is made of two looks within a moment.
        let before = budget.look(Moment(clock.0), clock.1);
        assert_eq!(budget.look(Moment(clock.0 + 1_000), clock.1 + Duration::from_secs(1)), before);
    }

    #[test]
    fn a_whole_core_is_no_limit() {
        let (mut budget, mut clock) = (Budget::new(100, 15), (0, Duration::ZERO));
        assert_eq!(seconds(&mut budget, &mut clock, &[(66, 100); 3]), [15; 3]);
    }

    #[cfg(unix)]
    #[test]
    fn the_clock_is_that_of_the_thread() {
        while taken() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let another = std::thread::spawn(taken).join().expect("it ends");
        assert!(another < taken(), "{another:?} of a thread that has done nothing");
    }
}
