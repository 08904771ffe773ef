//! Signature verification only: whether a JWS ([RFC 7515]) was signed with one of the given keys.
//!
//! [`verify`] uses keys in memory; [`verify_from`] uses a [`KeySource`], such as a fetched
//! [`RemoteKeySet`].
//!
//! This is **not** token validation. It does not check the issuer, the audience, the subject, the
//! expiry, or whether the payload is a token. For that use [`Authenticator`](crate::Authenticator).
//!
//! ```
//! use portcullis::{Algorithm, signature, keys::KeySet};
//!
//! // RFC 8037 appendix A.2 and A.4.
//! let keys = KeySet::from_json(br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
//!     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
//! let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
//!     P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
//! let verified = signature::verify(jws, &keys, &[Algorithm::Ed25519])?;
//! assert_eq!(verified.payload(), b"Example of Ed25519 signing");
//!
//! let forged = jws.replace("RXhh", "RXhi");
//! let error = signature::verify(&forged, &keys, Algorithm::ALL).unwrap_err();
//! assert_eq!(error.rule(), "signature");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [RFC 7515]: https://www.rfc-editor.org/rfc/rfc7515

use std::fmt;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::causes::debug_with_causes;
use crate::crypto::Provider;
use crate::duration::InSeconds;
use crate::error::TokenError;
use crate::fetch::FetchError;
use crate::jws::CompactJws;
use crate::key::{CandidateKeys, KeyRequest, KeySet, Payload};
use crate::key_source::{KeySource, ResolveError};
use crate::remote::RemoteKeySet;

/// Verifies the signature of `jws`, in compact form, with the key that its header names. Without a
/// `kid`, each key with its algorithm is tried, up to 4 keys; more are an error.
///
/// # Errors
///
/// Returns the rule that the JWS broke: its form, its header, its `alg` (which must be in
/// `allowed`), its key, or its signature.
#[doc(alias("decode", "jws"))]
pub fn verify(jws: &str, keys: &KeySet, allowed: &[Algorithm]) -> Result<VerifiedJws, TokenError> {
    let jws = parse(jws, allowed)?;
    let wanted = wanted(&jws);
    let candidates =
        CandidateKeys::of(&keys.candidates(&wanted)?).ok_or_else(|| keys.absence(wanted.key_id))?;
    VerifiedJws::new(&jws, &candidates, None)
}

/// Verifies like [`verify`], with keys from any source. Waits for keys that are being fetched, up
/// to the source's deadline.
///
/// A key that is not in memory, or was replaced under its `kid`, is fetched within the source's
/// budget, as for an authenticator.
///
/// ```
/// use portcullis::keys::{KeySet, SharedKeySet};
/// use portcullis::{Algorithm, signature, signature::VerifyError};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = SharedKeySet::new(KeySet::from_json(br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?);
/// let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
///     P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// let verified = signature::verify_from(jws, &keys, &[Algorithm::Ed25519]).await?;
/// assert_eq!(verified.payload(), b"Example of Ed25519 signing");
///
/// match signature::verify_from(&jws.replace("RXhh", "RXhi"), &keys, Algorithm::ALL).await {
///     Err(VerifyError::Jws(error)) => assert_eq!(error.rule(), "signature"),
///     // No keys available: retry, and do not report the JWS as bad.
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// An error that states whether the JWS is bad, the keys could not be fetched, or no fetch is
/// allowed now.
pub async fn verify_from<S: KeySource + ?Sized>(
    jws: &str,
    keys: &S,
    allowed: &[Algorithm],
) -> Result<VerifiedJws, VerifyError> {
    verify_with(jws, keys, allowed, None).await
}

/// Verifies like [`verify_from`]. `None` stands for the provider that parsed a key.
pub(crate) async fn verify_with<S: KeySource + ?Sized>(
    jws: &str,
    keys: &S,
    allowed: &[Algorithm],
    provider: Option<Provider>,
) -> Result<VerifiedJws, VerifyError> {
    let jws = parse(jws, allowed)?;
    let wanted = wanted(&jws);
    let candidates = keys.resolve(&wanted).await?;
    match VerifiedJws::new(&jws, &candidates, provider) {
        Err(TokenError::Signature) => match keys.replaced(&wanted, &candidates).await {
            Some(others) => Ok(VerifiedJws::new(&jws, &others, provider)?),
            None => Err(TokenError::Signature.into()),
        },
        verified => Ok(verified?),
    }
}

impl RemoteKeySet {
    /// Verifies the signature of `jws`, and **nothing else**. The caller must check the issuer, the
    /// subject, the audience, the expiry and whether the payload is a token. A valid signature does
    /// not authenticate a caller; for that use [`Authenticator`](crate::Authenticator).
    ///
    /// # Errors
    ///
    /// See [`verify_from`].
    pub async fn verify(
        &self,
        jws: &str,
        allowed: &[Algorithm],
    ) -> Result<VerifiedJws, VerifyError> {
        verify_from(jws, self, allowed).await
    }
}

