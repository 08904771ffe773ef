//! What an operator does with the keys.

use super::Issuer;
use crate::domain::keys::{KeyEncryptionKey, KeyState};
use crate::error::Error;

impl Issuer {
    /// Publishes the key that follows, and returns its `kid`. It signs as soon as every cached key
    /// set without it has expired ([`KeyInfo::signs_from`]), so that no verifier refuses a token;
    /// one that is published already is left as it is. It is for the configured algorithm, or
    /// else for that of the key that signs now.
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
    /// Verifiers that fetch the key set again when they meet an unknown `kid`, as Portcullis does,
    /// notice nothing; one that waits until its cached set has expired refuses the new tokens
    /// until then. The old key stays published until the last token that it signed has expired.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails; the old key stays in use then.
    pub async fn rotate_keys_now(&self) -> Result<String, Error> {
        self.domain().keys.rotate_now().await
    }

    /// Withdraws a key at once, because it is in the wrong hands: honest tokens that it signed
    /// are refused as well, by each verifier as soon as its cached key set has expired. If it is
    /// the key that signs, another one does from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`] if no such key is published, [`Error::Store`] if the store fails.
    pub async fn withdraw_key_now(&self, kid: &str) -> Result<(), Error> {
        self.domain().keys.withdraw_now(kid).await
    }

    /// Seals all that is sealed at rest (signing keys, secrets of second factors) under another
    /// key-encryption key, in one transaction. Refresh tokens stay valid: the MAC key of the old
    /// one is kept, sealed, until their sessions have ended.
    ///
    /// This issuer and every other process on the database have the old key, and answer 503 from
    /// now on: close them, and open them with the new one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails; nothing is changed then.
    pub async fn rekey(&self, new: &KeyEncryptionKey) -> Result<(), Error> {
        self.domain().rekeyer.rekey(new).await
    }

    /// All keys, the newest first.
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

/// A signing key, as far as it is anybody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs or signed with.
    pub algorithm: &'static str,
    /// Where in its life it is.
    pub state: KeyState,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
    /// When it may sign, or began to, in seconds since 1970.
    pub signs_from: i64,
    /// When it is or was withdrawn, in seconds since 1970, if that is known already.
    pub published_until: Option<i64>,
}
