//! The key ring: which key signs, which keys are published, and how one follows another.
//!
//! # The rotation contract
//!
//! A key is `next` (published, signs nothing), `active` (signs), `retired` (published until the
//! last token that it signed has expired) and `withdrawn` (gone). Today a rotation goes from
//! nothing to `active` at once: the new key signs right after it was published. That is safe for
//! verifiers that fetch the key set again when they meet an unknown `kid`, as Tollgate does. A
//! verifier that only refetches on a timer refuses the new key's tokens until its timer fires.
//!
//! # Several processes on one database
//!
//! Each change of the key table counts up a version. The ring reads that one number whenever it
//! issues a token, checks one or serves the key set, and reloads when it moved: a rotation from
//! the command line is seen by a running issuer at its very next request.

mod sealed;
mod signing_key;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tollgate::{Clock, KeySet, SharedKeySet};

pub use self::sealed::KeyEncryptionKey;
pub(crate) use self::sealed::default_key_file;
pub(crate) use self::signing_key::SigningKey;
pub use self::signing_key::{SigningAlgorithm, UnknownSigningAlgorithm};
use crate::clock::now_secs;
use crate::error::Error;
use crate::jwks::Jwks;
use crate::store::{KeyState, KeyTable, NewKey, Store, StoredKey};

/// How much longer than its last token a retired key stays published: verifiers allow for clocks
/// that differ, and a token may be signed while the rotation commits.
const PUBLICATION_MARGIN_SECS: i64 = 120;

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyRing {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    key_encryption_key: KeyEncryptionKey,
    /// Where `key_encryption_key` came from, for messages.
    origin: String,
    /// What new keys sign with, if it is not what the key before signs with.
    algorithm: Option<SigningAlgorithm>,
    /// How long the tokens live that this process signs.
    access_expiry_secs: i64,
    current: ArcSwap<Snapshot>,
    shared: SharedKeySet,
    /// Loading is done by one task at a time, so that an older table never replaces a newer one.
    loading: tokio::sync::Mutex<()>,
}

/// The ring at one version of the key table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    version: i64,
    /// When a retired key is due to be withdrawn: from then on this snapshot is out of date.
    next_withdrawal: Option<i64>,
    pub(crate) active: SigningKey,
    pub(crate) jwks: Jwks,
}

/// How to open a [`KeyRing`].
pub(crate) struct KeyRingOptions {
    pub(crate) key_encryption_key: KeyEncryptionKey,
    pub(crate) origin: String,
    pub(crate) algorithm: Option<SigningAlgorithm>,
    pub(crate) access_expiry_secs: i64,
}

