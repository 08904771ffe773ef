//! The key set of an issuer, as a remote document.

mod replaced;
mod resolve;
mod status;

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::budget::Budget;
use super::caching::Headers;
use super::discovery::Discovered;
use super::freshness::{Lifetime, Limits};
use super::kept::{Keeper, Recalled, Record};
use super::single_flight::Deadline;
use super::wait::{Step, crowded};
use super::withdrawn::WithdrawnKeys;
use super::{Document, Remote, Snapshot, discovery, jitter};
use crate::clock::{Clock, Timestamp};
use crate::crypto::Algorithms;
use crate::duration::InSeconds;
use crate::fetch::{Client, FetchError, Kind};
use crate::key::{
    CandidateKeys, KeyParser, KeyRequest, KeySet, KeySetError, SkippedKey, VerificationKey, is_pem,
    raise_max_keys,
};
use crate::key_source::{Freshness, KeySetStatus, KeySource, Refreshing, ResolveError};
use crate::maybe_ready::MaybeReady;
use crate::metrics;
use crate::settings;
use crate::sync::Notify;
use replaced::Retried;
use resolve::{IsCurrent, OwnedRequest};

/// Where an issuer's keys are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the metadata below the issuer's own URL.
    Discovered {
        /// The issuer, as spelled in the tokens.
        issuer: String,
        /// The URL of the metadata, if it is not below the issuer.
        metadata: Option<Url>,
    },
    /// At a fixed URL.
    Fixed(Url),
    /// In a file.
    File(PathBuf),
}

impl Location {
    /// Returns the configured source of the keys. Kept keys are used only for the same source.
    fn source(&self) -> String {
        match self {
            Self::Discovered { metadata: Some(url), .. } => url.to_string(),
            other => other.to_string(),
        }
    }

    /// Returns the URL from the settings. Metadata at this URL may point to keys at another URL.
    pub(crate) fn configured_url(&self) -> Option<Url> {
        match self {
            Self::Discovered { metadata: Some(url), .. } | Self::Fixed(url) => Some(url.clone()),
            Self::Discovered { issuer, metadata: None } => Url::parse(issuer).ok(),
            Self::File(_) => None,
        }
    }
}

/// The configuration of a remote key set.
pub(crate) struct Config {
    pub(crate) location: Location,
    pub(crate) allowed: Algorithms,
    pub(crate) limits: Limits,
    pub(crate) max_keys: usize,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Budget,
    /// Stores the keys of this issuer for the next start.
    pub(crate) keeper: Option<(Keeper, String)>,
}

/// A key set that is fetched, cached for a configured time and refreshed. Clones share the keys.
///
/// An [`Authenticator`](crate::Authenticator) creates one for each issuer. Build your own to
///
/// - fetch one set for several rule sets, such as two audiences or two profiles: pass a clone to
///   each [`IssuerSettings::key_source`](crate::IssuerSettings::key_source);
/// - verify signatures of payloads that other code validates: [`verify`](Self::verify).
///
/// It has its own HTTP client, clock, budget and [`status`](Self::status), and its metrics have
/// their own `location`, regardless of the number of authenticators that use it. An authenticator
/// with a shared set starts, fails to start and becomes ready under the same conditions as one with its
/// own keys. A set that already has keys is not fetched again.
///
/// ```
/// use portcullis::keys::RemoteKeySet;
/// use portcullis::{Authenticator, Profile};
/// # use portcullis::fetch::{Fetch, FetchRequest, Fetching};
/// # #[derive(Debug)] struct Canned;
/// # impl Fetch for Canned {
/// #     fn get(&self, _: FetchRequest) -> Fetching<'_> {
/// #         let keys = http::Response::new(bytes::Bytes::from_static(br#"{"keys":[]}"#));
/// #         Box::pin(async { Ok(keys) })
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = RemoteKeySet::at("https://auth.example/keys");
/// # let keys = keys.fetch(Canned);
/// let keys = keys.build().await?;
/// let orders = Authenticator::builder("https://auth.example", "https://orders.example")
///     .key_source(keys.clone())
///     .build()
///     .await?;
/// let admin = Authenticator::builder("https://auth.example", "https://admin.example")
///     .profile(Profile::rfc9068())
///     .key_source(keys.clone())
///     .build()
///     .await?;
/// assert_eq!(keys.status().keys, 0);
///
/// let wrong = RemoteKeySet::at("http://auth.example/keys").build().await.unwrap_err();
/// assert!(wrong.to_string().contains("https"));
/// # let _ = (orders, admin); Ok(()) }
/// ```
#[derive(Clone)]
#[doc(alias("jwks", "JwksClient", "PyJWKClient", "createRemoteJWKSet"))]
pub struct RemoteKeySet(pub(super) Arc<Remote<Keys>>);

