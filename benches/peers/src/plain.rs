//! Libraries that have no layer, in a middleware as a user would write it.

use std::hint::black_box;
use std::sync::Arc;

use ::jsonwebtoken::{DecodingKey, Validation, decode};
use ::oxitoken::claims::{Aud, Exp, Iss, Nbf};
use ::oxitoken::error::JwtError;
use ::oxitoken::header::Alg;
use ::oxitoken::validation::{StaticKeyProvider, ValidationPipeline, VerificationKey};
use aws_lc_rs::signature::ParsedPublicKey;
use axum::Router;
use axum::extract::{Extension, Request};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::StatusCode;
use http::header::AUTHORIZATION;
use portcullis_benches::scenario::{AUDIENCE, Claims, ISSUER, public_key};
use serde::Deserialize;

/// Validates a token and returns its claims.
type Validate = Box<dyn Fn(&str) -> Option<Claims> + Send + Sync>;

pub fn jsonwebtoken(jwk: &serde_json::Value) -> Validate {
    let (key, validation) = checks(jwk);
    Box::new(move |token| Some(decode::<Claims>(token, &key, &validation).ok()?.claims))
}

/// The key, and the checks of `iss`, `aud`, `exp` and `nbf`.
pub fn checks(jwk: &serde_json::Value) -> (DecodingKey, Validation) {
    let mut validation = Validation::new(jwk["alg"].as_str().unwrap().parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    let key = serde_json::from_value(jwk.clone()).unwrap();
    (DecodingKey::from_jwk(&key).unwrap(), validation)
}

/// oxitoken with one key, which is faster than its keys by `kid`.
pub fn oxitoken(jwk: &serde_json::Value) -> Validate {
    let alg = serde_json::from_value(jwk["alg"].clone()).unwrap();
    let key = StaticKeyProvider::new(AwsLcKey { alg, key: public_key(jwk) });
    let pipeline = ValidationPipeline::<Header, OxitokenClaims, _>::builder(key)
        .with_issuer_validator(ISSUER)
        .with_audience_validator(AUDIENCE)
        .with_expiration_validator()
        .with_not_before_validator()
        .build();
    Box::new(move |token| Some(pipeline.verify(token.as_bytes()).ok()?.1.0))
}

/// A parsed key of aws-lc, as in oxitoken's own backend.
struct AwsLcKey {
    alg: ::oxitoken::Algorithm,
    key: ParsedPublicKey,
}

impl VerificationKey for AwsLcKey {
    fn alg(&self) -> Option<::oxitoken::Algorithm> {
        Some(self.alg)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JwtError> {
        self.key.verify_sig(message, signature).map_err(|_| JwtError::InvalidSignature)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: ::oxitoken::Algorithm,
}

impl Alg for Header {
    fn alg(&self) -> ::oxitoken::Algorithm {
        self.alg
    }
}

/// The claims of all cases, with the traits that oxitoken's checks need.
#[derive(Deserialize)]
#[serde(transparent)]
struct OxitokenClaims(Claims);

impl Iss for OxitokenClaims {
    fn iss(&self) -> &str {
        &self.0.iss
    }
}

impl Aud for OxitokenClaims {
    fn aud(&self) -> impl Iterator<Item = impl AsRef<str>> {
        self.0.aud.iter()
    }
}

impl Exp for OxitokenClaims {
    fn exp(&self) -> i64 {
        self.0.exp.cast_signed()
    }
}

impl Nbf for OxitokenClaims {
    fn nbf(&self) -> i64 {
        self.0.nbf.cast_signed()
    }
}

pub fn protected(validate: Validate) -> Router {
    let handler = |Extension(user): Extension<Arc<Claims>>| async move {
        black_box(&*user);
        "fine"
    };
    let validate = Arc::new(validate);
    let layer = middleware::from_fn(move |mut request: Request, next: Next| {
        let header = request.headers().get(AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let user = token.and_then(&*validate);
        async move {
            let Some(user) = user else { return StatusCode::UNAUTHORIZED.into_response() };
            request.extensions_mut().insert(Arc::new(user));
            next.run(request).await
        }
    });
    Router::new().route("/", get(handler)).layer(layer)
}
