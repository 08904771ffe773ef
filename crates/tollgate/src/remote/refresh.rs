//! One fetch of a key set, from the request to the note of how it went.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::caching::Headers;
use super::fetch::FetchError;
use super::{Inner, Location, Snapshot, discovery, freshness, jitter};
use crate::key::KeySet;
use crate::metrics;

/// How long the answer of the metadata, where the keys are, is believed.
const METADATA_TTL: Duration = Duration::from_secs(3600);

/// Where the metadata said that the keys are, and when it was asked.
#[derive(Clone)]
pub(super) struct Discovered {
    jwks_uri: Url,
    asked_at: Duration,
}

impl Inner {
    /// Fetches within the deadline, and keeps what comes of it.
    pub(super) async fn fetch(
        self: Arc<Self>,
        number: u64,
        began: Duration,
    ) -> Result<(), FetchError> {
        // Whatever a client of the user's own does, it counts as a failed attempt.
        let note_panic = NotePanic { inner: &self, number };
        let deadline = self.config.limits.fetch_timeout;
        let fetched = tokio::time::timeout(deadline, self.fetch_keys(began))
            .await
            .unwrap_or(Err(FetchError::Timeout { after: deadline }));
        drop(note_panic);
        match fetched {
            Ok(snapshot) => {
                self.keep(number, snapshot);
                Ok(())
            }
            Err(error) => {
                self.note_failure(number, &error);
                Err(error)
            }
        }
    }

    async fn fetch_keys(&self, began: Duration) -> Result<Snapshot, FetchError> {
        let at_hand = self.snapshot.load_full();
        if let Location::File(path) = &self.config.location {
            return self.read_keys(path, at_hand, began).await;
        }
        let url = self.locate(began).await?;
        let conditions =
            at_hand.as_ref().map(|snapshot| snapshot.headers.conditions(&url)).unwrap_or_default();
        let conditional = !conditions.is_empty();
        let answer = self.config.client.get(&url, conditions).await?;
        let (keys, headers, generation) = match (answer.status, at_hand) {
            (StatusCode::OK, at_hand) => {
                let keys = self.parse(&answer.body, url.as_str())?;
                let generation = at_hand.map_or(0, |snapshot| snapshot.generation + 1);
                (keys, Headers::new(url, answer.headers), generation)
            }
            // RFC 9110 §15.4.5, and only as the answer to a question that was asked.
            (StatusCode::NOT_MODIFIED, Some(at_hand)) if conditional => {
                let headers = at_hand.headers.updated(&answer.headers);
                (at_hand.keys.clone(), headers, at_hand.generation)
            }
            _ => return Err(answer.refused(&url, self.config.clock.now())),
        };
        let now = self.config.clock.now();
        let lifetime = headers.lifetime(&self.config.limits, now, jitter::fraction());
        Ok(Snapshot { keys, fetched_at: began, lifetime, headers, generation })
    }

    /// The keys of a file. One that is as it was is no new set.
    async fn read_keys(
        &self,
        path: &Path,
        at_hand: Option<Arc<Snapshot>>,
        began: Duration,
    ) -> Result<Snapshot, FetchError> {
        let unreadable = |reason| FetchError::File { path: path.to_owned(), reason };
        let text = tokio::fs::read(path).await.map_err(|error| unreadable(error.to_string()))?;
        let headers = Headers::of_file(path, &text)
            .ok_or_else(|| unreadable("its path must be absolute".to_owned()))?;
        let (keys, generation) = match at_hand {
            Some(at_hand) if at_hand.headers.etag() == headers.etag() => {
                (at_hand.keys.clone(), at_hand.generation)
            }
            at_hand => {
                let keys = self.parse(&text, &path.display().to_string())?;
                (keys, at_hand.map_or(0, |snapshot| snapshot.generation + 1))
            }
        };
        let limits = &self.config.limits;
        let lifetime = headers.lifetime(limits, self.config.clock.now(), jitter::fraction());
        Ok(Snapshot { keys, fetched_at: began, lifetime, headers, generation })
    }

