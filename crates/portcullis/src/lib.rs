//! Local JWT validation against a published JWKS.
//!
//! A backend validates access tokens **itself**, with no call to the issuer on the request path.
//! This crate fetches and caches the issuer's keys, verifies signatures and validates claims. For a
//! rejected request it builds the response for the client and a log event for the operator. It
//! depends on no web framework: use the adapters `portcullis-axum`, `portcullis-actix`,
//! `portcullis-hyper` or `portcullis-tower`, or call [`Gate::authenticate`] from any other
//! framework.
//!
//! ```no_run
//! # use portcullis::{Authenticator, Gate, Refusal};
//! # async fn handle(request: http::Request<()>) -> Result<(), Box<dyn std::error::Error>> {
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .build()
//!     .await?;
//! let gate = Gate::new(auth);
//! let who = gate.authenticate(&request).await?;
//! println!("{:?} may {:?}", who.subject(), who.registered().scope());
//! # Ok(()) }
//! ```
//!
//! This runnable example does the same with a local key set:
//!
//! ```
//! use http::{Request, StatusCode};
//! use portcullis::keys::{KeySet, SharedKeySet};
//! use portcullis::{Authenticator, Gate};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // RFC 8037's key and a token that it signed.
//! let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k",
//!     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .key_source(SharedKeySet::new(KeySet::from_json(keys.as_bytes())?))
//!     .build()
//!     .await?;
//! let gate = Gate::new(auth);
//!
//! let refusal = gate.authenticate(&Request::new(())).await.unwrap_err();
//! assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
//! let forged = Request::get("/").header("authorization", "Bearer not.a.token").body(())?;
//! let response = gate.authenticate(&forged).await.unwrap_err().into_response::<String>();
//! assert!(response.headers()["www-authenticate"].to_str()?.contains("invalid_token"));
//! # Ok(()) }
//! ```
//!
//! | task | where |
//! |---|---|
//! | identify the caller | [`Gate::authenticate`], or an adapter's extractor: an [`Authenticated`], or an [`Anonymous`] |
//! | accept another credential, such as an API key | [`Gate::pass_foreign`], [`Gate::caller_or_foreign`] |
//! | authorize the caller | [`Policy`], [`Revocation`] |
//! | configure trusted issuers | [`Authenticator::builder`], [`IssuerSettings`], [`Profile`], [`config`] |
//! | set where a request carries its token; read the token's claims | [`token`], [`claims`] |
//! | apply logouts and other revocations | [`feed`] |
//! | customize refusals | [`Refusal`], [`refusal`] |
//! | share one fetched key set between authenticators; replace the key source, HTTP client or clock | [`keys`], [`fetch`], [`clock`] |
//! | choose the implementation of the signature algorithms | [`crypto`] |
//! | monitor keys and status lists | [`status`] |
//! | end a WebSocket or another stream with its session | [`streams`] |
//! | verify a signature and nothing else | [`signature`] |
//! | write an adapter for another framework | [`adapter`], [`RequestView`] |
//! | use settings that weaken security | [`dangerous`] |
//!
//! The [guide] has the chapters in reading order, from [Add it](guide::add_it) to
//! [Troubleshooting](guide#troubleshooting), and a page for each well-known issuer.
//!
//! Validation fails closed: a token is rejected if a required header parameter or claim is missing,
//! invalid or duplicated.
//!
//! # Cargo features
//!
//! Each feature adds API, except `fips`; none changes how tokens are validated.
//!
//! | feature | |
//! |---|---|
//! | `aws-lc` (default) | `AwsLc`, the default [crypto provider](crypto); needs a C compiler |
//! | `fips` | the FIPS 140-3 build of aws-lc; needs CMake and Go |
//! | `reqwest` (default) | `ReqwestFetch`, the HTTP client for key sets |
//! | `reqwest-no-provider` | `ReqwestFetch` with the rustls provider that the service installs |
//! | `streams` | `EndingStream` and `EndingBody`, which end a stream or a body of any framework with its session; every adapter enables it |
//! | `test-util` | the module `testing`: a manual clock, a scripted HTTP client, signing keys, and a `Scene` that combines them |
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
pub mod claims;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod dangerous;
pub mod feed;
pub mod fetch;
pub mod guide;
pub mod keys;
pub mod refusal;
pub mod signature;
pub mod status;
pub mod streams;
pub mod token;

mod algorithm;
mod anonymous;
mod authenticated;
mod authenticator;
mod caller;
mod causes;
mod challenge;
mod credentials;
mod duration;
mod error;
mod foreign;
mod gate;
mod issuer;
mod json;
mod jws;
mod kept_keys;
mod key;
mod key_source;
mod listeners;
mod logout;
mod maybe_ready;
mod metrics;
mod policy;
mod profile;
mod remote;
mod request;
mod requirement;
mod resource;
mod revocation;
mod settings;
mod sync;
mod token_cache;

#[cfg(any(test, feature = "test-util"))]
pub mod testing;

/// For the fuzz target `readers`: panics if the two readers of JSON disagree on a header or a payload.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn readers_agree(text: &str) {
    claims::readers_agree(text);
    jws::readers_agree(text);
}

pub use algorithm::Algorithm;
pub use anonymous::Anonymous;
pub use authenticated::Authenticated;
pub use authenticator::{Authenticator, AuthenticatorBuilder, ConfigError, IssuerSettings};
pub use gate::Gate;
pub use policy::Policy;
pub use profile::Profile;
pub use refusal::Refusal;
pub use request::RequestView;
pub use resource::ProtectedResource;
pub use revocation::Revocation;
