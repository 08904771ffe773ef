//! An actix-web API that validates tokens locally.
//!
//! ```sh
//! export PORTCULLIS_ISSUER=https://auth.example PORTCULLIS_AUDIENCE=https://api.example
//! cargo run -p example-actix
//! ```
//!
//! Every other `PORTCULLIS_*` setting applies, too. `LISTEN` sets the address to listen on, and
//! `RUST_LOG=portcullis=debug` logs why a token is rejected.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use actix_web::web::{self, Json};
use actix_web::{App, HttpServer};
use portcullis_actix::portcullis::{Authenticator, Policy};
use portcullis_actix::{Auth, Claims, Require};
use serde::{Deserialize, Serialize};
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
    // One authenticator for all workers, so that they share the keys.
    let auth = Authenticator::from_env().await?;

    let server = HttpServer::new(move || {
        let read = Require::new(Policy::scopes(["orders:read"]));
        let orders = web::resource("/orders").wrap(read).route(web::get().to(list));
        let api = web::scope("").wrap(Auth::new(auth.clone())).service(orders);
        // Registered before the protected scope, which matches every path.
        App::new().route("/health", web::get().to(async || "fine")).service(api)
    });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let server = server.bind(&listen).map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await?;
    Ok(())
}

#[actix_web::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
