//! Forwards requests to an upstream.

mod progress;
mod tunnel;

use std::net::IpAddr;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portcullis::{Authenticated, Authenticator};

use crate::causes::with_causes;
use crate::config::{Proxies, Timeouts};
use crate::headers;
use crate::metrics;
use crate::serve::Place;
use crate::upstream::Upstream;
use progress::Progress;

/// A client of upstreams, with its connections.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder {
    client: Client<HttpConnector, Body>,
    timeouts: Timeouts,
    proxies: Proxies,
}

/// A request to forward.
pub(crate) struct Outgoing<'r> {
    pub(crate) request: Request<Body>,
    pub(crate) peer: IpAddr,
    /// The route's pattern, for the log.
    pub(crate) route: &'r str,
    /// The caller, whose WebSocket ends with the token.
    pub(crate) who: Option<Caller>,
}

/// A caller and its authenticator. Even if a reload has replaced the authenticator, it refreshes
/// the keys for the caller's open WebSocket.
pub(crate) struct Caller(pub(crate) Authenticated, pub(crate) Authenticator);

impl Forwarder {
    pub(crate) fn new(timeouts: Timeouts, proxies: Proxies) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeouts.connect));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(timeouts.idle)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { client, timeouts, proxies }
    }

    /// Forwards a request. `prepare` changes the headers after those of the hop have been removed:
    /// a client cannot have removed what it sets by naming it in `Connection`.
    pub(crate) async fn forward(
        &self,
        upstream: &Upstream,
        outgoing: Outgoing<'_>,
        prepare: impl FnOnce(&mut http::HeaderMap),
    ) -> Response<Body> {
        let Outgoing { mut request, peer, route, who } = outgoing;
        let (version, uri) = (request.version(), request.uri().clone());
        if !headers::set_host(request.headers_mut(), &uri, version) {
            return refused(StatusCode::BAD_REQUEST);
        }
        let is_handshake = headers::is_handshake(request.headers(), version);
        let of_client = is_handshake.then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        let is_proxy = self.proxies.contains(peer);
        let is_empty = http_body::Body::size_hint(&body).exact() == Some(0);
        let says_so = is_empty && head.headers.contains_key(CONTENT_LENGTH);
        headers::end_request_hop(&mut head.headers);
        if says_so {
            // hyper sends no length of an empty body, which some servers answer with 411.
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers::set_forwarded(&mut head.headers, peer, is_proxy);
        prepare(&mut head.headers);
        if is_handshake {
            headers::add_handshake(&mut head.headers);
        }
        let method = head.method.clone();
        let target = head.uri.path_and_query().cloned();
        let Some(Ok(uri)) = target.map(|target| upstream.uri(target)) else {
            return refused(StatusCode::BAD_REQUEST);
        };
        (head.uri, head.version) = (uri, Version::HTTP_11);
        let place: Option<Place> = head.extensions.remove();
        head.extensions.clear();
        let (body, progress) = Progress::of(body);
        let began = std::time::Instant::now();
        let answer = self.client.request(Request::from_parts(head, body));
        let answer = progress.within(self.timeouts.response, answer).await;
        metrics::upstream(began.elapsed());
        match answer {
            Some(Ok(answer)) => {
                metrics::request("accepted");
                let mut answer = answer.map(Body::new);
                let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
                let switches = headers::is_handshake(answer.headers(), answer.version());
                let of_upstream = is_switch.then(|| hyper::upgrade::on(&mut answer));
                headers::end_hop(answer.headers_mut());
                match (of_client, of_upstream) {
                    (_, None) => answer,
                    (Some(of_client), Some(of_upstream)) if switches => {
                        headers::add_handshake(answer.headers_mut());
                        tunnel::open(of_client, of_upstream, who, place, route);
                        answer
                    }
                    _ => {
                        tracing::warn!(%upstream, route, "upstream switched protocols without a request for it");
                        refused(StatusCode::BAD_GATEWAY)
                    }
                }
            }
            Some(Err(error)) => {
                let error = with_causes(&error);
                tracing::warn!(%upstream, %method, route, error, "upstream unavailable");
                metrics::request("upstream_unavailable");
                refused(StatusCode::BAD_GATEWAY)
            }
            None => {
                let timeout = self.timeouts.response;
                tracing::warn!(%upstream, %method, route, ?timeout, "upstream timed out");
                metrics::request("upstream_timeout");
                refused(StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }
}

/// A response of the sidecar's own, without a body.
pub(crate) fn refused(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
