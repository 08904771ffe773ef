//! Tests with keys that openssl wrote, in `fixtures/keys`, and with malformed DER.

use serde_json::Value;

use super::*;
use crate::key::MAX_KEYS;
use crate::key_source::SharedKeySet;
use crate::signature;
use crate::testing::TestKey;

macro_rules! pem {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../fixtures/keys/", $name, ".pem")).as_slice())
    };
}

const TOKENS: &str = include_str!("../../../fixtures/keys/tokens.json");

const GOOD: [(&str, &[u8]); 11] = [
    pem!("rsa"),
    pem!("rsa-pkcs1"),
    pem!("rsa-pss"),
    pem!("rsa-pss-sha256"),
    pem!("p256"),
    pem!("p384"),
    pem!("p521"),
    pem!("ed25519"),
    pem!("rsa-cert"),
    pem!("p256-cert"),
    pem!("ed25519-cert"),
];

/// Returns the DER of the only block of a file.
fn der((name, pem): (&str, &[u8])) -> Vec<u8> {
    let block = Blocks(pem).next().unwrap();
    block.unwrap_or_else(|error| panic!("{name}: {error}")).der
}

fn from_der(der: &[u8]) -> Result<VerificationKey, KeyError> {
    VerificationKey::from_der(der, Algorithm::ALL)
}

fn names(key: &VerificationKey) -> Vec<&'static str> {
    key.algorithms().map(Algorithm::as_str).collect()
}

#[test]
fn openssl_keys_in_pem_and_der_verify_openssl_signatures() {
    let tokens: Value = serde_json::from_str(TOKENS).unwrap();
    for (name, pem) in GOOD {
        let jws = tokens[name].as_str().unwrap();
        for key in [
            VerificationKey::from_pem(pem, Algorithm::ALL).unwrap(),
            from_der(&der((name, pem))).unwrap(),
        ] {
            let keys = KeySet::from_iter([key]);
            let verified = signature::verify(jws, &keys, Algorithm::ALL);
            assert_eq!(verified.unwrap().payload(), b"signed with openssl", "{name}");
        }
        let set = KeySet::from_pem(pem).unwrap();
        assert!(signature::verify(jws, &set, Algorithm::ALL).is_ok(), "{name}");
        // The key of another file does not verify the signature.
        let (_, other) =
            GOOD.into_iter().find(|(other, _)| !other.starts_with(&name[..3])).unwrap();
        let set = KeySet::from_pem(other).unwrap();
        assert!(signature::verify(jws, &set, Algorithm::ALL).is_err(), "{name}");
    }
}

