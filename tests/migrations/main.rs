//! Apps in migration: before, after step one (old and new side by side) and after step two. Each
//! receives the same requests, and the table lists the intended differences. `docs/migrating`
//! contains the apps.

mod actix_web_httpauth;
mod axum_jwt_auth;
mod axum_keycloak_auth;
mod jwt_authorizer;
mod local_keys;
mod pages;
mod requests;
