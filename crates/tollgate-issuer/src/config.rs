//! The issuer's settings: one table of names, one struct of values, one place that checks them.

mod env;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tollgate::{Clock, SystemClock};
use url::{Host, Url};

use crate::clock::secs;
use crate::key_ring::{KeyEncryptionKey, Schedule, SigningAlgorithm};

/// One environment variable that the issuer reads.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What holds when it is not set (or empty).
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Every environment variable that the issuer reads.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "IDENTSPHERE_ISSUER",
        default: "http://127.0.0.1:8080",
        meaning: "The issuer's own URL, scheme and host only: the `iss` of every token. https, \
                  except on a loopback host",
    },
    Setting {
        name: "IDENTSPHERE_LISTEN",
        default: "127.0.0.1:8080",
        meaning: "IP address and port to listen on",
    },
    Setting {
        name: "IDENTSPHERE_DATABASE",
        default: "identsphere.db",
        meaning: "The SQLite file; made when it is absent",
    },
    Setting {
        name: "IDENTSPHERE_AUDIENCES",
        default: "",
        meaning: "The APIs that tokens are meant for, separated by commas or spaces; the issuer \
                  itself is always one",
    },
    Setting {
        name: "IDENTSPHERE_ACCESS_EXPIRY_SECS",
        default: "900",
        meaning: "Lifetime of an access token, 1 to 86400: how long a revoked session still works \
                  in an app that validates locally",
    },
    Setting {
        name: "IDENTSPHERE_REFRESH_EXPIRY_SECS",
        default: "2592000",
        meaning: "How long a session lives without being used; at least the access expiry",
    },
    Setting {
        name: "IDENTSPHERE_SESSION_MAX_SECS",
        default: "7776000",
        meaning: "How long a session lives however much it is used, before its user must log in \
                  again; at least the refresh expiry",
    },
    Setting {
        name: "IDENTSPHERE_JWKS_MAX_AGE_SECS",
        default: "300",
        meaning: "How long others may cache the published keys, 0 to 86400: a new key waits as \
                  long before it signs, and a withdrawn one is accepted no longer",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ROTATION_DAYS",
        default: "30",
        meaning: "How long a key signs before the next one does; 0 leaves it to `keys rotate`",
    },
    Setting {
        name: "IDENTSPHERE_CLOCK_SKEW_SECS",
        default: "60",
        meaning: "How far the clocks of issuer and verifiers may be apart, 1 to 3600: a new key \
                  waits so much longer, and an old one stays twice that",
    },
    Setting {
        name: "IDENTSPHERE_SIGNING_ALGORITHM",
        default: "",
        meaning: "ES256, EdDSA or RS256, for keys made from now on. When it is not set, the first \
                  key is for ES256, and `keys rotate` keeps the algorithm",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ENCRYPTION_KEY",
        default: "",
        meaning: "Base64 of the 32 bytes that signing keys are encrypted under at rest \
                  (openssl rand -base64 32); instead of the key file",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE",
        default: "",
        meaning: "The file that holds the same; <database>.key when neither is set, made at the \
                  first start",
    },
    Setting {
        name: "IDENTSPHERE_COOKIE_DOMAIN",
        default: "",
        meaning: "The domain whose hosts all receive the access cookie; only the issuer's own \
                  host when it is not set",
    },
    Setting {
        name: "IDENTSPHERE_REGISTRATION",
        default: "off",
        meaning: "on lets anybody make a user (without roles and scopes) at POST \
                  /v1/auth/register",
    },
];

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The issuer's settings. Checked by [`Issuer::open`](crate::Issuer::open).
///
/// ```
/// use std::time::Duration;
/// use tollgate_issuer::IssuerConfig;
///
/// let mut config = IssuerConfig::new("http://127.0.0.1:8080", "identsphere.db");
/// config.audiences = vec!["https://api.example".to_owned()];
/// config.access_expiry = Duration::from_secs(60);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// The issuer's own URL, exactly as it stands in every token (`IDENTSPHERE_ISSUER`).
    pub issuer: String,
    /// Where the binary listens (`IDENTSPHERE_LISTEN`).
    pub listen: SocketAddr,
    /// The SQLite file (`IDENTSPHERE_DATABASE`).
    pub database: PathBuf,
    /// Who else the tokens are meant for (`IDENTSPHERE_AUDIENCES`).
    pub audiences: Vec<String>,
    /// Lifetime of an access token, in whole seconds (`IDENTSPHERE_ACCESS_EXPIRY_SECS`).
    pub access_expiry: Duration,
    /// How long an unused session lives (`IDENTSPHERE_REFRESH_EXPIRY_SECS`).
    pub refresh_expiry: Duration,
    /// How long a session lives however much it is used (`IDENTSPHERE_SESSION_MAX_SECS`).
    pub session_max: Duration,
    /// How long the published keys may be cached (`IDENTSPHERE_JWKS_MAX_AGE_SECS`).
    pub jwks_max_age: Duration,
    /// How long a key signs before the next one does; only an operator rotates when it is `None`
    /// (`IDENTSPHERE_KEY_ROTATION_DAYS`).
    pub key_rotation: Option<Duration>,
    /// How far the clocks of issuer and verifiers may be apart (`IDENTSPHERE_CLOCK_SKEW_SECS`).
    pub clock_skew: Duration,
    /// What new keys sign with; the algorithm of the key before, or ES256 for the first, when it
    /// is not set (`IDENTSPHERE_SIGNING_ALGORITHM`).
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// What encrypts signing keys at rest (`IDENTSPHERE_KEY_ENCRYPTION_KEY`).
    pub key_encryption_key: Option<KeyEncryptionKey>,
    /// The file that holds it (`IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE`).
    pub key_encryption_key_file: Option<PathBuf>,
    /// Which hosts receive the access cookie (`IDENTSPHERE_COOKIE_DOMAIN`).
    pub cookie_domain: Option<String>,
    /// Whether anybody may make a user over HTTP (`IDENTSPHERE_REGISTRATION`).
    pub registration: bool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl IssuerConfig {
    /// The defaults, for this issuer URL and this SQLite file.
    #[must_use]
    pub fn new(issuer: impl Into<String>, database: impl Into<PathBuf>) -> Self {
        Self {
            issuer: issuer.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database: database.into(),
            audiences: Vec::new(),
            access_expiry: Duration::from_secs(900),
            refresh_expiry: Duration::from_secs(30 * 24 * 60 * 60),
            session_max: Duration::from_secs(90 * 24 * 60 * 60),
            jwks_max_age: Duration::from_secs(300),
            key_rotation: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            clock_skew: Duration::from_secs(60),
            signing_algorithm: None,
            key_encryption_key: None,
            key_encryption_key_file: None,
            cookie_domain: None,
            registration: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Everything that can be known to be wrong without touching the file system.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let issuer = check_issuer(&self.issuer)?;
        for audience in &self.audiences {
            if audience.is_empty() || audience.contains(char::is_whitespace) {
                let expected = "each audience must be a name without white space";
                return Err(ConfigError::new("IDENTSPHERE_AUDIENCES", audience, expected));
            }
        }
        let access = self.access_expiry;
        if access.subsec_nanos() != 0 || !(1..=86_400).contains(&access.as_secs()) {
            return Err(ConfigError::new(
                "IDENTSPHERE_ACCESS_EXPIRY_SECS",
                access.as_secs_f64(),
                "it must be a whole number of seconds from 1 to 86400",
            ));
        }
        if self.refresh_expiry < access || self.refresh_expiry > TEN_YEARS {
            return Err(ConfigError::new(
                "IDENTSPHERE_REFRESH_EXPIRY_SECS",
                self.refresh_expiry.as_secs(),
                format!("it must be from {} (the access expiry) to ten years", access.as_secs()),
            ));
        }
        if self.session_max < self.refresh_expiry || self.session_max > TEN_YEARS {
            let least = self.refresh_expiry.as_secs();
            return Err(ConfigError::new(
                "IDENTSPHERE_SESSION_MAX_SECS",
                self.session_max.as_secs(),
                format!("it must be from {least} (the refresh expiry) to ten years"),
            ));
        }
        if self.jwks_max_age.as_secs() > 86_400 {
            return Err(ConfigError::new(
                "IDENTSPHERE_JWKS_MAX_AGE_SECS",
                self.jwks_max_age.as_secs(),
                "it must be from 0 to 86400",
            ));
        }
        if !(1..=3600).contains(&self.clock_skew.as_secs()) {
            return Err(ConfigError::new(
                "IDENTSPHERE_CLOCK_SKEW_SECS",
                self.clock_skew.as_secs(),
                "it must be from 1 to 3600",
            ));
        }
        self.check_key_rotation()?;
        if self.key_encryption_key.is_some() && self.key_encryption_key_file.is_some() {
            return Err(ConfigError::hidden(
                "IDENTSPHERE_KEY_ENCRYPTION_KEY",
                "is set together with IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE; set one of them",
            ));
        }
        match &self.cookie_domain {
            Some(domain) => check_cookie_domain(domain, &issuer),
            None => Ok(()),
        }
    }

    /// A shorter period would have keys sign that verifiers cannot know yet, or withdrawn that
    /// signed what has not expired.
    fn check_key_rotation(&self) -> Result<(), ConfigError> {
        let Some(period) = self.key_rotation else { return Ok(()) };
        let (least, sum) = Schedule::of(self).least_period();
        if secs(period) < least {
            return Err(ConfigError::new(
                "IDENTSPHERE_KEY_ROTATION_DAYS",
                period.as_secs_f64() / 86_400.0,
                format!(
                    "a rotation takes longer than these {} s: {sum}. Rotate less often, or lower \
                     IDENTSPHERE_JWKS_MAX_AGE_SECS or IDENTSPHERE_ACCESS_EXPIRY_SECS",
                    period.as_secs()
                ),
            ));
        }
        if period > TEN_YEARS {
            return Err(ConfigError::new(
                "IDENTSPHERE_KEY_ROTATION_DAYS",
                period.as_secs() / 86_400,
                "it must be at most ten years",
            ));
        }
        Ok(())
    }
}

fn check_issuer(value: &str) -> Result<Url, ConfigError> {
    let wrong = |expected: String| ConfigError::new("IDENTSPHERE_ISSUER", value, expected);
    let example = "for example https://auth.example.com";
    let url = Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        .ok_or_else(|| wrong(format!("it must be an https URL, {example}")))?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(wrong(format!(
            "http is accepted on a loopback host only (127.0.0.1, [::1], localhost); use https, \
             {example}"
        )));
    }
    // Verifiers compare the issuer byte for byte, and the well-known paths and cookies belong to
    // a whole host: so no path, no trailing slash, no default port, no capitals.
    let origin = url.origin().ascii_serialization();
    if origin != value {
        return Err(wrong(format!("it must be scheme and host only: {origin}")));
    }
    Ok(url)
}

