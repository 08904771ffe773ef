//! The issuer's settings: a table of names, a struct of values, the checks, and two sources,
//! variables and a file.

mod check;
mod database_url;
mod env;
mod file;
mod kind;
mod settings;
mod shown;
mod sources;
mod warnings;
mod written;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use portcullis::clock::{Clock, SystemClock};

pub use self::database_url::DatabaseUrl;
pub use self::kind::Kind;
use self::settings::PREFIX;
pub use self::settings::{CONFIG_VARIABLE, SETTINGS, Setting};
pub use self::shown::EffectiveSetting;
pub use self::sources::{Origin, SettingSources, ignored_variables, warn_of_ignored_variables};
use crate::clock::secs;
use crate::domain::keys::{KeyEncryptionKey, Schedule, Signer, SigningAlgorithm};
use crate::domain::network::Network;
pub use crate::domain::second_factor::SecondFactorMode;
use crate::domain::sessions::{Budget, Rules};
use crate::domain::tokens::TokenSettings;
pub use crate::domain::users::PasswordCost;
use crate::notify::Notifier;

/// The maximum number of connections of all clients together: below the 1,024 files that a process
/// may usually open, and above what one issuer needs.
pub(crate) const MAX_CONNECTIONS: u32 = 896;

/// The issuer's settings, which [`Issuer::open`](crate::Issuer::open) checks.
///
/// ```
/// use std::time::Duration;
/// use portcullis_issuer::IssuerConfig;
///
/// let mut config = IssuerConfig::new("http://127.0.0.1:8080", "identsphere.db");
/// config.audiences = vec!["https://api.example".to_owned()];
/// config.access_expiry = Duration::from_secs(60);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// The issuer's URL, which is the `iss` of every token (`IDENTSPHERE_ISSUER`).
    pub issuer: String,
    /// The one host, besides loopback hosts, for which `issuer` may use http
    /// (`IDENTSPHERE_DANGEROUS_HTTP_HOST`). Everyone on the network in between can read passwords
    /// and tokens.
    pub dangerous_http_host: Option<String>,
    /// The address on which the binary listens (`IDENTSPHERE_LISTEN`).
    pub listen: SocketAddr,
    /// The address on which the binary serves metrics, if any (`IDENTSPHERE_METRICS_LISTEN`).
    pub metrics_listen: Option<SocketAddr>,
    /// The additional address on which the binary answers health probes, if any
    /// (`IDENTSPHERE_HEALTH_LISTEN`).
    pub health_listen: Option<SocketAddr>,
    /// The number of connections that one client address may have open
    /// (`IDENTSPHERE_CONNECTIONS_PER_ADDRESS`).
    pub connections_per_address: u32,
    /// How long the issuer still serves requests after a signal to stop
    /// (`IDENTSPHERE_SHUTDOWN_DELAY_SECS`).
    pub shutdown_delay: Duration,
    /// The SQLite file (`IDENTSPHERE_DATABASE`).
    pub database: PathBuf,
    /// The PostgreSQL database that is used instead of the SQLite file
    /// (`IDENTSPHERE_DATABASE_URL`).
    pub database_url: Option<DatabaseUrl>,
    /// The audiences of tokens, in addition to the issuer itself (`IDENTSPHERE_AUDIENCES`).
    pub audiences: Vec<String>,
    /// Whether a user's token is for the issuer alone unless its client names other resources
    /// (`IDENTSPHERE_NARROW_TOKENS`).
    pub narrow_tokens: bool,
    /// The lifetime of an access token, in whole seconds (`IDENTSPHERE_ACCESS_EXPIRY_SECS`).
    pub access_expiry: Duration,
    /// The lifetime of an unused session (`IDENTSPHERE_REFRESH_EXPIRY_SECS`).
    pub refresh_expiry: Duration,
    /// The maximum lifetime of a session, even if it is used (`IDENTSPHERE_SESSION_MAX_SECS`).
    pub session_max: Duration,
    /// How long a refresh may be repeated (`IDENTSPHERE_REFRESH_GRACE_SECS`).
    pub refresh_grace: Duration,
    /// The number of refreshes that a session may have in 5 minutes; 0 is no limit
    /// (`IDENTSPHERE_REFRESHES_PER_SESSION`).
    pub refreshes_per_session: u32,
    /// How long a status list may be kept before it is fetched again
    /// (`IDENTSPHERE_STATUS_LIST_TTL_SECS`).
    pub status_list_ttl: Duration,
    /// How long the published keys may be cached (`IDENTSPHERE_JWKS_MAX_AGE_SECS`).
    pub jwks_max_age: Duration,
    /// How long a key signs before the next key replaces it; with `None`, only an operator rotates
    /// keys (`IDENTSPHERE_KEY_ROTATION_DAYS`).
    pub key_rotation: Option<Duration>,
    /// The tolerated clock skew between issuer and verifiers (`IDENTSPHERE_CLOCK_SKEW_SECS`).
    pub clock_skew: Duration,
    /// The algorithm of new keys (`IDENTSPHERE_SIGNING_ALGORITHM`). If it is `None`, the first key
    /// uses ES256, and each later key the algorithm of its predecessor.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// The signer that creates and keeps new private keys outside the database. It can be set in
    /// code only.
    pub signer: Option<Arc<dyn Signer>>,
    /// The key that encrypts signing keys at rest (`IDENTSPHERE_KEY_ENCRYPTION_KEY`).
    pub key_encryption_key: Option<KeyEncryptionKey>,
    /// The file with the key-encryption key (`IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE`).
    pub key_encryption_key_file: Option<PathBuf>,
    /// The number of failed logins that an account may have in 5 minutes; 0 is no limit
    /// (`IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT`).
    pub attempts_per_account: u32,
    /// The number of failed logins that an address may have in 5 minutes; 0 is no limit
    /// (`IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS`).
    pub attempts_per_address: u32,
    /// The header in which a proxy in front writes the client's address
    /// (`IDENTSPHERE_CLIENT_ADDRESS_HEADER`).
    pub client_address_header: Option<HeaderName>,
    /// The proxies whose header is used. If the list is empty, the header of every connection is
    /// used (`IDENTSPHERE_TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<Network>,
    /// The cost of argon2id (`IDENTSPHERE_PASSWORD_MEMORY_KIB`, `IDENTSPHERE_PASSWORD_ITERATIONS`).
    pub password_cost: PasswordCost,
    /// When a login asks for the second factor (`IDENTSPHERE_SECOND_FACTOR`).
    pub second_factor: SecondFactorMode,
    /// How long ago an administrator may have logged in or shown the second factor for a change of
    /// an account over HTTP; zero is no limit (`IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS`).
    pub admin_max_auth_age: Duration,
    /// The domain that passkeys are bound to (`IDENTSPHERE_PASSKEY_RP_ID`). Without it there are no
    /// passkeys.
    pub passkey_rp_id: Option<String>,
    /// The origins whose pages may use passkeys (`IDENTSPHERE_PASSKEY_ORIGINS`). If the list is
    /// empty, these are the issuer's own and the trusted origins.
    pub passkey_origins: Vec<String>,
    /// How long events are kept in the audit log (`IDENTSPHERE_AUDIT_DAYS`).
    pub audit_retention: Duration,
    /// The domain whose hosts receive the access cookie (`IDENTSPHERE_COOKIE_DOMAIN`).
    pub cookie_domain: Option<String>,
    /// The origins, besides the issuer's own, whose pages may call the issuer with their users'
    /// cookies (`IDENTSPHERE_TRUSTED_ORIGINS`).
    pub trusted_origins: Vec<String>,
    /// Whether anyone may register as a user over HTTP (`IDENTSPHERE_REGISTRATION`).
    pub registration: bool,
    /// Whether a registration must be completed by verifying the address, which is the user's name
    /// (`IDENTSPHERE_ADDRESS_VERIFICATION`).
    pub address_verification: bool,
    /// Delivers messages to users (`IDENTSPHERE_NOTIFIER`). Without one there is no password reset,
    /// no invitation and no address verification.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// The clock; tests replace it.
    pub clock: Arc<dyn Clock>,
}

