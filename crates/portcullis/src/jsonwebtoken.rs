//! Conversions for code that comes from the crate [`jsonwebtoken`] (feature `jsonwebtoken`).
//!
//! They are one way: its types come in, and none of its functions is called.

use jsonwebtoken::jwk::JwkSet;

use crate::algorithm::{Algorithm, UnknownAlgorithm};
use crate::key::{KeySet, KeySetError};

/// Symmetric algorithms are refused: a key that verifies could sign as well.
impl TryFrom<jsonwebtoken::Algorithm> for Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(algorithm: jsonwebtoken::Algorithm) -> Result<Self, Self::Error> {
        // Its `Debug` is the registered name, and all that it offers.
        format!("{algorithm:?}").parse()
    }
}

/// Each key is judged as one that was fetched: see [`KeySet::from_json`].
impl TryFrom<&JwkSet> for KeySet {
    type Error = KeySetError;

    fn try_from(set: &JwkSet) -> Result<Self, Self::Error> {
        let json = serde_json::to_vec(set).map_err(|_| KeySetError::NotAKeySet)?;
        Self::from_json(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestKey;

    #[test]
    fn algorithms_convert_by_name() {
        use jsonwebtoken::Algorithm as Theirs;
        for (theirs, ours) in [
            (Theirs::RS256, Algorithm::Rs256),
            (Theirs::RS384, Algorithm::Rs384),
            (Theirs::RS512, Algorithm::Rs512),
            (Theirs::PS256, Algorithm::Ps256),
            (Theirs::PS384, Algorithm::Ps384),
            (Theirs::PS512, Algorithm::Ps512),
            (Theirs::ES256, Algorithm::Es256),
            (Theirs::ES384, Algorithm::Es384),
            (Theirs::EdDSA, Algorithm::Ed25519),
        ] {
            assert_eq!(Algorithm::try_from(theirs), Ok(ours));
        }
        for theirs in [Theirs::HS256, Theirs::HS384, Theirs::HS512] {
            assert!(Algorithm::try_from(theirs).is_err(), "{theirs:?}");
        }
    }

    #[test]
    fn key_sets_convert_key_by_key() {
        let keys: Vec<_> =
            [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Ed25519]
                .map(|algorithm| TestKey::generate(algorithm.as_str(), algorithm))
                .into();
        let mut jwks = TestKey::jwks(&keys);
        let symmetric = serde_json::json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"});
        jwks["keys"].as_array_mut().unwrap().push(symmetric);
        let theirs: JwkSet = serde_json::from_value(jwks).unwrap();
        let ours = KeySet::try_from(&theirs).unwrap();
        let algorithms: Vec<_> = ours.iter().map(|key| key.algorithm().as_str()).collect();
        assert_eq!(algorithms, ["RS256", "ES256", "ES384", "EdDSA"]);
        assert_eq!(ours.skipped().len(), 1);
    }
}
