//! A gRPC API on tonic whose tokens are validated locally: the layers of portcullis-tower around
//! each service, with a policy of its own. Refusals are a `grpc-status` and the usual headers.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how a program speaks")]

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use portcullis_tower::portcullis::{Authenticated, Authenticator, Gate, Policy};
use portcullis_tower::{AuthLayer, RequireLayer};
use tokio::net::TcpListener;
use tonic::service::{LayerExt as _, Routes};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};
use tower::ServiceBuilder;

mod orders {
    #![allow(unreachable_pub, reason = "made by tonic-build")]
    tonic::include_proto!("shop.Orders");
    pub(crate) use orders_server::{Orders, OrdersServer};
}

mod exports {
    #![allow(unreachable_pub, reason = "made by tonic-build")]
    tonic::include_proto!("shop.Exports");
    pub(crate) use exports_server::{Exports, ExportsServer};
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
struct OrderList {
    #[prost(string, tag = "1")]
    owner: String,
    #[prost(uint32, repeated, tag = "2")]
    orders: Vec<u32>,
}

struct Shop;

impl Shop {
    fn list(request: &Request<Nothing>) -> Result<Response<OrderList>, Status> {
        // The layer puts the caller there.
        let who = request.extensions().get::<Authenticated>().and_then(Authenticated::subject);
        let owner = who.ok_or_else(|| Status::internal("the service has no layer"))?.to_owned();
        Ok(Response::new(OrderList { owner, orders: vec![17, 4] }))
    }
}

#[tonic::async_trait]
impl orders::Orders for Shop {
    async fn list(&self, request: Request<Nothing>) -> Result<Response<OrderList>, Status> {
        Self::list(&request)
    }
}

#[tonic::async_trait]
impl exports::Exports for Shop {
    async fn export(&self, request: Request<Nothing>) -> Result<Response<OrderList>, Status> {
        Self::list(&request)
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // Declared gRPC: every refusal is a `grpc-status`, whatever the request says of itself.
    let gate = Gate::new(Authenticator::from_env().await?).grpc();

    // Every service says what its callers may do.
    let scope = |scope: &str| {
        ServiceBuilder::new()
            .layer(AuthLayer::new(gate.clone()))
            .layer(RequireLayer::new(Policy::scopes([scope])))
            .into_inner()
    };
    let orders = scope("orders:read").named_layer(orders::OrdersServer::new(Shop));
    let exports = scope("orders:export").named_layer(exports::ExportsServer::new(Shop));
    let routes = Routes::new(orders).add_service(exports);

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| format!("LISTEN is {listen:?}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::builder().add_routes(routes).serve_with_incoming(TcpIncoming::from(listener)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let ansi = stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
    let Err(error) = serve().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
