//! Apps before the migration, after step one (old and new side by side) and after step two. Each gets the same requests,
//! and a table has the expected statuses. `docs/migrating` quotes the apps.

mod actix_web_httpauth;
mod axum_jwt_auth;
mod axum_keycloak_auth;
mod jwt_authorizer;
mod local_keys;
mod pages;
mod requests;
