//! The number of requests that may wait for a status list to change: in total, without a client's
//! credential, and per client or address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::domain::network::Network;

/// The maximum number of waiting requests: half of the connections of one issuer process.
const ALL: usize = 448;

/// The maximum number of waiting requests without a client's credential. The remaining places are
/// reserved for verifiers that authenticate, so that anonymous requests cannot use them up.
const ANONYMOUS: usize = 256;

/// The maximum number of waiting requests of one IPv4 address or IPv6 /64.
const PER_ADDRESS: usize = 64;

/// The maximum number of waiting requests of one client, which may be a service with many
/// instances.
const PER_CLIENT: usize = 128;

/// The sender of a waiting request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Verifier {
    /// A machine client that has authenticated.
    Client(String),
    /// A verifier that has not authenticated, by its network. All verifiers with an unknown
    /// address, `None`, count together.
    Anonymous(Option<Network>),
}

impl Verifier {
    pub(crate) fn anonymous(address: Option<IpAddr>) -> Self {
        Self::Anonymous(address.map(Network::of_client))
    }
}

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    anonymous: usize,
    by_verifier: HashMap<Verifier, usize>,
}

/// A request that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Wait<'w> {
    waits: &'w Waits,
    verifier: Verifier,
}

impl Waits {
    /// Counts a request. Returns `None` if too many requests already wait.
    pub(super) fn begin(&self, verifier: Verifier) -> Option<Wait<'_>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_anonymous = matches!(verifier, Verifier::Anonymous(_));
        let limit = if is_anonymous { PER_ADDRESS } else { PER_CLIENT };
        let own = counts.by_verifier.get(&verifier).copied().unwrap_or_default();
        if counts.all >= ALL || own >= limit || (is_anonymous && counts.anonymous >= ANONYMOUS) {
            return None;
        }
        counts.all += 1;
        counts.anonymous += usize::from(is_anonymous);
        counts.by_verifier.insert(verifier.clone(), own + 1);
        Some(Wait { waits: self, verifier })
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut counts = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        counts.anonymous -= usize::from(matches!(self.verifier, Verifier::Anonymous(_)));
        if let Some(own) = counts.by_verifier.get_mut(&self.verifier) {
            *own -= 1;
            if *own == 0 {
                counts.by_verifier.remove(&self.verifier);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous(address: &str) -> Verifier {
        Verifier::anonymous(Some(address.parse().unwrap()))
    }

    fn waiting<'w>(waits: &'w Waits, verifier: &Verifier) -> Vec<Wait<'w>> {
        std::iter::from_fn(|| waits.begin(verifier.clone())).collect()
    }

    #[test]
    fn anonymous_requests_leave_places_for_clients_and_for_other_addresses() {
        let waits = Waits::default();
        let one = waiting(&waits, &anonymous("192.0.2.1"));
        assert_eq!(one.len(), PER_ADDRESS);
        let others: Vec<_> =
            (2..99).flat_map(|n| waiting(&waits, &anonymous(&format!("192.0.2.{n}")))).collect();
        assert_eq!(one.len() + others.len(), ANONYMOUS);
        assert!(waits.begin(Verifier::Anonymous(None)).is_none());
        let client = waiting(&waits, &Verifier::Client("api".to_owned()));
        assert_eq!(client.len(), PER_CLIENT);
        let more = waiting(&waits, &Verifier::Client("other".to_owned()));
        assert_eq!(more.len(), ALL - ANONYMOUS - PER_CLIENT);
    }

    #[test]
    fn place_of_an_answered_request_is_free_again() {
        let waits = Waits::default();
        drop(waiting(&waits, &anonymous("192.0.2.1")));
        drop(waiting(&waits, &Verifier::Client("api".to_owned())));
        let counts = waits.0.lock().unwrap();
        assert_eq!((counts.all, counts.anonymous, counts.by_verifier.len()), (0, 0, 0));
    }
}
