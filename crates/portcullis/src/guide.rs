//! The guide, in reading order. Start with [Patterns](self::patterns) and [Add it](self::add_it);
//! read the other chapters when you need them.
//!
//! | chapter | after it you can |
//! |---|---|
//! | [Patterns](self::patterns) | choose between local validation, introspection and a sidecar for each route |
//! | [Add it](self::add_it) | protect an axum, actix-web, hyper, tower or other service, with policies, open routes, CORS and cookies |
//! | [Replacing your own validation](self::own_code) | find the setting for each rule of hand-written JWT code, and the rules that are left out on purpose |
//!
//! # Your issuer
//!
//! | chapter | after it you can |
//! |---|---|
//! | [Auth0](self::auth0), [Dex](self::dex), [Entra](self::entra), [glewlwyd], [Keycloak](self::keycloak), [oidc-provider](self::oidc_provider), [Ory Hydra](self::hydra), [Spring Authorization Server](self::spring) | configure this issuer and your API for each other, and fix rejected tokens |
//! | [Azure AD B2C, authentik and others](self::other_issuers) | find the profile of an issuer without a page, and accept tokens without an audience |
//!
//! # Keys and revocation
//!
//! | chapter | after it you can |
//! |---|---|
//! | [Key sets](self::key_sets) | choose the source of the keys, predict behaviour in rotations, outages and floods, and monitor it |
//! | [Token cache](self::token_cache) | size or disable the cache of verified tokens, and explain its security in a review |
//! | [Revocation](self::revocation) | reject revoked tokens before they expire, by status list, reported events or introspection |
//! | [Webhooks](self::webhooks) | report the events of Clerk, Supabase or Auth0 log streams to the feed |
//! | [Streams](self::streams) | end WebSockets, server-sent events and gRPC streams with their session, and renew their tokens |
//! | [Tune it](self::tune_it) | choose the token expiry and the key set's TTL from your own figures |
//! | [Measure it](self::measure_it) | measure what validation costs on your machine, with your tokens |
//!
//! # More sources of tokens and keys
//!
//! | chapter | after it you can |
//! |---|---|
//! | [API keys](self::api_keys) | accept API keys and tokens in one header |
//! | [Tokens outside HTTP requests](self::bare_token) | validate a token from a password, a WebSocket message or a queue |
//! | [Local keys](self::local_keys) | validate tokens without fetching keys, and migrate from a shared secret |
//! | [Crypto providers](self::crypto_providers) | choose the implementation of the signature algorithms: aws-lc, its FIPS build, or graviola without a C compiler |
//! | [Tenants](self::tenants) | select issuers and rules at run time, by tenant, host or path |
//!
//! # Outside Rust
//!
//! | chapter | after it you can |
//! |---|---|
//! | [Behind a proxy](self::behind_a_proxy) | have nginx, Caddy or Envoy authorize requests to an app that cannot validate tokens |
//! | [Other languages](self::other_languages) | validate the same tokens in Python, Node, Ruby, Go and Java, and get tokens as a machine client |
//!
//! # Troubleshooting
//!
//! | chapter | after it you can |
//! |---|---|
//! | [Compiler messages](self::compiler_messages) | fix a handler, layer or builder that does not compile |

#[doc = include_str!("guide/patterns.md")]
pub mod patterns {}

#[doc = include_str!("guide/add_it.md")]
pub mod add_it {}

#[doc = include_str!("guide/own_code.md")]
pub mod own_code {}

#[doc = include_str!("guide/auth0.md")]
pub mod auth0 {}

#[doc = include_str!("guide/dex.md")]
pub mod dex {}

#[doc = include_str!("guide/entra.md")]
pub mod entra {}

#[doc = include_str!("guide/glewlwyd.md")]
pub mod glewlwyd {}

#[doc = include_str!("guide/keycloak.md")]
pub mod keycloak {}

#[doc = include_str!("guide/oidc_provider.md")]
pub mod oidc_provider {}

#[doc = include_str!("guide/hydra.md")]
pub mod hydra {}

#[doc = include_str!("guide/spring.md")]
pub mod spring {}

#[doc = include_str!("guide/other_issuers.md")]
pub mod other_issuers {}

#[doc = include_str!("guide/key_sets.md")]
pub mod key_sets {}

#[doc = include_str!("guide/token_cache.md")]
pub mod token_cache {}

#[doc = include_str!("guide/revocation.md")]
pub mod revocation {}

#[doc = include_str!("guide/webhooks.md")]
pub mod webhooks {}

#[doc = include_str!("guide/streams.md")]
pub mod streams {}

#[doc = include_str!("guide/tune_it.md")]
pub mod tune_it {}

#[doc = include_str!("guide/measure_it.md")]
pub mod measure_it {}

#[doc = include_str!("guide/api_keys.md")]
pub mod api_keys {}

#[doc = include_str!("guide/bare_token.md")]
pub mod bare_token {}

#[doc = include_str!("guide/local_keys.md")]
pub mod local_keys {}

#[doc = include_str!("guide/crypto_providers.md")]
pub mod crypto_providers {}

#[doc = include_str!("guide/tenants.md")]
pub mod tenants {}

#[doc = include_str!("guide/behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("guide/other_languages.md")]
pub mod other_languages {}

#[doc = include_str!("guide/compiler_messages.md")]
pub mod compiler_messages {}
