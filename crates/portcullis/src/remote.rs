//! Remote documents of an issuer, such as its keys: fetched, cached and refreshed.
//!
//! A reader atomically loads a snapshot and a few numbers, and never blocks. [`freshness`] decides
//! from these what the reader may do. The only lock is taken to start or join a fetch, and never
//! held across an await. Each fetch runs in its own task, at most one at a time
//! ([`single_flight`]), so a client that disconnects does not cancel it.

mod budget;
mod caching;
pub(crate) mod discovery;
pub(crate) mod freshness;
pub(crate) mod history;
pub(crate) mod introspection;
mod jitter;
mod kept;
mod key_set;
#[cfg(all(test, portcullis_loom))]
mod models;
mod refresh;
mod refresher;
pub(crate) mod single_flight;
pub(crate) mod status_list;
#[cfg(test)]
mod tests;
pub(crate) mod wait;
mod withdrawn;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::fetch::{Client, FetchError};
use crate::key_source::ResolveError;
use crate::listeners::Listeners;
use crate::sync::ArcSwapOption;
use crate::sync::atomic::Ordering;
use caching::Headers;
use freshness::{Decision, History, Lifetime, Lookup, Reason};
use history::Record;
use refresh::Document;
use refresher::Refresher;
use single_flight::{Deadline, Flights, Line, Place};
use wait::Question;

pub(crate) use budget::{Budget, IssuerBudgets};
pub(crate) use freshness::Limits;
pub(crate) use kept::Keeper;
pub use key_set::RemoteKeySet;
pub(crate) use key_set::{Config, Location};

/// A document as last fetched, and the state needed to fetch it again.
pub(crate) struct Remote<D: Document> {
    document: D,
    limits: Limits,
    client: Client,
    clock: Arc<dyn Clock>,
    budget: Budget,
    snapshot: ArcSwapOption<Snapshot<D::Kept>>,
    record: Record,
    refresher: Refresher,
    line: Line<()>,
    /// Notified when the document has changed.
    listeners: Listeners,
}

/// A fetch in flight. Its result is stored in the snapshot.
type Flight = single_flight::Flight<()>;

/// A document from the last successful fetch.
pub(crate) struct Snapshot<T> {
    kept: T,
    /// The time when that fetch began.
    fetched_at: Timestamp,
    /// The record to store for the next start.
    to_keep: Option<Arc<kept::Record>>,
    /// The age of the document at restore time, if it was kept from an earlier run.
    kept_for: Option<Duration>,
    lifetime: Lifetime,
    headers: Headers,
    /// Counts the versions of the document, not the fetches: an unchanged document keeps its
    /// number.
    generation: u64,
}

impl<T> Snapshot<T> {
    /// Returns whether the document differs from the previous one.
    fn is_modified(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| before.generation != self.generation)
    }
}

impl<D: Document> Remote<D> {
    fn new(
        document: D,
        limits: Limits,
        client: Client,
        clock: Arc<dyn Clock>,
        budget: Budget,
    ) -> Self {
        let (snapshot, record, refresher, line, listeners) = Default::default();
        Self {
            document,
            limits,
            client,
            clock,
            budget,
            snapshot,
            record,
            refresher,
            line,
            listeners,
        }
    }

    /// Returns the fetch history, as input for the decision table.
    fn history(&self, now: Timestamp) -> History {
        let budget_in = self.budget.wait(now.monotonic(), self.limits.cooldown);
        let covers_first = self.budget.covers_first_fetches();
        let first_in = if covers_first { budget_in } else { Duration::ZERO };
        History { budget_in, first_in, ..self.record.history(now.monotonic()) }
    }

