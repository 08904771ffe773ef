//! Rate limits for passwords, codes and client credentials, per account and per network.
//!
//! An attempt takes one of a budget before the check. A success returns it; failed ones come back
//! evenly over [`WINDOW`]. So a user's own logins never exceed the limit, and concurrent attempts
//! are counted before any of them has failed. Each process counts for itself.
//!
//! | attempt | account | network |
//! |---|---|---|
//! | a password without a session | the name | logins of the network |
//! | a token that a message delivered | none: it cannot be guessed | logins of the network |
//! | a password or a code within a session | the user | none: the session is proof |
//! | a client's credential that is right | none | none |
//! | a client's credential that is wrong | the client, after the check | clients of the network |
//!
//! Callers that prove themselves therefore cannot be locked out by wrong attempts of others from the
//! same address, such as a proxy's.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::clock::Clock;

use crate::clock::now_millis;
use crate::domain::audit::{Audit, EventKind};
use crate::domain::network::Network;
use crate::domain::peer::Peer;
use crate::error::Error;

/// The period of a budget, in milliseconds.
const WINDOW: u64 = 5 * 60 * 1000;

/// The number of accounts, and of networks, that are counted one by one. An entry goes only when all
/// its attempts have come back: a flood of names must not reset a count.
const COUNTED: usize = 100_000;

/// The number of counts that all others share, by a seeded hash, while that many are counted.
const SHARED: usize = 4096;

/// Rate limits for passwords, codes and the credentials of machine clients.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Keyed by name or id.
    accounts: Attempts,
    /// Logins, keyed by the peer's network.
    networks: Attempts,
    /// Failed authentications of machine clients, keyed by the peer's network.
    client_networks: Attempts,
    audit: Arc<Audit>,
}

impl Limits {
    /// Limits the attempts per account and per network. 0 is no limit.
    pub(crate) fn new(
        per_account: u32,
        per_network: u32,
        clock: &Arc<dyn Clock>,
        audit: Arc<Audit>,
    ) -> Self {
        let attempts = |limit| Attempts::new(limit, Arc::clone(clock));
        Self {
            accounts: attempts(per_account),
            networks: attempts(per_network),
            client_networks: attempts(per_network),
            audit,
        }
    }

    /// Takes an attempt at a password from both limits, before the check. Records the first
    /// rejected attempt.
    pub(crate) async fn take(&self, account: &str, peer: &Peer) -> Result<(), Error> {
        self.admit(self.take_of_network(peer).and_then(|()| self.accounts.take(account)), peer)
            .await
    }

    /// Returns the attempt after a success.
    pub(crate) fn give_back(&self, account: &str, peer: &Peer) {
        self.accounts.give_back(account);
        self.give_back_of_network(peer);
    }

    /// Takes an attempt at what needs no name, such as a token that a message delivered.
    pub(crate) fn take_of_network(&self, peer: &Peer) -> Result<(), Limited> {
        self.networks.take(&network_of(peer))
    }

    /// Returns the attempt after a success.
    pub(crate) fn give_back_of_network(&self, peer: &Peer) {
        self.networks.give_back(&network_of(peer));
    }

    /// Takes an attempt of an authenticated user at a password or a code. `account` must not be
    /// one of [`take`](Self::take): wrong logins in the user's name must not count here.
    pub(crate) async fn take_of_session(&self, account: &str, peer: &Peer) -> Result<(), Error> {
        self.admit(self.accounts.take(account), peer).await
    }

    /// Returns the attempt after a success.
    pub(crate) fn give_back_of_session(&self, account: &str) {
        self.accounts.give_back(account);
    }

    /// Counts a failed authentication of a machine client, whose id is known if there is one.
    pub(crate) fn take_of_failed_client(
        &self,
        client_id: Option<&str>,
        peer: &Peer,
    ) -> Result<(), Limited> {
        self.client_networks.take(&network_of(peer))?;
        client_id.map_or(Ok(()), |id| self.accounts.take(&format!("client {id}")))
    }

    async fn admit(&self, taken: Result<(), Limited>, peer: &Peer) -> Result<(), Error> {
        let Err(limited) = taken else { return Ok(()) };
        // Once: the log must not grow with each request of a rejected client.
        if limited.first {
            self.audit.record(&self.audit.event(EventKind::LoginLimited, peer)).await?;
        }
        Err(Error::Limited { retry_after_secs: limited.retry_after_secs })
    }
}

/// Why an attempt is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limited {
    /// When to come back.
    pub(crate) retry_after_secs: u64,
    /// Whether it is the first one that is refused since one was let through.
    pub(crate) first: bool,
}

/// The attempts at something of which there are many.
#[derive(Debug)]
struct Attempts {
    /// How much time one attempt takes up, in milliseconds; `None` switches the limit off.
    interval: Option<u64>,
    clock: Arc<dyn Clock>,
    taken: Mutex<Table>,
}

