//! Where a token may stand in a request, and what can be wrong with a token and its place.
//!
//! By default a token stands in `Authorization: Bearer`, and nowhere else. A list of [`TokenPlace`]s
//! says otherwise, for the whole service
//! ([`AuthenticatorBuilder::token_places`](crate::AuthenticatorBuilder::token_places)) or for one
//! [`Gate`](crate::Gate::token_places):
//!
//! ```
//! use http::Request;
//! use portcullis::{Authenticator, ConfigError, Gate, Refusal, token::TokenPlace};
//!
//! # use portcullis::keys::{KeySet, SharedKeySet};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = SharedKeySet::new(KeySet::default());
//! # let builder = Authenticator::builder("https://auth.example", "https://api.example");
//! # let auth = builder.key_source(keys).build().await?;
//! let rest = Gate::new(auth.clone());
//! let sockets = Gate::new(auth).token_places([TokenPlace::websocket_prefix("bearer.")])?;
//!
//! let handshake = Request::get("/feed").header("sec-websocket-protocol", "chat, bearer.a.b.c");
//! let handshake = handshake.body(())?;
//! // The one gate sees no token, the other one a bad token.
//! assert_eq!(rest.authenticate(&handshake).await.unwrap_err().rule(), "missing");
//! assert_eq!(sockets.authenticate(&handshake).await.unwrap_err().rule(), "base64url");
//! # Ok(()) }
//! ```
//!
//! Each error names a rule, the setting that decides it and a remedy, for the operator; what the
//! client is told is in [`refusal`](crate::refusal). No error holds a value out of a token.
//!
//! ```
//! use portcullis::{Algorithm, keys::KeySet, signature, token::TokenError};
//!
//! let error = signature::verify("opaque", &KeySet::default(), Algorithm::ALL).unwrap_err();
//! assert_eq!((&error, error.rule()), (&TokenError::NotCompact, "compact_form"));
//! ```

pub use crate::credentials::{ACCESS_COOKIE, CredentialsError, TokenPlace};
pub use crate::error::TokenError;
