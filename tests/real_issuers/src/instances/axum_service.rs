//! The service on axum.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use portcullis::{Authenticator, Policy};
use portcullis_axum::{RequireLayer, protect};
use tokio::net::TcpListener;

use crate::failure::Outcome;

pub(super) async fn serve(auth: Authenticator, policies: [Policy; 2]) -> Outcome<SocketAddr> {
    let [has, lacks] = policies.map(RequireLayer::new);
    let api = Router::new()
        .route("/", get(async || ""))
        .route("/has", get(async || "").route_layer(has))
        .route("/lacks", get(async || "").route_layer(lacks));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().merge(protect(auth, api));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