impl IssuerConfig {
    /// Returns the default settings, with this issuer URL and this SQLite file.
    #[must_use]
    pub fn new(issuer: impl Into<String>, database: impl Into<PathBuf>) -> Self {
        Self {
            issuer: issuer.into(),
            dangerous_http_host: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            metrics_listen: None,
            health_listen: None,
            connections_per_address: 256,
            shutdown_delay: Duration::ZERO,
            database: database.into(),
            database_url: None,
            audiences: Vec::new(),
            narrow_tokens: false,
            access_expiry: Duration::from_secs(900),
            refresh_expiry: Duration::from_secs(30 * 24 * 60 * 60),
            session_max: Duration::from_secs(90 * 24 * 60 * 60),
            refresh_grace: Duration::from_secs(10),
            refreshes_per_session: 300,
            status_list_ttl: Duration::from_secs(60),
            jwks_max_age: Duration::from_secs(300),
            key_rotation: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            clock_skew: Duration::from_secs(60),
            signing_algorithm: None,
            signer: None,
            key_encryption_key: None,
            key_encryption_key_file: None,
            attempts_per_account: 20,
            attempts_per_address: 200,
            client_address_header: None,
            trusted_proxies: Vec::new(),
            password_cost: PasswordCost::default(),
            second_factor: SecondFactorMode::default(),
            admin_max_auth_age: Duration::from_secs(900),
            passkey_rp_id: None,
            passkey_origins: Vec::new(),
            audit_retention: Duration::from_secs(90 * 24 * 60 * 60),
            cookie_domain: None,
            trusted_origins: Vec::new(),
            registration: false,
            address_verification: false,
            notifier: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Returns the settings of the key rotation.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            period: self.key_rotation.map(secs),
            max_age: secs(self.jwks_max_age),
            skew: secs(self.clock_skew),
            token_lifetime: secs(self.access_expiry),
        }
    }

    /// Returns the settings of tokens and status lists.
    pub(crate) fn tokens(&self) -> TokenSettings {
        TokenSettings {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            narrow: self.narrow_tokens,
            access_expiry: self.access_expiry,
            status_list_ttl: self.status_list_ttl,
            clock_skew: self.clock_skew,
            second_factor_required: self.second_factor == SecondFactorMode::Required,
        }
    }

    /// Returns the settings of sessions.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            idle_secs: secs(self.refresh_expiry),
            max_secs: secs(self.session_max),
            grace_secs: secs(self.refresh_grace),
            budget: Budget::new(self.refreshes_per_session),
        }
    }
}
