//! Generates the services. A project with `.proto` files uses `tonic-prost-build` instead.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str, input: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(input)
            .output_type("crate::OrderList")
            .codec_path("tonic_prost::ProstCodec")
            .build()
    };
    let service =
        |name: &str, method| Service::builder().package("shop").name(name).method(method).build();
    Builder::new().build_client(false).compile(&[
        service("Orders", method("list", "List", "crate::Nothing")),
        service("Exports", method("export", "Export", "crate::Nothing")),
    ]);
}
