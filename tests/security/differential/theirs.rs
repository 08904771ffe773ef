//! jsonwebtoken as a careful user configures it: the `kid` selects the key, the key determines the
//! algorithm, and all checks are enabled.

use std::collections::HashMap;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use portcullis::testing::TestKey;
use serde_json::Value;

use super::{AUDIENCE, ISSUER, LEEWAY_SECS};

pub(crate) struct Theirs(HashMap<String, (DecodingKey, Validation)>);

impl Theirs {
    pub(crate) fn new(keys: &[TestKey]) -> Self {
        Self::with(keys, validation)
    }

    /// As most apps configure it: with issuer and audience, and otherwise its defaults.
    pub(crate) fn of_most_apps(keys: &[TestKey]) -> Self {
        Self::with(keys, |algorithm| {
            let mut validation = Validation::new(algorithm);
            validation.set_issuer(&[ISSUER]);
            validation.set_audience(&[AUDIENCE]);
            validation
        })
    }

    fn with(keys: &[TestKey], validation: fn(Algorithm) -> Validation) -> Self {
        // The crypto backend is selected by name, because a build with two backends has no default.
        // Another test may have done so.
        let _ = DEFAULT_PROVIDER.install_default();
        let keys = keys.iter().map(|key| {
            let jwk = key.jwk();
            let algorithm: Algorithm = jwk["alg"].as_str().unwrap().parse().unwrap();
            let kid = jwk["kid"].as_str().unwrap().to_owned();
            let jwk: Jwk = serde_json::from_value(jwk).unwrap();
            (kid, (DecodingKey::from_jwk(&jwk).unwrap(), validation(algorithm)))
        });
        Self(keys.collect())
    }

    pub(crate) fn judge(&self, token: &str) -> Result<Value, String> {
        let header = decode_header(token).map_err(|error| name(&error))?;
        let (key, validation) = match header.kid {
            Some(kid) => self.0.get(&kid),
            None => self.0.values().find(|(_, known)| known.algorithms == [header.alg]),
        }
        .ok_or("no such key")?;
        decode(token, key, validation).map(|data| data.claims).map_err(|error| name(&error))
    }
}

fn name(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) => "json".to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_SECS;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}
