//! Documents of an issuer somewhere else, first of all its keys: fetched, kept and renewed.
//!
//! A reader loads a snapshot and two or three numbers, all atomically, and is never blocked: what
//! it may do is decided from them in [`freshness`], and the one lock is taken only to start or
//! join a fetch, never across an await. Fetches happen in a task of their own, at most one at a
//! time ([`flight`]), so that a client that hangs up wastes nothing.

mod absent;
mod caching;
pub(crate) mod discovery;
pub(crate) mod fetch;
mod flight;
mod freshness;
mod history;
pub(crate) mod introspection;
mod jitter;
mod key_set;
mod refresh;
mod refresher;
#[cfg(feature = "reqwest")]
mod reqwest_fetch;
mod resolve;
pub(crate) mod standing;
pub(crate) mod status;
pub(crate) mod status_list;
#[cfg(test)]
mod tests;
pub(crate) mod url;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::clock::Clock;
use caching::Headers;
use fetch::{Client, FetchError};
use flight::Flight;
use freshness::{Decision, Lifetime, Lookup, Reason};
use history::{Progress, Record};
use refresh::Document;
use refresher::Refresher;

pub(crate) use freshness::Limits;
pub(crate) use key_set::{Config, Location, RemoteKeySet};
#[cfg(feature = "reqwest")]
pub use reqwest_fetch::ReqwestFetch;

/// A document, as it was last fetched, and everything about fetching it again.
pub(crate) struct Remote<D: Document> {
    document: D,
    limits: Limits,
    client: Client,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwapOption<Snapshot<D::Kept>>,
    record: Record,
    refresher: Refresher,
}

/// A document, as the last good fetch left it.
pub(crate) struct Snapshot<T> {
    kept: T,
    /// When that fetch began, by the monotonic clock.
    fetched_at: Duration,
    lifetime: Lifetime,
    headers: Headers,
    /// Counts the documents, not the fetches: a 304 brings no new one.
    generation: u64,
}

impl<T> Snapshot<T> {
    /// Whether it is another document than the one before, and not that one confirmed.
    fn is_modified(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| before.generation != self.generation)
    }
}

impl<D: Document> Remote<D> {
    fn new(document: D, limits: Limits, client: Client, clock: Arc<dyn Clock>) -> Self {
        let (snapshot, record, refresher) = Default::default();
        Self { document, limits, client, clock, snapshot, record, refresher }
    }

    /// The flight under way, or a new one if there is still reason for it: a request that waited
    /// before it got here must not spend what another has spent meanwhile.
    /// `ages` says what the document at hand is good for, by who asks.
    fn join(
        self: &Arc<Self>,
        reason: Reason,
        ages: impl FnOnce(&Snapshot<D::Kept>) -> Option<Lifetime>,
    ) -> Result<Option<Flight>, FetchError> {
        let now = self.clock.monotonic();
        let mut progress = self.record.progress();
        if let Some(flight) = self.record.under_way(&mut progress, now) {
            return Ok(Some(flight));
        }
        let lookup = if reason == Reason::Due { Lookup::Hit } else { Lookup::Miss };
        let snapshot = self.snapshot.load();
        let set = snapshot.as_ref().and_then(|snapshot| Some((snapshot.age(now), ages(snapshot)?)));
        let history = self.record.history(now);
        let still = freshness::decide(lookup, set, &self.limits, history);
        if still != Decision::Fetch(reason) {
            return Ok(None);
        }
        if reason == Reason::UnknownKey {
            self.record.last_miss.set(Some(now));
        }
        self.start(&mut progress, now).map(Some)
    }

    /// Of one fetch.
    fn deadline(&self) -> Duration {
        self.limits.fetch_timeout.saturating_add(self.document.patience())
    }

    /// The flight under way, or a new one in any case.
    fn start_or_join(self: &Arc<Self>) -> Result<Flight, FetchError> {
        let now = self.clock.monotonic();
        let mut progress = self.record.progress();
        match self.record.under_way(&mut progress, now) {
            Some(flight) => Ok(flight),
            None => self.start(&mut progress, now),
        }
    }

    /// Starts a fetch that nobody waits for, unless one is under way or being started.
    fn refresh_meanwhile(self: &Arc<Self>) {
        let now = self.clock.monotonic();
        let Some(mut progress) = self.record.try_progress() else { return };
        if self.record.under_way(&mut progress, now).is_none() {
            // Without a runtime there is nothing to start it on; who must wait is told so.
            let _ = self.start(&mut progress, now);
        }
    }

    fn start(
        self: &Arc<Self>,
        progress: &mut Progress,
        began: Duration,
    ) -> Result<Flight, FetchError> {
        if self.limits.renews_ahead() {
            self.refresher.keep_running(self);
        }
        let number = progress.flights + 1;
        let (remote, deadline) = (self.clone(), self.deadline());
        let fetch = async move { remote.fetch(number, began, deadline).await };
        let flight = Flight::start(number, began, deadline, fetch)?;
        progress.flights = number;
        progress.flight = Some(flight.clone());
        self.record.flight_began.set(Some(began));
        Ok(flight)
    }
}

impl<T> Snapshot<T> {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.fetched_at)
    }

    fn is_fresh(&self, now: Duration) -> bool {
        self.age(now) < self.lifetime.ttl
    }
}
