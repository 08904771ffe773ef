//! The service as a tower stack, on hyper.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use portcullis::Refusal;
use portcullis_testing::conformance::Suite;
use portcullis_tower::{AuthLayer, RequireLayer};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::hyper::{Answer, Front, guards, handle, listen};

async fn handler(request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(handle(request.uri().path(), &request).unwrap_or_else(Refusal::into_response))
}

macro_rules! serve {
    ($name:ident $(. $with_bodies:ident)?) => {
        pub(crate) async fn $name(suite: &Suite) -> SocketAddr {
            let [strict, optional, foreign] =
                [&suite.strict, &suite.optional, &suite.foreign].map(Clone::clone);
            listen(TowerToHyperService::new(service_fn(move |request: Request<Incoming>| {
                let (policy, front) = guards(&request);
                let auth = match front {
                    Front::Strict => Some(strict.clone()),
                    Front::Optional => Some(optional.clone()),
                    Front::Foreign => Some(foreign.clone()),
                    Front::Nothing => None,
                };
                let auth =
                    auth.map(|gate| AuthLayer::new(gate).open_path("/health")$(.$with_bodies())?);
                let require = policy.map(RequireLayer::new);
                async move {
                    let service = ServiceBuilder::new()
                        .option_layer(auth)
                        .option_layer(require)
                        .service_fn(handler);
                    service.oneshot(request).await
                }
            })))
            .await
        }
    };
}

serve!(serve);
serve!(serve_with_bodies.with_bodies);
