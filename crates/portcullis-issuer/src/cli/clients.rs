//! `clients`: manages machine clients, services that get tokens in their own name.

mod audiences;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use portcullis_issuer::{
    ClientRight, ClientUpdate, Issuer, IssuerConfig, NewClient, RegisteredClient,
};

use super::time::rfc_3339;
use super::{Outcome, database, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Clients {
    /// Add a client; without --jwks, generate a secret and print it once
    ///
    /// A client is a service that gets tokens in its own name, for no user, at POST /oauth/token
    /// (OAuth 2.0, client credentials grant):
    ///
    ///   portcullis-issuer clients add billing --scope orders:read --audience https://api.example
    ///   curl -u billing:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    ///
    /// With --jwks the client has no secret that could be stolen from the issuer. Instead it signs
    /// a short-lived assertion with its private key (private_key_jwt), as most OAuth libraries can.
    #[command(verbatim_doc_comment)]
    Add(AddClient),
    /// List the clients
    List,
    /// Replace a client's scopes, audiences, resource servers or rights
    ///
    /// Attributes without an option stay unchanged. Issued tokens keep their scopes and audiences
    /// until they expire.
    ///
    ///   portcullis-issuer clients update billing --scope orders:read --scope orders:write
    ///   portcullis-issuer clients update api --resource-server https://api.example --no-rights
    #[command(verbatim_doc_comment)]
    Update(UpdateClient),
    /// Give a client a new secret, and print the secret once
    ///
    /// The old secret is rejected from then on, or after --overlap-secs. Issued tokens stay valid until they expire. If the client has keys, the secret replaces
    /// them.
    RotateSecret {
        /// The client's id
        id: String,
        /// How long the old secret stays valid after the change, in seconds, at most 30 days
        #[arg(long, value_name = "SECS", default_value_t = 0)]
        overlap_secs: u64,
    },
    /// Replace a client's public keys or its secret with these public keys
    ///
    /// To change keys without a pause, first set a file with both keys. When the client signs with
    /// the new key, set a file with the new key alone.
    SetKeys {
        /// The client's id
        id: String,
        /// The file: a JSON Web Key Set, public keys only
        jwks: PathBuf,
    },
    /// Stop issuing tokens to a client, and keep its id
    ///
    /// Its existing tokens are inactive in introspection, and revoked in the status list. Apps that
    /// validate by expiry alone accept them until they expire (IDENTSPHERE_ACCESS_EXPIRY_SECS).
    Disable {
        /// The client's id
        id: String,
    },
    /// Issue tokens to a disabled client again
    Enable {
        /// The client's id
        id: String,
    },
    /// Remove a client; its tokens are revoked, and stay revoked if its id is added again
    Remove {
        /// The client's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddClient {
    /// The client's id, which is the `client_id` and `sub` of its tokens: letters, digits, dots, underscores, tildes, hyphens
    id: String,
    /// A scope that its tokens may have; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// An API that it may request tokens for, by `resource`; may be repeated. Default: the APIs of
    /// IDENTSPHERE_AUDIENCES
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// The API's identifier, if the client is itself an API: it may introspect tokens for that
    /// audience; may be repeated
    #[arg(long = "resource-server", value_name = "AUDIENCE")]
    resource_servers: Vec<String>,
    /// An additional right: introspect-all, continue-sessions, exchange-tokens; may be repeated
    #[arg(long = "right", value_name = "RIGHT")]
    rights: Vec<ClientRight>,
    /// The URL to which a logout token is sent whenever a session ends (OpenID Connect Back-Channel
    /// Logout): an https URL without a fragment, or http on a loopback host
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// A file with the client's public keys, a JSON Web Key Set, instead of a secret
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateClient {
    /// The client's id
    id: String,
    /// A scope that its tokens may have; replaces its current scopes; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Remove all scopes
    #[arg(long, conflicts_with = "scopes")]
    no_scopes: bool,
    /// An API that it may request tokens for; replaces its current APIs; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// Remove the client's own list: it may then request tokens for the APIs of
    /// IDENTSPHERE_AUDIENCES
    #[arg(long, conflicts_with = "audiences")]
    no_audiences: bool,
    /// The API's identifier, if the client is itself an API; replaces its current identifiers; may
    /// be repeated
    #[arg(long = "resource-server", value_name = "AUDIENCE")]
    resource_servers: Vec<String>,
    /// Remove all resource servers
    #[arg(long, conflicts_with = "resource_servers")]
    no_resource_servers: bool,
    /// A right: introspect-all, continue-sessions, exchange-tokens; replaces its current rights;
    /// may be repeated
    #[arg(long = "right", value_name = "RIGHT")]
    rights: Vec<ClientRight>,
    /// Remove all rights
    #[arg(long, conflicts_with = "rights")]
    no_rights: bool,
    /// The URL to which logout tokens are sent: an https URL without a fragment, or http on a loopback host
    #[arg(long, value_name = "URI", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    backchannel_logout_uri: Option<String>,
    /// Remove the URL: the client receives no logout tokens
    #[arg(long, conflicts_with = "backchannel_logout_uri")]
    no_backchannel_logout_uri: bool,
}

impl UpdateClient {
    fn has_changes(&self) -> bool {
        let Self { id: _, scopes, audiences, resource_servers, rights, .. } = self;
        let removes = self.no_scopes
            || self.no_audiences
            || self.no_resource_servers
            || self.no_rights
            || self.no_backchannel_logout_uri;
        removes
            || self.backchannel_logout_uri.is_some()
            || !(scopes.is_empty()
                && audiences.is_empty()
                && resource_servers.is_empty()
                && rights.is_empty())
    }

    fn changes(self) -> ClientUpdate {
        let mut update = ClientUpdate::new();
        if self.no_scopes || !self.scopes.is_empty() {
            update = update.scopes(self.scopes);
        }
        if self.no_audiences || !self.audiences.is_empty() {
            update = update.audiences(self.audiences);
        }
        if self.no_resource_servers || !self.resource_servers.is_empty() {
            update = update.resource_servers(self.resource_servers);
        }
        if self.no_rights || !self.rights.is_empty() {
            update = update.rights(self.rights);
        }
        if self.no_backchannel_logout_uri {
            update = update.no_backchannel_logout_uri();
        } else if let Some(uri) = self.backchannel_logout_uri {
            update = update.backchannel_logout_uri(uri);
        }
        update
    }
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
        Clients::Update(client) => {
            let id = client.id.clone();
            if !client.has_changes() {
                return Err("nothing to update: name at least one option, such as --scope".into());
            }
            let named = [&*client.audiences, &*client.resource_servers].concat();
            issuer.update_client(&id, client.changes()).await?;
            println!("updated {id}; its tokens keep their scopes and audiences until they expire");
            audiences::warn_of_unknown(issuer, &id, &named).await?;
        }
        Clients::RotateSecret { id, overlap_secs } => {
            let overlap = Duration::from_secs(overlap_secs);
            let secret = issuer.rotate_client_secret_with_overlap(&id, overlap).await?;
            match overlap_secs {
                0 => println!("{id} has a new secret, and the old one is rejected"),
                secs => {
                    println!("{id} has a new secret, and the old one is valid for {secs} s more")
                }
            }
            println!("secret: {secret}");
        }
        Clients::SetKeys { id, jwks } => {
            issuer.set_client_keys(&id, &read(&jwks)?).await?;
            println!("{id} has these keys, and its former credential is rejected");
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
    let named = [&*client.audiences, &*client.resource_servers].concat();
    let mut new = NewClient::new(&client.id)
        .scopes(client.scopes)
        .audiences(client.audiences)
        .resource_servers(client.resource_servers)
        .rights(client.rights);
    if let Some(uri) = client.backchannel_logout_uri {
        new = new.backchannel_logout_uri(uri);
    }
    if let Some(path) = client.jwks {
        new = new.keys(read(&path)?);
    }
    let secret = issuer.add_client(new).await?;
    println!("added {} to {}", client.id, database(issuer.config()));
    if let Some(secret) = secret {
        println!("secret: {secret}");
    }
    audiences::warn_of_unknown(issuer, &client.id, &named).await
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
    let mut line =
        format!("{}\t{state}\t{method}\taudiences={audiences}\tscope={scopes}", client.id);
    if !client.resource_servers.is_empty() {
        line += &format!("\tresource-servers={}", client.resource_servers.join(","));
    }
    if !client.rights.is_empty() {
        let rights: Vec<_> = client.rights.iter().map(|right| right.as_str()).collect();
        line += &format!("\trights={}", rights.join(","));
    }
    if let Some(uri) = &client.backchannel_logout_uri {
        line += &format!("\tbackchannel-logout-uri={uri}");
    }
    if let Some(at) = client.old_secret_until() {
        line += &format!("\told-secret-until={}", rfc_3339(at));
    }
    line
}

fn until_they_expire(issuer: &Issuer) -> String {
    let expiry = issuer.config().access_expiry.as_secs();
    format!("apps that validate locally accept its access tokens for up to {expiry} s more")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
