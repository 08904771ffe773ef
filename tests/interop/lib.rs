//! Tests that run several parts together. This file runs the Rust code of the README and of the pages in `docs`
//! as doc tests. The guide's chapters are doc tests of the core; the pages in `docs/migrating` quote tested apps.

#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

/// The pages, each in a module of its own, so that a failed test names its page.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/README.md")]
    mod home {}
    #[doc = include_str!("../../docs/tutorial/axum.md")]
    mod tutorial_axum {}
    #[doc = include_str!("../../docs/tutorial/actix-web.md")]
    mod tutorial_actix_web {}
    #[doc = include_str!("../../docs/how-to/browsers.md")]
    mod browsers {}
    #[doc = include_str!("../../docs/how-to/websocket-and-sse.md")]
    mod websocket_and_sse {}
    #[doc = include_str!("../../docs/how-to/grpc.md")]
    mod grpc {}
    #[doc = include_str!("../../docs/how-to/reverse-proxy.md")]
    mod reverse_proxy {}
    #[doc = include_str!("../../docs/how-to/testing.md")]
    mod testing {}
    #[doc = include_str!("../../docs/how-to/metrics-and-alerts.md")]
    mod metrics_and_alerts {}
}