    fn parse(&self, text: &[u8], location: &str) -> Result<KeySet, FetchError> {
        KeySet::from_json_within(text, &self.config.allowed, self.config.max_keys)
            .map_err(|source| FetchError::NotAKeySet { url: location.to_owned(), source })
    }

    /// Where the keys are; the metadata is asked again from time to time, and after a failure.
    async fn locate(&self, now: Duration) -> Result<Url, FetchError> {
        let (issuer, metadata) = match &self.config.location {
            Location::Discovered { issuer, metadata } => (issuer, metadata.as_ref()),
            Location::Fixed(url) => return Ok(url.clone()),
            Location::File(path) => {
                let reason = "it has no URL".to_owned();
                return Err(FetchError::File { path: path.clone(), reason });
            }
        };
        let known = self.record.progress().discovered.clone();
        if let Some(known) = known.filter(|known| now < known.asked_at + METADATA_TTL) {
            return Ok(known.jwks_uri);
        }
        let wall_clock = self.config.clock.now();
        let jwks_uri =
            discovery::jwks_uri(&self.config.client, issuer, metadata, wall_clock).await?;
        self.record.progress().discovered =
            Some(Discovered { jwks_uri: jwks_uri.clone(), asked_at: now });
        Ok(jwks_uri)
    }

    fn keep(&self, number: u64, snapshot: Snapshot) {
        let Some(mut progress) = self.record.land(number) else { return };
        let snapshot = Arc::new(snapshot);
        let before = self.snapshot.swap(Some(snapshot.clone()));
        self.record.retry_at.set(None);
        progress.failures = 0;
        progress.last_error = None;
        // Nothing is reported under the lock: whoever listens may take its time.
        drop(progress);
        let modified = before.is_none_or(|before| before.generation != snapshot.generation);
        self.report_kept(&snapshot, modified);
    }

    fn report_kept(&self, snapshot: &Snapshot, modified: bool) {
        let location = self.config.location.to_string();
        let skipped = snapshot.keys.skipped();
        metrics::fetch_ended(&location, if modified { "fetched" } else { "not_modified" });
        let now = self.config.clock.now();
        metrics::keys_kept(&location, snapshot.keys.len(), skipped.len(), now);
        // Once for each set, not for each fetch.
        for skipped in skipped.iter().filter(|_| modified) {
            tracing::warn!(
                target: "tollgate::keys",
                location, kid = skipped.id, reason = %skipped.reason,
                "a key of the set is not used",
            );
        }
        tracing::debug!(
            target: "tollgate::keys",
            location, modified, keys = snapshot.keys.len(), skipped = skipped.len(),
            ttl = ?snapshot.lifetime.ttl, end = ?snapshot.lifetime.end,
            "the keys were fetched",
        );
    }

    fn note_failure(&self, number: u64, error: &FetchError) {
        let Some(mut progress) = self.record.land(number) else { return };
        progress.failures = progress.failures.saturating_add(1);
        let failures = progress.failures;
        // Up to a tenth more, so that services that lost one issuer do not come back as one.
        let back_off = freshness::back_off(failures, error.retry_after())
            .mul_f64(1.0 + jitter::fraction() / 10.0);
        self.record.retry_at.set(Some(self.config.clock.monotonic() + back_off));
        progress.last_error = Some(error.clone());
        // The keys may have moved.
        progress.discovered = None;
        drop(progress);
        let location = self.config.location.to_string();
        metrics::fetch_ended(&location, "failed");
        tracing::warn!(
            target: "tollgate::keys",
            location, failures, ?back_off, error = error as &dyn Error,
            "the keys could not be fetched",
        );
    }
}

/// Notes a failure if it is dropped by a panic.
struct NotePanic<'i> {
    inner: &'i Inner,
    number: u64,
}

impl Drop for NotePanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.inner.note_failure(self.number, &FetchError::Abandoned);
        }
    }
}
