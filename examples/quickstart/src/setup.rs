//! The two servers, on ports that the system chooses.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use portcullis_axum::portcullis::Authenticator;
use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use tokio::net::TcpListener;

use crate::api;

/// The one user, and her password.
pub(crate) const ALICE: (&str, &str) = ("alice", "correct horse battery staple");

/// How long a token of [`Servers::brief_url`] lives.
pub(crate) const BRIEF: Duration = Duration::from_secs(1);

pub(crate) struct Servers {
    pub(crate) issuer_url: String,
    /// The same issuer once more, set to an access expiry of a second: to watch a token expire.
    pub(crate) brief_url: String,
    pub(crate) api_url: String,
    pub(crate) issuer: Issuer,
    /// What protects `/orders`.
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

        // All that the API is told: who issues, and its own name. The keys are discovered.
        let auth = |audience| {
            Authenticator::builder(&issuer_url, audience)
                .leeway(Duration::ZERO) // one clock rules both servers here
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
