//! The service on hyper, and as a tower stack on hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use portcullis::{Authenticator, Policy};
use portcullis_hyper::{AuthService, RequireService};
use portcullis_tower::{AuthLayer, RequireLayer};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt as _};

use crate::failure::Outcome;

type Answer = Response<Full<Bytes>>;

async fn fine(_: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(Answer::default())
}

/// The policy of a path.
fn policy_of<B>(request: &Request<B>, [has, lacks]: &[Policy; 2]) -> Option<Policy> {
    match request.uri().path() {
        "/has" => Some(has.clone()),
        "/lacks" => Some(lacks.clone()),
        _ => None,
    }
}

pub(super) async fn serve_hyper(auth: Authenticator, policies: [Policy; 2]) -> Outcome<SocketAddr> {
    listen(service_fn(move |request: Request<Incoming>| {
        let (auth, policy) = (auth.clone(), policy_of(&request, &policies));
        async move {
            match policy {
                Some(policy) => {
                    let inner = RequireService::new(policy, service_fn(fine));
                    AuthService::new(auth, inner).call(request).await
                }
                None => AuthService::new(auth, service_fn(fine)).call(request).await,
            }
        }
    }))
    .await
}

pub(super) async fn serve_tower(auth: Authenticator, policies: [Policy; 2]) -> Outcome<SocketAddr> {
    listen(TowerToHyperService::new(tower::service_fn(move |request: Request<Incoming>| {
        let require = policy_of(&request, &policies).map(RequireLayer::new);
        let auth = AuthLayer::new(auth.clone());
        async move {
            let stack = ServiceBuilder::new().layer(auth).option_layer(require);
            stack.service_fn(fine).oneshot(request).await
        }
    })))
    .await
}

async fn listen<S>(service: S) -> Outcome<SocketAddr>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    Ok(address)
}
