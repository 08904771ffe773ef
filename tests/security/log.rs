//! The log: one event per refusal, with the rule, the setting and the remedy, and no value of the
//! request.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, TokioClock,
    authorization, bearer, builder,
};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, Gate, IssuerSettings, Policy, Profile,
    Revocation,
    adapter::{Bodies, FromBytes, NoBodies},
    config::IssuerResolver,
    dangerous,
    keys::{KeySet, SharedKeySet},
};
use portcullis_test_support::log::lines;
use serde_json::{Value, json};

async fn auth(key: &TestKey) -> Authenticator {
    builder(key).profile(Profile::rfc9068()).build().await.unwrap()
}

#[test]
fn refusal_is_one_log_line_with_rule_setting_and_remedy_and_no_value() {
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
        ("iss", json!("https://other.example"), "iss", "issuer (PORTCULLIS_ISSUER)"),
        (
            "aud",
            json!(["other\n\u{202e}", "https://api.example/"]),
            "aud",
            "audience (PORTCULLIS_AUDIENCE)",
        ),
        ("exp", json!(NOW - 11), "exp", "leeway (PORTCULLIS_LEEWAY_SECS)"),
        ("nbf", json!(NOW + 11), "nbf", "leeway (PORTCULLIS_LEEWAY_SECS)"),
        ("c_hash", json!("s3cret"), "access_token", "profile (PORTCULLIS_PROFILE)"),
        ("sub", json!({"s3cret": 1}), "wrong_type", ""),
        ("cnf", json!({"jkt": "s3cret"}), "cnf", ""),
    ] {
        let token = key.token(&claims(name, value));
        let lines = lines("debug", async || {
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
        // Only these two rules log the token's value, which is escaped.
        let found = match rule {
            "iss" => r#"found="https://other.example""#,
            "aud" => r#"found="other\n\u{202e}", "https://api.example/""#,
            _ => "",
        };
        assert!(line.contains(found), "{line} should have {found}");
        assert_eq!(line.contains("found="), !found.is_empty(), "{line}");
        assert_nothing_leaks(&lines, &token);
    }
}

#[test]
fn policy_credentials_and_type_refusals_are_logged_without_values() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "s3cret-subject",
        "client_id": "s3cret-client", "jti": "s3cret-jti", "iat": NOW, "exp": NOW + 900,
        "tenant": "s3cret-tenant", "scope": "s3cret-scope", "roles": ["s3cret-role"],
    }));
    let lines = lines("debug", async || {
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

/// Keycloak reports every token for another audience as inactive.
#[test]
fn inactive_new_tokens_are_logged_once_a_minute_with_their_count() {
    const ASKED: &str = "https://issuer.example/introspect";
    let key = TestKey::generate("k", Algorithm::Es256);
    let clock = ManualClock::at(NOW);
    let ask = async |gate: &Gate, age: u64| {
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "s3cret-subject",
            "iat": NOW - age, "exp": NOW + 900,
        });
        let refusal = gate.authenticate(&bearer(&key.token(&claims))).await.unwrap_err();
        assert_eq!(refusal.rule(), "inactive");
    };
    let lines = lines("debug", async || {
        let fetch = ScriptedFetch::default();
        fetch.set(ASKED, Answer::ok(r#"{"active":false}"#));
        let builder = builder(&key).fetch(fetch.clone()).clock(clock.clone());
        let builder = builder.introspection_url(ASKED);
        let gate = Gate::new(builder.build().await.unwrap()).revocation(Revocation::live());
        let gate = gate.unwrap();
        // A token that is 300 s old is not new: it may have been revoked.
        ask(&gate, 300).await;
        for age in [0, 1, 60] {
            ask(&gate, age).await;
        }
        clock.advance(Duration::from_secs(60));
        ask(&gate, 0).await;
        fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
        let good = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW + 60, "exp": NOW + 900});
        gate.authenticate(&bearer(&key.token(&good))).await.unwrap();
        fetch.set(ASKED, Answer::ok(r#"{"active":false}"#));
        clock.advance(Duration::from_secs(60));
        let new = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW + 120, "exp": NOW + 900});
        gate.authenticate(&bearer(&key.token(&new))).await.unwrap_err();
    });
    let reports: Vec<_> =
        lines.iter().filter(|line| line.contains("portcullis::introspection")).collect();
    // The last token is not reported, because the active token before it shows that the client may
    // introspect.
    assert_eq!(reports.len(), 2, "{reports:#?}");
    for (report, tokens) in reports.into_iter().zip(["tokens=1 ", "tokens=3 "]) {
        for part in ["WARN", tokens, "Keycloak", "Hydra", "Spring", ISSUER, ASKED] {
            assert!(report.contains(part), "{report} should have {part}");
        }
    }
    assert_nothing_leaks(&lines, &key.token(&json!({"iss": ISSUER})));
}

