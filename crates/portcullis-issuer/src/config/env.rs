//! Settings from environment variables, through a look-up function: a test passes a table, because
//! changing the process's environment is unsafe.

use std::path::Path;
use std::str::FromStr;

use super::{CONFIG_VARIABLE, DatabaseUrl, IssuerConfig, PREFIX, SETTINGS};
use crate::domain::keys::KeyEncryptionKey;
use crate::domain::network::NotANetwork;
use crate::error::ConfigError;
use crate::notify;

const AN_ADDRESS: &str = "it must be an IP address and a port, for example 127.0.0.1:8080 or \
                          [::1]:8080 (host names are not looked up)";

impl IssuerConfig {
    /// Reads the settings through `lookup`. White space around a value is ignored, and an empty
    /// value is treated as not set.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a value that cannot be read.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let mut config = Self::new("http://127.0.0.1:8080", "identsphere.db");
        if let Some(issuer) = text("IDENTSPHERE_ISSUER") {
            config.issuer = issuer;
        }
        config.dangerous_http_host = text("IDENTSPHERE_DANGEROUS_HTTP_HOST");
        let file = text("IDENTSPHERE_DATABASE");
        if let Some(url) = text("IDENTSPHERE_DATABASE_URL") {
            // The default path is accepted together with a URL, because many complete lists of settings
            // contain it.
            if file.as_deref().is_some_and(|file| Path::new(file) != config.database) {
                return Err(ConfigError::hidden(
                    "IDENTSPHERE_DATABASE_URL",
                    "is set together with IDENTSPHERE_DATABASE; set only one of them",
                ));
            }
            config.database_url = Some(DatabaseUrl::new(url)?);
        }
        if let Some(path) = file {
            config.database = path.into();
        }
        for (name, list) in [
            ("IDENTSPHERE_AUDIENCES", &mut config.audiences),
            ("IDENTSPHERE_TRUSTED_ORIGINS", &mut config.trusted_origins),
            ("IDENTSPHERE_PASSKEY_ORIGINS", &mut config.passkey_origins),
        ] {
            *list = names(text(name));
        }
        if let Some(address) = read(text, "IDENTSPHERE_LISTEN", AN_ADDRESS)? {
            config.listen = address;
        }
        config.metrics_listen = read(text, "IDENTSPHERE_METRICS_LISTEN", AN_ADDRESS)?;
        config.health_listen = read(text, "IDENTSPHERE_HEALTH_LISTEN", AN_ADDRESS)?;
        for (name, duration) in [
            ("IDENTSPHERE_SHUTDOWN_DELAY_SECS", &mut config.shutdown_delay),
            ("IDENTSPHERE_ACCESS_EXPIRY_SECS", &mut config.access_expiry),
            ("IDENTSPHERE_REFRESH_EXPIRY_SECS", &mut config.refresh_expiry),
            ("IDENTSPHERE_SESSION_MAX_SECS", &mut config.session_max),
            ("IDENTSPHERE_REFRESH_GRACE_SECS", &mut config.refresh_grace),
            ("IDENTSPHERE_STATUS_LIST_TTL_SECS", &mut config.status_list_ttl),
            ("IDENTSPHERE_JWKS_MAX_AGE_SECS", &mut config.jwks_max_age),
            ("IDENTSPHERE_CLOCK_SKEW_SECS", &mut config.clock_skew),
            ("IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS", &mut config.admin_max_auth_age),
        ] {
            if let Some(secs) = read(text, name, "it must be a whole number of seconds")? {
                *duration = std::time::Duration::from_secs(secs);
            }
        }
        let days = "it must be a whole number of days, or 0 to rotate by hand";
        if let Some(days) = read::<u32>(text, "IDENTSPHERE_KEY_ROTATION_DAYS", days)? {
            let period = std::time::Duration::from_secs(u64::from(days) * 86_400);
            config.key_rotation = (days > 0).then_some(period);
        }
        let an_algorithm = "it must be ES256, EdDSA or RS256";
        config.signing_algorithm = read(text, "IDENTSPHERE_SIGNING_ALGORITHM", an_algorithm)?;
        if let Some(key) = text("IDENTSPHERE_KEY_ENCRYPTION_KEY") {
            config.key_encryption_key =
                Some(KeyEncryptionKey::from_base64(&key).ok_or_else(|| {
                    ConfigError::hidden(
                        "IDENTSPHERE_KEY_ENCRYPTION_KEY",
                        "must be the base64 of exactly 32 bytes, as `openssl rand -base64 32` \
                         prints it (the value is not shown here)",
                    )
                })?);
        }
        config.key_encryption_key_file =
            text("IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE").map(Into::into);
        let a_number = "it must be a whole number";
        for (name, limit) in [
            ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT", &mut config.attempts_per_account),
            ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS", &mut config.attempts_per_address),
            ("IDENTSPHERE_REFRESHES_PER_SESSION", &mut config.refreshes_per_session),
            ("IDENTSPHERE_CONNECTIONS_PER_ADDRESS", &mut config.connections_per_address),
        ] {
            if let Some(number) = read(text, name, a_number)? {
                *limit = number;
            }
        }
        let a_header = "it must be the name of a header field, such as X-Forwarded-For";
        config.client_address_header = read(text, "IDENTSPHERE_CLIENT_ADDRESS_HEADER", a_header)?;
        for network in names(text("IDENTSPHERE_TRUSTED_PROXIES")) {
            let network = network.parse().map_err(|error: NotANetwork| {
                ConfigError::new("IDENTSPHERE_TRUSTED_PROXIES", network, error.to_string())
            })?;
            config.trusted_proxies.push(network);
        }
        if let Some(memory) = read(text, "IDENTSPHERE_PASSWORD_MEMORY_KIB", a_number)? {
            config.password_cost.memory_kib = memory;
        }
        if let Some(iterations) = read(text, "IDENTSPHERE_PASSWORD_ITERATIONS", a_number)? {
            config.password_cost.iterations = iterations;
        }
        let a_mode = "it must be off, optional or required";
        if let Some(mode) = read(text, "IDENTSPHERE_SECOND_FACTOR", a_mode)? {
            config.second_factor = mode;
        }
        config.passkey_rp_id = text("IDENTSPHERE_PASSKEY_RP_ID");
        if let Some(days) = read::<u32>(text, "IDENTSPHERE_AUDIT_DAYS", a_number)? {
            config.audit_retention = std::time::Duration::from_secs(u64::from(days) * 86_400);
        }
        config.cookie_domain = text("IDENTSPHERE_COOKIE_DOMAIN");
        for (name, switch) in [
            ("IDENTSPHERE_NARROW_TOKENS", &mut config.narrow_tokens),
            ("IDENTSPHERE_REGISTRATION", &mut config.registration),
            ("IDENTSPHERE_ADDRESS_VERIFICATION", &mut config.address_verification),
        ] {
            *switch = match text(name).as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(other) => return Err(ConfigError::new(name, other, "it must be on or off")),
            };
        }
        if let Some(setting) = text("IDENTSPHERE_NOTIFIER") {
            let secret = text("IDENTSPHERE_NOTIFIER_SECRET");
            config.notifier = Some(notify::from_setting(&setting, secret, &config.issuer)?);
        }
        Ok(config)
    }
}

