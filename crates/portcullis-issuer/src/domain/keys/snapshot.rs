//! The ring at one version of the key table, ready to sign and to be published.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::keys::KeySet;

use super::custody::{ActiveKey, Custody, verified_as};
use super::jwks::Jwks;
use super::schedule::Schedule;
use super::store::{KeyState, KeyStore, KeyTable, StoredKey};
use crate::error::Error;
use crate::metrics;

/// The ring at one version of the key table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) version: i64,
    /// The time of the next due change; from then on this snapshot is out of date.
    pub(super) next_change: Option<i64>,
    /// The time from which on every cached key set has the active key. It is in the past, unless an
    /// operator has changed the keys at once.
    pub(crate) known_from: i64,
    pub(crate) active: ActiveKey,
    pub(crate) jwks: Jwks,
    /// The published keys, to verify with.
    pub(crate) verification: KeySet,
}

pub(super) fn active_of(keys: &[StoredKey]) -> Result<&StoredKey, Error> {
    keys.iter()
        .find(|key| key.state == KeyState::Active)
        .ok_or(Error::Crypto("the key table has no active key"))
}

/// Reads the table. Records, with the active key, the lifetime of this process's tokens and the time
/// for which its key sets may be cached, because the process that created the key may have recorded
/// shorter times.
pub(super) async fn load(
    store: &dyn KeyStore,
    custody: &Custody,
    schedule: &Schedule,
) -> Result<Snapshot, Error> {
    loop {
        let table = store.keys().await?;
        measure(&table.keys, schedule);
        let snapshot = Snapshot::of(table, custody, schedule)?;
        if store.note_promises(snapshot.active.kid(), schedule.promises()).await? {
            return Ok(snapshot);
        }
        // The key has been retired in the meantime, and another key is active.
    }
}

fn measure(keys: &[StoredKey], schedule: &Schedule) {
    use KeyState::{Active, Next, Retired, Withdrawn};
    for state in [Next, Active, Retired, Withdrawn] {
        let count = keys.iter().filter(|key| key.state == state).count();
        metrics::keys(state.as_str(), count);
    }
    metrics::next_key_change(schedule.next_change(keys));
}

impl Snapshot {
    fn of(table: KeyTable, custody: &Custody, schedule: &Schedule) -> Result<Self, Error> {
        let stored = active_of(&table.keys)?;
        let active = custody.open(stored)?;
        // A set may have been cached while an earlier key signed.
        let longest = table.keys.iter().map(|key| key.longest_max_age_secs).max().unwrap_or(0);
        let cached = schedule.lead(stored).max(longest.saturating_add(schedule.skew));
        let published = table.keys.iter().filter(|stored| stored.state != KeyState::Withdrawn);
        let jwks = Jwks::new(published.map(|stored| stored.public_jwk.as_str()));
        Ok(Self {
            version: table.version,
            next_change: schedule.next_change(&table.keys),
            known_from: stored.created_at.saturating_add(cached),
            active,
            verification: key_set(&jwks)?,
            jwks,
        })
    }
}

impl Snapshot {
    /// Appends the signature to the header and claims of a token.
    pub(crate) async fn sign(&self, mut token: String) -> Result<String, Error> {
        let signature = self.active.sign(token.as_bytes()).await?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        // A wrong format, such as DER, must be detected here, before every verifier rejects the token.
        if self.active.is_elsewhere() {
            let allowed = [verified_as(self.active.algorithm())];
            portcullis::signature::verify(&token, &self.verification, &allowed)
                .map_err(|error| Error::Signer(error.into()))?;
        }
        Ok(token)
    }
}

fn key_set(jwks: &Jwks) -> Result<KeySet, Error> {
    KeySet::from_json(jwks.body.as_bytes())
        .map_err(|_| Error::Crypto("the published key set does not parse"))
}