/// The location of the keys, and the state of the set besides the keys themselves.
pub(crate) struct Keys {
    pub(super) location: Location,
    allowed: Algorithms,
    max_keys: usize,
    /// The metadata URL of the last successful discovery.
    metadata_at: Mutex<Option<Url>>,
    pub(super) withdrawn: WithdrawnKeys,
    retried: Retried,
    retired: AtomicBool,
    keeper: Option<(Keeper, String)>,
}

impl RemoteKeySet {
    pub(crate) fn new(config: Config) -> Self {
        let limits = &config.limits;
        metrics::fetches_begin(&config.location.to_string());
        metrics::withdrawal_bounds(
            &config.location.to_string(),
            limits.withdrawal_bound(),
            limits.withdrawal_bound_in_outage(),
        );
        let keys = Keys {
            location: config.location,
            allowed: config.allowed,
            max_keys: config.max_keys,
            metadata_at: Mutex::default(),
            withdrawn: WithdrawnKeys::default(),
            retried: Retried::default(),
            retired: AtomicBool::new(false),
            keeper: config.keeper,
        };
        let Config { limits, client, clock, budget, .. } = config;
        Self(Arc::new(Remote::new(keys, limits, client, clock, budget)))
    }

    /// Takes over the keys of `other`, if this set has none and both are fetched in the same way.
    pub(crate) fn adopt(&self, other: &Self) {
        let ([here, there], none) = ([&self.0, &other.0], None::<Arc<Snapshot<KeySet>>>);
        let settings = |remote: &Remote<Keys>| {
            let Keys { location, allowed, max_keys, .. } = &remote.document;
            let client = (remote.client.urls.clone(), remote.client.credential.clone());
            (location.clone(), allowed.clone(), *max_keys, remote.limits, client)
        };
        if settings(here) == settings(there) {
            here.snapshot.compare_and_swap(&none, there.snapshot.load_full());
        }
    }

    /// Returns the status of the keys. Never causes a fetch.
    #[must_use]
    pub fn status(&self) -> KeySetStatus {
        self.0.status()
    }

    /// Fetches the keys now, for example after an emergency key withdrawal.
    ///
    /// # Errors
    ///
    /// Returns an error if the fetch fails. The cached keys stay in use.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.0.start_or_join()?.landed().await
    }

    /// Returns where the keys are published.
    pub(crate) fn location(&self) -> &Location {
        &self.0.document.location
    }

    /// Returns the HTTP client of the set.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn obeys_no_cache(&self) -> bool {
        self.0.limits.obey_no_cache
    }

    /// Returns whether both are the same set.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns whether the set uses this instance of `clock`.
    pub(crate) fn is_judged_by(&self, clock: &Arc<dyn Clock>) -> bool {
        Arc::ptr_eq(&self.0.clock, clock)
    }

    /// Notifies `listener` whenever the set has changed.
    pub(crate) fn notify(&self, listener: &Arc<Notify>) {
        self.0.listeners.add(listener);
    }

    /// Stops the background refresh.
    pub(crate) fn retire(&self) {
        self.0.document.retired.store(true, Ordering::Relaxed);
    }

    /// Implements [`is_current`](KeySource::is_current), for the given time.
    pub(crate) fn is_current_at(
        &self,
        wanted: &KeyRequest<'_>,
        key: &VerificationKey,
        now: Timestamp,
    ) -> bool {
        let question = IsCurrent { wanted: *wanted, key };
        matches!(self.0.look(&question, now, false), Step::Answer(Ok(true)))
    }
}

