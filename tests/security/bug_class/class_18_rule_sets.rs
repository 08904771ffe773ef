//! One tenant's token at another tenant's host: rules are selected by the issuer and the request,
//! and a token that one rule set accepted is not accepted by another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request};
use portcullis::adapter::{MaybeReady, Requirement, Site, admit};
use portcullis::config::IssuerResolver;
use portcullis::keys::SharedKeySet;
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::token::BareToken;
use portcullis::{
    Algorithm, Authenticated, Authenticator, Gate, IssuerSettings, Refusal, RequestView, Revocation,
};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, claims, rule_of};

const A: &str = "a.api.example";
const B: &str = "b.api.example";

/// The sizes of the token cache, in bytes: off and on.
const CACHES: [usize; 2] = [0, 1 << 20];

/// A rule set for each host.
#[derive(Clone, Default)]
struct Hosts {
    rules: Arc<Mutex<HashMap<&'static str, IssuerSettings>>>,
    asked: Arc<AtomicUsize>,
}

impl IssuerResolver for Hosts {
    fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        request.host()
    }

    fn resolve(&self, host: &str) -> Option<IssuerSettings> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.rules.lock().unwrap().get(host).cloned()
    }
}

impl Hosts {
    fn set(&self, host: &'static str, settings: IssuerSettings) {
        self.rules.lock().unwrap().insert(host, settings);
    }

    async fn auth(&self, clock: &ManualClock, token_cache: usize) -> Authenticator {
        let builder = Authenticator::builder_with_resolver(self.clone()).clock(clock.clone());
        builder.token_cache_bytes(token_cache).build().await.unwrap()
    }
}

fn settings(key: &TestKey) -> IssuerSettings {
    let keys = SharedKeySet::new(TestKey::key_set([key]));
    IssuerSettings::new(ISSUER, AUDIENCE).key_source(keys)
}

fn to(host: &str, token: &str) -> Request<()> {
    let request = Request::get("/").header("host", host);
    request.header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

async fn rule(auth: &Authenticator, host: &str, token: &str) -> &'static str {
    rule_of(auth, &to(host, token)).await
}

fn word(verdict: &Result<Authenticated, Refusal>) -> &'static str {
    verdict.as_ref().map_or_else(Refusal::rule, |_| "accepted")
}

/// Pairs of tenants. The second tenant's rules reject the first tenant's token, in each pair by a
/// different rule.
fn tenants() -> Vec<(Hosts, String, &'static str)> {
    let key = TestKey::generate("k", Algorithm::Es256);
    let other = TestKey::generate("k", Algorithm::Es256);
    let elsewhere = IssuerSettings::new(ISSUER, "https://b.example");
    let keys = || SharedKeySet::new(TestKey::key_set([&key]));
    [
        (elsewhere.key_source(keys()), "aud"),
        (settings(&key).required_claims(["tenant"]), "required_claim"),
        (settings(&key).algorithms([Algorithm::Rs256]), "alg"),
        (settings(&other), "signature"),
        (IssuerSettings::new("https://other.example", AUDIENCE).key_source(keys()), "iss"),
    ]
    .into_iter()
    .map(|(of_b, refused)| {
        let hosts = Hosts::default();
        hosts.set(A, settings(&key));
        hosts.set(B, of_b);
        (hosts, key.token(&claims()), refused)
    })
    .collect()
}

#[tokio::test]
async fn token_is_accepted_only_at_its_host() {
    for (hosts, token, refused) in tenants() {
        for token_cache in CACHES {
            for order in [[A, B], [B, A]] {
                let auth = hosts.auth(&ManualClock::at(NOW), token_cache).await;
                // The first requests have an empty cache, and the later ones are cache hits.
                for host in order.into_iter().cycle().take(8) {
                    let expected = if host == A { "accepted" } else { refused };
                    assert_eq!(rule(&auth, host, &token).await, expected, "{host}");
                    assert_eq!(rule(&auth, "c.api.example", &token).await, "iss");
                }
            }
        }
    }
}

