//! Key sets of an earlier run: stored after each fetch, and used at a start without the issuer.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::duration::InSeconds;
use crate::kept_keys::KeptKeys;

/// The format version of the stored keys. Other versions are ignored.
const VERSION: u32 = 1;

/// The clock skew that is accepted if the time of a fetch is in the future.
const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// The stored keys of all configured issuers. Clones share them.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Shared>);

struct Shared {
    store: Arc<dyn KeptKeys>,
    kept: Mutex<BTreeMap<String, Arc<Record>>>,
    /// A lock that is held while the store is written, so that the newest content is written last.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Document<R> {
    version: u32,
    issuers: BTreeMap<String, R>,
}

/// The stored keys of one issuer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    /// The configured source of the keys.
    source: String,
    /// The URL of the metadata that led to the keys.
    pub(super) metadata: Option<String>,
    /// The URL of the keys.
    pub(super) jwks_url: Option<String>,
    /// The time when the fetch began, in seconds since the epoch.
    fetched_at: u64,
    /// The time in seconds, from the beginning of the fetch, for which the keys may be used. It follows
    /// from the server's headers and the settings.
    usable_for: u64,
    /// The document as fetched.
    pub(super) jwks: String,
}

impl Record {
    pub(super) fn new(
        source: String,
        [metadata, jwks_url]: [Option<Url>; 2],
        fetched_at: SystemTime,
        usable_for: Duration,
        jwks: &[u8],
    ) -> Self {
        let fetched_at = fetched_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let [metadata, jwks_url] = [metadata, jwks_url].map(|url| url.map(String::from));
        let (usable_for, jwks) = (usable_for.as_secs(), String::from_utf8_lossy(jwks).into_owned());
        Self { source, metadata, jwks_url, fetched_at, usable_for, jwks }
    }
}

/// A stored record that can be used.
pub(super) struct Recalled {
    pub(super) record: Arc<Record>,
    pub(super) age: Duration,
    /// The age at which the keys must no longer be used.
    pub(super) end: Duration,
}

impl Keeper {
    /// Reads the content of `store`. Unreadable content is reported and ignored.
    pub(crate) async fn open(store: Arc<dyn KeptKeys>) -> Self {
        let kept = match store.read().await {
            Ok(Some(text)) => parse(&text),
            Ok(None) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        };
        let kept = kept.unwrap_or_else(|error| {
            let error: &(dyn Error + 'static) = &*error;
            tracing::warn!(
                target: "portcullis::keys", error,
                "kept keys unreadable, ignored",
            );
            BTreeMap::new()
        });
        Self(Arc::new(Shared { store, kept: Mutex::new(kept), writing: Default::default() }))
    }

    /// Returns the keys of `issuer` that were fetched from `source` less than `max_age` ago, or the
    /// reason why there are none.
    pub(super) fn recall(
        &self,
        issuer: &str,
        source: &str,
        max_age: Duration,
        now: SystemTime,
    ) -> Result<Recalled, String> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let record = kept.get(issuer).ok_or("none are stored for this issuer")?;
        if record.source != source {
            return Err(format!("they were fetched from {}, not from {source}", record.source));
        }
        let fetched_at = Duration::from_secs(record.fetched_at);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if fetched_at > now + CLOCK_SKEW {
            return Err("their fetch time is in the future, by this machine's clock".to_owned());
        }
        let age = now.saturating_sub(fetched_at);
        let end = max_age.min(Duration::from_secs(record.usable_for));
        if age >= end {
            let (age, end) = (InSeconds(age), InSeconds(end));
            return Err(format!("they are {age} old, but were usable for {end} only"));
        }
        Ok(Recalled { record: record.clone(), age, end })
    }

    /// Stores the fetched keys of `issuer`. The store is written in its own task.
    pub(super) fn keep(&self, issuer: &str, record: &Arc<Record>) {
        {
            let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(issuer.to_owned(), record.clone());
        }
        let keeper = self.clone();
        tokio::spawn(async move {
            let shared = &keeper.0;
            let _writing = shared.writing.lock().await;
            let text = {
                // The content is read under the lock, so it is the newest.
                let kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
                let issuers = kept.iter().map(|(issuer, record)| (issuer.clone(), &**record));
                serde_json::to_vec(&Document { version: VERSION, issuers: issuers.collect() })
            };
            let written = match text {
                Ok(text) => shared.store.write(Bytes::from(text)).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = written {
                let error: &(dyn Error + 'static) = &*error;
                tracing::warn!(
                    target: "portcullis::keys", error,
                    "keys could not be stored for the next start",
                );
            }
        });
    }

    /// Removes issuers that are no longer configured.
    pub(crate) fn retain(&self, issuers: &[&str]) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|issuer, _| issuers.contains(&issuer.as_str()));
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keeper").field(&self.0.store).finish()
    }
}

fn parse(text: &[u8]) -> Result<BTreeMap<String, Arc<Record>>, Box<dyn Error + Send + Sync>> {
    let document: Document<Record> = serde_json::from_slice(text)?;
    if document.version == VERSION {
        let records = document.issuers.into_iter();
        Ok(records.map(|(issuer, record)| (issuer, Arc::new(record))).collect())
    } else {
        Err(format!("their format version is {}, not {VERSION}", document.version).into())
    }
}
