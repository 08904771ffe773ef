//! One table of cases through every adapter, over real sockets, in every protocol it can speak.
//! What must come back stands in `portcullis_testing::conformance`.
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
    // actix-web has no extended CONNECT.
    let protocol = Protocol::ExtendedConnect;
    reports.push(plain.run("tower", tower::serve(&plain).await, protocol).await);
    reports.push(plain.run("axum", axum::serve(&plain).await, protocol).await);
    reports.push(plain.run("hyper", hyper::serve(&plain).await, protocol).await);
    reports.push(grpc.run("tonic", tonic::serve(&grpc).await, Protocol::Grpc).await);
    conclude(&reports);
}

#[tokio::test]
async fn bare_token_gets_the_verdict_of_a_request_in_every_case() {
    for suite in [Suite::plain().await, Suite::with_bodies().await, Suite::plain().await.grpc()] {
        let report = suite.run_bare_tokens().await;
        assert!(report.cases > 10, "{report}");
        conclude(&[report]);
    }
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

/// Nor would the second half of it, in which each request is said to be gRPC.
#[tokio::test]
async fn gate_of_the_other_kind_fails_the_table() {
    let (plain, grpc) = (Suite::plain().await, Suite::plain().await.grpc());
    for (suite, other) in [(&plain, &grpc), (&grpc, &plain)] {
        let mut suite = suite.clone();
        suite.strict = other.strict.clone();
        let report = suite.run("other", axum::serve(&suite).await, Protocol::Http1).await;
        for name in ["no token: ", "no token, said to be gRPC: "] {
            assert!(report.wrong.iter().any(|wrong| wrong.starts_with(name)), "{report}");
        }
    }
}