impl KeySource for RemoteKeySet {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        let remote = &self.0;
        match remote.look(wanted, Timestamp::now(&*remote.clock), false) {
            Step::Answer(answer) => MaybeReady::Ready(answer),
            Step::Wait => match remote.line.place() {
                Some(place) => {
                    MaybeReady::pending(remote.clone().wait(place, OwnedRequest::from(wanted)))
                }
                None => MaybeReady::Ready(remote.settle(wanted, crowded())),
            },
        }
    }

    /// Uses the same table as [`resolve`](Self::resolve), so that requests with cached tokens also
    /// refresh the set, and are rejected when it is no longer usable.
    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        self.is_current_at(wanted, key, Timestamp::now(&*self.0.clock))
    }

    fn replaced(
        &self,
        wanted: &KeyRequest<'_>,
        tried: &CandidateKeys,
    ) -> MaybeReady<Option<CandidateKeys>> {
        self.fetch_replaced(wanted, tried)
    }

    fn status(&self) -> Option<KeySetStatus> {
        Some(self.0.status())
    }

    fn refresh(&self) -> Refreshing<'_> {
        Box::pin(Self::refresh(self))
    }

    fn warm_up(&self) -> Refreshing<'_> {
        Box::pin(async {
            if matches!(self.0.freshness(), Freshness::Fresh | Freshness::Ageing) {
                return Ok(());
            }
            let fetched = Self::refresh(self).await;
            if self.0.freshness() == Freshness::Unavailable { fetched } else { Ok(()) }
        })
    }
}

impl Document for Keys {
    type Kept = KeySet;

    fn location(&self) -> String {
        self.location.to_string()
    }

    fn is_wanted(&self, _: Duration) -> bool {
        !self.retired.load(Ordering::Relaxed)
    }

    fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<KeySet>>>,
        began: Timestamp,
        deadline: Duration,
    ) -> impl Future<Output = Result<Snapshot<KeySet>, FetchError>> + Send {
        remote.fetch_keys(at_hand, began, deadline)
    }

    fn kept(remote: &Remote<Self>, snapshot: &Snapshot<KeySet>, before: Option<&Snapshot<KeySet>>) {
        let modified = snapshot.is_modified(before);
        if let Some(before) = before.filter(|_| modified) {
            remote.document.withdrawn.note(&before.kept, &snapshot.kept);
        }
        if let (Some((keeper, issuer)), Some(record)) = (&remote.document.keeper, &snapshot.to_keep)
        {
            keeper.keep(issuer, record);
        }
        let location = remote.document.location.to_string();
        let skipped = snapshot.kept.skipped();
        metrics::fetch_ended(&location, if modified { "fetched" } else { "not_modified" });
        let now = remote.clock.now();
        let faulty = skipped.iter().filter(|key| key.reason.is_fault()).count();
        let unused = metrics::Skipped { faulty, for_other_uses: skipped.len() - faulty };
        metrics::keys_kept(&location, snapshot.kept.len(), unused, now);
        // Skipped keys are logged once for each version of the set, not for each fetch. Keys for encryption
        // need no warning.
        for SkippedKey { id, reason } in skipped.iter().filter(|_| modified) {
            let (kid, is_fault) = (id.as_deref(), reason.is_fault());
            let reason = tracing::field::display(reason);
            if is_fault {
                tracing::warn!(
                    target: "portcullis::keys", location, kid, reason,
                    "unusable key skipped",
                );
            } else {
                tracing::debug!(
                    target: "portcullis::keys", location, kid, reason,
                    "key for another use skipped",
                );
            }
        }
        tracing::debug!(
            target: "portcullis::keys",
            location, modified, keys = snapshot.kept.len(), skipped = skipped.len(),
            ttl = %InSeconds(snapshot.lifetime.ttl), end = %InSeconds(snapshot.lifetime.end),
            "key set fetched",
        );
    }

    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError) {
        let location = remote.document.location.to_string();
        metrics::fetch_ended(&location, "failed");
        tracing::warn!(
            target: "portcullis::keys",
            location, failures, back_off = %InSeconds(back_off), error = error as &dyn Error,
            "key set fetch failed",
        );
    }
}

