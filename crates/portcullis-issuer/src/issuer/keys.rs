//! The operator's methods for keys.

use super::Issuer;
use crate::domain::keys::{KeyEncryptionKey, KeyState};
use crate::error::Error;

impl Issuer {
    /// Publishes the next key, unless one is published already, and returns its `kid`. The next key
    /// signs as soon as every cached key set without it has expired ([`KeyInfo::signs_from`]), so
    /// that no verifier rejects a token. A new key uses the configured algorithm, or else the
    /// algorithm of the active key.
    ///
    /// The old key stays published until the last token that it signed has expired.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails; nothing is changed then.
    pub async fn rotate_keys(&self) -> Result<String, Error> {
        self.domain().keys.rotate().await
    }

    /// Signs with a new key at once and returns its `kid`.
    ///
    /// Verifiers that fetch the key set again for an unknown `kid`, as Portcullis does, accept the
    /// new tokens at once. Other verifiers reject the new tokens until their cached key set has
    /// expired. The old key stays published until the last token that it signed has expired.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails; the old key stays in use then.
    pub async fn rotate_keys_now(&self) -> Result<String, Error> {
        self.domain().keys.rotate_now().await
    }

    /// Withdraws a compromised key at once. Each verifier rejects all tokens of the key, legitimate
    /// ones too, as soon as its cached key set has expired. If it is the active key, another key
    /// signs from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`] if no such key is published, [`Error::Store`] if the store fails.
    pub async fn withdraw_key_now(&self, kid: &str) -> Result<(), Error> {
        self.domain().keys.withdraw_now(kid).await
    }

    /// Seals all sealed data (signing keys, secrets of second factors) under another key-encryption
    /// key, in one transaction. Refresh tokens stay valid: the MAC key of the old key-encryption
    /// key is kept, sealed, until their sessions have ended.
    ///
    /// This issuer and every other process on the database have the old key, and answer 503 from
    /// now on. Close them, and open them with the new key.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails; nothing is changed then.
    pub async fn rekey(&self, new: &KeyEncryptionKey) -> Result<(), Error> {
        self.domain().rekeyer.rekey(new).await
    }

    /// Returns all keys, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, Error> {
        let keys = self.domain().keys.list().await?;
        Ok(keys
            .into_iter()
            .map(|key| KeyInfo {
                kid: key.kid,
                algorithm: key.algorithm.as_str(),
                state: key.state,
                created_at: key.created_at,
                signs_from: key.signs_from,
                published_until: key.published_until,
            })
            .collect())
    }
}

/// A signing key, without its private part.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's RFC 7638 thumbprint.
    pub kid: String,
    /// The key's algorithm.
    pub algorithm: &'static str,
    /// The state of the key.
    pub state: KeyState,
    /// When the key was created, in seconds since 1970.
    pub created_at: i64,
    /// When the key may begin or began to sign, in seconds since 1970.
    pub signs_from: i64,
    /// When the key is or was withdrawn, in seconds since 1970; `None` if that is not known yet.
    pub published_until: Option<i64>,
}