/// What was taken of each, in bounded memory.
#[derive(Debug, Default)]
struct Table {
    counted: HashMap<String, Taken>,
    shared: HashMap<usize, Taken>,
    /// When the entries that have come back were last dropped.
    swept_at: u64,
    hasher: RandomState,
}

impl Table {
    /// The entry of `what`.
    fn entry(&mut self, what: &str, now: u64) -> &mut Taken {
        if !self.counted.contains_key(what) && self.counted.len() >= COUNTED {
            // Not each time: the table is long.
            if self.swept_at + 1000 <= now {
                self.swept_at = now;
                self.counted.retain(|_, taken| taken.until > now);
            }
            if self.counted.len() >= COUNTED {
                #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
                let bucket = self.hasher.hash_one(what) as usize % SHARED;
                return self.shared.entry(bucket).or_default();
            }
        }
        self.counted.entry(what.to_owned()).or_default()
    }
}

/// The generic cell rate algorithm: time that is taken up already.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    until: u64,
    told: bool,
}

impl Attempts {
    /// So many at once, and as many again over [`WINDOW`]; any number if it is 0.
    fn new(limit: u32, clock: Arc<dyn Clock>) -> Self {
        let interval = (limit > 0).then(|| WINDOW / u64::from(limit));
        Self { interval, clock, taken: Mutex::default() }
    }

    /// Takes one attempt at `what`.
    fn take(&self, what: &str) -> Result<(), Limited> {
        let Some(interval) = self.interval else { return Ok(()) };
        let now = now_millis(&*self.clock);
        let mut table = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = table.entry(what, now);
        let until = taken.until.max(now) + interval;
        let over = until.saturating_sub(now + WINDOW);
        if over > 0 {
            let first = !std::mem::replace(&mut taken.told, true);
            return Err(Limited { retry_after_secs: over.div_ceil(1000), first });
        }
        *taken = Taken { until, told: false };
        Ok(())
    }

    /// Gives one back, that succeeded.
    fn give_back(&self, what: &str) {
        let Some(interval) = self.interval else { return };
        let now = now_millis(&*self.clock);
        let mut table = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = table.entry(what, now);
        taken.until = taken.until.saturating_sub(interval);
    }
}

/// Callers without an address have one count: a limit that is absent would be no protection.
fn network_of(peer: &Peer) -> String {
    peer.address.map_or_else(String::new, |address| Network::of_client(address).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis::testing::{ManualClock, NOW};

    use super::*;

    fn attempts(limit: u32) -> (Attempts, ManualClock) {
        let clock = ManualClock::at(NOW);
        (Attempts::new(limit, Arc::new(clock.clone())), clock)
    }

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let (attempts, clock) = attempts(3);
        for _ in 0..3 {
            attempts.take("alice").unwrap();
        }
        let limited = |first| Err(Limited { retry_after_secs: 100, first });
        assert_eq!(attempts.take("alice"), limited(true));
        assert_eq!(attempts.take("alice"), limited(false));
        attempts.take("bob").unwrap();
        clock.advance(Duration::from_millis(99_999));
        assert!(attempts.take("alice").is_err());
        clock.advance(Duration::from_millis(1));
        attempts.take("alice").unwrap();
        assert_eq!(attempts.take("alice"), limited(true));
        clock.advance(Duration::from_secs(100_000));
        for _ in 0..3 {
            attempts.take("alice").unwrap();
        }
        assert!(attempts.take("alice").is_err(), "more than there ever were");
    }

    #[test]
    fn what_succeeds_costs_nothing() {
        let (attempts, _) = attempts(2);
        for _ in 0..100 {
            attempts.take("alice").unwrap();
            attempts.give_back("alice");
        }
        attempts.give_back("nobody");
        for _ in 0..2 {
            attempts.take("alice").unwrap();
        }
        assert!(attempts.take("alice").is_err(), "one cannot save up");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let (attempts, _) = attempts(0);
        for _ in 0..10_000 {
            attempts.take("alice").unwrap();
        }
    }

    /// With moka instead of the table, the count of `alice` was lost.
    #[test]
    fn flood_of_names_resets_no_count_and_takes_bounded_memory() {
        let (attempts, clock) = attempts(3);
        let tries = |what: &str| (0..).take_while(|_| attempts.take(what).is_ok()).count();
        assert_eq!(tries("alice"), 3);
        for number in 0..COUNTED + 20_000 {
            let _ = attempts.take(&format!("name-{number}"));
        }
        assert_eq!(tries("alice"), 0);
        let sizes = || {
            let table = attempts.taken.lock().unwrap();
            (table.counted.len(), table.shared.len())
        };
        let (counted, shared) = sizes();
        assert!(counted == COUNTED && shared <= SHARED, "{counted} and {shared}");
        // New names share counts.
        assert!(tries("bob") <= 3);
        clock.advance(Duration::from_millis(WINDOW));
        assert_eq!((tries("carol"), tries("alice")), (3, 3));
        assert!(sizes().0 < 10, "what has come back is dropped");
    }
}
