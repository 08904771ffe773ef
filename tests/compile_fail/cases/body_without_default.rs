//! A layer in front of a service whose body cannot be empty.

use std::convert::Infallible;

use http::{Request, Response};
use portcullis_tower::{AuthLayer, portcullis::Authenticator};
use tower::{Service, ServiceBuilder};

struct Page;

/// A server.
fn serve(_: impl Service<Request<()>>) {}

fn case(auth: Authenticator) {
    let service = ServiceBuilder::new()
        .layer(AuthLayer::new(auth))
        .service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Page)));
    serve(service);
}
