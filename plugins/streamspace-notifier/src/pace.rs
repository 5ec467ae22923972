//! How fast messages go to one destination.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// So many messages in any stretch of time: what a provider takes, or what an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Messages.
    pub count: u32,
    /// In any stretch of this length.
    pub window: Duration,
}

impl Limit {
    /// `count` messages in any stretch of `seconds`.
    #[must_use]
    pub const fn new(count: u32, seconds: u64) -> Self {
        Self { count, window: Duration::from_secs(seconds) }
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// When the next message may go.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Vec<Limit>,
    /// The operator's own limit: messages in any hour.
    per_hour: Option<u32>,
    /// When messages were sent, the oldest first; as far back as a limit looks.
    sent: VecDeque<Instant>,
    /// When those were sent that count for the operator's limit.
    counted: VecDeque<Instant>,
    /// The provider said that it takes nothing before.
    not_before: Option<Instant>,
}

/// Why a message has to wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The provider takes no more.
    Provider(Duration),
    /// The operator wants no more.
    Operator(Duration),
}

impl Pace {
    pub(crate) fn new(limits: &[Limit], per_hour: Option<u32>) -> Self {
        Self {
            limits: limits.to_vec(),
            per_hour,
            sent: VecDeque::new(),
            counted: VecDeque::new(),
            not_before: None,
        }
    }

    /// Counts a message that is sent now, or says how long it has to wait; then nothing is counted. One that is urgent neither
    /// heeds the operator's limit nor uses it up.
    ///
    /// # Errors
    ///
    /// [`Wait`]: the provider's, if both limits hold.
    pub(crate) fn admit(&mut self, now: Instant, urgent: bool) -> Result<(), Wait> {
        let longest = self.limits.iter().map(|limit| limit.window).max().unwrap_or_default();
        forget(&mut self.sent, now, longest);
        forget(&mut self.counted, now, HOUR);
        let held = self.not_before.map(|then| then.saturating_duration_since(now)).unwrap_or_default();
        let provider =
            self.limits.iter().map(|limit| wait(&self.sent, *limit, now)).fold(held, Duration::max);
        if !provider.is_zero() {
            return Err(Wait::Provider(provider));
        }
        if let Some(count) = self.per_hour.filter(|_| !urgent) {
            let operator = wait(&self.counted, Limit { count, window: HOUR }, now);
            if !operator.is_zero() {
                return Err(Wait::Operator(operator));
            }
            self.counted.push_back(now);
        }
        if !self.limits.is_empty() {
            self.sent.push_back(now);
        }
        Ok(())
    }

    /// Takes the message that was admitted last off the operator's account: it did not arrive. It stays on the provider's, which
    /// counts requests.
    pub(crate) fn not_sent(&mut self, urgent: bool) {
        if !urgent {
            self.counted.pop_back();
        }
    }

    /// Nothing more before `wait` is over.
    pub(crate) fn hold(&mut self, now: Instant, wait: Duration) {
        let then = now + wait;
        self.not_before = Some(self.not_before.map_or(then, |earlier| earlier.max(then)));
    }

    /// How long nothing may be sent because the provider said so.
    pub(crate) fn held(&self, now: Instant) -> Duration {
        self.not_before.map(|then| then.saturating_duration_since(now)).unwrap_or_default()
    }
}

fn forget(sent: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while sent.front().is_some_and(|sent| now.saturating_duration_since(*sent) >= window) {
        sent.pop_front();
    }
}

/// How long until one more is within `limit`.
fn wait(sent: &VecDeque<Instant>, limit: Limit, now: Instant) -> Duration {
    let count = limit.count.max(1) as usize;
    let Some(oldest) = sent.len().checked_sub(count).and_then(|oldest| sent.get(oldest)) else {
        return Duration::ZERO;
    };
    limit.window.saturating_sub(now.saturating_duration_since(*oldest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn every_window_of_the_provider_holds() {
        let mut pace = Pace::new(&[Limit::new(2, 1), Limit::new(3, 60)], None);
        let start = Instant::now();
        assert_eq!(pace.admit(start, false), Ok(()));
        assert_eq!(pace.admit(start, false), Ok(()));
        assert_eq!(pace.admit(start, false), Err(Wait::Provider(Duration::from_secs(1))));
        assert_eq!(pace.admit(after(start, 1), false), Ok(()));
        assert_eq!(pace.admit(after(start, 2), false), Err(Wait::Provider(Duration::from_secs(58))));
        assert_eq!(pace.admit(after(start, 60), false), Ok(()));
    }

    #[test]
    fn the_hour_is_the_operators_and_slides() {
        let mut pace = Pace::new(&[], Some(2));
        let start = Instant::now();
        assert_eq!(pace.admit(start, false), Ok(()));
        assert_eq!(pace.admit(after(start, 600), false), Ok(()));
        assert_eq!(pace.admit(after(start, 601), false), Err(Wait::Operator(Duration::from_secs(2999))));
        assert_eq!(pace.admit(after(start, 601), true), Ok(()), "what is urgent goes");
        assert_eq!(pace.admit(after(start, 3600), false), Ok(()), "and has not used it up");
        assert_eq!(pace.admit(after(start, 3601), false), Err(Wait::Operator(Duration::from_secs(599))));
    }

    #[test]
    fn what_did_not_arrive_is_not_counted_for_the_hour() {
        let mut pace = Pace::new(&[Limit::new(1, 1)], Some(1));
        let start = Instant::now();
        assert_eq!(pace.admit(start, false), Ok(()));
        pace.not_sent(false);
        assert_eq!(pace.admit(start, false), Err(Wait::Provider(Duration::from_secs(1))));
        assert_eq!(pace.admit(after(start, 1), false), Ok(()));
    }

    #[test]
    fn what_the_provider_says_is_heeded_and_never_shortened() {
        let mut pace = Pace::new(&[], None);
        let start = Instant::now();
        pace.hold(start, Duration::from_secs(30));
        pace.hold(start, Duration::from_secs(5));
        assert_eq!(pace.admit(after(start, 10), true), Err(Wait::Provider(Duration::from_secs(20))));
        assert_eq!(pace.admit(after(start, 30), true), Ok(()));
    }
}
