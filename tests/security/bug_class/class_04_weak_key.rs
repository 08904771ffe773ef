//! An empty, weak or unsuitable key, accepted as valid.
//!
//! A `VerificationKey` can only be created from a public JWK, and is checked then.

use std::sync::Arc;

use portcullis::dangerous::hmac_key;
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Algorithm, Authenticator,
    adapter::MaybeReady,
    keys::{KeyRequest, KeySet, KeySource, SharedKeySet, VerificationKey},
    signature,
};
use serde_json::{Value, json};

use super::support::{AUDIENCE, ISSUER, NOW, claims, decode, encode, parser, provider, rule};

fn set(jwk: &Value) -> KeySet {
    parser().key_set(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap()
}

/// Returns the reason why `key` is skipped when some of its members are set or, for null, removed.
fn reason(key: &TestKey, changes: &Value) -> String {
    let mut jwk = key.jwk();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    let set = set(&jwk);
    assert!(set.is_empty(), "accepted: {jwk}");
    let token = key.token(&claims());
    let error = signature::verify(&token, &set, Algorithm::ALL).unwrap_err();
    assert_eq!(error.rule(), "kid", "{jwk}");
    set.skipped()[0].reason.to_string()
}

/// CVE-2026-44699 (LibJWT: an RSA key without `alg` became an empty HMAC secret), CVE-2026-44351
/// (fast-jwt), CVE-2026-102266 (PyJWT), CVE-2026-114616 (Authlib).
#[test]
fn symmetric_key_in_a_jwks_is_skipped() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    for k in ["", "AA", "c2VjcmV0"] {
        assert_eq!(reason(&key, &json!({"k": k})), "a symmetric key");
        assert_eq!(reason(&key, &json!({"k": k, "alg": null})), "a symmetric key");
        assert_eq!(reason(&key, &json!({"k": k, "alg": "HS256"})), "a symmetric key");
        assert_eq!(reason(&key, &json!({"kty": "oct", "k": k})), "a symmetric key");
    }
    assert_eq!(reason(&key, &json!({"kty": "oct"})), "a symmetric key");
}

/// CVE-2022-23539 (jsonwebtoken: key types), and RFC 7518 §3.3.
#[test]
fn weak_rsa_key_is_skipped_in_every_encoding() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let n = decode(key.jwk()["n"].as_str().unwrap());
    let short = &n[..128];
    let bits = |n: &[u8]| reason(&key, &json!({"n": encode(n)}));
    assert!(bits(short).contains("1024 bits"));
    assert!(bits(&[&[0; 128], short].concat()).contains("1024 bits"), "leading zeros do not count");
    assert!(bits(&n[..255]).contains("2040 bits"));
    assert!(bits(&[]).contains("of 0 bits"));
    assert!(bits(&[0; 256]).contains("of 0 bits"));
    assert!(bits(&[1]).contains("of 1 bits"));
    for e in ["", "AA", "AQ", "Ag", "AQAA"] {
        assert_eq!(
            reason(&key, &json!({"e": e})),
            "an RSA exponent that is even, 1 or longer than 64 bits",
            "{e:?}"
        );
    }
}

/// The points of Ed25519 of order 1, 2, 4 or 8, in every encoding that some decoder accepts. An
/// encoding is the y coordinate, little-endian, with the sign of x in its highest bit. Encodings
/// with a y of p or more, and encodings with x = 0 and a sign, are not canonical (RFC 8032 §5.1.3).
fn small_order_points() -> Vec<[u8; 32]> {
    let bytes = |hex: &str| -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    };
    [
        // Order 1: y = 1, and p + 1.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // Order 2: y = -1.
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // Order 4: y = 0, and p.
        "0000000000000000000000000000000000000000000000000000000000000000",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // Order 8.
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    .into_iter()
    .map(bytes)
    .flat_map(|point| {
        let mut signed = point;
        signed[31] |= 0x80;
        [point, signed]
    })
    .collect()
}

