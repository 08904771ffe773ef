//! Where a request may carry its token, and the errors of tokens and credentials.
//!
//! By default a token stands in `Authorization: Bearer`, and nowhere else. A list of [`TokenPlace`]s
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
//! A [`TokenError`] names the rule that failed, a remedy and, where there is one, the setting that
//! decides it: for the operator. What the client is told is in [`refusal`](crate::refusal). No
//! error shows a value out of a token, but for [`TokenError::found`].
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
