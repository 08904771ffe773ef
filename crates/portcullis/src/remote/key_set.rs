//! The keys of an issuer, as one of the documents that are fetched and kept.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::absent::AbsentKeys;
use super::caching::Headers;
use super::fetch::{Client, FetchError};
use super::freshness::Limits;
use super::resolve::{OwnedRequest, Place, Step, resolve_fetching};
use super::status::KeySetStatus;
use super::{Document, Remote, Snapshot, discovery, jitter};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::key::{KeyRequest, KeySet, KeySource, Refreshing, Resolution, VerificationKey};
use crate::metrics;

/// How long the answer of the metadata, where the keys are, is believed.
const METADATA_TTL: Duration = Duration::from_secs(3600);

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
pub(crate) struct RemoteKeySet(pub(super) Arc<Remote<Keys>>);

/// Where they are, and what is known besides the keys themselves.
pub(crate) struct Keys {
    pub(super) location: Location,
    allowed: Vec<Algorithm>,
    max_keys: usize,
    discovered: Mutex<Option<Discovered>>,
    pub(super) absent: AbsentKeys,
    pub(super) waiting_for_unknown: AtomicUsize,
}

/// Where the metadata said that the keys are, and when it was asked.
#[derive(Clone)]
struct Discovered {
    jwks_uri: Url,
    asked_at: Duration,
}

impl RemoteKeySet {
    pub(crate) fn new(config: Config) -> Self {
        let limits = &config.limits;
        metrics::withdrawal_bounds(
            &config.location.to_string(),
            limits.withdrawal_bound(),
            limits.withdrawal_bound_in_outage(),
        );
        let keys = Keys {
            location: config.location,
            allowed: config.allowed,
            max_keys: config.max_keys,
            discovered: Mutex::default(),
            absent: AbsentKeys::new(config.limits.cooldown),
            waiting_for_unknown: AtomicUsize::new(0),
        };
        Self(Arc::new(Remote::new(keys, config.limits, config.client, config.clock)))
    }

    /// The same as [`is_current`](KeySource::is_current), at that moment.
    pub(crate) fn is_current_at(
        &self,
        wanted: &KeyRequest<'_>,
        key: &VerificationKey,
        now: Duration,
    ) -> bool {
        let step = self.0.look_up(wanted, None, now, |current| current.is_same(key));
        matches!(step, Step::Answer(Ok(true)))
    }
}

impl KeySource for RemoteKeySet {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> Resolution {
        let inner = &self.0;
        let now = inner.clock.monotonic();
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
        self.is_current_at(wanted, key, self.0.clock.monotonic())
    }

    fn status(&self) -> Option<KeySetStatus> {
        Some(self.0.status())
    }

    fn refresh(&self) -> Refreshing<'_> {
        Box::pin(async { self.0.start_or_join()?.landed().await })
    }
}

impl Document for Keys {
    type Kept = KeySet;

    fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<KeySet>>>,
        began: Duration,
    ) -> impl Future<Output = Result<Snapshot<KeySet>, FetchError>> + Send {
        remote.fetch_keys(at_hand, began)
    }

    fn kept(remote: &Remote<Self>, snapshot: &Snapshot<KeySet>, before: Option<&Snapshot<KeySet>>) {
        let modified = snapshot.is_modified(before);
        let location = remote.document.location.to_string();
        let skipped = snapshot.kept.skipped();
        metrics::fetch_ended(&location, if modified { "fetched" } else { "not_modified" });
        let now = remote.clock.now();
        metrics::keys_kept(&location, snapshot.kept.len(), skipped.len(), now);
        // Once for each set, not for each fetch.
        for skipped in skipped.iter().filter(|_| modified) {
            tracing::warn!(
                target: "portcullis::keys",
                location, kid = skipped.id, reason = %skipped.reason,
                "a key of the set is not used",
            );
        }
        tracing::debug!(
            target: "portcullis::keys",
            location, modified, keys = snapshot.kept.len(), skipped = skipped.len(),
            ttl = ?snapshot.lifetime.ttl, end = ?snapshot.lifetime.end,
            "the keys were fetched",
        );
    }

    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError) {
        // The keys may have moved.
        *remote.document.discovered() = None;
        let location = remote.document.location.to_string();
        metrics::fetch_ended(&location, "failed");
        tracing::warn!(
            target: "portcullis::keys",
            location, failures, ?back_off, error = error as &dyn Error,
            "the keys could not be fetched",
        );
    }
}

