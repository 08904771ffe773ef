//! The issuer's HTTP server, on a loopback port that the system chooses.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis::testing::TestKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::revocation;
use crate::state::State;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<()>);

impl Server {
    pub(crate) fn start(listener: TcpListener, state: Arc<Mutex<State>>) -> Self {
        Self(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let state = state.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        Ok::<_, hyper::Error>(answer(&mut state.lock().unwrap(), &head, &body))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that disconnects is not an error of the server.
                tokio::spawn(async move { connection.await.ok() });
            }
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn answer(state: &mut State, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let json = |status, body: Value| response(status, "application/json", body.to_string());
    match head.uri.path() {
        _ if state.away => json(StatusCode::SERVICE_UNAVAILABLE, json!({})),
        "/jwks.json" => {
            state.fetches += 1;
            json(StatusCode::OK, TestKey::jwks(state.keys()))
        }
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
            let url = &state.url;
            let metadata = json!({
                "issuer": url,
                "jwks_uri": format!("{url}/jwks.json"),
                "introspection_endpoint": format!("{url}/introspect"),
            });
            json(StatusCode::OK, metadata)
        }
        "/introspect" => {
            let authorization = head.headers.get(AUTHORIZATION);
            if head.method != Method::POST {
                json(StatusCode::METHOD_NOT_ALLOWED, json!({}))
            } else if authorization.is_none_or(|value| *value != *revocation::authorization()) {
                json(StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}))
            } else {
                // Tokens contain no characters that a form encodes.
                let form = String::from_utf8_lossy(body);
                let token = form.split('&').find_map(|member| member.strip_prefix("token="));
                json(StatusCode::OK, state.introspect(token.unwrap_or_default()))
            }
        }
        path => match path.strip_prefix("/status/").and_then(|list| list.parse().ok()) {
            Some(list) => {
                response(StatusCode::OK, "application/statuslist+jwt", state.status_list(list))
            }
            None => json(StatusCode::NOT_FOUND, json!({})),
        },
    }
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
