//! The server's URL.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::form_urlencoded;

use crate::tls::Tls;

/// The time for one attempt to connect to one host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may be silent, with data or probes unacknowledged, before it counts as lost.
/// Without this limit, the loss of the server's machine would be noticed only after hours.
const SILENCE: Duration = Duration::from_secs(10);

/// Why a URL cannot be used. The URL is not shown, because it can contain a password.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is not a URL of PostgreSQL, or has an unknown parameter.
    #[error(
        "the PostgreSQL URL is invalid ({0}); expected postgres://user:password@host/database?sslmode=verify-full"
    )]
    Invalid(String),
    /// The mode would accept a connection without TLS, or is unknown.
    #[error(
        "the PostgreSQL URL has sslmode={0}; set verify-full, or disable for a network that no attacker can reach"
    )]
    SslMode(String),
    /// The CA certificates cannot be read.
    #[error("the file {path} of sslrootcert in the PostgreSQL URL cannot be used: {why}")]
    #[non_exhaustive]
    RootCertificate {
        /// The file.
        path: String,
        /// The problem with the file.
        why: String,
    },
    /// The platform's CA certificates cannot be loaded.
    #[error(
        "the platform's CA certificates cannot be loaded ({0}); name a file with sslrootcert in the PostgreSQL URL"
    )]
    PlatformCertificates(String),
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
    pub(crate) config: Config,
    /// `None`: without TLS.
    pub(crate) tls: Option<Tls>,
}

impl Server {
    /// Parses a URL. `sslmode` and `sslrootcert` are handled here, because the client library supports
    /// neither `verify-full` nor certificate files.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !is_url {
            return Err(UrlError::Invalid("it does not begin with postgres://".to_owned()));
        }
        let (start, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut rest) = (None, None, String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => root = Some(value),
                _ => {
                    rest.push(if rest.is_empty() { '?' } else { '&' });
                    // This is not the encoding of forms: the client's parser does not treat `+` as a space.
                    rest.push_str(&encode(&name));
                    rest.push('=');
                    rest.push_str(&encode(&value));
                }
            }
        }
        let invalid = |error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            UrlError::Invalid(cause.unwrap_or_else(|| error.to_string()))
        };
        let mut config = Config::from_str(&format!("{start}{rest}")).map_err(invalid)?;
        if config.get_hosts().is_empty() {
            return Err(UrlError::Invalid("it has no host".to_owned()));
        }
        let tls = match mode.as_deref() {
            Some("disable") => None,
            None if root.is_none() && config.get_hosts().iter().all(is_local) => None,
            None | Some("require" | "verify-ca" | "verify-full") => Some(trusted(root)?),
            Some(other) => return Err(UrlError::SslMode(other.to_owned())),
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 4);
        if config.get_application_name().is_none() {
            config.application_name("portcullis");
        }
        Ok(Self { config, tls })
    }
}

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn trusted(root: Option<Cow<'_, str>>) -> Result<Tls, UrlError> {
    let Some(path) = root else {
        return Tls::of_platform()
            .map_err(|error| UrlError::PlatformCertificates(error.to_string()));
    };
    Tls::of_file(Path::new(&*path))
        .map_err(|why| UrlError::RootCertificate { path: path.into_owned(), why })
}

/// Returns whether connections to the host do not leave this machine.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Shows the address of the server, without user and password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let ports = self.config.get_ports();
            let port = ports.get(number).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Server, String> {
        Server::parse(url).map_err(|error| error.to_string())
    }

    #[test]
    fn tls_is_the_default_beyond_this_machine() {
        for (url, has_tls) in [
            ("postgres://u:hunter2@db.example/app", true),
            ("postgresql://u@db.example/app?sslmode=require", true),
            ("postgres://u@127.0.0.1/app?sslmode=verify-full", true),
            ("postgres://u@a.example:1,b.example:2/app", true),
            ("postgres://u@db.example/app?sslmode=disable", false),
            ("postgres://u@localhost/app", false),
            ("postgres://u@[::1]/app", false),
            ("postgres://u@%2Frun%2Fpostgresql/app", false),
            ("postgres://u@localhost,db.example/app", true),
        ] {
            let server = parse(url).unwrap();
            assert_eq!(server.tls.is_some(), has_tls, "{url}");
            let mode = if has_tls { SslMode::Require } else { SslMode::Disable };
            assert_eq!(server.config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn unusable_url_is_an_error_without_the_password() {
        for (url, expected) in [
            ("postgres://u:hunter2@db.example/app?sslmode=prefer", "sslmode=prefer; set verify"),
            ("postgres://u:hunter2@db.example/app?sslmode=hunter", "sslmode=hunter"),
            ("postgres://u:hunter2@db.example/app?sslrootcert=/none.pem", "/none.pem of sslroot"),
            ("postgres://u:hunter2@db.example/app?pool=5", "unknown option `pool`"),
            ("postgres://u:hunter2@/app", "it has no host"),
            ("mysql://u:hunter2@db.example/app", "does not begin with postgres://"),
            ("u:hunter2", "does not begin with postgres://"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_shows_the_place_only() {
        let url = "postgres://u:hunter2@a.example:6000,b.example/app?options=-csearch_path%3Dx";
        let server = parse(url).unwrap();
        assert_eq!(format!("{server:?}"), "postgres://a.example:6000,b.example:5432/app");
        assert_eq!(server.config.get_options(), Some("-csearch_path=x"));
    }
}
