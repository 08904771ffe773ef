//! One table of cases through every adapter, over real sockets, in every protocol it can speak.
//! What must come back stands in `portcullis_testing::conformance`.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking")]

mod actix;
mod axum;
mod behaviour;
mod hyper;
mod tonic;
mod tower;

use portcullis_testing::conformance::{Protocol, Report, Suite};

const KIND: &str = "text/plain";

/// Prints what came of it, and fails if anything was answered otherwise.
fn conclude(reports: &[Report]) {
    for report in reports {
        eprintln!("{report}");
    }
    let wrong: usize = reports.iter().map(|report| report.wrong.len()).sum();
    assert_eq!(
        wrong,
        0,
        "of {} exchanges",
        reports.iter().map(|report| report.cases).sum::<usize>()
    );
}

#[tokio::test]
async fn every_adapter_answers_every_case_alike() {
    let plain = Suite::plain().await;
    let bodies = Suite::with_bodies().await;
    let mut reports = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let address = tower::serve(&plain).await;
        reports.push(plain.run("tower", address, protocol).await);
        let address = tower::serve_with_bodies(&bodies).await;
        reports.push(bodies.run("tower, bodies", address, protocol).await);
        let address = axum::serve(&plain).await;
        reports.push(plain.run("axum", address, protocol).await);
        let address = axum::serve(&bodies).await;
        reports.push(bodies.run("axum, bodies", address, protocol).await);
        let address = actix::serve(&plain);
        reports.push(plain.run("actix", address, protocol).await);
        let address = actix::serve(&bodies);
        reports.push(bodies.run("actix, bodies", address, protocol).await);
        let address = hyper::serve(&plain).await;
        reports.push(plain.run("hyper", address, protocol).await);
        let address = hyper::serve_with_bodies(&bodies).await;
        reports.push(bodies.run("hyper, bodies", address, protocol).await);
    }
    // actix-web has no extended CONNECT.
    let protocol = Protocol::ExtendedConnect;
    reports.push(plain.run("tower", tower::serve(&plain).await, protocol).await);
    reports.push(plain.run("axum", axum::serve(&plain).await, protocol).await);
    reports.push(plain.run("hyper", hyper::serve(&plain).await, protocol).await);
    let address = tonic::serve(&plain).await;
    reports.push(plain.run("tonic", address, Protocol::Grpc).await);
    conclude(&reports);
}

/// A table that nothing can fail would prove nothing.
#[tokio::test]
async fn a_service_that_breaks_a_rule_fails_the_table() {
    let mut suite = Suite::plain().await;
    // A token is compulsory nowhere.
    suite.strict = suite.optional.clone();
    let address = axum::serve(&suite).await;
    let report = suite.run("a lax one", address, Protocol::Http1).await;
    assert!(report.wrong.iter().any(|wrong| wrong.starts_with("no token: ")), "{report}");
}
