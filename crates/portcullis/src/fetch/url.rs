//! The URLs that keys may be fetched from.

use std::net::Ipv6Addr;

use ::url::{Host, Url};

use super::reach::Reach;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UrlPolicy {
    /// The only host besides the loopback interface that may be fetched from over plain http.
    pub(crate) http_host: Option<Host>,
    /// The hosts that metadata may point to, besides its own; any host if `None`.
    pub(crate) key_hosts: Option<&'static [&'static str]>,
    /// The addresses that connections may be made to.
    pub(crate) reach: Reach,
}

impl UrlPolicy {
    /// Returns whether a response from `url` can be trusted to be from its host: https, or plain
    /// http to the loopback interface or to the explicitly allowed host.
    ///
    /// URLs with a user name or password are rejected, since these would end up in logs and error
    /// messages.
    pub(crate) fn allows(&self, url: &Url) -> bool {
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        match url.scheme() {
            "https" => url.host().is_some(),
            "http" => is_loopback(url) || self.allows_http_host(url),
            _ => false,
        }
    }

    /// Returns whether the metadata at `metadata` may point to keys at `url`.
    pub(crate) fn leads(&self, metadata: &Url, url: &Url) -> bool {
        let Some(hosts) = self.key_hosts else { return true };
        let host = url.host_str();
        host == metadata.host_str() || host.is_some_and(|host| hosts.contains(&host))
    }

    fn allows_http_host(&self, url: &Url) -> bool {
        let allowed = self.http_host.as_ref();
        allowed.is_some() && url.host().map(|host| host.to_owned()).as_ref() == allowed
    }
}

/// Parses a host: a domain or an address, IPv6 with or without brackets. Returns `None` for
/// anything else.
pub(crate) fn parse_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(Host::Ipv6(address));
    }
    // The host is parsed as part of a URL, so that it compares equal to the host of a URL.
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.ends_with(['/', '\\'])
        && !text.rsplit(']').next().unwrap_or(text).contains([':', '@']);
    url.host().map(|host| host.to_owned()).filter(|_| is_bare)
}

/// Returns whether `url` names the loopback interface: `localhost`, 127.0.0.0/8 or `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_allowed_for_any_host_and_http_for_loopback() {
        for (url, secure) in [
            ("https://issuer.example/keys", true),
            ("http://localhost:8080/keys", true),
            ("http://127.8.9.10/", true),
            ("http://[::1]:1/", true),
            ("http://issuer.example/keys", false),
            ("http://localhost.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://0.0.0.0/", false),
            ("http://10.0.0.1/", false),
            ("https://user@issuer.example/", false),
            ("https://:password@issuer.example/", false),
            ("file:///etc/keys", false),
            ("ftp://localhost/", false),
            ("data:application/json,{}", false),
        ] {
            let policy = UrlPolicy::default();
            assert_eq!(policy.allows(&Url::parse(url).unwrap()), secure, "{url}");
        }
    }

    #[test]
    fn allow_http_host_permits_plain_http_for_that_host() {
        let policy =
            UrlPolicy { http_host: parse_host("Keycloak.internal"), ..UrlPolicy::default() };
        for (url, allowed) in [
            ("http://keycloak.internal:8080/keys", true),
            ("http://keycloak.internal.evil.example/", false),
            ("http://other.internal/", false),
            ("http://user@keycloak.internal/", false),
            ("ftp://keycloak.internal/", false),
        ] {
            assert_eq!(policy.allows(&Url::parse(url).unwrap()), allowed, "{url}");
        }
    }

    #[test]
    fn allow_http_host_matches_an_address_in_every_notation() {
        for (text, url) in [
            ("fd00::1", "http://[fd00::1]:8080/keys"),
            ("[fd00::1]", "http://[fd00::1]/keys"),
            ("FD00:0:0::0001", "http://[fd00::1]/keys"),
            ("10.0.0.7", "http://10.0.0.7:8080/keys"),
        ] {
            let policy = UrlPolicy { http_host: parse_host(text), ..UrlPolicy::default() };
            assert!(policy.allows(&Url::parse(url).unwrap()), "{text}");
            assert!(!policy.allows(&Url::parse("http://[fd00::2]/").unwrap()), "{text}");
        }
        for text in [
            "",
            " ",
            "http://keycloak",
            "keycloak:8080",
            "[fd00::1]:80",
            "user@keycloak",
            "a/b",
            "a?b",
            "a#b",
            "keycloak/",
        ] {
            assert_eq!(parse_host(text), None, "{text}");
        }
    }

    #[test]
    fn metadata_may_lead_only_to_its_host_and_the_key_hosts() {
        let metadata = Url::parse("https://accounts.example/metadata").unwrap();
        let named = UrlPolicy { key_hosts: Some(&["keys.example"]), ..UrlPolicy::default() };
        for (url, leads) in [
            ("https://accounts.example:8443/keys", true),
            ("https://KEYS.example/keys", true),
            ("https://keys.example.evil.example/keys", false),
            ("https://evil.example/keys.example", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(named.leads(&metadata, &url), leads, "{url}");
            assert!(UrlPolicy::default().leads(&metadata, &url));
        }
    }
}