impl Remote<Keys> {
    /// Always fetches the full key set, never conditionally. A server whose validator does not change at a
    /// rotation would otherwise confirm withdrawn keys.
    async fn fetch_keys(
        &self,
        at_hand: Option<Arc<Snapshot<KeySet>>>,
        began: Timestamp,
        deadline: Duration,
    ) -> Result<Snapshot<KeySet>, FetchError> {
        let mut metadata = None;
        let Fetched { keys, headers, url: jwks_url, text } = match &self.document.location {
            Location::File(path) => self.read_keys(path).await?,
            Location::Fixed(url) => self.get_keys(url).await?,
            Location::Discovered { issuer, metadata: configured } => {
                let end = Instant::now() + deadline.mul_f64(0.99);
                // Metadata is read at each fetch, because the keys may move.
                let found = self.discover(issuer, configured.as_ref(), deadline).await?;
                // Times out slightly before the deadline, so that the error names the slow URL.
                let late = Deadline { url: found.jwks_uri.as_str().into(), after: deadline };
                let keys = self.get_keys(&found.jwks_uri);
                let keys = timeout_at(end, keys).await.unwrap_or_else(|_| Err(late.passed()))?;
                // Metadata counts as good only if the keys can be fetched from the URL that it names.
                *self.document.metadata_at() = Some(found.metadata.clone());
                metadata = Some(found.metadata);
                keys
            }
        };
        // An unchanged set keeps its generation, so cached tokens stay valid.
        let (kept, generation) = match at_hand {
            Some(at_hand) if at_hand.kept.is_same(&keys) => {
                (at_hand.kept.clone(), at_hand.generation)
            }
            Some(at_hand) => (keys, at_hand.generation + 1),
            None => (keys, 0),
        };
        let lifetime = headers.lifetime(&self.limits, self.clock.now(), jitter::fraction());
        let is_kept = self.document.keeper.is_some() && !headers.forbids_storage(&self.limits);
        let to_keep = is_kept.then(|| {
            let (source, fetched_at) = (self.document.location.source(), began.wall());
            Arc::new(Record::new(
                source,
                [metadata, Some(jwks_url)],
                fetched_at,
                lifetime.end,
                &text,
            ))
        });
        let (fetched_at, kept_for) = (began, None);
        Ok(Snapshot { kept, fetched_at, to_keep, kept_for, lifetime, headers, generation })
    }

