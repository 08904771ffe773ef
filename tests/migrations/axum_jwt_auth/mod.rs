//! Migration from axum-jwt-auth, with the keys of the old issuer.

mod after;
mod before;
mod both;

use jsonwebtoken_10::{Algorithm, DecodingKey, Validation};
use portcullis::testing::AUDIENCE;

use crate::local_keys::send;
use crate::requests::{OLD_KEY, authenticator, hold, rows};

#[tokio::test]
async fn requests_get_the_expected_status_before_during_and_after() {
    let jwk = serde_json::from_value(OLD_KEY.jwk()).unwrap();
    let key = || DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    // Two crypto backends are compiled in, so jsonwebtoken 10 needs an explicit choice.
    let _ = jsonwebtoken_10::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let auth = authenticator().await;
    let before = before::app(key(), validation.clone());
    let both = both::app(auth.clone(), key(), validation);
    let after = after::app(auth);
    hold(
        &rows(),
        [
            &|request| send(before.clone(), request),
            &|request| send(both.clone(), request),
            &|request| send(after.clone(), request),
        ],
    )
    .await;
}
