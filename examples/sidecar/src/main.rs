//! A sidecar for an app without token validation: it forwards the issuer's paths to the issuer. It
//! forwards all other paths to the app if introspection reports the token as active.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod app;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use example_sidecar::sidecar;
use http::uri::Authority;
use portcullis_sidecar::portcullis::{AuthenticatorBuilder, Gate, Revocation};
use tokio::net::TcpListener;

/// The issuer's access cookie. Only this host can set a cookie with the prefix `__Host-`.
const ACCESS: &str = "__Host-portcullis-access";

async fn serve() -> Result<(), Box<dyn Error>> {
    // The issuer's URL is the sidecar's address, so the issuer's own address is a separate setting.
    let issuer: Authority =
        std::env::var("ISSUER_AT").map_err(|_| "ISSUER_AT must be set")?.parse()?;
    let auth = AuthenticatorBuilder::from_env()?
        .jwks_url(format!("http://{issuer}/.well-known/jwks.json"))
        .cookie(ACCESS)
        .build()
        .await?;
    let gate = Gate::new(auth).revocation(Revocation::live())?;

    // The app listens on loopback only, because it trusts the sidecar's headers.
    let app = TcpListener::bind("127.0.0.1:0").await?;
    let at = app.local_addr()?.to_string().parse()?;
    tokio::spawn(async move { axum::serve(app, app::router()).await });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    sidecar(gate, &issuer, &at)?.serve(listener, std::future::pending()).await;
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
