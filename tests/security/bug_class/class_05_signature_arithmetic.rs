//! Numbers that satisfy the equation of a verifier that does not check their range first.
//!
//! aws-lc does the arithmetic. These tests contain the cases that other implementations got wrong.
//! They also test lengths and curves, which are checked before the arithmetic.

use portcullis::testing::TestKey;
use portcullis::{Algorithm, signature};
use serde_json::json;

use super::support::{algorithms, auth, claims, decode, encode, parser, rule, split};

/// The algorithms with ECDSA that the provider supports.
fn curves() -> impl Iterator<Item = Algorithm> {
    let curves = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512];
    algorithms().filter(move |algorithm| curves.contains(algorithm))
}

/// The order of each curve's group (SEC 2), as encoded in half a signature.
fn order(algorithm: Algorithm) -> Vec<u8> {
    let text = match algorithm {
        Algorithm::Es256 => "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE",
        Algorithm::Es384 => "________________________________x2NNgfQ3Ld9YGg2ySLCneuzsGWrMxSlz",
        _ => {
            "Af__________________________________________-lGGh4O_L5Zrf8wBSPcJpdA7tcm4iZxHrrtvtx6ROGQJ"
        }
    };
    let bytes = decode(text);
    assert_eq!(bytes.len(), half(algorithm));
    bytes
}

fn half(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Es256 => 32,
        Algorithm::Es384 => 48,
        _ => 66,
    }
}

/// CVE-2022-21449 (JDK: r = s = 0), CVE-2022-25898 (jsrsasign), RFC 7518 §3.4 and RFC 8725 §3.5.
#[tokio::test]
async fn ecdsa_numbers_out_of_range_are_rejected() {
    for algorithm in curves() {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let token = key.token(&claims());
        let (input, signature) = split(&token);
        let good = decode(signature);
        let (r, s) = good.split_at(half(algorithm));
        let zero = vec![0; half(algorithm)];
        let mut one = zero.clone();
        *one.last_mut().unwrap() = 1;
        let n = order(algorithm);
        let mut n_plus_1 = n.clone();
        *n_plus_1.last_mut().unwrap() += 1;
        let max = vec![0xff; half(algorithm)];
        let numbers = [&zero, &one, &n, &n_plus_1, &max];
        let mut forged: Vec<_> = numbers
            .iter()
            .flat_map(|first| numbers.iter().map(|second| [first.as_slice(), second].concat()))
            .collect();
        for number in numbers {
            forged.push([r, number.as_slice()].concat());
            forged.push([number.as_slice(), s].concat());
        }
        forged.push([s, r].concat());
        for signature in forged {
            let token = format!("{input}.{}", encode(&signature));
            assert_eq!(rule(&auth, &token).await, "signature", "{algorithm} {signature:02x?}");
        }
        assert_eq!(rule(&auth, &token).await, "accepted", "{algorithm}");
    }
}

