//! Starts the two servers on free ports.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use portcullis_axum::portcullis::Authenticator;
use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use tokio::net::TcpListener;

use crate::api;

/// The user's name and password.
pub(crate) const ALICE: (&str, &str) = ("alice", "correct horse battery staple");

/// Lifetime of the access tokens of [`Servers::brief_url`].
pub(crate) const BRIEF: Duration = Duration::from_secs(1);

pub(crate) struct Servers {
    pub(crate) issuer_url: String,
    /// The same issuer with an access expiry of 1 s, to show an expired token.
    pub(crate) brief_url: String,
    pub(crate) api_url: String,
    pub(crate) issuer: Issuer,
    /// The authenticator of `/orders`.
    pub(crate) auth: Authenticator,
    _folder: tempfile::TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let (listener, issuer_url) = listen().await?;
        let mut config = IssuerConfig::new(&issuer_url, folder.path().join("identsphere.db"));
        config.audiences = vec!["https://orders.example".to_owned()];
        let issuer = Issuer::open(config.clone()).await?;
        let (name, password) = ALICE;
        issuer
            .add_user(NewUser::new(name, password).roles(["customer"]).scopes(["orders:read"]))
            .await?;
        serve(&issuer, listener);

        config.access_expiry = BRIEF;
        let (listener, brief_url) = listen().await?;
        serve(&Issuer::open(config).await?, listener);

        // The API's configuration: the issuer's URL and its own audience. The keys are discovered.
        let auth = |audience| {
            Authenticator::builder(&issuer_url, audience)
                .leeway(Duration::ZERO) // both servers use the same clock
                .cookie("__Host-portcullis-access")
                .build()
        };
        let (orders, billing) =
            (auth("https://orders.example").await?, auth("https://billing.example").await?);
        let (listener, api_url) = listen().await?;
        let app = api::router(orders.clone(), billing);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { issuer_url, brief_url, api_url, issuer, auth: orders, _folder: folder })
    }
}

async fn listen() -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

fn serve(issuer: &Issuer, listener: TcpListener) {
    let issuer = issuer.clone();
    tokio::spawn(async move { issuer.serve(listener, pending()).await });
}
