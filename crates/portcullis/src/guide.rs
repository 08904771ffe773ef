//! The guide: deployment patterns, setup, replacing your own validation, tuning and benchmarks; key
//! sets, the cache of verified tokens and revocation; local keys, tokens outside of requests, API
//! keys, tenants, other languages and proxies; compiler messages, and the configuration of
//! well-known issuers.

#[doc = include_str!("guide/patterns.md")]
pub mod patterns {}

#[doc = include_str!("guide/add_it.md")]
pub mod add_it {}

#[doc = include_str!("guide/own_code.md")]
pub mod own_code {}

#[doc = include_str!("guide/tune_it.md")]
pub mod tune_it {}

#[doc = include_str!("guide/key_sets.md")]
pub mod key_sets {}

#[doc = include_str!("guide/token_cache.md")]
pub mod token_cache {}

#[doc = include_str!("guide/revocation.md")]
pub mod revocation {}

#[doc = include_str!("guide/api_keys.md")]
pub mod api_keys {}

#[doc = include_str!("guide/local_keys.md")]
pub mod local_keys {}

#[doc = include_str!("guide/bare_token.md")]
pub mod bare_token {}

#[doc = include_str!("guide/tenants.md")]
pub mod tenants {}

#[doc = include_str!("guide/measure_it.md")]
pub mod measure_it {}

#[doc = include_str!("guide/other_languages.md")]
pub mod other_languages {}

#[doc = include_str!("guide/behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("guide/compiler_messages.md")]
pub mod compiler_messages {}

#[doc = include_str!("guide/auth0.md")]
pub mod auth0 {}

#[doc = include_str!("guide/keycloak.md")]
pub mod keycloak {}

#[doc = include_str!("guide/entra.md")]
pub mod entra {}

#[doc = include_str!("guide/spring.md")]
pub mod spring {}

#[doc = include_str!("guide/hydra.md")]
pub mod hydra {}

#[doc = include_str!("guide/dex.md")]
pub mod dex {}

#[doc = include_str!("guide/oidc_provider.md")]
pub mod oidc_provider {}

#[doc = include_str!("guide/glewlwyd.md")]
pub mod glewlwyd {}

#[doc = include_str!("guide/other_issuers.md")]
pub mod other_issuers {}
