//! A signing key: generation, sealing, opening and signing.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::error::{Error, debug_with_causes};

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256: small, fast to sign, and known to every verifier.
    #[default]
    Es256,
    /// Ed25519, under the name `EdDSA` (RFC 8037) that verifiers know best.
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256 and 2048 bits, for verifiers that know nothing else.
    Rs256,
}

impl SigningAlgorithm {
    /// The `alg` of the tokens and of the published key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownSigningAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "ES256" => Ok(Self::Es256),
            "EdDSA" | "Ed25519" => Ok(Self::EdDsa),
            "RS256" => Ok(Self::Rs256),
            _ => Err(UnknownSigningAlgorithm),
        }
    }
}

/// The issuer does not sign with an algorithm of that name.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing algorithm must be ES256, EdDSA or RS256")]
pub struct UnknownSigningAlgorithm;

debug_with_causes!(UnknownSigningAlgorithm);

/// A decrypted private key.
pub(crate) struct SigningKey {
    kid: String,
    pair: KeyPair,
}

enum KeyPair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// Generates a key, and returns it with its private part in PKCS#8 for sealing. An RSA key can
    /// take up to a second.
    pub(crate) fn generate(
        algorithm: SigningAlgorithm,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), Error> {
        let failed = |_| Error::Crypto("making a signing key");
        let pkcs8 = match algorithm {
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
        }
        .map_err(failed)?;
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    pub(crate) fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, Error> {
        let pair = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map(KeyPair::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(KeyPair::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(KeyPair::Rs256),
        }
        .map_err(|_| Error::Crypto("reading a signing key"))?;
        let kid = pair.thumbprint()?;
        Ok(Self { kid, pair })
    }

    /// Returns the key's `kid`: its RFC 7638 thumbprint.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            KeyPair::Es256(_) => SigningAlgorithm::Es256,
            KeyPair::EdDsa(_) => SigningAlgorithm::EdDsa,
            KeyPair::Rs256(_) => SigningAlgorithm::Rs256,
        }
    }

    /// Returns the public JWK, which is published (RFC 7517 section 4).
    pub(crate) fn public_jwk(&self) -> Result<Value, Error> {
        Ok(published(self.pair.required_members()?, self.algorithm()).1)
    }

    /// The JWS signature of `message` (RFC 7518 section 3, RFC 8037 section 3.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::Crypto("signing a token");
        match &self.pair {
            KeyPair::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(failed),
            KeyPair::EdDsa(pair) => {
                pair.try_sign(message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            KeyPair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl KeyPair {
    /// The members that RFC 7638 section 3.2 and RFC 8037 section 2 hash.
    fn required_members(&self) -> Result<Value, Error> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(pair) => {
                // SEC 1 section 2.3.3: 0x04, then x and y of 32 bytes each.
                let (x, y) = pair
                    .public_key()
                    .as_ref()
                    .get(1..65)
                    .and_then(|point| point.split_at_checked(32))
                    .ok_or(Error::Crypto("reading a P-256 point"))?;
                Ok(json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }))
            }
            Self::EdDsa(pair) => {
                let x = encode(pair.public_key().as_ref());
                Ok(json!({ "kty": "OKP", "crv": "Ed25519", "x": x }))
            }
            Self::Rs256(pair) => {
                let key = pair.public_key();
                let n = encode(key.modulus().big_endian_without_leading_zero());
                let e = encode(key.exponent().big_endian_without_leading_zero());
                Ok(json!({ "kty": "RSA", "n": n, "e": e }))
            }
        }
    }

    /// Returns the RFC 7638 thumbprint: the SHA-256 of the required members in lexicographic order,
    /// without white space.
    fn thumbprint(&self) -> Result<String, Error> {
        let members = self.required_members()?;
        Ok(thumbprint(&members))
    }
}

/// The members of a JWK that RFC 7638 section 3.2 and RFC 8037 section 2 hash, and no others.
pub(super) fn members_of(jwk: &Value) -> Option<Value> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["kty", "crv", "x", "y"],
        "OKP" => &["kty", "crv", "x"],
        "RSA" => &["kty", "n", "e"],
        _ => return None,
    };
    let member = |name: &&str| Some(((*name).to_owned(), json!(jwk.get(*name)?.as_str()?)));
    names.iter().map(member).collect::<Option<serde_json::Map<_, _>>>().map(Value::Object)
}

/// Returns the `kid` of a key and its public JWK.
pub(super) fn published(mut members: Value, algorithm: SigningAlgorithm) -> (String, Value) {
    let kid = thumbprint(&members);
    if let Some(members) = members.as_object_mut() {
        members.insert("use".to_owned(), json!("sig"));
        members.insert("alg".to_owned(), json!(algorithm.as_str()));
        members.insert("kid".to_owned(), json!(kid));
    }
    (kid, members)
}

fn thumbprint(required_members: &Value) -> String {
    // A `BTreeMap` sorts the members even if another crate enables serde_json's `preserve_order`.
    let sorted: std::collections::BTreeMap<_, _> =
        required_members.as_object().into_iter().flatten().collect();
    let canonical = json!(sorted).to_string();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{self, UnparsedPublicKey};

    const ALGORITHMS: [SigningAlgorithm; 3] =
        [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];

    /// The example of RFC 7638 section 3.1.
    #[test]
    fn thumbprint_of_the_rfc() {
        let members = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
        });
        assert_eq!(thumbprint(&members), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn reopened_key_has_the_same_kid_and_valid_signatures() {
        for algorithm in ALGORITHMS {
            let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
            let reopened = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
            assert_eq!(reopened.kid(), key.kid());
            let signature = reopened.sign(b"message").unwrap();
            let (how, public): (&'static dyn signature::VerificationAlgorithm, &[u8]) =
                match &key.pair {
                    KeyPair::Es256(pair) => {
                        (&signature::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                    }
                    KeyPair::EdDsa(pair) => (&signature::ED25519, pair.public_key().as_ref()),
                    KeyPair::Rs256(pair) => {
                        (&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                    }
                };
            UnparsedPublicKey::new(how, public).verify(b"message", &signature).unwrap();
        }
    }

    #[test]
    fn public_jwk_and_debug_output_have_no_private_part() {
        for algorithm in ALGORITHMS {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let jwk = key.public_jwk().unwrap();
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(jwk.get(private).is_none(), "{jwk}");
            }
            let debug = format!("{key:?}");
            let expected = format!(
                "SigningKey {{ kid: \"{}\", algorithm: {:?}, .. }}",
                key.kid(),
                key.algorithm()
            );
            assert_eq!(debug, expected);
        }
    }
}
