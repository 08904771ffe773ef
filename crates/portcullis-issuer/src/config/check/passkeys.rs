//! The checks of the settings of passkeys. A wrong value would make every ceremony fail in the
//! browser.

use url::{Host, Url};

use super::urls::check_origin;
use crate::config::IssuerConfig;
use crate::domain::passkeys::RelyingParty;
use crate::error::ConfigError;

const RP_ID: &str = "IDENTSPHERE_PASSKEY_RP_ID";
const ORIGINS: &str = "IDENTSPHERE_PASSKEY_ORIGINS";

impl IssuerConfig {
    /// Returns the WebAuthn relying party, or `None` if passkeys are off.
    pub(crate) fn relying_party(&self) -> Result<Option<RelyingParty>, ConfigError> {
        let Some(id) = &self.passkey_rp_id else {
            return match self.passkey_origins.first() {
                Some(origin) => Err(ConfigError::new(
                    ORIGINS,
                    origin,
                    format!("it has no effect without {RP_ID}; set that, too"),
                )),
                None => Ok(None),
            };
        };
        check_domain(id)?;
        let own = std::iter::once(&self.issuer).chain(&self.trusted_origins);
        let (origins, name): (Vec<_>, _) = if self.passkey_origins.is_empty() {
            (own.collect(), RP_ID)
        } else {
            (self.passkey_origins.iter().collect(), ORIGINS)
        };
        let origins = origins.into_iter().map(|origin| check_page(name, origin, id));
        Ok(Some(RelyingParty { id: id.clone(), origins: origins.collect::<Result<_, _>>()? }))
    }
}

/// Rejects a text that is not a domain, and a domain below which anyone can register another one:
/// browsers accept neither (WebAuthn level 3, section 5.1.3).
fn check_domain(id: &str) -> Result<(), ConfigError> {
    let wrong = |expected: &str| Err(ConfigError::new(RP_ID, id, expected));
    let url = Url::parse(&format!("https://{id}")).ok();
    let is_host = url.as_ref().is_some_and(|url| {
        matches!(url.host(), Some(Host::Domain(_))) && url.host_str() == Some(id)
    });
    if !is_host || id.starts_with('.') || id.ends_with('.') {
        return wrong(
            "it must be a domain in small letters, without a scheme and a port, for example \
             example.com (or localhost; not an IP address)",
        );
    }
    let is_shared = psl::suffix(id.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == id.as_bytes());
    if is_shared {
        return wrong(
            "anyone can register a domain below it, so browsers reject it; name your own domain, \
             for example example.com",
        );
    }
    Ok(())
}

