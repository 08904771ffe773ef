//! An axum API whose routes differ in how soon they learn of a revocation. The route for reading
//! uses only the token. The route for ordering also uses the issuer's status list, and the route
//! for paying uses introspection. The API also calls the issuer with the caller's own token, which a
//! browser sends in a cookie: to read the caller's profile, and to list and end sessions.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod failed;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use portcullis_axum::portcullis::{AuthenticatorBuilder, Policy, Revocation};
use portcullis_axum::{Claims, RequireLayer, protect};
use portcullis_issuer_client::{CallerToken, IssuerClient, Me, Session};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::failed::Failed;

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

/// The issuer's access cookie.
const COOKIE: &str = "__Host-portcullis-access";

/// Makes no call to the issuer: the token of an ended session is accepted until it expires.
async fn list(Claims(user): Claims<User>) -> Json<Orders> {
    Json(Orders { owner: user.sub, orders: vec![17, 4] })
}

/// Makes no call to the issuer per request: the issuer pushes the status list with the ended
/// sessions.
async fn order(Claims(user): Claims<User>) -> String {
    format!("ordered for {}\n", user.sub)
}

/// Makes one call to the issuer per request: the layer introspects the token first.
async fn pay(Claims(user): Claims<User>) -> String {
    format!("paid by {}\n", user.sub)
}

/// Makes one call to the issuer, with the caller's own token.
async fn me(State(issuer): State<IssuerClient>, headers: HeaderMap) -> Result<Json<Me>, Failed> {
    Ok(Json(issuer.me(&CallerToken::from_headers_or_cookie(&headers, COOKIE)?).await?))
}

/// Makes one call to the issuer, with the caller's own token.
async fn sessions(
    State(issuer): State<IssuerClient>,
    headers: HeaderMap,
) -> Result<Json<Vec<Session>>, Failed> {
    Ok(Json(issuer.sessions(&CallerToken::from_headers_or_cookie(&headers, COOKIE)?).await?))
}

/// Makes one call to the issuer, which revokes the session's refresh token at once. The session's
/// access token stays valid until it expires, except on the routes with a revocation requirement.
async fn log_out(
    State(issuer): State<IssuerClient>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failed> {
    let caller = CallerToken::from_headers_or_cookie(&headers, COOKIE)?;
    issuer.end_session(&caller, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // Rejects changes that another site's page requests with the cookie.
    let auth = AuthenticatorBuilder::from_env()?.cookie(COOKIE).build().await?;
    let issuer = std::env::var("PORTCULLIS_ISSUER").map_err(|_| "PORTCULLIS_ISSUER must be set")?;

    // In an outage of the issuer, ordering accepts a status list that is up to 60 s old, and paying
    // rejects every request.
    let listed =
        Revocation::status_list(Duration::from_secs(10)).in_outage(Duration::from_secs(60));
    let read = RequireLayer::new(Policy::scopes(["orders:read"]));
    let api = Router::new()
        .route("/orders", get(list).route_layer(read))
        .route("/orders", post(order).route_layer(RequireLayer::new(listed)))
        .route("/payments", post(pay).route_layer(RequireLayer::new(Revocation::live())))
        .route("/me", get(me))
        .route("/sessions", get(sessions))
        .route("/sessions/{id}", delete(log_out));
    let app = protect(auth, api).into_router().with_state(IssuerClient::new(&issuer)?);

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let (filter, tty) = (tracing_subscriber::EnvFilter::from_default_env(), stderr().is_terminal());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(tty).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
