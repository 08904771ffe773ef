//! A weak, private or ambiguous key in PEM or DER, accepted as valid. openssl wrote the files.

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

/// A service that only verifies must not hold a private key; the error says so.
#[test]
fn private_key_is_rejected_in_every_encoding() {
    for pem in [pem!("private-sec1"), pem!("private-enc")] {
        assert_eq!(reason(pem), KeyError::Private);
        assert_eq!(KeySet::from_pem(pem).unwrap_err(), KeySetError::PrivateKey);
    }
    let bundle = KeySet::from_pem(pem!("bundle-with-private-key"));
    assert_eq!(bundle.unwrap_err(), KeySetError::PrivateKey);
    // This private key has the structure of RFC 8410 §10.3, in DER. Keys in SEC 1 and PKCS #1 begin
    // in a similar way.
    let pkcs8 = [
        &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22][..],
        &[0x04, 0x20],
        &[7; 32],
    ];
    let error = VerificationKey::from_der(&pkcs8.concat(), Algorithm::ALL).unwrap_err();
    assert_eq!(error, KeyError::Private);
}

/// CVE-2020-0601: a curve with the attacker's generator. Other encodings with more than one
/// interpretation are rejected, too.
#[test]
fn key_in_non_canonical_encoding_is_rejected() {
    for pem in [pem!("p256-explicit"), pem!("p256-compressed")] {
        assert!(matches!(reason(pem), KeyError::Der { .. }));
    }
    let ed25519 =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]]
            .concat();
    let import = |der: &[u8]| VerificationKey::from_der(der, Algorithm::ALL).map(|_| ());
    assert_eq!(import(&ed25519), Ok(()));
    assert!(import(&[&ed25519[..], &[0x05, 0x00]].concat()).is_err());
    // The length is encoded in two bytes instead of one.
    let long = [&[0x30, 0x81], &ed25519[1..]].concat();
    assert!(import(&long).is_err());
    let mut bits = ed25519;
    bits[11] = 1;
    assert!(import(&bits).is_err());
}

#[test]
fn weak_key_is_rejected_in_a_file_as_in_a_jwk() {
    assert_eq!(
        reason(pem!("rsa-1024")).to_string(),
        "an RSA modulus of 1024 bits; 2048 to 8192 are allowed"
    );
    let small =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[0; 32]];
    let error = VerificationKey::from_der(&small.concat(), Algorithm::ALL).unwrap_err();
    assert_eq!(error, KeyError::SmallOrder);
    // A negative modulus must not be read as a large one.
    let n = [&[0x02, 0x82, 0x01, 0x00][..], &[0xc5; 256]].concat();
    let negative = [&[0x30, 0x82, 0x01, 0x09][..], &n, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    assert!(VerificationKey::from_der(&negative, Algorithm::ALL).is_err());
}

/// RFC 4055 §1.2: a key for PSS is not for PKCS #1, and one for SHA-256 is not for another hash.
#[test]
fn pss_key_is_used_only_for_pss() {
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

/// A key from a file is used for the `kid` that is its thumbprint and for no other; merging two
/// files does not resolve an ambiguity in one of them.
#[test]
fn merged_key_set_is_as_strict_as_its_parts() {
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

#[test]
fn private_key_under_any_pem_label_is_reported_as_private() {
    let good = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let private = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    for label in [
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "CERTIFICATE",
        "PGP PRIVATE KEY BLOCK",
        "PRIVATE KEY ",
        "KEY",
    ] {
        let pem = format!("{good}-----BEGIN {label}-----\n{private}\n-----END {label}-----\n");
        let read = KeySet::from_pem(pem.as_bytes());
        assert_eq!(read.unwrap_err(), KeySetError::PrivateKey, "{label}");
    }
}