impl Keys {
    fn discovered(&self) -> MutexGuard<'_, Option<Discovered>> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote<Keys> {
    async fn fetch_keys(
        &self,
        at_hand: Option<Arc<Snapshot<KeySet>>>,
        began: Duration,
    ) -> Result<Snapshot<KeySet>, FetchError> {
        if let Location::File(path) = &self.document.location {
            return self.read_keys(path, at_hand, began).await;
        }
        let url = self.locate(began).await?;
        let conditions =
            at_hand.as_ref().map(|snapshot| snapshot.headers.conditions(&url)).unwrap_or_default();
        let conditional = !conditions.is_empty();
        let answer = self.client.get(&url, conditions).await?;
        let (keys, headers, generation) = match (answer.status, at_hand) {
            (StatusCode::OK, at_hand) => {
                let keys = self.parse(&answer.body, url.as_str())?;
                let generation = at_hand.map_or(0, |snapshot| snapshot.generation + 1);
                (keys, Headers::new(url, answer.headers), generation)
            }
            // RFC 9110 §15.4.5, and only as the answer to a question that was asked.
            (StatusCode::NOT_MODIFIED, Some(at_hand)) if conditional => {
                let headers = at_hand.headers.updated(&answer.headers);
                (at_hand.kept.clone(), headers, at_hand.generation)
            }
            _ => return Err(answer.refused(&url, self.clock.now())),
        };
        let now = self.clock.now();
        let lifetime = headers.lifetime(&self.limits, now, jitter::fraction());
        Ok(Snapshot { kept: keys, fetched_at: began, lifetime, headers, generation })
    }

    /// The keys of a file. One that is as it was is no new set.
    async fn read_keys(
        &self,
        path: &Path,
        at_hand: Option<Arc<Snapshot<KeySet>>>,
        began: Duration,
    ) -> Result<Snapshot<KeySet>, FetchError> {
        let unreadable = |reason| FetchError::File { path: path.to_owned(), reason };
        let text = tokio::fs::read(path).await.map_err(|error| unreadable(error.to_string()))?;
        let headers = Headers::of_file(path, &text)
            .ok_or_else(|| unreadable("its path must be absolute".to_owned()))?;
        let (keys, generation) = match at_hand {
            Some(at_hand) if at_hand.headers.etag() == headers.etag() => {
                (at_hand.kept.clone(), at_hand.generation)
            }
            at_hand => {
                let keys = self.parse(&text, &path.display().to_string())?;
                (keys, at_hand.map_or(0, |snapshot| snapshot.generation + 1))
            }
        };
        let limits = &self.limits;
        let lifetime = headers.lifetime(limits, self.clock.now(), jitter::fraction());
        Ok(Snapshot { kept: keys, fetched_at: began, lifetime, headers, generation })
    }

    fn parse(&self, text: &[u8], location: &str) -> Result<KeySet, FetchError> {
        KeySet::from_json_within(text, &self.document.allowed, self.document.max_keys)
            .map_err(|source| FetchError::NotAKeySet { url: location.to_owned(), source })
    }

    /// Where the keys are; the metadata is asked again from time to time, and after a failure.
    async fn locate(&self, now: Duration) -> Result<Url, FetchError> {
        let (issuer, metadata) = match &self.document.location {
            Location::Discovered { issuer, metadata } => (issuer, metadata.as_ref()),
            Location::Fixed(url) => return Ok(url.clone()),
            Location::File(path) => {
                let reason = "it has no URL".to_owned();
                return Err(FetchError::File { path: path.clone(), reason });
            }
        };
        let known = self.document.discovered().clone();
        if let Some(known) = known.filter(|known| now < known.asked_at + METADATA_TTL) {
            return Ok(known.jwks_uri);
        }
        let wall_clock = self.clock.now();
        let jwks_uri = discovery::jwks_uri(&self.client, issuer, metadata, wall_clock).await?;
        *self.document.discovered() =
            Some(Discovered { jwks_uri: jwks_uri.clone(), asked_at: now });
        Ok(jwks_uri)
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