#[test]
fn key_is_used_for_algorithms_of_its_encoding_and_the_allowed_list() {
    let of = |(_, pem): (&str, &[u8]), allowed: &[Algorithm]| {
        VerificationKey::from_pem(pem, allowed).map(|key| names(&key))
    };
    let all = |pem| of(pem, Algorithm::ALL).unwrap();
    assert_eq!(all(pem!("rsa")), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    // RFC 4055 §1.2: the key is only for PSS, and only for one hash if it names one.
    assert_eq!(all(pem!("rsa-pss")), ["PS256", "PS384", "PS512"]);
    assert_eq!(all(pem!("rsa-pss-sha256")), ["PS256"]);
    assert_eq!(of(pem!("rsa"), &[Algorithm::Rs512]).unwrap(), ["RS512"]);
    for (pem, allowed) in [
        (pem!("rsa"), Algorithm::Es256),
        (pem!("rsa-pss"), Algorithm::Rs256),
        (pem!("rsa-pss-sha256"), Algorithm::Ps512),
        (pem!("p256"), Algorithm::Es384),
    ] {
        assert_eq!(of(pem, &[allowed]), Err(KeyError::NotAllowed), "{allowed}");
    }
}

#[test]
fn unusable_keys_are_rejected_with_a_reason() {
    let reason =
        |(_, pem): (&str, &[u8])| VerificationKey::from_pem(pem, Algorithm::ALL).unwrap_err();
    for (pem, expected) in [
        (pem!("rsa-1024"), KeyError::ModulusSize { bits: 1024 }),
        (pem!("secp256k1"), KeyError::Unsupported),
        (pem!("ed448"), KeyError::Unsupported),
        (pem!("x25519"), KeyError::Unsupported),
        (pem!("rsa-pss-sha1"), KeyError::Unsupported),
        (pem!("rsa-pss-mixed"), KeyError::Unsupported),
        (pem!("private-sec1"), KeyError::Private),
        (pem!("private-enc"), KeyError::Private),
    ] {
        assert_eq!(reason(pem), expected, "{}", pem.0);
    }
    for (pem, told) in [
        (pem!("p256-explicit"), "explicit parameters"),
        (pem!("p256-compressed"), "compressed"),
        (pem!("bundle"), "several blocks"),
    ] {
        assert!(reason(pem).to_string().contains(told), "{}", reason(pem));
    }
}

#[test]
fn pem_bundle_is_a_key_set_and_bundle_with_a_private_key_is_rejected() {
    let (_, bundle) = pem!("bundle");
    let set = KeySet::from_pem(bundle).unwrap();
    assert_eq!(set.len(), 2);
    let reasons: Vec<_> = set.skipped().iter().map(|skipped| skipped.reason.clone()).collect();
    assert_eq!(reasons, [KeyError::Unsupported, KeyError::ModulusSize { bits: 1024 }]);
    // The certificate has the key of the other file, so the merged set has this key only once,
    // under its thumbprint.
    let (_, rsa) = pem!("rsa");
    let both = set.and(KeySet::from_pem(rsa).unwrap());
    assert_eq!(both.len(), 2);
    for key in both.iter() {
        assert_eq!(key.id(), key.thumbprint().as_deref());
    }

    let (_, with_private) = pem!("bundle-with-private-key");
    assert_eq!(KeySet::from_pem(with_private).unwrap_err(), KeySetError::PrivateKey);
    for (text, told) in [
        ("", "no `-----BEGIN`"),
        ("{\"keys\":[]}", "no `-----BEGIN`"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "no matching `-----END`"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----\n", "no matching `-----END`"),
        ("-----BEGIN PUBLIC KEY-----\nA-A=\n-----END PUBLIC KEY-----\n", "not base64"),
        ("-----BEGIN PUBLIC KEY-----\nAAA\n-----END PUBLIC KEY-----\n", "not base64"),
    ] {
        let error = KeySet::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
        assert!(VerificationKey::from_pem(text.as_bytes(), Algorithm::ALL).is_err());
    }
    let (_, p256) = pem!("p256");
    let many = p256.repeat(MAX_KEYS + 1);
    let error = KeySet::from_pem(&many).unwrap_err();
    assert_eq!(error, KeySetError::TooManyKeys { limit: MAX_KEYS, setting: None });
    // Text editors may write such line ends and a byte order mark.
    let windows = String::from_utf8(p256.to_vec()).unwrap().replace('\n', "\r\n");
    let marked = [b"\xef\xbb\xbfnote \xff\n", windows.as_bytes()].concat();
    assert_eq!(KeySet::from_pem(&marked).unwrap().len(), 1);
}

#[test]
fn ambiguous_kid_stays_ambiguous_in_a_merged_set() {
    let key = |id| TestKey::generate(id, Algorithm::Es256);
    let (one, other, third) = (key("k"), key("k"), key("l"));
    let first = TestKey::key_set([&one]);
    assert_eq!(first.clone().and(TestKey::key_set([&one, &third])).len(), 2);
    let merged = first.clone().and(TestKey::key_set([&other, &third]));
    assert_eq!((merged.len(), merged.skipped().len()), (1, 2));
    assert_eq!(merged.and(first).len(), 1);
}

#[test]
fn hostile_der_is_rejected() {
    for file in GOOD {
        let good = der(file);
        // Truncated at every length, and with trailing data.
        for end in 0..good.len() {
            assert!(from_der(&good[..end]).is_err(), "{} to {end}", file.0);
        }
        for more in [&[0][..], &[0x05, 0x00], &good] {
            let error = from_der(&[&good, more].concat()).unwrap_err();
            assert!(matches!(error, KeyError::Der { .. }), "{}: {error}", file.0);
        }
        // A changed byte never causes a panic, and no key is accepted in two encodings.
        for at in 0..good.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = good.clone();
                changed[at] ^= flip;
                let _ = from_der(&changed);
            }
        }
    }
    for (der, told) in [
        (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], "truncated"),
        (&[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "too large"),
        (&[0x30, 0x80, 0x00, 0x00], "indefinite"),
        (&[0x30, 0x81, 0x02, 0x05, 0x00], "shortest form"),
        (&[0x30, 0x82, 0x00, 0x81], "shortest form"),
        (&[0x3f, 0x02, 0x05, 0x00], "unexpected type"),
        (&[0x31, 0x00], "unexpected type"),
        (&[0x30, 0x00], "unexpected type"),
        (&[], "truncated"),
    ] {
        let error = from_der(der).unwrap_err().to_string();
        assert!(error.contains(told), "{der:x?}: {error}");
    }
    let deep = [0x30, 0x80].repeat(10_000);
    assert!(from_der(&deep).is_err());
}

