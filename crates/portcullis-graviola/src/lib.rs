//! A [crypto provider](portcullis::crypto) for [Portcullis](portcullis): verifies signatures with
//! [graviola](https://docs.rs/graviola), which is written in Rust and formally verified assembly and
//! needs no C compiler.
//!
//! ```
//! use portcullis_graviola::Graviola;
//! use portcullis_graviola::portcullis::keys::{KeyParser, SharedKeySet};
//! use portcullis_graviola::portcullis::{Algorithm, Authenticator};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // RFC 8037 appendix A.2.
//! let keys = KeyParser::new(&Graviola).key_set(br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
//!     "kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
//! let builder = || {
//!     Authenticator::builder("https://auth.example", "https://api.example")
//!         .key_source(SharedKeySet::new(keys.clone()))
//!         .crypto_provider(&Graviola)
//! };
//! let auth = builder().build().await?;
//!
//! // Graviola has no ES512, so the service does not start.
//! let error = builder().algorithms([Algorithm::Es512]).build().await.unwrap_err();
//! assert!(error.to_string().contains("the crypto provider graviola does not support it"));
//! # let _ = auth; Ok(()) }
//! ```
//!
//! | | |
//! |---|---|
//! | algorithms | RS256 to RS512, PS256 to PS512, ES256, ES384, EdDSA (Ed25519), HS256 to HS512 |
//! | not supported | ES512, ML-DSA, RSA keys with an exponent above 32 bits or a modulus whose length is no multiple of 64 bits (PSS) or 8 bytes (PKCS #1) |
//! | targets | x86-64 and aarch64; for other targets this crate does not compile |
//! | CPU | on x86-64 that of 2013 or newer with AES, AVX2, BMI2 and similar instructions; on an older one, the service does not start |
//!
//! The [guide](portcullis::guide::crypto_providers) has a program that builds without a C compiler,
//! with the fetch of the keys.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

use graviola::hashing::hmac::Hmac;
use graviola::hashing::{Hash, Sha256, Sha384, Sha512};
use graviola::signing::ecdsa::{Curve, P256, P384, VerifyingKey};
use graviola::signing::eddsa::Ed25519VerifyingKey;
use graviola::signing::rsa;
use portcullis::Algorithm;
use portcullis::crypto::{CryptoProvider, InvalidSignature, KeyMaterial, RejectedKey, Verifier};

pub use portcullis;

/// Verifies signatures with graviola.
#[derive(Debug, Clone, Copy, Default)]
pub struct Graviola;

impl CryptoProvider for Graviola {
    fn name(&self) -> &'static str {
        "graviola"
    }

    /// Returns `false` for every algorithm if the CPU lacks instructions that graviola needs.
    fn supports(&self, algorithm: Algorithm) -> bool {
        let is_supported = matches!(
            algorithm,
            Algorithm::Rs256
                | Algorithm::Rs384
                | Algorithm::Rs512
                | Algorithm::Ps256
                | Algorithm::Ps384
                | Algorithm::Ps512
                | Algorithm::Es256
                | Algorithm::Es384
                | Algorithm::Ed25519
                | Algorithm::Hs256
                | Algorithm::Hs384
                | Algorithm::Hs512
        );
        is_supported && graviola::util::is_cpu_supported()
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        if !self.supports(algorithm) {
            return Err(RejectedKey::Unsupported);
        }
        match (algorithm, key) {
            (_, KeyMaterial::Rsa { n, e }) => rsa_key(algorithm, n, e),
            (Algorithm::Es256, KeyMaterial::Ec { x, y }) => ec_key::<P256, Sha256>(x, y),
            (Algorithm::Es384, KeyMaterial::Ec { x, y }) => ec_key::<P384, Sha384>(x, y),
            (Algorithm::Ed25519, KeyMaterial::Ed25519(point)) => {
                let key = Ed25519VerifyingKey::from_bytes(point);
                let key = key.map_err(|_| RejectedKey::Invalid)?;
                Ok(verifier(move |input, signature| key.verify(signature, input)))
            }
            (Algorithm::Hs256, KeyMaterial::Secret(secret)) => Ok(hmac::<Sha256>(secret)),
            (Algorithm::Hs384, KeyMaterial::Secret(secret)) => Ok(hmac::<Sha384>(secret)),
            (Algorithm::Hs512, KeyMaterial::Secret(secret)) => Ok(hmac::<Sha512>(secret)),
            _ => Err(RejectedKey::Unsupported),
        }
    }
}

/// A function of graviola as a [`Verifier`].
struct Verify<F>(F);

impl<F> Verifier for Verify<F>
where
    F: Fn(&[u8], &[u8]) -> Result<(), graviola::Error> + Send + Sync,
{
    fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        (self.0)(signing_input, signature).map_err(|_| InvalidSignature)
    }
}

fn verifier(
    verify: impl Fn(&[u8], &[u8]) -> Result<(), graviola::Error> + Send + Sync + 'static,
) -> Box<dyn Verifier> {
    Box::new(Verify(verify))
}

