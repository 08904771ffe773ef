//! A reverse proxy beside an app that knows nothing of tokens: the issuer's paths go to the issuer,
//! and everything else to the app, when the issuer has said that the caller's session stands.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

mod app;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::net::SocketAddr;
use std::process::ExitCode;

use example_sidecar::proxy::sidecar;
use http::uri::Authority;
use portcullis_axum::portcullis::{AuthenticatorBuilder, Gate, Revocation};
use tokio::net::TcpListener;

/// The issuer's access cookie, which nobody but this very address can set.
const ACCESS: &str = "__Host-portcullis-access";

async fn serve() -> Result<(), Box<dyn Error>> {
    // What the issuer is called is this proxy's own address; where it is, is another matter.
    let issuer: Authority =
        std::env::var("ISSUER_AT").map_err(|_| "ISSUER_AT must be set")?.parse()?;
    let auth = AuthenticatorBuilder::from_env()?
        .jwks_url(format!("http://{issuer}/.well-known/jwks.json"))
        .cookie(ACCESS)
        .build()
        .await?;
    let gate = Gate::new(auth).revocation(Revocation::live())?;

    // On a port of its own that nobody else may reach: it believes what the proxy tells it.
    let app = TcpListener::bind("127.0.0.1:0").await?;
    let at = app.local_addr()?.to_string().parse()?;
    tokio::spawn(async move { axum::serve(app, app::router()).await });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let sidecar = sidecar(gate, issuer, at);
    axum::serve(listener, sidecar.into_make_service_with_connect_info::<SocketAddr>()).await?;
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
