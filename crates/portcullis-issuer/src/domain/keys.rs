//! The key ring: which key signs, which keys are published, and how one follows another.
//!
//! # The rotation contract
//!
//! A key is `next` (published, signs nothing), `active` (signs), `retired` (published until the
//! last token that it signed has expired) and `withdrawn` (gone). It is `next` for as long as a
//! key set without it may be cached, and the clock skew: so no verifier meets a token whose key it
//! could not know, be it one that only fetches the keys again when its cached set has expired. The
//! sums are in [`schedule`].
//!
//! What is due is done by the request that asks for the ring first, and by a task that asks now and then:
//! late is always safe. Only an operator breaks the contract, with `keys rotate --now` (verifiers
//! that fetch again on an unknown `kid`, as Portcullis does, still refuse nothing) and
//! `keys withdraw --now`, which is meant to have tokens refused.
//!
//! # Several processes on one database
//!
//! Each change of the key table counts up a version. The ring asks the store for that one number
//! whenever it issues a token, checks one or serves the key set, and reloads when it moved: a
//! rotation from the command line is seen by a running issuer at its very next request (on
//! PostgreSQL, which tells of it, within a second). What is due by the schedule is done by one
//! process, the leader.

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
pub(crate) use self::store::{KeyStore, KeyTable, NewKey, Promises, StoredKey};
use crate::clock::{is_ahead, now_secs};
use crate::domain::background::Background;
use crate::error::Error;

/// How long nothing is done that is due after a signer made no key, or under a doubtful clock, in
/// seconds.
const PAUSE: i64 = 30;

/// How often the ring is turned when nobody asks for it: not later than what is due next, and
/// often enough to see what another process has made due meanwhile.
const TURNS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyRing {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    custody: Custody,
    /// What new keys sign with, if it is not what the key before signs with.
    algorithm: Option<SigningAlgorithm>,
    schedule: Schedule,
    current: ArcSwap<Snapshot>,
    shared: SharedKeySet,
    /// Loading is done by one task at a time, so that an older table never replaces a newer one.
    loading: tokio::sync::Mutex<()>,
    /// What is due is done by one task at a time; the others go on without it.
    turning: tokio::sync::Mutex<()>,
    /// Until then nothing is done that is due, for a [`PAUSE`].
    paused_until: AtomicI64,
}