fn rsa_key(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Box<dyn Verifier>, RejectedKey> {
    type Verify = fn(&rsa::VerifyingKey, &[u8], &[u8]) -> Result<(), graviola::Error>;
    let verify: Verify = match algorithm {
        Algorithm::Rs256 => rsa::VerifyingKey::verify_pkcs1_sha256,
        Algorithm::Rs384 => rsa::VerifyingKey::verify_pkcs1_sha384,
        Algorithm::Rs512 => rsa::VerifyingKey::verify_pkcs1_sha512,
        Algorithm::Ps256 => rsa::VerifyingKey::verify_pss_sha256,
        Algorithm::Ps384 => rsa::VerifyingKey::verify_pss_sha384,
        Algorithm::Ps512 => rsa::VerifyingKey::verify_pss_sha512,
        _ => return Err(RejectedKey::Unsupported),
    };
    if !has_supported_size(algorithm, n, e) {
        return Err(RejectedKey::Unsupported);
    }
    let key = rsa::VerifyingKey::from_pkcs1_der(&pkcs1(n, e)).map_err(|_| RejectedKey::Invalid)?;
    Ok(verifier(move |input, signature| verify(&key, signature, input)))
}

/// Returns whether graviola verifies the signatures of a key correctly. It keeps numbers in words of
/// eight bytes, so other moduli would be longer than their signatures; its PSS needs a modulus that
/// fills its first byte; and its exponents have 32 bits. The core has removed leading zeros.
fn has_supported_size(algorithm: Algorithm, n: &[u8], e: &[u8]) -> bool {
    let is_pss = matches!(algorithm, Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512);
    let fills_its_first_byte = n.first().is_some_and(|first| *first >= 0x80);
    e.len() <= 4 && n.len().is_multiple_of(8) && (fills_its_first_byte || !is_pss)
}

/// Encodes an `RSAPublicKey` ([RFC 8017 §A.1.1]), the only form in which graviola takes a key.
///
/// [RFC 8017 §A.1.1]: https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1
fn pkcs1(n: &[u8], e: &[u8]) -> Vec<u8> {
    element(0x30, &[integer(n), integer(e)].concat())
}

fn integer(number: &[u8]) -> Vec<u8> {
    // A leading zero, because a set highest bit would make the number negative.
    let is_negative = number.first().is_none_or(|first| first & 0x80 != 0);
    let zero: &[u8] = if is_negative { &[0] } else { &[] };
    element(0x02, &[zero, number].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut encoded = vec![tag];
    match length {
        [] => encoded.push(0),
        [short @ ..0x80] => encoded.push(*short),
        // At most 8 bytes.
        long => {
            encoded.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            encoded.extend_from_slice(long);
        }
    }
    encoded.extend_from_slice(content);
    encoded
}

fn ec_key<C, H>(x: &[u8], y: &[u8]) -> Result<Box<dyn Verifier>, RejectedKey>
where
    C: Curve + 'static,
    C::PublicKey: Send + Sync,
    H: Hash + 'static,
{
    // SEC 1 §2.3.3: the uncompressed point.
    let point = [&[0x04], x, y].concat();
    let key = VerifyingKey::<C>::from_x962_uncompressed(&point);
    let key = key.map_err(|_| RejectedKey::Invalid)?;
    Ok(verifier(move |input, signature| key.verify::<H>(&[input], signature)))
}

fn hmac<H>(secret: &[u8]) -> Box<dyn Verifier>
where
    H: Hash + Clone + 'static,
    H::Context: Send + Sync,
{
    let keyed = Hmac::<H>::new(secret);
    verifier(move |input, tag| {
        let mut mac = keyed.clone();
        mac.update(input);
        mac.verify(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures of keys of these sizes would be rejected, always or for some messages.
    #[test]
    fn rsa_key_of_an_unusual_size_is_not_supported() {
        let verifier = |algorithm, n: &[u8]| {
            let key = KeyMaterial::Rsa { n, e: &[1, 0, 1] };
            Graviola.verifier(algorithm, key).map(drop)
        };
        let modulus = |bytes: usize, first: u8| {
            let mut n = vec![0xff; bytes];
            *n.first_mut().unwrap() = first;
            n
        };
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            assert_eq!(verifier(algorithm, &modulus(256, 0x80)), Ok(()), "{algorithm}");
            for bytes in [257, 511] {
                let unusual = verifier(algorithm, &modulus(bytes, 0xff));
                assert_eq!(unusual, Err(RejectedKey::Unsupported), "{algorithm}, {bytes}");
            }
        }
        assert_eq!(verifier(Algorithm::Rs256, &modulus(384, 0x7f)), Ok(()));
        let unusual = verifier(Algorithm::Ps256, &modulus(384, 0x7f));
        assert_eq!(unusual, Err(RejectedKey::Unsupported));
    }

    #[test]
    fn rsa_key_is_encoded_in_der() {
        assert_eq!(pkcs1(&[0x7f], &[3]), [0x30, 6, 2, 1, 0x7f, 2, 1, 3]);
        assert_eq!(pkcs1(&[0x80], &[1, 0, 1]), [0x30, 9, 2, 2, 0, 0x80, 2, 3, 1, 0, 1]);
        let long = element(2, &[1; 127]);
        assert_eq!(long.get(..3), Some(&[2, 127, 1][..]));
        let longer = element(2, &[1; 128]);
        assert_eq!(longer.get(..4), Some(&[2, 0x81, 128, 1][..]));
        let longest = element(2, &[1; 1025]);
        assert_eq!(longest.get(..5), Some(&[2, 0x82, 4, 1, 1][..]));
    }
}
