//! Signatures alone: whether a JWS ([RFC 7515]) was made with one of some keys.
//!
//! This is **not** token validation. It says nothing of who issued a payload, to whom, for whom,
//! until when, or whether it is a token at all; for that there is
//! [`Authenticator`](crate::Authenticator).
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

use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::jws::CompactJws;
use crate::key::{CandidateKeys, KeyRequest, KeySet, Payload};

/// Verifies the signature of `jws`, in compact form, with the key of `keys` that its header names.
/// Without a `kid`, each key of its algorithm is tried, unless there are more than 4.
///
/// # Errors
///
/// The rule that it broke: of its form, its header, its `alg` (which must be in `allowed`), its
/// key, or the signature.
#[doc(alias("decode", "jws"))]
pub fn verify(jws: &str, keys: &KeySet, allowed: &[Algorithm]) -> Result<VerifiedJws, TokenError> {
    let jws = CompactJws::parse(jws)?;
    let algorithm = jws.header().algorithm;
    if !allowed.contains(&algorithm) {
        return Err(TokenError::AlgorithmNotAllowed { algorithm });
    }
    let wanted = KeyRequest::new(jws.header().key_id.as_deref(), algorithm);
    let candidates =
        CandidateKeys::of(&keys.candidates(&wanted)?).ok_or_else(|| keys.absence(wanted.key_id))?;
    let (payload, key) = candidates.verify(&jws)?;
    let key_id = key.id().map(str::to_owned);
    Ok(VerifiedJws { payload, key_id, algorithm })
}

/// A payload whose signature held.
pub struct VerifiedJws {
    payload: Payload,
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl VerifiedJws {
    /// The payload's bytes, which may be anything.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.as_ref()
    }

    /// The `kid` of the key that it was verified with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The algorithm of the signature.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Shows the algorithm. No text out of the token.
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
    fn only_an_allowed_algorithm_with_the_key_that_is_named_verifies() {
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
