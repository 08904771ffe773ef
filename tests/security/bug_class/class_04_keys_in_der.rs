//! A weak, private or ambiguous key in PEM or DER, taken for a good one. The files are openssl's.

use portcullis::keys::{KeyError, KeySet, KeySetError, VerificationKey};
use portcullis::{Algorithm, signature};

use portcullis::testing::TestKey;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/portcullis/fixtures/keys/", $name, ".pem"))
            .as_slice()
    };
}

fn reason(pem: &[u8]) -> KeyError {
    VerificationKey::from_pem(pem, Algorithm::ALL).unwrap_err()
}

/// A service that only verifies must not hold a private key, and is told so.
#[test]
fn private_key_is_no_public_one_in_any_encoding() {
    for pem in [pem!("private-sec1"), pem!("private-enc")] {
        assert_eq!(reason(pem), KeyError::Private);
        assert_eq!(KeySet::from_pem(pem).unwrap_err(), KeySetError::PrivateKey);
    }
    let bundle = KeySet::from_pem(pem!("bundle-with-private-key"));
    assert_eq!(bundle.unwrap_err(), KeySetError::PrivateKey);
    // RFC 8410 §10.3 in DER; SEC 1 and PKCS #1 begin alike.
    let pkcs8 = [
        &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22][..],
        &[0x04, 0x20],
        &[7; 32],
    ];
    let error = VerificationKey::from_der(&pkcs8.concat(), Algorithm::ALL).unwrap_err();
    assert_eq!(error, KeyError::Private);
}

/// CVE-2020-0601: a curve with a generator of the attacker's. Other encodings that have more than one
/// reading are refused, too.
#[test]
fn only_one_encoding_of_a_key_is_read() {
    for pem in [pem!("p256-explicit"), pem!("p256-compressed")] {
        assert!(matches!(reason(pem), KeyError::Der { .. }));
    }
    let ed25519 =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]]
            .concat();
    let import = |der: &[u8]| VerificationKey::from_der(der, Algorithm::ALL).map(|_| ());
    assert_eq!(import(&ed25519), Ok(()));
    assert!(import(&[&ed25519[..], &[0x05, 0x00]].concat()).is_err());
    // The same with a length of two bytes.
    let long = [&[0x30, 0x81], &ed25519[1..]].concat();
    assert!(import(&long).is_err());
    let mut bits = ed25519;
    bits[11] = 1;
    assert!(import(&bits).is_err());
}

#[test]
fn weak_key_is_as_weak_in_a_file_as_in_a_jwk() {
    assert_eq!(
        reason(pem!("rsa-1024")).to_string(),
        "an RSA modulus of 1024 bits, not of 2048 to 8192"
    );
    let small =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[0; 32]];
    let error = VerificationKey::from_der(&small.concat(), Algorithm::ALL).unwrap_err();
    assert_eq!(error, KeyError::SmallOrder);
    // A negative modulus is no large one.
    let n = [&[0x02, 0x82, 0x01, 0x00][..], &[0xc5; 256]].concat();
    let negative = [&[0x30, 0x82, 0x01, 0x09][..], &n, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    assert!(VerificationKey::from_der(&negative, Algorithm::ALL).is_err());
}

/// RFC 4055 §1.2: a key for PSS is not for PKCS #1, and one for SHA-256 not for another hash.
#[test]
fn key_for_pss_is_used_for_nothing_else() {
    let names = |pem| {
        let key = VerificationKey::from_pem(pem, Algorithm::ALL).unwrap();
        key.algorithms().map(Algorithm::as_str).collect::<Vec<_>>()
    };
    assert_eq!(names(pem!("rsa-pss")), ["PS256", "PS384", "PS512"]);
    assert_eq!(names(pem!("rsa-pss-sha256")), ["PS256"]);
    for pem in [pem!("rsa-pss-mixed"), pem!("rsa-pss-sha1")] {
        assert_eq!(reason(pem), KeyError::Unsupported);
    }
}

/// A key of a file is the key of its thumbprint, and of no other `kid`; two files do not make clear what was
/// ambiguous in one.
#[test]
fn merged_sets_are_as_strict_as_each() {
    let key = |id| TestKey::generate(id, Algorithm::Es256);
    let (one, other) = (key("k"), key("k"));
    let first = TestKey::key_set([&one]);
    let merged = first.clone().and(TestKey::key_set([&other])).and(first);
    assert!(merged.is_empty(), "{merged:?}");
    let file = KeySet::from_pem(pem!("p256")).unwrap();
    let jws = one.sign(r#"{"alg":"ES256","kid":"k"}"#, "x");
    let error = signature::verify(&jws, &file, Algorithm::ALL).unwrap_err();
    assert_eq!(error.rule(), "kid");
}
