//! The server's URL.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, TlsCertificates,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::problem::Problem;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a URL cannot be used. The URL is not shown, because it can contain a password.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is not a URL of Redis.
    #[error("the Redis URL is invalid ({0}); expected rediss://user:password@host:6379/0")]
    Invalid(String),
    /// The URL would accept any certificate.
    #[error(
        "the Redis URL ends with #insecure, which accepts any certificate; remove it, and give a private CA with \
         `root_certificates`"
    )]
    Insecure,
    /// The CA certificates are unusable, or the URL does not use TLS.
    #[error("the root certificates for Redis cannot be used: {0}")]
    RootCertificates(String),
}

/// The message, for a `main` that returns the error.
impl fmt::Debug for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address of the server, and the settings of connections to it.
#[derive(Clone)]
pub(crate) struct Server {
    client: Client,
    shown: String,
}

impl Server {
    pub(crate) fn parse(url: &str, root_certificates: Option<Vec<u8>>) -> Result<Self, UrlError> {
        let info = url.into_connection_info();
        let info = info.map_err(|error| UrlError::Invalid(error.to_string()))?;
        let scheme = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(UrlError::Insecure),
            ConnectionAddr::TcpTls { .. } => {
                // The client library uses the process's crypto provider. It panics if none is installed
                // and several are compiled in.
                if CryptoProvider::get_default().is_none() {
                    // An error means that another thread has already installed one.
                    let _ = aws_lc_rs::default_provider().install_default();
                }
                "rediss"
            }
            _ => "redis",
        };
        let shown = format!("{scheme}://{}/{}", info.addr(), info.redis_settings().db());
        let client = match root_certificates {
            None => Client::open(info).map_err(|error| UrlError::Invalid(error.to_string())),
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                let client = Client::build_with_tls(info, certificates);
                client.map_err(|error| UrlError::RootCertificates(error.to_string()))
            }
        };
        Ok(Self { client: client?, shown })
    }

    /// Connects. With `None`, commands have no timeout of their own, because their caller has one.
    pub(crate) async fn connect(
        &self,
        response_timeout: Option<Duration>,
    ) -> Result<MultiplexedConnection, Problem> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(response_timeout);
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}

/// Shows the address of the server, without user and password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_place_only() {
        for (url, shown) in [
            ("redis://u:hunter2@127.0.0.1/3", "redis://127.0.0.1:6379/3"),
            ("rediss://:hunter2@db.example:6380", "rediss://db.example:6380/0"),
        ] {
            assert_eq!(format!("{:?}", Server::parse(url, None).unwrap()), shown);
        }
    }

    #[test]
    fn unusable_url_is_an_error_without_the_password() {
        let pem = || Some(b"none".to_vec());
        for (url, pem, expected) in [
            ("rediss://u:hunter2@db.example#insecure", None, "accepts any certificate"),
            ("http://u:hunter2@db.example", None, "the Redis URL is invalid"),
            ("redis://u:hunter2@db.example/hunter2", None, "Invalid database number"),
            ("redis://u:hunter2@db.example", pem(), "root certificates"),
        ] {
            let error = Server::parse(url, pem).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