impl KeyRing {
    /// Opens the ring; makes the first key if there is none.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: KeyRingOptions,
    ) -> Result<Self, Error> {
        let KeyRingOptions { key_encryption_key, origin, algorithm, access_expiry_secs } = options;
        if !store.keys().await?.keys.iter().any(|key| key.state == KeyState::Active) {
            let now = now_secs(&*clock);
            let first = algorithm.unwrap_or_default();
            let key = new_key(&key_encryption_key, first, access_expiry_secs, now).await?;
            // Another process may have been faster; then its key is the one.
            store.add_first_key(&key).await?;
        }
        let snapshot = load(&*store, &key_encryption_key, &origin, access_expiry_secs).await?;
        let shared = SharedKeySet::new(key_set(&snapshot.jwks)?);
        let current = ArcSwap::from_pointee(snapshot);
        let loading = tokio::sync::Mutex::new(());
        let ring = Self {
            store,
            clock,
            key_encryption_key,
            origin,
            algorithm,
            access_expiry_secs,
            current,
            shared,
            loading,
        };
        // Withdraws what is due. Only now: a start with the wrong key-encryption key changes
        // nothing.
        ring.current().await?;
        Ok(ring)
    }

    /// The ring as the store has it now.
    pub(crate) async fn current(&self) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.current.load_full();
        let now = now_secs(&*self.clock);
        if snapshot.next_withdrawal.is_some_and(|due| due <= now) {
            self.store.withdraw_due_keys(now).await?;
        }
        if self.store.key_version().await? == snapshot.version {
            return Ok(snapshot);
        }
        self.reload().await
    }

    /// The ring as it was last seen, for answers that should survive a failing store.
    pub(crate) fn last_known(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The in-process source of the published keys.
    pub(crate) fn shared(&self) -> SharedKeySet {
        self.shared.clone()
    }

    /// Makes a new key and signs with it from now on; see the module's contract.
    pub(crate) async fn rotate(&self) -> Result<String, Error> {
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => self.current().await?.active.algorithm(),
        };
        let lifetime = self.access_expiry_secs;
        let made = now_secs(&*self.clock);
        let key = new_key(&self.key_encryption_key, algorithm, lifetime, made).await?;
        // Read again: an RSA key takes its time, and the old key has signed meanwhile.
        let now = now_secs(&*self.clock);
        self.store.rotate_key(&key, now, PUBLICATION_MARGIN_SECS).await?;
        self.reload().await?;
        tracing::info!(kid = key.kid, "signing with a new key");
        Ok(key.kid)
    }

    /// All keys that are not withdrawn, the newest first.
    pub(crate) async fn list(&self) -> Result<Vec<StoredKey>, Error> {
        Ok(self.store.keys().await?.keys)
    }

    async fn reload(&self) -> Result<Arc<Snapshot>, Error> {
        let _one_at_a_time = self.loading.lock().await;
        let known = self.current.load_full();
        if self.store.key_version().await? == known.version {
            return Ok(known);
        }
        let (key, origin) = (&self.key_encryption_key, &self.origin);
        let snapshot = load(&*self.store, key, origin, self.access_expiry_secs).await?;
        let snapshot = Arc::new(snapshot);
        self.shared.replace(key_set(&snapshot.jwks)?);
        self.current.store(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

/// Reads the table, and notes on the key that signs how long the tokens of this process live: the
/// one that made it may issue shorter ones.
async fn load(
    store: &dyn Store,
    key: &KeyEncryptionKey,
    origin: &str,
    access_expiry_secs: i64,
) -> Result<Snapshot, Error> {
    loop {
        let snapshot = Snapshot::of(store.keys().await?, key, origin)?;
        if store.note_token_lifetime(snapshot.active.kid(), access_expiry_secs).await? {
            return Ok(snapshot);
        }
        // It was rotated out meanwhile; another one signs.
    }
}

impl Snapshot {
    fn of(table: KeyTable, key: &KeyEncryptionKey, origin: &str) -> Result<Self, Error> {
        let active = table
            .keys
            .iter()
            .find(|stored| stored.state == KeyState::Active)
            .ok_or(Error::Crypto("the key table has no active key"))?;
        let sealed = active.sealed.as_deref().unwrap_or_default();
        let private = key.open(&active.kid, sealed).ok_or_else(|| {
            Error::WrongKeyEncryptionKey { kid: active.kid.clone(), origin: origin.to_owned() }
        })?;
        Ok(Self {
            version: table.version,
            next_withdrawal: table.keys.iter().filter_map(|stored| stored.published_until).min(),
            active: SigningKey::from_pkcs8(active.algorithm, &private)?,
            jwks: Jwks::new(table.keys.iter().map(|stored| stored.public_jwk.as_str())),
        })
    }
}

async fn new_key(
    key_encryption_key: &KeyEncryptionKey,
    algorithm: SigningAlgorithm,
    longest_token_secs: i64,
    created_at: i64,
) -> Result<NewKey, Error> {
    // Finding RSA primes takes a good part of a second.
    let (key, private) = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm))
        .await
        .map_err(|_| Error::Crypto("making a signing key"))??;
    Ok(NewKey {
        kid: key.kid().to_owned(),
        algorithm,
        public_jwk: key.public_jwk()?.to_string(),
        sealed: key_encryption_key.seal(key.kid(), &private)?,
        created_at,
        longest_token_secs,
    })
}

fn key_set(jwks: &Jwks) -> Result<KeySet, Error> {
    KeySet::from_json(jwks.body.as_bytes())
        .map_err(|_| Error::Crypto("the published key set does not parse"))
}