#[test]
fn unserved_metadata_is_logged_once() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let unserved = |lines: Vec<String>| {
        lines.into_iter().filter(|line| line.contains("cannot serve")).collect::<Vec<_>>()
    };
    let build = async |resource: bool| {
        let builder = builder(&key);
        let builder = if resource { builder.protected_resource(AUDIENCE) } else { builder };
        Gate::new(builder.build().await.unwrap())
    };
    let request = http::Request::new(());
    let lines_of_two = lines("debug", async || {
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
    let silent = lines("debug", async || {
        <FromBytes as Bodies<Bytes>>::metadata(&build(true).await, &request);
        <NoBodies as Bodies<Bytes>>::metadata(&build(false).await, &request);
    });
    assert!(unserved(silent).is_empty());
}

/// Checks the lines that an operator gets with the log at `info`.
#[test]
fn refusals_at_info_are_one_line_per_rule_issuer_and_minute() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let clock = ManualClock::at(NOW);
    let expired = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "s3cret", "exp": NOW - 900});
    let token = key.token(&expired);
    let lines = lines("info", async || {
        let gate = Gate::new(builder(&key).clock(clock.clone()).build().await.unwrap());
        let send = async |number: usize, headers: &HeaderMap| {
            for _ in 0..number {
                gate.authenticate(headers).await.unwrap_err();
            }
        };
        send(1000, &bearer(&token)).await;
        send(10, &HeaderMap::new()).await;
        clock.advance(Duration::from_secs(59));
        send(1, &bearer(&token)).await;
        clock.advance(Duration::from_secs(1));
        send(500, &bearer(&token)).await;
        clock.advance(Duration::from_secs(60));
        send(1, &bearer(&token)).await;
        // After a quiet hour the next refusal is logged at once.
        clock.advance(Duration::from_secs(3600));
        send(1, &bearer(&token)).await;
        clock.advance(Duration::from_secs(3600));
        send(1, &bearer(&token)).await;
    });
    let told: Vec<_> = lines.iter().filter(|line| line.contains("portcullis::refused")).collect();
    let counts = |rule: &str| -> Vec<&str> {
        let of_rule = told.iter().filter(|line| line.contains(&format!("rule=\"{rule}\"")));
        of_rule
            .map(|line| line.split("count=").nth(1).unwrap().split(' ').next().unwrap())
            .collect()
    };
    assert_eq!(counts("exp"), ["1", "1000", "500", "1", "1"], "{told:#?}");
    assert_eq!(counts("missing"), ["1", "9"], "{told:#?}");
    for part in ["INFO", &format!("issuer={ISSUER:?}"), "PORTCULLIS_LEEWAY_SECS", "remedy="] {
        assert!(told[0].contains(part), "{} should have {part}", told[0]);
    }
    assert_nothing_leaks(&lines, &token);
}

/// The counts of a minute are logged at its end, even if no other refusal follows.
#[test]
fn refusal_counts_are_logged_at_the_end_of_their_minute() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let told = std::cell::Cell::new(Duration::ZERO);
    let lines = lines("info", async || {
        let fetch = ScriptedFetch::default();
        fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
        let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch);
        let gate = Gate::new(builder.clock(TokioClock::at(NOW)).build().await.unwrap());
        let begun = tokio::time::Instant::now();
        for _ in 0..7 {
            gate.authenticate(&HeaderMap::new()).await.unwrap_err();
        }
        tokio::time::sleep(Duration::from_secs(61)).await;
        told.set(begun.elapsed());
    });
    assert!(told.get() < Duration::from_secs(62));
    let counted = |count: &str| lines.iter().any(|line| line.contains(count));
    assert!(counted("count=1 ") && counted("count=6 "), "{lines:#?}");
}

