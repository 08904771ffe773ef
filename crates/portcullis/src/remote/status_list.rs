//! A status list of an issuer ([draft-ietf-oauth-status-list]), as a remote document.
//!
//! If the server supports waiting for a change ([RFC 7240 §4.3]), a changed list arrives as soon as
//! it changes; otherwise the server is polled. In both cases the age of a list counts from the
//! *request* that returned or confirmed it. The decision table for keys also decides how a list of
//! that age may be used.
//!
//! [draft-ietf-oauth-status-list]: https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
//! [RFC 7240 §4.3]: https://www.rfc-editor.org/rfc/rfc7240#section-4.3

mod bits;
mod standing;
mod token;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::budget::Budget;
use super::caching::Headers;
use super::freshness::{Ages, Lifetime, Limits};
use super::history::Moment;
use super::{Document, Remote, Snapshot, jitter};
use crate::claims::NumericDate;
use crate::clock::{Clock, Timestamp};
use crate::crypto::Algorithms;
use crate::duration::InSeconds;
use crate::fetch::{Client, FetchError, Kind};
use crate::key::VerificationKey;
use crate::key_source::{KeySource, ResolveError};
use crate::maybe_ready::MaybeReady;
use crate::metrics;
use crate::settings;
use crate::sync::Notify;
use token::List;
pub(crate) use token::MAX_TOKEN_BYTES;

/// The header in which a client asks a server to wait (RFC 7240).
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The minimum time between two fetches of a pushed list. A burst of revocations causes at most ten fetches
/// a second, not one per revocation.
const BREATH: Duration = Duration::from_millis(100);

/// The minimum time between two requests to a server that answers without long polling.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The time after its last use for which a list is refreshed.
pub(crate) const IDLE: Duration = Duration::from_secs(900);

/// How often the last use is recorded.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// The configuration of a remote status list.
pub(crate) struct Config {
    pub(crate) url: Url,
    /// The issuer, as spelled in the tokens.
    pub(crate) issuer: String,
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) algorithms: Algorithms,
    pub(crate) leeway: Duration,
    pub(crate) fetch_timeout: Duration,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A fetched and cached list. Clones share it.
#[derive(Clone)]
pub(crate) struct RemoteStatusList(Arc<Remote<StatusList>>);

/// The content of one version of a list, without its age.
pub(crate) struct Statuses(Arc<Snapshot<Arc<List>>>);

impl Statuses {
    pub(crate) fn version(&self) -> u64 {
        self.0.generation
    }

    /// Returns the status at `index`, where 0 is valid; `None` if the list is too short.
    pub(crate) fn get(&self, index: u64) -> Option<u8> {
        self.0.kept.bits.get(index)
    }
}

/// The location of a list, and how it is verified.
pub(crate) struct StatusList {
    url: Url,
    /// The same URL, as spelled in the tokens and in the list itself.
    uri: String,
    issuer: String,
    keys: Arc<dyn KeySource>,
    algorithms: Algorithms,
    leeway: Duration,
    /// The shortest maximum age of any route, in nanoseconds.
    shortest: AtomicU64,
    /// The longest maximum age of any route while the server is unreachable, in nanoseconds.
    longest: AtomicU64,
    /// The latest `iat` seen, in seconds. A list that is slightly older than the cached one is
    /// accepted, but it must not make an even older one acceptable.
    newest: AtomicU64,
    /// The time of the last use of the list, with a resolution of [`NOTED_EVERY`].
    asked_at: Moment,
}

impl RemoteStatusList {
    pub(crate) fn new(uri: &str, config: Config) -> Self {
        let limits = Limits {
            ttl: Duration::MAX,
            min_ttl: Duration::ZERO,
            // The list is refreshed by its own task.
            refresh_ahead: BREATH,
            max_stale: Duration::ZERO,
            obey_no_cache: false,
            cooldown: Duration::ZERO,
            fetch_timeout: config.fetch_timeout,
        };
        let list = StatusList {
            url: config.url,
            uri: uri.to_owned(),
            issuer: config.issuer,
            keys: config.keys,
            algorithms: config.algorithms,
            leeway: config.leeway,
            shortest: AtomicU64::new(u64::MAX),
            longest: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            asked_at: Moment::default(),
        };
        let budget = Budget::default();
        Self(Arc::new(Remote::new(list, limits, config.client, config.clock, budget)))
    }

    /// Returns whether the token at `index` is valid, from a list within `ages`.
    pub(crate) fn standing(&self, index: u64, ages: Ages) -> MaybeReady<Result<(), ResolveError>> {
        let remote = &self.0;
        remote.document.is_asked_for(ages);
        remote.document.asked_at.set(Some(remote.clock.monotonic()));
        remote.standing(index, ages)
    }

    /// Returns whether the token is valid without further checks. The list must be too young to be
    /// due for a refresh. It must also be signed with the token's own key, which the caller has
    /// just verified as current. Other cases need [`standing`](Self::standing).
    pub(crate) fn plainly_stands(
        &self,
        index: u64,
        ages: Ages,
        key: &VerificationKey,
        at: Timestamp,
    ) -> bool {
        let remote = &self.0;
        let snapshot = remote.snapshot.load();
        snapshot.as_deref().is_some_and(|set| {
            let age = set.age(at);
            age < remote.lifetime_for(ages).ageing
                && age < set.lifetime.end
                && remote.document.knows(ages)
                && set.kept.is_signed_with(key)
                && set.kept.bits.get(index) == Some(0)
        })
    }

