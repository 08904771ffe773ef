//! A tour in one program: an issuer with embedded SQLite publishes its keys and issues short-lived tokens; an
//! axum API validates them locally and rejects everything else.
//!
//! `cargo run --release -p quickstart` shows each step and then keeps serving. `-- --once` ends after the tour,
//! with an error if a step has an unexpected result.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod api;
mod latency;
mod setup;
mod tour;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::setup::Servers;

/// Start an issuer and a protected API on this machine, and show a tour of requests
#[derive(Parser)]
#[command(name = "quickstart")]
struct Options {
    /// Exit after the tour instead of serving; exit code 1 if a step has an unexpected result
    #[arg(long)]
    once: bool,
}

async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let servers = Servers::start().await?;
    println!("issuer  {}  (SQLite in a temporary folder)", servers.issuer_url);
    println!(
        "API     {}  (configured with the issuer's URL and its own audience)\n",
        servers.api_url
    );
    let as_expected = tour::run(&servers).await?;
    if !options.once {
        print_invitation(&servers);
        tokio::signal::ctrl_c().await?;
    }
    Ok(as_expected)
}

fn print_invitation(servers: &Servers) {
    let Servers { issuer_url, api_url, .. } = servers;
    let (name, password) = setup::ALICE;
    println!(
        r#"
Both keep serving until Ctrl-C. Try:

  TOKEN=$(curl -s {issuer_url}/v1/auth/login -H 'Content-Type: application/json' \
    -d '{{"username":"{name}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -i {api_url}/orders -H "Authorization: Bearer $TOKEN"
  curl -i {api_url}/orders
  curl -i {api_url}/orders/export -H "Authorization: Bearer $TOKEN"
  curl {issuer_url}/.well-known/jwks.json

Start with RUST_LOG=portcullis=debug to log the reason of each rejection here."#
    );
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: a step had an unexpected result; see `NO` above");
            ExitCode::FAILURE
        }
        Err(error) => {
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
    }
}
