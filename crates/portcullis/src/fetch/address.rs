//! Classifies addresses as public or not. Addresses that are not public lead to this machine, into
//! its network, or nowhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of an address that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Loopback,
    Unspecified,
    Private,
    Shared,
    LinkLocal,
    Metadata,
    Multicast,
    Broadcast,
    Documentation,
    Benchmarking,
    Tunnel,
    Reserved,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::Unspecified => "the unspecified address",
            Self::Private => "a private address",
            Self::Shared => "a shared address (RFC 6598)",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud metadata address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking address",
            Self::Tunnel => "a tunnel address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Metadata services of cloud platforms, which give credentials to any local client.
const METADATA: [IpAddr; 5] = [
    // AWS, Azure, Google and most others.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // AWS ECS.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    // Alibaba.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure's WireServer, within a public range.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // AWS over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Returns the kind of `address`, or `None` if it is public.
///
/// The ranges are from IANA's special-purpose address registries. For IPv6 only IANA's global
/// unicast allocations count as public. An IPv4 address embedded in IPv6 is classified as itself if
/// it is translated on the way (mapped, NAT64), and rejected if it would be tunnelled.
pub(crate) fn not_public(address: IpAddr) -> Option<Kind> {
    if METADATA.contains(&address) {
        return Some(Kind::Metadata);
    }
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => match translated(address) {
            Some(address) => not_public(IpAddr::V4(address)),
            None => not_public_v6(address),
        },
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<Kind> {
    Some(match address.octets() {
        [0, 0, 0, 0] => Kind::Unspecified,
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::Shared,
        [169, 254, ..] => Kind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        [198, 18 | 19, ..] => Kind::Benchmarking,
        // The anycast address of 6to4 relays.
        [192, 88, 99, _] => Kind::Tunnel,
        [224..=239, ..] => Kind::Multicast,
        [255, 255, 255, 255] => Kind::Broadcast,
        // "This network", IETF protocol assignments, and class E.
        [0, ..] | [192, 0, 0, _] | [240..=255, ..] => Kind::Reserved,
        _ => return None,
    })
}

fn not_public_v6(address: Ipv6Addr) -> Option<Kind> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        // fc00::/7, and fec0::/10 that it replaced (RFC 4193, RFC 3879).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Kind::Private,
        [0xfe80..=0xfebf, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        // 64:ff9b:1::/48, NAT64 within a network (RFC 8215).
        [0x64, 0xff9b, 1, ..] => Kind::Private,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Documentation,
        [0x2001, 2, 0, ..] => Kind::Benchmarking,
        // Teredo, 6to4 and "IPv4-compatible".
        [0x2001, 0, ..] | [0x2002, ..] | [0, 0, 0, 0, 0, 0, ..] => Kind::Tunnel,
        // 2001::/23, IETF protocol assignments.
        [0x2001, 0..=0x1ff, ..] => Kind::Reserved,
        // 2000::/3, global unicast.
        [0x2000..=0x3fff, ..] => return None,
        _ => Kind::Reserved,
    })
}

/// Returns the IPv4 destination of packets to `address`: IPv4-mapped (RFC 4291 §2.5.5.2), or in the
/// well-known NAT64 prefix (RFC 6052 §2.1), which DNS64 puts before public addresses.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., high, low] = address.segments();
    let is_translated =
        matches!(address.segments(), [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..]);
    is_translated.then(|| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: &str) -> Option<Kind> {
        not_public(address.parse().unwrap())
    }

    #[test]
    fn special_addresses_are_not_public() {
        use Kind::*;
        for (addresses, expected) in [
            (&["0.0.0.0", "::"][..], Unspecified),
            (&["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1"], Loopback),
            (&["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255"], Private),
            (&["192.168.0.0", "192.168.255.255", "fc00::", "fd00::1", "fdff::1"], Private),
            (&["fec0::1", "feff::1", "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8"], Private),
            (&["100.64.0.0", "100.127.255.255"], Shared),
            (&["169.254.0.0", "169.254.169.253", "169.254.255.255"], LinkLocal),
            (&["fe80::1", "febf:ffff::1"], LinkLocal),
            (&["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"], Metadata),
            (&["fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"], Metadata),
            (&["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1", "ffff::"], Multicast),
            (&["255.255.255.255"], Broadcast),
            (&["192.0.2.0", "192.0.2.255", "198.51.100.1", "203.0.113.1"], Documentation),
            (&["2001:db8::", "2001:db8:ffff::1", "3fff::1", "3fff:fff:ffff::1"], Documentation),
            (&["198.18.0.0", "198.19.255.255", "2001:2::1"], Benchmarking),
            (&["192.88.99.1", "2002:0a00:1::1", "2002:808:808::1", "2001::1"], Tunnel),
            (&["2001:0:4136:e378::1", "::2", "::10.0.0.1", "::8.8.8.8", "::ffff"], Tunnel),
            (&["0.0.0.1", "0.255.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255"], Reserved),
            (&["240.0.0.0", "255.255.255.254", "2001:1::1", "2001:20::1", "2001:1ff::1"], Reserved),
            (&["100::1", "1::1", "64:ff9b::1:0:0:0", "64:ff9b:2::1", "4000::1"], Reserved),
            (&["5f00::1", "fb00::1", "fe00::1", "::ffff:0:8.8.8.8"], Reserved),
        ] {
            for address in addresses {
                assert_eq!(kind(address), Some(expected), "{address}");
            }
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "168.63.129.15",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2600::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert_eq!(kind(address), None, "{address}");
        }
    }

    /// An IPv4-mapped or NAT64 address is classified like the IPv4 address that it contains. All
    /// other IPv6 addresses that embed an IPv4 address are rejected.
    #[test]
    fn translated_address_is_checked_as_its_ipv4_address() {
        let octets =
            [0, 1, 2, 10, 16, 31, 32, 51, 63, 64, 88, 99, 100, 113, 127, 128, 168, 169, 254];
        let first = (0..=255_u8).flat_map(|a| octets.map(|b| [a, b]));
        for [a, b] in first {
            for [c, d] in [[0, 0], [2, 1], [100, 200], [113, 1], [129, 16], [169, 254]] {
                let v4 = Ipv4Addr::new(a, b, c, d);
                let alone = not_public(v4.into());
                let [high, low] = [[a, b], [c, d]].map(u16::from_be_bytes);
                let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
                assert_eq!(not_public(v4.to_ipv6_mapped().into()), alone, "{v4}");
                assert_eq!(not_public(nat64.into()), alone, "{v4}");
                for tunnelled in [
                    v4.to_ipv6_compatible(),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                    Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low),
                ] {
                    assert!(not_public(tunnelled.into()).is_some(), "{tunnelled}");
                }
                // Addresses that the standard library puts in none of these classes are public, or
                // were rejected above.
                let by_std = v4.is_loopback()
                    || v4.is_private()
                    || v4.is_link_local()
                    || v4.is_broadcast()
                    || v4.is_documentation()
                    || v4.is_multicast()
                    || v4.is_unspecified();
                assert!(!by_std || alone.is_some(), "{v4}");
            }
        }
    }

    #[test]
    fn every_ipv6_unicast_prefix_except_one_is_rejected() {
        for first in 0..=u16::MAX {
            let address = Ipv6Addr::new(first, 0x1234, 0, 0, 0, 0, 0, 1);
            let is_global = (0x2000..=0x3fff).contains(&first);
            let refused = not_public(address.into()).is_some();
            assert_eq!(refused, !is_global || first == 0x2002, "{address}");
            let by_std = address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || address.is_loopback();
            assert!(!by_std || refused, "{address}");
        }
    }
}