    /// Notifies `listener` whenever the list has changed.
    pub(crate) fn notify(&self, listener: &Arc<Notify>) {
        self.0.listeners.add(listener);
    }

    /// Returns the version of the list and its statuses; `None` before the first fetch.
    pub(crate) fn statuses(&self) -> Option<Statuses> {
        self.0.snapshot.load_full().map(Statuses)
    }

    pub(crate) fn uri(&self) -> &str {
        &self.0.document.uri
    }

    /// Returns whether the last recorded use is older than [`NOTED_EVERY`].
    pub(crate) fn is_forgotten(&self, at: Duration) -> bool {
        let asked_at = self.0.document.asked_at.get();
        asked_at.is_none_or(|asked_at| at.saturating_sub(asked_at) >= NOTED_EVERY)
    }

    pub(crate) fn is_remembered(&self, at: Duration) {
        self.0.document.asked_at.set(Some(at));
    }

    pub(crate) fn status(&self) -> StatusListStatus {
        let remote = &self.0;
        let now = Timestamp::now(&*remote.clock);
        let snapshot = remote.snapshot.load_full();
        StatusListStatus {
            uri: remote.document.uri.clone(),
            age: snapshot.as_ref().map(|snapshot| snapshot.age(now)),
            bound: remote.document.shortest(),
            bound_in_outage: remote.document.longest(),
            statuses: snapshot.as_ref().map_or(0, |snapshot| snapshot.kept.bits.len()),
            pushed: snapshot.is_some_and(|snapshot| snapshot.lifetime.ageing == BREATH),
            last_error: remote.record.last_error(),
            next_attempt: remote.history(now).failure.map(|failure| failure.retry_in),
        }
    }
}

/// The state of the service's copy of a status list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatusListStatus {
    /// The URL of the list.
    pub uri: String,
    /// Time since the request that returned or confirmed the list. The list contains every revocation
    /// that was published before that request.
    pub age: Option<Duration>,
    /// How long a revoked token may still be accepted after the revocation was published, while the
    /// list can be fetched: the shortest maximum age of any route.
    pub bound: Duration,
    /// The same bound while the list cannot be fetched: the longest maximum age of any route.
    pub bound_in_outage: Duration,
    /// The number of tokens that the list has room for.
    pub statuses: usize,
    /// Whether the server reports changes immediately ([RFC 7240 §4.3]) or is polled.
    ///
    /// [RFC 7240 §4.3]: https://www.rfc-editor.org/rfc/rfc7240#section-4.3
    pub pushed: bool,
    /// The error of the last fetch, if it failed.
    pub last_error: Option<FetchError>,
    /// Time until the next attempt, while failures back off.
    pub next_attempt: Option<Duration>,
}

impl StatusList {
    /// Returns whether `list` is outdated. If the issuer has several servers, one may have signed
    /// its list up to a `ttl` earlier than another, and its clock may be behind by the leeway.
    fn is_older(&self, list: &List) -> bool {
        let tolerance = list.ttl.unwrap_or_default().saturating_add(self.leeway);
        let issued_at = list.issued_at.as_duration();
        let newest = self.newest.fetch_max(issued_at.as_secs(), Ordering::Relaxed);
        issued_at.saturating_add(tolerance) < Duration::from_secs(newest)
    }

    fn is_asked_for(&self, ages: Ages) {
        if !self.knows(ages) {
            self.shortest.fetch_min(nanos(ages.usual), Ordering::Relaxed);
            self.longest.fetch_max(nanos(ages.in_outage), Ordering::Relaxed);
            metrics::status_list_bounds(&self.issuer, self.shortest(), self.longest());
        }
    }

    /// Returns whether the recorded ages already cover `ages`.
    fn knows(&self, ages: Ages) -> bool {
        self.shortest.load(Ordering::Relaxed) <= nanos(ages.usual)
            && nanos(ages.in_outage) <= self.longest.load(Ordering::Relaxed)
    }

    fn shortest(&self) -> Duration {
        Duration::from_nanos(self.shortest.load(Ordering::Relaxed))
    }

    fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Ordering::Relaxed))
    }

    /// Returns the age of the list at its last possible use.
    fn age_in_use(&self, list: &Snapshot<Arc<List>>, now: Timestamp) -> Duration {
        list.age(now).min(self.longest())
    }

    /// Returns how long the server may delay its response. Two consecutive requests, including their
    /// response times, must fit into the shortest maximum age.
    fn wait(&self) -> Duration {
        let longest = Duration::from_secs(60);
        Duration::from_secs((self.shortest() / 3).min(longest).as_secs().max(1))
    }

    /// Returns the polling interval for a server that answers without long polling. The next
    /// response arrives before a request has to wait for it, and the list's own `ttl` is respected.
    fn interval(&self, list: &List) -> Duration {
        let spread = 1.0 - jitter::fraction() / 10.0;
        let half = (self.shortest() / 2).min(list.ttl.unwrap_or(Duration::MAX));
        half.min(Duration::from_secs(3600)).mul_f64(spread).max(MIN_INTERVAL)
    }
}

