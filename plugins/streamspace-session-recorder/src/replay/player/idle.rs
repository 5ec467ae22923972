//! What is skipped: where nothing changes, and where nothing was recorded.

use std::time::Duration;

use super::{PlayError, Player, Span};
use crate::scene::{Moment, Source};

/// What is shown of a stretch that is skipped, in microseconds.
const SHORT: u64 = 500_000;
/// How long something must not have been recorded so that it is shortened, in microseconds.
const BLANK: u64 = 1_000_000;
/// For how long it is looked ahead at most, in microseconds.
const IDLE: u64 = 600_000_000;
impl<S: Source> Player<S> {
    /// From here on, skips stretches in which nothing changes for longer than this: a second to ten minutes. None skips
    /// nothing.
    pub fn skip_idle(&mut self, idle: Option<Duration>, now: Duration) {
        self.settle(now);
        self.idle = idle.map(|idle| idle.as_micros().clamp(BLANK.into(), IDLE.into()) as u64);
    }

    /// Reads on until it is known what changes next, or that nothing changes for so long that it is skipped.
    pub(super) fn look_ahead(&mut self) -> Result<(), PlayError<S::Error>> {
        while !self.end && !self.ahead.ends_visibly() && self.ahead.has_room() {
            if let Some(last) = self.ahead.last() {
                match self.patience() {
                    Some(patience) if last.0.saturating_sub(self.changed.0) <= patience => {}
                    _ => break,
                }
            }
            let at = self.ahead.last().unwrap_or(self.position);
            match self.source.next().map_err(|source| PlayError::Source { at, source })? {
                Some((at, scene)) => {
                    self.read = self.read.max(at);
                    self.ahead.put(at, &scene, &self.stage);
                }
                None => self.end = true,
            }
        }
        Ok(())
    }

    /// How long nothing may change until it is skipped.
    fn patience(&self) -> Option<u64> {
        match self.stage.blank {
            Some(_) => Some(BLANK),
            None => self.idle,
        }
    }

    /// What is to be skipped, as far as is known.
    pub(super) fn jump(&self) -> Option<Span> {
        let patience = self.patience()?;
        let to = match self.ahead.last() {
            None if self.end => self.length(),
            // Nothing comes behind it that changes anything.
            Some(_) if self.end && !self.ahead.ends_visibly() => self.length(),
            last => last?,
        };
        if to.0.saturating_sub(self.changed.0) <= patience {
            return None;
        }
        let short =
            Moment(self.changed.0.saturating_add(self.speed.of(Duration::from_micros(SHORT)).min(patience)));
        let from = short.max(self.position);
        (to > from).then_some(Span { from, to })
    }
}
