//! The service on hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis::{Policy, Refusal, token::Foreign};
use portcullis_hyper::{AuthService, RequireService, caller, maybe_caller};
use portcullis_testing::conformance::{Suite, Unfit, role_policy, scope_policy, step_up_policy};
use tokio::net::TcpListener;

use crate::KIND;

pub(crate) type Answer = Response<Full<Bytes>>;

/// The handler of a path, shared by hyper and tower.
pub(crate) fn handle<B>(path: &str, request: &Request<B>) -> Result<Answer, Refusal> {
    let who = match path {
        "/inside" => {
            let who = caller(request)?;
            who.require(&role_policy())?;
            Some(who)
        }
        "/unfit" => {
            caller(request)?.claims::<Unfit>()?;
            None
        }
        "/caller-alone" => Some(caller(request)?),
        "/foreign" if request.extensions().get::<Foreign>().is_some() => {
            return Ok(answer("foreign"));
        }
        _ => maybe_caller(request)?,
    };
    Ok(answer(who.and_then(|who| who.subject()).unwrap_or("anonymous")))
}

fn answer(text: &str) -> Answer {
    let mut answer = Response::new(Full::from(text.to_owned()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
    answer
}

/// The policy and the gate in front of a request's handler.
pub(crate) fn guards<B>(request: &Request<B>) -> (Option<Policy>, Front) {
    match request.uri().path() {
        "/scope" => (Some(scope_policy()), Front::Strict),
        "/method" if request.method() == Method::POST => (Some(scope_policy()), Front::Strict),
        "/role" => (Some(role_policy()), Front::Strict),
        "/step-up" => (Some(step_up_policy()), Front::Strict),
        "/optional" => (None, Front::Optional),
        "/optional-scope" => (Some(scope_policy()), Front::Optional),
        "/foreign" | "/foreign-maybe" => (None, Front::Foreign),
        "/foreign-scope" => (Some(scope_policy()), Front::Foreign),
        "/require-alone" => (Some(scope_policy()), Front::Nothing),
        "/caller-alone" | "/maybe-alone" => (None, Front::Nothing),
        _ => (None, Front::Strict),
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Front {
    Strict,
    Optional,
    Foreign,
    Nothing,
}

macro_rules! serve {
    ($name:ident $(. $with_bodies:ident)?) => {
        pub(crate) async fn $name(suite: &Suite) -> SocketAddr {
            let gates = [&suite.strict, &suite.optional, &suite.foreign].map(Clone::clone);
            listen(service_fn(move |request: Request<Incoming>| {
                let [strict, optional, foreign] = gates.clone();
                async move {
                    let (policy, front) = guards(&request);
                    let handler = service_fn(async |request: Request<Incoming>| {
                        let path = request.uri().path();
                        let answer = handle(path, &request);
                        Ok::<_, Infallible>(answer.unwrap_or_else(Refusal::into_response))
                    });
                    let gate = match front {
                        Front::Strict => strict,
                        Front::Optional => optional,
                        Front::Foreign => foreign,
                        Front::Nothing => {
                            return match policy {
                                Some(policy) => {
                                    RequireService::new(policy, handler).call(request).await
                                }
                                None => handler.call(request).await,
                            };
                        }
                    };
                    match policy {
                        Some(policy) => {
                            let inner = RequireService::new(policy, handler);
                            let service = AuthService::new(gate, inner).open_path("/health");
                            service$(.$with_bodies())?.call(request).await
                        }
                        None => {
                            let service = AuthService::new(gate, handler).open_path("/health");
                            service$(.$with_bodies())?.call(request).await
                        }
                    }
                }
            }))
            .await
        }
    };
}

serve!(serve);
serve!(serve_with_bodies.with_bodies);

/// Serves HTTP/1.1 and HTTP/2.
pub(crate) async fn listen<S>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    address
}
