//! A key that was replaced under its `kid`: a signature that does not hold may be the first sign.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::{Flight, Remote};
use super::resolve::OwnedRequest;
use super::{Keys, RemoteKeySet};
use crate::clock::Timestamp;
use crate::key::{CandidateKeys, KeyRequest};
use crate::maybe_ready::MaybeReady;

/// The maximum number of requests with a bad signature that wait at a time, so that forgeries leave
/// places to others.
const MAX_WAITERS: usize = 64;

/// The `kid`s for which the keys were fetched again, and when: one fetch per `kid` and cooldown.
/// Tokens without `kid` count as one. A `kid` stands here only if a key of the set has it, so that
/// there are never more than keys.
#[derive(Default)]
pub(super) struct Retried {
    kids: Mutex<Vec<(Option<String>, Duration)>>,
    waiters: Arc<()>,
}

impl Retried {
    /// Notes that keys are fetched for `kid`, if `spend` allows it and none were for a cooldown.
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

    /// A place among those who wait; `None` if all are taken.
    fn place(&self) -> Option<Arc<()>> {
        Some(self.waiters.clone()).filter(|place| Arc::strong_count(place) <= MAX_WAITERS + 1)
    }
}

impl RemoteKeySet {
    /// As [`KeySource::replaced`](crate::key_source::KeySource::replaced). A request joins a
    /// fetch that is under way; a new fetch spends the budget for unknown `kid`s.
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
            // A failure leaves the keys as they are.
            let _ = flight.landed().await;
            let others = remote.others(&wanted.borrow(), &tried);
            if others.is_some() || began_later {
                return others;
            }
            // It began before the request, perhaps before the key was replaced.
            let _ = remote.fetch_again(wanted.borrow().key_id)?.landed().await;
            remote.others(&wanted.borrow(), &tried)
        })
    }
}

impl Remote<Keys> {
    /// The keys for `wanted`, if they are others than those.
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
        // While fetches fail and back off, none is made for this.
        let is_allowed = self.history(now).failure.is_none()
            && self.document.retried.note(key_id, now.monotonic(), cooldown, || {
                self.budget.try_spend(now.monotonic(), cooldown)
            });
        is_allowed.then(|| self.start(&mut flights, now).ok())?
    }
}
