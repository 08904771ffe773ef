//! The hosts that connections may be made to: all, or only those with public addresses.

use std::net::IpAddr;

use ::url::{Host, Url};

use super::address::{self, Kind};
use crate::causes::debug_with_causes;

/// The hosts that connections may be made to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All hosts: for URLs from the operator.
    #[default]
    Anywhere,
    /// For URLs from tenants: hosts with public addresses, and the named exceptions.
    Public { except: Vec<Host> },
}

impl Reach {
    /// Returns whether the operator permits any address for the host of `url`.
    pub(crate) fn is_unlimited(&self, url: &Url) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public { except } => {
                url.host().is_some_and(|host| except.contains(&host.to_owned()))
            }
        }
    }

    /// Rejects a URL whose host is not public, if no lookup is needed to know that. HTTP clients
    /// resolve only names, so a literal address in a URL is checked only here.
    pub(crate) fn check(&self, url: &Url) -> Result<(), RefusedAddress> {
        if self.is_unlimited(url) {
            return Ok(());
        }
        match url.host() {
            Some(Host::Ipv4(address)) => check_literal(address.into()),
            Some(Host::Ipv6(address)) => check_literal(address.into()),
            // RFC 6761 §6.3: `localhost` is the loopback interface, regardless of any DNS server.
            Some(Host::Domain(name)) if is_localhost(name) => {
                let (host, address) = (name.to_owned(), None);
                Err(RefusedAddress { host, address, kind: Kind::Loopback })
            }
            _ => Ok(()),
        }
    }
}

fn check_literal(address: IpAddr) -> Result<(), RefusedAddress> {
    let Some(kind) = address::not_public(address) else { return Ok(()) };
    let host = address.to_string();
    Err(RefusedAddress { host, address: None, kind })
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Rejects a name if any of its addresses is not public. Otherwise it would be random which address
/// a connection uses, and a public name with a private address is a mistake or an attack.
#[cfg(feature = "reqwest-no-provider")]
pub(super) fn check_resolved(
    name: &str,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Result<(), RefusedAddress> {
    let refused = addresses.into_iter().find_map(|address| {
        let kind = address::not_public(address)?;
        Some(RefusedAddress { host: name.to_owned(), address: Some(address), kind })
    });
    refused.map_or(Ok(()), Err)
}

/// The error that a [`Fetch`](super::Fetch) returns, directly or as a cause, if a host must have a
/// public address and does not have one: see
/// [`ReqwestFetch::public_addresses_only`](super::ReqwestFetch::public_addresses_only).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the host {host} {}{kind}, but only public addresses are allowed where tenants choose URLs; to \
     allow the host, add it with `allow_private_host`",
    resolves_to(*.address)
)]
pub struct RefusedAddress {
    host: String,
    /// The address that a name resolved to.
    address: Option<IpAddr>,
    kind: Kind,
}

debug_with_causes!(RefusedAddress);

impl RefusedAddress {
    /// Returns the host, as spelled in the URL.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn resolves_to(address: Option<IpAddr>) -> String {
    address.map_or("is ".to_owned(), |address| format!("resolves to {address}, "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::url::parse_host;

    fn public(except: &[&str]) -> Reach {
        Reach::Public { except: except.iter().map(|host| parse_host(host).unwrap()).collect() }
    }

    fn refusal(reach: &Reach, url: &str) -> Option<String> {
        reach.check(&Url::parse(url).unwrap()).err().map(|refused| refused.to_string())
    }

    /// A URL parser normalizes every spelling of an address.
    #[test]
    fn private_address_is_rejected_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "0.0.0.0",
            "0",
            "10.0.0.1",
            "169.254.169.254",
            "2852039166",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::1]",
            "[2001:0:a00:1::1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.localhost.",
        ] {
            for url in [format!("https://{host}/keys"), format!("http://{host}:8080/")] {
                assert!(refusal(&public(&[]), &url).is_some(), "{url}");
                assert_eq!(refusal(&Reach::Anywhere, &url), None, "{url}");
            }
        }
        // These do not parse as URLs, so they are never requested.
        for url in ["https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://0x7f.1.2.3.4/"]
        {
            assert!(Url::parse(url).is_err(), "{url}");
        }
        for url in ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://[::ffff:8.8.8.8]/"] {
            assert_eq!(refusal(&public(&[]), url), None, "{url}");
        }
    }

    #[test]
    fn only_allowed_private_host_is_reachable() {
        let reach = public(&["Keycloak.internal", "10.0.0.7", "fd00::1", "localhost"]);
        for (url, is_unlimited) in [
            ("https://keycloak.internal:8443/", true),
            ("https://10.0.0.7/", true),
            ("https://0xa000007/", true),
            ("https://[fd00:0::1]/", true),
            ("http://localhost:8080/", true),
            ("https://10.0.0.8/", false),
            ("https://127.0.0.1/", false),
            ("https://a.keycloak.internal/", false),
            ("https://keycloak.internal.evil.example/", false),
            ("https://[::ffff:10.0.0.7]/", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(reach.is_unlimited(&url), is_unlimited, "{url}");
            assert!(!is_unlimited || reach.check(&url).is_ok(), "{url}");
        }
    }

    #[test]
    fn refusal_names_the_host_the_kind_and_the_setting() {
        assert_eq!(
            refusal(&public(&[]), "https://0x7f.1/").unwrap(),
            "the host 127.0.0.1 is a loopback address, but only public addresses are allowed where \
             tenants choose URLs; to allow the host, add it with `allow_private_host`"
        );
        #[cfg(feature = "reqwest-no-provider")]
        {
            let both = ["8.8.8.8", "10.0.0.7"].map(|address| address.parse().unwrap());
            let refused = check_resolved("tenant.example", both).unwrap_err();
            assert_eq!(refused.host(), "tenant.example");
            let start = "the host tenant.example resolves to 10.0.0.7, a private address, but";
            assert!(refused.to_string().starts_with(start), "{refused}");
            assert!(check_resolved("tenant.example", [both[0]]).is_ok());
        }
    }
}
