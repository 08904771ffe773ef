//! The peer of a request: the address and the user agent of its client.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::api::Api;
use crate::domain::network::Network;
use crate::domain::peer::Peer;

impl FromRequestParts<Arc<Api>> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Infallible> {
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let connection = connection.map(|ConnectInfo(address)| address.ip());
        let user_agent = parts.headers.get(USER_AGENT).and_then(|field| field.to_str().ok());
        let address = client_address(api, &parts.headers, connection);
        if address.is_none() && !api.unusable_address_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "requests have no client address, and share one rate limit; serve the app with \
                 `into_make_service_with_connect_info::<SocketAddr>()` (logged once)"
            );
        }
        Ok(Self {
            address,
            // A longer text would make the user's list of sessions unreadable.
            user_agent: user_agent.map(|text| text.chars().take(256).collect()),
        })
    }
}

/// Returns the client's address from the configured header, or else the connection's address.
fn client_address(api: &Api, headers: &HeaderMap, connection: Option<IpAddr>) -> Option<IpAddr> {
    let Some(name) = &api.config.client_address_header else { return connection };
    let proxies = &api.config.trusted_proxies;
    // Without `ConnectInfo` it is unknown whether a proxy sent the header.
    let from_proxy = connection.is_some_and(|address| is_one_of(proxies, address));
    if !proxies.is_empty() && !from_proxy {
        return connection;
    }
    match forwarded(headers, name, proxies) {
        Ok(address) => Some(address),
        Err(unusable) => {
            // Logged only once: a client that reaches the issuer past its proxy must not fill the
            // log.
            if !api.unusable_address_logged.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    header = name.as_str(),
                    %unusable,
                    "no usable client address in IDENTSPHERE_CLIENT_ADDRESS_HEADER; the address of \
                     the connection is used. Make sure that every request comes through the proxy, \
                     and that the proxy sets the header (logged once)"
                );
            }
            connection
        }
    }
}

/// The reason why a header has no usable client address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unusable {
    #[error("the header is absent")]
    Absent,
    #[error("its last element is not an IP address")]
    Unreadable,
}

/// Returns the last address of the list that is not a configured proxy. Each proxy appends the
/// address of the connection that it received, and the client may have sent all elements before
/// that one. If all addresses are proxies, the first proxy sent the request.
fn forwarded(
    headers: &HeaderMap,
    name: &HeaderName,
    proxies: &[Network],
) -> Result<IpAddr, Unusable> {
    let mut furthest = Err(Unusable::Absent);
    for field in headers.get_all(name).iter().rev() {
        let field = field.to_str().map_err(|_| Unusable::Unreadable)?;
        for element in field.rsplit(',') {
            let address = address(element).ok_or(Unusable::Unreadable)?;
            if !is_one_of(proxies, address) {
                return Ok(address);
            }
            furthest = Ok(address);
        }
    }
    furthest
}

fn is_one_of(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|proxy| proxy.contains(address))
}

/// Parses an address in the forms that proxies write: with or without a port, IPv6 also in
/// brackets.
fn address(element: &str) -> Option<IpAddr> {
    let element = element.trim();
    let bracketed = element.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => element
            .parse()
            .or_else(|_| element.parse().map(|address: SocketAddr| address.ip()))
            .ok(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-forwarded-for");

    fn read(fields: &[&'static str], proxies: &[&str]) -> Result<String, Unusable> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(NAME, HeaderValue::from_static(field));
        }
        let proxies: Vec<_> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        forwarded(&headers, &NAME, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (element, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("  192.0.2.1 ", Some("192.0.2.1")),
            ("[192.0.2.1]", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("unknown", None),
            ("_hidden", None),
            ("for=192.0.2.1", None),
            ("", None),
        ] {
            let read = address(element).map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{element:?}");
        }
    }

    #[test]
    fn nearest_element_that_is_no_proxy_is_the_client() {
        let proxies = ["10.0.0.0/8", "2001:db8:ffff::/48"];
        for (fields, proxies, expected) in [
            (&["192.0.2.1"][..], &[][..], Ok("192.0.2.1")),
            // The client may have sent the first element.
            (&["198.51.100.9, 192.0.2.1:80"], &[], Ok("192.0.2.1")),
            (&["198.51.100.9", "192.0.2.1"], &[], Ok("192.0.2.1")),
            (&["198.51.100.9, 192.0.2.1, 10.0.0.1"], &proxies, Ok("192.0.2.1")),
            (&["192.0.2.1, 10.0.0.1", "[2001:db8:ffff::1]:80"], &proxies, Ok("192.0.2.1")),
            (&["10.0.0.2, 10.0.0.1"], &proxies, Ok("10.0.0.2")),
            (&["192.0.2.1, unknown"], &[], Err(Unusable::Unreadable)),
            (&["192.0.2.1, unknown, 10.0.0.1"], &proxies, Err(Unusable::Unreadable)),
            (&["192.0.2.1,"], &[], Err(Unusable::Unreadable)),
            (&[""], &[], Err(Unusable::Unreadable)),
            (&[], &[], Err(Unusable::Absent)),
        ] {
            assert_eq!(read(fields, proxies), expected.map(str::to_owned), "{fields:?}");
        }
    }
}
