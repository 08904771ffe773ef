//! A page, its API and its issuer, each with its own host name and over TLS, to show cookies across hosts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod api;
mod certificates;
mod edge;
mod page;
mod shop;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::shop::{Shop, USER};

async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("missing argument: a folder for the CA certificate")?;
    std::fs::create_dir_all(&folder)?;
    let authority = Authority::new()?;
    let certificate = folder.join("ca.pem");
    std::fs::write(&certificate, authority.pem())?;

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    // Browsers and curl resolve `localhost` and its subdomains to this machine.
    let port = format!(":{}", listener.local_addr()?.port());
    let shop = Shop::open("shop.localhost", &port, Duration::from_secs(20)).await?;
    println!("user {}, password {:?}", USER.0, USER.1);
    println!("certificates are signed by {}", certificate.display());
    println!("listening on {}", shop.origin("app"));
    edge::serve(listener, &authority, shop.hosts()).await?;
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
