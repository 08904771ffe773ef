//! `with_bodies` in front of a service whose body is not `From<Bytes>`, such as tonic's.

use std::convert::Infallible;

use http::{Request, Response};
use portcullis_tower::{AuthLayer, portcullis::Authenticator};
use tower::{Service, ServiceBuilder};

#[derive(Default)]
struct Frames;

/// A server.
fn serve(_: impl Service<Request<()>>) {}

fn case(auth: Authenticator) {
    let service = ServiceBuilder::new()
        .layer(AuthLayer::new(auth).with_bodies())
        .service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Frames)));
    serve(service);
}
