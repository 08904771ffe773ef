//! The companion issuer: users log in, and it publishes the keys that verify their tokens.
//!
//! It hands out short-lived access tokens (RFC 9068) that any service validates locally with
//! [`portcullis`], and rotating refresh tokens that keep a session alive and end it at once. It
//! keeps everything in one SQLite file, or in a PostgreSQL that several processes share.
//!
//! ```
//! use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
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
//! // Keys rotate by themselves. Asked to, a new one is published now, and signs as soon as every
//! // verifier can know it; the old one stays published while needed.
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
//! | `POST /v1/auth/login` | `{"username", "password"}`, optionally `"resource"`, in exchange for tokens and cookies; with a `"code"` of a user who has a second factor |
//! | `POST /v1/auth/refresh` | a refresh token (JSON body or cookie), optionally `"resource"`, in exchange for new tokens |
//! | `POST /v1/auth/logout` | ends the session of a refresh token or of an access token; takes the cookies back |
//! | `POST /v1/auth/logout-everywhere` | ends all sessions of the user |
//! | `POST /v1/auth/register` | makes a user; only with `IDENTSPHERE_REGISTRATION=on` |
//! | `POST /v1/auth/verify-address` | `{"token", "password"}`: completes a registration; this and the next two only with a [`Notifier`] |
//! | `POST /v1/auth/password-reset` | `{"username"}`: has a token sent to the user |
//! | `POST /v1/auth/set-password` | `{"token", "new_password"}`: with the token of a reset or an invitation |
//! | `GET /v1/auth/sessions` | the user's live sessions |
//! | `DELETE /v1/auth/sessions/{id}` | ends one of them |
//! | `POST /v1/auth/password` | `{"password", "new_password"}`: changes the password, and ends the other sessions |
//! | `POST /v1/auth/totp` | `{"password"}` in exchange for a secret for an authenticator app, and 10 recovery codes |
//! | `POST /v1/auth/recovery-codes` | other recovery codes; only within 5 minutes of a step-up |
//! | `POST /v1/auth/step-up` | `{"code"}` in exchange for an access token with a fresh `auth_time` and `acr` `aal2` |
//! | `DELETE /v1/auth/totp` | forgets that secret; only within 5 minutes of a step-up |
//! | `GET /v1/users/me` | the user |
//! | `GET /v1/admin/users?after={id}` | users' accounts; all below `/v1/admin` is for users with the scope [`ADMIN_SCOPE`], by a credential that no API has seen |
//! | `DELETE /v1/admin/users/{id}` | deletes a user, and ends the sessions |
//! | `POST /v1/admin/users` | `{"name", "address", "roles", "scopes"}`: invites a user; only with a [`Notifier`] |
//! | `POST /v1/admin/users/{id}/address` | `{"address"}`: where the notifier reaches the user |
//! | `POST /v1/admin/users/{id}/password` | `{"password"}`: sets it, and ends the sessions |
//! | `POST /v1/admin/users/{id}/disable` | no login and no refresh; ends the sessions |
//! | `POST /v1/admin/users/{id}/enable` | lets the user log in again |
//! | `DELETE /v1/admin/users/{id}/sessions` | ends the user's sessions |
//! | `POST /v1/admin/users/{id}/roles` | `{"roles"}`: the next access token has these |
//! | `POST /v1/admin/users/{id}/scopes` | `{"scopes"}`: the next access token has these |
//! | `DELETE /v1/admin/users/{id}/second-factor` | forgets the second factor and its recovery codes |
//! | `POST /v1/admin/users/{id}/unlock` | admits codes again after 100 wrong ones |
//! | `DELETE /v1/admin/sessions` | ends the sessions of all users |
//! | `POST /oauth/token` | a machine client's credentials, a session's refresh token or a user's token in exchange for tokens (RFC 6749, RFC 8693) |
//! | `POST /oauth/introspect` | whether a token is worth anything right now (RFC 7662) |
//! | `POST /oauth/revoke` | makes a token worth nothing (RFC 7009) |
//! | `GET /v1/audit?after={serial}` | the audit log, for users with the scope `identsphere:audit` |
//! | `GET /.well-known/jwks.json` | the published keys |
//! | `GET /v1/status-lists/{list}` | who was revoked (draft-ietf-oauth-status-list); waits for changes (RFC 7240) |
//! | `GET /.well-known/openid-configuration` | where they are |
//! | `GET /.well-known/oauth-authorization-server` | the same |
//! | `GET /openapi.json` | all of this, for programs |
//! | `GET /healthz` | whether the process answers: a liveness probe |
//! | `GET /readyz` | whether it can do its work: a readiness probe |
//!
//! Errors are problem documents (RFC 9457), and below `/oauth` those of RFC 6749. Settings are environment variables, or keys of a TOML file: see [`SETTINGS`] and [`SettingSources`].
//!
//! # Key rotation
//!
//! A key is published, waits until every cached key set without it has expired, signs, retires,
//! stays published until the last token that it signed has expired, and is withdrawn:
//!
//! ```text
//! next ── JWKS max-age + clock skew ──▶ active ── key rotation ──▶ retired ── access expiry + 2 × clock skew ──▶ withdrawn
//! ```
//!
//! So no verifier refuses an honest token because keys changed, not even one that never fetches
//! the keys before its cached set has expired. This happens by itself every
//! `IDENTSPHERE_KEY_ROTATION_DAYS`, and by [`Issuer::rotate_keys`] in between. Settings that do
//! not leave the time for it are refused. A lower max-age counts only after the next rotation, and
//! a lower access expiry too, since the longer promises are still out there.
//!
//! When a key is in the wrong hands, [`Issuer::withdraw_key_now`] has its tokens refused by every
//! verifier whose cached set has expired: within `IDENTSPHERE_JWKS_MAX_AGE_SECS`, if the verifier
//! can reach the issuer. Changing `IDENTSPHERE_SIGNING_ALGORITHM` changes the algorithm at the
//! next rotation; until the last old token has expired, keys of both are published.
//!
//! Private keys need not be here at all: a [`Signer`] has them, and signs.
//!
//! Other processes on the same database, such as a running issuer when the command line rotates,
//! follow at their next request; on PostgreSQL, which tells them, within a second.
//!
//! # Users' accounts
//!
//! An operator changes accounts by methods of [`Issuer`] or by commands, and a user with the scope
//! [`ADMIN_SCOPE`] over HTTP: passwords, roles and scopes, second factors, and whether the user may log
//! in. A change that ends sessions does so in its own transaction; refresh, introspection and status
//! lists reject their tokens from that moment on, and the audit log says who did it
//! ([`Event::actor`]).
//!
//! A new password is rejected if it is short, the user's name or a common one. A login asks a user who
//! has a second factor for a code of an authenticator app, or one of ten recovery codes
//! ([`SecondFactorMode`]). A [`Notifier`] delivers the single-use tokens of password resets, invitations
//! and address verifications; the issuer sends no mail.
//!
//! ```
//! # use portcullis_issuer::{Error, Issuer, IssuerConfig, NewUser};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let config = IssuerConfig::new("http://127.0.0.1:8080", directory.path().join("a.db"));
//! # let issuer = Issuer::open(config).await?;
//! issuer.add_user(NewUser::new("alice", "correct horse battery staple")).await?;
//! let ended_sessions = issuer.disable_user("alice").await?;
//! assert_eq!(ended_sessions, 0);
//!
//! let unknown = issuer.disable_user("bob").await;
//! assert!(matches!(unknown, Err(Error::NoSuchUser { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! After a database was restored from a backup, [`Issuer::restored`] makes every token void that was
//! ever issued.
//!
//! # Machine clients
//!
//! A service gets tokens in its own name by the client credentials grant. It proves itself by a
//! secret (`client_secret_basic`, `client_secret_post`) that is kept as a hash, or by assertions
//! that it signs with its private key (`private_key_jwt`): for at most 5 minutes, and each is good
//! once. Its tokens have the scopes and audiences that it requests, of those that it was given; `sub`
//! and `client_id` are its id. They have no `sid`, so the issuer's own routes accept none of them.
//!
//! ```
//! # use portcullis_issuer::{Issuer, IssuerConfig, NewClient};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let config = IssuerConfig::new("http://127.0.0.1:8080", directory.path().join("a.db"));
//! # let issuer = Issuer::open(config).await?;
//! let billing = NewClient::new("billing").scopes(["orders:read"]).audiences(["https://api.example"]);
//! let secret = issuer.add_client(billing).await?;
//! assert!(secret.is_some(), "shown once, and stored nowhere");
//!
//! // With keys there is no secret, and a key that is no public one is refused.
//! let private = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
//! assert!(issuer.add_client(NewClient::new("shipping").keys(private)).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! A client introspects the access tokens for its [resource servers](NewClient::resource_servers),
//! the APIs that it is. [`ClientRight`]s add more: all access tokens, users' sessions, and the
//! exchange of a user's token for one for the issuer (RFC 8693).
//!
//! The refresh token of a login belongs to the public client `identsphere-first-party`. `POST
//! /oauth/token` takes it from that one, and from clients with the right to continue sessions; it is
//! rotated, and its reuse detected, as by `POST /v1/auth/refresh`.
//!
//! Revoking a token of a session ends the session. A machine client's token is remembered as
//! revoked, and inactive. An API that validates by expiry alone accepts an access token until then;
//! one that follows the status lists learns of an ended session and of a disabled or removed client,
//! and not of a client's single token.
//!
//! # Audiences
//!
//! A user's token is for the issuer and all of `IDENTSPHERE_AUDIENCES`; with
//! `IDENTSPHERE_NARROW_TOKENS=on` for the issuer alone. `resource`, in the body of a login or a
//! refresh, names others (RFC 8707). Operations on second factors and the audit log accept a token
//! for the issuer alone, or the issuer's cookies: no API that receives its users' tokens can do them.
//!
//! # Several processes
//!
//! On PostgreSQL (`IDENTSPHERE_DATABASE_URL`) any number of processes are one issuer: users, sessions
//! and keys are shared, and each is given the same `IDENTSPHERE_KEY_ENCRYPTION_KEY`. One of them
//! does what is due about the keys; when it ends, however suddenly, another one does. Their clocks
//! may be `IDENTSPHERE_CLOCK_SKEW_SECS` apart. Limits on logins are counted by each for itself; wrong codes of a
//! second factor are counted in the store.
//!
//! # When the store fails
//!
//! Whatever needs it is answered with 503 and `Retry-After`, and as before once it is back; the
//! published keys are served from memory meanwhile. What was acknowledged is there afterwards,
//! whenever and however the process ended. A client whose refresh was not answered may ask again
//! with the same token for `IDENTSPHERE_REFRESH_GRACE_SECS`.
//!
//! # Watching it
//!
//! `/healthz` fails only with the process itself: a failed liveness probe has it restarted, which
//! does not bring a store back. `/readyz` fails while the store does not answer or the keys cannot
//! be read, and from the moment that the process is told to stop. Then it goes on serving for
//! `IDENTSPHERE_SHUTDOWN_DELAY_SECS`, so that whoever sends requests here can learn of it before the
//! listener closes. It listens only once the schema is up to date.
//!
//! Metrics go through the [`metrics`](https://docs.rs/metrics) facade, to the recorder of the app;
//! the binary has one, and serves it at `/metrics` on `IDENTSPHERE_METRICS_LISTEN`, if that is set:
//! on a listener of its own, since they are nobody else's business.
//!
//! | metric | labels | counts |
//! |---|---|---|
//! | `portcullis_issuer_events_total` | `kind` | entries of the audit log, by [`EventKind`]: logins, failed ones, reuse of refresh tokens, … |
//! | `portcullis_issuer_refreshes_total` | `outcome` | `rotated`, `repeated`, `reused`, `diverged`, `limited`, `keys_changed`, `refused` |
//! | `portcullis_issuer_group_commits_total` | | commits of changes that waited together |
//! | `portcullis_issuer_tokens_issued_total` | `algorithm` | access tokens |
//! | `portcullis_issuer_refusals_total` | `problem` | error responses, by the last part of the problem's type, below `/oauth` by the error of RFC 6749 |
//! | `portcullis_issuer_keys` | `state` | keys, by [`KeyState`] |
//! | `portcullis_issuer_next_key_change_timestamp_seconds` | | when something about the keys is due |
//! | `portcullis_issuer_leader` | | 1 where this process looks after the keys |
//! | `portcullis_issuer_connections_rejected_total` | | connections that were closed because their address had too many |
//! | `portcullis_issuer_store_seconds` | `operation`, `outcome` | what the store took |
//! | `portcullis_issuer_passwords_waiting` | | passwords that wait to be checked |
//!
//! What the middleware refuses on the issuer's own routes is in Portcullis's `portcullis_refusals_total`.
//!
//! Each request has a span named `request` of the target `portcullis_issuer::http`, with the fields of
//! OpenTelemetry's conventions for an HTTP server: `http.request.method`, `http.route`,
//! `http.response.status_code`, and `otel.name`, `otel.kind` and `otel.status_code`, which
//! `tracing-opentelemetry` reads. The caller's W3C `traceparent` is the field of that name; an app that
//! continues its trace puts its own layer around [`Issuer::router`].
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

