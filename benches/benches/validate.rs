//! Validates one token in three ways: the bare signature check, `authenticate`, and jsonwebtoken's
//! `decode`. Compare the ratios between the three for one algorithm, not the times.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::disallowed_methods, reason = "jsonwebtoken is the measured peer")]

use std::hint::black_box;
use std::task::{Context, Waker};

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{DecodingKey, Validation, decode};
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, bearer};
use portcullis::{
    Algorithm, Authenticator,
    clock::{Clock, SystemClock},
    keys::SharedKeySet,
};
use portcullis_benches::scenario::caller;
use serde::Deserialize;
use serde_json::json;

/// The claims that jsonwebtoken reads: those that `authenticate` also reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "their deserialization is measured")]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: u64,
    iat: u64,
    nbf: u64,
    jti: String,
    client_id: String,
    scope: String,
    sid: String,
    roles: Vec<String>,
}

fn token(key: &TestKey) -> String {
    let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({
        "iss": ISSUER, "sub": "8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11", "aud": [ISSUER, AUDIENCE],
        "exp": now + 86_400, "iat": now, "nbf": now, "jti": "0b7c9d5e8f6a4c3b2a1908f7e6d5c4b3",
        "client_id": "identsphere-first-party", "scope": "orders:read orders:write profile",
        "sid": "b1946ac92492d2347c6235b4d2611184", "roles": ["customer", "clerk", "auditor"],
    }))
}

fn parsed(key: &TestKey, algorithm: Algorithm) -> ParsedPublicKey {
    let jwk = key.jwk();
    let bytes = |name: &str| {
        URL_SAFE_NO_PAD.decode(jwk.get(name).and_then(|value| value.as_str()).unwrap()).unwrap()
    };
    let rsa = |parameters| {
        PublicKeyComponents { n: bytes("n"), e: bytes("e") }.to_parsed_public_key(parameters)
    };
    match algorithm {
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Es256 => {
            let point = [vec![4], bytes("x"), bytes("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        _ => ParsedPublicKey::new(&signature::ED25519, bytes("x")),
    }
    .unwrap()
}

fn validate(criterion: &mut Criterion) {
    for (algorithm, theirs) in [
        (Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        (Algorithm::Ps256, jsonwebtoken::Algorithm::PS256),
        (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        (Algorithm::Ed25519, jsonwebtoken::Algorithm::EdDSA),
    ] {
        let key = TestKey::generate("k", algorithm);
        let token = token(&key);
        let mut group = criterion.benchmark_group(algorithm.as_str());

        let (message, encoded) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        let public = parsed(&key, algorithm);
        group.bench_function("bare", |bencher| {
            bencher.iter(|| public.verify_sig(black_box(message.as_bytes()), &signature).unwrap());
        });

        let auth = authenticator(&key);
        let headers = bearer(&token);
        group.bench_function("portcullis", |bencher| {
            bencher.iter(|| caller(&auth, black_box(&headers)));
        });

        let decoding_key =
            DecodingKey::from_jwk(&serde_json::from_value(key.jwk()).unwrap()).unwrap();
        let mut validation = Validation::new(theirs);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        group.bench_function("jsonwebtoken", |bencher| {
            bencher.iter(|| {
                decode::<Claims>(black_box(token.as_str()), &decoding_key, &validation).unwrap()
            });
        });
        group.finish();
    }
}

fn authenticator(key: &TestKey) -> Authenticator {
    let build = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .token_cache_bytes(0)
        .build();
    // With local keys there is nothing to wait for.
    match Box::pin(build).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(auth) => auth.unwrap(),
        std::task::Poll::Pending => unreachable!("nothing is fetched"),
    }
}

criterion_group!(benches, validate);
criterion_main!(benches);
