//! The issuer's settings: one table of names, one struct of values, one place that checks them, and
//! two sources, variables and a file.

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

/// The number of connections of all clients together: below the 1,024 files that a process may
/// usually open, and above what one issuer has to do.
pub(crate) const MAX_CONNECTIONS: u32 = 896;

/// The issuer's settings. Checked by [`Issuer::open`](crate::Issuer::open).
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
    /// The issuer's own URL, exactly as it stands in every token (`IDENTSPHERE_ISSUER`).
    pub issuer: String,
    /// The one host, besides loopback hosts, that `issuer` may have with http: everyone on the network
    /// between can read passwords and tokens (`IDENTSPHERE_DANGEROUS_HTTP_HOST`).
    pub dangerous_http_host: Option<String>,
    /// Where the binary listens (`IDENTSPHERE_LISTEN`).
    pub listen: SocketAddr,
    /// Where the binary serves metrics, if anywhere (`IDENTSPHERE_METRICS_LISTEN`).
    pub metrics_listen: Option<SocketAddr>,
    /// Where the binary answers health probes besides [`listen`](Self::listen), if anywhere
    /// (`IDENTSPHERE_HEALTH_LISTEN`).
    pub health_listen: Option<SocketAddr>,
    /// The number of connections that one client address may have open
    /// (`IDENTSPHERE_CONNECTIONS_PER_ADDRESS`).
    pub connections_per_address: u32,
    /// How long it goes on serving when it is told to stop (`IDENTSPHERE_SHUTDOWN_DELAY_SECS`).
    pub shutdown_delay: Duration,
    /// The SQLite file (`IDENTSPHERE_DATABASE`).
    pub database: PathBuf,
    /// The PostgreSQL database instead of that file (`IDENTSPHERE_DATABASE_URL`).
    pub database_url: Option<DatabaseUrl>,
    /// Who else the tokens are meant for (`IDENTSPHERE_AUDIENCES`).
    pub audiences: Vec<String>,
    /// Whether a user's token is for the issuer alone unless its client names other resources
    /// (`IDENTSPHERE_NARROW_TOKENS`).
    pub narrow_tokens: bool,
    /// Lifetime of an access token, in whole seconds (`IDENTSPHERE_ACCESS_EXPIRY_SECS`).
    pub access_expiry: Duration,
    /// How long an unused session lives (`IDENTSPHERE_REFRESH_EXPIRY_SECS`).
    pub refresh_expiry: Duration,
    /// How long a session lives however much it is used (`IDENTSPHERE_SESSION_MAX_SECS`).
    pub session_max: Duration,
    /// How long a refresh may be asked again (`IDENTSPHERE_REFRESH_GRACE_SECS`).
    pub refresh_grace: Duration,
    /// How many refreshes a session has in 5 minutes; any number if it is 0
    /// (`IDENTSPHERE_REFRESHES_PER_SESSION`).
    pub refreshes_per_session: u32,
    /// How long a status list may be kept before it is fetched again
    /// (`IDENTSPHERE_STATUS_LIST_TTL_SECS`).
    pub status_list_ttl: Duration,
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
    /// Has the private keys that are made from now on, elsewhere: only from code.
    pub signer: Option<Arc<dyn Signer>>,
    /// What encrypts signing keys at rest (`IDENTSPHERE_KEY_ENCRYPTION_KEY`).
    pub key_encryption_key: Option<KeyEncryptionKey>,
    /// The file that holds it (`IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE`).
    pub key_encryption_key_file: Option<PathBuf>,
    /// How many failed logins an account has in 5 minutes; any number if it is 0
    /// (`IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT`).
    pub attempts_per_account: u32,
    /// The same of an address (`IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS`).
    pub attempts_per_address: u32,
    /// The header in which a proxy in front writes the client's address
    /// (`IDENTSPHERE_CLIENT_ADDRESS_HEADER`).
    pub client_address_header: Option<HeaderName>,
    /// The proxies whose header counts; every connection's if it is empty
    /// (`IDENTSPHERE_TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<Network>,
    /// What argon2id costs (`IDENTSPHERE_PASSWORD_MEMORY_KIB`, `IDENTSPHERE_PASSWORD_ITERATIONS`).
    pub password_cost: PasswordCost,
    /// When a login asks for the second factor (`IDENTSPHERE_SECOND_FACTOR`).
    pub second_factor: SecondFactorMode,
    /// How long the audit log is kept (`IDENTSPHERE_AUDIT_DAYS`).
    pub audit_retention: Duration,
    /// Which hosts receive the access cookie (`IDENTSPHERE_COOKIE_DOMAIN`).
    pub cookie_domain: Option<String>,
    /// Whose pages may call the issuer with their users' cookies, besides its own
    /// (`IDENTSPHERE_TRUSTED_ORIGINS`).
    pub trusted_origins: Vec<String>,
    /// Whether anybody may make a user over HTTP (`IDENTSPHERE_REGISTRATION`).
    pub registration: bool,
    /// Whether registration waits until the user has proven an address, which is the user's name
    /// (`IDENTSPHERE_ADDRESS_VERIFICATION`).
    pub address_verification: bool,
    /// Delivers messages to users (`IDENTSPHERE_NOTIFIER`). Without one there is no password reset,
    /// no invitation and no address verification.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl IssuerConfig {
    /// The defaults, for this issuer URL and this SQLite file.
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
            audit_retention: Duration::from_secs(90 * 24 * 60 * 60),
            cookie_domain: None,
            trusted_origins: Vec::new(),
            registration: false,
            address_verification: false,
            notifier: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The settings of the key rotation.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            period: self.key_rotation.map(secs),
            max_age: secs(self.jwks_max_age),
            skew: secs(self.clock_skew),
            token_lifetime: secs(self.access_expiry),
        }
    }

    /// The settings of tokens and status lists.
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

    /// The settings of sessions.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            idle_secs: secs(self.refresh_expiry),
            max_secs: secs(self.session_max),
            grace_secs: secs(self.refresh_grace),
            budget: Budget::new(self.refreshes_per_session),
        }
    }
}
