//! An axum API that validates tokens locally.
//!
//! The README runs it with an issuer. With your own issuer, which must publish a JWKS:
//!
//! ```sh
//! export PORTCULLIS_ISSUER=https://auth.example PORTCULLIS_AUDIENCE=https://api.example
//! cargo run -p example-axum
//! ```
//!
//! Every other `PORTCULLIS_*` setting applies, too. `LISTEN` sets the address to listen on, and
//! `RUST_LOG=portcullis=debug` logs why a token is rejected.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::ErrorKind;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use axum::routing::get;
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Claims, RequireLayer, protect};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The claims that this API needs, as a type of its own.
#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

async fn list(Claims(user): Claims<User>) -> Json<Orders> {
    Json(Orders { owner: user.sub, orders: vec![17, 4] })
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let auth = Authenticator::from_env().await?;

    let read = RequireLayer::new(Policy::scopes(["orders:read"]));
    let api = Router::new().route("/orders", get(list).route_layer(read));
    let app = Router::new().route("/health", get(async || "fine")).merge(protect(auth, api));

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => {
            format!("LISTEN is {listen:?}: must be host:port, for example 127.0.0.1:3000")
        }
        _ => format!("LISTEN is {listen:?}: {error}"),
    })?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    let mut shown = error.to_string();
    eprintln!("error: {shown}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        // Skips a cause that the error's text already includes.
        if !shown.contains(&why) {
            eprintln!("  because: {why}");
            shown = why;
        }
        cause = error.source();
    }
    ExitCode::FAILURE
}
