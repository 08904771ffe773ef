use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::key::KeySet;

/// A key pair that signs any text, whether or not it is a valid token.
#[derive(Debug)]
pub struct TestKey {
    id: String,
    algorithm: Algorithm,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl TestKey {
    /// Generates a key pair with this `kid`. RSA keys have 2048 bits.
    #[must_use]
    pub fn generate(id: &str, algorithm: Algorithm) -> Self {
        use Algorithm::{Ed25519, Es256, Es384, Es512, MlDsa44, MlDsa65, MlDsa87};
        let ec = |algorithm| Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap());
        let ml_dsa = |algorithm| Pair::MlDsa(PqdsaKeyPair::generate(algorithm).unwrap());
        let pair = match algorithm {
            Es256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Es384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Es512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Ed25519 => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            MlDsa44 => ml_dsa(&signature::ML_DSA_44_SIGNING),
            MlDsa65 => ml_dsa(&signature::ML_DSA_65_SIGNING),
            MlDsa87 => ml_dsa(&signature::ML_DSA_87_SIGNING),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { id: id.to_owned(), algorithm, pair }
    }

    /// Returns the public key as a JWK with `kid` and `alg`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = public.modulus().big_endian_without_leading_zero().to_vec();
                let e = public.exponent().big_endian_without_leading_zero().to_vec();
                json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)})
            }
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = match self.algorithm {
                    Algorithm::Es256 => "P-256",
                    Algorithm::Es384 => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
            Pair::MlDsa(pair) => json!({"kty": "AKP", "pub": encode(pair.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm.as_str());
        jwk
    }

    /// Returns the public keys of `keys` as a JWK Set, the body of a key set's URL.
    pub fn jwks<'k>(keys: impl IntoIterator<Item = &'k Self>) -> Value {
        json!({"keys": keys.into_iter().map(Self::jwk).collect::<Vec<_>>()})
    }

    /// Returns the public keys of `keys`, for a [`SharedKeySet`](crate::keys::SharedKeySet) or
    /// [`signature::verify`](crate::signature::verify).
    ///
    /// # Panics
    ///
    /// If there are more keys than a key set may have.
    pub fn key_set<'k>(keys: impl IntoIterator<Item = &'k Self>) -> KeySet {
        KeySet::from_json(Self::jwks(keys).to_string().as_bytes()).unwrap()
    }

    /// Returns an access token (`typ` is `at+jwt`) with exactly these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// Returns the JOSE header of an access token.
    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm.as_str(), "typ": "at+jwt", "kid": self.id})
    }

    /// Returns a JWS with exactly this header and payload, valid or not.
    #[must_use]
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let message = input.as_bytes();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &'static dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).unwrap();
                signature
            }
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
