//! Apps that are migrated: before, after step one (old and new side by side) and after step two. Each answers the same
//! requests, and the table says which answers are meant to differ. `docs/migrating` shows the apps as they stand here.

mod actix_web_httpauth;
mod axum_jwt_auth;
mod axum_keycloak_auth;
mod jwt_authorizer;
mod local_keys;
mod pages;
mod requests;
