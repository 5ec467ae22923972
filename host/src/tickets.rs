//! What lets a browser's WebSocket in: it can send neither a header nor a body, and a token in an address is written into logs.
//! So a ticket is for one purpose, for a moment, and for one use.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// How long a ticket is good.
const LIFETIME: Duration = Duration::from_secs(30);
/// Most tickets that wait to be used. Beyond it the oldest go.
const MAX_TICKETS: usize = 10_000;

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
pub struct Tickets<C>(Mutex<HashMap<[u8; 32], Issued<C>>>);

#[derive(Debug)]
struct Issued<C> {
    /// What it lets into, such as a session's id.
    purpose: String,
    caller: C,
    until: Instant,
}

impl<C> Default for Tickets<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C> Tickets<C> {
    /// A ticket for whoever asked, for one purpose.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn issue(&self, purpose: &str, caller: C, now: Instant) -> Result<Ticket, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let secret = hex(&random);
        let issued = Issued { purpose: purpose.to_owned(), caller, until: now + LIFETIME };
        let mut tickets = self.lock();
        tickets.retain(|_, ticket| ticket.until > now);
        if tickets.len() >= MAX_TICKETS
            && let Some(oldest) = tickets.iter().min_by_key(|(_, ticket)| ticket.until).map(|(hash, _)| *hash)
        {
            tickets.remove(&oldest);
        }
        tickets.insert(hash(&secret), issued);
        Ok(Ticket { secret, lifetime: LIFETIME })
    }

    /// Who comes with this ticket for this purpose. A ticket that was shown is used up, also for another purpose.
    pub fn redeem(&self, secret: &str, purpose: &str, now: Instant) -> Option<C> {
        let issued = self.lock().remove(&hash(secret))?;
        (issued.purpose == purpose && issued.until > now).then_some(issued.caller)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Issued<C>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(secret: &str) -> [u8; 32] {
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
        let issue = || tickets.issue("s-1", (), start).expect("random numbers").secret;
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
    fn there_are_only_so_many() {
        let (tickets, start) = (Tickets::<()>::default(), now());
        let first = tickets.issue("s-1", (), start).expect("random numbers");
        for n in 1..=MAX_TICKETS as u64 {
            let at = start + Duration::from_micros(n);
            tickets.issue("s-1", (), at).expect("random numbers");
        }
        assert_eq!(tickets.lock().len(), MAX_TICKETS);
        assert!(tickets.redeem(&first.secret, "s-1", start).is_none(), "the oldest went");
    }
}
