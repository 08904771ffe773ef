//! The keys of an issuer somewhere else: fetched, kept and renewed.
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
mod jitter;
mod refresh;
mod refresher;
#[cfg(feature = "reqwest")]
mod reqwest_fetch;
mod resolve;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod url;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use ::url::Url;
use arc_swap::ArcSwapOption;

use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::key::{KeyRequest, KeySet, KeySource, Refreshing, Resolution, VerificationKey};
use crate::metrics;
use absent::AbsentKeys;
use caching::Headers;
use fetch::{Client, FetchError};
use flight::Flight;
use freshness::{Decision, Lifetime, Lookup, Reason};
use history::{Progress, Record};
use refresher::Refresher;
use resolve::{OwnedRequest, Place, Step, resolve_fetching};
use status::KeySetStatus;

pub(crate) use freshness::Limits;
#[cfg(feature = "reqwest")]
pub use reqwest_fetch::ReqwestFetch;

/// Where an issuer's keys are.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// In the metadata that the issuer publishes below its own URL.
    Discovered {
        /// The issuer, as the tokens spell it.
        issuer: String,
        /// The metadata's own place, if it is not below that.
        metadata: Option<Url>,
    },
    /// At a fixed place.
    Fixed(Url),
    /// In a file.
    File(PathBuf),
}

impl Location {
    /// The URL that somebody wrote into a setting; what comes of it may lead elsewhere.
    pub(crate) fn configured_url(&self) -> Option<Url> {
        match self {
            Self::Discovered { metadata: Some(url), .. } | Self::Fixed(url) => Some(url.clone()),
            Self::Discovered { issuer, metadata: None } => Url::parse(issuer).ok(),
            Self::File(_) => None,
        }
    }
}

/// What a remote key set is told at its making.
pub(crate) struct Config {
    pub(crate) location: Location,
    pub(crate) allowed: Vec<Algorithm>,
    pub(crate) limits: Limits,
    pub(crate) max_keys: usize,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The keys of an issuer, fetched over HTTP and kept for a configured time. Clones share the keys.
#[derive(Clone)]
pub(crate) struct RemoteKeySet(Arc<Inner>);

struct Inner {
    config: Config,
    snapshot: ArcSwapOption<Snapshot>,
    record: Record,
    absent: AbsentKeys,
    waiting_for_unknown: AtomicUsize,
    refresher: Refresher,
}

/// A key set, as the last good fetch left it.
struct Snapshot {
    keys: KeySet,
    /// When that fetch began, by the monotonic clock.
    fetched_at: Duration,
    lifetime: Lifetime,
    headers: Headers,
    /// Counts the sets, not the fetches: a 304 brings no new one.
    generation: u64,
}

impl RemoteKeySet {
    pub(crate) fn new(config: Config) -> Self {
        let limits = &config.limits;
        metrics::withdrawal_bounds(
            &config.location.to_string(),
            limits.withdrawal_bound(),
            limits.withdrawal_bound_in_outage(),
        );
        Self(Arc::new(Inner {
            absent: AbsentKeys::new(config.limits.cooldown),
            config,
            snapshot: ArcSwapOption::empty(),
            record: Record::default(),
            waiting_for_unknown: AtomicUsize::new(0),
            refresher: Refresher::default(),
        }))
    }
}

impl KeySource for RemoteKeySet {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution {
        let inner = &self.0;
        let now = inner.config.clock.monotonic();
        match inner.look_up(wanted, None, now, Arc::clone) {
            Step::Answer(answer) => Resolution::Ready(answer),
            Step::Fetch(reason) => match Place::take(inner, reason) {
                Some(place) => {
                    let wanted = OwnedRequest::from(wanted);
                    Resolution::Pending(Box::pin(resolve_fetching(place, wanted, reason, now)))
                }
                None => Resolution::Ready(Err(inner.unavailable(Duration::from_secs(1)))),
            },
        }
    }

    /// Through the same table as [`resolve`](Self::resolve), so that tokens that were seen before
    /// keep the set fresh, and are refused with it.
    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        let now = self.0.config.clock.monotonic();
        let step = self.0.look_up(wanted, None, now, |current| current.is_same(key));
        matches!(step, Step::Answer(Ok(true)))
    }

    fn status(&self) -> Option<KeySetStatus> {
        Some(self.0.status())
    }

    fn refresh(&self) -> Refreshing<'_> {
        Box::pin(async { self.0.start_or_join()?.landed().await })
    }
}

impl Inner {
    /// The flight under way, or a new one if there is still reason for it: a request that waited
    /// before it got here must not spend what another has spent meanwhile.
    fn join(self: &Arc<Self>, reason: Reason) -> Result<Option<Flight>, FetchError> {
        let now = self.config.clock.monotonic();
        let mut progress = self.record.progress();
        if let Some(flight) = self.record.under_way(&mut progress, now) {
            return Ok(Some(flight));
        }
        let lookup = if reason == Reason::Due { Lookup::Hit } else { Lookup::Miss };
        let snapshot = self.snapshot.load();
        let set = snapshot.as_ref().map(|snapshot| (snapshot.age(now), snapshot.lifetime));
        let history = self.record.history(now);
        let still = freshness::decide(lookup, set, &self.config.limits, history);
        if still != Decision::Fetch(reason) {
            return Ok(None);
        }
        if reason == Reason::UnknownKey {
            self.record.last_miss.set(Some(now));
        }
        self.start(&mut progress, now).map(Some)
    }

    /// The flight under way, or a new one in any case.
    fn start_or_join(self: &Arc<Self>) -> Result<Flight, FetchError> {
        let now = self.config.clock.monotonic();
        let mut progress = self.record.progress();
        match self.record.under_way(&mut progress, now) {
            Some(flight) => Ok(flight),
            None => self.start(&mut progress, now),
        }
    }

    /// Starts a fetch that nobody waits for, unless one is under way or being started.
    fn refresh_meanwhile(self: &Arc<Self>) {
        let now = self.config.clock.monotonic();
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
        if self.config.limits.renews_ahead() {
            self.refresher.keep_running(self);
        }
        let number = progress.flights + 1;
        let (inner, deadline) = (self.clone(), self.config.limits.fetch_timeout);
        let fetch = async move { inner.fetch(number, began).await };
        let flight = Flight::start(began, deadline, fetch)?;
        progress.flights = number;
        progress.flight = Some(flight.clone());
        self.record.flight_began.set(Some(began));
        Ok(flight)
    }
}

impl Snapshot {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.fetched_at)
    }

    fn is_fresh(&self, now: Duration) -> bool {
        self.age(now) < self.lifetime.ttl
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovered { issuer, .. } => f.write_str(issuer),
            Self::Fixed(url) => f.write_str(url.as_str()),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Debug for RemoteKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySet")
            .field("location", &self.0.config.location)
            .field("limits", &self.0.config.limits)
            .finish_non_exhaustive()
    }
}
