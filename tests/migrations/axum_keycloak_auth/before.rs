use axum::{Extension, Router, routing::get};
use axum_keycloak_auth::PassthroughMode;
use axum_keycloak_auth::Url;
use axum_keycloak_auth::decode::KeycloakToken;
use axum_keycloak_auth::instance::{KeycloakAuthInstance, KeycloakConfig};
use axum_keycloak_auth::layer::KeycloakAuthLayer;

async fn greet(Extension(token): Extension<KeycloakToken<String>>) -> String {
    format!("hello {}", token.subject)
}

pub fn app(server: &str) -> Router {
    let config = KeycloakConfig::builder()
        .server(Url::parse(server).unwrap())
        .realm("shop".to_owned())
        .build();
    let layer = KeycloakAuthLayer::<String>::builder()
        .instance(KeycloakAuthInstance::new(config))
        .passthrough_mode(PassthroughMode::Block)
        .expected_audiences(vec!["account".to_owned()])
        .required_roles(vec!["customer".to_owned()])
        .build();
    Router::new().route("/", get(greet)).layer(layer)
}
