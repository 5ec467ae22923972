//! Who is known by which cookie or token: so that a request does not ask the database.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Hash;
use crate::{clock, routes::Caller};

/// The most cookies and tokens that are remembered. Beyond, some are asked for again.
const MAX_KNOWN: usize = 4096;
/// After this time the database is asked again. Changes are seen at once without it, unless the database said only later
/// that it made one.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// Who calls, and how that is known.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who.
    pub caller: Arc<Caller>,
    /// How.
    pub means: Means,
    /// What they proved it with, as its hash: whoever stays for long is asked for it again.
    pub(in crate::platform) hash: Hash,
}

impl Identity {
    /// Whoever has the administrator's token of the data folder.
    #[must_use]
    pub fn admin() -> Self {
        Self { caller: Caller::admin(), means: Means::AdminToken, hash: Hash::default() }
    }
}

/// What a caller proved with who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The administrator's token of the data folder.
    AdminToken,
    /// A token of an account.
    Token,
    /// A cookie.
    Cookie,
}

/// What is known by a cookie or token.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) identity: Identity,
    /// When it ends, whatever is done with it, in microseconds since 1970-01-01 UTC.
    pub(super) ends_us: u64,
    /// For how long it may be unused.
    pub(super) idle_us: u64,
    /// When it was used last.
    pub(super) seen_us: AtomicU64,
    /// What the database has of that.
    pub(super) noted_us: AtomicU64,
    pub(super) loaded_us: u64,
}

impl Entry {
    pub(super) fn is_alive(&self, now_us: u64) -> bool {
        let idle = now_us.saturating_sub(self.seen_us.load(Ordering::Relaxed));
        now_us < self.ends_us && idle < self.idle_us
    }

    /// Notes that it was used. Answers whether the database should be told, which is so once in `every`.
    pub(super) fn use_now(&self, now_us: u64, every_us: u64) -> bool {
        self.seen_us.fetch_max(now_us, Ordering::Relaxed);
        let noted = self.noted_us.load(Ordering::Relaxed);
        now_us.saturating_sub(noted) >= every_us
            && self.noted_us.compare_exchange(noted, now_us, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[derive(Debug, Default)]
struct Entries {
    by_hash: HashMap<Hash, Arc<Entry>>,
    /// Counts what was forgotten: what was read before is not remembered afterwards.
    epoch: u64,
}

/// Who is known by what.
#[derive(Debug, Default)]
pub(in crate::platform) struct Known(RwLock<Entries>);

impl Known {
    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Entry>> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_hash.get(hash)?;
        let fresh = clock::unix_time_us().abs_diff(entry.loaded_us) < clock::micros(FRESH_FOR);
        fresh.then(|| Arc::clone(entry))
    }

    /// Asked before the database is.
    pub(in crate::platform) fn epoch(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).epoch
    }

    /// Remembers what the database said since `epoch`, unless something was forgotten meanwhile.
    pub(super) fn remember(&self, hash: Hash, entry: &Arc<Entry>, epoch: u64) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.epoch != epoch {
            return;
        }
        if entries.by_hash.len() >= MAX_KNOWN {
            entries.by_hash.clear();
        }
        entries.by_hash.insert(hash, Arc::clone(entry));
    }

    /// Forgets one.
    pub(super) fn forget(&self, hash: &Hash) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.epoch += 1;
        entries.by_hash.remove(hash);
    }

    /// Forgets all: an account, a group or a token was changed.
    pub(in crate::platform) fn forget_all(&self) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.epoch += 1;
        entries.by_hash.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(now_us: u64) -> Arc<Entry> {
        Arc::new(Entry {
            identity: Identity { caller: Caller::nobody(), means: Means::Cookie, hash: Hash::default() },
            ends_us: now_us + 100,
            idle_us: 10,
            seen_us: AtomicU64::new(now_us),
            noted_us: AtomicU64::new(now_us),
            loaded_us: now_us,
        })
    }

    #[test]
    fn it_ends_when_it_is_unused_and_when_its_time_is_over() {
        let entry = entry(1000);
        assert!(entry.is_alive(1009) && !entry.is_alive(1010));
        for now in (1000..1100).step_by(5) {
            entry.use_now(now, 20);
        }
        assert!(entry.is_alive(1099) && !entry.is_alive(1100));
    }

    #[test]
    fn the_database_is_told_now_and_then() {
        let entry = entry(1000);
        let told: Vec<_> = (1000..1010).filter(|now| entry.use_now(*now, 4)).collect();
        assert_eq!(told, [1004, 1008]);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (known, entry) = (Known::default(), entry(clock::unix_time_us()));
        let epoch = known.epoch();
        known.forget_all();
        known.remember([1; 32], &entry, epoch);
        assert!(known.get(&[1; 32]).is_none());
        known.remember([1; 32], &entry, known.epoch());
        assert!(known.get(&[1; 32]).is_some());
        known.forget(&[1; 32]);
        assert!(known.get(&[1; 32]).is_none());
    }
}
