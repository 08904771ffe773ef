//! An axum API with a route that needs a recent second factor. The API validates tokens locally and
//! never talks to the issuer's login: its challenge sends the client there (RFC 9470).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Claims, RequireLayer, protect};
use serde::Deserialize;
use tokio::net::TcpListener;

/// How long after showing the second factor a user may pay.
const FRESH: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct User {
    sub: String,
}

async fn list(Claims(user): Claims<User>) -> String {
    format!("orders of {}\n", user.sub)
}

async fn pay(Claims(user): Claims<User>) -> String {
    format!("paid by {}\n", user.sub)
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let auth = Authenticator::from_env().await?;

    // The token says how the user has logged in (`acr`), and when (`auth_time`).
    let stepped_up = RequireLayer::new(Policy::acr(["aal2"]).and(Policy::max_auth_age(FRESH)));
    let api = Router::new()
        .route("/orders", get(list))
        .route("/payments", post(pay).route_layer(stepped_up));
    let app = protect(auth, api).into_router();

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
