//! A status list of an issuer ([draft-ietf-oauth-status-list]), as one of the documents that are
//! fetched and kept.
//!
//! A list that its server renews while it is asked to wait ([RFC 7240 §4.3]) is known here as soon
//! as it changes; a server that does not wait is asked from time to time. Either way the list is
//! as old as the *question* that it, or "not modified", answered, and what it may be used for at
//! that age is decided in the table that decides it for keys.
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
use crate::algorithm::Algorithm;
use crate::claims::NumericDate;
use crate::clock::{Clock, Timestamp};
use crate::duration::InSeconds;
use crate::fetch::{Client, FetchError, Kind};
use crate::key::VerificationKey;
use crate::key_source::{KeySource, ResolveError};
use crate::maybe_ready::MaybeReady;
use crate::metrics;
use crate::settings;
use token::List;
pub(crate) use token::MAX_TOKEN_BYTES;

/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a list is left alone that its server renews by itself: under a storm of revocations it
/// comes ten times a second, not as often as somebody is logged out.
const BREATH: Duration = Duration::from_millis(100);

/// The least time between two questions to a server that does not wait.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// How long a list is renewed that nobody asks for.
pub(crate) const IDLE: Duration = Duration::from_secs(900);

/// How often it is noted that somebody does.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// What a list is told at its making.
pub(crate) struct Config {
    pub(crate) url: Url,
    /// The issuer, as the tokens spell it.
    pub(crate) issuer: String,
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) leeway: Duration,
    pub(crate) fetch_timeout: Duration,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A list, fetched and kept. Clones share it.
#[derive(Clone)]
pub(crate) struct RemoteStatusList(Arc<Remote<StatusList>>);

/// Where a list is, and how it is verified.
pub(crate) struct StatusList {
    url: Url,
    /// The same, as the tokens and the list itself spell it.
    uri: String,
    issuer: String,
    keys: Arc<dyn KeySource>,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    /// The shortest age that was asked for, in nanoseconds.
    shortest: AtomicU64,
    /// The longest that a route puts up with while the server can not be asked.
    longest: AtomicU64,
    /// The latest `iat` that was seen, in seconds: a list that is a little older than the one at hand
    /// may come, and must not open the way for one that is older still.
    newest: AtomicU64,
    /// When somebody last asked, to some [`NOTED_EVERY`].
    asked_at: Moment,
}

impl RemoteStatusList {
    pub(crate) fn new(uri: &str, config: Config) -> Self {
        let limits = Limits {
            ttl: Duration::MAX,
            min_ttl: Duration::ZERO,
            // Renewed by a task of its own.
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

    /// Whether the token at `index` stands, by a list that is not older than that.
    pub(crate) fn standing(&self, index: u64, ages: Ages) -> MaybeReady<Result<(), ResolveError>> {
        let remote = &self.0;
        remote.document.is_asked_for(ages);
        remote.document.asked_at.set(Some(remote.clock.monotonic()));
        remote.standing(index, ages)
    }

    /// Whether it is plain that the token stands: by a list that is young enough to be used without
    /// a thought of renewing it, and was signed with the same key as the token, of which its
    /// verifier has just said that it is a current one. What is not plain is
    /// [`standing`](Self::standing)'s to find out.
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

    pub(crate) fn uri(&self) -> &str {
        &self.0.document.uri
    }

    /// Whether it was not noted for a while that somebody asks for it.
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

/// How a status list is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatusListStatus {
    /// Its address.
    pub uri: String,
    /// Since it was asked for that brought or confirmed it: no revocation before that is missed.
    pub age: Option<Duration>,
    /// The longest that a revoked token is accepted after the revocation was published, while the
    /// list can be fetched: the shortest age that a route asks for.
    pub bound: Duration,
    /// The same while it can not be fetched: the longest age that a route puts up with.
    pub bound_in_outage: Duration,
    /// How many tokens have a place in it.
    pub statuses: usize,
    /// Whether its server tells of changes at once ([RFC 7240 §4.3]), or is asked from time to
    /// time.
    ///
    /// [RFC 7240 §4.3]: https://www.rfc-editor.org/rfc/rfc7240#section-4.3
    pub pushed: bool,
    /// What the last fetch failed of, if it did.
    pub last_error: Option<FetchError>,
    /// Until the next attempt, while failures back off.
    pub next_attempt: Option<Duration>,
}

impl StatusList {
    /// Whether `list` is not what its issuer says now. Of several servers one may be a `ttl` behind
    /// another with its signatures, and its clock a leeway.
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

    /// Whether somebody has asked for these, or for more.
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

    /// How old the list, as it was, had become for a request that was judged by it.
    fn age_in_use(&self, list: &Snapshot<Arc<List>>, now: Timestamp) -> Duration {
        list.age(now).min(self.longest())
    }

    /// How long a server is asked to wait: two questions in a row, with time for the answers, are
    /// no older than anybody asks for.
    fn wait(&self) -> Duration {
        let longest = Duration::from_secs(60);
        Duration::from_secs((self.shortest() / 3).min(longest).as_secs().max(1))
    }

    /// How long a list is left alone whose server does not wait: the next answer is there before
    /// anybody has to wait for it, and not later than the list itself demands.
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
        // Only what ends by itself: a server may keep a validator although the list is another one.
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
                // One that was kept somewhere on the way would undo revocations.
                if document.is_older(&list) {
                    return Err(problem("it is older than one that was there".to_owned()));
                }
                let generation = at_hand.as_ref().map_or(0, |set| set.generation + 1);
                (Arc::new(list), generation, Headers::new(url.clone(), answer.headers.clone()))
            }
            (StatusCode::NOT_MODIFIED, Some(set)) if conditional => {
                // Its own validators, whatever the answer names: the next question is about it, too.
                (set.kept.clone(), set.generation, set.headers.clone())
            }
            _ => {
                let now = remote.clock.now();
                return Err(answer.refused(url, settings::STATUS_LISTS, now));
            }
        };
        // Whether a server waits shows when it is first asked to, which needs a tag.
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
            // Whatever it says that the other did not was published after that one was asked for.
            if modified && set.kept.bits != before.kept.bits {
                metrics::revocation_lag(issuer, age);
            }
        }
        tracing::debug!(
            target: "portcullis::status_list",
            uri, modified, statuses = set.kept.bits.len(), age = %InSeconds(set.age(Timestamp::now(&*remote.clock))),
            "the status list was fetched",
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
            "the status list could not be fetched",
        );
    }
}

/// Five centuries are as good as for ever.
fn nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether the server says that it waited as it was asked to (RFC 7240 §3).
fn applied(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(PREFERENCE_APPLIED).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|preference| {
        preference.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("wait"))
    })
}
