//! The key ring: which key signs, which keys are published, and how one follows another.
//!
//! # The rotation contract
//!
//! A key is `next` (published, signs nothing), `active` (signs), `retired` (published until the
//! last token that it signed has expired) and `withdrawn` (no longer published). A key stays `next`
//! for the time that a key set without it may be cached, plus the clock skew. So every verifier can
//! have the key of a token, even a verifier that fetches the keys only when its cached set has
//! expired. The sums are in [`schedule`].
//!
//! Due changes are made by the next request that needs the ring, and by a periodic task; a late
//! change is always safe. Only an operator breaks the contract. With `keys rotate --now`, verifiers
//! reject new tokens for a while, unless they fetch the keys again for an unknown `kid`, as
//! Portcullis does. `keys withdraw --now` is meant to have tokens rejected.
//!
//! # Several processes on one database
//!
//! Each change of the key table increments a version. The ring reads the version from the store
//! whenever it issues a token, checks a token or serves the key set, and reloads the table if the
//! version has changed. So a running issuer follows a rotation from the command line at its next
//! request; on PostgreSQL, which pushes the version, within a second. Only one process, the leader,
//! makes the changes that are due by the schedule.

mod custody;
mod jwks;
mod restored;
mod schedule;
mod sealed;
mod signer;
mod signing_key;
mod snapshot;
mod store;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis::{clock::Clock, keys::SharedKeySet};

pub(crate) use self::custody::Custody;
pub(crate) use self::schedule::Schedule;
pub use self::sealed::KeyEncryptionKey;
pub(crate) use self::sealed::default_key_file;
pub use self::signer::{Signer, SignerAnswer};
pub use self::signing_key::{SigningAlgorithm, UnknownSigningAlgorithm};
pub(crate) use self::snapshot::Snapshot;
use self::snapshot::{active_of, load};
pub use self::store::KeyState;
pub(crate) use self::store::{
    ChangedBy, KeyChange, KeyStore, KeyTable, NewKey, Promises, StoredKey,
};
use crate::clock::{is_ahead, now_secs};
use crate::domain::background::Background;
use crate::error::Error;

/// How long due changes are paused, in seconds, after a signer failed to create a key, or while the
/// clock may be wrong.
const PAUSE: i64 = 30;

/// The shortest and the longest wait of the task between two checks of the ring. It wakes for the next due
/// change, and often enough to notice the changes of other processes.
const TURNS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyRing {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    custody: Custody,
    /// The configured algorithm of new keys; `None` keeps the algorithm of the predecessor.
    algorithm: Option<SigningAlgorithm>,
    schedule: Schedule,
    current: ArcSwap<Snapshot>,
    shared: SharedKeySet,
    /// Locked while the table is loaded, so that an older table never replaces a newer one.
    loading: tokio::sync::Mutex<()>,
    /// Locked by the task that makes due changes. Other tasks do not wait for it.
    turning: tokio::sync::Mutex<()>,
    /// The time until which due changes are paused, in seconds since 1970; see [`PAUSE`].
    paused_until: AtomicI64,
}

/// A snapshot of the ring for a change of the store.
pub(crate) struct KeysForChange {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The version that the change must find in the store; `None` if the snapshot is known to be
    /// current.
    pub(crate) version: Option<i64>,
}

/// How to open a [`KeyRing`].
pub(crate) struct KeyRingOptions {
    pub(crate) custody: Custody,
    pub(crate) algorithm: Option<SigningAlgorithm>,
    pub(crate) schedule: Schedule,
}

impl KeyRing {
    /// Opens the ring; makes the first key if there is none.
    pub(crate) async fn open(
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
        options: KeyRingOptions,
    ) -> Result<Self, Error> {
        let KeyRingOptions { custody, algorithm, schedule } = options;
        if !store.keys().await?.keys.iter().any(|key| key.state == KeyState::Active) {
            let now = now_secs(&*clock);
            let first = algorithm.unwrap_or_default();
            let key = custody.new_key(first, &schedule, now, 0).await?;
            // If another process has added the first key already, that key is used.
            store.add_first_key(&key).await?;
        }
        let snapshot = load(&*store, &custody, &schedule).await?;
        let shared = SharedKeySet::new(snapshot.verification.clone());
        let ring = Self {
            store,
            clock,
            custody,
            algorithm,
            schedule,
            current: ArcSwap::from_pointee(snapshot),
            shared,
            loading: tokio::sync::Mutex::new(()),
            turning: tokio::sync::Mutex::new(()),
            paused_until: AtomicI64::new(0),
        };
        // Due changes are made after the keys were decrypted, so that a start with the wrong
        // key-encryption key changes nothing.
        ring.current().await?;
        Ok(ring)
    }