/// The hosts whose keys verifiers fetch without TLS. Not `*.localhost`: that it never leaves the
/// machine is up to the resolver.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A browser drops a cookie whose domain does not cover the host that sets it (RFC 6265 5.3).
fn check_cookie_domain(domain: &str, issuer: &Url) -> Result<(), ConfigError> {
    let wrong =
        |expected: String| Err(ConfigError::new("IDENTSPHERE_COOKIE_DOMAIN", domain, expected));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let dotted = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    if !dotted || !domain.chars().all(plain) {
        return wrong(
            "it must be a domain in small letters without a leading dot, for example example.com"
                .to_owned(),
        );
    }
    match issuer.host() {
        Some(Host::Domain(host))
            if host == domain
                || host.strip_suffix(domain).is_some_and(|prefix| prefix.ends_with('.')) =>
        {
            Ok(())
        }
        _ => wrong(format!(
            "browsers would drop the cookie: the issuer {issuer} is not in that domain"
        )),
    }
}

/// A setting is wrong: its name, its value unless that is a secret, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    name: &'static str,
    value: Option<String>,
    expected: String,
}

impl ConfigError {
    pub(crate) fn new(
        name: &'static str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        let value = without_credentials(value.to_string());
        Self { name, value: Some(value), expected: expected.into() }
    }

