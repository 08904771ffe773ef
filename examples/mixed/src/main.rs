//! An axum API whose routes differ in how soon they learn of a revocation. The route for reading
//! uses only the token. The route for ordering also uses the issuer's status list, and the route
//! for paying uses introspection. The API also calls the issuer with the caller's own token: to
//! read the caller's profile, and to end a session.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header::WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, Policy, Revocation};
use portcullis_axum::{Claims, RequireLayer, protect};
use portcullis_issuer_client::{CallerToken, ClientError, IssuerClient};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

#[derive(Serialize)]
struct Profile {
    name: String,
    scopes: Vec<String>,
}

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
async fn me(
    State(issuer): State<IssuerClient>,
    headers: HeaderMap,
) -> Result<Json<Profile>, Failed> {
    let me = issuer.me(&CallerToken::from_headers(&headers)?).await?;
    Ok(Json(Profile { name: me.name, scopes: me.scopes }))
}

/// Makes one call to the issuer, which revokes the session's refresh token at once. The session's
/// access token stays valid until it expires, except on the routes with a revocation requirement.
async fn log_out(
    State(issuer): State<IssuerClient>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failed> {
    issuer.end_session(&CallerToken::from_headers(&headers)?, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An error of a call to the issuer, as a response.
struct Failed(ClientError);

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let challenge = matches!(self.0, ClientError::Rejected)
            .then_some([(WWW_AUTHENTICATE, r#"Bearer realm="api", error="invalid_token""#)]);
        (self.0.status(), challenge, self.0.to_string()).into_response()
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let auth = Authenticator::from_env().await?;
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