    /// Returns the ring as it is in the store now.
    pub(crate) async fn current(&self) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.current.load_full();
        let now = now_secs(&*self.clock);
        if snapshot.next_change.is_some_and(|due| due <= now)
            && !self.is_paused(now)
            && self.store.leads()
            && let Ok(_one_at_a_time) = self.turning.try_lock()
        {
            self.turn(now).await?;
            return self.reload(None).await;
        }
        let version = self.store.key_version().await?;
        if version == snapshot.version {
            return Ok(snapshot);
        }
        self.reload(Some(version)).await
    }

    /// Returns the ring for a change that compares the ring's version with the version in the store. If
    /// the store does not push versions, this makes no query, because the change itself compares them.
    pub(crate) async fn for_change(&self) -> Result<KeysForChange, Error> {
        let snapshot = self.current.load_full();
        let is_due = snapshot.next_change.is_some_and(|due| due <= now_secs(&*self.clock));
        let known = self.store.told_key_version();
        if is_due || known.is_some_and(|known| known != snapshot.version) {
            return Ok(KeysForChange { snapshot: self.current().await?, version: None });
        }
        let version = known.is_none().then_some(snapshot.version);
        Ok(KeysForChange { snapshot, version })
    }

    /// Returns whether due changes are paused. If the clock has been set back, the pause ends
    /// immediately, so it cannot last longer than [`PAUSE`].
    fn is_paused(&self, now: i64) -> bool {
        let until = self.paused_until.load(Ordering::Relaxed);
        (until.saturating_sub(PAUSE)..until).contains(&now)
    }

    /// Makes the changes that are due. It reads the keys again, since another process may have made
    /// these changes already.
    async fn turn(&self, now: i64) -> Result<(), Error> {
        if let Some(last) = self.store.heartbeat().await?.filter(|last| is_ahead(*last, now)) {
            tracing::error!(
                now,
                last_run = last,
                "the clock is more than 7 days ahead of the last run of housekeeping; no key is \
                 rotated. Correct the clock, or run `portcullis-issuer clock accept`"
            );
            self.paused_until.store(now + PAUSE, Ordering::Relaxed);
            return Ok(());
        }
        self.store.withdraw_due_keys(now).await?;
        let keys = self.store.keys().await?.keys;
        let next = keys.iter().find(|key| key.state == KeyState::Next);
        let active = keys.iter().find(|key| key.state == KeyState::Active);
        match (next, active) {
            (Some(next), _) if next.signs_from <= now => {
                let change = ChangedBy::Schedule.at(now);
                self.store.promote_key(&next.kid, change, self.schedule.margin()).await?;
                tracing::info!(kid = next.kid, "signing with the next key");
            }
            (None, Some(active))
                if self.schedule.publishes_next_at(active).is_some_and(|due| due <= now) =>
            {
                match self.publish_next(active, ChangedBy::Schedule).await {
                    // The active key continues to sign, so requests do not fail because of this.
                    Err(Error::Signer(error)) => {
                        let error = &*error as &(dyn std::error::Error + 'static);
                        tracing::error!(error, "the signer did not create the next key; retrying");
                        self.paused_until.store(now + PAUSE, Ordering::Relaxed);
                    }
                    published => published?,
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn publish_next(&self, active: &StoredKey, by: ChangedBy) -> Result<(), Error> {
        let algorithm = self.algorithm.unwrap_or(active.algorithm);
        let lead = self.schedule.lead(active);
        let now = now_secs(&*self.clock);
        let key = self.new_key(algorithm, now, lead).await?;
        // Generating an RSA key takes time, but the lead time begins only when the key is published.
        let late = now_secs(&*self.clock).saturating_sub(now);
        let signs_from = key.signs_from.saturating_add(late);
        let key = NewKey { signs_from, ..key };
        self.store.publish_next_key(&key, by.at(now)).await?;
        tracing::info!(kid = key.kid, signs_from, "published the next key");
        Ok(())
    }

    /// Generates a key that is not in the table yet.
    async fn new_key(
        &self,
        algorithm: SigningAlgorithm,
        now: i64,
        lead: i64,
    ) -> Result<NewKey, Error> {
        let key = self.custody.new_key(algorithm, &self.schedule, now, lead).await?;
        // Only an external signer can return a key that it has returned before.
        if self.list().await?.iter().any(|known| known.kid == key.kid) {
            return Err(Error::Signer(
                format!("it returned the key {}, which was used before", key.kid).into(),
            ));
        }
        Ok(key)
    }

    /// Starts the task that rotates keys on schedule when no request does.
    pub(crate) fn keep(self: &Arc<Self>) -> Background {
        Background::spawn(Self::keep_turning(Arc::downgrade(self)))
    }

    async fn keep_turning(ring: Weak<Self>) {
        let (at_least, at_most) = TURNS;
        while let Some(wait) = ring.upgrade().map(|ring| ring.until_next_change()) {
            tokio::time::sleep(wait.clamp(at_least, at_most)).await;
            if let Some(ring) = ring.upgrade()
                && let Err(error) = ring.current().await
            {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "key rotation failed; retrying");
            }
        }
    }

    fn until_next_change(&self) -> Duration {
        let Some(due) = self.current.load().next_change else { return Duration::MAX };
        let wait = due.saturating_sub(now_secs(&*self.clock));
        Duration::from_secs(u64::try_from(wait).unwrap_or(0))
    }

    /// Returns the ring as it was last read, for responses that must succeed even if the store fails.
    pub(crate) fn last_known(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Returns an in-process source of the published keys.
    pub(crate) fn shared(&self) -> SharedKeySet {
        self.shared.clone()
    }

    /// Publishes the next key, unless one is published already, and returns its `kid`.
    pub(crate) async fn rotate(&self) -> Result<String, Error> {
        let keys = self.list().await?;
        let active = active_of(&keys)?;
        let algorithm = self.algorithm.unwrap_or(active.algorithm);
        let is_next = |key: &StoredKey| key.state == KeyState::Next && key.algorithm == algorithm;
        if !keys.iter().any(is_next) {
            self.publish_next(active, ChangedBy::Operator).await?;
        }
        self.reload(None).await?;
        let keys = self.list().await?;
        let next = keys.iter().find(|key| key.state == KeyState::Next);
        // If the lead time is short, another process may have made the key active already.
        Ok(next.map_or_else(|| active_of(&keys), Ok)?.kid.clone())
    }

    /// Signs with a new key at once. It uses the next key if that has the right algorithm.
    pub(crate) async fn rotate_now(&self) -> Result<String, Error> {
        let keys = self.list().await?;
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => active_of(&keys)?.algorithm,
        };
        let margin = self.schedule.margin();
        let published =
            keys.into_iter().find(|key| key.state == KeyState::Next && key.algorithm == algorithm);
        let kid = if let Some(next) = published {
            self.store.promote_key(&next.kid, self.by_operator(), margin).await?;
            next.kid
        } else {
            let made = now_secs(&*self.clock);
            let key = self.new_key(algorithm, made, 0).await?;
            // Reads the time again, because generating an RSA key takes time, during which the old key
            // signs.
            self.store.rotate_key(&key, self.by_operator(), margin).await?;
            key.kid
        };
        self.reload(None).await?;
        tracing::info!(kid, "signing with a new key");
        Ok(kid)
    }

    /// Withdraws a key at once. If it is the active key, another key signs from now on.
    pub(crate) async fn withdraw_now(&self, kid: &str) -> Result<(), Error> {
        if active_of(&self.list().await?)?.kid == kid {
            self.rotate_now().await?;
        }
        if !self.store.withdraw_key(kid, self.by_operator()).await? {
            return Err(Error::NoSuchKey { kid: kid.to_owned() });
        }
        self.reload(None).await?;
        tracing::warn!(kid, "withdrew a key before its time; its tokens are rejected");
        Ok(())
    }

    /// Returns a change that an operator makes now.
    fn by_operator(&self) -> KeyChange {
        ChangedBy::Operator.at(now_secs(&*self.clock))
    }

    /// Returns all keys, the newest first.
    pub(crate) async fn list(&self) -> Result<Vec<StoredKey>, Error> {
        Ok(self.store.keys().await?.keys)
    }

    /// Reads the table again, unless another task has already replaced the version `seen`.
    async fn reload(&self, seen: Option<i64>) -> Result<Arc<Snapshot>, Error> {
        let _one_at_a_time = self.loading.lock().await;
        let known = self.current.load_full();
        if seen == Some(known.version) {
            return Ok(known);
        }
        let snapshot = load(&*self.store, &self.custody, &self.schedule).await?;
        let snapshot = Arc::new(snapshot);
        self.shared.replace(snapshot.verification.clone());
        self.current.store(Arc::clone(&snapshot));
        if seen.is_some() {
            let active = snapshot.active.kid();
            tracing::info!(active, "another process changed the keys; the new keys are now in use");
        }
        Ok(snapshot)
    }
}

#[cfg(test)]
mod models;
