//! Guessing passwords takes ever longer: for an account, whoever tries, and for an address, whatever it tries.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Hash, secret};
use crate::platform::users::UserError;

/// How many attempts may fail before the next has to wait.
const FREE_PER_ACCOUNT: u32 = 5;
/// More than for an account: many people may share an address.
const FREE_PER_ADDRESS: u32 = 20;
/// The longest wait. An account can be kept from signing in with its password for this long; tokens go on.
const LONGEST: Duration = Duration::from_secs(300);
/// After this time without an attempt, those that failed are forgotten.
const MEMORY: Duration = Duration::from_secs(1800);
/// The most accounts and addresses that are remembered.
const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// The hash of the name, which may be any text.
    Account(Hash),
    /// Of IPv6 the network of 64 bits, which one customer has.
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    failed: u32,
    last: Instant,
    not_before: Instant,
}

/// What was tried lately.
#[derive(Debug, Default, Clone)]
pub(in crate::platform) struct Throttle(Arc<Mutex<HashMap<Key, Entry>>>);

/// An attempt that counts as failed until it is said that it did not.
#[derive(Debug)]
pub struct Attempt {
    throttle: Throttle,
    keys: [Option<Key>; 2],
}

impl Attempt {
    /// The password was right: the account's failures are forgotten, and this one of the address.
    pub(in crate::platform) fn succeeded(self) {
        let mut entries = self.throttle.entries();
        for key in self.keys.into_iter().flatten() {
            match key {
                Key::Account(_) => drop(entries.remove(&key)),
                Key::Address(_) => {
                    if let Some(entry) = entries.get_mut(&key) {
                        entry.failed = entry.failed.saturating_sub(1);
                    }
                }
            }
        }
    }
}

impl Throttle {
    /// Begins an attempt, or says how long to wait. It is counted at once, so that many at the same time are many.
    pub(in crate::platform) fn begin(
        &self,
        account: &str,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<Attempt, UserError> {
        let account = Key::Account(secret::hash(account));
        let address = address.map(|address| Key::Address(network(address)));
        let keys = [Some(account), address];
        let mut entries = self.entries();
        let wait = keys.iter().flatten().filter_map(|key| {
            let entry = entries.get(key).filter(|entry| now.duration_since(entry.last) < MEMORY)?;
            Some(entry.not_before.saturating_duration_since(now))
        });
        let wait = wait.max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(UserError::Throttled { seconds: wait.as_secs() + 1 });
        }
        for key in keys.into_iter().flatten() {
            make_room(&mut entries, &key, now);
            let free = if matches!(key, Key::Account(_)) { FREE_PER_ACCOUNT } else { FREE_PER_ADDRESS };
            let entry = entries.entry(key).or_insert(Entry { failed: 0, last: now, not_before: now });
            let quiet = now.duration_since(entry.last);
            if quiet >= MEMORY {
                entry.failed = 0;
            } else if matches!(key, Key::Address(_)) {
                // Where many people are, some mistype: one of them is forgotten each minute.
                let forgotten = u32::try_from(quiet.as_secs() / 60).unwrap_or(u32::MAX);
                entry.failed = entry.failed.saturating_sub(forgotten);
            }
            entry.failed = entry.failed.saturating_add(1);
            entry.last = now;
            entry.not_before = now + penalty(entry.failed, free);
        }
        Ok(Attempt { throttle: self.clone(), keys })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 1 s, 2 s, 4 s and so on from the last free attempt on.
fn penalty(failed: u32, free: u32) -> Duration {
    match failed.checked_sub(free) {
        None => Duration::ZERO,
        Some(beyond) => {
            LONGEST.min(Duration::from_secs(1_u64.checked_shl(beyond.min(32)).unwrap_or(u64::MAX)))
        }
    }
}

/// Whoever tries many names has the oldest of them forgotten, but not one that has to wait: those stay as long as others are there.
fn make_room(entries: &mut HashMap<Key, Entry>, key: &Key, now: Instant) {
    if entries.len() < MAX_ENTRIES || entries.contains_key(key) {
        return;
    }
    entries.retain(|_, entry| now.duration_since(entry.last) < MEMORY);
    if entries.len() < MAX_ENTRIES {
        return;
    }
    // A tenth at once: the look at all of them is not for each attempt.
    let mut order: Vec<_> = entries.iter().map(|(key, entry)| (entry.not_before, entry.last, *key)).collect();
    order.sort_unstable_by_key(|(not_before, last, _)| (*not_before, *last));
    for (_, _, key) in order.into_iter().take(MAX_ENTRIES / 10) {
        entries.remove(&key);
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn wait(result: Result<Attempt, UserError>) -> u64 {
        match result {
            Ok(_) => 0,
            Err(UserError::Throttled { seconds }) => seconds,
            Err(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_wait_of_an_account_doubles_whoever_tries_and_ends() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for n in 0..5 {
            assert_eq!(wait(throttle.begin("ada", address(n), start)), 0, "{n}");
        }
        assert_eq!(wait(throttle.begin("ada", address(9), start)), 2, "1 s, rounded up");
        assert_eq!(wait(throttle.begin("grace", address(9), start)), 0, "another account");
        let later = start + Duration::from_secs(1);
        assert_eq!(wait(throttle.begin("ada", address(9), later)), 0);
        assert_eq!(wait(throttle.begin("ada", address(9), later)), 3, "2 s, rounded up");
        assert_eq!(wait(throttle.begin("ada", address(9), later + MEMORY)), 0);
    }

    #[test]
    fn a_right_password_forgets_the_wrong_ones() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..4 {
            assert_eq!(wait(throttle.begin("ada", None, now)), 0);
        }
        throttle.begin("ada", None, now).expect("not yet").succeeded();
        assert_eq!(wait(throttle.begin("ada", None, now)), 0);
    }

    #[test]
    fn an_address_waits_whichever_names_it_tries() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..20 {
            assert_eq!(wait(throttle.begin(&format!("name{n}"), address(1), now)), 0, "{n}");
        }
        assert!(wait(throttle.begin("other", address(1), now)) > 0);
        assert_eq!(wait(throttle.begin("other", address(2), now)), 0);
    }

    #[test]
    fn many_names_take_bounded_memory_and_forget_nobody_who_waits() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..8 {
            let _ = throttle.begin("ada", None, now);
        }
        for n in 0..3 * MAX_ENTRIES {
            assert_eq!(wait(throttle.begin(&n.to_string(), None, now)), 0);
        }
        assert!(throttle.entries().len() <= MAX_ENTRIES);
        assert!(wait(throttle.begin("ada", None, now)) > 0);
    }
}
