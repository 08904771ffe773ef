//! Every status that an authority can respond with, and the client's response.

use crate::client::ask;
use crate::proxy::{Kind, Proxy};
use crate::servers::{Recorder, challenge, unused_address};
use crate::{METHODS, behind_each_proxy};

behind_each_proxy!(
    refusal_keeps_status_challenge_and_retry_after,
    unexpected_or_missing_answer_of_the_authority_is_a_refusal,
);

async fn refusal_keeps_status_challenge_and_retry_after(kind: Kind) {
    let (authority, app) = (Recorder::authority().await, Recorder::app().await);
    let proxy = Proxy::start(kind, authority.address, "/authorize", app.address);
    for method in METHODS {
        for status in [400, 401, 403, 429, 500, 503] {
            let want = status.to_string();
            let answer = ask(proxy.address, method, "/orders", &[("x-want", &want)]).await;
            let asked = format!("{method} {status}: {answer:?}");
            // If the authorization service fails, Envoy sends a response of its own.
            let own = kind == Kind::Envoy && status >= 500;
            assert_eq!(answer.status, if own { 503 } else { status }, "{asked}");
            let expected = if status <= 403 { challenge(status) } else { String::new() };
            assert_eq!(answer.header("www-authenticate"), expected, "{asked}");
            let expected = match status {
                _ if own => "5",
                429 | 503 => "7",
                _ => "",
            };
            assert_eq!(answer.header("retry-after"), expected, "{asked}");
            assert_eq!(answer.header("cache-control"), "no-store", "{asked}");
            assert!(app.take().is_empty(), "{asked}: it reached the app");
        }
        for status in ["200", "204", "299"] {
            let answer = ask(proxy.address, method, "/orders", &[("x-want", status)]).await;
            let passed = (answer.status, app.take().len());
            if kind == Kind::Envoy && status != "200" {
                // Envoy accepts a request only if the authorization service responds with 200.
                assert_eq!(passed, (status.parse().unwrap(), 0), "{method} {status}");
            } else {
                assert_eq!(passed, (200, 1), "{method} {status}");
            }
        }
    }
}

async fn unexpected_or_missing_answer_of_the_authority_is_a_refusal(kind: Kind) {
    let (authority, app) = (Recorder::authority().await, Recorder::app().await);
    let proxy = Proxy::start(kind, authority.address, "/authorize", app.address);
    let without = Proxy::start(kind, unused_address(), "/authorize", app.address);
    for method in METHODS {
        for status in ["301", "302", "304", "404", "405", "502", "504"] {
            let answer = ask(proxy.address, method, "/orders", &[("x-want", status)]).await;
            assert!(!(200..300).contains(&answer.status), "{method} {status}: {answer:?}");
        }
        let answer = ask(without.address, method, "/orders", &[]).await;
        let unreachable = if kind == Kind::Caddy { 502 } else { 503 };
        assert_eq!(answer.status, unreachable, "{method}: {answer:?}");
    }
    assert!(app.take().is_empty(), "a request reached the app");
}
