//! The companion issuer: users log in, and it publishes the keys that verify their tokens.
//!
//! It hands out short-lived access tokens (RFC 9068) that any service validates locally with
//! [`tollgate`], and rotating refresh tokens that keep a session alive and end it at once. It
//! keeps everything in one SQLite file.
//!
//! ```
//! use tollgate_issuer::{Issuer, IssuerConfig, NewUser};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let database = directory.path().join("identsphere.db");
//! let mut config = IssuerConfig::new("http://127.0.0.1:8080", database);
//! config.audiences = vec!["https://api.example".to_owned()];
//! let issuer = Issuer::open(config).await?;
//! issuer
//!     .add_user(NewUser::new("alice", "correct horse battery staple").scopes(["orders:read"]))
//!     .await?;
//!
//! // A second alice is refused, whatever her capitals.
//! assert!(issuer.add_user(NewUser::new("Alice", "battery staple")).await.is_err());
//!
//! // Mount it in your own app, or run the binary, which serves the same routes.
//! let app: axum::Router = axum::Router::new().merge(issuer.router());
//!
//! // From now on tokens are signed with a new key; the old one stays published while needed.
//! let kid = issuer.rotate_keys().await?;
//! # let _ = (app, kid);
//! # Ok(())
//! # }
//! ```
//!
//! # Endpoints
//!
//! | method and path | what it does |
//! |---|---|
//! | `POST /v1/auth/login` | `{"username", "password"}` in exchange for tokens and cookies |
//! | `POST /v1/auth/refresh` | a refresh token (JSON body or cookie) in exchange for new tokens |
//! | `POST /v1/auth/logout` | ends the session of a refresh token; takes the cookies back |
//! | `POST /v1/auth/register` | makes a user; only with `IDENTSPHERE_REGISTRATION=on` |
//! | `GET /v1/auth/sessions` | the user's live sessions |
//! | `DELETE /v1/auth/sessions/{id}` | ends one of them |
//! | `GET /v1/users/me` | the user |
//! | `GET /.well-known/jwks.json` | the published keys |
//! | `GET /.well-known/openid-configuration` | where they are; also as `oauth-authorization-server` |
//! | `GET /healthz` | whether the store answers |
//!
//! Errors are problem documents (RFC 9457). Settings are environment variables: see [`SETTINGS`].
//!
//! # Key rotation
//!
//! [`Issuer::rotate_keys`] publishes a new key and signs with it at once. Verifiers that fetch
//! the key set again when they meet an unknown `kid`, as Tollgate does, notice nothing; one that
//! refetches on a timer only refuses the new tokens until its timer fires. The old key stays
//! published until the last token that it signed has expired. Other processes on the same
//! database, such as a running issuer when the command line rotates, follow at their next
//! request.

mod clock;
mod config;
mod error;
mod files;
mod http;
mod issuer;
mod jwks;
mod key_ring;
mod password;
mod random;
mod serve;
mod sessions;
mod store;
mod token;
mod users;

pub use self::config::{ConfigError, IssuerConfig, SETTINGS, Setting};
pub use self::error::Error;
pub use self::issuer::{Issuer, PublishedKey};
pub use self::key_ring::{KeyEncryptionKey, SigningAlgorithm, UnknownSigningAlgorithm};
pub use self::store::{StoreError, User};
pub use self::users::NewUser;
