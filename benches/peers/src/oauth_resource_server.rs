//! oauth-resource-server with preloaded keys. It requires a scope, which the token has.

use std::hint::black_box;
use std::sync::Arc;

use ::oauth_resource_server::axum::AuthLayer;
use ::oauth_resource_server::{Credential, KeyNaming, OAuthConfig, OAuthValidator};
use axum::Router;
use axum::routing::get;
use portcullis_benches::scenario::{AUDIENCE, Claims, ISSUER};
use serde_json::json;

pub fn protected(jwk: &serde_json::Value) -> Router {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.to_owned(),
        jwks_uri: Some(format!("{ISSUER}/jwks")),
        audience: AUDIENCE.to_owned(),
        resource: AUDIENCE.to_owned(),
        required_scopes: vec!["orders:read".to_owned()],
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth")).unwrap().unwrap();
    let keys = json!({"keys": [jwk]}).to_string();
    let validator = OAuthValidator::builder(&config).initial_jwks(&keys).build().unwrap();
    let layer = AuthLayer::builder().oauth(Arc::new(validator)).build().unwrap();
    let handler = |credential: Credential| async move {
        let Credential::OAuth(token) = credential else { unreachable!("nothing else is accepted") };
        black_box(token.claims_as::<Claims>().unwrap());
        "fine"
    };
    Router::new().route("/", get(handler)).layer(layer)
}
