//! The product as four services, one on each adapter, as an app embeds it.

mod actix_service;
mod axum_service;
mod hyper_service;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis::testing::{bearer, rule};
use portcullis::{Authenticator, Policy, Profile};
use reqwest::Client;

use crate::failure::{Failure, Outcome};

/// The audience of every service.
pub(crate) const API: &str = "https://api.example";

/// The settings of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) issuer: String,
    pub(crate) profile: Profile,
    /// The TTL of the keys, or `None` for the default.
    pub(crate) ttl: Option<Duration>,
    /// The policies of the routes `/has` and `/lacks`.
    pub(crate) policies: [Policy; 2],
}

/// One service and its own keys.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    kind: &'static str,
    auth: Authenticator,
    address: SocketAddr,
    client: Client,
}

/// A token that an instance rejected.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    kind: &'static str,
    status: u16,
    rule: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} (`{}`)", self.status, self.kind, self.rule)
    }
}

/// Starts one instance on each adapter. Each discovers the issuer's keys by itself.
pub(crate) async fn start(settings: &Settings) -> Outcome<Vec<Instance>> {
    let mut instances = Vec::new();
    for kind in ["axum", "actix-web", "hyper", "tower"] {
        let mut builder = Authenticator::builder(&settings.issuer, API);
        builder = builder.profile(settings.profile.clone());
        if let Some(ttl) = settings.ttl {
            builder = builder.jwks_ttl(ttl);
        }
        let auth = builder.build().await?;
        let policies = settings.policies.clone();
        let address = match kind {
            "axum" => axum_service::serve(auth.clone(), policies).await?,
            "actix-web" => actix_service::serve(auth.clone(), policies)?,
            "hyper" => hyper_service::serve_hyper(auth.clone(), policies).await?,
            _ => hyper_service::serve_tower(auth.clone(), policies).await?,
        };
        instances.push(Instance { kind, auth, address, client: crate::http::client()? });
    }
    Ok(instances)
}

impl Instance {
    /// The status of a request with this token.
    pub(crate) async fn status(&self, path: &str, token: &str) -> Outcome<u16> {
        let request = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(token);
        Ok(request.send().await?.status().as_u16())
    }

    /// Whether the token is accepted at a route that requires nothing else.
    pub(crate) async fn accepts(&self, token: &str) -> Outcome<Result<(), Refused>> {
        match self.status("/", token).await? {
            200 => Ok(Ok(())),
            status => Ok(Err(self.refused(status, token).await)),
        }
    }

    /// The rule that rejects the token, or `accepted`.
    pub(crate) async fn rule(&self, token: &str) -> &'static str {
        rule(&self.auth, &bearer(token)).await
    }

    async fn refused(&self, status: u16, token: &str) -> Refused {
        Refused { kind: self.kind, status, rule: self.rule(token).await }
    }

    pub(crate) async fn expect(&self, path: &str, token: &str, status: u16) -> Outcome<()> {
        match self.status(path, token).await? {
            found if found == status => Ok(()),
            found => {
                let refused = self.refused(found, token).await;
                Err(Failure::new(format!("`{path}` should answer {status}, not {refused}")))
            }
        }
    }
}
