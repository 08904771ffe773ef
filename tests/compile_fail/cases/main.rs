//! Each module misuses the API in one way. `tests/messages.rs` compares the compiler's messages.

#![allow(dead_code, missing_docs)]

mod actix_claims_without_deserialize;
mod axum_body_before_claims;
mod axum_body_before_claims_debug_handler;
mod axum_claims_without_deserialize;
mod axum_claims_without_deserialize_debug_handler;
mod axum_serve_without_into_router;
mod body_without_bytes;
mod body_without_default;
mod builder_instead_of_a_gate;
mod client_of_another_crate;
mod closure_instead_of_a_resolver;
mod function_instead_of_a_clock;
mod keys_instead_of_a_source;
mod request_of_another_framework;
mod scope_instead_of_a_requirement;

fn main() {}
