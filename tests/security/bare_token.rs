//! A bare token gets the verdict of a request with that token, and one log event.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, ManualClock, NOW, Scene, ScriptedFetch, TestKey, builder,
};
use portcullis::{Algorithm, Authenticated, Authenticator, Gate, Refusal, Revocation};
use portcullis_test_support::log::lines;
use serde_json::{Value, json};

const ASKED: &str = "https://issuer.example/introspect";

fn claims(name: &str, value: Value) -> Value {
    let mut claims =
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 900});
    claims.as_object_mut().unwrap().insert(name.to_owned(), value);
    claims
}

/// Valid tokens, and one token for each kind of rejection.
fn tokens(key: &TestKey) -> Vec<String> {
    let good = key.token(&claims("sub", json!("alice")));
    let mut forged = good.clone();
    forged.truncate(good.len() - 4);
    let changed = [
        claims("iss", json!("https://other.example")),
        claims("aud", json!("other")),
        claims("exp", json!(NOW - 11)),
        claims("exp", json!("soon")),
        claims("nbf", json!(NOW + 60)),
        claims("iat", json!(NOW + 60)),
        claims("nonce", json!("n")),
        claims("cnf", json!({"jkt": "a"})),
        claims("events", json!({})),
        claims("aud", json!([])),
    ];
    let other = TestKey::generate("other", Algorithm::Es256);
    let mut tokens: Vec<String> = changed.iter().map(|claims| key.token(claims)).collect();
    tokens.extend([
        good.clone(),
        forged,
        other.token(&claims("sub", json!("alice"))),
        String::new(),
        " ".to_owned(),
        format!("Bearer {good}"),
        format!("{good} {good}"),
        format!("{good}\n"),
        "a.b.c".to_owned(),
        "opaque".to_owned(),
        "ünïcode".to_owned(),
        key.sign(r#"{"alg":"none"}"#, &claims("sub", json!("a")).to_string()),
        "a".repeat(20_000),
    ]);
    tokens
}

fn told(verdict: &Result<Authenticated, Refusal>) -> (u16, &'static str, Option<String>) {
    match verdict {
        Ok(who) => (200, "accepted", who.subject().map(str::to_owned)),
        Err(refusal) => {
            let challenge = refusal.challenge();
            let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
            (refusal.status().as_u16(), refusal.rule(), challenge)
        }
    }
}

#[tokio::test]
async fn bare_token_and_request_have_the_same_verdict() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for revocation in [Revocation::expiry(), Revocation::live()] {
        for active in [true, false] {
            let fetch = ScriptedFetch::default();
            fetch.set(ASKED, Answer::ok(json!({"active": active})));
            // Each gate gets the token with an empty cache, and again when the token is cached.
            let gate = async || {
                let builder = builder(&key).fetch(fetch.clone()).introspection_url(ASKED);
                Gate::new(builder.build().await.unwrap()).revocation(revocation).unwrap()
            };
            let (bare, requests) = (gate().await, gate().await);
            for token in tokens(&key) {
                for _ in 0..2 {
                    // A text that a header cannot contain, or that a header would truncate, has no
                    // equivalent request.
                    let Ok(value) = http::HeaderValue::from_str(&format!("Bearer {token}")) else {
                        assert_eq!(told(&bare.authenticate_token(&token).await).0, 400);
                        continue;
                    };
                    let headers =
                        http::HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
                    let expected = told(&requests.authenticate(&headers).await);
                    assert_eq!(told(&bare.authenticate_token(&token).await), expected, "{token:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn bare_token_waits_for_its_key_like_a_request() {
    let scene = Scene::published().await;
    let token = scene.token("alice").sign();
    let who = scene.gate().authenticate_token(&token).await.unwrap();
    assert_eq!(who.subject(), Some("alice"));
    // The key is in memory from now on.
    assert!(matches!(
        scene.gate().attempt_token(&token),
        portcullis::adapter::MaybeReady::Ready(Ok(_))
    ));
}

#[test]
fn bare_token_on_a_thread_without_a_runtime_waits_for_the_fetch() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::published());
    let token = scene.token("alice").sign();
    let gate = scene.gate();
    let who = std::thread::spawn(move || gate.authenticate_token_blocking(&token));
    assert_eq!(who.join().unwrap().unwrap().subject(), Some("alice"));
    let unknown = TestKey::generate("unknown", Algorithm::Es256);
    let token = unknown.token(&claims("sub", json!("alice")));
    let refusal = scene.gate().authenticate_token_blocking(&token).unwrap_err();
    assert_eq!(refusal.rule(), "kid");
}

#[test]
fn rejected_bare_token_is_logged_in_one_line_without_its_text() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims("exp", json!(NOW - 900)));
    let lines = lines("debug", async || {
        let auth: Authenticator = builder(&key).clock(ManualClock::at(NOW)).build().await.unwrap();
        Gate::new(auth).authenticate_token(&token).await.unwrap_err();
    });
    let refusals = lines.iter().filter(|line| line.contains("portcullis::refusal"));
    assert_eq!(refusals.count(), 1, "{lines:#?}");
    let (header, _) = token.split_once('.').unwrap();
    assert!(!lines.iter().any(|line| line.contains(header)), "{lines:#?}");
}
