//! The status of a key set.

use super::super::{Remote, Snapshot};
use super::Keys;
use crate::clock::Timestamp;
use crate::key::KeySet;
use crate::key_source::{Freshness, KeySetStatus};

impl Remote<Keys> {
    pub(super) fn freshness(&self) -> Freshness {
        let now = Timestamp::now(&*self.clock);
        self.snapshot.load().as_deref().map_or(Freshness::Unavailable, |set| set.freshness(now))
    }

    pub(in crate::remote) fn status(&self) -> KeySetStatus {
        let now = Timestamp::now(&*self.clock);
        let limits = &self.limits;
        let snapshot = self.snapshot.load_full();
        let set = snapshot.as_ref();
        let lifetime = set.map(|set| set.lifetime);
        KeySetStatus {
            location: self.document.location.to_string(),
            freshness: set.map_or(Freshness::Unavailable, |set| set.freshness(now)),
            age: set.map(|set| set.age(now)),
            ttl: lifetime.map(|lifetime| lifetime.ttl),
            last_error: self.record.last_error(),
            next_attempt: self.history(now).failure.map(|failure| failure.retry_in),
            is_kept: snapshot.as_ref().is_some_and(|snapshot| snapshot.kept_for.is_some()),
            keys: snapshot.as_ref().map_or(0, |snapshot| snapshot.kept.len()),
            skipped: snapshot.map_or_else(Vec::new, |snapshot| snapshot.kept.skipped().to_vec()),
            withdrawal_bound: limits.withdrawal_bound(),
            withdrawal_bound_in_outage: limits.withdrawal_bound_in_outage(),
        }
    }
}

impl Snapshot<KeySet> {
    fn freshness(&self, now: Timestamp) -> Freshness {
        match (self.age(now), self.lifetime) {
            (age, lifetime) if age < lifetime.ageing => Freshness::Fresh,
            (age, lifetime) if age < lifetime.ttl => Freshness::Ageing,
            (age, lifetime) if age < lifetime.end => Freshness::Stale,
            _ => Freshness::Unavailable,
        }
    }
}
