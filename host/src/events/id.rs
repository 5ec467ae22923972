//! Ids of events, and of requests: UUIDs of version 7 (RFC 9562), in the order in which they are made.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

use crate::clock;

/// Makes ids. Takes no lock and reads the clock once: one is made for every event.
///
/// After the milliseconds comes a counter (RFC 9562, 6.2, method 1, here of 42 bits and never reset), then random bits
/// that are the same for all ids of one host and tell hosts apart. Ids are names and no secrets.
#[derive(Debug)]
pub(crate) struct Ids {
    /// The milliseconds of the latest id: they never go back.
    millis: AtomicU64,
    counter: AtomicU64,
    random: [u8; 4],
}

/// Bits of the counter.
const COUNTER_BITS: u32 = 42;

impl Ids {
    pub(crate) fn new() -> Self {
        let random = Uuid::new_v4().into_bytes();
        let start = u64::from_be_bytes([0, 0, 0, random[0], random[1], random[2], random[3], random[4]]);
        Self {
            millis: AtomicU64::new(0),
            // Somewhere in the lower half, so that it takes long until it wraps.
            counter: AtomicU64::new(start),
            random: [random[10], random[11], random[12], random[13]],
        }
    }

    /// A new id, later than all before it, and the time that it was made at, microseconds since 1970-01-01 UTC.
    pub(crate) fn next(&self) -> (Uuid, u64) {
        let now = clock::unix_time_us();
        // A clock that is set back does not set the ids back.
        let millis = (now / 1000).max(self.millis.fetch_max(now / 1000, Ordering::Relaxed));
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) & ((1 << COUNTER_BITS) - 1);
        // 12 bits of it stand before the variant and 30 behind.
        let high = (counter >> 30) as u16;
        let low = (counter & 0x3fff_ffff) as u32;
        let [a, b] = high.to_be_bytes();
        let [c, d, e, f] = low.to_be_bytes();
        let [r0, r1, r2, r3] = self.random;
        (Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, r0, r1, r2, r3]).into_uuid(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_in_order() {
        let ids = Ids::new();
        let mut before = ids.next().0;
        for _ in 0..100_000 {
            let (id, _) = ids.next();
            assert_eq!(id.get_version_num(), 7);
            assert!(id > before, "{before} {id}");
            before = id;
        }
    }

    #[test]
    fn the_counter_wraps_without_losing_a_bit() {
        let ids = Ids::new();
        ids.counter.store((1 << 30) - 1, Ordering::Relaxed);
        let (last, next) = (ids.next().0, ids.next().0);
        assert!(next > last, "{last} {next}");
        assert_ne!(last, next);
    }
}
