//! Rejects wrong settings, as far as they can be checked without the file system.

mod edge;
mod passkeys;
mod urls;

use std::time::Duration;

use self::urls::{check_cookie_domain, check_issuer, check_origin};
use super::{IssuerConfig, PasswordCost};
use crate::clock::secs;
use crate::error::ConfigError;

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl IssuerConfig {
    /// Checks all settings, without access to the file system.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let issuer = check_issuer(&self.issuer, self.dangerous_http_host.as_deref())?;
        for audience in &self.audiences {
            if audience.is_empty() || audience.contains(char::is_whitespace) {
                let expected = "each audience must be a name without white space";
                return Err(ConfigError::new("IDENTSPHERE_AUDIENCES", audience, expected));
            }
        }
        self.check_listeners()?;
        self.check_proxies()?;
        if self.shutdown_delay.as_secs() > 300 {
            return Err(ConfigError::new(
                "IDENTSPHERE_SHUTDOWN_DELAY_SECS",
                self.shutdown_delay.as_secs(),
                "it must be from 0 to 300",
            ));
        }
        for origin in &self.trusted_origins {
            let example = "https://app.example.com";
            check_origin("IDENTSPHERE_TRUSTED_ORIGINS", origin, example, None)?;
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
        if self.refresh_grace.as_secs() > 60 {
            return Err(ConfigError::new(
                "IDENTSPHERE_REFRESH_GRACE_SECS",
                self.refresh_grace.as_secs(),
                "it must be from 0 to 60: for this long, a thief can use a stolen token",
            ));
        }
        if !(5..=86_400).contains(&self.status_list_ttl.as_secs()) {
            return Err(ConfigError::new(
                "IDENTSPHERE_STATUS_LIST_TTL_SECS",
                self.status_list_ttl.as_secs(),
                "it must be from 5 to 86400",
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
        let age = self.admin_max_auth_age.as_secs();
        if age != 0 && !(60..=86_400).contains(&age) {
            return Err(ConfigError::new(
                "IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS",
                age,
                "it must be from 60 to 86400, or 0 for no limit",
            ));
        }
        if self.address_verification && self.notifier.is_none() {
            return Err(ConfigError::new(
                "IDENTSPHERE_ADDRESS_VERIFICATION",
                "on",
                "it needs IDENTSPHERE_NOTIFIER, which delivers the tokens",
            ));
        }
        self.relying_party()?;
        self.check_key_rotation()?;
        check_password_cost(self.password_cost)?;
        let days = self.audit_retention.as_secs() / 86_400;
        if !(1..=3650).contains(&days) {
            return Err(ConfigError::new("IDENTSPHERE_AUDIT_DAYS", days, "it must be 1 to 3650"));
        }
        if self.key_encryption_key.is_some() && self.key_encryption_key_file.is_some() {
            return Err(ConfigError::hidden(
                "IDENTSPHERE_KEY_ENCRYPTION_KEY",
                "is set together with IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE; set only one of them",
            ));
        }
        self.check_database(cfg!(feature = "postgres"))?;
        let has_key = self.key_encryption_key.is_some() || self.key_encryption_key_file.is_some();
        if self.database_url.is_some() && !has_key {
            return Err(ConfigError::hidden(
                "IDENTSPHERE_KEY_ENCRYPTION_KEY",
                "is not set. All issuer processes on one PostgreSQL database need the same key: \
                 create it once (openssl rand -base64 32), keep it apart from the database's \
                 backups, and set this variable or IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE",
            ));
        }
        match &self.cookie_domain {
            Some(domain) if self.narrow_tokens => Err(ConfigError::new(
                "IDENTSPHERE_COOKIE_DOMAIN",
                domain,
                "a cookie for several hosts has one token for all of them, but \
                 IDENTSPHERE_NARROW_TOKENS is on; set only one of these two settings",
            )),
            Some(domain) => check_cookie_domain(domain, &issuer),
            None => Ok(()),
        }
    }

    fn check_database(&self, has_postgres: bool) -> Result<(), ConfigError> {
        if self.database_url.is_some() && !has_postgres {
            return Err(ConfigError::hidden(
                "IDENTSPHERE_DATABASE_URL",
                "needs the feature `postgres` of portcullis-issuer, which this program was built without",
            ));
        }
        Ok(())
    }

    /// Rejects a rotation period that is too short. With such a period, keys would sign before
    /// every verifier can have them, or be withdrawn before the tokens that they signed have
    /// expired.
    fn check_key_rotation(&self) -> Result<(), ConfigError> {
        let Some(period) = self.key_rotation else { return Ok(()) };
        let (least, sum) = self.schedule().least_period();
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

/// Rejects a cost below OWASP's recommendations. The limits are those of the cheapest alternative
/// in <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>, by memory
/// and by memory times iterations.
fn check_password_cost(cost: PasswordCost) -> Result<(), ConfigError> {
    let PasswordCost { memory_kib, iterations } = cost;
    if !(7168..=1_048_576).contains(&memory_kib) {
        let expected = "it must be from 7168 to 1048576";
        return Err(ConfigError::new("IDENTSPHERE_PASSWORD_MEMORY_KIB", memory_kib, expected));
    }
    if iterations > 100 || memory_kib.saturating_mul(iterations) < 35_840 {
        let least = 35_840_u32.div_ceil(memory_kib);
        return Err(ConfigError::new(
            "IDENTSPHERE_PASSWORD_ITERATIONS",
            iterations,
            format!("with {memory_kib} KiB it must be from {least} to 100"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::header::FORWARDED;

    use super::*;
    use crate::config::DatabaseUrl;
    use crate::domain::keys::KeyEncryptionKey;

    pub(super) fn refused(change: impl FnOnce(&mut IssuerConfig)) -> String {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.check().unwrap();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn error_for_a_wrong_value_names_the_valid_ones() {
        let day = Duration::from_secs(86_400);
        for (message, expected) in [
            (
                refused(|config| config.access_expiry = Duration::ZERO),
                "IDENTSPHERE_ACCESS_EXPIRY_SECS is \"0\": it must be a whole number of seconds \
                 from 1 to 86400",
            ),
            (
                refused(|config| config.metrics_listen = Some(config.listen)),
                "IDENTSPHERE_METRICS_LISTEN is \"127.0.0.1:8080\": it must not be the \
                 address of IDENTSPHERE_LISTEN: metrics are for operators only",
            ),
            (
                refused(|config| config.health_listen = Some(config.listen)),
                "IDENTSPHERE_HEALTH_LISTEN is \"127.0.0.1:8080\": it must not be the address of \
                 IDENTSPHERE_LISTEN",
            ),
            (
                refused(|config| config.connections_per_address = 0),
                "IDENTSPHERE_CONNECTIONS_PER_ADDRESS is \"0\": it must be from 1 to 896",
            ),
            (
                refused(|config| config.client_address_header = Some(FORWARDED)),
                "IDENTSPHERE_CLIENT_ADDRESS_HEADER is \"forwarded\": the elements of RFC 7239 are \
                 not supported; name a header that has addresses only, such as X-Forwarded-For",
            ),
            (
                refused(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]),
                "IDENTSPHERE_TRUSTED_PROXIES is set without IDENTSPHERE_CLIENT_ADDRESS_HEADER; name \
                 the header in which these proxies write the client's address",
            ),
            (
                refused(|config| config.shutdown_delay = Duration::from_secs(301)),
                "IDENTSPHERE_SHUTDOWN_DELAY_SECS is \"301\": it must be from 0 to 300",
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
                refused(|config| config.status_list_ttl = day * 2),
                "IDENTSPHERE_STATUS_LIST_TTL_SECS is \"172800\": it must be from 5 to 86400",
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
                refused(|config| config.admin_max_auth_age = Duration::from_secs(59)),
                "IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS is \"59\": it must be from 60 to 86400, or 0 \
                 for no limit",
            ),
            (
                refused(|config| config.address_verification = true),
                "IDENTSPHERE_ADDRESS_VERIFICATION is \"on\": it needs IDENTSPHERE_NOTIFIER, which \
                 delivers the tokens",
            ),
            (
                refused(|config| config.refresh_grace = Duration::from_secs(61)),
                "IDENTSPHERE_REFRESH_GRACE_SECS is \"61\": it must be from 0 to 60: for this long, \
                 a thief can use a stolen token",
            ),
            (
                refused(|config| config.password_cost.iterations = 1),
                "IDENTSPHERE_PASSWORD_ITERATIONS is \"1\": with 19456 KiB it must be from 2 to 100",
            ),
            (
                refused(|config| config.password_cost.memory_kib = 4096),
                "IDENTSPHERE_PASSWORD_MEMORY_KIB is \"4096\": it must be from 7168 to 1048576",
            ),
            (
                refused(|config| config.audit_retention = Duration::ZERO),
                "IDENTSPHERE_AUDIT_DAYS is \"0\": it must be 1 to 3650",
            ),
            (
                refused(|config| {
                    let url = "postgres://issuer@localhost/issuer";
                    config.database_url = Some(DatabaseUrl::new(url).unwrap());
                }),
                "IDENTSPHERE_KEY_ENCRYPTION_KEY is not set. All issuer processes on one PostgreSQL \
                 database need the same key: create it once (openssl rand -base64 32), keep it \
                 apart from the database's backups, and set this variable or \
                 IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE",
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
    fn postgres_url_needs_the_feature() {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        assert!(config.check_database(false).is_ok());
        config.database_url = DatabaseUrl::new("postgres://issuer@localhost/issuer").ok();
        assert!(config.check_database(true).is_ok());
        let error = config.check_database(false).unwrap_err().to_string();
        assert!(
            error.starts_with("IDENTSPHERE_DATABASE_URL ") && error.contains("`postgres`"),
            "{error}"
        );
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
