//! What lets a browser's WebSocket in: it can send neither a header nor a body, and a token in an address is written into logs.
//! So a ticket is for one purpose, for a moment, and for one use.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// How long a ticket is good.
const LIFETIME: Duration = Duration::from_secs(30);
/// Most tickets of one account that wait to be used. A wall of desktops asks for fewer, and nobody can throw out others' with them.
const MAX_OF_ONE: usize = 100;
/// Most tickets that wait to be used. Beyond it the oldest go.
const MAX_TICKETS: usize = 10_000;

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// The account has as many as it may.
    #[error(
        "{MAX_OF_ONE} tickets of yours wait to be used, and there may be no more: use them, or ask again in {} s",
        LIFETIME.as_secs()
    )]
    TooMany,
    /// The system has no random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl TicketError {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMany => "SSP-TKT-001",
            Self::Random(_) => "SSP-API-500",
        }
    }

    /// After how many seconds there is room again, at the latest.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        matches!(self, Self::TooMany).then_some(LIFETIME.as_secs())
    }
}

/// A ticket, as it is handed out.
#[derive(Clone)]
pub struct Ticket {
    /// What is sent back: 64 letters and digits.
    pub secret: String,
    /// For how long it is good.
    pub lifetime: Duration,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

/// Tickets that were not used yet, by their hash: what is here lets nobody in. `C` is who comes with one.
#[derive(Debug)]
pub struct Tickets<C>(Mutex<Waiting<C>>);

type Hash = [u8; 32];

#[derive(Debug)]
struct Waiting<C> {
    by_hash: HashMap<Hash, Issued<C>>,
    /// All of them in the order in which they were issued, which is the one in which they end. So nothing is searched for.
    by_age: BTreeMap<u64, Hash>,
    /// How many each account has. Who has none is not in it.
    of: HashMap<String, usize>,
    last: u64,
}

#[derive(Debug)]
struct Issued<C> {
    number: u64,
    /// The account's id.
    account: String,
    /// What it lets into, such as a session's id.
    purpose: String,
    caller: C,
    until: Instant,
}

impl<C> Default for Tickets<C> {
    fn default() -> Self {
        Self(Mutex::new(Waiting {
            by_hash: HashMap::new(),
            by_age: BTreeMap::new(),
            of: HashMap::new(),
            last: 0,
        }))
    }
}

impl<C> Waiting<C> {
    fn take(&mut self, hash: &Hash) -> Option<Issued<C>> {
        let issued = self.by_hash.remove(hash)?;
        self.by_age.remove(&issued.number);
        if let Some(count) = self.of.get_mut(&issued.account) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&issued.account);
            }
        }
        Some(issued)
    }

    fn oldest(&self) -> Option<(Hash, Instant)> {
        let hash = *self.by_age.first_key_value()?.1;
        self.by_hash.get(&hash).map(|issued| (hash, issued.until))
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((hash, until)) = self.oldest()
            && until <= now
        {
            self.take(&hash);
        }
    }
}

impl<C> Tickets<C> {
    /// A ticket for whoever asked, with the account of that id, for one purpose.
    ///
    /// # Errors
    ///
    /// [`TicketError`].
    pub fn issue(
        &self,
        account: &str,
        purpose: &str,
        caller: C,
        now: Instant,
    ) -> Result<Ticket, TicketError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let secret = hex(&random);
        let hash = hash(&secret);
        let mut waiting = self.lock();
        waiting.forget_old(now);
        let has = waiting.of.get(account).copied().unwrap_or_default();
        if has >= MAX_OF_ONE {
            return Err(TicketError::TooMany);
        }
        if waiting.by_hash.len() >= MAX_TICKETS
            && let Some((oldest, _)) = waiting.oldest()
        {
            waiting.take(&oldest);
        }
        waiting.last += 1;
        let number = waiting.last;
        waiting.by_age.insert(number, hash);
        *waiting.of.entry(account.to_owned()).or_default() += 1;
        let (account, purpose) = (account.to_owned(), purpose.to_owned());
        waiting.by_hash.insert(hash, Issued { number, account, purpose, caller, until: now + LIFETIME });
        Ok(Ticket { secret, lifetime: LIFETIME })
    }

    /// Who comes with this ticket for this purpose. A ticket that was shown is used up, also for another purpose.
    pub fn redeem(&self, secret: &str, purpose: &str, now: Instant) -> Option<C> {
        let issued = self.lock().take(&hash(secret))?;
        (issued.purpose == purpose && issued.until > now).then_some(issued.caller)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_ticket_is_for_one_purpose_one_use_and_a_moment() {
        let (tickets, start) = (Tickets::<()>::default(), now());
        let issue = || tickets.issue("ada", "s-1", (), start).expect("a ticket").secret;
        let used = issue();
        assert!(tickets.redeem(&used, "s-1", start).is_some());
        assert!(tickets.redeem(&used, "s-1", start).is_none(), "twice");
        let other = issue();
        assert!(tickets.redeem(&other, "s-2", start).is_none(), "for another purpose");
        assert!(tickets.redeem(&other, "s-1", start).is_none(), "it was shown");
        assert!(tickets.redeem(&issue(), "s-1", start + LIFETIME).is_none(), "too late");
        assert!(tickets.redeem("", "s-1", start).is_none());
    }

    #[test]
    fn an_account_has_only_so_many_and_takes_nothing_from_others() {
        let (tickets, start) = (Tickets::<()>::default(), now());
        let issue = |account: &str, now| tickets.issue(account, "s-1", (), now).map(|ticket| ticket.secret);
        let bobs = issue("bob", start).expect("a ticket");
        let first = issue("ada", start).expect("a ticket");
        for _ in 1..MAX_OF_ONE {
            issue("ada", start).expect("a ticket");
        }
        assert!(matches!(issue("ada", start), Err(TicketError::TooMany)));
        assert!(issue("bob", start).is_ok(), "bob asked for few");
        assert!(tickets.redeem(&bobs, "s-1", start).is_some());
        // One that was used makes room, and so does time.
        assert!(tickets.redeem(&first, "s-1", start).is_some());
        assert!(issue("ada", start).is_ok());
        assert!(matches!(issue("ada", start), Err(TicketError::TooMany)));
        assert!(issue("ada", start + LIFETIME).is_ok());
        let waiting = tickets.lock();
        assert_eq!((waiting.by_hash.len(), waiting.by_age.len(), waiting.of.len()), (1, 1, 1));
    }

    #[test]
    fn there_are_only_so_many() {
        let (tickets, start) = (Tickets::<()>::default(), now());
        let first = tickets.issue("ada", "s-1", (), start).expect("a ticket");
        for n in 1..=MAX_TICKETS {
            let account = format!("account-{}", n / MAX_OF_ONE);
            tickets.issue(&account, "s-1", (), start).expect("a ticket");
        }
        let waiting = tickets.lock();
        assert_eq!((waiting.by_hash.len(), waiting.by_age.len()), (MAX_TICKETS, MAX_TICKETS));
        drop(waiting);
        assert!(tickets.redeem(&first.secret, "s-1", start).is_none(), "the oldest went");
    }
}
