//! An issuer to try the examples with: `cargo run --bin with-issuer example-axum` starts Portcullis's
//! own on embedded SQLite, tells the example where it is, and runs the example.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

use std::error::Error;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use http::HeaderName;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The name of every example's API but the MCP server's.
const AUDIENCE: &str = "https://api.example";

const PASSWORD: &str = "correct horse battery staple";

/// Run an example together with an issuer, until Ctrl-C.
#[derive(Parser)]
#[command(name = "with-issuer")]
struct Options {
    /// The example, by the name of its package
    example: String,
    /// Start a second issuer too, for an example that takes the tokens of both
    #[arg(long)]
    second: bool,
    /// What the issuer is called by, for an example that stands in front of it
    #[arg(long)]
    public_url: Option<String>,
    /// Where the issuer listens
    #[arg(long, env = "IDENTSPHERE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the second issuer listens
    #[arg(long, env = "SECOND_LISTEN", default_value = "127.0.0.1:8081")]
    second_listen: String,
}

/// As what an example asks the issuer about tokens.
const CLIENT: &str = "api";

/// Starts an issuer that has these users, with the scopes that their tokens have, and a client
/// whose secret is in the file of the second name.
async fn start(
    folder: &Path,
    address: &str,
    public_url: Option<&str>,
    users: &[(&str, &[&str])],
) -> Result<(String, PathBuf), Box<dyn Error>> {
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let url = public_url.map_or_else(|| format!("http://{address}"), str::to_owned);
    let mut config = IssuerConfig::new(&url, folder.join(address.replace(':', "-")));
    // Whoever stands in front of it says who asks, and lets nobody else say it.
    config.client_address_header = public_url.map(|_| HeaderName::from_static("x-forwarded-for"));
    // The MCP server calls itself by where it listens.
    let example = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    config.audiences = vec![AUDIENCE.to_owned(), format!("http://{example}/mcp")];
    let issuer = Issuer::open(config).await?;
    for (name, scopes) in users {
        issuer.add_user(NewUser::new(*name, PASSWORD).scopes(scopes.iter().copied())).await?;
        println!("issuer {url}: user {name}, password {PASSWORD:?}, scopes {scopes:?}");
    }
    let secret = issuer.add_client(NewClient::new(CLIENT)).await?.ok_or("it has no secret")?;
    let secret_file = folder.join("secret").with_extension(address.replace(':', "-"));
    tokio::fs::write(&secret_file, secret).await?;
    tokio::spawn(async move { issuer.serve(listener, pending()).await });
    Ok((url, secret_file))
}

async fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let reader: &[_] = &["orders:read"];
    let users = [("alice", reader), ("bob", &[])];
    let at = &options.listen;
    let (issuer, secret_file) =
        start(folder.path(), at, options.public_url.as_deref(), &users).await?;
    let mut example = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo says of this package is not true of the example.
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
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    run(&Options::parse()).await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
