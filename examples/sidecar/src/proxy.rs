//! Routes requests to the issuer or the app, and handles unavailable upstreams.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::{Authority, Scheme, Uri};
use axum::http::{HeaderMap, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use portcullis_axum::AuthLayer;
use portcullis_axum::portcullis::{Authenticated, Gate};

use crate::headers;

/// The issuer's paths, without its administration. The issuer authenticates these requests itself.
const ISSUERS: [&str; 8] = [
    "/v1/auth/{*rest}",
    "/v1/users/{*rest}",
    "/v1/audit",
    "/v1/status-lists/{list}",
    "/oauth/{*rest}",
    "/.well-known/{*rest}",
    "/openapi.json",
    "/readyz",
];

/// Timeout until a response begins. Long polls for status lists take up to 60 s.
const PATIENCE: Duration = Duration::from_secs(75);

/// Creates the proxy. Serve it with the client's address (`into_make_service_with_connect_info`).
/// The issuer limits failed logins by this address.
pub fn sidecar(gate: Gate, issuer: Authority, app: Authority) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let app = Upstream { at: app, client: client.clone() };
    let app = Router::new().fallback(to_app).with_state(app).layer(AuthLayer::new(gate));
    let issuer = Upstream { at: issuer, client };
    // This route reports the liveness of the proxy. The issuer's `/readyz` reports readiness.
    let own = Router::new().route("/healthz", any(async || "alive\n"));
    let issuers = ISSUERS.into_iter().fold(own, |router, path| router.route(path, any(to_issuer)));
    issuers.with_state(issuer).fallback_service(app)
}

async fn to_issuer(
    State(issuer): State<Upstream>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    issuer.forward(client, request, |_| ()).await
}

/// Forwards a request to the app. The gate in front has rejected requests without an active token.
async fn to_app(
    State(app): State<Upstream>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let who = request.extensions().get::<Authenticated>().cloned();
    app.forward(client, request, |headers| headers::tell_who(headers, who.as_ref())).await
}

/// An upstream server, on this machine or in a trusted network.
#[derive(Clone)]
struct Upstream {
    at: Authority,
    client: Client<HttpConnector, Body>,
}

impl Upstream {
    /// Forwards a request. `tell` adds headers for this upstream.
    async fn forward(
        &self,
        client: SocketAddr,
        request: Request,
        tell: impl FnOnce(&mut HeaderMap),
    ) -> Response {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        // Hop-by-hop headers are removed before headers are added. Otherwise a client could have
        // the added headers removed by naming them in `Connection`.
        headers::end_hop(&mut head.headers);
        headers::tell_of_client(&mut head.headers, &head.uri, client.ip());
        tell(&mut head.headers);
        let mut uri = head.uri.into_parts();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(self.at.clone()));
        let Ok(uri) = Uri::from_parts(uri) else { return StatusCode::BAD_REQUEST.into_response() };
        (head.uri, head.version) = (uri, Version::HTTP_11);
        head.extensions.clear();
        let answer = self.client.request(Request::from_parts(head, body));
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(mut answer)) => {
                headers::end_hop(answer.headers_mut());
                answer.map(Body::new)
            }
            Ok(Err(error)) => {
                tracing::warn!(at = %self.at, error = &error as &dyn std::error::Error, "upstream unavailable");
                StatusCode::BAD_GATEWAY.into_response()
            }
            Err(_elapsed) => {
                tracing::warn!(at = %self.at, timeout = ?PATIENCE, "upstream timed out");
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
        }
    }
}
