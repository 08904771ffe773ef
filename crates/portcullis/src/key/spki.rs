//! Public keys in DER as the members of a JWK, so that they are held to the very same checks:
//! SubjectPublicKeyInfo ([RFC 5280 §4.1.2.7], [RFC 5480], [RFC 8410], [RFC 9881]), RSAPublicKey
//! ([RFC 8017 §A.1.1]), and certificates, of which nothing but the key is read.
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

/// The curves: name, object identifier, and the length of a coordinate.
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

/// A key, and the algorithms that its encoding leaves possible besides what its type does.
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

/// Reads any of the encodings. They differ in their first elements.
pub(super) fn read(der: &[u8]) -> Result<Found, KeyError> {
    let mut outer = Der::whole(der, SEQUENCE)?;
    match outer.peek() {
        // A version, and the rest of a private key: PKCS #1, PKCS #8, SEC 1.
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
                // PKCS #8, encrypted.
                (Some(OID), Some(OCTET_STRING)) => Err(KeyError::Private),
                (Some(OID), _) => public_key_info(der),
                _ => {
                    let _version = first.take_if(field(0))?;
                    certificate(der)
                }
            }
        }
        _ => bad("an element is of another type"),
    }
}

/// `RSAPublicKey`.
pub(super) fn rsa_public_key(der: &[u8]) -> Result<Found, KeyError> {
    let mut key = Der::whole(der, SEQUENCE)?;
    let (n, e) = (key.positive()?, key.positive()?);
    key.end()?;
    Ok(Jwk::rsa(n, e).into())
}

/// The key of a `Certificate`. Neither its signature nor anything else that it says is looked at.
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

/// `SubjectPublicKeyInfo`.
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

/// RFC 5480 §2.1.1: a named curve. Explicit parameters, as in CVE-2020-0601, can name a generator that
/// makes anybody's key a private one; §2.2 leaves compressed points to whoever wants them.
fn ec(mut algorithm: Der<'_>, point: &[u8]) -> Result<Found, KeyError> {
    if algorithm.peek() == Some(SEQUENCE) {
        return bad("its curve is given by explicit parameters, not by name");
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
        [0x02 | 0x03, ..] => bad("its point is compressed; write the key with both coordinates"),
        _ => bad("its point is not of its curve's length"),
    }
}