#[tokio::test]
async fn gate_and_bare_token_have_the_same_verdict_for_a_request() {
    for (hosts, token, refused) in tenants() {
        let gate = Gate::new(hosts.auth(&ManualClock::at(NOW), 1 << 20).await);
        for host in [A, B, A, B, A] {
            let expected = if host == A { "accepted" } else { refused };
            let request = to(host, &token);
            assert_eq!(word(&gate.authenticate(&request).await), expected);
            assert_eq!(gate.enter(&request).await.is_ok(), host == A);
            // The handshake of a connection whose token was sent in a message.
            let handshake = Request::get("/").header("host", host).body(()).unwrap();
            let bare = gate.authenticate_token((&token, &handshake)).await;
            assert_eq!(word(&bare), expected);
            let bare = BareToken::with(&token, &handshake);
            let MaybeReady::Ready(bare) = gate.attempt_token(bare) else {
                panic!("the verdict is pending")
            };
            assert_eq!(word(&bare), expected);
            // Without a request there is no host.
            assert_eq!(word(&gate.authenticate_token(&token).await), "iss");
            assert_eq!(word(&gate.authenticate_token_blocking(token.as_str())), "iss");
        }
    }
}

/// Requests in which a service could read another host than the validated one.
#[tokio::test]
async fn ambiguous_host_selects_no_rule_set() {
    let (hosts, token, _) = tenants().remove(0);
    let auth = hosts.auth(&ManualClock::at(NOW), 1 << 20).await;
    let ask = async |uri: &str, lines: &[(&'static str, &str)]| {
        let mut request = Request::get(uri);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let request = request.header("authorization", format!("Bearer {token}"));
        rule_of(&auth, &request.body(()).unwrap()).await
    };
    for (uri, lines, expected) in [
        ("/", &[("host", A)][..], "accepted"),
        ("/", &[("host", "A.API.example:8443")], "accepted"),
        ("https://a.api.example/", &[], "accepted"),
        ("https://a.api.example/", &[("host", A)], "accepted"),
        ("https://a.api.example/", &[("host", B)], "iss"),
        ("https://b.api.example/", &[("host", A)], "iss"),
        ("/", &[("host", A), ("host", B)], "iss"),
        ("/", &[("host", A), ("host", A)], "iss"),
        ("/", &[("host", "user@a.api.example")], "iss"),
        ("/", &[], "iss"),
        // Headers that any client can send are ignored.
        ("/", &[("host", A), ("x-forwarded-host", B)], "accepted"),
        ("/", &[("host", B), ("x-forwarded-host", A), ("forwarded", "host=a.api.example")], "aud"),
        ("/", &[("x-forwarded-host", A)], "iss"),
    ] {
        for _ in 0..2 {
            assert_eq!(ask(uri, lines).await, expected, "{uri} {lines:?}");
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert("host", A.parse().unwrap());
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(rule_of(&auth, &headers).await, "accepted");
}

/// The rules of a tenant in constant use change within the resolver's TTL.
#[tokio::test]
async fn changed_rules_apply_within_the_resolver_ttl() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = {
        let mut claims = claims();
        claims["exp"] = json!(NOW + 100_000);
        key.token(&claims)
    };
    for token_cache in CACHES {
        let (hosts, clock) = (Hosts::default(), ManualClock::at(NOW));
        // The resolver returns the same settings each time, like a resolver that reads a table.
        let (lax, strict) = (settings(&key), settings(&key).required_claims(["tenant"]));
        hosts.set(A, lax.clone());
        hosts.set(B, lax.clone());
        let auth = hosts.auth(&clock, token_cache).await;
        for minute in 0..=120 {
            if minute == 30 {
                hosts.set(A, strict.clone());
            }
            let expected = if minute < 60 { "accepted" } else { "required_claim" };
            assert_eq!(rule(&auth, A, &token).await, expected, "minute {minute}");
            assert_eq!(rule(&auth, B, &token).await, "accepted", "minute {minute}");
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(hosts.asked.load(Ordering::SeqCst), 6, "once an hour for each");
    }
}

#[tokio::test]
async fn only_the_forgotten_rule_set_is_resolved_again() {
    for token_cache in CACHES {
        let (hosts, token, _) = tenants().remove(0);
        let asked = || hosts.asked.load(Ordering::SeqCst);
        let auth = hosts.auth(&ManualClock::at(NOW), token_cache).await;
        assert_eq!(rule(&auth, A, &token).await, "accepted");
        assert_eq!(rule(&auth, B, &token).await, "aud");
        let strict = hosts.rules.lock().unwrap()[B].clone();
        hosts.set(A, strict);
        // `forget` takes the name of the rule set, and not the issuer that two of the rule sets
        // share.
        for other in [ISSUER, B, "c.api.example"] {
            auth.forget(other);
            assert_eq!(rule(&auth, A, &token).await, "accepted");
        }
        assert_eq!(asked(), 2);
        auth.forget(A);
        assert_eq!(rule(&auth, A, &token).await, "aud");
        assert_eq!(asked(), 3);
    }
}

/// A request that waits for keys while the rules of its tenant change is not accepted by the old
/// rules.
#[tokio::test]
async fn request_in_progress_is_not_accepted_by_replaced_rules() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims());
    for (required, expected) in [("sub", "accepted"), ("tenant", "iss")] {
        let (hosts, fetch) = (Hosts::default(), ScriptedFetch::default());
        fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
        let by = IssuerSettings::new(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch.clone());
        let by = by.without_background_refresh().required_claims(["sub"]);
        hosts.set(A, by.clone());
        let auth = hosts.auth(&ManualClock::at(NOW), 1 << 20).await;
        let MaybeReady::Pending(pending) = auth.attempt(&to(A, &token)) else { panic!("no wait") };
        auth.forget(A);
        hosts.set(A, by.required_claims([required]));
        let verdict = pending.await.map(Option::unwrap);
        assert_eq!(word(&verdict), expected);
        let now = if required == "sub" { "accepted" } else { "required_claim" };
        assert_eq!(rule(&auth, A, &token).await, now);
    }
}

/// A request in progress is not accepted by its old rules either if they have expired in the
/// meantime and other requests use the new rules.
#[tokio::test]
async fn request_in_progress_is_not_accepted_by_expired_rules() {
    let [key, next] = ["k", "next"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let mut lasting = claims();
    lasting["exp"] = json!(NOW + 100_000);
    let (first, second) = (key.token(&lasting), next.token(&lasting));
    for (required, expected) in [("sub", "accepted"), ("tenant", "iss")] {
        let (hosts, fetch) = (Hosts::default(), ScriptedFetch::default());
        fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
        let by = IssuerSettings::new(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch.clone());
        let by = by.without_background_refresh().required_claims(["sub"]);
        let by = by.jwks_ttl(Duration::from_secs(36_000));
        hosts.set(A, by.clone());
        let clock = ManualClock::at(NOW);
        let auth = hosts.auth(&clock, 0).await;
        assert_eq!(rule(&auth, A, &first).await, "accepted");
        fetch.set(JWKS, Answer::ok(TestKey::jwks([&key, &next])));
        let MaybeReady::Pending(pending) = auth.attempt(&to(A, &second)) else { panic!("no wait") };
        hosts.set(A, by.required_claims([required]));
        clock.advance(Duration::from_secs(3600));
        let now = if required == "sub" { "accepted" } else { "required_claim" };
        assert_eq!(rule(&auth, A, &first).await, now);
        assert_eq!(word(&pending.await.map(Option::unwrap)), expected);
    }
}

/// A token causes no fetch if the selected rules are for another issuer.
#[tokio::test]
async fn token_of_an_issuer_of_another_host_causes_no_fetch() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (hosts, fetch) = (Hosts::default(), ScriptedFetch::default());
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
    let by = IssuerSettings::new(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch.clone());
    hosts.set(A, by);
    let auth = hosts.auth(&ManualClock::at(NOW), 1 << 20).await;
    for iss in ["https://evil.example", A, "", "https://issuer.example/"] {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        assert_eq!(rule(&auth, A, &key.token(&claims)).await, "iss", "{iss}");
    }
    assert_eq!(fetch.requests().len(), 0);
    assert_eq!(rule(&auth, A, &key.token(&claims())).await, "accepted");
    assert_eq!(fetch.requests().len(), 1);
    let status = &auth.status()[0];
    assert_eq!((status.issuer.as_str(), status.rule_set.as_deref()), (ISSUER, Some(A)));
}

/// A requirement behind the gate uses the rule set that accepted the caller.
#[tokio::test]
async fn route_uses_the_revocation_of_the_selected_rule_set() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (hosts, fetch) = (Hosts::default(), ScriptedFetch::default());
    for (host, url, active) in [
        (A, "https://issuer.example/a/introspect", true),
        (B, "https://issuer.example/b/introspect", false),
    ] {
        fetch.set(url, Answer::ok(json!({"active": active, "exp": NOW + 900})));
        hosts.set(host, settings(&key).introspection_url(url).fetch(fetch.clone()));
    }
    let clock = ManualClock::at(NOW);
    let gate = Gate::new(hosts.auth(&clock, 1 << 20).await);
    let token = key.token(&claims());
    let required = Requirement::from(Revocation::live());
    for host in [A, B, A, B] {
        let who = gate.authenticate(&to(host, &token)).await.unwrap();
        let admitted = admit(Some(&who), None, None, &required, "", Site::default).await;
        assert_eq!(admitted.is_ok(), host == A, "{host}");
        let asked = fetch.posts().pop().unwrap().0.url;
        assert_eq!(asked.contains("/a/"), host == A, "{asked}");
        clock.advance(Duration::from_secs(1));
    }
}

