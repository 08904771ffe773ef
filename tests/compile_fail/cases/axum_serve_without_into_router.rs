//! `.into_router()` is missing.

use axum::Router;
use portcullis_axum::{portcullis::Authenticator, protect};
use tokio::net::TcpListener;

async fn run(listener: TcpListener, auth: Authenticator) -> std::io::Result<()> {
    axum::serve(listener, protect(auth, Router::new())).await
}
