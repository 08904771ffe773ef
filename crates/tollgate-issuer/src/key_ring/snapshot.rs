//! The ring at one version of the key table: ready to sign, and to be published.

use tollgate::KeySet;

use super::{KeyEncryptionKey, Schedule, SigningKey};
use crate::error::Error;
use crate::jwks::Jwks;
use crate::metrics;
use crate::store::{KeyState, KeyTable, Promises, Store, StoredKey};

/// The ring at one version of the key table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) version: i64,
    /// When something about the keys is due: from then on this snapshot is out of date.
    pub(super) next_change: Option<i64>,
    pub(crate) active: SigningKey,
    pub(crate) jwks: Jwks,
    /// The same, to verify with.
    pub(crate) verification: KeySet,
}

pub(super) fn active_of(keys: &[StoredKey]) -> Result<&StoredKey, Error> {
    keys.iter()
        .find(|key| key.state == KeyState::Active)
        .ok_or(Error::Crypto("the key table has no active key"))
}

/// Reads the table, and notes on the key that signs how long the tokens of this process live, and
/// its key sets in caches: the process that made the key may promise less.
pub(super) async fn load(
    store: &dyn Store,
    key: &KeyEncryptionKey,
    origin: &str,
    schedule: &Schedule,
) -> Result<Snapshot, Error> {
    loop {
        let table = store.keys().await?;
        metrics::keys(&table.keys, schedule.next_change(&table.keys));
        let snapshot = Snapshot::of(table, key, origin, schedule)?;
        if store.note_promises(snapshot.active.kid(), promises(schedule)).await? {
            return Ok(snapshot);
        }
        // It was rotated out meanwhile; another one signs.
    }
}

impl Snapshot {
    fn of(
        table: KeyTable,
        key: &KeyEncryptionKey,
        origin: &str,
        schedule: &Schedule,
    ) -> Result<Self, Error> {
        let active = active_of(&table.keys)?;
        let sealed = active.sealed.as_deref().unwrap_or_default();
        let private = key.open(&active.kid, sealed).ok_or_else(|| {
            Error::WrongKeyEncryptionKey { kid: active.kid.clone(), origin: origin.to_owned() }
        })?;
        let published = table.keys.iter().filter(|stored| stored.state != KeyState::Withdrawn);
        let jwks = Jwks::new(published.map(|stored| stored.public_jwk.as_str()));
        Ok(Self {
            version: table.version,
            next_change: schedule.next_change(&table.keys),
            active: SigningKey::from_pkcs8(active.algorithm, &private)?,
            verification: key_set(&jwks)?,
            jwks,
        })
    }
}

pub(super) fn promises(schedule: &Schedule) -> Promises {
    Promises { token_secs: schedule.token_lifetime, max_age_secs: schedule.max_age }
}

fn key_set(jwks: &Jwks) -> Result<KeySet, Error> {
    KeySet::from_json(jwks.body.as_bytes())
        .map_err(|_| Error::Crypto("the published key set does not parse"))
}