    async fn get_keys(&self, url: &Url) -> Result<Fetched, FetchError> {
        let answer = self.client.get(url, Kind::KeySet, HeaderMap::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.refused(url, settings::JWKS_URL, self.clock.now()));
        }
        let keys = self.parse(&answer.body, url.as_str())?;
        let headers = Headers::new(url.clone(), answer.headers);
        Ok(Fetched { keys, headers, url: url.clone(), text: answer.body })
    }

    async fn read_keys(&self, path: &Path) -> Result<Fetched, FetchError> {
        let unreadable = |reason| FetchError::File { path: path.to_owned(), reason };
        let url = Url::from_file_path(path)
            .map_err(|()| unreadable("its path must be absolute".to_owned()))?;
        let text = tokio::fs::read(path).await.map_err(|error| unreadable(error.to_string()))?;
        let keys = if is_pem(&text) {
            let keys = self.parser().key_set_pem(&text);
            Self::parsed(keys, &path.display().to_string())?
        } else {
            self.parse(&text, &path.display().to_string())?
        };
        let headers = Headers::new(url.clone(), HeaderMap::new());
        Ok(Fetched { keys, headers, url, text: text.into() })
    }

    /// Returns the location of the keys from the metadata.
    async fn discover(
        &self,
        issuer: &str,
        metadata: Option<&Url>,
        deadline: Duration,
    ) -> Result<Discovered, FetchError> {
        let last_good = self.document.metadata_at().clone();
        let locations = discovery::locations(issuer, metadata, last_good.as_ref())?;
        discovery::discover(&self.client, issuer, &locations, deadline, self.clock.now()).await
    }

    fn parse(&self, text: &[u8], location: &str) -> Result<KeySet, FetchError> {
        Self::parsed(self.parser().key_set(text), location)
    }

    fn parser(&self) -> KeyParser<'_> {
        let Keys { allowed, max_keys, .. } = &self.document;
        KeyParser::with(allowed.provider()).algorithms(allowed.list()).max_keys(*max_keys)
    }

    fn parsed(keys: Result<KeySet, KeySetError>, location: &str) -> Result<KeySet, FetchError> {
        keys.map_err(|error| FetchError::NotAKeySet {
            url: location.to_owned(),
            source: raise_max_keys(error),
        })
    }
}

/// A key set and its response.
struct Fetched {
    keys: KeySet,
    headers: Headers,
    url: Url,
    text: Bytes,
}

impl RemoteKeySet {
    /// Uses the keys that were kept from an earlier run, because no keys can be fetched. Returns their age.
    /// `None` if no keys were kept for this set.
    pub(crate) fn restore(&self) -> Option<Result<Duration, String>> {
        let (keeper, issuer) = self.0.document.keeper.as_ref()?;
        Some(self.0.restore(keeper, issuer))
    }
}

impl Remote<Keys> {
    fn restore(&self, keeper: &Keeper, issuer: &str) -> Result<Duration, String> {
        let (limits, now) = (&self.limits, Timestamp::now(&*self.clock));
        let source = self.document.location.source();
        let max_age = limits.ttl.saturating_add(limits.max_stale);
        let Recalled { record, age, end } = keeper.recall(issuer, &source, max_age, now.wall())?;
        let url = |url: &Option<String>| url.as_deref().and_then(|url| Url::parse(url).ok());
        let metadata = url(&record.metadata);
        let jwks_url = url(&record.jwks_url).ok_or("their source is not recorded")?;
        // The current settings apply, not those of the earlier run.
        let urls = &self.client.urls;
        if !urls.allows(&jwks_url)
            || metadata.as_ref().is_some_and(|url| !urls.leads(url, &jwks_url))
        {
            return Err(format!(
                "they were fetched from {jwks_url}, which the settings no longer allow"
            ));
        }
        let kept = self.parse(record.jwks.as_bytes(), &source).map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        })?;
        let usual = Lifetime::new(limits.ttl.min(end), limits.max_stale, limits, 0.0);
        let lifetime = Lifetime { end: usual.end.min(end), ..usual };
        let place = self.document.location.configured_url();
        let headers = Headers::new(place.ok_or("their source is not a URL")?, HeaderMap::new());
        let (fetched_at, kept_for, generation) = (now, Some(age), 0);
        let to_keep = None;
        let restored =
            Snapshot { kept, fetched_at, to_keep, kept_for, lifetime, headers, generation };
        // A fetch may have completed in the meantime.
        let none = None::<Arc<Snapshot<KeySet>>>;
        self.snapshot.compare_and_swap(&none, Some(Arc::new(restored)));
        *self.document.metadata_at() = metadata;
        Ok(age)
    }
}

impl Keys {
    fn metadata_at(&self) -> MutexGuard<'_, Option<Url>> {
        self.metadata_at.lock().unwrap_or_else(PoisonError::into_inner)
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
            .field("location", &self.0.document.location)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