/// One signature is valid for every message: with the neutral point as the key A, R + h·A is R for
/// every h.
#[tokio::test]
async fn ed25519_key_of_small_order_is_skipped() {
    let points = small_order_points();
    assert_eq!(points.len(), 14);
    for point in &points {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(point)});
        let set = set(&jwk);
        // In the forged signatures, R is the neutral point or the key itself, and S is 0.
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .crypto_provider(provider())
            .key_source(SharedKeySet::new(set.clone()))
            .clock(ManualClock::at(NOW))
            .build()
            .await
            .unwrap();
        for r in &points {
            let signature = encode([&r[..], &[0; 32]].concat());
            for subject in ["alice", "bob", "carol"] {
                let mut claims = claims();
                claims["sub"] = json!(subject);
                let header = encode(r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt"}"#);
                let token = format!("{header}.{}.{signature}", encode(claims.to_string()));
                assert_eq!(rule(&auth, &token).await, "kid", "{point:02x?} {r:02x?}");
                assert!(signature::verify(&token, &set, Algorithm::ALL).is_err());
            }
        }
        assert!(set.is_empty(), "accepted: {point:02x?}");
        let reason = set.skipped()[0].reason.to_string();
        assert!(reason.contains("small order"), "{reason}");
        let alone = VerificationKey::from_jwk(jwk.to_string().as_bytes(), Algorithm::Ed25519);
        assert!(alone.is_err(), "{point:02x?}");
    }
}

/// RFC 8032 §5.1.3: y must be below p. Another decoder would read the key of y - p.
#[test]
fn ed25519_key_that_is_not_canonical_is_skipped() {
    for more in 0..19_u8 {
        for sign in [0, 0x80] {
            let mut point = [0xff; 32];
            point[0] = 0xed + more;
            point[31] = 0x7f | sign;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(point)});
            assert!(set(&jwk).is_empty(), "accepted: {point:02x?}");
        }
    }
}

