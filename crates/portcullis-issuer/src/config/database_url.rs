//! The URL of a PostgreSQL database. Its password is never shown.

use std::fmt;

use url::{Host, Url};
use zeroize::Zeroizing;

use crate::error::ConfigError;

const NAME: &str = "IDENTSPHERE_DATABASE_URL";

/// The URL of a PostgreSQL database, `postgres://user:password@host/database`, as libpq and sqlx
/// read it. `Display` and `Debug` omit the password.
///
/// ```
/// use portcullis_issuer::DatabaseUrl;
///
/// let url = DatabaseUrl::new("postgres://issuer:hunter2@127.0.0.1/issuer")?;
/// assert_eq!(url.to_string(), "postgres://issuer@127.0.0.1/issuer");
///
/// // A database on another machine needs `sslmode`.
/// assert!(DatabaseUrl::new("postgres://issuer:hunter2@db.example/issuer").is_err());
/// assert!(DatabaseUrl::new("postgres://issuer@db.example/issuer?sslmode=verify-full").is_ok());
/// # Ok::<(), portcullis_issuer::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct DatabaseUrl {
    text: Zeroizing<String>,
    shown: String,
}

impl DatabaseUrl {
    /// Checks the URL without connecting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is not a `postgres` URL, or names another host without `sslmode`: the
    /// default `prefer` would send the password to any server that answers.
    pub fn new(url: impl Into<String>) -> Result<Self, ConfigError> {
        let text = Zeroizing::new(url.into());
        let wrong = |expected: &str| ConfigError::hidden(NAME, expected);
        let mut url = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
            .ok_or_else(|| {
                wrong(
                    "must be a URL such as postgres://user:password@host/database (the value is \
                     not shown here)",
                )
            })?;
        let says_sslmode =
            url.query_pairs().any(|(name, _)| name == "sslmode" || name == "ssl-mode");
        if !says_sslmode && !is_here(&url) {
            return Err(wrong(
                "names another host without sslmode: add sslmode=verify-full, so that the server \
                 is authenticated and the connection is encrypted (or sslmode=disable, on a \
                 network that only you control)",
            ));
        }
        // Both calls fail only for URLs without a host, which have no password either.
        let _ = url.set_password(None);
        url.set_query(None);
        Ok(Self { text, shown: url.to_string() })
    }

    /// Returns whether the URL names a certificate authority, and so requires TLS.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL has a URL"))]
    pub(crate) fn names_an_authority(&self) -> bool {
        self.text.contains("sslrootcert=") || self.text.contains("ssl-root-cert=")
    }

    /// Returns the URL with its password.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL has a URL"))]
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }
}

/// Returns whether the URL names a socket in the file system or a loopback address.
fn is_here(url: &Url) -> bool {
    let named = url.query_pairs().filter(|(name, _)| name == "host" || name == "hostaddr");
    let here = |host: &str| {
        host.starts_with('/')
            || host == "localhost"
            || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    };
    let host = match url.host() {
        None => true,
        Some(Host::Domain(name)) => name.to_ascii_lowercase().starts_with("%2f") || here(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    host && named.into_iter().all(|(_, host)| here(&host))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_url_of_another_host_needs_an_sslmode() {
        for here in [
            "postgres:///issuer",
            "postgres://issuer@localhost/issuer",
            "postgresql://issuer:x@127.0.0.1:5433/issuer",
            "postgres://issuer@[::1]/issuer",
            "postgres://issuer@%2Frun%2Fpostgresql/issuer",
            "postgres:///issuer?host=/run/postgresql",
            "postgres://issuer@db.example/issuer?sslmode=verify-full",
            "postgres://issuer@db.example/issuer?sslmode=disable",
        ] {
            DatabaseUrl::new(here).unwrap();
        }
        for elsewhere in [
            "postgres://issuer@db.example/issuer",
            "postgres://issuer@10.0.0.1/issuer",
            "postgres://issuer@127.0.0.1/issuer?host=db.example",
            "postgres://issuer@localhost.example/issuer",
            "mysql://localhost/issuer",
            "hunter2",
        ] {
            let error = DatabaseUrl::new(elsewhere).unwrap_err();
            assert_eq!(error.name(), NAME);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        for url in [
            "postgres://issuer:hunter2@127.0.0.1/issuer",
            "postgres://127.0.0.1/issuer?user=issuer&password=hunter2",
        ] {
            let url = DatabaseUrl::new(url).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url}");
        }
    }
}