    /// Joins the fetch in flight, or starts one if it is still needed. A request that waited before
    /// this point must not spend the budget again.
    fn join<Q: Question<D>>(
        self: &Arc<Self>,
        question: &Q,
    ) -> Result<Option<Flight>, ResolveError> {
        let now = Timestamp::now(&*self.clock);
        let mut flights = self.line.lock();
        if let Some(flight) = self.under_way(&mut flights, now) {
            return Ok(Some(flight));
        }
        let snapshot = self.snapshot.load();
        let usable = snapshot
            .as_deref()
            .and_then(|snapshot| Some((snapshot, question.lifetime(self, snapshot)?)));
        let has_answer =
            usable.is_some_and(|(snapshot, _)| question.ask(&snapshot.kept, now).is_some());
        let lookup = if has_answer { Lookup::Hit } else { Lookup::Miss };
        let set = usable.map(|(snapshot, lifetime)| (snapshot.age(now), lifetime));
        let decision = freshness::decide(lookup, set, &self.limits, self.history(now));
        let Decision::Fetch(reason) = decision else { return Ok(None) };
        let spends = match reason {
            Reason::UnknownKey => true,
            Reason::First => self.budget.covers_first_fetches(),
            Reason::Due => false,
        };
        // Issuers may share a budget, and a request for another issuer may have spent it.
        if spends && !self.budget.try_spend(now.monotonic(), self.limits.cooldown) {
            return Err(self.limited(question, self.history(now).budget_in));
        }
        self.start(&mut flights, now).map(Some).map_err(|error| self.failed(error))
    }

    /// Returns the deadline of one fetch.
    fn deadline(&self) -> Deadline {
        Deadline { url: self.document.location().into(), after: self.time_for_fetch() }
    }

    fn time_for_fetch(&self) -> Duration {
        self.limits.fetch_timeout.saturating_add(self.document.patience())
    }

    /// Joins the fetch in flight, or starts one unconditionally.
    fn start_or_join(self: &Arc<Self>) -> Result<Flight, FetchError> {
        let now = Timestamp::now(&*self.clock);
        let mut flights = self.line.lock();
        let flight = self.under_way(&mut flights, now);
        flight.map_or_else(|| self.start(&mut flights, now), Ok)
    }

    /// Joins or starts a fetch for a background refresh. If first fetches have a budget, only
    /// requests start them.
    fn renew(self: &Arc<Self>) -> Option<Flight> {
        let now = Timestamp::now(&*self.clock);
        let mut flights = self.line.lock();
        let flight = self.under_way(&mut flights, now);
        if self.budget.covers_first_fetches() && self.snapshot.load().is_none() {
            return flight;
        }
        flight.or_else(|| self.start(&mut flights, now).ok())
    }

    /// Starts a background fetch, unless one is in flight or being started.
    fn refresh_meanwhile(self: &Arc<Self>, now: Timestamp) {
        let Ok(mut flights) = self.line.flights.try_lock() else { return };
        if self.under_way(&mut flights, now).is_none() {
            // The start fails without a runtime. Requests that must wait get that error themselves.
            let _ = self.start(&mut flights, now);
        }
    }

    fn start(
        self: &Arc<Self>,
        flights: &mut Flights<()>,
        began: Timestamp,
    ) -> Result<Flight, FetchError> {
        if self.limits.renews_ahead() {
            self.refresher.keep_running(self);
        }
        let deadline = self.deadline();
        let within = deadline.clone();
        let fetch = |number| self.clone().fetch(number, began, within);
        let flight = flights.start(began.monotonic(), deadline, fetch)?;
        self.record.in_flight.store(true, Ordering::Release);
        Ok(flight)
    }

    /// Returns the fetch in flight if it may still succeed; otherwise, forgets it.
    fn under_way(&self, flights: &mut Flights<()>, now: Timestamp) -> Option<Flight> {
        flights.under_way(now.monotonic()).unwrap_or_else(|abandoned| {
            self.record.in_flight.store(false, Ordering::Release);
            self.record.progress().last_error = Some(abandoned);
            None
        })
    }
}

impl<T> Snapshot<T> {
    fn age(&self, now: Timestamp) -> Duration {
        now.since(self.fetched_at).saturating_add(self.kept_for.unwrap_or_default())
    }
}
