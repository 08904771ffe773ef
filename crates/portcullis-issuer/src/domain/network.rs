//! IP networks: what rate limits count as one client, and the addresses of proxies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::error::debug_with_causes;

/// An IP network, such as `10.0.0.0/8`, or a single address.
///
/// ```
/// use portcullis_issuer::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert!(!network.contains("11.0.0.1".parse()?));
/// assert!("10.0.0.1/8".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address. All bits beyond the prefix are 0.
    address: IpAddr,
    prefix: u32,
}

/// A text is not an IP network.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an IP network is an address, or the first address of a network and the length of its prefix, \
     such as 10.0.0.0/8"
)]
pub struct NotANetwork;

debug_with_causes!(NotANetwork);

impl Network {
    /// Returns the network that counts as one client: an IPv4 address, or an IPv6 /64. A single
    /// host controls all addresses of a /64.
    pub(crate) fn of_client(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::around(address, if address.is_ipv4() { 32 } else { 64 })
    }

    /// Returns whether the address is in this network. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::around(address, self.prefix) == *self
    }

    fn around(address: IpAddr, prefix: u32) -> Self {
        // A shift by the full width overflows, so the mask of an empty prefix is a literal 0.
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, prefix }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // Parsing as `u32` alone would accept a sign.
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|prefix| *prefix <= bits).ok_or(NotANetwork)?
            }
            Some(_) => return Err(NotANetwork),
            None => bits,
        };
        let network = Self::around(address, prefix);
        // `10.0.0.1/8` may be a mistyped address, so it is rejected.
        if network.address == address { Ok(network) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        match self.prefix == bits {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_in_the_network_of_its_prefix_only() {
        for (network, address, contains) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), contains, "{network} {address}");
            assert_eq!(parsed.to_string(), network);
        }
        let wrong = ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "host", "::/129"];
        for text in wrong {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn ipv6_64_counts_as_one_client() {
        let client = |text: &str| Network::of_client(text.parse().unwrap());
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }
}
