//! The way of one request through a remote key set: a look at the keys at hand, and, where that
//! does not settle it, a wait for a fetch and another look.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fetch::FetchError;
use super::freshness::{self, Decision, Lookup, Reason};
use super::key_set::Keys;
use super::{Document, Remote, Snapshot};
use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::key::{KeyRequest, KeySet, ResolveError, Selection, VerificationKey};

/// The most requests that wait at once to learn whether an unknown `kid` exists: whoever sends
/// tokens with random ones shall not fill the memory with them.
pub(super) const MAX_WAITING_FOR_UNKNOWN: usize = 1024;

/// Waits for a fetch, and looks again.
pub(super) async fn resolve_fetching(
    place: Place,
    wanted: OwnedRequest,
    mut reason: Reason,
    arrived: Duration,
) -> Result<Arc<VerificationKey>, ResolveError> {
    let inner = &place.inner;
    loop {
        // Time may have passed since the decision: `None` says that it is no longer the same.
        if let Some(flight) =
            inner.join(reason, |set| Some(set.lifetime)).map_err(|error| inner.failed(error))?
            && let Err(error) = flight.landed().await
        {
            return inner.answer_after_failure(&wanted.borrow(), error);
        }
        let now = inner.clock.monotonic();
        match inner.look_up(&wanted.borrow(), Some(arrived), now, Arc::clone) {
            Step::Answer(answer) => return answer,
            Step::Fetch(other) => reason = other,
        }
    }
}

/// What a look at the keys at hand comes to.
pub(super) enum Step<T> {
    Answer(Result<T, ResolveError>),
    Fetch(Reason),
}

impl Remote<Keys> {
    /// Looks at the keys at hand, without waiting for anything. `arrived` is when the token came,
    /// if that is a while ago; `found` is what to make of the key.
    pub(super) fn look_up<T>(
        self: &Arc<Self>,
        wanted: &KeyRequest<'_>,
        arrived: Option<Duration>,
        now: Duration,
        found: impl FnOnce(&Arc<VerificationKey>) -> T,
    ) -> Step<T> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_deref();
        let selection = snapshot.map_or(Selection::Absent, |snapshot| snapshot.kept.select(wanted));
        let set = snapshot.map(|snapshot| (snapshot.age(now), snapshot.lifetime));
        let absent = matches!(selection, Selection::Absent);
        if absent
            && let Some(snapshot) = snapshot.filter(|snapshot| snapshot.is_fresh(now))
            && self.is_certainly_absent(wanted, snapshot, arrived, now)
        {
            return Step::Answer(Err(ResolveError::Refused(TokenError::UnknownKey)));
        }
        let lookup = if absent { Lookup::Miss } else { Lookup::Hit };
        let decision = freshness::decide(lookup, set, &self.limits, self.record.history(now));
        if decision == Decision::UseAndRefresh {
            self.refresh_meanwhile();
        }
        match decision {
            Decision::Use | Decision::UseAndRefresh => Step::Answer(match selection {
                Selection::Key(key) => Ok(found(key)),
                Selection::Refused(error) => Err(ResolveError::Refused(error)),
                Selection::Absent => Err(ResolveError::Refused(TokenError::UnknownKey)),
            }),
            Decision::Wait { retry_after } => Step::Answer(Err(self.unavailable(retry_after))),
            Decision::Fetch(reason) => Step::Fetch(reason),
        }
    }

    /// Whether a fetch that began after the token was here has not brought its key; or a fetch a
    /// moment ago, for a token before it.
    fn is_certainly_absent(
        &self,
        wanted: &KeyRequest<'_>,
        snapshot: &Snapshot<KeySet>,
        arrived: Option<Duration>,
        now: Duration,
    ) -> bool {
        if arrived.is_some_and(|arrived| snapshot.fetched_at >= arrived) {
            self.document.absent.insert(wanted.key_id, snapshot.generation, now);
            return true;
        }
        self.document.absent.contains(wanted.key_id, snapshot.generation, now)
    }

    /// What the keys at hand are still good for when a fetch has failed.
    fn answer_after_failure(
        &self,
        wanted: &KeyRequest<'_>,
        error: FetchError,
    ) -> Result<Arc<VerificationKey>, ResolveError> {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load();
        let usable = snapshot.as_ref().filter(|snapshot| snapshot.age(now) < snapshot.lifetime.end);
        match usable.map(|snapshot| snapshot.kept.select(wanted)) {
            Some(Selection::Key(key)) => Ok(key.clone()),
            Some(Selection::Refused(error)) => Err(ResolveError::Refused(error)),
            Some(Selection::Absent) | None => Err(self.failed(error)),
        }
    }
}

impl<D: Document> Remote<D> {
    pub(super) fn failed(&self, error: FetchError) -> ResolveError {
        let retry_in = self.record.history(self.clock.monotonic()).retry_in;
        ResolveError::Unavailable { retry_after: retry_in.unwrap_or_default(), source: Some(error) }
    }

    pub(super) fn unavailable(&self, retry_after: Duration) -> ResolveError {
        // The cause is for the log; nobody waits for the lock to be told it.
        let source = self.record.try_progress().and_then(|progress| progress.last_error.clone());
        ResolveError::Unavailable { retry_after, source }
    }
}

/// A place among those who wait; given back when the request has its answer, or hangs up.
pub(super) struct Place {
    inner: Arc<Remote<Keys>>,
    counted: bool,
}

impl Place {
    pub(super) fn take(inner: &Arc<Remote<Keys>>, reason: Reason) -> Option<Self> {
        let place = Self { inner: inner.clone(), counted: reason == Reason::UnknownKey };
        if !place.counted {
            return Some(place);
        }
        let before = inner.document.waiting_for_unknown.fetch_add(1, Ordering::Relaxed);
        (before < MAX_WAITING_FOR_UNKNOWN).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.counted {
            self.inner.document.waiting_for_unknown.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A [`KeyRequest`] that outlives the request that it came with.
pub(super) struct OwnedRequest {
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl From<&KeyRequest<'_>> for OwnedRequest {
    fn from(wanted: &KeyRequest<'_>) -> Self {
        Self { key_id: wanted.key_id.map(str::to_owned), algorithm: wanted.algorithm }
    }
}

impl OwnedRequest {
    fn borrow(&self) -> KeyRequest<'_> {
        KeyRequest { key_id: self.key_id.as_deref(), algorithm: self.algorithm }
    }
}
