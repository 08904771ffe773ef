//! The settings file.

mod error;
mod file;
mod tables;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use portcullis::Revocation;

use crate::headers::CredentialPlaces;
use crate::identity::Identity;
use crate::routes::Routes;
use crate::upstream::Upstream;

pub use error::ConfigError;
pub(crate) use tables::{IssuerTable, ServiceSettings};

/// The settings of a sidecar: a TOML file.
///
/// ```
/// use portcullis_sidecar::Config;
///
/// let config = Config::parse(
///     r#"
///     upstream = "http://127.0.0.1:3000"
///
///     [[issuer]]
///     issuer = "https://auth.example.com"
///     audience = "https://api.example.com"
///
///     [[route]]
///     path = "/health"
///     token = "none"
///     "#,
/// )?;
/// assert_eq!(config.listen(), ([127, 0, 0, 1], 8080).into());
///
/// let error = Config::parse("upstraem = 'http://127.0.0.1:3000'").unwrap_err();
/// assert!(error.to_string().starts_with("line 1: unknown field `upstraem`"), "{error}");
/// # Ok::<(), portcullis_sidecar::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) path: Option<PathBuf>,
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) max_connections: usize,
    pub(crate) mode: Mode,
    pub(crate) proxies: Proxies,
    pub(crate) open_preflights: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) service: ServiceSettings,
    pub(crate) issuers: Vec<IssuerTable>,
    pub(crate) credentials: CredentialPlaces,
    pub(crate) identity: Identity,
    pub(crate) revocation: Revocation,
    pub(crate) feed: Option<Feed>,
    pub(crate) routes: Arc<Routes>,
    /// The revocation checks that routes require.
    pub(crate) route_revocations: Vec<Revocation>,
}

/// What the sidecar does with an accepted request.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// Forwards it to the app.
    Proxy(Upstream),
    /// Answers the proxy that asked.
    ForwardAuth(ForwardAuth),
}

/// The settings of forward-auth.
#[derive(Debug, Clone)]
pub(crate) struct ForwardAuth {
    pub(crate) path: String,
    pub(crate) uri_header: HeaderName,
    pub(crate) method_header: HeaderName,
}

/// The addresses of the proxies in front.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(pub(crate) Vec<IpNet>);

impl Proxies {
    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// How long upstreams may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    /// Until a response begins, from the last part of the request's body.
    pub(crate) response: Duration,
    /// How long an unused connection is kept. Apps often close theirs after 5 s.
    pub(crate) idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { connect: secs(5), response: secs(60), idle: secs(4) }
    }
}

/// The settings of the revocation feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    /// The path that the issuer sends logout tokens to.
    pub(crate) logout_path: String,
}

impl Config {
    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// An error if the file cannot be read, is not TOML, or has an unknown key or an invalid value.
    /// It names the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| ConfigError::unreadable(error).at(path))?;
        let config = Self::parse(&text).map_err(|error| error.at(path))?;
        Ok(Self { path: Some(path.to_owned()), ..config })
    }

    /// Parses the text of a settings file. Nothing that the settings name is opened or fetched.
    ///
    /// # Errors
    ///
    /// An error if the text is not TOML, or has an unknown key or an invalid value.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        file::parse(text)
    }

    /// Returns the address that the sidecar listens on.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Returns the address of the listener for metrics and probes.
    #[must_use]
    pub fn admin_listen(&self) -> Option<SocketAddr> {
        self.admin_listen
    }
}
