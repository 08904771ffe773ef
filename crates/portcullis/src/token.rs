//! The places of tokens in requests, and the errors of tokens and credentials.
//!
//! By default, tokens are read from `Authorization: Bearer` only. A list of [`TokenPlace`]s
//! replaces that default, for the whole service
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
//! // The first gate finds no token, the second a malformed one.
//! assert_eq!(rest.authenticate(&handshake).await.unwrap_err().rule(), "missing");
//! assert_eq!(sockets.authenticate(&handshake).await.unwrap_err().rule(), "base64url");
//! # Ok(()) }
//! ```
//!
//! A [`TokenError`] has the rule that failed, a remedy and, if there is one, the setting that
//! controls the rule. It is for the operator; [`refusal`](crate::refusal) documents what the client
//! gets. No error contains a value from a token, except [`TokenError::found`].
//!
//! ```
//! use portcullis::{Algorithm, keys::KeySet, signature, token::TokenError};
//!
//! let error = signature::verify("opaque", &KeySet::default(), Algorithm::ALL).unwrap_err();
//! assert_eq!((&error, error.rule()), (&TokenError::NotCompact, "compact_form"));
//! ```

pub use crate::credentials::{ACCESS_COOKIE, BareToken, CredentialsError, TokenPlace};
pub use crate::error::{Found, TokenError};
pub use crate::foreign::Foreign;
