//! An axum API that accepts the tokens of two issuers: its customers' and its staff's. Each token is verified
//! only with the keys of the issuer in its `iss`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use axum::routing::get;
use axum::{Json, Router};
use portcullis_axum::portcullis::{AuthenticatorBuilder, IssuerSettings, Policy};
use portcullis_axum::{Claims, RequireLayer, protect};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A user: `sub` is unique only together with `iss` (RFC 7519 §4.1.2).
#[derive(Deserialize)]
struct User {
    iss: String,
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

async fn list(Claims(User { iss, sub }): Claims<User>) -> Json<Orders> {
    Json(Orders { owner: format!("{sub} of {iss}"), orders: vec![17, 4] })
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let staff = std::env::var("SECOND_ISSUER").map_err(|_| "SECOND_ISSUER must be set")?;
    let auth = AuthenticatorBuilder::from_env()?
        .also_issuer(IssuerSettings::new(&staff, "https://api.example"))
        .build()
        .await?;

    let read = Policy::scopes(["orders:read"]);
    let staff_only = read.clone().and(Policy::claim("iss", staff));
    let api = Router::new()
        .route("/orders", get(list).route_layer(RequireLayer::new(read)))
        .route("/orders/all", get(list).route_layer(RequireLayer::new(staff_only)));
    let app = Router::new().route("/health", get(async || "fine")).merge(protect(auth, api));

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