impl Document for StatusList {
    type Kept = Arc<List>;

    fn location(&self) -> String {
        self.uri.clone()
    }

    async fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<Arc<List>>>>,
        began: Timestamp,
        _: Duration,
    ) -> Result<Snapshot<Arc<List>>, FetchError> {
        let document = &remote.document;
        let url = &document.url;
        let now = NumericDate::from(remote.clock.now());
        // The request is conditional only if the cached list expires, because a server may keep a validator
        // although the list has changed.
        let held = at_hand
            .as_ref()
            .filter(|set| set.kept.expires_at.is_some() && set.kept.holds(document, now));
        let mut headers = held.map(|set| set.headers.conditions(url)).unwrap_or_default();
        let conditional = !headers.is_empty();
        if conditional {
            let wait = format!("wait={}", document.wait().as_secs());
            headers.extend(HeaderValue::try_from(wait).ok().map(|wait| (PREFER, wait)));
        }
        let answer = remote.client.get(url, Kind::StatusList, headers).await?;
        let now = NumericDate::from(remote.clock.now());
        let (list, generation, headers) = match (answer.status, held) {
            (StatusCode::OK, _) => {
                let problem =
                    |problem| FetchError::NotAStatusList { url: url.to_string(), problem };
                let list = document.verify(&answer.body, now).await.map_err(problem)?;
                // A stale copy from an upstream cache would undo revocations.
                if document.is_older(&list) {
                    return Err(problem("it is older than the list already in use".to_owned()));
                }
                let generation = at_hand.as_ref().map_or(0, |set| set.generation + 1);
                (Arc::new(list), generation, Headers::new(url.clone(), answer.headers.clone()))
            }
            (StatusCode::NOT_MODIFIED, Some(set)) if conditional => {
                // Keeps the validators of the cached list, regardless of those in the response, because
                // the next request is about that list.
                (set.kept.clone(), set.generation, set.headers.clone())
            }
            _ => {
                let now = remote.clock.now();
                return Err(answer.refused(url, settings::STATUS_LISTS, now));
            }
        };
        // The first conditional request, which needs an `ETag`, shows whether the server waits.
        let waits = if conditional {
            applied(&answer.headers)
        } else {
            list.expires_at.is_some() && !headers.conditions(url).is_empty()
        };
        let ageing = if waits { BREATH } else { document.interval(&list) };
        let left = |expiry: NumericDate| expiry.as_duration().saturating_sub(now.as_duration());
        let end = list.expires_at.map_or(Duration::MAX, left);
        let lifetime = Lifetime { ageing, ttl: Duration::MAX, end };
        let (fetched_at, to_keep, kept_for) = (began, None, None);
        Ok(Snapshot { kept: list, fetched_at, to_keep, kept_for, lifetime, headers, generation })
    }

    fn patience(&self) -> Duration {
        self.wait()
    }

    fn is_wanted(&self, now: Duration) -> bool {
        self.asked_at.get().is_some_and(|asked_at| now.saturating_sub(asked_at) < IDLE)
    }

    fn max_back_off(&self) -> Duration {
        (self.shortest() / 2).max(MIN_INTERVAL)
    }

    fn kept(
        remote: &Remote<Self>,
        set: &Snapshot<Arc<List>>,
        before: Option<&Snapshot<Arc<List>>>,
    ) {
        let StatusList { uri, issuer, .. } = &remote.document;
        let modified = set.is_modified(before);
        metrics::status_list_fetched(issuer, modified);
        if let Some(before) = before {
            let age = remote.document.age_in_use(before, Timestamp::now(&*remote.clock));
            metrics::revocation_age(issuer, age);
            // Every difference was published after the previous list was requested.
            if modified && set.kept.bits != before.kept.bits {
                metrics::revocation_lag(issuer, age);
            }
        }
        tracing::debug!(
            target: "portcullis::status_list",
            uri, modified, statuses = set.kept.bits.len(), age = %InSeconds(set.age(Timestamp::now(&*remote.clock))),
            "status list fetched",
        );
    }

    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError) {
        let StatusList { uri, issuer, .. } = &remote.document;
        metrics::status_list_failed(issuer);
        if let Some(list) = remote.snapshot.load().as_deref() {
            let age = remote.document.age_in_use(list, Timestamp::now(&*remote.clock));
            metrics::revocation_age(issuer, age);
        }
        tracing::warn!(
            target: "portcullis::status_list",
            uri, failures, back_off = %InSeconds(back_off), error = error as &dyn Error,
            "status list fetch failed",
        );
    }
}

/// Returns the age in nanoseconds, which saturates at about five centuries.
fn nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns whether the server says that it waited as requested (RFC 7240 §3).
fn applied(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(PREFERENCE_APPLIED).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|preference| {
        preference.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("wait"))
    })
}
