//! What the operator is told: one event a refusal, with the rule, the setting and the remedy, and
//! nothing out of the request.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, authorization,
    bearer, builder,
};
use portcullis::{
    Algorithm, Authenticator, Gate, Policy, Profile,
    adapter::{Bodies, FromBytes, NoBodies},
};
use serde_json::{Value, json};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `RUST_LOG=portcullis=debug` shows of one request.
fn lines(ask: impl AsyncFnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("portcullis=debug")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(ask());
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

async fn auth(key: &TestKey) -> Authenticator {
    builder(key).profile(Profile::rfc9068()).build().await.unwrap()
}

#[test]
fn a_refusal_is_one_line_that_names_rule_setting_and_remedy_and_no_value() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let claims = |name: &str, value: Value| {
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "s3cret-subject",
            "client_id": "s3cret-client", "jti": "s3cret-jti", "iat": NOW, "exp": NOW + 900,
            "scope": "s3cret-scope",
        });
        claims.as_object_mut().unwrap().insert(name.to_owned(), value);
        claims
    };
    for (name, value, rule, setting) in [
        ("iss", json!("https://s3cret.example"), "iss", "issuer (PORTCULLIS_ISSUER)"),
        ("aud", json!(["s3cret"]), "aud", "audience (PORTCULLIS_AUDIENCE)"),
        ("exp", json!(NOW - 11), "exp", "leeway (PORTCULLIS_LEEWAY_SECS)"),
        ("nbf", json!(NOW + 11), "nbf", "leeway (PORTCULLIS_LEEWAY_SECS)"),
        ("nonce", json!("s3cret"), "access_token", "profile (PORTCULLIS_PROFILE)"),
        ("sub", json!({"s3cret": 1}), "wrong_type", ""),
        ("cnf", json!({"jkt": "s3cret"}), "cnf", ""),
    ] {
        let token = key.token(&claims(name, value));
        let lines = lines(async || {
            let request = bearer(&token);
            auth(&key).await.authenticate(&request).await.unwrap_err();
        });
        let refusals: Vec<_> =
            lines.iter().filter(|line| line.contains("portcullis::refusal")).collect();
        assert_eq!(refusals.len(), 1, "{lines:?}");
        let line = refusals[0];
        for part in [&format!("rule={rule:?}"), setting, "kind=\"invalid_token\"", "remedy="] {
            assert!(line.contains(part), "{line} should have {part}");
        }
        assert_nothing_leaks(&lines, &token);
    }
}

#[test]
fn policies_credentials_and_types_are_reported_without_values() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "s3cret-subject",
        "client_id": "s3cret-client", "jti": "s3cret-jti", "iat": NOW, "exp": NOW + 900,
        "tenant": "s3cret-tenant", "scope": "s3cret-scope", "roles": ["s3cret-role"],
    }));
    let lines = lines(async || {
        let auth = auth(&key).await;
        let who = auth.authenticate(&bearer(&token)).await.unwrap();
        who.require(&Policy::scopes(["orders:read"])).unwrap_err();
        who.require(&Policy::roles(["clerk"])).unwrap_err();
        who.claims::<std::collections::HashMap<String, u64>>().unwrap_err();
        auth.authenticate(&authorization(&format!("Bearer {token} {token}"))).await.unwrap_err();
        auth.authenticate(&authorization(&format!("Bearer x{token}"))).await.unwrap_err();
        auth.authenticate(&authorization("Basic s3cret")).await.unwrap_err();
    });
    let refusals = lines.iter().filter(|line| line.contains("portcullis::refusal"));
    assert_eq!(refusals.count(), 6, "{lines:#?}");
    assert_nothing_leaks(&lines, &token);
}

#[test]
fn metadata_that_a_layer_does_not_serve_are_reported_once() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let unserved = |lines: Vec<String>| {
        lines.into_iter().filter(|line| line.contains("does not serve")).collect::<Vec<_>>()
    };
    let build = async |resource: bool| {
        let builder = builder(&key);
        let builder = if resource { builder.protected_resource(AUDIENCE) } else { builder };
        Gate::new(builder.build().await.unwrap())
    };
    let request = http::Request::new(());
    let lines_of_two = lines(async || {
        let gate = build(true).await;
        for gate in [gate.clone(), gate] {
            assert!(<NoBodies as Bodies<Bytes>>::metadata(&gate, &request).is_none());
        }
    });
    let told = unserved(lines_of_two);
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["WARN", "with_bodies", "PORTCULLIS_RESOURCE", "oauth-protected-resource"] {
        assert!(told[0].contains(part), "{told:?}");
    }
    let silent = lines(async || {
        <FromBytes as Bodies<Bytes>>::metadata(&build(true).await, &request);
        <NoBodies as Bodies<Bytes>>::metadata(&build(false).await, &request);
    });
    assert!(unserved(silent).is_empty());
}

#[test]
fn start_says_how_long_keys_are_used_and_which_headers_count() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (obeys, told) in
        [(false, "only a positive max-age counts"), (true, "must-revalidate count (obey_no_cache)")]
    {
        let lines = lines(async || {
            let fetch = ScriptedFetch::default();
            fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
            let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch);
            let builder = builder.without_background_refresh();
            if obeys { builder.obey_no_cache() } else { builder }.build().await.unwrap();
        });
        let start = lines.iter().find(|line| line.contains("validated locally")).unwrap();
        let bounds = ["withdrawal_bound=311.1s", "withdrawal_bound_in_outage=3900s"];
        for part in bounds.into_iter().chain([told]) {
            assert!(start.contains(part), "{start} should have {part}");
        }
    }
}

/// A key for encryption is none of an operator's business, and no set is reported twice.
#[test]
fn skipped_keys_are_logged_once_for_each_set_by_how_bad_they_are() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mut encryption = TestKey::generate("enc", Algorithm::Rs256).jwk();
    encryption["use"] = json!("enc");
    encryption["alg"] = json!("RSA-OAEP");
    let secret = json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"});
    let lines = lines(async || {
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        fetch.set(JWKS, Answer::ok(json!({"keys": [key.jwk(), encryption, secret]})));
        let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch);
        let builder = builder.without_background_refresh().clock(clock);
        let auth = builder.build().await.unwrap();
        for _ in 0..3 {
            auth.refresh().await.unwrap();
        }
    });
    let of = |kid: &str| {
        let kid = format!("kid={kid:?}");
        lines.iter().filter(|line| line.contains(&kid)).cloned().collect::<Vec<_>>()
    };
    for (kid, level, reason) in
        [("enc", "DEBUG", "not meant for verifying signatures"), ("oct", "WARN", "a symmetric key")]
    {
        let [line] = &of(kid)[..] else { panic!("{lines:#?}") };
        assert!(line.contains(level) && line.contains(reason), "{line}");
    }
}

fn assert_nothing_leaks(lines: &[String], token: &str) {
    for line in lines {
        assert!(!line.contains("s3cret"), "{line}");
        for part in token.split('.') {
            assert!(!line.contains(&part[..12]), "{line}");
        }
    }
}
