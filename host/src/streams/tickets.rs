//! What lets a browser's WebSocket in: it can send neither a header nor a body, and a token in an address is written into logs.
//! So a ticket is for one session, for a moment, and for one use.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::{hex::hex, platform::sessions::Caller};

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

/// Tickets that were not used yet, by their hash: what is here lets nobody in.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<HashMap<[u8; 32], Issued>>);

#[derive(Debug)]
struct Issued {
    session: String,
    caller: Caller,
    until: Instant,
}

impl Tickets {
    /// A ticket for whoever asked, to one session.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn issue(&self, session: &str, caller: Caller, now: Instant) -> Result<Ticket, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let secret = hex(&random);
        let issued = Issued { session: session.to_owned(), caller, until: now + LIFETIME };
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

    /// Who comes with this ticket to this session. A ticket that was shown is used up, also for another session.
    pub fn redeem(&self, secret: &str, session: &str, now: Instant) -> Option<Caller> {
        let issued = self.lock().remove(&hash(secret))?;
        (issued.session == session && issued.until > now).then_some(issued.caller)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Issued>> {
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
    fn a_ticket_is_for_one_session_one_use_and_a_moment() {
        let (tickets, start) = (Tickets::default(), now());
        let issue = || tickets.issue("s-1", Caller::administrator(), start).expect("random numbers").secret;
        let used = issue();
        assert!(tickets.redeem(&used, "s-1", start).is_some());
        assert!(tickets.redeem(&used, "s-1", start).is_none(), "twice");
        let other = issue();
        assert!(tickets.redeem(&other, "s-2", start).is_none(), "of another session");
        assert!(tickets.redeem(&other, "s-1", start).is_none(), "it was shown");
        assert!(tickets.redeem(&issue(), "s-1", start + LIFETIME).is_none(), "too late");
        assert!(tickets.redeem("", "s-1", start).is_none());
    }

    #[test]
    fn there_are_only_so_many() {
        let (tickets, start) = (Tickets::default(), now());
        let first = tickets.issue("s-1", Caller::administrator(), start).expect("random numbers");
        for n in 1..=MAX_TICKETS as u64 {
            let at = start + Duration::from_micros(n);
            tickets.issue("s-1", Caller::administrator(), at).expect("random numbers");
        }
        assert_eq!(tickets.lock().len(), MAX_TICKETS);
        assert!(tickets.redeem(&first.secret, "s-1", start).is_none(), "the oldest went");
    }
}
