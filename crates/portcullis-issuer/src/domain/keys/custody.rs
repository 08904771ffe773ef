//! The custody of private keys: they are either encrypted in the store or held by an external signer.
//! No other module distinguishes the two.

use std::sync::Arc;
use std::time::Duration;

use portcullis::{Algorithm, keys::VerificationKey};
use tokio::time::timeout;

use super::schedule::Schedule;
use super::sealed::KeyEncryptionKey;
use super::signer::{Signer, SignerAnswer};
use super::signing_key::{SigningAlgorithm, SigningKey, members_of, published};
use super::store::{NewKey, StoredKey};
use crate::error::Error;

/// The time limit for a call of a signer.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The place where private keys are kept.
#[derive(Debug)]
pub(crate) struct Custody {
    pub(crate) key_encryption_key: KeyEncryptionKey,
    /// The origin of the key-encryption key, for messages.
    pub(crate) origin: String,
    /// The signer that creates and keeps new keys, if there is one.
    pub(crate) signer: Option<Arc<dyn Signer>>,
}

impl Custody {
    /// Generates a key that may sign after `lead` seconds.
    pub(super) async fn new_key(
        &self,
        algorithm: SigningAlgorithm,
        schedule: &Schedule,
        created_at: i64,
        lead: i64,
    ) -> Result<NewKey, Error> {
        let (kid, public_jwk, sealed) = match &self.signer {
            Some(signer) => {
                let jwk = answer(signer.new_key(algorithm)).await?;
                let wrong = || Error::Signer(format!("its new key is not for {algorithm}").into());
                let (kid, jwk) = members_of(&jwk)
                    .map(|members| published(members, algorithm))
                    .ok_or_else(wrong)?;
                let jwk = jwk.to_string();
                VerificationKey::from_jwk(jwk.as_bytes(), verified_as(algorithm))
                    .map_err(|error| Error::Signer(error.into()))?;
                (kid, jwk, Vec::new())
            }
            None => self.make(algorithm).await?,
        };
        Ok(NewKey {
            kid,
            algorithm,
            public_jwk,
            sealed,
            created_at,
            signs_from: created_at.saturating_add(lead),
            promises: schedule.promises(),
        })
    }

    async fn make(&self, algorithm: SigningAlgorithm) -> Result<(String, String, Vec<u8>), Error> {
        // Finding RSA primes takes up to a second.
        let (key, private) = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm))
            .await
            .map_err(|_| Error::Crypto("making a signing key"))??;
        let sealed = self.key_encryption_key.seal(key.kid(), &private)?;
        Ok((key.kid().to_owned(), key.public_jwk()?.to_string(), sealed))
    }

    /// Opens a stored key for signing.
    pub(super) fn open(&self, stored: &StoredKey) -> Result<ActiveKey, Error> {
        let kid = stored.kid.clone();
        let sealed = stored.sealed.as_deref().unwrap_or_default();
        if sealed.is_empty() {
            let signer = self.signer.clone().ok_or(Error::NoSigner { kid: kid.clone() })?;
            return Ok(ActiveKey::Elsewhere { kid, algorithm: stored.algorithm, signer });
        }
        let private = self
            .key_encryption_key
            .open(&kid, sealed)
            .ok_or_else(|| Error::WrongKeyEncryptionKey { kid, origin: self.origin.clone() })?;
        SigningKey::from_pkcs8(stored.algorithm, &private).map(ActiveKey::Here)
    }
}

/// The key that signs.
#[derive(Debug)]
pub(crate) enum ActiveKey {
    /// A key whose private part is in memory.
    Here(SigningKey),
    /// A key of an external signer, which may fail.
    Elsewhere { kid: String, algorithm: SigningAlgorithm, signer: Arc<dyn Signer> },
}

impl ActiveKey {
    pub(crate) fn kid(&self) -> &str {
        match self {
            Self::Here(key) => key.kid(),
            Self::Elsewhere { kid, .. } => kid,
        }
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Here(key) => key.algorithm(),
            Self::Elsewhere { algorithm, .. } => *algorithm,
        }
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere { .. })
    }

    /// Returns the JWS signature of `message`.
    pub(crate) async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Here(key) => key.sign(message),
            Self::Elsewhere { kid, signer, .. } => answer(signer.sign(kid, message)).await,
        }
    }
}

/// Returns the verifier's variant of the algorithm.
pub(crate) fn verified_as(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Es256 => Algorithm::Es256,
        SigningAlgorithm::EdDsa => Algorithm::Ed25519,
        SigningAlgorithm::Rs256 => Algorithm::Rs256,
    }
}

async fn answer<T>(answer: SignerAnswer<'_, T>) -> Result<T, Error> {
    let in_time = timeout(MAX_WAIT, answer).await;
    in_time
        .map_err(|_| Error::Signer("it did not respond within 5 s".into()))?
        .map_err(Error::Signer)
}
