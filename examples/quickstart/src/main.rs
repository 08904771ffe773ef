//! The whole idea in one run: an issuer on embedded SQLite publishes its keys and issues
//! short-lived tokens; an axum API validates them locally and refuses everything else.
//!
//! `cargo run --release -p quickstart` shows it step by step and then keeps serving;
//! `-- --once` ends after the tour, with an error if any step came out otherwise.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

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

/// Start an issuer and a protected API on this machine, and show what each says.
#[derive(Parser)]
#[command(name = "quickstart")]
struct Options {
    /// End after the tour instead of going on to serve; exit code 1 if any step came out otherwise
    #[arg(long)]
    once: bool,
}

async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let servers = Servers::start().await?;
    println!("issuer  {}  (SQLite in a temporary folder)", servers.issuer_url);
    println!(
        "API     {}  (knows the issuer's URL and its own name, nothing else)\n",
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
Both go on serving until Ctrl-C. To try:

  TOKEN=$(curl -s {issuer_url}/v1/auth/login -H 'Content-Type: application/json' \
    -d '{{"username":"{name}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -i {api_url}/orders -H "Authorization: Bearer $TOKEN"
  curl -i {api_url}/orders
  curl -i {api_url}/orders/export -H "Authorization: Bearer $TOKEN"
  curl {issuer_url}/.well-known/jwks.json

With RUST_LOG=portcullis=debug in front of the command, each refusal says here why."#
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
            eprintln!("error: not every step came out as it should, see above");
            ExitCode::FAILURE
        }
        Err(error) => {
            let mut told = error.to_string();
            eprintln!("error: {told}");
            let mut cause = error.source();
            while let Some(error) = cause {
                let why = error.to_string();
                // Some errors tell their cause themselves.
                if !told.contains(&why) {
                    eprintln!("  because: {why}");
                    told = why;
                }
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}
