//! The token that all cases use, and the authenticators for it.

use std::task::{Context, Poll, Waker};

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
pub use portcullis::testing::{AUDIENCE, ISSUER, bearer};
use portcullis::testing::{TestKey, attempt_now};
use portcullis::{
    Algorithm, Authenticated, Authenticator,
    clock::{Clock, SystemClock},
    dangerous,
    keys::{KeySet, SharedKeySet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The claims, as the type that a handler receives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "registered claims")]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: Vec<String>,
    pub exp: u64,
    pub iat: u64,
    pub nbf: u64,
    pub jti: String,
    pub client_id: String,
    pub scope: String,
    pub sid: String,
    pub roles: Vec<String>,
}

/// A signer of tokens.
#[derive(Debug)]
pub enum Signer {
    /// A signer with a key pair.
    Pair(TestKey, Algorithm),
    /// A signer with a shared secret.
    Secret(Vec<u8>),
}

impl Signer {
    /// Creates a signer for one of the algorithms of the tables; any other name selects HS256.
    #[must_use]
    pub fn new(algorithm: &str) -> Self {
        let algorithm = match algorithm {
            "RS256" => Algorithm::Rs256,
            "PS256" => Algorithm::Ps256,
            "ES256" => Algorithm::Es256,
            "EdDSA" => Algorithm::Ed25519,
            _ => return Self::Secret(vec![7; 32]),
        };
        Self::Pair(TestKey::generate("2026-10-a", algorithm), algorithm)
    }

    /// A token whose `jti` depends on the number.
    #[must_use]
    pub fn token(&self, number: usize) -> String {
        let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": ISSUER, "sub": "8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11", "aud": [ISSUER, AUDIENCE],
            // oxitoken accepts a token only from the second after its `nbf`.
            "exp": now + 86_400, "iat": now - 1, "nbf": now - 1, "jti": format!("{number:032x}"),
            "client_id": "identsphere-first-party", "scope": "orders:read orders:write profile",
            "sid": "b1946ac92492d2347c6235b4d2611184", "roles": ["customer", "clerk", "auditor"],
        });
        match self {
            Self::Pair(key, _) => key.token(&claims),
            Self::Secret(secret) => {
                let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "2026-10-a"});
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let input = format!("{}.{}", part(&header), part(&claims));
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
                let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
                format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
            }
        }
    }

    /// The public key as a JWK; `null` for a secret.
    #[must_use]
    pub fn jwk(&self) -> Value {
        match self {
            Self::Pair(key, _) => key.jwk(),
            Self::Secret(_) => Value::Null,
        }
    }

    /// Returns an authenticator for the signer's tokens, with a token cache of this many bytes.
    #[must_use]
    pub fn authenticator(&self, token_cache: usize) -> Authenticator {
        let (keys, algorithm) = match self {
            Self::Pair(key, algorithm) => (TestKey::key_set([key]), *algorithm),
            Self::Secret(secret) => {
                let key = dangerous::hmac_key(Some("2026-10-a"), Algorithm::Hs256, secret).unwrap();
                (KeySet::from_iter([key]), Algorithm::Hs256)
            }
        };
        let build = Authenticator::builder(ISSUER, AUDIENCE)
            .key_source(SharedKeySet::new(keys))
            .algorithms([algorithm])
            .token_cache_bytes(token_cache)
            .build();
        // With local keys there is nothing to wait for.
        at_once(build).unwrap()
    }
}

/// The key of a JWK, parsed once: what the bare signature check uses.
#[must_use]
pub fn public_key(jwk: &Value) -> ParsedPublicKey {
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let rsa = |parameters| {
        PublicKeyComponents { n: bytes("n"), e: bytes("e") }.to_parsed_public_key(parameters)
    };
    match jwk["alg"].as_str().unwrap() {
        "RS256" => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "PS256" => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "ES256" => {
            let point = [vec![4], bytes("x"), bytes("y")].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        _ => ParsedPublicKey::new(&signature::ED25519, bytes("x")),
    }
    .unwrap()
}

/// Authenticates headers that are known to be valid.
#[must_use]
pub fn caller(auth: &Authenticator, headers: &HeaderMap) -> Authenticated {
    match attempt_now(auth, headers) {
        Ok(Ok(Some(who))) => who,
        other => unreachable!("{other:?}"),
    }
}

/// The output of a future that does not wait.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the future is pending"),
    }
}

/// The default maximum size of the token cache, in bytes.
pub const CACHE: usize = 32 * 1024 * 1024;
