//! The axum, actix and hyper examples as authorities: accepted and rejected requests.

use std::net::SocketAddr;

use portcullis_test_support::example;
use portcullis_test_support::process::Process;
use portcullis_testing::{AUDIENCE, TestIssuer};

use crate::client::{Answer, BODY, ask};
use crate::proxy::{Kind, Proxy};
use crate::servers::Recorder;

use crate::{METHODS, behind_each_proxy};

behind_each_proxy!(
    request_without_a_good_token_never_reaches_the_app,
    example_whose_issuer_is_down_answers_503_with_retry_after,
);

const EXAMPLES: [&str; 3] = ["example-axum", "example-actix", "example-hyper"];

/// The path and query that the app must receive unchanged.
const PATH: &str = "/orders%2F17?day=2026-11-29&x=%2e%2e";

/// A client's headers, and the expected outcome.
struct Case {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    /// `None` if the request is accepted.
    refusal: Option<u16>,
}

fn cases(issuer: &TestIssuer) -> Vec<Case> {
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let header = |name: &'static str, value: &str| (name, value.to_owned());
    let good = issuer.token("alice").scopes(["orders:read"]);
    let (good, other) = (good.sign(), issuer.token("bob").sign());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let bad = format!("{signed}.{signature}");
    let expired = issuer.token("alice").scopes(["orders:read"]).expired().sign();
    let unscoped = issuer.token("alice").sign();
    let case = |name, headers: Vec<_>, refusal| Case { name, headers, refusal };
    vec![
        case("no token", vec![], Some(401)),
        case("a token with another's signature", vec![bearer(&bad)], Some(401)),
        case("an expired token", vec![bearer(&expired)], Some(401)),
        case("a token without the scope", vec![bearer(&unscoped)], Some(403)),
        case("two tokens", vec![bearer(&good), bearer(&good)], Some(400)),
        case("gRPC without a token", vec![header("content-type", "application/grpc")], Some(401)),
        case(
            "gRPC with an expired token",
            vec![header("content-type", "application/grpc+proto"), bearer(&expired)],
            Some(401),
        ),
        case(
            "a preflight's headers",
            vec![
                header("origin", "https://app.example"),
                header("access-control-request-method", "GET"),
            ],
            Some(401),
        ),
        case(
            "a WebSocket's handshake",
            vec![header("connection", "Upgrade"), header("upgrade", "websocket")],
            Some(401),
        ),
        case("a planted name", vec![header("x-auth-subject", "root")], Some(401)),
        case("a good token", vec![bearer(&good)], None),
        case(
            "a good token and a planted name",
            vec![bearer(&good), header("x-auth-subject", "root"), header("x_auth_subject", "root")],
            None,
        ),
        case(
            "a good token and gRPC",
            vec![bearer(&good), header("content-type", "application/grpc")],
            None,
        ),
    ]
}

async fn start(
    example: &'static str,
    issuer: &str,
    more: &[(&str, &str)],
) -> (Process, SocketAddr) {
    let mut settings = vec![("PORTCULLIS_ISSUER", issuer), ("PORTCULLIS_AUDIENCE", AUDIENCE)];
    settings.extend_from_slice(more);
    let (process, url) = example::start(example, &settings).await;
    (process, url.strip_prefix("http://").unwrap().parse().unwrap())
}

fn check_refusal(kind: Kind, asked: &str, answer: &Answer, status: u16) -> Result<(), String> {
    let challenge = answer.header("www-authenticate");
    // Envoy sends gRPC status UNAUTHENTICATED to a gRPC client. It rejects every WebSocket itself.
    if kind == Kind::Envoy {
        let refused = match asked {
            _ if asked.contains("gRPC") => {
                (answer.status, &*answer.header("grpc-status")) == (200, "16")
            }
            _ if asked.contains("WebSocket") => answer.status == 403,
            _ => answer.status == status,
        };
        return if refused { Ok(()) } else { Err(format!("{asked}: {answer:?}")) };
    }
    let error = match status {
        400 => "invalid_request",
        403 => "insufficient_scope",
        _ => "Bearer",
    };
    // nginx itself rejects two Authorization lines, without a challenge.
    let of_proxy = kind == Kind::Nginx && status == 400 && challenge.is_empty();
    if answer.status != status || !(of_proxy || challenge.contains(error)) {
        return Err(format!("{asked}: {} {challenge:?}, and not {status}", answer.status));
    }
    Ok(())
}

/// Envoy asks the authorization service with the client's method, and the service's route in the
/// examples accepts only GET.
fn methods(kind: Kind) -> impl Iterator<Item = &'static str> {
    METHODS.into_iter().filter(move |method| kind != Kind::Envoy || *method == "GET")
}

async fn request_without_a_good_token_never_reaches_the_app(kind: Kind) {
    let issuer = TestIssuer::start().await;
    let cases = cases(&issuer);
    let app = Recorder::app().await;
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let (_process, authority) = start(example, &issuer.url(), &[]).await;
        let proxy = Proxy::start(kind, authority, "/orders", app.address);
        for case in &cases {
            let headers: Vec<_> = case.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            for method in methods(kind) {
                let asked = format!("{example}, {method}, {}", case.name);
                let answer = ask(proxy.address, method, PATH, &headers).await;
                let seen = app.take();
                if let Some(status) = case.refusal {
                    wrong.extend(check_refusal(kind, &asked, &answer, status).err());
                    wrong.extend(seen.iter().map(|_| format!("{asked}: it reached the app")));
                    continue;
                }
                let [(request, body)] = &seen[..] else {
                    wrong.push(format!("{asked}: {}, and did not reach the app", answer.status));
                    continue;
                };
                assert_eq!(answer.status, 200, "{asked}");
                assert_eq!(
                    (request.method.as_str(), request.uri.to_string()),
                    (method, PATH.into())
                );
                assert_eq!(body, if method == "POST" { BODY } else { b"" }, "{asked}");
                for name in ["authorization", "x-auth-subject", "x_auth_subject"] {
                    assert!(!request.headers.contains_key(name), "{asked}: {request:?}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

async fn example_whose_issuer_is_down_answers_503_with_retry_after(kind: Kind) {
    let issuer = TestIssuer::start().await;
    issuer.begin_outage();
    let bearer = issuer.token("alice").scopes(["orders:read"]).bearer();
    let app = Recorder::app().await;
    for example in EXAMPLES {
        let without_keys = [("PORTCULLIS_START_WITHOUT_KEYS", "true")];
        let (_process, authority) = start(example, &issuer.url(), &without_keys).await;
        let proxy = Proxy::start(kind, authority, "/orders", app.address);
        for method in methods(kind) {
            let answer = ask(proxy.address, method, PATH, &[("authorization", &bearer)]).await;
            assert_eq!(answer.status, 503, "{example} {method}");
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
            assert_eq!(answer.header("www-authenticate"), "");
        }
        assert!(app.take().is_empty(), "{example}: a request reached the app");
    }
}
