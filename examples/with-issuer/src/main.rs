//! Runs an example with an issuer: `cargo run --bin with-issuer example-axum` starts Portcullis's issuer with
//! embedded SQLite, and the example with its settings.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod issuer;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use clap::Parser;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::issuer::{AUDIENCE, CLIENT, start};

/// Run an example together with an issuer, until Ctrl-C
#[derive(Parser)]
#[command(name = "with-issuer")]
struct Options {
    /// Package name of the example
    example: String,
    /// Start a second issuer, for an example that accepts tokens of both
    #[arg(long)]
    second: bool,
    /// The issuer's URL, if the example is a proxy in front of it [default: the URL of --listen]
    #[arg(long)]
    public_url: Option<String>,
    /// Address that the issuer listens on
    #[arg(long, env = "IDENTSPHERE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Address that the second issuer listens on
    #[arg(long, env = "SECOND_LISTEN", default_value = "127.0.0.1:8081")]
    second_listen: String,
}

async fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let reader: &[_] = &["orders:read"];
    let users = [("alice", reader), ("bob", &[])];
    let at = &options.listen;
    let (issuer, secret_file) =
        start(folder.path(), at, options.public_url.as_deref(), &users).await?;
    let mut example = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo's variables about this package do not apply to the example.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            example.env_remove(&name);
        }
    }
    example
        .args(["run", "--quiet", "--bin", &options.example])
        .env("PORTCULLIS_INTROSPECTION_URL", format!("http://{at}/oauth/introspect"))
        .env("ISSUER_AT", at)
        .env("PORTCULLIS_INTROSPECTION_CLIENT_ID", CLIENT)
        .env("PORTCULLIS_INTROSPECTION_SECRET_FILE", secret_file)
        .env("PORTCULLIS_ISSUER", issuer)
        .env("PORTCULLIS_AUDIENCE", AUDIENCE)
        .kill_on_drop(true);
    if options.second {
        let users = [("carol", reader)];
        let (second, _) = start(folder.path(), &options.second_listen, None, &users).await?;
        example.env("SECOND_ISSUER", second);
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut example = example.spawn()?;
    tokio::select! {
        status = example.wait() => {
            return Ok(if status?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    example.kill().await?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::from_default_env();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    run(&Options::parse()).await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
