//! Portcullis for actix-web: validate JWTs locally, deserialize their claims into your own types,
//! and enforce policies on scopes and resources.
//!
//! ```
//! use actix_web::{App, HttpResponse, web};
//! use serde::Deserialize;
//! use portcullis_actix::{Auth, Claims, Require};
//! use portcullis_actix::portcullis::{Authenticator, Policy};
//!
//! #[derive(Deserialize)]
//! struct User {
//!     sub: String,
//! }
//!
//! async fn list(Claims(user): Claims<User>) -> String {
//!     format!("the orders of {}", user.sub)
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! # use actix_web::test;
//! # let keys = portcullis_actix::portcullis::keys::SharedKeySet::new(Default::default());
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .key_source(keys) // without this line the keys are discovered
//!     .build()
//!     .await?;
//! let app = App::new()
//!     .route("/health", web::get().to(HttpResponse::Ok))
//!     .service(
//!         web::scope("/api").wrap(Auth::new(auth)).service(
//!             web::resource("/orders")
//!                 .wrap(Require::new(Policy::scopes(["orders:read"])))
//!                 .route(web::get().to(list)),
//!         ),
//!     );
//!
//! let app = test::init_service(app).await;
//! let get = |path| test::call_service(&app, test::TestRequest::get().uri(path).to_request());
//! assert_eq!(get("/health").await.status(), 200);
//! let refused = get("/api/orders").await;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(refused.headers().get("www-authenticate").unwrap(), r#"Bearer realm="api""#);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! # What a middleware covers
//!
//! Unlike axum's layers, actix-web's `wrap` covers the whole `App`, `Scope` or `Resource` that it
//! is called on, including services added later, nested scopes and the default service. So there is
//! no `protect` here: no order of `wrap` and `service` leaves a route open. Two orders do matter:
//!
//! - The **last** `wrap` on an item **is the outermost**. A [`Require`] must be inside the
//!   [`Auth`]: put it on an inner scope or resource, or call its `wrap` before that of the
//!   [`Auth`]. In the other order every request is answered with 500, and the log names the cause.
//! - Requests go to the **first service that matches**. A service that is registered before a
//!   protected scope, under a path that is also in the scope, answers instead of the scope.
//!
//! A refusal is a response, not an error: middleware around the [`Auth`], such as CORS or a logger,
//! sees it and finds the [`Refusal`](portcullis::Refusal) in its extensions.
//!
//! # Open routes
//!
//! A route is open if it is registered outside the wrapped scope, **before** it. actix-web's router
//! decides which requests match the route; requests that the router sends elsewhere are not open.
//!
//! ```
//! use actix_web::{App, HttpResponse, web};
//! use portcullis_actix::Auth;
//! # use portcullis_actix::portcullis::{Authenticator, keys::SharedKeySet};
//!
//! # actix_web::rt::System::new().block_on(async {
//! # use actix_web::test;
//! # let auth = Authenticator::builder("https://auth.example", "https://api.example");
//! # let auth = auth.key_source(SharedKeySet::new(Default::default())).build().await.unwrap();
//! let app = App::new().service(
//!     web::scope("/v1")
//!         .route("/health", web::get().to(HttpResponse::Ok)) // open
//!         .service(
//!             web::scope("")
//!                 .wrap(Auth::new(auth)) // everything else below /v1
//!                 .route("/orders", web::get().to(HttpResponse::Ok)),
//!         ),
//! );
//! let app = test::init_service(app).await;
//! let get = |path| test::call_service(&app, test::TestRequest::get().uri(path).to_request());
//! assert_eq!(get("/v1/health").await.status(), 200);
//! assert_eq!(get("/v1//health").await.status(), 401);
//! assert_eq!(get("/v1/orders").await.status(), 401);
//! # });
//! ```
//!
//! # CORS
//!
//! A browser's preflight request is an `OPTIONS` without a token and is rejected like any other.
//! Wrap actix-cors outside the [`Auth`]: it answers preflights itself and adds its headers to
//! refusals, so that pages can read them.
//!
//! ```
//! use actix_cors::Cors;
//! use actix_web::{App, HttpResponse, web};
//! use portcullis_actix::Auth;
//! # use portcullis_actix::portcullis::{Authenticator, keys::SharedKeySet};
//!
//! # actix_web::rt::System::new().block_on(async {
//! # let auth = Authenticator::builder("https://auth.example", "https://api.example");
//! # let auth = auth.key_source(SharedKeySet::new(Default::default())).build().await.unwrap();
//! let app = App::new()
//!     .route("/orders", web::get().to(HttpResponse::Ok))
//!     .wrap(Auth::new(auth))
//!     .wrap(Cors::default().allowed_origin("https://app.example")); // the last is the outermost
//! # actix_web::test::init_service(app).await;
//! # });
//! ```
//!
//! # Bodies of refusals
//!
//! The authenticator's settings define the bodies.
//! [`RefusalBody::json`](portcullis::refusal::RefusalBody::json) needs no header type: actix-web's
//! header types are from `http` 0.2, and portcullis uses `http` 1.
//!
//! ```
//! use actix_web::{App, HttpResponse, test, web};
//! use portcullis_actix::{Auth, portcullis::{Authenticator, keys::SharedKeySet, refusal::RefusalBody}};
//! use serde_json::json;
//!
//! # actix_web::rt::System::new().block_on(async {
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .refusal_body(|refusal| {
//!         RefusalBody::json(&json!({"error": refusal.error_code(), "message": refusal.detail()}))
//!     })
//!     .key_source(SharedKeySet::new(Default::default())) // without this line the keys are discovered
//!     .build()
//!     .await
//!     .unwrap();
//! let app = App::new().route("/orders", web::get().to(HttpResponse::Ok)).wrap(Auth::new(auth));
//! let app = test::init_service(app).await;
//! let request = test::TestRequest::get().uri("/orders").insert_header(("authorization", "Bearer x"));
//! let response = test::call_service(&app, request.to_request()).await;
//! assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
//! let body: serde_json::Value = test::read_body_json(response).await;
//! assert_eq!(body, json!({"error": "invalid_token", "message": "The access token is malformed"}));
//! # });
//! ```
//!
//! # Routes in another function
//!
//! A function that returns routes has the return type `impl HttpServiceFactory`, because the type
//! of a wrapped scope cannot be named.
//!
//! ```
//! use actix_web::{HttpResponse, Responder, dev::HttpServiceFactory, get, web};
//! use portcullis_actix::{Auth, Require, portcullis::{Authenticator, Policy}};
//!
//! #[get("/orders", wrap = "Require::new(Policy::scopes([\"orders:read\"]))")]
//! async fn list() -> impl Responder {
//!     HttpResponse::Ok()
//! }
//!
//! fn routes(auth: Authenticator) -> impl HttpServiceFactory {
//!     web::scope("/api").wrap(Auth::new(auth)).service(list)
//! }
//! # use actix_web::{App, test};
//! # use portcullis_actix::portcullis::testing::Scene;
//! # actix_web::rt::System::new().block_on(async {
//! # let scene = Scene::new().await;
//! # let app = test::init_service(App::new().service(routes(scene.auth.clone()))).await;
//! # for (path, token, status) in [
//! #     ("/api/orders", scene.token("a").scopes(["orders:read"]), 200),
//! #     ("/api/orders", scene.token("a"), 403),
//! #     ("/api/nowhere", scene.token("a"), 404),
//! # ] {
//! #     let request = test::TestRequest::get().uri(path).insert_header(("authorization", token.bearer()));
//! #     assert_eq!(test::call_service(&app, request.to_request()).await.status(), status, "{path}");
//! # }
//! # });
//! ```
//!
//! **Put a [`Require`] on a resource or a route, as above, not on a nested `web::scope("")`.** Such
//! a scope matches every path that no earlier service matches, and its middleware runs before
//! routing inside it. An unknown path is then 403 for a caller who does not meet the policy, and
//! services after the scope are never reached.
//!
//! # Cargo features
//!
//! | feature | |
//! |---|---|
//! | `aws-lc` (default) | the default crypto provider, which needs a C compiler |
//! | `reqwest` (default) | the HTTP client, with rustls, that fetches key sets |
//! | `reqwest-no-provider` | the same client with the rustls provider that the service installs |
//! | `ws` | `EndingSocket`, a WebSocket of actix-ws that ends with its session |
//!
//! With `default-features = false, features = ["aws-lc"]`, the dependencies include no HTTP client
//! and no TLS. Use this with [local keys](portcullis::guide::local_keys) or with your own
//! [`Fetch`](portcullis::fetch::Fetch). Without `aws-lc`, set a [crypto
//! provider](portcullis::guide::crypto_providers).
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod claims;
mod future;
mod logout;
mod rejection;
mod request;
mod require;
mod response;
#[cfg(feature = "ws")]
mod socket;

pub use portcullis;

pub use auth::{Auth, AuthMiddleware};
pub use claims::{Caller, Claims, MaybeCaller, MaybeClaims, SharedClaims};
pub use future::ResponseFuture;
pub use logout::logout_resource;
pub use rejection::Rejection;
pub use require::{Require, RequireMiddleware};
#[cfg(feature = "ws")]
pub use socket::EndingSocket;
