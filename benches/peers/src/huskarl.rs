//! huskarl, with the key in memory and with RustCrypto, its only verifier.

use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use huskarl_axum::extractors::ValidatedToken;
use huskarl_axum::layers::ValidatorLayer;
use huskarl_axum::resource_server::core::crypto::verifier::{JwsVerifier, JwsVerifierPlatform};
use huskarl_axum::resource_server::core::platform::MaybeSendBoxFuture;
use huskarl_axum::resource_server::core::{EndpointUrl, Error};
use huskarl_axum::resource_server::validator::custom::CustomValidator;
use huskarl_crypto_native::NativeVerifierPlatform;
use portcullis_benches::scenario::{AUDIENCE, ISSUER};
use serde::Deserialize;

/// The claims that the handler receives besides the registered ones, which huskarl reads itself.
#[derive(Debug, Clone, Deserialize)]
#[expect(dead_code, reason = "their deserialization is measured")]
struct Rest {
    client_id: String,
    scope: String,
    sid: String,
    roles: Vec<String>,
}

pub async fn protected(jwk: &serde_json::Value) -> Router {
    let platform = Arc::new(NativeVerifierPlatform);
    let jwk = serde_json::from_value(jwk.clone()).unwrap();
    let verifier = platform.create_verifier_from_jwk(jwk).await.unwrap();
    let factory = move |_: Option<&EndpointUrl>,
                        _: Arc<dyn JwsVerifierPlatform>|
          -> MaybeSendBoxFuture<'static, Result<Arc<dyn JwsVerifier>, Error>> {
        let verifier = verifier.clone();
        Box::pin(async move { Ok(verifier) })
    };
    let validator = CustomValidator::builder()
        .with_claims::<Rest>()
        .typ("at+jwt")
        .iss(ISSUER)
        .aud(AUDIENCE)
        .require_exp(true)
        .jws_verifier_factory(factory)
        .jws_verifier_platform(platform)
        .build()
        .await
        .unwrap();
    let layer = ValidatorLayer::builder().validator(validator).build();
    let handler = |user: ValidatedToken<Rest>| async move {
        black_box(user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(layer.authenticated())
}
