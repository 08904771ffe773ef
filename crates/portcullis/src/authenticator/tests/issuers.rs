//! Several issuers in one authenticator.

use super::*;
use crate::key::KeySet;

const STAFF: &str = "https://staff.example";
const PARTNERS: &str = "https://partners.example/";

fn of(issuer: &str, key: &TestKey) -> IssuerSettings {
    IssuerSettings::new(issuer, "https://api.example")
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
}

fn token(key: &TestKey, iss: &str) -> String {
    let mut claims = claims();
    claims["iss"] = json!(iss);
    key.token(&claims)
}

struct Two {
    auth: Authenticator,
    staff: TestKey,
    partners: TestKey,
}

/// Two issuers that use the same `kid`.
async fn two() -> Two {
    let (staff, partners) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let auth = AuthenticatorBuilder::new(of(STAFF, &staff))
        .clock(ManualClock::at(NOW))
        .also_issuer(of(PARTNERS, &partners).profile(Profile::rfc9068()))
        .build()
        .await
        .unwrap();
    Two { auth, staff, partners }
}

#[tokio::test]
async fn token_is_accepted_only_with_keys_of_its_issuer() {
    let Two { auth, staff, partners } = two().await;
    assert_eq!(rule(&auth, &token(&staff, STAFF)).await, "accepted");
    assert_eq!(rule(&auth, &token(&partners, PARTNERS)).await, "accepted");
    // CVE-2025-59936, CVE-2026-50202: a key of one issuer must not verify another issuer's tokens.
    assert_eq!(rule(&auth, &token(&staff, PARTNERS)).await, "signature");
    assert_eq!(rule(&auth, &token(&partners, STAFF)).await, "signature");
    let who = auth.authenticate(&bearer(&token(&partners, PARTNERS))).await.unwrap();
    assert_eq!(who.registered().issuer(), PARTNERS);
}

#[tokio::test]
async fn each_issuer_has_its_own_settings() {
    let Two { auth, staff, partners } = two().await;
    let plain = |key: &TestKey, iss: &str| {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        key.sign(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, &claims.to_string())
    };
    assert_eq!(rule(&auth, &plain(&staff, STAFF)).await, "accepted");
    assert_eq!(rule(&auth, &plain(&partners, PARTNERS)).await, "typ");
}