mod clock;
mod config;
mod domain;
mod error;
mod etag;
mod files;
mod http;
mod issuer;
mod metrics;
mod notify;
mod random;
mod store;

pub use self::config::{
    CONFIG_VARIABLE, DatabaseUrl, EffectiveSetting, IssuerConfig, Kind as SettingKind, Origin,
    PasswordCost, SETTINGS, SecondFactorMode, Setting, SettingSources, ignored_variables,
    warn_of_ignored_variables,
};
pub use self::domain::audit::{Event, EventKind};
pub use self::domain::clients::{
    ClientRight, ClientUpdate, NewClient, RegisteredClient, UnknownClientRight,
};
pub use self::domain::keys::{
    KeyEncryptionKey, KeyState, Signer, SignerAnswer, SigningAlgorithm, UnknownSigningAlgorithm,
};
pub use self::domain::network::{Network, NotANetwork};
pub use self::domain::people::{ADMIN_SCOPE, AccountInfo};
pub use self::domain::second_factor::UnknownSecondFactorMode;
pub use self::domain::sessions::SessionInfo;
pub use self::domain::users::{NewUser, User};
pub use self::error::{ConfigError, Error, StoreError};
pub use self::http::LiveSession;
pub use self::issuer::{Issuer, KeyInfo, Restored};
pub use self::notify::{Delivery, Message, MessageKind, Notifier};
