//! Applies `--issuer-timeout` to each request of discovery as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis::fetch::{Fetch, FetchError, FetchRequest, Fetching};

use crate::jwks::Recording;
use crate::units::duration;

/// The total time for discovery and the key set: three requests, within the maximum of `fetch_timeout`.
pub(super) fn of_discovery(timeout: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(60);
    (3 * timeout).min(MOST)
}

/// Records the responses, and counts the requests, including those that get no response.
#[derive(Debug, Clone)]
pub(super) struct Limited {
    inner: Recording,
    timeout: Duration,
    requests: Arc<AtomicU64>,
}

impl Limited {
    pub(super) fn new(inner: Recording, timeout: Duration) -> Self {
        Self { inner, timeout, requests: Arc::default() }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Fetch for Limited {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match tokio::time::timeout(self.timeout, self.inner.get(request)).await {
                Ok(answered) => answered,
                Err(_elapsed) => Err(late(self.timeout).into()),
            }
        })
    }
}

pub(super) fn late(timeout: Duration) -> String {
    let timeout = duration(timeout.as_secs_f64());
    format!("no complete response within {timeout}; raise --issuer-timeout")
}

/// The error without the advice about `fetch_timeout`, which has no effect here.
pub(super) fn text(error: &FetchError) -> String {
    match error {
        FetchError::Timeout { url, after, .. } => {
            let after = duration(after.as_secs_f64());
            format!(
                "{url}: metadata and keys took longer than {after} together; see --issuer-timeout"
            )
        }
        FetchError::NoMetadata { issuer, attempts, .. } => {
            let attempts: Vec<_> = attempts.iter().map(text).collect();
            format!("no metadata of {issuer}: {}", attempts.join("; "))
        }
        other => other.to_string(),
    }
}
