//! Signing where the private key is: in a KMS, an HSM, another process.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;

use serde_json::Value;

use super::signing_key::SigningAlgorithm;

/// Has private keys, and signs with them: a key management service, for example.
///
/// Given as [`IssuerConfig::signer`](crate::IssuerConfig::signer), it makes and holds every key
/// from the next rotation on (the first one too, on an empty database). A key that the issuer made
/// before that goes on signing until then.
///
/// **A rotation** asks it for a key that has not signed yet, publishes that, and has it sign when
/// every verifier can know it, as with keys of the issuer's own. A signer whose keys somebody else
/// makes returns the one that is meant to be next; if that is in the key set already, nothing is
/// rotated, which is told in the log every 30 seconds, or by the command. **Destroying** a key is
/// the signer's own affair: it must be able to sign with it for as long as
/// [`Issuer::keys`](crate::Issuer::keys) has it as `next` or `active`.
///
/// **While it fails** whatever needs a token is answered with 503 and `Retry-After`; nothing is
/// spent by that, and all goes on when it is back. Every signature is verified before it leaves
/// the house, so that one in the wrong form is noticed here. Several issuer processes on one
/// PostgreSQL must be given signers that have the same keys.
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
/// /// Stands for a client of a service that has one key, and gives it to nobody.
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
/// // It has no other key: there is nothing that could be rotated to.
/// assert!(issuer.rotate_keys().await.is_err());
/// # Ok(())
/// # }
/// ```
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public part of a key that has not signed yet, as a JWK (RFC 7517): `kty` and the
    /// members that [RFC 7638 section 3.2](https://www.rfc-editor.org/rfc/rfc7638#section-3.2)
    /// asks for. Any other member is ignored.
    fn new_key(&self, algorithm: SigningAlgorithm) -> SignerAnswer<'_, Value>;

    /// The signature of `message` under the key whose RFC 7638 thumbprint (SHA-256, base64url) is
    /// `kid`, as a JWS has it
    /// ([RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3)): for ES256 the 64
    /// bytes of R and S, and not their DER. It has 5 seconds.
    fn sign<'a>(&'a self, kid: &'a str, message: &'a [u8]) -> SignerAnswer<'a, Vec<u8>>;
}

/// What a method of [`Signer`] returns. The error is for the log, never for a client.
pub type SignerAnswer<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;
