//! Signers, which keep private keys outside the issuer: in a KMS, an HSM or another process.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;

use serde_json::Value;

use super::signing_key::SigningAlgorithm;

/// Keeps private keys and signs with them, for example in a key management service.
///
/// A signer in [`IssuerConfig::signer`](crate::IssuerConfig::signer) creates and keeps every key
/// from the next rotation on; on an empty database the first key, too. Until that rotation, the
/// issuer's own key continues to sign.
///
/// **Rotation**: the issuer requests a key that has not signed yet, publishes it, and signs with it
/// once every verifier can have it, as with keys of the issuer's own. A signer whose keys are
/// created elsewhere returns the key that is meant to be next. If that key was in the key set
/// before, nothing is rotated; the log reports this every 30 seconds, and the command fails.
///
/// **Destroying a key** is up to the signer. It must be able to sign with a key for as long as
/// [`Issuer::keys`](crate::Issuer::keys) lists the key as `next` or `active`.
///
/// **While the signer fails**, requests that need a token get 503 and `Retry-After`. They spend no
/// refresh token and no code, so clients can repeat them. Every signature is verified before it is
/// used, so a signature in the wrong format is an error of the signer. Several issuer processes on
/// one PostgreSQL must have signers with the same keys.
///
/// ```
/// use std::sync::Arc;
///
/// use aws_lc_rs::rand::SystemRandom;
/// use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
/// use base64::Engine as _;
/// use base64::engine::general_purpose::URL_SAFE_NO_PAD;
/// use serde_json::{Value, json};
/// use portcullis_issuer::{Issuer, IssuerConfig, Signer, SignerAnswer, SigningAlgorithm};
///
/// /// A stand-in for the client of a service with one key, which never leaves the service.
/// #[derive(Debug)]
/// struct Kms {
///     key: EcdsaKeyPair,
/// }
///
/// impl Signer for Kms {
///     fn new_key(&self, algorithm: SigningAlgorithm) -> SignerAnswer<'_, Value> {
///         Box::pin(async move {
///             if algorithm != SigningAlgorithm::Es256 {
///                 return Err("this service has keys for ES256 only".into());
///             }
///             let point = self.key.public_key().as_ref();
///             let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
///             Ok(json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) }))
///         })
///     }
///
///     fn sign<'a>(&'a self, _kid: &'a str, message: &'a [u8]) -> SignerAnswer<'a, Vec<u8>> {
///         Box::pin(async move {
///             let signature = self.key.sign(&SystemRandom::new(), message)?;
///             Ok(signature.as_ref().to_vec())
///         })
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let mut config = IssuerConfig::new("http://127.0.0.1:8080", directory.path().join("issuer.db"));
/// let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
/// config.signer = Some(Arc::new(Kms { key }));
/// let issuer = Issuer::open(config).await?;
/// assert_eq!(issuer.keys().await?.len(), 1);
///
/// // The service has no second key, so a rotation fails.
/// assert!(issuer.rotate_keys().await.is_err());
/// # Ok(())
/// # }
/// ```
pub trait Signer: fmt::Debug + Send + Sync {
    /// Returns the public part of a key that has not signed yet, as a JWK (RFC 7517): `kty` and the
    /// members that [RFC 7638 section 3.2](https://www.rfc-editor.org/rfc/rfc7638#section-3.2)
    /// requires. Any other member is ignored.
    fn new_key(&self, algorithm: SigningAlgorithm) -> SignerAnswer<'_, Value>;

    /// Returns the signature of `message` under the key whose RFC 7638 thumbprint (SHA-256,
    /// base64url) is `kid`, in the format of JWS ([RFC 7518 section
    /// 3](https://www.rfc-editor.org/rfc/rfc7518#section-3)): for ES256 the 64 bytes of R and S,
    /// not DER. The call times out after 5 seconds.
    fn sign<'a>(&'a self, kid: &'a str, message: &'a [u8]) -> SignerAnswer<'a, Vec<u8>>;
}

/// What a method of [`Signer`] returns. The error is for the log, never for a client.
pub type SignerAnswer<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;
