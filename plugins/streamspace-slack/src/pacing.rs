//! How fast messages go to one destination.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Slack takes one message a second and webhook (<https://docs.slack.dev/apis/web-api/rate-limits>).
const INTERVAL: Duration = Duration::from_secs(1);

/// How many messages may go at once after a pause. Slack tolerates short bursts without saying how long.
const BURST: u32 = 3;

const HOUR: Duration = Duration::from_secs(3600);

/// One message a second with a short burst, and so many in any hour.
#[derive(Debug)]
pub(crate) struct Pace {
    per_hour: usize,
    /// When the bucket would be full again: each message takes it one interval further.
    full_at: Option<Instant>,
    /// When the messages of the last hour were sent, the oldest first.
    sent: VecDeque<Instant>,
}

/// Why a message has to wait, and exactly how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The messages of this second.
    Second(Duration),
    /// The messages of this hour.
    Hour(Duration),
}

impl Pace {
    pub(crate) fn new(per_hour: usize) -> Self {
        Self { per_hour: per_hour.max(1), full_at: None, sent: VecDeque::new() }
    }

    /// Counts a message that is sent now, or says how long it has to wait; then nothing is counted.
    ///
    /// # Errors
    ///
    /// [`Wait`], the longest of the limits that hold.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Wait> {
        while self.sent.front().is_some_and(|sent| now.saturating_duration_since(*sent) >= HOUR) {
            self.sent.pop_front();
        }
        if self.sent.len() >= self.per_hour
            && let Some(oldest) = self.sent.front()
        {
            return Err(Wait::Hour(HOUR - now.saturating_duration_since(*oldest)));
        }
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        let missing = full_at - now;
        let tolerated = INTERVAL * (BURST - 1);
        if missing > tolerated {
            return Err(Wait::Second(missing - tolerated));
        }
        self.full_at = Some(full_at + INTERVAL);
        self.sent.push_back(now);
        Ok(())
    }

    /// Takes the last message admitted off the hour's account: it did not arrive. It stays on the second's, which is
    /// about requests.
    pub(crate) fn not_sent(&mut self) {
        self.sent.pop_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn a_burst_passes_and_then_one_a_second() {
        let mut pace = Pace::new(100);
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(pace.admit(start), Ok(()));
        }
        assert_eq!(pace.admit(start), Err(Wait::Second(seconds(1.0))));
        assert_eq!(pace.admit(start + seconds(0.25)), Err(Wait::Second(seconds(0.75))));
        assert_eq!(pace.admit(start + seconds(1.0)), Ok(()), "after exactly the wait that was told");
        assert_eq!(pace.admit(start + seconds(1.0)), Err(Wait::Second(seconds(1.0))));
    }

    #[test]
    fn a_pause_earns_one_burst_and_no_more() {
        let mut pace = Pace::new(100);
        let start = Instant::now();
        assert_eq!(pace.admit(start), Ok(()));
        let later = start + seconds(600.0);
        let passed = (0..10).take_while(|_| pace.admit(later).is_ok()).count();
        assert_eq!(passed, BURST as usize);
    }

    #[test]
    fn no_hour_has_more_than_its_messages() {
        let mut pace = Pace::new(20);
        let start = Instant::now();
        for n in 0..20 {
            assert_eq!(pace.admit(start + seconds(60.0 * f64::from(n))), Ok(()));
        }
        let now = start + seconds(1200.0);
        assert_eq!(pace.admit(now), Err(Wait::Hour(seconds(2400.0))));
        assert_eq!(pace.admit(now + seconds(2400.0)), Ok(()), "the first one is an hour old");
        assert_eq!(pace.admit(now + seconds(2400.0)), Err(Wait::Hour(seconds(60.0))));
    }

    #[test]
    fn what_did_not_arrive_does_not_use_up_the_hour() {
        let mut pace = Pace::new(1);
        let start = Instant::now();
        assert_eq!(pace.admit(start), Ok(()));
        pace.not_sent();
        assert_eq!(pace.admit(start + seconds(1.0)), Ok(()));
        assert_eq!(pace.admit(start + seconds(2.0)), Err(Wait::Hour(seconds(3599.0))));
    }

    #[test]
    fn a_wait_costs_nothing() {
        let mut pace = Pace::new(5);
        let start = Instant::now();
        let passed = (0..50).filter(|_| pace.admit(start).is_ok()).count();
        assert_eq!(passed, BURST as usize);
        assert_eq!(pace.admit(start + seconds(1.0)), Ok(()));
    }
}
