//! `clients`: which services get tokens in their own name.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, RegisteredClient};

use super::time::rfc_3339;
use super::{Outcome, database, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Clients {
    /// Add a client; without --jwks a secret is made and printed, this once
    ///
    /// A client is a service that gets tokens in its own name, for no user, at POST /oauth/token
    /// (OAuth 2.0, client credentials grant):
    ///
    ///   portcullis-issuer clients add billing --scope orders:read --audience https://api.example
    ///   curl -u billing:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    ///
    /// With --jwks it has no secret that could be stolen from here, and signs a short-lived assertion
    /// with its private key instead (private_key_jwt), as most OAuth libraries can.
    #[command(verbatim_doc_comment)]
    Add(AddClient),
    /// List the clients
    List,
    /// Give a client a new secret, and print it, this once; the old one counts no more
    ///
    /// Tokens that the client has stay good until they expire. A client with keys has a secret in
    /// their place from then on. For a change without a pause use keys: `clients set-keys`.
    RotateSecret {
        /// The client's id
        id: String,
    },
    /// Give a client these public keys in the place of its old ones, or of its secret
    ///
    /// To change keys without a pause, first set a file with both, and when the client signs with
    /// the new one, set a file with that alone.
    SetKeys {
        /// The client's id
        id: String,
        /// The file: a JSON Web Key Set, public keys only
        jwks: PathBuf,
    },
    /// Let a client have no more tokens, and keep its name
    ///
    /// Those that it has are inactive to whoever introspects them. Apps that validate locally accept
    /// them until they expire (IDENTSPHERE_ACCESS_EXPIRY_SECS).
    Disable {
        /// The client's id
        id: String,
    },
    /// Let a disabled client have tokens again
    Enable {
        /// The client's id
        id: String,
    },
    /// Forget a client; its tokens fare as those of a disabled one
    Remove {
        /// The client's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddClient {
    /// Its client_id, and the sub of its tokens: letters, digits, dots, underscores, tildes, hyphens
    id: String,
    /// A scope that its tokens may have; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// An API that it may ask tokens for, by `resource`; may be repeated. Without one, those of
    /// IDENTSPHERE_AUDIENCES
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// A file with its public keys, a JSON Web Key Set, in the place of a secret
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

pub(super) async fn run(command: Clients, config: IssuerConfig) -> Outcome {
    if !matches!(command, Clients::Add(_)) {
        require_database(&config)?;
    }
    with_issuer(config, async |issuer| work(command, issuer).await).await
}

async fn work(command: Clients, issuer: &Issuer) -> Outcome {
    match command {
        Clients::Add(client) => add(issuer, client).await?,
        Clients::List => {
            for client in issuer.clients().await? {
                println!("{}", line(&client));
            }
        }
        Clients::RotateSecret { id } => {
            let secret = issuer.rotate_client_secret(&id).await?;
            println!("{id} has a new secret, and the old one counts no more");
            println!("secret: {secret}");
        }
        Clients::SetKeys { id, jwks } => {
            issuer.set_client_keys(&id, &read(&jwks)?).await?;
            println!("{id} has these keys, and what it had before counts no more");
        }
        Clients::Disable { id } => {
            issuer.disable_client(&id).await?;
            println!("disabled {id}; {}", until_they_expire(issuer));
        }
        Clients::Enable { id } => {
            issuer.enable_client(&id).await?;
            println!("enabled {id}");
        }
        Clients::Remove { id } => {
            issuer.remove_client(&id).await?;
            println!("removed {id}; {}", until_they_expire(issuer));
        }
    }
    Ok(())
}

async fn add(issuer: &Issuer, client: AddClient) -> Outcome {
    let mut new = NewClient::new(&client.id).scopes(client.scopes).audiences(client.audiences);
    if let Some(path) = client.jwks {
        new = new.keys(read(&path)?);
    }
    let secret = issuer.add_client(new).await?;
    println!("added {} to {}", client.id, database(issuer.config()));
    if let Some(secret) = secret {
        println!("secret: {secret}");
    }
    Ok(())
}

fn line(client: &RegisteredClient) -> String {
    let audiences = match client.audiences.as_slice() {
        [] => "IDENTSPHERE_AUDIENCES".to_owned(),
        audiences => audiences.join(","),
    };
    let state = match client.disabled_at {
        Some(at) => format!("disabled at {}", rfc_3339(at)),
        None => format!("since {}", rfc_3339(client.created_at)),
    };
    let (method, scopes) = (client.auth_method(), client.scopes.join(" "));
    format!("{}\t{state}\t{method}\taudiences={audiences}\tscope={scopes}", client.id)
}

fn until_they_expire(issuer: &Issuer) -> String {
    let expiry = issuer.config().access_expiry.as_secs();
    format!("apps that validate locally accept its access tokens for up to {expiry} s more")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
