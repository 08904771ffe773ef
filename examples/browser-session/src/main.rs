//! A page, the API that it calls and the issuer that it logs in to, each on a host name of its own
//! and over TLS: what cookies do between hosts can be seen no other way.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

mod api;
mod certificates;
mod edge;
mod page;
mod shop;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::shop::{Shop, USER};

async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("name a folder for the authority's certificate")?;
    std::fs::create_dir_all(&folder)?;
    let authority = Authority::new()?;
    let certificate = folder.join("ca.pem");
    std::fs::write(&certificate, authority.pem())?;

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // Browsers and curl know without being told that `localhost` is this machine, and all below it.
    let shop = Shop::open("shop.localhost", ":3000", Duration::from_secs(20)).await?;
    println!("user {}, password {:?}", USER.0, USER.1);
    println!("certificates are signed by {}", certificate.display());
    println!("listening on {}", shop.origin("app"));
    edge::serve(listener, &authority, shop.hosts()).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
