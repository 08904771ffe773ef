//! Handles keys that were replaced under the same `kid`. A failed signature may be the first sign
//! of a replaced key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::{Flight, Remote};
use super::resolve::OwnedRequest;
use super::{Keys, RemoteKeySet};
use crate::clock::Timestamp;
use crate::key::{CandidateKeys, KeyRequest};
use crate::maybe_ready::MaybeReady;

/// The maximum number of concurrently waiting requests with a failed signature. It keeps places free for
/// other requests during a flood of forgeries.
const MAX_WAITERS: usize = 64;

/// The `kid`s for which the keys were fetched again, and the time of each such fetch. There is one fetch
/// per `kid` and cooldown. Tokens without `kid` count as one `kid`. Only `kid`s of keys in the set are
/// stored, so the number of keys bounds the entries.
#[derive(Default)]
pub(super) struct Retried {
    kids: Mutex<Vec<(Option<String>, Duration)>>,
    waiters: Arc<()>,
}

impl Retried {
    /// Records a fetch for `kid`, if there was none within the cooldown and `spend` allows it.
    fn note(
        &self,
        key_id: Option<&str>,
        now: Duration,
        cooldown: Duration,
        spend: impl FnOnce() -> bool,
    ) -> bool {
        let mut kids = self.kids.lock().unwrap_or_else(PoisonError::into_inner);
        kids.retain(|(_, at)| now.saturating_sub(*at) < cooldown);
        if kids.iter().any(|(retried, _)| retried.as_deref() == key_id) || !spend() {
            return false;
        }
        kids.push((key_id.map(str::to_owned), now));
        true
    }

    /// Returns a place among the waiting requests; `None` if all are taken.
    fn place(&self) -> Option<Arc<()>> {
        Some(self.waiters.clone()).filter(|place| Arc::strong_count(place) <= MAX_WAITERS + 1)
    }
}

impl RemoteKeySet {
    /// Implements [`KeySource::replaced`](crate::key_source::KeySource::replaced). A request joins
    /// a fetch in flight; a new fetch spends the budget for unknown `kid`s.
    pub(super) fn fetch_replaced(
        &self,
        wanted: &KeyRequest<'_>,
        tried: &CandidateKeys,
    ) -> MaybeReady<Option<CandidateKeys>> {
        let remote = &self.0;
        if let Some(others) = remote.others(wanted, tried) {
            return MaybeReady::Ready(Some(others));
        }
        let own = remote.document.retried.place();
        let Some((own, place)) = own.and_then(|own| Some((own, remote.line.place()?))) else {
            return MaybeReady::Ready(None);
        };
        let Some(flight) = remote.fetch_again(wanted.key_id) else {
            return MaybeReady::Ready(None);
        };
        let (remote, wanted, tried) = (remote.clone(), OwnedRequest::from(wanted), tried.clone());
        MaybeReady::pending(async move {
            let _held = own;
            let began_later = place.precedes(&flight);
            // A failed fetch leaves the keys unchanged.
            let _ = flight.landed().await;
            let others = remote.others(&wanted.borrow(), &tried);
            if others.is_some() || began_later {
                return others;
            }
            // The fetch began before the request, and possibly before the key was replaced.
            let _ = remote.fetch_again(wanted.borrow().key_id)?.landed().await;
            remote.others(&wanted.borrow(), &tried)
        })
    }
}

impl Remote<Keys> {
    /// Returns the keys for `wanted`, if they differ from `than`.
    fn others(&self, wanted: &KeyRequest<'_>, than: &CandidateKeys) -> Option<CandidateKeys> {
        let snapshot = self.snapshot.load();
        let candidates = snapshot.as_deref()?.kept.candidates(wanted).ok()?;
        CandidateKeys::of(&candidates).filter(|others| others != than)
    }

    fn fetch_again(self: &Arc<Self>, key_id: Option<&str>) -> Option<Flight> {
        let now = Timestamp::now(&*self.clock);
        let mut flights = self.line.lock();
        if let Some(flight) = self.under_way(&mut flights, now) {
            return Some(flight);
        }
        let cooldown = self.limits.cooldown;
        // While failed fetches back off, no such fetch starts.
        let is_allowed = self.history(now).failure.is_none()
            && self.document.retried.note(key_id, now.monotonic(), cooldown, || {
                self.budget.try_spend(now.monotonic(), cooldown)
            });
        is_allowed.then(|| self.start(&mut flights, now).ok())?
    }
}