/// Returns those of `names` that look like settings but are not, each with the most similar setting.
pub(crate) fn unknown_settings(
    names: impl Iterator<Item = String>,
) -> Vec<(String, Option<&'static str>)> {
    names
        .filter(|name| name.starts_with(PREFIX) && name != CONFIG_VARIABLE)
        .filter(|name| SETTINGS.iter().all(|setting| setting.name != name))
        .map(|name| {
            let nearest = SETTINGS
                .iter()
                .map(|setting| (strsim::damerau_levenshtein(setting.name, &name), setting.name))
                .min()
                .filter(|(distance, _)| *distance <= 6)
                .map(|(_, right)| right);
            (name, nearest)
        })
        .collect()
}

/// Reads a list, whose items are separated by commas or white space.
fn names(text: Option<String>) -> Vec<String> {
    let separator = |c: char| c == ',' || c.is_whitespace();
    let text = text.unwrap_or_default();
    text.split(separator).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn read<T: FromStr>(
    text: impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &str,
) -> Result<Option<T>, ConfigError> {
    let Some(value) = text(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| ConfigError::new(name, value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<IssuerConfig, ConfigError> {
        IssuerConfig::from_lookup(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn table_of_settings_has_the_real_defaults() {
        let unset = IssuerConfig::from_lookup(|_| None).unwrap();
        let table = IssuerConfig::from_lookup(|name| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            Some(setting.expect("every setting that is read is in the table").default.to_owned())
        })
        .unwrap();
        let mut shown = [format!("{unset:?}"), format!("{table:?}")];
        // The clocks of the two configurations started at different instants.
        for text in &mut shown {
            text.truncate(text.find("clock").unwrap());
        }
        assert_eq!(shown[0], shown[1]);
        unset.check().unwrap();
    }

    #[test]
    fn values_that_cannot_be_read_are_named() {
        for (name, value, message) in [
            (
                "IDENTSPHERE_LISTEN",
                "localhost:8080",
                "IDENTSPHERE_LISTEN is \"localhost:8080\": it must be an IP address and a port, \
                 for example 127.0.0.1:8080 or [::1]:8080 (host names are not looked up)",
            ),
            (
                "IDENTSPHERE_METRICS_LISTEN",
                "9100",
                "IDENTSPHERE_METRICS_LISTEN is \"9100\": it must be an IP address and a port, for \
                 example 127.0.0.1:8080 or [::1]:8080 (host names are not looked up)",
            ),
            (
                "IDENTSPHERE_ACCESS_EXPIRY_SECS",
                "15m",
                "IDENTSPHERE_ACCESS_EXPIRY_SECS is \"15m\": it must be a whole number of seconds",
            ),
            (
                "IDENTSPHERE_SIGNING_ALGORITHM",
                "HS256",
                "IDENTSPHERE_SIGNING_ALGORITHM is \"HS256\": it must be ES256, EdDSA or RS256",
            ),
            (
                "IDENTSPHERE_TRUSTED_PROXIES",
                "10.0.0.1/8",
                "IDENTSPHERE_TRUSTED_PROXIES is \"10.0.0.1/8\": an IP network is an address, or \
                 the first address of a network and the length of its prefix, such as 10.0.0.0/8",
            ),
            (
                "IDENTSPHERE_REGISTRATION",
                "yes",
                "IDENTSPHERE_REGISTRATION is \"yes\": it must be on or off",
            ),
        ] {
            assert_eq!(with(name, value).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn white_space_around_a_value_does_not_belong_to_it() {
        let all = IssuerConfig::from_lookup(|name| {
            Some(match name {
                "IDENTSPHERE_ISSUER" => " https://auth.example.com\n".to_owned(),
                "IDENTSPHERE_DATABASE" => "\tidentsphere.db ".to_owned(),
                "IDENTSPHERE_REGISTRATION" => "on ".to_owned(),
                _ => " ".to_owned(),
            })
        })
        .unwrap();
        assert_eq!(all.issuer, "https://auth.example.com");
        assert_eq!(all.database, std::path::Path::new("identsphere.db"));
        assert!(all.registration);
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        let error = with("IDENTSPHERE_KEY_ENCRYPTION_KEY", "correct-horse").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");
        assert!(error.to_string().starts_with("IDENTSPHERE_KEY_ENCRYPTION_KEY must be"), "{error}");
    }

    #[test]
    fn audiences_are_separated_by_commas_or_spaces() {
        let config =
            with("IDENTSPHERE_AUDIENCES", "https://a.example, https://b.example\tc").unwrap();
        assert_eq!(config.audiences, ["https://a.example", "https://b.example", "c"]);
    }

    #[test]
    fn misspelt_variable_is_reported_with_the_nearest_setting() {
        let names = [
            "PATH",
            "IDENTSPHERE_ISSUER",
            "IDENTSPHERE_CONFIG",
            "IDENTSPHERE_AUDIENCE",
            "IDENTSPHERE_THE_MOON",
        ];
        let unknown = unknown_settings(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(
            unknown,
            [
                ("IDENTSPHERE_AUDIENCE".to_owned(), Some("IDENTSPHERE_AUDIENCES")),
                ("IDENTSPHERE_THE_MOON".to_owned(), None),
            ]
        );
    }
}
