//! The companion issuer: it logs users in, and publishes the keys that verify their tokens.
//!
//! It issues short-lived access tokens (RFC 9068), which any service validates locally with
//! [`portcullis`], and rotating refresh tokens, which continue a session until it ends. All data is
//! in one SQLite file, or in a PostgreSQL database that several processes share.
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
//! // Names are case-insensitive, so a second alice is rejected.
//! assert!(issuer.add_user(NewUser::new("Alice", "battery staple")).await.is_err());
//!
//! // Mount it in your own app, or run the binary, which serves the same routes.
//! let app: axum::Router = axum::Router::new().merge(issuer.router());
//!
//! // Keys rotate on schedule. This call publishes the next key now; it signs as soon as every
//! // verifier can have it. The old key stays published until its last token has expired.
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
//! | `POST /v1/auth/login` | `{"username", "password"}`, optionally `"resource"`, in exchange for tokens and cookies; with a `"code"` or a `"passkey"` of a user who has a second factor |
//! | `POST /v1/auth/refresh` | a refresh token (JSON body or cookie), optionally `"resource"`, in exchange for new tokens |
//! | `POST /v1/auth/logout` | ends the session of a refresh token or of an access token; clears the cookies |
//! | `POST /v1/auth/logout-everywhere` | ends all sessions of the user |
//! | `POST /v1/auth/register` | adds a user; only with `IDENTSPHERE_REGISTRATION=on` |
//! | `POST /v1/auth/verify-address` | `{"token", "password"}`: completes a registration; this and the next two only with a [`Notifier`] |
//! | `POST /v1/auth/password-reset` | `{"username"}`: has a token sent to the user |
//! | `POST /v1/auth/set-password` | `{"token", "new_password"}`: with the token of a reset or an invitation |
//! | `GET /v1/auth/sessions` | the user's live sessions |
//! | `DELETE /v1/auth/sessions/{id}` | ends one of the user's sessions |
//! | `POST /v1/auth/password` | `{"password", "new_password"}`: changes the password, and ends the other sessions |
//! | `POST /v1/auth/totp` | `{"password"}` in exchange for a secret for an authenticator app, and 10 recovery codes |
//! | `POST /v1/auth/recovery-codes` | replaces the recovery codes; only within 5 minutes of a step-up |
//! | `POST /v1/auth/step-up` | `{"code"}` or `{"passkey"}` in exchange for an access token with a fresh `auth_time` and `acr` `aal2` |
//! | `DELETE /v1/auth/totp` | deletes the app's secret; only within 5 minutes of a step-up |
//! | `POST /v1/auth/passkeys/challenge` | begins a login, a second factor or a step-up with a passkey; this and the next only with `IDENTSPHERE_PASSKEY_RP_ID` |
//! | `POST /v1/auth/passkeys/login` | `{"ceremony", "credential"}`, optionally `"resource"`, in exchange for tokens and cookies |
//! | `POST /v1/auth/passkeys/registration` | begins the registration of a passkey; only within 5 minutes of a login, or of a step-up of a user who has a second factor |
//! | `POST /v1/auth/passkeys` | `{"ceremony", "credential", "name"}`: adds the passkey; with recovery codes, if it is the first second factor |
//! | `GET /v1/auth/passkeys` | the user's passkeys |
//! | `POST /v1/auth/passkeys/{id}/name` | `{"name"}`: renames one of the user's passkeys |
//! | `DELETE /v1/auth/passkeys/{id}` | removes one of the user's passkeys, and ends the other sessions that began with it; only within 5 minutes of a step-up |
//! | `GET /v1/users/me` | the user |
//! | `GET /v1/admin/users?after={id}` | users' accounts; all below `/v1/admin` is for users with the scope [`ADMIN_SCOPE`], by a credential that no API has seen |
//! | `DELETE /v1/admin/users/{id}` | deletes a user, and ends the sessions |
//! | `POST /v1/admin/users` | `{"name", "address", "roles", "scopes"}`: invites a user; only with a [`Notifier`] |
//! | `POST /v1/admin/users/{id}/address` | `{"address"}`: the user's address for messages |
//! | `POST /v1/admin/users/{id}/password` | `{"password"}`: sets it, and ends the sessions |
//! | `POST /v1/admin/users/{id}/disable` | rejects the user's logins and refreshes; ends the sessions |
//! | `POST /v1/admin/users/{id}/enable` | lets the user log in again |
//! | `DELETE /v1/admin/users/{id}/sessions` | ends the user's sessions |
//! | `POST /v1/admin/users/{id}/roles` | `{"roles"}`: the next access token has these |
//! | `POST /v1/admin/users/{id}/scopes` | `{"scopes"}`: the next access token has these |
//! | `DELETE /v1/admin/users/{id}/second-factor` | deletes the app's secret, the recovery codes and the passkeys |
//! | `POST /v1/admin/users/{id}/unlock` | accepts codes again after 100 wrong ones |
//! | `DELETE /v1/admin/sessions` | ends the sessions of all users |
//! | `POST /oauth/token` | a machine client's credentials, a session's refresh token or a user's token in exchange for tokens (RFC 6749, RFC 8693) |
//! | `POST /oauth/introspect` | whether a token is active (RFC 7662) |
//! | `POST /oauth/revoke` | revokes a token (RFC 7009) |
//! | `GET /v1/audit?after={serial}` | the audit log, for users with the scope `identsphere:audit` |
//! | `GET /.well-known/jwks.json` | the published keys |
//! | `GET /v1/status-lists/{list}` | the revoked tokens (draft-ietf-oauth-status-list); waits for changes (RFC 7240) |
//! | `GET /.well-known/openid-configuration` | the issuer's metadata, with the URLs of keys and endpoints |
//! | `GET /.well-known/oauth-authorization-server` | the same metadata |
//! | `GET /openapi.json` | the OpenAPI document of all endpoints |
//! | `GET /healthz` | whether the process answers: a liveness probe |
//! | `GET /readyz` | whether requests should be sent to the process: a readiness probe |
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
//! So no verifier rejects a valid token because of a rotation, not even a verifier that fetches the
//! keys only when its cached set has expired. Keys rotate every `IDENTSPHERE_KEY_ROTATION_DAYS`,
//! and when [`Issuer::rotate_keys`] is called. Settings with too short a period are rejected. A
//! lower max-age or access expiry takes effect at the next rotation, since older key sets and
//! tokens live longer.
//!
//! If a key is compromised, call [`Issuer::withdraw_key_now`]. Every verifier rejects its tokens
//! once the verifier's cached key set has expired: within `IDENTSPHERE_JWKS_MAX_AGE_SECS`, if it
//! can reach the issuer. A change of `IDENTSPHERE_SIGNING_ALGORITHM` takes effect at the next
//! rotation. Until the last token of the old key has expired, keys of both algorithms are
//! published.
//!
//! A [`Signer`] keeps private keys outside the issuer.
//!
//! Other processes on the same database, such as a running issuer after a rotation by the command
//! line, follow at their next request; on PostgreSQL, which pushes changes, within a second.
//!
//! # Users' accounts
//!
//! An operator changes accounts with methods of [`Issuer`] or with commands, and a user with the
//! scope [`ADMIN_SCOPE`] over HTTP: passwords, roles and scopes, second factors, and whether the
//! user may log in. Over HTTP, a change needs a login or step-up within
//! `IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS`. A change ends sessions in its own transaction. From that moment on, refresh,
//! introspection and status lists reject their tokens. The audit log has the actor
//! ([`Event::actor`]).
//!
//! A new password is rejected if it is short, a common one, or the user's name or address. A user
//! who has a second factor also needs a passkey, a code of an authenticator app, or one of ten
//! recovery codes, to log in by password ([`SecondFactorMode`]). A passkey alone logs in, too. A [`Notifier`] delivers the single-use tokens of password
//! resets, invitations and address verifications; the issuer sends no mail.
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
//! After a database was restored from a backup, [`Issuer::restored`] invalidates every token that
//! was ever issued.
//!
//! # Machine clients
//!
//! A service gets tokens in its own name by the client credentials grant. It authenticates with a
//! secret (`client_secret_basic`, `client_secret_post`), of which the issuer stores a hash, or with
//! assertions that it signs with its private key (`private_key_jwt`). Each assertion is valid for
//! at most 5 minutes, and only once. A client's tokens have the requested part of its scopes and
//! audiences; `sub` and `client_id` are its id. They have no `sid`, so the issuer's own routes
//! reject them.
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
//! // A client with keys has no secret, and keys other than public keys are rejected.
//! let private = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
//! assert!(issuer.add_client(NewClient::new("shipping").keys(private)).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! A client may introspect the access tokens for its [resource
//! servers](NewClient::resource_servers), which are its own identifiers as an API. [`ClientRight`]s
//! add more: all access tokens, users' sessions, and the exchange of a user's token for one for the
//! issuer (RFC 8693).
//!
//! The refresh token of a login belongs to the public client `identsphere-first-party`. `POST
//! /oauth/token` accepts it from that client, and from clients with the right to continue sessions.
//! The endpoint rotates the token and detects its reuse, as `POST /v1/auth/refresh` does.
//!
//! Revoking a token of a session ends the session. Revoking a machine client's token makes it
//! inactive. An API that validates by expiry alone accepts a revoked access token until it expires.
//! The status lists report ended sessions and disabled or removed clients, but not a single revoked
//! token of a client.
//!
//! # Back-channel logout
//!
//! A client with a [URI](NewClient::backchannel_logout_uri) receives a logout token whenever a session
//! ends before it expires (OpenID Connect Back-Channel Logout 1.0). The message is written in the
//! transaction that ends the session, and is sent again with the same `jti` until the client has
//! answered or the session's access tokens have expired. The process that leads sends the tokens: from
//! the first call of [`Issuer::router`] on, and 10 s after [`Issuer::open`] without one.
//!
//! ```
//! # use portcullis_issuer::{Issuer, IssuerConfig, NewClient};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let config = IssuerConfig::new("http://127.0.0.1:8080", directory.path().join("a.db"));
//! # let issuer = Issuer::open(config).await?;
//! let orders = || NewClient::new("orders");
//! issuer.add_client(orders().backchannel_logout_uri("https://orders.example/logout")).await?;
//!
//! // Logout tokens are not sent in clear text.
//! let clear = orders().backchannel_logout_uri("http://orders.example/logout");
//! assert!(issuer.add_client(clear).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Audiences
//!
//! A user's token is for the issuer and all of `IDENTSPHERE_AUDIENCES`, or with
//! `IDENTSPHERE_NARROW_TOKENS=on` for the issuer alone. `resource` in the body of a login or a
//! refresh requests other audiences (RFC 8707). Operations on passwords, second factors, the audit
//! log and users' accounts accept only a token for the issuer alone, or the issuer's cookies: an
//! API that receives its users' tokens cannot call them.
//!
//! # Several processes
//!
//! On PostgreSQL (`IDENTSPHERE_DATABASE_URL`, with the feature `postgres`, which is on by default)
//! any number of processes form one issuer. They share
//! users, sessions and keys, and need the same `IDENTSPHERE_KEY_ENCRYPTION_KEY`. One process
//! rotates the keys; if it ends or crashes, another takes over. The clocks of the processes may
//! differ by `IDENTSPHERE_CLOCK_SKEW_SECS`. Each process counts login attempts for itself; wrong
//! codes of a second factor are counted in the store.
//!
//! # When the store fails
//!
//! Requests that need the store get 503 and `Retry-After` until it is available again; the
//! published keys are served from memory meanwhile. Acknowledged changes are durable, even if the
//! process crashes. A client that did not receive the response to a refresh may repeat it with the
//! same token for `IDENTSPHERE_REFRESH_GRACE_SECS`.
//!
//! # Monitoring
//!
//! `/healthz` fails only if the process does not answer: a failed liveness probe restarts the
//! process, which does not repair the store. `/readyz` fails while the store does not answer or the
//! keys cannot be read, and after a signal to stop. After the signal the process still serves
//! requests for `IDENTSPHERE_SHUTDOWN_DELAY_SECS`, so that a load balancer can notice before the
//! listener closes. The process listens only once the schema is up to date.
//!
//! Metrics go through the [`metrics`](https://docs.rs/metrics) facade to the recorder of the app.
//! The binary has a recorder, and serves its metrics at `/metrics` on `IDENTSPHERE_METRICS_LISTEN`,
//! if that is set. This listener is separate, so that clients cannot read the metrics.
//!
//! | metric | labels | counts |
//! |---|---|---|
//! | `portcullis_issuer_events_total` | `kind` | entries of the audit log, by [`EventKind`]: logins, failed ones, reuse of refresh tokens, … |
//! | `portcullis_issuer_refreshes_total` | `outcome` | `rotated`, `repeated`, `reused`, `diverged`, `limited`, `keys_changed`, `refused` |
//! | `portcullis_issuer_group_commits_total` | | group commits: transactions with the changes of several requests |
//! | `portcullis_issuer_introspections_total` | `outcome` | introspections by authenticated clients: `active`, `inactive`, `foreign` (the client must not introspect the token; a log line names the client) |
//! | `portcullis_issuer_tokens_issued_total` | `algorithm` | access tokens |
//! | `portcullis_issuer_refusals_total` | `problem` | error responses, by the last part of the problem's type, below `/oauth` by the error of RFC 6749 |
//! | `portcullis_issuer_keys` | `state` | keys, by [`KeyState`] |
//! | `portcullis_issuer_next_key_change_timestamp_seconds` | | the time of the next due change of the keys |
//! | `portcullis_issuer_leader` | | 1 if this process is the leader, which rotates the keys and runs housekeeping |
//! | `portcullis_issuer_logouts_total` | `outcome` | logout tokens: `delivered`, `rejected`, `retried`, `expired`, `dropped` |
//! | `portcullis_issuer_logouts_waiting` | | logout tokens that were not delivered yet; in the process that leads, every 10 s, or every 60 s while more than 10,000 wait |
//! | `portcullis_issuer_messages_total` | `outcome` | messages to users: `delivered` to the notifier, `failed`, `dropped` (too many deliveries in progress) |
//! | `portcullis_issuer_connections_rejected_total` | | connections that were closed because their address had too many |
//! | `portcullis_issuer_store_seconds` | `operation`, `outcome` | the duration of store operations, in seconds |
//! | `portcullis_issuer_passwords_waiting` | | passwords that wait to be checked |
//!
//! Rejections by the middleware of the issuer's own routes are counted in Portcullis's
//! `portcullis_refusals_total`.
//!
//! Each request has a span named `request` of the target `portcullis_issuer::http`, with the fields of
//! OpenTelemetry's conventions for an HTTP server: `http.request.method`, `http.route`,
//! `http.response.status_code`, and `otel.name`, `otel.kind` and `otel.status_code`, which
//! `tracing-opentelemetry` reads. The field `traceparent` has the caller's W3C `traceparent`. An
//! app that continues the caller's trace adds its own layer around [`Issuer::router`].
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

mod backchannel;
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
pub use self::issuer::{Issuer, KeyInfo, PasskeyInfo, Restored};
pub use self::notify::{Delivery, Message, MessageKind, Notifier};
