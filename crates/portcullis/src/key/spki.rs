//! Converts DER public keys to JWK members, so that the same checks apply: SubjectPublicKeyInfo
//! ([RFC 5280 §4.1.2.7], [RFC 5480], [RFC 8410], [RFC 9881]), RSAPublicKey ([RFC 8017 §A.1.1]), and
//! certificates, of which only the key is read.
//!
//! [RFC 5280 §4.1.2.7]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7
//! [RFC 5480]: https://www.rfc-editor.org/rfc/rfc5480
//! [RFC 8410]: https://www.rfc-editor.org/rfc/rfc8410
//! [RFC 9881]: https://www.rfc-editor.org/rfc/rfc9881
//! [RFC 8017 §A.1.1]: https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1

use super::KeyError;
use super::der::{Der, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, bad, field};
use super::jwk::Jwk;
use super::pss;
use crate::algorithm::Algorithm;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The curves: name, object identifier, and coordinate length in bytes.
const CURVES: [(&str, &[u8], usize); 3] = [
    ("P-256", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 32),
    ("P-384", &[0x2b, 0x81, 0x04, 0x00, 0x22], 48),
    ("P-521", &[0x2b, 0x81, 0x04, 0x00, 0x23], 66),
];

const ML_DSA: [(Algorithm, &[u8]); 3] = [
    (Algorithm::MlDsa44, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11]),
    (Algorithm::MlDsa65, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12]),
    (Algorithm::MlDsa87, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13]),
];

/// A key, and the algorithms that its encoding allows, in addition to the limits of its type.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) jwk: Jwk,
    pub(super) possible: &'static [Algorithm],
}

impl From<Jwk> for Found {
    fn from(jwk: Jwk) -> Self {
        Self { jwk, possible: Algorithm::ALL }
    }
}

/// Parses any of the encodings, which differ in their first elements.
pub(super) fn read(der: &[u8]) -> Result<Found, KeyError> {
    let mut outer = Der::whole(der, SEQUENCE)?;
    match outer.peek() {
        // A private key in PKCS #1, PKCS #8 or SEC 1 begins with a version number.
        Some(INTEGER) => {
            let mut inner = outer;
            inner.next()?;
            let is_public = inner.peek() == Some(INTEGER) && {
                inner.next()?;
                inner.peek().is_none()
            };
            if is_public { rsa_public_key(der) } else { Err(KeyError::Private) }
        }
        Some(SEQUENCE) => {
            let mut first = outer.sequence()?;
            match (first.peek(), outer.peek()) {
                // Encrypted PKCS #8.
                (Some(OID), Some(OCTET_STRING)) => Err(KeyError::Private),
                (Some(OID), _) => public_key_info(der),
                _ => {
                    let _version = first.take_if(field(0))?;
                    certificate(der)
                }
            }
        }
        _ => bad("an element has an unexpected type"),
    }
}

/// Parses an `RSAPublicKey`.
pub(super) fn rsa_public_key(der: &[u8]) -> Result<Found, KeyError> {
    let mut key = Der::whole(der, SEQUENCE)?;
    let (n, e) = (key.positive()?, key.positive()?);
    key.end()?;
    Ok(Jwk::rsa(n, e).into())
}

/// Parses the key of a `Certificate`. Its signature and its other fields are not checked.
pub(super) fn certificate(der: &[u8]) -> Result<Found, KeyError> {
    let mut certificate = Der::whole(der, SEQUENCE)?;
    let mut signed = certificate.sequence()?;
    certificate.sequence()?;
    certificate.bits()?;
    certificate.end()?;
    signed.take_if(field(0))?;
    signed.take(INTEGER)?;
    // signature, issuer, validity, subject
    for _ in 0..4 {
        signed.sequence()?;
    }
    info(signed.sequence()?)
}

/// Parses a `SubjectPublicKeyInfo`.
pub(super) fn public_key_info(der: &[u8]) -> Result<Found, KeyError> {
    info(Der::whole(der, SEQUENCE)?)
}

fn info(mut info: Der<'_>) -> Result<Found, KeyError> {
    let mut algorithm = info.sequence()?;
    let bits = info.bits()?;
    info.end()?;
    let name = algorithm.take(OID)?;
    match name {
        RSA => {
            // RFC 3279 §2.3.1: "MUST have ASN.1 type NULL".
            if !algorithm.take(NULL)?.is_empty() {
                return bad("a NULL has content");
            }
            algorithm.end()?;
            rsa_public_key(bits)
        }
        RSA_PSS => {
            let possible = pss::algorithms(algorithm)?;
            Ok(Found { possible, ..rsa_public_key(bits)? })
        }
        EC => ec(algorithm, bits),
        ED25519 => {
            // RFC 8410 §3: "the parameters MUST be absent".
            algorithm.end()?;
            Ok(Jwk::ed25519(bits).into())
        }
        name => {
            let ml_dsa = ML_DSA.iter().find(|(_, oid)| *oid == name);
            let (ml_dsa, _) = ml_dsa.ok_or(KeyError::Unsupported)?;
            algorithm.end()?;
            Ok(Jwk::ml_dsa(*ml_dsa, bits).into())
        }
    }
}

/// Parses an EC key with a named curve (RFC 5480 §2.1.1). Explicit parameters are rejected: with a
/// chosen generator, anyone can compute a private key for another's public key (CVE-2020-0601).
/// §2.2 makes compressed points optional; they are not supported.
fn ec(mut algorithm: Der<'_>, point: &[u8]) -> Result<Found, KeyError> {
    if algorithm.peek() == Some(SEQUENCE) {
        return bad("its curve is given as explicit parameters, not as a name");
    }
    let name = algorithm.take(OID)?;
    algorithm.end()?;
    let curve = CURVES.iter().find(|(_, oid, _)| *oid == name);
    let &(curve, _, length) = curve.ok_or(KeyError::Unsupported)?;
    match point {
        [0x04, coordinates @ ..] if coordinates.len() == 2 * length => {
            let (x, y) = coordinates.split_at(length);
            Ok(Jwk::ec(curve, x, y).into())
        }
        [0x02 | 0x03, ..] => bad("its point is compressed; encode the key with both coordinates"),
        _ => bad("its point does not have the length of its curve"),
    }
}
