//! The page, API and issuer of one domain.

use std::error::Error;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::edge::Hosts;
use crate::{api, page};

/// The user's name and password.
pub(crate) const USER: (&str, &str) = ("alice", "correct horse battery staple");

pub(crate) struct Shop {
    domain: String,
    port: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "a test reads its audit log"))]
    pub(crate) issuer: Issuer,
    /// Where the issuer serves without TLS.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test puts a bad network in front"))]
    pub(crate) inside: SocketAddr,
    hosts: Hosts,
    _folder: TempDir,
}

impl Shop {
    /// Opens a shop with hosts below `domain`, at `port`, and access tokens that live for `expiry`.
    pub(crate) async fn open(
        domain: &str,
        port: &str,
        expiry: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let origin = |host: &str| format!("https://{host}.{domain}{port}");
        let (app, api, auth) = (origin("app"), origin("api"), origin("auth"));

        let folder = tempfile::tempdir()?;
        let mut config = IssuerConfig::new(&auth, folder.path().join("identsphere.db"));
        config.audiences = vec![api.clone()];
        config.access_expiry = expiry;
        // Browsers send the access cookie to the API, too.
        config.cookie_domain = Some(domain.to_owned());
        // The page may log in, refresh and log out.
        config.trusted_origins = vec![app.clone()];
        // Passkeys belong to the domain. Only the page's origin may use them.
        config.passkey_rp_id = Some(domain.to_owned());
        config.passkey_origins = vec![app.clone()];
        let issuer = Issuer::open(config).await?;
        issuer.add_user(NewUser::new(USER.0, USER.1)).await?;

        // The API fetches the issuer's keys directly, not through the edge.
        let inside = TcpListener::bind("127.0.0.1:0").await?;
        let inside_address = inside.local_addr()?;
        let keys = format!("http://{inside_address}/.well-known/jwks.json");
        let server = issuer.clone();
        tokio::spawn(async move { server.serve(inside, pending()).await });

        let hosts = Hosts::from([
            (format!("app.{domain}"), page::router(&auth, &api)?),
            (format!("api.{domain}"), api::router(&app, &api, &auth, &keys).await?),
            (format!("auth.{domain}"), issuer.router()),
        ]);
        Ok(Self {
            domain: domain.to_owned(),
            port: port.to_owned(),
            issuer,
            inside: inside_address,
            hosts,
            _folder: folder,
        })
    }

    pub(crate) fn origin(&self, host: &str) -> String {
        format!("https://{host}.{}{}", self.domain, self.port)
    }

    pub(crate) fn hosts(&self) -> Hosts {
        self.hosts.clone()
    }
}