#[test]
fn non_positive_numbers_and_wrong_parameters_are_rejected() {
    // SEQUENCE { INTEGER n, INTEGER e }
    let rsa = |n: &[u8], e: &[u8]| {
        let integer = |value: &[u8]| [&[0x02, 0x82], &length(value)[..], value].concat();
        fn length(value: &[u8]) -> [u8; 2] {
            u16::try_from(value.len()).unwrap().to_be_bytes()
        }
        let e = [&[0x02, u8::try_from(e.len()).unwrap()], e].concat();
        let inner = [integer(n), e].concat();
        [&[0x30, 0x82], &length(&inner)[..], &inner].concat()
    };
    let n = [&[0][..], &[0xc5; 256]].concat();
    assert!(from_der(&rsa(&n, &[1, 0, 1])).is_ok());
    for (n, e, told) in [
        (&n[1..], &[1, 0, 1][..], "not positive"),
        (&[&[0][..], &[0x45; 256]].concat()[..], &[1, 0, 1], "shortest form"),
        (&n[..], &[0], "not positive"),
        (&n[..], &[0xff], "not positive"),
        (&n[..], &[1], "exponent"),
        (&n[..], &[2], "exponent"),
        (&n[..], &[1, 1, 1, 1, 1, 1, 1, 1, 1], "exponent"),
    ] {
        let error = from_der(&rsa(n, e)).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    let replaced = |file: (&str, &[u8]), from: &[u8], to: &[u8]| {
        let mut changed = der(file);
        let at = changed.windows(from.len()).position(|window| window == from).unwrap();
        changed.splice(at..at + from.len(), to.iter().copied());
        from_der(&changed).unwrap_err()
    };
    // rsaEncryption with a parameter other than NULL, and Ed25519 with its last identifier changed.
    assert!(matches!(
        replaced(pem!("rsa"), &[0x01, 0x01, 0x05, 0x00], &[0x01, 0x01, 0x04, 0x00]),
        KeyError::Der { .. }
    ));
    assert_eq!(
        replaced(pem!("ed25519"), &[0x2b, 0x65, 0x70], &[0x2b, 0x65, 0x6f]),
        KeyError::Unsupported
    );
    // A bit string that ends within a byte.
    assert!(matches!(
        replaced(pem!("ed25519"), &[0x03, 0x21, 0x00], &[0x03, 0x21, 0x01]),
        KeyError::Der { .. }
    ));
    // A point that is not on its curve, and a point of small order.
    let (_, p256) = pem!("p256");
    let mut off = der(("", p256));
    *off.last_mut().unwrap() ^= 1;
    assert_eq!(from_der(&off).unwrap_err(), KeyError::Invalid);
    let (_, ed) = pem!("ed25519");
    let mut small = der(("", ed));
    let start = small.len() - 32;
    small[start..].fill(0);
    assert_eq!(from_der(&small).unwrap_err(), KeyError::SmallOrder);
}

/// RFC 9881 §4 defines the identifiers. openssl 3.0, which wrote the other keys, does not support
/// them.
#[test]
fn ml_dsa_keys_are_pinned_to_their_parameter_set() {
    for (algorithm, last) in
        [(Algorithm::MlDsa44, 0x11), (Algorithm::MlDsa65, 0x12), (Algorithm::MlDsa87, 0x13)]
    {
        let key = TestKey::generate("k", algorithm);
        let public = key.jwk();
        let public = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(public["pub"].as_str().unwrap())
            .unwrap();
        let element = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        };
        let oid = [0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, last];
        let bits = element(0x03, &[&[0][..], &public].concat());
        let parsed = from_der(&element(0x30, &[&oid[..], &bits].concat())).unwrap();
        assert!(parsed.algorithms().eq([algorithm]));
        assert_eq!(
            parsed.thumbprint(),
            TestKey::key_set([&key]).iter().next().unwrap().thumbprint()
        );
        let jws = key.sign(&format!(r#"{{"alg":"{algorithm}"}}"#), "x");
        assert!(signature::verify(&jws, &KeySet::from_iter([parsed]), Algorithm::ALL).is_ok());
    }
}

#[test]
fn jwk_round_trip_keeps_key_and_thumbprint() {
    for (name, pem) in GOOD {
        let key = VerificationKey::from_pem(pem, Algorithm::ALL).unwrap().with_id("id");
        let jwk = key.public_jwk().unwrap();
        assert_eq!((jwk["kid"].as_str(), jwk["use"].as_str()), (Some("id"), Some("sig")));
        assert_eq!(jwk.get("alg").is_some(), names(&key).len() == 1, "{name}");
        let set = format!(r#"{{"keys":[{jwk}]}}"#);
        let set = KeySet::from_json_for(set.as_bytes(), &key.algorithms().collect::<Vec<_>>());
        let set = set.unwrap();
        let again = set.iter().next().unwrap();
        assert!(again.is_same(&key), "{name}");
        assert_eq!(again.thumbprint(), key.thumbprint());
    }
    // RFC 7638 §3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#);
    let key = VerificationKey::from_jwk(jwk.as_bytes(), Algorithm::Rs256).unwrap();
    assert_eq!(key.thumbprint().unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let secret = crate::dangerous::hmac_key(None, Algorithm::Hs256, &[7; 32]).unwrap();
    assert_eq!((secret.thumbprint(), secret.public_jwk()), (None, None));
    assert_eq!(secret.with_thumbprint_id().id(), None);
}

/// PEM and JWKs in one set, as the key source of an authenticator.
#[tokio::test]
async fn token_is_accepted_only_with_the_thumbprint_of_its_key_as_kid() {
    let (_, pem) = pem!("p256");
    let tokens: Value = serde_json::from_str(TOKENS).unwrap();
    let published = TestKey::generate("published", Algorithm::Es256);
    let keys = TestKey::key_set([&published]).and(KeySet::from_pem(pem).unwrap());
    let source = SharedKeySet::new(keys);
    let verify = async |jws: &str| {
        signature::verify_from(jws, &source, Algorithm::ALL)
            .await
            .map(|verified| verified.key_id().map(str::to_owned))
    };
    let thumbprint = VerificationKey::from_pem(pem, Algorithm::ALL).unwrap().thumbprint();
    assert_eq!(verify(tokens["p256"].as_str().unwrap()).await.unwrap(), thumbprint);
    let named = published.sign(r#"{"alg":"ES256","kid":"published"}"#, "x");
    assert!(verify(&named).await.is_ok());
    let other = published.sign(r#"{"alg":"ES256","kid":"other"}"#, "x");
    assert!(verify(&other).await.is_err());
}
