//! Warnings about settings that are valid, but probably not what the operator wants.

use url::{Host, Url};

use super::IssuerConfig;

impl IssuerConfig {
    /// Returns a warning for each setting that probably has an unwanted effect.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        warnings.extend(self.missing_client_address());
        let issuer = Url::parse(&self.issuer).ok();
        for origin in &self.trusted_origins {
            let site = issuer.as_ref().zip(Url::parse(origin).ok());
            if site.is_some_and(|(issuer, origin)| !is_same_site(issuer, &origin)) {
                warnings.push(format!(
                    "IDENTSPHERE_TRUSTED_ORIGINS has {origin}, which is not the same site as \
                     IDENTSPHERE_ISSUER ({}): browsers do not send the refresh cookie from its \
                     pages, so their users must log in again whenever an access token expires. \
                     Serve both under one registrable domain, with the same scheme",
                    self.issuer
                ));
            }
        }
        warnings
    }

    /// Returns a warning if the clients' addresses are unknown: the issuer does not serve TLS
    /// itself, so with an https URL it is behind a proxy.
    fn missing_client_address(&self) -> Option<String> {
        let behind_a_proxy = self.issuer.starts_with("https:");
        (behind_a_proxy && self.client_address_header.is_none()).then(|| {
            format!(
                "IDENTSPHERE_ISSUER is {}, so requests come through a proxy, but \
                 IDENTSPHERE_CLIENT_ADDRESS_HEADER is not set: all clients have the proxy's address, \
                 and after {} wrong passwords from any of them all logins are rejected. Set it to \
                 the header in which the proxy writes the client's address",
                self.issuer, self.attempts_per_address
            )
        })
    }
}

/// Returns whether browsers send `SameSite=Strict` cookies of `issuer` from pages of `origin`: both
/// must have the same scheme and the same registrable domain (RFC 6265bis §5.2). Hosts without a
/// registrable domain, such as IP addresses, must be equal.
fn is_same_site(issuer: &Url, origin: &Url) -> bool {
    if issuer.scheme() != origin.scheme() {
        return false;
    }
    match (issuer.host(), origin.host()) {
        (Some(Host::Domain(issuer)), Some(Host::Domain(origin))) => {
            issuer == origin
                || psl::domain_str(issuer)
                    .is_some_and(|domain| psl::domain_str(origin) == Some(domain))
        }
        (issuer, origin) => issuer == origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(issuer: &str, change: impl FnOnce(&mut IssuerConfig)) -> Vec<String> {
        let mut config = IssuerConfig::new(issuer, "identsphere.db");
        config.client_address_header = Some(axum::http::HeaderName::from_static("x-real-ip"));
        change(&mut config);
        config.warnings()
    }

    #[test]
    fn https_without_a_client_address_header_is_warned_about() {
        let https = warnings("https://auth.example.com", |config| {
            config.client_address_header = None;
        });
        assert_eq!(https.len(), 1);
        assert!(https[0].contains("IDENTSPHERE_CLIENT_ADDRESS_HEADER is not set"), "{https:?}");
        assert!(https[0].contains("200 wrong passwords"), "{https:?}");
        assert!(warnings("https://auth.example.com", |_| ()).is_empty());
        let local = |config: &mut IssuerConfig| config.client_address_header = None;
        assert!(warnings("http://127.0.0.1:8080", local).is_empty());
    }

    #[test]
    fn trusted_origin_of_another_site_is_warned_about() {
        for (issuer, origin, same) in [
            ("https://auth.example.com", "https://app.example.com", true),
            ("https://auth.example.com", "https://example.com:8443", true),
            ("https://auth.example.co.uk", "https://app.example.co.uk", true),
            ("https://auth.example.co.uk", "https://app.other.co.uk", false),
            ("https://one.github.io", "https://two.github.io", false),
            ("https://auth.example.com", "https://app.example.org", false),
            ("http://localhost:8080", "http://localhost:3000", true),
            ("http://127.0.0.1:8080", "http://127.0.0.1:3000", true),
            ("http://127.0.0.1:8080", "http://localhost:3000", false),
            ("https://localhost", "http://localhost:3000", false),
        ] {
            let warnings =
                warnings(issuer, |config| config.trusted_origins = vec![origin.to_owned()]);
            assert_eq!(warnings.is_empty(), same, "{issuer} {origin}: {warnings:?}");
            assert!(warnings.iter().all(|text| text.contains(issuer) && text.contains(origin)));
        }
    }
}
