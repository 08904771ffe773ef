//! Validates the same token with jsonwebtoken, as the documentation of jsonwebtoken shows.
#![expect(clippy::disallowed_methods, reason = "jsonwebtoken is the peer of the measurement")]

use std::hint::black_box;

use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::Deserialize;

use super::material::Material;

/// The claims of a generated token, as a handler needs them.
#[derive(Deserialize)]
#[expect(dead_code, reason = "deserialising them is the measured work")]
struct Generated {
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

/// The claims of a given token that the authenticator reads as well.
#[derive(Deserialize)]
#[expect(dead_code, reason = "deserialising them is the measured work")]
struct Registered {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "deserialising it is the measured work")]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Returns a closure that calls `decode`; `None` if jsonwebtoken lacks the algorithm or rejects the token.
pub(super) fn decoding(material: &Material) -> Option<Box<dyn FnMut() + '_>> {
    let jwk = serde_json::from_value(material.jwk.clone()).ok()?;
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let mut validation = Validation::new(material.algorithm.as_str().parse().ok()?);
    validation.set_issuer(&[&material.issuer]);
    validation.set_audience(&[&material.audience]);
    validation.validate_nbf = true;
    // jsonwebtoken always uses the current time, so an expired token needs this exception.
    validation.validate_exp = !material.expired;
    let token = material.token();
    if material.generated {
        decode::<Generated>(token, &key, &validation).ok()?;
        return Some(Box::new(move || {
            drop(black_box(decode::<Generated>(black_box(token), &key, &validation)));
        }));
    }
    decode::<Registered>(token, &key, &validation).ok()?;
    Some(Box::new(move || {
        drop(black_box(decode::<Registered>(black_box(token), &key, &validation)));
    }))
}
