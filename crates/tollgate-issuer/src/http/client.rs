//! The client of a request, as the connection and its header fields tell.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::client::Client;
use crate::issuer::Issuer;

impl FromRequestParts<Issuer> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Issuer) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let user_agent = parts.headers.get(USER_AGENT).and_then(|field| field.to_str().ok());
        Ok(Self {
            address: peer.map(|ConnectInfo(peer)| peer.ip()),
            // For the user's own list of sessions; what does not fit there is cut off.
            user_agent: user_agent.map(|text| text.chars().take(256).collect()),
        })
    }
}