/// aws-lc decodes the point only when it verifies a signature, and then finds no point with this y.
#[test]
fn ed25519_key_off_the_curve_verifies_no_token() {
    let mut y = [0; 32];
    // The smallest y without an x.
    y[0] = 2;
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(y)});
    let input = format!("{}.{}", encode(r#"{"alg":"EdDSA","kid":"k"}"#), encode("{}"));
    for r in small_order_points().into_iter().chain([y]) {
        let token = format!("{input}.{}", encode([&r[..], &[0; 32]].concat()));
        assert!(signature::verify(&token, &set(&jwk), Algorithm::ALL).is_err(), "{r:02x?}");
    }
}

/// SHAKE256 (FIPS 202 §6.2).
fn shake256(input: &[u8], length: usize) -> Vec<u8> {
    const RATE: usize = 136;
    let mut padded = [input, &[0x1f]].concat();
    padded.resize(padded.len().next_multiple_of(RATE), 0);
    *padded.last_mut().unwrap() |= 0x80;
    let mut state = [0_u64; 25];
    for block in padded.chunks(RATE) {
        for (lane, bytes) in state.iter_mut().zip(block.chunks(8)) {
            *lane ^= u64::from_le_bytes(bytes.try_into().unwrap());
        }
        keccak(&mut state);
    }
    // One block is enough here.
    assert!(length <= RATE);
    state.iter().flat_map(|lane| lane.to_le_bytes()).take(length).collect()
}

/// Keccak-f[1600] (FIPS 202 §3.3).
fn keccak(state: &mut [u64; 25]) {
    let mut round = 1_u8;
    for _ in 0..24 {
        let columns: [u64; 5] =
            std::array::from_fn(|x| (0..5).fold(0, |c, y| c ^ state[x + 5 * y]));
        for (at, lane) in state.iter_mut().enumerate() {
            *lane ^= columns[(at + 4) % 5] ^ columns[(at + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut moved) = (1, 0, state[1]);
        for step in 0..24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let rotated = moved.rotate_left((step + 1) * (step + 2) / 2 % 64);
            moved = std::mem::replace(&mut state[x + 5 * y], rotated);
        }
        for row in state.chunks_mut(5) {
            let old = [row[0], row[1], row[2], row[3], row[4]];
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        for bit in 0..7 {
            if round & 1 == 1 {
                state[0] ^= 1 << ((1 << bit) - 1);
            }
            round = (round << 1) ^ (if round & 0x80 == 0 { 0 } else { 0x71 });
        }
    }
}

/// The coefficients of t1, ten bits each (FIPS 204 §7.1).
fn ml_dsa_t1(bytes: usize, coefficient: impl Fn(usize) -> u64) -> Vec<u8> {
    let groups = (0..bytes / 5)
        .map(|group| (0..4).fold(0, |bits, at| bits | (coefficient(4 * group + at) << (10 * at))));
    groups.flat_map(|bits| bits.to_le_bytes().into_iter().take(5)).collect()
}

/// FIPS 204 §6.3: the coefficients of t1 · 2^13 are short modulo q if those of t1 are 0 or 1023
/// (1023 · 2^13 = -1). The commitment that a verifier recomputes then does not depend on the
/// challenge. So z = 0 without hints is a valid signature of any message.
#[tokio::test]
async fn ml_dsa_key_with_a_short_t1_is_skipped() {
    type T1 = fn(usize) -> u64;
    let patterns: [(&str, T1); 5] = [
        ("zeros", |_| 0),
        ("ones", |_| 1023),
        ("zeros and ones", |at| if at % 3 == 0 { 0 } else { 1023 }),
        // At most ten coefficients in each of the polynomials are not short. The coefficients of
        // the product with the challenge then stay below 2^17.
        ("a few of +2^13", |at| if at % 256 < 5 { 1 } else { 0 }),
        ("a few of -2^13 - 1", |at| if at % 256 < 5 { 1022 } else { 1023 }),
    ];
    // Each row has the lengths in bytes of the key, the challenge, the signature and w1, and the
    // bits of a coefficient of z.
    for (algorithm, key, challenge, whole, w1, bits) in [
        (Algorithm::MlDsa44, 1312, 32, 2420, 768, 18),
        (Algorithm::MlDsa65, 1952, 48, 3309, 768, 20),
        (Algorithm::MlDsa87, 2592, 64, 4627, 1024, 20),
    ]
    .into_iter()
    .filter(|row| provider().supports(row.0))
    {
        for (seed, (pattern, t1)) in
            [0, 7].into_iter().flat_map(|seed| patterns.map(|t1| (seed, t1)))
        {
            let public = [vec![seed; 32], ml_dsa_t1(key - 32, t1)].concat();
            let alg = algorithm.as_str();
            let jwk = json!({"kty": "AKP", "alg": alg, "kid": "k", "pub": encode(&public)});
            let set = set(&jwk);
            let auth = Authenticator::builder(ISSUER, AUDIENCE)
                .crypto_provider(provider())
                .key_source(SharedKeySet::new(set.clone()))
                .clock(ManualClock::at(NOW))
                .build()
                .await
                .unwrap();
            let header = encode(json!({"alg": alg, "kid": "k", "typ": "at+jwt"}).to_string());
            let input = format!("{header}.{}", encode(claims().to_string()));
            let context = [0, 0];
            let message = [&shake256(&public, 64)[..], &context, input.as_bytes()].concat();
            let mu = shake256(&message, 64);
            let mut signature = shake256(&[mu, vec![0; w1]].concat(), challenge);
            // A coefficient z is packed as 2^(bits - 1) - z. Four coefficients of 18 bits fill nine
            // bytes, two of 20 bits fill five.
            let zeros: &[u8] =
                if bits == 18 { &[0, 0, 2, 0, 8, 0, 32, 0, 128] } else { &[0, 0, 8, 0, 128] };
            let hints = if bits == 18 {
                84
            } else if challenge == 48 {
                61
            } else {
                83
            };
            signature.extend(zeros.iter().cycle().take(whole - challenge - hints));
            signature.resize(whole, 0);
            let token = format!("{input}.{}", encode(signature));
            assert_eq!(rule(&auth, &token).await, "kid", "{alg}, {pattern}: forged");
            assert!(set.is_empty(), "{alg}, {pattern}");
            let reason = set.skipped()[0].reason.to_string();
            assert!(reason.contains("short"), "{reason}");
        }
    }
}

/// CVE-2022-23541 (jsonwebtoken) and similar: a key of one type for the algorithm of another.
#[test]
fn key_for_another_use_is_skipped() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    for (changes, expected) in [
        (json!({"use": "enc"}), "not meant for verifying signatures"),
        (json!({"key_ops": ["encrypt"]}), "not meant for verifying signatures"),
        (json!({"key_ops": ["encrypt", ""]}), "not meant for verifying signatures"),
        (json!({"alg": "ES256"}), "`alg` does not fit the key"),
        (json!({"alg": "HS256"}), "`alg` does not fit the key"),
        (json!({"alg": "none"}), "an unknown key type, curve or algorithm"),
        (json!({"alg": "RSA-OAEP"}), "an unknown key type, curve or algorithm"),
        (json!({"kty": "rsa"}), "an unknown key type, curve or algorithm"),
        (json!({"d": "AQAB"}), "a private key"),
        (json!({"oth": [{}]}), "a private key"),
        (json!({"d": {}}), "a private key"),
        (json!({"use": 7}), "`use` has a value of the wrong type"),
        (json!({"use": ["enc"]}), "`use` has a value of the wrong type"),
        (json!({"key_ops": "encrypt"}), "`key_ops` has a value of the wrong type"),
        (json!({"alg": ["HS256"]}), "`alg` has a value of the wrong type"),
    ] {
        assert_eq!(reason(&key, &changes), expected, "{changes}");
    }
}

/// A key that a parser could read as another key, or with another use.
#[test]
fn key_with_duplicate_member_is_skipped() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let text = key.jwk().to_string();
    for more in [r#""kid":"k""#, r#""use":"sig","use":"enc""#, r#""a":1,"a":1"#, r#""\u0078":"""#] {
        let jwk = text.replacen('{', &format!("{{{more},"), 1);
        let set = parser().key_set(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
        assert_eq!(set.skipped()[0].reason.to_string(), "a member is duplicated", "{jwk}");
        assert!(set.is_empty());
    }
}

/// A valid key of a family that the configuration excludes.
#[test]
fn key_for_a_disallowed_algorithm_is_not_kept() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let jwks = TestKey::jwks([&key]).to_string();
    let allowed = [Algorithm::Es256, Algorithm::Ps256];
    let set = KeySet::from_json_for(jwks.as_bytes(), &allowed).unwrap();
    assert!(set.is_empty());
    assert_eq!(set.skipped()[0].reason.to_string(), "for an algorithm that is not allowed");
}

/// RFC 7518 §3.2, CVE-2025-45769 (php-jwt): a secret that can be guessed from one token.
#[test]
fn secret_shorter_than_its_hash_is_rejected() {
    for (algorithm, length) in
        [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)]
    {
        let key = |length| hmac_key(Some("k"), algorithm, &vec![7; length]);
        assert!(key(length).is_ok());
        for short in [0, 1, length - 1] {
            assert!(key(short).unwrap_err().to_string().contains("a secret of"), "{short}");
        }
    }
}

