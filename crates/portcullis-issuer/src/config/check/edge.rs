//! The checks of listeners, connections and proxies.

use axum::http::header::FORWARDED;

use crate::config::{IssuerConfig, MAX_CONNECTIONS};
use crate::error::ConfigError;

impl IssuerConfig {
    pub(super) fn check_listeners(&self) -> Result<(), ConfigError> {
        if self.metrics_listen.is_some_and(|address| address == self.listen && address.port() != 0)
        {
            return Err(ConfigError::new(
                "IDENTSPHERE_METRICS_LISTEN",
                self.listen,
                "it must not be the address of IDENTSPHERE_LISTEN: metrics are for operators only",
            ));
        }
        if let Some(health) = self.health_listen.filter(|health| health.port() != 0) {
            let listeners = [
                ("IDENTSPHERE_LISTEN", Some(self.listen)),
                ("IDENTSPHERE_METRICS_LISTEN", self.metrics_listen),
            ];
            if let Some((name, _)) = listeners.iter().find(|(_, listen)| *listen == Some(health)) {
                let expected = format!("it must not be the address of {name}");
                return Err(ConfigError::new("IDENTSPHERE_HEALTH_LISTEN", health, expected));
            }
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.connections_per_address) {
            return Err(ConfigError::new(
                "IDENTSPHERE_CONNECTIONS_PER_ADDRESS",
                self.connections_per_address,
                format!("it must be from 1 to {MAX_CONNECTIONS}"),
            ));
        }
        Ok(())
    }

    /// Rejects a list of proxies without a header, since it would have no effect.
    pub(super) fn check_proxies(&self) -> Result<(), ConfigError> {
        match &self.client_address_header {
            // `Forwarded` (RFC 7239) has another syntax than a list of addresses.
            Some(name) if name == FORWARDED => Err(ConfigError::new(
                "IDENTSPHERE_CLIENT_ADDRESS_HEADER",
                name,
                "the elements of RFC 7239 are not supported; name a header that has addresses \
                 only, such as X-Forwarded-For",
            )),
            None if !self.trusted_proxies.is_empty() => Err(ConfigError::hidden(
                "IDENTSPHERE_TRUSTED_PROXIES",
                "is set without IDENTSPHERE_CLIENT_ADDRESS_HEADER; name the header in which these \
                 proxies write the client's address",
            )),
            _ => Ok(()),
        }
    }
}