/// The ring for a change of the store.
pub(crate) struct KeysForChange {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The version that the change must find in the store; `None` if it is known to be current.
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
            // Another process may have been faster; then its key is the one.
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
        // Does what is due. Only now: a start with the wrong key-encryption key changes nothing.
        ring.current().await?;
        Ok(ring)
    }

    /// The ring as the store has it now.
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

    /// Returns the ring for a change that compares its version with the store's: without a
    /// query of its own if the store does not push versions.
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

    /// Not for longer than a pause if the clock was corrected meanwhile.
    fn is_paused(&self, now: i64) -> bool {
        let until = self.paused_until.load(Ordering::Relaxed);
        (until.saturating_sub(PAUSE)..until).contains(&now)
    }

    /// Does what is due, as the store has it now: another process may have done it already.
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
                self.store.promote_key(&next.kid, now, self.schedule.margin()).await?;
                tracing::info!(kid = next.kid, "signing with the next key");
            }
            (None, Some(active))
                if self.schedule.publishes_next_at(active).is_some_and(|due| due <= now) =>
            {
                match self.publish_next(active).await {
                    // The key that signs goes on, and so does everybody.
                    Err(Error::Signer(error)) => {
                        let error = &*error as &(dyn std::error::Error + 'static);
                        tracing::error!(error, "the signer makes no next key; trying again");
                        self.paused_until.store(now + PAUSE, Ordering::Relaxed);
                    }
                    published => published?,
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn publish_next(&self, active: &StoredKey) -> Result<(), Error> {
        let algorithm = self.algorithm.unwrap_or(active.algorithm);
        let lead = self.schedule.lead(active);
        let now = now_secs(&*self.clock);
        let key = self.new_key(algorithm, now, lead).await?;
        // An RSA key takes its time, and the lead begins when the key is there to be seen.
        let late = now_secs(&*self.clock).saturating_sub(now);
        let signs_from = key.signs_from.saturating_add(late);
        let key = NewKey { signs_from, ..key };
        self.store.publish_next_key(&key).await?;
        tracing::info!(kid = key.kid, signs_from, "published the next key");
        Ok(())
    }

    /// A key that is not in the table yet.
    async fn new_key(
        &self,
        algorithm: SigningAlgorithm,
        now: i64,
        lead: i64,
    ) -> Result<NewKey, Error> {
        let key = self.custody.new_key(algorithm, &self.schedule, now, lead).await?;
        // Only a signer has a key a second time.
        if self.list().await?.iter().any(|known| known.kid == key.kid) {
            return Err(Error::Signer(
                format!("it has no key but {}, which is known", key.kid).into(),
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
                tracing::warn!(error, "cannot look after the keys; trying again");
            }
        }
    }

    fn until_next_change(&self) -> Duration {
        let Some(due) = self.current.load().next_change else { return Duration::MAX };
        let wait = due.saturating_sub(now_secs(&*self.clock));
        Duration::from_secs(u64::try_from(wait).unwrap_or(0))
    }

    /// The ring as it was last seen, for answers that should survive a failing store.
    pub(crate) fn last_known(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The in-process source of the published keys.
    pub(crate) fn shared(&self) -> SharedKeySet {
        self.shared.clone()
    }

    /// Publishes the key that follows, unless it is published already, and returns it.
    pub(crate) async fn rotate(&self) -> Result<String, Error> {
        let keys = self.list().await?;
        let active = active_of(&keys)?;
        let algorithm = self.algorithm.unwrap_or(active.algorithm);
        let is_next = |key: &StoredKey| key.state == KeyState::Next && key.algorithm == algorithm;
        if !keys.iter().any(is_next) {
            self.publish_next(active).await?;
        }
        self.reload(None).await?;
        let keys = self.list().await?;
        let next = keys.iter().find(|key| key.state == KeyState::Next);
        // Another process may have had it sign already, if the lead is short.
        Ok(next.map_or_else(|| active_of(&keys), Ok)?.kid.clone())
    }

    /// Signs with a new key at once: with the next one if there is one for the right algorithm.
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
            self.store.promote_key(&next.kid, now_secs(&*self.clock), margin).await?;
            next.kid
        } else {
            let made = now_secs(&*self.clock);
            let key = self.new_key(algorithm, made, 0).await?;
            // Read again: an RSA key takes its time, and the old key has signed meanwhile.
            self.store.rotate_key(&key, now_secs(&*self.clock), margin).await?;
            key.kid
        };
        self.reload(None).await?;
        tracing::info!(kid, "signing with a new key");
        Ok(kid)
    }

    /// Withdraws a key at once; if it signs, another one does from now on.
    pub(crate) async fn withdraw_now(&self, kid: &str) -> Result<(), Error> {
        if active_of(&self.list().await?)?.kid == kid {
            self.rotate_now().await?;
        }
        if !self.store.withdraw_key(kid, now_secs(&*self.clock)).await? {
            return Err(Error::NoSuchKey { kid: kid.to_owned() });
        }
        self.reload(None).await?;
        tracing::warn!(kid, "withdrew a key before its time; its tokens are refused");
        Ok(())
    }

    /// All keys, the newest first.
    pub(crate) async fn list(&self) -> Result<Vec<StoredKey>, Error> {
        Ok(self.store.keys().await?.keys)
    }

    /// Reads the table again, unless somebody else has meanwhile read the version that was seen.
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
        Ok(snapshot)
    }
}
