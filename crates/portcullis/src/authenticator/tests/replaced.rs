//! Keys that are replaced under their `kid`, and resolved issuers that are replaced.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::fetch::{Fetch, FetchRequest, Fetching};
use crate::gate::Gate;
use crate::revocation::Revocation;
use crate::testing::TokioClock;

const TENANT: &str = "https://tenants.example/a";

/// A resolver that returns the same answer each time, as long as it trusts the issuer.
struct Tenants {
    settings: IssuerSettings,
    vouches: Arc<AtomicBool>,
}

impl IssuerResolver for Tenants {
    fn resolve(&self, _: &str) -> Option<IssuerSettings> {
        self.vouches.load(Ordering::SeqCst).then(|| self.settings.clone())
    }
}

async fn tenants(key: &TestKey, fetch: &ScriptedFetch) -> (Authenticator, Arc<AtomicBool>) {
    fetch.set(&format!("{TENANT}/keys"), Answer::ok(TestKey::jwks([key])));
    let settings = IssuerSettings::new(TENANT, "https://api.example")
        .jwks_url(format!("{TENANT}/keys"))
        .fetch(fetch.clone());
    let vouches = Arc::new(AtomicBool::new(true));
    let resolver = Tenants { settings, vouches: vouches.clone() };
    let builder = builder(key).clock(TokioClock::at(NOW)).issuer_resolver(resolver);
    (builder.build().await.unwrap(), vouches)
}

fn claims_of_tenant(iat: u64, exp: u64) -> Value {
    let mut claims = claims();
    claims["iss"] = json!(TENANT);
    (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
    claims
}

/// Regression test: cached tokens kept replaced issuers alive, so after each hour one more issuer
/// fetched keys.
#[tokio::test(start_paused = true)]
async fn resolved_issuer_is_refreshed_once_and_not_after_forget() {
    let (key, fetch) = (TestKey::generate("k", Algorithm::Es256), ScriptedFetch::default());
    let (auth, vouches) = tenants(&key, &fetch).await;
    let hour = Duration::from_secs(3601);
    let mut hours = Vec::new();
    for round in 0..8 {
        let at = NOW + round * 3601;
        let token = key.token(&claims_of_tenant(at, at + 300));
        assert_eq!(rule(&auth, &token).await, "accepted");
        let before = fetch.requests().len();
        tokio::time::sleep(hour).await;
        hours.push(fetch.requests().len() - before);
    }
    assert!(hours.iter().all(|&fetches| fetches <= 16), "{hours:?} fetches an hour");
    vouches.store(false, Ordering::SeqCst);
    auth.forget(TENANT);
    let before = fetch.requests().len();
    tokio::time::sleep(24 * hour).await;
    let after = fetch.requests().len() - before;
    assert!(after <= 1, "{after} fetches for a tenant that was forgotten");
}

/// The known status lists outlive the lifetime of the resolver's answer.
#[tokio::test(start_paused = true)]
async fn older_status_list_is_rejected_after_the_issuer_is_resolved_again() {
    let (key, fetch) = (TestKey::generate("k", Algorithm::Es256), ScriptedFetch::default());
    let (auth, _) = tenants(&key, &fetch).await;
    let uri = format!("{TENANT}/lists/1");
    // The list has 8 tokens. At first, no token is revoked. Later, the first token is revoked.
    let publish = |iat: u64, lst: &str| {
        let list = json!({
            "sub": uri, "iat": iat, "exp": NOW + 86_400, "status_list": {"bits": 1, "lst": lst},
        });
        let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
        fetch.set(&uri, Answer::ok(key.sign(header, &list.to_string())));
    };
    let (valid, revoked) = ("eJxjAAAAAQAB", "eJxjBAAAAgAC");
    let within_a_minute = Revocation::status_list(Duration::from_secs(60));
    let gate = Gate::new(auth).revocation(within_a_minute).unwrap();
    let mut claims = claims_of_tenant(NOW, NOW + 86_400);
    claims["status"] = json!({"status_list": {"idx": 0, "uri": uri}});
    let request = bearer(&key.token(&claims));
    let status = async || match gate.authenticate(&request).await {
        Ok(_) => 200,
        Err(refusal) => refusal.status().as_u16(),
    };
    let sleep = |secs| tokio::time::sleep(Duration::from_secs(secs));
    publish(NOW, valid);
    assert_eq!(status().await, 200);
    publish(NOW + 100, revoked);
    sleep(120).await;
    assert_eq!(status().await, 401);
    publish(NOW, valid);
    sleep(120).await;
    assert_eq!(status().await, 503, "an older list is rejected");
    sleep(3601).await;
    assert_eq!(status().await, 503, "also after an hour");
}

/// The second fetch waits for a notification, then returns the document as it was when the fetch
/// started.
#[derive(Debug, Clone)]
struct Slow(ScriptedFetch, Arc<AtomicUsize>, Arc<tokio::sync::Notify>);

impl Fetch for Slow {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        let number = self.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.get(request);
        Box::pin(async move {
            let answer = answer.await;
            if number == 1 {
                self.2.notified().await;
            }
            answer
        })
    }
}

async fn fetched_by(fetch: impl Fetch, clock: ManualClock) -> Authenticator {
    let builder = Authenticator::builder("https://issuer.example", "https://api.example");
    let builder = builder.jwks_url(JWKS).without_background_refresh();
    builder.clock(clock).fetch(fetch).build().await.unwrap()
}

#[tokio::test]
async fn bad_signature_is_not_decided_by_a_fetch_that_began_before_the_request() {
    let [old, new] = ["k", "k"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let scripted = ScriptedFetch::default();
    let fetch = Slow(scripted.clone(), Arc::default(), Arc::default());
    scripted.set(JWKS, Answer::ok(TestKey::jwks([&old])));
    let auth = fetched_by(fetch.clone(), ManualClock::at(NOW)).await;
    let refreshing = auth.clone();
    let refresh = tokio::spawn(async move { refreshing.refresh().await });
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    scripted.set(JWKS, Answer::ok(TestKey::jwks([&new])));
    let honest = auth.attempt(&bearer(&new.token(&claims())));
    fetch.2.notify_one();
    assert!(honest.await.unwrap().is_some());
    refresh.await.unwrap().unwrap();
    assert_eq!(fetch.1.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn replaced_key_is_fetched_as_soon_as_the_budget_allows() {
    let [old, new] = ["k", "k"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&old])));
    let auth = fetched_by(fetch.clone(), clock.clone()).await;
    for id in ["x", "y", "z"] {
        let unknown = TestKey::generate(id, Algorithm::Es256).token(&claims());
        assert_eq!(rule(&auth, &unknown).await, "kid");
    }
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&new])));
    for second in 0..32 {
        let expected = if second < 30 { "signature" } else { "accepted" };
        assert_eq!(rule(&auth, &new.token(&claims())).await, expected, "after {second} s");
        clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn forged_tokens_leave_wait_places_for_honest_tokens() {
    let [key, forger, next] = ["k", "k", "n"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
    let auth = fetched_by(fetch.clone(), clock).await;
    fetch.set(JWKS, Answer::Hangs);
    let forged = bearer(&forger.token(&claims()));
    let attempts: Vec<_> = (0..2000).map(|_| auth.attempt(&forged)).collect();
    let waiting = attempts.iter().filter(|it| matches!(it, MaybeReady::Pending(_))).count();
    assert_eq!(waiting, 64);
    let honest = auth.attempt(&bearer(&next.token(&claims())));
    assert!(matches!(honest, MaybeReady::Pending(_)));
}