/// Rejects an origin whose pages could not use a passkey of this domain. `name` is the setting to
/// change.
fn check_page(name: &'static str, origin: &str, id: &str) -> Result<Url, ConfigError> {
    let is_within = |host: &str| {
        host == id || host.strip_suffix(id).is_some_and(|prefix| prefix.ends_with('.'))
    };
    let url = check_origin(ORIGINS, origin, "https://app.example.com", None)?;
    match url.host() {
        Some(Host::Domain(host)) if is_within(host) => Ok(url),
        _ if name == ORIGINS => Err(ConfigError::new(
            ORIGINS,
            origin,
            format!(
                "browsers use a passkey only on pages of its domain and the domains below it: \
                 name origins within {RP_ID} ({id}), such as https://{id}"
            ),
        )),
        _ => Err(ConfigError::new(
            RP_ID,
            id,
            format!(
                "browsers use a passkey only on pages of its domain and the domains below it, and \
                 {origin} is not within {id}. Name a parent domain of IDENTSPHERE_ISSUER and \
                 IDENTSPHERE_TRUSTED_ORIGINS, or list the pages with passkeys in {ORIGINS}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::tests::refused;

    fn with(id: &str, origins: &[&str]) -> IssuerConfig {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.passkey_rp_id = Some(id.to_owned());
        config.passkey_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        config
    }

    #[test]
    fn origins_are_the_issuer_and_the_trusted_origins_unless_they_are_listed() {
        let mut config = with("example.com", &[]);
        config.trusted_origins = vec!["https://app.example.com:8443".to_owned()];
        let origins = |config: &IssuerConfig| {
            let party = config.relying_party().unwrap().unwrap();
            party.webauthn().unwrap().get_allowed_origins().to_vec()
        };
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(
            origins(&config),
            [url("https://auth.example.com"), url("https://app.example.com:8443")]
        );
        config.passkey_origins = vec!["https://login.example.com".to_owned()];
        assert_eq!(origins(&config), [url("https://login.example.com")]);
        config.check().unwrap();
        with("auth.example.com", &[]).check().unwrap();
        assert_eq!(IssuerConfig::new("http://localhost", "a.db").relying_party().unwrap(), None);
        let mut local = IssuerConfig::new("http://localhost:8080", "identsphere.db");
        local.passkey_rp_id = Some("localhost".to_owned());
        local.check().unwrap();
    }

    #[test]
    fn rp_id_that_browsers_would_reject_is_named_with_a_right_one() {
        let a_domain = "it must be a domain in small letters, without a scheme and a port, for \
                        example example.com (or localhost; not an IP address)";
        let shared = "anyone can register a domain below it, so browsers reject it; name your own \
                      domain, for example example.com";
        for (id, expected) in [
            ("https://example.com", a_domain),
            ("example.com:443", a_domain),
            ("Example.com", a_domain),
            ("example.com.", a_domain),
            (".example.com", a_domain),
            ("127.0.0.1", a_domain),
            ("[::1]", a_domain),
            ("a b", a_domain),
            ("com", shared),
            ("co.uk", shared),
            ("github.io", shared),
        ] {
            let message = refused(|config| config.passkey_rp_id = Some(id.to_owned()));
            assert_eq!(message, format!("IDENTSPHERE_PASSKEY_RP_ID is {id:?}: {expected}"));
        }
        let message = refused(|config| config.passkey_rp_id = Some("ample.com".to_owned()));
        assert_eq!(
            message,
            "IDENTSPHERE_PASSKEY_RP_ID is \"ample.com\": browsers use a passkey only on pages of \
             its domain and the domains below it, and https://auth.example.com is not within \
             ample.com. Name a parent domain of IDENTSPHERE_ISSUER and IDENTSPHERE_TRUSTED_ORIGINS, \
             or list the pages with passkeys in IDENTSPHERE_PASSKEY_ORIGINS"
        );
        let mut config = with("auth.example.com", &[]);
        config.trusted_origins = vec!["https://app.example.com".to_owned()];
        let message = config.check().unwrap_err().to_string();
        assert!(message.contains("https://app.example.com is not within"), "{message}");
    }

    #[test]
    fn origin_outside_of_the_rp_id_is_named() {
        let message = with("example.com", &["https://app.example.org"]).check().unwrap_err();
        assert_eq!(
            message.to_string(),
            "IDENTSPHERE_PASSKEY_ORIGINS is \"https://app.example.org\": browsers use a passkey \
             only on pages of its domain and the domains below it: name origins within \
             IDENTSPHERE_PASSKEY_RP_ID (example.com), such as https://example.com"
        );
        for wrong in ["https://badexample.com", "https://example.com/login", "http://example.com"] {
            let error = with("example.com", &[wrong]).check().unwrap_err();
            assert_eq!(error.name(), "IDENTSPHERE_PASSKEY_ORIGINS", "{error}");
        }
        let message = refused(|config| {
            config.passkey_origins = vec!["https://auth.example.com".to_owned()];
        });
        assert_eq!(
            message,
            "IDENTSPHERE_PASSKEY_ORIGINS is \"https://auth.example.com\": it has no effect without \
             IDENTSPHERE_PASSKEY_RP_ID; set that, too"
        );
    }
}
