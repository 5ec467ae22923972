//! How fast a recording is played.

use std::time::Duration;

/// How fast a recording is played: 0.25 to 16 times.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Speed(f64);

impl Speed {
    /// As fast as it was recorded.
    pub const NORMAL: Self = Self(1.0);
    /// The slowest.
    pub const SLOWEST: Self = Self(0.25);
    /// The fastest.
    pub const FASTEST: Self = Self(16.0);

    /// So many times as fast as it was recorded; the slowest or the fastest if that is beyond. What is no number is
    /// [`Speed::NORMAL`].
    pub fn new(times: f64) -> Self {
        match times.is_nan() {
            true => Self::NORMAL,
            false => Self(times.clamp(Self::SLOWEST.0, Self::FASTEST.0)),
        }
    }

    /// How many times as fast as it was recorded.
    pub const fn times(self) -> f64 {
        self.0
    }

    /// Microseconds of the recording that pass in a time.
    pub(super) fn of(self, time: Duration) -> u64 {
        // Exact for as long as a recording can be: 2^53 µs are 285 years. What is beyond saturates.
        (time.as_micros() as f64 * self.0) as u64
    }

    /// The time in which microseconds of the recording pass.
    pub(super) fn time_of(self, micros: u64) -> Duration {
        Duration::from_micros((micros as f64 / self.0).ceil() as u64)
    }
}