/// Forged tokens that claim to be from any issuer that a resolver returns.
#[test]
fn flood_of_many_issuers_is_one_line_without_their_names() {
    struct AnyIssuer(TestKey);
    impl IssuerResolver for AnyIssuer {
        fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
            let keys = SharedKeySet::new(TestKey::key_set([&self.0]));
            Some(IssuerSettings::new(issuer, AUDIENCE).key_source(keys))
        }
    }
    let (key, other) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("o", Algorithm::Es256));
    let lines = lines("info", async || {
        let resolver = AnyIssuer(TestKey::generate("k", Algorithm::Es256));
        let builder = builder(&key).issuer_resolver(resolver);
        let gate = Gate::new(builder.build().await.unwrap());
        for number in 0..3000 {
            let issuer = format!("https://tenant-{number}.example");
            let token = other.token(&json!({"iss": issuer, "aud": AUDIENCE, "exp": NOW + 900}));
            gate.authenticate(&bearer(&token)).await.unwrap_err();
        }
    });
    let told: Vec<_> = lines.iter().filter(|line| line.contains("portcullis::refused")).collect();
    // An unverified issuer is not named in the log.
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(!lines.iter().any(|line| line.contains("tenant-")), "{lines:#?}");
}

#[test]
fn start_logs_key_lifetimes_and_obeyed_headers() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (obeys, told) in [
        (false, "only a positive max-age is obeyed"),
        (true, "must-revalidate are obeyed (obey_no_cache)"),
    ] {
        let lines = lines("debug", async || {
            let fetch = ScriptedFetch::default();
            fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
            let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch);
            let builder = builder.without_background_refresh();
            if obeys { builder.obey_no_cache() } else { builder }.build().await.unwrap();
        });
        let start = lines.iter().find(|line| line.contains("issuer configured")).unwrap();
        let bounds = ["withdrawal_bound=311.1 s", "withdrawal_bound_in_outage=3900 s"];
        for part in bounds.into_iter().chain([told]) {
            assert!(start.contains(part), "{start} should have {part}");
        }
    }
}

#[test]
fn any_audience_is_warned_about_at_start_and_a_named_one_is_not() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (settings, is_any) in
        [(dangerous::any_audience(ISSUER), true), (IssuerSettings::new(ISSUER, AUDIENCE), false)]
    {
        let lines = lines("info", async || {
            let settings = settings.key_source(SharedKeySet::new(TestKey::key_set([&key])));
            AuthenticatorBuilder::new(settings).build().await.unwrap();
        });
        let warned = lines.iter().find(|line| line.contains("dangerous::any_audience"));
        assert_eq!(warned.is_some(), is_any, "{lines:#?}");
        assert!(warned.is_none_or(|line| line.contains("WARN") && line.contains(ISSUER)));
        let start = lines.iter().find(|line| line.contains("issuer configured")).unwrap();
        assert_eq!(start.contains("audiences=any"), is_any, "{start}");
    }
}

/// A key for encryption does not concern an operator, and no set is reported twice.
#[test]
fn skipped_keys_are_logged_once_per_set_by_severity() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mut encryption = TestKey::generate("enc", Algorithm::Rs256).jwk();
    encryption["use"] = json!("enc");
    encryption["alg"] = json!("RSA-OAEP");
    let secret = json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"});
    let lines = lines("debug", async || {
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

#[test]
fn common_keycloak_audience_is_warned_about_at_start() {
    let started = |audience: &str, profile: Profile| {
        lines("warn", async || {
            let keys = SharedKeySet::new(KeySet::default());
            let builder = Authenticator::builder("https://id.example/realms/a", "orders-api");
            let builder = builder.also_audience(audience).profile(profile).key_source(keys);
            builder.build().await.unwrap();
        })
    };
    let lines = started("account", Profile::keycloak());
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["WARN", "audience=\"account\"", "mapper", "https://id.example/realms/a"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(started("accounts", Profile::keycloak()).is_empty());
    assert!(started("account", Profile::jwt()).is_empty());
}