/// CVE-2026-44351 (fast-jwt): a resolver without a key returned an empty one, which was accepted.
#[tokio::test]
async fn set_without_usable_keys_verifies_no_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for jwks in [json!({"keys": []}), json!({"keys": [{}]}), json!({"keys": [null, "", 0]})] {
        let keys = parser().key_set(jwks.to_string().as_bytes()).unwrap();
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .crypto_provider(provider())
            .key_source(SharedKeySet::new(keys))
            .clock(ManualClock::at(NOW))
            .build()
            .await
            .unwrap();
        assert_eq!(rule(&auth, &key.token(&claims())).await, "kid", "{jwks}");
        let unsigned = key.sign(r#"{"alg":"ES256"}"#, &claims().to_string());
        assert_eq!(rule(&auth, &unsigned).await, "kid", "{jwks}");
    }
}

/// A custom key source that returns an arbitrary key.
#[derive(Debug)]
struct AnyKey(Arc<VerificationKey>);

impl KeySource for AnyKey {
    fn resolve(
        &self,
        _wanted: &KeyRequest<'_>,
    ) -> MaybeReady<Result<portcullis::keys::CandidateKeys, portcullis::keys::ResolveError>> {
        MaybeReady::Ready(Ok(self.0.clone().into()))
    }
}

#[tokio::test]
async fn key_source_that_returns_another_key_accepts_no_token() {
    let (rsa, ec) =
        (TestKey::generate("k", Algorithm::Rs256), TestKey::generate("k", Algorithm::Es256));
    let jwk = rsa.jwk().to_string();
    let answer = VerificationKey::from_jwk(jwk.as_bytes(), Algorithm::Rs256).unwrap();
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(AnyKey(Arc::new(answer)))
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    assert_eq!(rule(&auth, &rsa.token(&claims())).await, "accepted");
    assert_eq!(rule(&auth, &ec.token(&claims())).await, "alg_of_key");
    let other = TestKey::generate("k", Algorithm::Rs256);
    assert_eq!(rule(&auth, &other.token(&claims())).await, "signature");
}