    /// For a setting whose value is a secret.
    pub(crate) fn hidden(name: &'static str, expected: impl Into<String>) -> Self {
        Self { name, value: None, expected: expected.into() }
    }

    /// The environment variable of the setting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// What stands before an `@` in a URL may be a password.
fn without_credentials(value: String) -> String {
    match value.rsplit_once('@') {
        Some((_, rest)) => format!("(not shown)@{rest}"),
        None => value,
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}: {}", self.name, self.expected),
            None => write!(f, "{} {}", self.name, self.expected),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut IssuerConfig)) -> String {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.check().unwrap();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn an_issuer_is_an_https_origin() {
        for right in ["https://a.example", "https://a.example:8443", "http://[::1]:80801"] {
            assert_eq!(check_issuer(right).is_ok(), right != "http://[::1]:80801", "{right}");
        }
        for right in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080"] {
            assert!(check_issuer(right).is_ok(), "{right}");
        }
        for (wrong, hint) in [
            ("auth.example.com", "for example https://auth.example.com"),
            ("ftp://auth.example.com", "must be an https URL"),
            ("http://auth.example.com", "loopback host only"),
            ("http://auth.localhost:8080", "loopback host only"),
            ("https://auth.example.com/", "only: https://auth.example.com"),
            ("https://Auth.Example.com:443/tenant", "only: https://auth.example.com"),
            ("https://user:secret@auth.example.com", "only: https://auth.example.com"),
        ] {
            let message = refused(|config| config.issuer = wrong.to_owned());
            assert!(message.starts_with("IDENTSPHERE_ISSUER is "), "{message}");
            assert!(message.ends_with(hint) || message.contains(hint), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let day = Duration::from_secs(86_400);
        for (message, expected) in [
            (
                refused(|config| config.access_expiry = Duration::ZERO),
                "IDENTSPHERE_ACCESS_EXPIRY_SECS is \"0\": it must be a whole number of seconds \
                 from 1 to 86400",
            ),
            (
                refused(|config| config.refresh_expiry = Duration::from_secs(60)),
                "IDENTSPHERE_REFRESH_EXPIRY_SECS is \"60\": it must be from 900 (the access \
                 expiry) to ten years",
            ),
            (
                refused(|config| config.session_max = day * 29),
                "IDENTSPHERE_SESSION_MAX_SECS is \"2505600\": it must be from 2592000 (the refresh \
                 expiry) to ten years",
            ),
            (
                refused(|config| config.jwks_max_age = day * 2),
                "IDENTSPHERE_JWKS_MAX_AGE_SECS is \"172800\": it must be from 0 to 86400",
            ),
            (
                refused(|config| config.key_rotation = Some(Duration::from_secs(864))),
                "IDENTSPHERE_KEY_ROTATION_DAYS is \"0.01\": a rotation takes longer than these \
                 864 s: 300 (a cached key set) + 60 (clock skew) + 900 (the last token) + 120 \
                 (twice the skew) = 1380 s. Rotate less often, or lower \
                 IDENTSPHERE_JWKS_MAX_AGE_SECS or IDENTSPHERE_ACCESS_EXPIRY_SECS",
            ),
            (
                refused(|config| config.clock_skew = Duration::ZERO),
                "IDENTSPHERE_CLOCK_SKEW_SECS is \"0\": it must be from 1 to 3600",
            ),
            (
                refused(|config| config.cookie_domain = Some("other.example".to_owned())),
                "IDENTSPHERE_COOKIE_DOMAIN is \"other.example\": browsers would drop the cookie: \
                 the issuer https://auth.example.com/ is not in that domain",
            ),
        ] {
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_cookie_domain_covers_the_issuer_and_cannot_break_out_of_the_header() {
        for right in ["example.com", "auth.example.com"] {
            let issuer = check_issuer("https://auth.example.com").unwrap();
            assert!(check_cookie_domain(right, &issuer).is_ok(), "{right}");
        }
        for wrong in [".example.com", "com", "ample.com", "example.com; Path=/", "EXAMPLE.com"] {
            refused(|config| config.cookie_domain = Some(wrong.to_owned()));
        }
    }

    #[test]
    fn debug_redacts_the_key_encryption_key() {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.key_encryption_key =
            KeyEncryptionKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let debug = format!("{config:?}");
        assert!(debug.contains("Some(KeyEncryptionKey(redacted))"), "{debug}");
        assert!(!debug.contains("AAAA") && !debug.contains("0, 0"), "{debug}");
    }
}