fn parse<'j>(jws: &'j str, allowed: &[Algorithm]) -> Result<CompactJws<'j>, TokenError> {
    let jws = CompactJws::parse(jws)?;
    let algorithm = jws.header().algorithm;
    if allowed.contains(&algorithm) {
        Ok(jws)
    } else {
        Err(TokenError::AlgorithmNotAllowed { algorithm })
    }
}

fn wanted<'j>(jws: &'j CompactJws<'_>) -> KeyRequest<'j> {
    KeyRequest::new(jws.header().key_id.as_deref(), jws.header().algorithm)
}

/// Why [`verify_from`] did not verify a JWS: it is bad, or the keys are unavailable.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The JWS broke a rule: its form, its header, its `alg`, its key, or its signature.
    #[error(transparent)]
    Jws(#[from] TokenError),
    /// There are no usable keys, because the fetch failed. The JWS was not checked.
    #[error("the keys could not be fetched; retry in {}", InSeconds(*.retry_after))]
    #[non_exhaustive]
    KeysUnavailable {
        /// The delay before a retry.
        retry_after: Duration,
        /// Why the last fetch failed.
        source: Option<FetchError>,
    },
    /// The keys in memory lack the key of the JWS, and no fetch is allowed now: unknown `kid`s have
    /// spent the budget, or too many requests are waiting. The JWS was not checked.
    #[error("no cached key has this `kid`, and no fetch is allowed now; retry in {}", InSeconds(*.retry_after))]
    #[non_exhaustive]
    KeyBudgetSpent {
        /// The delay before a retry.
        retry_after: Duration,
        /// Why the last fetch failed, if it did.
        source: Option<FetchError>,
    },
}

debug_with_causes!(VerifyError);

impl From<ResolveError> for VerifyError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Refused(error) => Self::Jws(error),
            ResolveError::Unavailable { retry_after, source } => {
                Self::KeysUnavailable { retry_after, source }
            }
            ResolveError::BudgetSpent { retry_after, source } => {
                Self::KeyBudgetSpent { retry_after, source }
            }
        }
    }
}

/// A payload with a verified signature.
pub struct VerifiedJws {
    payload: Payload,
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl VerifiedJws {
    fn new(
        jws: &CompactJws<'_>,
        candidates: &CandidateKeys,
        provider: Option<Provider>,
    ) -> Result<Self, TokenError> {
        let (payload, key) = candidates.verify(jws, provider)?;
        let key_id = key.id().map(str::to_owned);
        Ok(Self { payload, key_id, algorithm: jws.header().algorithm })
    }

    /// Returns the payload's bytes, in any format.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.as_ref()
    }

    /// Returns the `kid` of the key that verified the signature.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Returns the algorithm of the signature.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Shows the algorithm, but no text from the token.
impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestKey;

    #[test]
    fn jws_verifies_only_with_an_allowed_algorithm_and_its_key() {
        let key = TestKey::generate("k", Algorithm::Es256);
        let keys = TestKey::key_set([&key]);
        let jws = key.sign(r#"{"alg":"ES256","kid":"k"}"#, "any \u{1f511} text");
        let verified = verify(&jws, &keys, &[Algorithm::Rs256, Algorithm::Es256]).unwrap();
        assert_eq!(verified.payload(), "any \u{1f511} text".as_bytes());
        assert_eq!((verified.key_id(), verified.algorithm()), (Some("k"), Algorithm::Es256));
        assert!(!format!("{verified:?}").contains("text"));

        let rule = |jws: &str, allowed| verify(jws, &keys, allowed).map_err(|error| error.rule());
        assert_eq!(rule(&jws, &[Algorithm::Rs256]).err(), Some("alg"));
        assert_eq!(rule(&jws, &[]).err(), Some("alg"));
        let other = key.sign(r#"{"alg":"ES256","kid":"other"}"#, "x");
        assert_eq!(rule(&other, Algorithm::ALL).err(), Some("kid"));
        let mismatch = key.sign(r#"{"alg":"ES384","kid":"k"}"#, "x");
        assert_eq!(rule(&mismatch, Algorithm::ALL).err(), Some("alg_of_key"));
    }

    #[test]
    fn without_a_kid_each_of_at_most_4_keys_is_tried() {
        let ids = ["a", "b", "c", "d", "e"];
        let made = ids.map(|id| TestKey::generate(id, Algorithm::Es256));
        let verified_with = |signer: &TestKey, keys: &[TestKey]| {
            let jws = signer.sign(r#"{"alg":"ES256"}"#, "x");
            let verified = verify(&jws, &TestKey::key_set(keys), Algorithm::ALL)?;
            Ok(verified.key_id().unwrap().to_owned())
        };
        for (signer, id) in made.iter().zip(ids).take(4) {
            assert_eq!(verified_with(signer, &made[..4]), Ok(id.to_owned()));
        }
        assert_eq!(verified_with(&made[4], &made[..4]), Err(TokenError::Signature));
        let (algorithm, limit) = (Algorithm::Es256, 4);
        let too_many = TokenError::TooManyCandidates { algorithm, limit };
        assert_eq!(verified_with(&made[0], &made), Err(too_many));
    }
}