#[tokio::test]
async fn issuers_are_distinguished_by_exact_name() {
    let Two { auth, staff, .. } = two().await;
    for iss in ["https://staff.example/", "https://STAFF.example", "https://evil.example", ""] {
        assert_eq!(rule(&auth, &token(&staff, iss)).await, "iss", "{iss}");
    }
    let payloads = ["{}", r#"{"iss":null}"#, r#"{"iss":["https://staff.example"]}"#, "[]", "x"];
    for payload in payloads {
        let token = staff.sign(r#"{"alg":"ES256","kid":"k"}"#, payload);
        assert_ne!(rule(&auth, &token).await, "accepted", "{payload}");
    }
    let twice = r#"{"iss":"https://partners.example/","iss":"https://staff.example"}"#;
    let token = staff.sign(r#"{"alg":"ES256","kid":"k"}"#, twice);
    assert_ne!(rule(&auth, &token).await, "accepted");
}

#[tokio::test]
async fn duplicate_issuer_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let error = AuthenticatorBuilder::new(of(STAFF, &key))
        .also_issuer(of(STAFF, &key))
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains(STAFF), "{error}");
    let wrong = of(PARTNERS, &key).leeway(Duration::from_secs(301));
    let error =
        AuthenticatorBuilder::new(of(STAFF, &key)).also_issuer(wrong).build().await.unwrap_err();
    assert!(error.to_string().contains("leeway"), "{error}");
}

/// One issuer for each tenant, with fetched keys.
struct Tenants {
    fetch: ScriptedFetch,
    asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl IssuerResolver for Tenants {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let tenant = issuer.strip_prefix("https://tenants.example/")?;
        match tenant {
            "a" | "b" => Some(
                IssuerSettings::new(issuer, "https://api.example")
                    .jwks_url(format!("{issuer}/keys"))
                    .fetch(self.fetch.clone()),
            ),
            // A wrong answer of a resolver must not accept any token.
            "other" => Some(IssuerSettings::new("https://tenants.example/a", "x")),
            "wrong" => Some(IssuerSettings::new(issuer, "").fetch(self.fetch.clone())),
            _ => None,
        }
    }
}

#[tokio::test]
async fn unconfigured_issuer_is_resolved_at_run_time() {
    let staff = TestKey::generate("k", Algorithm::Es256);
    let tenant = |name: &str| format!("https://tenants.example/{name}");
    let (a, b) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let fetch = ScriptedFetch::default();
    fetch.set(&tenant("a/keys"), Answer::ok(TestKey::jwks([&a])));
    fetch.set(&tenant("b/keys"), Answer::ok(TestKey::jwks([&b])));
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let auth = AuthenticatorBuilder::new(of(STAFF, &staff))
        .clock(ManualClock::at(NOW))
        .issuer_resolver(Tenants { fetch: fetch.clone(), asked: asked.clone() })
        .build()
        .await
        .unwrap();

    assert_eq!(rule(&auth, &token(&staff, STAFF)).await, "accepted");
    for _ in 0..10 {
        assert_eq!(rule(&auth, &token(&a, &tenant("a"))).await, "accepted");
        assert_eq!(rule(&auth, &token(&b, &tenant("b"))).await, "accepted");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2, "one call per issuer");
    assert_eq!(fetch.requests().len(), 2);
    assert_eq!(rule(&auth, &token(&a, &tenant("b"))).await, "signature");
    for unknown in ["c", "other", "wrong"] {
        assert_eq!(rule(&auth, &token(&a, &tenant(unknown))).await, "iss", "{unknown}");
    }
    let keys = auth.status().into_iter().filter_map(|issuer| issuer.keys);
    let mut locations: Vec<_> = keys.map(|keys| keys.location).collect();
    locations.sort_unstable();
    assert_eq!(locations, [tenant("a/keys"), tenant("b/keys")]);
}

#[tokio::test]
async fn unreachable_issuer_does_not_affect_another() {
    let staff = TestKey::generate("k", Algorithm::Es256);
    let away = IssuerSettings::new(PARTNERS, "https://api.example")
        .jwks_url("https://partners.example/keys")
        .fetch(ScriptedFetch::default());
    let auth = AuthenticatorBuilder::new(of(STAFF, &staff))
        .clock(ManualClock::at(NOW))
        .start_without_keys()
        .also_issuer(away)
        .build()
        .await
        .unwrap();
    assert!(auth.ready());
    assert_eq!(rule(&auth, &token(&staff, STAFF)).await, "accepted");
    let refusal = auth.authenticate(&bearer(&token(&staff, PARTNERS))).await.unwrap_err();
    assert_eq!(refusal.kind(), RefusalKind::KeysUnavailable);
}

#[tokio::test]
async fn empty_key_set_verifies_no_token() {
    let auth = Authenticator::builder(STAFF, "a")
        .key_source(SharedKeySet::new(KeySet::default()))
        .build()
        .await
        .unwrap();
    assert!(auth.ready() && auth.status()[0].keys.is_none());
    let staff = TestKey::generate("k", Algorithm::Es256);
    assert_eq!(rule(&auth, &token(&staff, STAFF)).await, "kid");
}

#[tokio::test]
async fn invalid_setting_of_one_of_several_issuers_is_rejected_with_the_issuer() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let long = Duration::from_secs(301);
    for (first, second, named) in [
        (of(STAFF, &key), of(PARTNERS, &key).leeway(long), PARTNERS),
        (of(STAFF, &key).leeway(long), of(PARTNERS, &key), STAFF),
    ] {
        let error = AuthenticatorBuilder::new(first).also_issuer(second).build().await.unwrap_err();
        let start = format!("issuer {named}: leeway (PORTCULLIS_LEEWAY_SECS) is");
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
    }
    // A single issuer cannot be confused with another, so the error does not name it.
    let alone = AuthenticatorBuilder::new(of(STAFF, &key).leeway(long)).build().await.unwrap_err();
    assert!(alone.to_string().starts_with("leeway (PORTCULLIS_LEEWAY_SECS) is"), "{alone}");
}
