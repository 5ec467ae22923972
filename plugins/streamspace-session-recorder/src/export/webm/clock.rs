//! When there is a frame.

use super::screen::Change;
use crate::scene::Moment;

const SECOND: u64 = 1_000_000;

/// Where nothing changes, there is a frame this often.
const STILL: u64 = 5 * SECOND;

/// Where something changed since the last key frame, the next comes after this; and where nothing did.
const KEY: u64 = 10 * SECOND;
const STILL_KEY: u64 = 60 * SECOND;

/// How long the first frame, which is at 0, waits for the first picture.
const PATIENCE: u64 = SECOND;

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Moment,
    pub(super) key: bool,
}

/// Says when there is a frame, by what changes when.
#[derive(Debug)]
pub(super) struct Clock {
    fps: u64,
    /// When a frame is due because of a change.
    change: Option<u64>,
    /// When the last frame was; none before the first.
    last: Option<u64>,
    last_key: u64,
    /// Whether something changed since the last key frame.
    moved: bool,
    wants_key: bool,
}

impl Clock {
    pub(super) fn new(fps: u8) -> Self {
        Self { fps: fps.max(1).into(), change: None, last: None, last_key: 0, moved: false, wants_key: true }
    }

    /// The first moment for a frame that is not before `at`.
    fn moment(&self, at: u64) -> u64 {
        at.saturating_mul(self.fps).div_ceil(SECOND) * SECOND / self.fps
    }

    /// A scene changed the screen.
    pub(super) fn changed(&mut self, at: Moment, change: Change) {
        if change != Change::None && self.change.is_none() {
            self.change = Some(self.moment(at.0));
        }
        self.wants_key |= change == Change::All;
    }

    /// A frame that is due before `now`. Whatever happens at its very moment is still on it.
    pub(super) fn take(&mut self, now: Moment) -> Option<Due> {
        let still = match self.last {
            Some(last) => self.moment(last + STILL),
            None => PATIENCE,
        };
        let at = self.change.unwrap_or(still).min(still);
        (at < now.0).then(|| self.due(at))
    }

    /// The last frame, which the recording ends with, if it is not there yet.
    pub(super) fn last(&mut self, end: Moment) -> Option<Due> {
        // The last moment of a frame that is over then.
        let at = (end.0 * self.fps / SECOND).saturating_sub(1) * SECOND / self.fps;
        match self.last {
            None => Some(self.due(at)),
            Some(last) if at > last => Some(self.due(at)),
            // What changed after that is to be seen too, though it makes the video longer.
            Some(last) => self.change.is_some().then(|| self.due(self.moment(last + 1))),
        }
    }

    /// The end of the last frame.
    pub(super) fn end(&self) -> Moment {
        Moment(self.last.map_or(0, |last| last + SECOND / self.fps))
    }

    fn due(&mut self, at: u64) -> Due {
        self.moved |= self.change.take().is_some();
        let since = at - self.last_key.min(at);
        let key = std::mem::take(&mut self.wants_key) || since >= STILL_KEY || self.moved && since >= KEY;
        // The first picture is there from the beginning on.
        let at = if self.last.is_some() { at } else { 0 };
        if key {
            self.last_key = at;
            self.moved = false;
        }
        self.last = Some(at);
        Due { at: Moment(at), key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(clock: &mut Clock, until: u64) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| clock.take(Moment(until * 1_000)))
            .map(|due| (due.at.0 / 1_000, due.key))
            .collect()
    }

    #[test]
    fn changes_that_come_together_are_one_frame() {
        let mut clock = Clock::new(10);
        clock.changed(Moment(0), Change::All);
        assert_eq!(all(&mut clock, 1), [(0, true)]);
        for at in [110, 120, 199, 200] {
            clock.changed(Moment(at * 1_000), Change::Some);
        }
        // What happens at 200 ms may go on.
        assert_eq!(all(&mut clock, 200), []);
        assert_eq!(all(&mut clock, 201), [(200, false)]);
        clock.changed(Moment(300_001), Change::None);
        assert_eq!(all(&mut clock, 5_200), []);
        assert_eq!(all(&mut clock, 11_000), [(5_200, false), (10_200, true)]);
    }

    #[test]
    fn what_does_not_change_has_few_key_frames() {
        let mut clock = Clock::new(10);
        clock.changed(Moment(0), Change::All);
        let keys: Vec<_> =
            all(&mut clock, 200_000).into_iter().filter(|(_, key)| *key).map(|(at, _)| at).collect();
        assert_eq!(keys, [0, 60_000, 120_000, 180_000]);
    }

    #[test]
    fn the_first_frame_waits_for_the_first_picture() {
        let mut clock = Clock::new(10);
        assert_eq!(all(&mut clock, 730), []);
        clock.changed(Moment(730_000), Change::All);
        assert_eq!(all(&mut clock, 801), [(0, true)]);
        // But not for long.
        let mut clock = Clock::new(10);
        assert_eq!(all(&mut clock, 1_500), [(0, true)]);
        clock.changed(Moment(1_510_000), Change::All);
        assert_eq!(all(&mut clock, 2_000), [(1_600, true)]);
    }

    #[test]
    fn the_last_change_is_to_be_seen() {
        for (changed, wanted) in
            [(None, None), (Some(880), Some(900)), (Some(950), Some(1_000)), (Some(999), Some(1_000))]
        {
            let mut clock = Clock::new(10);
            clock.changed(Moment(0), Change::All);
            all(&mut clock, 1);
            clock.changed(Moment(900_000), Change::Some);
            if changed.is_none() || changed > Some(900) {
                assert_eq!(all(&mut clock, 901), [(900, false)]);
            }
            if let Some(at) = changed {
                clock.changed(Moment(at * 1_000), Change::Some);
            }
            let last = clock.last(Moment(1_000_000)).map(|due| due.at.0 / 1_000);
            assert_eq!(last, wanted, "{changed:?}");
        }
    }
}
