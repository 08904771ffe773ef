//! Replaces the key-encryption key: all sealed data is sealed again, in one transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis::clock::Clock;

use crate::clock::{now_secs, secs};
use crate::domain::Answer;
use crate::domain::keys::KeyEncryptionKey;
use crate::domain::second_factor::Sealing;
use crate::domain::sessions::MacKey;
use crate::error::Error;

/// Replaces the key-encryption key.
pub(crate) struct Rekeyer {
    pub(crate) store: Arc<dyn RekeyStore>,
    pub(crate) key: KeyEncryptionKey,
    /// The maximum lifetime of a session, for which refresh tokens of the old MAC key are accepted.
    pub(crate) session_max: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The store's part of replacing the key-encryption key.
pub(crate) trait RekeyStore: fmt::Debug + Send + Sync {
    /// Seals all sealed data again, and keeps the MAC key of the old key-encryption key.
    fn rekey<'a>(&'a self, rekeying: &'a Rekeying) -> Answer<'a, ()>;
    /// Returns the MAC keys of earlier key-encryption keys, by their numbers.
    fn earlier_mac_keys(&self) -> Answer<'_, Vec<EarlierMacKey>>;
}

/// The MAC key of refresh tokens that belongs to an earlier key-encryption key.
pub(crate) struct EarlierMacKey {
    pub(crate) number: i64,
    pub(crate) sealed: Vec<u8>,
    /// The time at which the last session with this key has ended, in seconds since 1970.
    pub(crate) verify_until: i64,
}

impl Rekeyer {
    /// Seals all sealed data under another key-encryption key. This process cannot read the data
    /// afterwards.
    pub(crate) async fn rekey(&self, new: &KeyEncryptionKey) -> Result<(), Error> {
        let now = now_secs(&*self.clock);
        let verify_until = now.saturating_add(secs(self.session_max));
        let rekeying = Rekeying { old: self.key.clone(), new: new.clone(), verify_until, now };
        Ok(self.store.rekey(&rekeying).await?)
    }
}

impl fmt::Debug for Rekeyer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rekeyer").field("session_max", &self.session_max).finish_non_exhaustive()
    }
}

/// The associated data of a sealed MAC key.
fn name_of_mac_key(number: i64) -> String {
    format!("the MAC key {number} of refresh tokens")
}

/// The current key-encryption key, and the key that replaces it.
pub(crate) struct Rekeying {
    old: KeyEncryptionKey,
    new: KeyEncryptionKey,
    /// Until when tokens of the old MAC key are accepted.
    pub(crate) verify_until: i64,
    pub(crate) now: i64,
}

impl Rekeying {
    pub(crate) fn signing_key(&self, kid: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        again(&self.old, &self.new, kid, sealed)
    }

    pub(crate) fn second_factor(&self, user_id: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (old, new) = (Sealing::new(&self.old)?, Sealing::new(&self.new)?);
        again(old.key(), new.key(), user_id, sealed)
    }

    pub(crate) fn earlier_mac_key(&self, number: i64, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        again(&self.old, &self.new, &name_of_mac_key(number), sealed)
    }

    /// Seals the MAC key of the old key-encryption key.
    pub(crate) fn mac_key(&self, number: i64) -> Result<Vec<u8>, Error> {
        let key = MacKey::of(&self.old, number_of(number)?)?;
        self.new.seal_key(&name_of_mac_key(number), &key.key)
    }
}

/// Opens an earlier MAC key.
pub(crate) fn open_mac_key(
    key: &KeyEncryptionKey,
    number: i64,
    sealed: &[u8],
) -> Result<MacKey, Error> {
    let opened = key.open_key(&name_of_mac_key(number), sealed);
    let key = opened.ok_or(Error::Crypto("opening a MAC key"))?;
    Ok(MacKey { number: number_of(number)?, key })
}

fn number_of(number: i64) -> Result<u16, Error> {
    u16::try_from(number).map_err(|_| Error::Crypto("numbering a MAC key"))
}

fn again(
    old: &KeyEncryptionKey,
    new: &KeyEncryptionKey,
    name: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let opened = old.open(name, sealed).ok_or(Error::Crypto("opening what is sealed"))?;
    new.seal(name, &opened)
}
