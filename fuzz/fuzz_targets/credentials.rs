//! Sends any headers that may contain a token. No input panics, no request is accepted, and the
//! response contains nothing of the request. Each line of the input is a header: one letter (`A`
//! for Authorization, `P` for subprotocols, `H` for another header, `C` for Cookie) and the value.
//! The letters `a` and `c` make the request unsafe.
#![no_main]

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, Method, Request};
use libfuzzer_sys::fuzz_target;
use portcullis::testing::attempt_now;
use portcullis::{Authenticator, refusal::RefusalKind, token::TokenPlace};
use portcullis_fuzz::{SET, builder, built};

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| {
    let places = [
        TokenPlace::authorization(),
        TokenPlace::header_with_scheme("x-token", "JWT"),
        TokenPlace::websocket_prefix("bearer."),
        TokenPlace::websocket_pair("bearer"),
        TokenPlace::websocket_base64url("b64."),
    ];
    built(builder(SET.clone()).token_places(places).cookie("t")).expect("good settings")
});

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::new(());
    for line in bytes.split(|&byte| byte == b'\n').take(8) {
        let Some((kind, value)) = line.split_first() else { continue };
        let (name, method) = match kind {
            b'A' => (AUTHORIZATION, Method::GET),
            b'a' => (AUTHORIZATION, Method::POST),
            b'P' => (SEC_WEBSOCKET_PROTOCOL, Method::GET),
            b'H' => (HeaderName::from_static("x-token"), Method::GET),
            b'c' => (COOKIE, Method::POST),
            _ => (COOKIE, Method::GET),
        };
        *request.method_mut() = method;
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(name, value);
        }
    }
    let outcome = attempt_now(&AUTH, &request).expect("the keys are in memory");
    match outcome {
        Ok(who) => assert!(who.is_none(), "no token for this API is signed"),
        Err(refusal) => {
            let _ = format!("{refusal} {refusal:?} {}", refusal.reason());
            let Some(challenge) = refusal.challenge() else {
                // Only the cookie of an unsafe request from an unknown page is rejected without a
                // challenge.
                assert_eq!(
                    (refusal.kind(), refusal.status().as_u16()),
                    (RefusalKind::Forbidden, 403)
                );
                return;
            };
            let told = challenge.to_str().expect("ASCII");
            assert!(match refusal.kind() {
                RefusalKind::InvalidRequest => told.contains("error=\"invalid_request\""),
                RefusalKind::InvalidToken => told.contains("error=\"invalid_token\""),
                other => panic!("{other:?}"),
            });
            assert!(told.len() < 200, "a constant text");
        }
    }
});
