//! The peer of a request, as the connection and its header fields tell.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::api::Api;
use crate::domain::peer::Peer;

impl FromRequestParts<Arc<Api>> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = match &api.config.client_address_header {
            Some(name) => forwarded(&parts.headers, name),
            None => peer.map(|ConnectInfo(peer)| peer.ip()),
        };
        let user_agent = parts.headers.get(USER_AGENT).and_then(|field| field.to_str().ok());
        Ok(Self {
            address,
            // For the user's own list of sessions; what does not fit there is cut off.
            user_agent: user_agent.map(|text| text.chars().take(256).collect()),
        })
    }
}

/// The address that the nearest proxy wrote: the last one of the last field, as whatever stands
/// before it may be the client's own invention.
fn forwarded(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let field = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    field.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_the_nearest_proxy_wrote_counts() {
        const NAME: HeaderName = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded(&headers, &NAME), None);
        for (field, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("198.51.100.9, 192.0.2.1", Some("192.0.2.1")),
            ("198.51.100.9,2001:db8::1", Some("2001:db8::1")),
            ("192.0.2.1, unknown", None),
            ("", None),
        ] {
            // Another field before it is the client's.
            headers.append(NAME, HeaderValue::from_static(field));
            let expected = expected.map(|address| address.parse::<IpAddr>().unwrap());
            assert_eq!(forwarded(&headers, &NAME), expected, "{field}");
        }
    }
}
