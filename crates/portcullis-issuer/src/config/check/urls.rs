//! The checks of URLs and domains: the issuer, trusted origins, the cookie domain.

use url::{Host, Url};

use crate::error::ConfigError;

/// Checks the issuer's URL. Verifiers compare it byte for byte, and the well-known paths and
/// cookies belong to a whole host. So it must have no path, trailing slash, default port or
/// capitals. `http_host` is the one host, besides loopback hosts, for which http is allowed.
pub(super) fn check_issuer(value: &str, http_host: Option<&str>) -> Result<Url, ConfigError> {
    let is_host = |host: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
        let url = Url::parse(&format!("http://{host}"));
        host.chars().all(plain) && url.is_ok_and(|url| url.host_str() == Some(host))
    };
    if let Some(wrong) = http_host.filter(|host| !is_host(host)) {
        let expected = "it must be one host in small letters, without a port, for example issuer";
        return Err(ConfigError::new("IDENTSPHERE_DANGEROUS_HTTP_HOST", wrong, expected));
    }
    check_origin("IDENTSPHERE_ISSUER", value, "https://auth.example.com", http_host)
}

/// Checks an origin: scheme and host, as a browser writes them in `Origin`.
pub(super) fn check_origin(
    name: &'static str,
    value: &str,
    example: &str,
    http_host: Option<&str>,
) -> Result<Url, ConfigError> {
    let wrong = |expected: String| ConfigError::new(name, value, expected);
    let example = format!("for example {example}");
    if value.contains('*') {
        return Err(wrong(format!("wildcards are not supported; list each origin, {example}")));
    }
    let url = Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        .ok_or_else(|| wrong(format!("it must be an https URL, {example}")))?;
    let may_be_http =
        is_loopback(&url) || http_host.is_some_and(|host| url.host_str() == Some(host));
    if url.scheme() == "http" && !may_be_http {
        return Err(wrong(format!(
            "http is accepted on a loopback host only (127.0.0.1, [::1], localhost); use https, \
             {example}"
        )));
    }
    let origin = url.origin().ascii_serialization();
    if origin != value {
        return Err(wrong(format!("it must be scheme and host only: {origin}")));
    }
    Ok(url)
}

/// Returns whether verifiers fetch this host's keys without TLS. `*.localhost` is excluded: the
/// resolver decides whether such a name leaves the machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Checks the cookie domain: a browser drops a cookie whose domain does not cover the host that
/// sets it (RFC 6265 section 5.3).
pub(super) fn check_cookie_domain(domain: &str, issuer: &Url) -> Result<(), ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IssuerConfig;
    use crate::config::check::tests::refused;

    #[test]
    fn an_issuer_is_an_https_origin() {
        for right in ["https://a.example", "https://a.example:8443", "http://[::1]:80801"] {
            assert_eq!(check_issuer(right, None).is_ok(), right != "http://[::1]:80801", "{right}");
        }
        for right in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080"] {
            assert!(check_issuer(right, None).is_ok(), "{right}");
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
    fn only_the_named_host_may_have_http() {
        let mut config = IssuerConfig::new("http://issuer:8080", "identsphere.db");
        assert!(config.check().unwrap_err().to_string().contains("loopback host only"));
        config.dangerous_http_host = Some("issuer".to_owned());
        config.check().unwrap();
        for (issuer, host) in [("http://issuer.example:8080", "issuer"), ("http://b", "a")] {
            config.issuer = issuer.to_owned();
            config.dangerous_http_host = Some(host.to_owned());
            assert!(config.check().unwrap_err().to_string().contains("loopback host only"));
        }
        // The setting applies only to the issuer's URL. It does not make pages of that host trusted.
        config.issuer = "http://issuer:8080".to_owned();
        config.dangerous_http_host = Some("issuer".to_owned());
        config.trusted_origins = vec!["http://issuer:3000".to_owned()];
        assert_eq!(config.check().unwrap_err().name(), "IDENTSPHERE_TRUSTED_ORIGINS");
        for wrong in ["*", "issuer:8080", "http://issuer", "Issuer", "a/b", "a b", "user@issuer"] {
            config.dangerous_http_host = Some(wrong.to_owned());
            let error = config.check().unwrap_err();
            assert_eq!(error.name(), "IDENTSPHERE_DANGEROUS_HTTP_HOST", "{wrong}");
        }
    }

    #[test]
    fn trusted_origin_with_a_wildcard_or_path_is_rejected() {
        let with =
            |origin: &str| refused(|config| config.trusted_origins = vec![origin.to_owned()]);
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        for right in ["https://app.example.com", "http://localhost:3000", "https://[::1]:8443"] {
            config.trusted_origins = vec![right.to_owned()];
            config.check().unwrap();
        }
        for (wrong, hint) in [
            ("*", "wildcards are not supported; list each origin, for example https://app"),
            ("null", "it must be an https URL, for example https://app.example.com"),
            ("app.example.com", "it must be an https URL, for example https://app.example.com"),
            ("https://*.example.com", "wildcards are not supported; list each origin"),
            ("http://app.example.com", "http is accepted on a loopback host only"),
            ("https://app.example.com/", "scheme and host only: https://app.example.com"),
            ("https://app.example.com:443", "scheme and host only: https://app.example.com"),
        ] {
            let message = with(wrong);
            assert!(message.starts_with("IDENTSPHERE_TRUSTED_ORIGINS is "), "{message}");
            assert!(message.contains(&format!("{wrong:?}")) && message.contains(hint), "{message}");
        }
    }

    #[test]
    fn cookie_domain_that_does_not_cover_the_issuer_is_rejected() {
        for right in ["example.com", "auth.example.com"] {
            let issuer = check_issuer("https://auth.example.com", None).unwrap();
            assert!(check_cookie_domain(right, &issuer).is_ok(), "{right}");
        }
        for wrong in [".example.com", "com", "ample.com", "example.com; Path=/", "EXAMPLE.com"] {
            refused(|config| config.cookie_domain = Some(wrong.to_owned()));
        }
    }
}