/// The two numbers as DER, as OpenSSL writes them.
fn ecdsa_der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let mut bytes = number[zeros..].to_vec();
        if bytes.first().is_none_or(|&byte| byte >= 0x80) {
            bytes.insert(0, 0);
        }
        [vec![2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap();
    let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [head, body].concat()
}

/// RFC 7518 §3.4: both numbers at full length, concatenated, and nothing else.
#[tokio::test]
async fn ecdsa_signature_in_another_form_is_rejected() {
    for algorithm in curves() {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let token = key.token(&claims());
        let (input, signature) = split(&token);
        let good = decode(signature);
        let (r, s) = good.split_at(half(algorithm));
        for (form, bytes) in [
            ("DER", ecdsa_der(r, s)),
            ("DER of zeros", ecdsa_der(&[0], &[0])),
            ("cut", good[..good.len() - 1].to_vec()),
            ("half", r.to_vec()),
            ("longer", [&good[..], &[0]].concat()),
            ("with leading zeros", [&[0], r, &[0], s].concat()),
            ("twice", [&good[..], &good[..]].concat()),
        ] {
            let token = format!("{input}.{}", encode(bytes));
            assert_eq!(rule(&auth, &token).await, "signature", "{algorithm} {form}");
        }
    }
}

/// RFC 8032 §5.1.7: S is below the group's order; otherwise one signature would have many forms.
#[tokio::test]
async fn ed25519_signature_in_another_form_is_rejected() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let auth = auth(&key).await;
    let token = key.token(&claims());
    let (input, signature) = split(&token);
    let good = decode(signature);
    let mut shifted = good.clone();
    let mut carry = 0;
    for (byte, order) in shifted[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    let zeros = vec![0; 64];
    for bytes in [shifted, zeros, good[..63].to_vec(), [&good[..], &[0]].concat()] {
        let token = format!("{input}.{}", encode(&bytes));
        assert_eq!(rule(&auth, &token).await, "signature", "{bytes:02x?}");
    }
    assert_eq!(rule(&auth, &token).await, "accepted");
}

/// RFC 8017 §8.1.2 and §8.2.2: a signature is as long as the modulus, and its value is below the
/// modulus.
#[tokio::test]
async fn rsa_signature_in_another_form_is_rejected() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let token = key.token(&claims());
        let (input, signature) = split(&token);
        let good = decode(signature);
        let n = decode(key.jwk()["n"].as_str().unwrap());
        let one = [vec![0; 255], vec![1]].concat();
        let mut minus_one = n.clone();
        *minus_one.last_mut().unwrap() -= 1;
        for (form, bytes) in [
            ("zero", vec![0; 256]),
            ("one", one),
            ("the modulus", n),
            ("minus one", minus_one),
            ("the greatest", vec![0xff; 256]),
            ("a zero before it", [&[0], &good[..]].concat()),
            ("a zero behind it", [&good[..], &[0]].concat()),
            ("cut", good[..255].to_vec()),
        ] {
            let token = format!("{input}.{}", encode(bytes));
            assert_eq!(rule(&auth, &token).await, "signature", "{algorithm} {form}");
        }
    }
}

/// CVE-2026-102275 (PyJWT): a key on another curve than its algorithm's.
#[test]
fn key_off_its_named_curve_is_rejected() {
    let p256 = TestKey::generate("k", Algorithm::Es256).jwk();
    let p384 = TestKey::generate("k", Algorithm::Es384).jwk();
    let ed = TestKey::generate("k", Algorithm::Ed25519).jwk();
    let (x, y) = (p256["x"].clone(), p256["y"].clone());
    // The same point, with its coordinates split at another position.
    let point = [&x, &y].map(|number| decode(number.as_str().unwrap())).concat();
    let (short, long) = point.split_at(31);
    for jwk in [
        json!({"kty": "EC", "crv": "P-256", "x": encode(short), "y": encode(long)}),
        json!({"kty": "EC", "crv": "P-256", "x": p384["x"], "y": p384["y"]}),
        json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}),
        json!({"kty": "EC", "crv": "P-521", "x": x, "y": y}),
        json!({"kty": "EC", "crv": "P-256", "alg": "ES384", "x": x, "y": y}),
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256K", "x": x, "y": y}),
        json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": y}),
        json!({"kty": "EC", "crv": "Ed25519", "x": x, "y": y}),
        json!({"kty": "OKP", "crv": "P-256", "x": x}),
        json!({"kty": "OKP", "crv": "X25519", "x": ed["x"]}),
        json!({"kty": "OKP", "crv": "Ed448", "x": ed["x"]}),
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "ES256", "x": ed["x"]}),
        // These points are off the curve, or at infinity.
        json!({"kty": "EC", "crv": "P-256", "x": y, "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": encode([0; 32]), "y": encode([0; 32])}),
        json!({"kty": "EC", "crv": "P-256", "x": encode([0xff; 32]), "y": y}),
    ] {
        let set = parser().key_set(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (0, 1), "{jwk}");
    }
}

/// A signature of one curve under the name of another, each with a valid key in the set.
#[test]
fn signature_of_another_curve_is_rejected() {
    let keys: Vec<_> = curves().map(|algorithm| TestKey::generate("k", algorithm)).collect();
    let set = parser().key_set(TestKey::jwks(&keys).to_string().as_bytes()).unwrap();
    for key in &keys {
        for alg in ["ES256", "ES384", "ES512"] {
            let token =
                key.sign(&json!({"alg": alg, "kid": "k"}).to_string(), &claims().to_string());
            let outcome = signature::verify(&token, &set, Algorithm::ALL);
            assert_eq!(outcome.is_ok(), key.jwk()["alg"] == alg, "{alg}");
        }
    }
}
