//! Starts the issuer, with users and a client.

use std::error::Error;
use std::future::pending;
use std::path::{Path, PathBuf};

use http::HeaderName;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser};
use tokio::net::TcpListener;

/// The audience of every example's API except the MCP server's.
pub(crate) const AUDIENCE: &str = "https://api.example";

/// The client id with which examples introspect tokens.
pub(crate) const CLIENT: &str = "api";

const PASSWORD: &str = "correct horse battery staple";

/// Starts an issuer with these users and the scopes of their tokens, and with a client. Returns the issuer's URL
/// and the file with the client's secret.
pub(crate) async fn start(
    folder: &Path,
    address: &str,
    public_url: Option<&str>,
    users: &[(&str, &[&str])],
) -> Result<(String, PathBuf), Box<dyn Error>> {
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let url = public_url.map_or_else(|| format!("http://{address}"), str::to_owned);
    let mut config = IssuerConfig::new(&url, folder.join(address.replace(':', "-")));
    // The proxy in front of the issuer sets this header, and removes it from client requests.
    config.client_address_header = public_url.map(|_| HeaderName::from_static("x-forwarded-for"));
    // The MCP server's audience is its own URL.
    let example = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    config.audiences = vec![AUDIENCE.to_owned(), format!("http://{example}/mcp")];
    let audiences = config.audiences.clone();
    let issuer = Issuer::open(config).await?;
    for (name, scopes) in users {
        issuer.add_user(NewUser::new(*name, PASSWORD).scopes(scopes.iter().copied())).await?;
        println!("issuer {url}: user {name}, password {PASSWORD:?}, scopes {scopes:?}");
    }
    let client = NewClient::new(CLIENT).resource_servers(audiences);
    let secret = issuer.add_client(client).await?.ok_or("the client has no secret")?;
    let secret_file = folder.join("secret").with_extension(address.replace(':', "-"));
    tokio::fs::write(&secret_file, secret).await?;
    tokio::spawn(async move { issuer.serve(listener, pending()).await });
    Ok((url, secret_file))
}
