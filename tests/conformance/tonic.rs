//! The service on tonic, which needs no adapter: each of its services is wrapped in the tower
//! layers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use portcullis::{Authenticated, Policy};
use portcullis_test_support::text_codec::Text;
use portcullis_testing::conformance::{Suite, role_policy, scope_policy, step_up_policy};
use portcullis_tower::{AuthLayer, RequireLayer};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::{LayerExt as _, Routes};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::{Service, ServiceBuilder};

/// The method that every service has.
struct Who;

impl UnaryService<String> for Who {
    type Response = String;
    type Future = Ready<Result<tonic::Response<String>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let who = request.extensions().get::<Authenticated>().and_then(|who| who.subject());
        ready(Ok(tonic::Response::new(who.unwrap_or("anonymous").to_owned())))
    }
}

macro_rules! services {
    ($($name:ident)*) => {$(
        #[derive(Clone)]
        struct $name;

        impl NamedService for $name {
            const NAME: &'static str = concat!("conformance.", stringify!($name));
        }

        impl Service<Request<Body>> for $name {
            type Response = Response<Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<Body>) -> Self::Future {
                Box::pin(async move { Ok(Grpc::new(Text).unary(Who, request).await) })
            }
        }
    )*};
}

services! { Root Optional Scope Role StepUp OptionalScope RequireAlone }

pub(crate) async fn serve(suite: &Suite) -> SocketAddr {
    let strict = || AuthLayer::new(suite.strict.clone());
    let optional = || AuthLayer::new(suite.optional.clone());
    let held = |policy: Policy| {
        ServiceBuilder::new().layer(strict()).layer(RequireLayer::new(policy)).into_inner()
    };
    let optional_scope = ServiceBuilder::new()
        .layer(optional())
        .layer(RequireLayer::new(scope_policy()))
        .into_inner();
    let routes = Routes::new(strict().named_layer(Root))
        .add_service(optional().named_layer(Optional))
        .add_service(held(scope_policy()).named_layer(Scope))
        .add_service(held(role_policy()).named_layer(Role))
        .add_service(held(step_up_policy()).named_layer(StepUp))
        .add_service(optional_scope.named_layer(OptionalScope))
        .add_service(RequireLayer::new(scope_policy()).named_layer(RequireAlone));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}
