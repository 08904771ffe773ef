//! The number of connections that one client address may have open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::IssuerConfig;
use crate::domain::network::Network;

/// Connections by client address. Proxies are exempt: their connections are those of many clients.
#[derive(Debug)]
pub(super) struct Connections {
    per_address: u32,
    proxies: Proxies,
    open: Mutex<HashMap<Network, u32>>,
}

/// The addresses whose connections come from proxies.
#[derive(Debug)]
enum Proxies {
    These(Vec<Network>),
    All,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// `None` for a proxy, which is not counted.
    counted: Option<(Arc<Connections>, Network)>,
}

impl Connections {
    pub(super) fn new(config: &IssuerConfig) -> Arc<Self> {
        let proxies = if config.client_address_header.is_some() && config.trusted_proxies.is_empty()
        {
            Proxies::All
        } else {
            Proxies::These(config.trusted_proxies.clone())
        };
        Self::limited(config.connections_per_address, proxies)
    }

    /// Counts connections without a limit per address, for a listener that clients do not reach.
    pub(super) fn unlimited() -> Arc<Self> {
        Self::limited(u32::MAX, Proxies::All)
    }

    fn limited(per_address: u32, proxies: Proxies) -> Arc<Self> {
        Arc::new(Self { per_address, proxies, open: Mutex::default() })
    }

    /// Counts a connection; `None` if its address is at the limit.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let is_proxy = match &self.proxies {
            Proxies::All => true,
            Proxies::These(networks) => networks.iter().any(|network| network.contains(address)),
        };
        if is_proxy {
            return Some(Place { counted: None });
        }
        let client = Network::of_client(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Place { counted: Some((Arc::clone(self), client)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((connections, client)) = &self.counted else { return };
        let mut open = connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(client) {
            *count -= 1;
            if *count == 0 {
                open.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(connections: &Arc<Connections>, address: &str) -> Option<Place> {
        connections.admit(address.parse().unwrap())
    }

    #[test]
    fn address_over_its_limit_is_rejected_and_others_are_not() {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.connections_per_address = 2;
        let connections = Connections::new(&config);
        let first = admit(&connections, "192.0.2.1");
        let _second = admit(&connections, "192.0.2.1");
        assert!(first.is_some() && admit(&connections, "::ffff:192.0.2.1").is_none());
        let _other = admit(&connections, "192.0.2.2").unwrap();
        drop(first);
        let _third = admit(&connections, "192.0.2.1").unwrap();
        assert!(admit(&connections, "192.0.2.1").is_none());
        let _network = (admit(&connections, "2001:db8::1"), admit(&connections, "2001:db8::2"));
        assert!(admit(&connections, "2001:db8::3").is_none(), "one host has the whole /64");
    }

    #[test]
    fn closed_connections_take_no_memory() {
        let config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        let connections = Connections::new(&config);
        drop((admit(&connections, "192.0.2.1"), admit(&connections, "192.0.2.2")));
        assert!(connections.open.lock().unwrap().is_empty());
    }

    #[test]
    fn proxies_are_exempt() {
        let mut config = IssuerConfig::new("https://auth.example.com", "identsphere.db");
        config.connections_per_address = 1;
        config.client_address_header = Some(axum::http::HeaderName::from_static("x-real-ip"));
        let all = Connections::new(&config);
        let open: Vec<_> = (0..9).map(|_| admit(&all, "192.0.2.1")).collect();
        assert!(open.iter().all(Option::is_some), "every connection is the proxy's");
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let named = Connections::new(&config);
        let open: Vec<_> = (0..9).map(|_| admit(&named, "10.0.0.1")).collect();
        assert!(open.iter().all(Option::is_some));
        let _direct = admit(&named, "192.0.2.1").unwrap();
        assert!(admit(&named, "192.0.2.1").is_none());
    }
}