/// A token of a configured issuer is validated with that issuer's settings at every host.
#[tokio::test]
async fn token_of_a_configured_issuer_never_reaches_the_resolver() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let hosts = Hosts::default();
    hosts.set(A, settings(&key).required_claims(["tenant"]));
    let builder = super::support::builder(&key).issuer_resolver(hosts.clone());
    let auth = builder.build().await.unwrap();
    for host in [A, B, A] {
        assert_eq!(rule(&auth, host, &key.token(&claims())).await, "accepted");
    }
    assert_eq!(hosts.asked.load(Ordering::SeqCst), 0);
    assert_eq!(auth.status()[0].rule_set, None);
}

/// The operator replaces the client (another CA) or the URL, and forgets the rule set, while a
/// request waits for the old keys.
#[tokio::test]
async fn keys_fetched_with_replaced_settings_accept_no_token() {
    let [old, new] = ["k", "n"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let moved = "https://issuer.example/new-keys";
    let (before, after) = (ScriptedFetch::default(), ScriptedFetch::default());
    before.set(JWKS, Answer::ok(TestKey::jwks([&old])));
    before.set(moved, Answer::ok(TestKey::jwks([&new])));
    after.set(JWKS, Answer::ok(TestKey::jwks([&new])));
    let by = |fetch: &ScriptedFetch, url: &str| {
        let settings = IssuerSettings::new(ISSUER, AUDIENCE).jwks_url(url);
        settings.fetch(fetch.clone()).without_background_refresh()
    };
    for answer in [by(&after, JWKS), by(&before, moved)] {
        let hosts = Hosts::default();
        hosts.set(A, by(&before, JWKS));
        let auth = hosts.auth(&ManualClock::at(NOW), 1 << 20).await;
        let MaybeReady::Pending(pending) = auth.attempt(&to(A, &old.token(&claims()))) else {
            panic!("no wait")
        };
        hosts.set(A, answer);
        auth.forget(A);
        assert_eq!(pending.await.unwrap_err().rule(), "iss");
        assert_eq!(rule(&auth, A, &old.token(&claims())).await, "kid");
        assert_eq!(rule(&auth, A, &new.token(&claims())).await, "accepted");
    }
}
