//! Runs one suite of cases through every adapter, over real sockets, in every protocol that it
//! supports. The expected responses are in `portcullis_testing::conformance`.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking")]

mod actix;
mod axum;
mod behaviour;
mod hyper;
mod log;
mod tonic;
mod tower;

use portcullis_testing::conformance::{Protocol, Report, Suite};

const KIND: &str = "text/plain";

/// Prints the report, and fails if any response differs.
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
async fn every_adapter_passes_every_case() {
    let plain = [("", Suite::plain().await), (", gRPC", Suite::plain().await.grpc())];
    let bodies = [("", Suite::with_bodies().await), (", gRPC", Suite::with_bodies().await.grpc())];
    let mut reports = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (kind, plain) in &plain {
            let mut run = async |adapter: &str, address| {
                reports.push(plain.run(&format!("{adapter}{kind}"), address, protocol).await);
            };
            run("tower", tower::serve(plain).await).await;
            run("axum", axum::serve(plain).await).await;
            run("actix", actix::serve(plain)).await;
            run("hyper", hyper::serve(plain).await).await;
        }
        for (kind, bodies) in &bodies {
            let mut run = async |adapter: &str, address| {
                let adapter = format!("{adapter}, bodies{kind}");
                reports.push(bodies.run(&adapter, address, protocol).await);
            };
            run("tower", tower::serve_with_bodies(bodies).await).await;
            run("axum", axum::serve(bodies).await).await;
            run("actix", actix::serve(bodies)).await;
            run("hyper", hyper::serve_with_bodies(bodies).await).await;
        }
    }
    let [(_, plain), (_, grpc)] = plain;
    // actix-web does not support extended CONNECT.
    let protocol = Protocol::ExtendedConnect;
    reports.push(plain.run("tower", tower::serve(&plain).await, protocol).await);
    reports.push(plain.run("axum", axum::serve(&plain).await, protocol).await);
    reports.push(plain.run("hyper", hyper::serve(&plain).await, protocol).await);
    reports.push(grpc.run("tonic", tonic::serve(&grpc).await, Protocol::Grpc).await);
    conclude(&reports);
}

#[tokio::test]
async fn bare_token_has_the_verdict_of_a_request_in_every_case() {
    for suite in [Suite::plain().await, Suite::with_bodies().await, Suite::plain().await.grpc()] {
        let report = suite.run_bare_tokens().await;
        assert!(report.cases > 10, "{report}");
        conclude(&[report]);
    }
}

/// A suite that cannot fail would prove nothing.
#[tokio::test]
async fn service_that_breaks_a_rule_fails_the_suite() {
    let mut suite = Suite::plain().await;
    // This service never requires a token.
    suite.strict = suite.optional.clone();
    let address = axum::serve(&suite).await;
    let report = suite.run("a lax one", address, Protocol::Http1).await;
    assert!(report.wrong.iter().any(|wrong| wrong.starts_with("no token: ")), "{report}");
}

/// The gRPC half of the suite must be able to fail, too.
#[tokio::test]
async fn gate_of_the_other_protocol_fails_the_suite() {
    let (plain, grpc) = (Suite::plain().await, Suite::plain().await.grpc());
    for (suite, other) in [(&plain, &grpc), (&grpc, &plain)] {
        let mut suite = suite.clone();
        suite.strict = other.strict.clone();
        let report = suite.run("other", axum::serve(&suite).await, Protocol::Http1).await;
        for name in ["no token: ", "no token, content type of gRPC: "] {
            assert!(report.wrong.iter().any(|wrong| wrong.starts_with(name)), "{report}");
        }
    }
}
