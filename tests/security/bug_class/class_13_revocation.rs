//! Beyond the twelve classes: a revoked token that is accepted. If a route requires a status list,
//! a token is accepted only if a list of its issuer is recent enough and gives the token the status
//! "valid".
//!
//! The tests use gates with a scripted issuer and a manual clock.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use http::HeaderMap;
use serde_json::{Value, json};

use portcullis::testing::{Answer, ManualClock, Scene, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, Gate, Revocation, adapter::Visitor, clock::Clock, keys::SharedKeySet,
};

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, bearer, verdict, verdict_now};

pub(super) const LIST: &str = "https://issuer.example/lists/1";

struct World {
    auth: Authenticator,
    keys: SharedKeySet,
    key: Arc<TestKey>,
    fetch: ScriptedFetch,
    clock: ManualClock,
}

/// Returns the compressed and encoded bytes of a list, as in its `lst`.
pub(super) fn packed(bytes: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    URL_SAFE_NO_PAD.encode(encoder.finish().unwrap())
}

impl World {
    async fn new() -> Self {
        let Scene { auth, keys, key, fetch, clock, .. } = Scene::new().await;
        Self { auth, keys, key, fetch, clock }
    }

    /// Advances the clock, by a number of seconds.
    fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    fn now(&self) -> u64 {
        self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    /// The claims of a list of one byte.
    fn claims(&self, statuses: u8) -> Value {
        json!({
            "sub": LIST, "iat": self.now(), "exp": self.now() + 3600, "ttl": 600,
            "status_list": {"bits": 1, "lst": packed(&[statuses])},
        })
    }

    fn list(&self, claims: &Value) -> String {
        let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
        self.key.sign(header, &claims.to_string())
    }

    fn publish(&self, statuses: u8) {
        let list = self.list(&self.claims(statuses));
        self.fetch.set(LIST, Answer::ok(list).with("etag", &format!("\"{statuses}\"")));
    }

    fn token(&self, status: &Value) -> HeaderMap {
        let token = self.key.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": NOW + 86_400,
            "status": status,
        }));
        bearer(&token)
    }

    fn at(&self, index: u64) -> HeaderMap {
        self.token(&json!({"status_list": {"idx": index, "uri": LIST}}))
    }

    /// The outcome of a request: `passes`, or the rule that rejects it.
    async fn ask(&self, revocation: Revocation, request: &HeaderMap) -> &'static str {
        let gate = Gate::new(self.auth.clone()).revocation(revocation).unwrap();
        match verdict(&gate, request).await {
            Ok(Visitor::Caller(_)) => "passes",
            Ok(Visitor::Anonymous(_)) => "anonymous",
            Ok(Visitor::Foreign(_)) => "foreign",
            Err(refusal) => {
                let answered = (refusal.rule(), refusal.status().as_u16());
                assert!(matches!(answered, ("status", 503) | (_, 401)), "{answered:?}");
                refusal.rule()
            }
        }
    }

    fn fetches(&self) -> usize {
        self.fetch.requests().len()
    }
}

fn within(secs: u64) -> Revocation {
    Revocation::status_list(Duration::from_secs(secs))
}

#[tokio::test]
async fn token_is_accepted_or_revoked_by_its_status() {
    let world = World::new().await;
    world.publish(0b0000_0100);
    for (index, answer) in
        [(0, "passes"), (1, "passes"), (2, "revoked"), (7, "passes"), (8, "no_status")]
    {
        assert_eq!(world.ask(within(10), &world.at(index)).await, answer, "{index}");
    }
    assert_eq!(world.fetches(), 1);
    // On a route that does not require the list, nothing is fetched, and no request is rejected.
    assert_eq!(world.ask(Revocation::expiry(), &world.at(2)).await, "passes");
}

#[tokio::test]
async fn token_without_a_status_list_of_its_issuer_is_rejected_if_required() {
    let world = World::new().await;
    world.publish(0);
    let list = |uri: &str| json!({"status_list": {"idx": 0, "uri": uri}});
    for status in [
        json!("active"),
        json!({}),
        list("https://elsewhere.example/lists/1"),
        list("https://issuer.example.evil.example/lists/1"),
        list("http://issuer.example/lists/1"),
        list("https://issuer.example/lists/../lists/1"),
        list("https://issuer.example@evil.example/"),
        list("not a URL"),
    ] {
        let token = world.token(&status);
        assert_eq!(world.ask(within(10), &token).await, "no_status", "{status}");
        assert_eq!(world.ask(Revocation::expiry(), &token).await, "passes", "{status}");
    }
    assert_eq!(world.fetches(), 0);
}

#[tokio::test]
async fn only_the_operator_can_move_status_lists() {
    let world = World::new().await;
    let list = "https://cdn.example/a/1";
    let mut claims = world.claims(1);
    claims["sub"] = json!(list);
    world.fetch.set(list, Answer::ok(world.list(&claims)));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(world.keys.clone())
        .fetch(world.fetch.clone())
        .clock(world.clock.clone())
        .status_lists("https://cdn.example/a/")
        .build()
        .await
        .unwrap();
    let world = World { auth, ..world };
    let token = |index| world.token(&json!({"status_list": {"idx": index, "uri": list}}));
    assert_eq!(world.ask(within(10), &token(0)).await, "revoked");
    assert_eq!(world.ask(within(10), &token(1)).await, "passes");
    assert_eq!(world.ask(within(10), &world.at(1)).await, "no_status");
    let error = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(world.keys.clone())
        .status_lists("http://cdn.example/")
        .build()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("PORTCULLIS_STATUS_LISTS") && error.contains("cdn.example"), "{error}");
}

/// The token was accepted before, and is in the token cache.
#[tokio::test]
async fn revocation_is_enforced_within_the_maximum_age_of_the_route() {
    let world = World::new().await;
    world.publish(0);
    let token = world.at(3);
    assert_eq!(world.ask(within(10), &token).await, "passes");
    world.publish(0b1000);
    world.advance(9);
    assert_eq!(world.ask(within(10), &token).await, "passes");
    world.advance(1);
    assert_eq!(world.ask(within(10), &token).await, "revoked");
    assert_eq!(world.ask(within(100), &token).await, "revoked");
}

#[tokio::test]
async fn route_with_a_larger_maximum_age_uses_an_older_list() {
    let world = World::new().await;
    world.publish(0);
    let token = world.at(0);
    assert_eq!(world.ask(within(60), &token).await, "passes");
    world.fetch.set(LIST, Answer::Fails);
    world.advance(20);
    assert_eq!(world.ask(within(60), &token).await, "passes");
    assert_eq!(world.ask(within(10), &token).await, "status");
    assert_eq!(
        world.ask(within(60), &token).await,
        "passes",
        "the failure does not affect another route"
    );
}

#[tokio::test]
async fn outage_of_the_list_is_handled_as_the_route_requires() {
    let world = World::new().await;
    world.publish(0b10);
    let (stands, revoked) = (world.at(0), world.at(1));
    let brave = within(10).in_outage(Duration::from_secs(60));
    assert_eq!(world.ask(brave, &stands).await, "passes");
    world.fetch.set(LIST, Answer::Fails);
    world.advance(10);
    assert_eq!(world.ask(within(10), &stands).await, "status");
    assert_eq!(world.ask(brave, &stands).await, "passes");
    assert_eq!(world.ask(brave, &revoked).await, "revoked");
    world.advance(49);
    assert_eq!(world.ask(brave, &stands).await, "passes");
    world.advance(1);
    assert_eq!(world.ask(brave, &stands).await, "status");
    world.publish(0b10);
    world.advance(30);
    assert_eq!(world.ask(within(10), &stands).await, "passes", "it is back");
}

#[tokio::test]
async fn unavailable_list_is_503() {
    for answer in [Answer::Fails, Answer::status(500, ""), Answer::status(404, "")] {
        let world = World::new().await;
        world.fetch.set(LIST, answer);
        let brave = within(10).in_outage(Duration::from_secs(600));
        assert_eq!(world.ask(brave, &world.at(0)).await, "status");
        assert_eq!(world.ask(brave, &world.at(0)).await, "status");
        assert_eq!(world.fetches(), 1, "failures back off");
    }
}

#[tokio::test]
async fn list_is_dropped_with_its_signing_key() {
    let world = World::new().await;
    world.publish(0);
    let token = world.at(0);
    assert_eq!(world.ask(within(60), &token).await, "passes");
    // The token is in the token cache. It is signed with another key, which stays in the key set.
    let other = TestKey::generate("o", Algorithm::Es256);
    world.keys.replace(TestKey::key_set([&*world.key, &other]));
    let world = World { key: Arc::new(other), ..world };
    let header = r#"{"alg":"ES256","kid":"o","typ":"at+jwt"}"#;
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": NOW + 900,
        "status": {"status_list": {"idx": 0, "uri": LIST}},
    });
    let headers = bearer(&world.key.sign(header, &claims.to_string()));
    let brave = within(60).in_outage(Duration::from_secs(600));
    for _ in 0..3 {
        assert_eq!(world.ask(brave, &headers).await, "passes");
    }
    world.keys.replace(TestKey::key_set([&*world.key]));
    assert_eq!(world.ask(Revocation::expiry(), &headers).await, "passes");
    assert_eq!(world.ask(brave, &headers).await, "status");
}

#[tokio::test]
async fn invalid_list_is_rejected() {
    let good = World::new().await;
    let with = |change: fn(&mut Value)| {
        let mut claims = good.claims(0);
        change(&mut claims);
        good.list(&claims)
    };
    let signed = |header: &str| good.key.sign(header, &good.claims(0).to_string());
    let stranger = TestKey::generate("k", Algorithm::Es256);
    let lists = [
        ("nothing", String::new()),
        ("no token", "{}".to_owned()),
        ("another typ", signed(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#)),
        ("no typ", signed(r#"{"alg":"ES256","kid":"k"}"#)),
        ("an unknown key", signed(r#"{"alg":"ES256","kid":"x","typ":"statuslist+jwt"}"#)),
        (
            "a forgery",
            stranger.sign(
                r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#,
                &good.claims(0).to_string(),
            ),
        ),
        ("another list", with(|claims| claims["sub"] = json!("https://issuer.example/lists/2"))),
        ("no sub", with(|claims| claims["sub"] = Value::Null)),
        ("another issuer", with(|claims| claims["iss"] = json!("https://other.example"))),
        ("no iat", with(|claims| drop(claims.as_object_mut().unwrap().remove("iat")))),
        ("from the future", with(|claims| claims["iat"] = json!(NOW + 60))),
        ("expired", with(|claims| claims["exp"] = json!(NOW))),
        ("no ttl at all", with(|claims| claims["ttl"] = json!(0))),
        ("three bits", with(|claims| claims["status_list"]["bits"] = json!(3))),
        ("no bits", with(|claims| claims["status_list"]["bits"] = Value::Null)),
        ("no base64url", with(|claims| claims["status_list"]["lst"] = json!("="))),
        ("no zlib", with(|claims| claims["status_list"]["lst"] = json!("AAAA"))),
        ("no list", with(|claims| claims["status_list"] = json!("AAAA"))),
    ];
    for (what, list) in lists {
        let world = World::new().await;
        world.keys.replace(TestKey::key_set([&*good.key]));
        let world = World { key: good.key.clone(), ..world };
        world.fetch.set(LIST, Answer::ok(list));
        assert_eq!(world.ask(within(10), &world.at(0)).await, "status", "{what}");
        let status = &world.auth.status()[0].status_lists[0];
        assert!(status.last_error.is_some(), "{what}");
        world.publish(0);
        world.advance(10);
        assert_eq!(world.ask(within(10), &world.at(0)).await, "passes", "after {what}");
    }
}

#[tokio::test]
async fn list_older_than_the_current_one_is_rejected() {
    let world = World::new().await;
    world.publish(0);
    let replayed = Answer::ok(world.list(&world.claims(0)));
    // The clock passes the sum of the list's `ttl` and the leeway, the maximum lag between two
    // servers of the issuer.
    world.advance(611);
    world.publish(1);
    let token = world.at(0);
    assert_eq!(world.ask(within(10), &token).await, "revoked");
    world.fetch.set(LIST, replayed);
    world.advance(10);
    let brave = within(10).in_outage(Duration::from_secs(600));
    assert_eq!(world.ask(brave, &token).await, "revoked", "the current list is still used");
    assert_eq!(world.ask(within(10), &token).await, "status");
}

/// Each list is only a little older than the one before it.
#[tokio::test]
async fn successively_older_lists_are_rejected() {
    let world = World::new().await;
    let mut published = Vec::new();
    for _ in 0..6 {
        published.push(Answer::ok(world.list(&world.claims(0))));
        world.advance(400);
    }
    world.publish(1);
    let token = world.at(0);
    assert_eq!(world.ask(within(10), &token).await, "revoked");
    let mut answers = Vec::new();
    for replayed in published.into_iter().rev() {
        world.fetch.set(LIST, replayed);
        world.advance(10);
        answers.push(world.ask(within(10), &token).await);
    }
    // A list may be older than the current one by at most the maximum lag between two servers of
    // the issuer.
    assert_eq!(answers, ["passes", "status", "status", "status", "status", "status"]);
}

#[tokio::test]
async fn expired_list_is_not_used_even_if_fetched_recently() {
    let world = World::new().await;
    let mut claims = world.claims(0);
    claims["exp"] = json!(NOW + 5);
    world.fetch.set(LIST, Answer::ok(world.list(&claims)).with("etag", "\"a\""));
    let token = world.at(0);
    let brave = within(60).in_outage(Duration::from_secs(600));
    assert_eq!(world.ask(brave, &token).await, "passes");
    world.fetch.set(LIST, Answer::status(304, ""));
    world.advance(5);
    assert_eq!(world.ask(brave, &token).await, "status");
    let unconditional = world.fetch.requests().pop().unwrap();
    assert!(!unconditional.headers.contains_key("if-none-match"));
}

#[tokio::test]
async fn list_request_is_conditional_with_wait_and_not_modified_confirms_it() {
    let world = World::new().await;
    world.publish(0b1);
    let token = world.at(0);
    assert_eq!(world.ask(within(30), &token).await, "revoked");
    let not_modified = Answer::status(304, "").with("preference-applied", "wait=10");
    world.fetch.set(LIST, not_modified);
    world.advance(30);
    assert_eq!(world.ask(within(30), &token).await, "revoked");
    let requests = world.fetch.requests();
    let header = |at: usize, name: &str| {
        requests[at].headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(0, "accept").as_deref(), Some("application/statuslist+jwt"));
    assert_eq!((header(0, "prefer"), header(0, "if-none-match")), (None, None));
    assert_eq!(header(1, "prefer").as_deref(), Some("wait=10"), "a third of the age");
    assert_eq!(header(1, "if-none-match").as_deref(), Some("\"1\""));
    let status = &world.auth.status()[0].status_lists[0];
    assert!(status.pushed);
    assert_eq!((status.age, status.statuses), (Some(Duration::ZERO), 8));
}

/// A server may keep a validator when a list of equal length replaces another. The list's age would
/// then be unbounded.
#[tokio::test]
async fn list_without_exp_is_fetched_whole() {
    let world = World::new().await;
    let mut claims = world.claims(0);
    claims.as_object_mut().unwrap().remove("exp");
    world.fetch.set(LIST, Answer::ok(world.list(&claims)).with("etag", "\"1\""));
    let token = world.at(0);
    for _ in 0..3 {
        assert_eq!(world.ask(within(10), &token).await, "passes");
        world.advance(10);
    }
    for request in world.fetch.requests() {
        assert!(!request.headers.contains_key("if-none-match"), "{request:?}");
    }
    assert!(!world.auth.status()[0].status_lists[0].pushed);
    world.fetch.set(LIST, Answer::status(304, "").with("etag", "\"1\""));
    assert_eq!(world.ask(within(10), &token).await, "status");
}

/// If the request had another list's ETag, the next 304 would confirm a list other than the current one.
#[tokio::test]
async fn list_is_revalidated_with_its_own_etag_after_a_304() {
    let world = World::new().await;
    world.publish(0);
    let token = world.at(0);
    assert_eq!(world.ask(within(10), &token).await, "passes");
    let another = Answer::status(304, "")
        .with("etag", "\"2\"")
        .with("last-modified", "Fri, 15 Jan 2027 08:00:00 GMT");
    world.fetch.set(LIST, another);
    for _ in 0..2 {
        world.advance(10);
        assert_eq!(world.ask(within(10), &token).await, "passes");
        let request = world.fetch.requests().pop().unwrap();
        assert_eq!(request.headers["if-none-match"], "\"0\"");
        assert!(!request.headers.contains_key("if-modified-since"));
    }
}

/// Only the issuer can cause an outage; 1,024 requests cannot.
#[tokio::test]
async fn crowded_out_request_does_not_use_the_outage_list() {
    let world = World::new().await;
    world.publish(0);
    let route = within(10).in_outage(Duration::from_secs(60));
    assert_eq!(world.ask(route, &world.at(0)).await, "passes");
    world.advance(20);
    let gate = Gate::new(world.auth.clone()).revocation(route).unwrap();
    let request = world.at(0);
    let _waiting: Vec<_> = (0..1024).map(|_| verdict_now(&gate, &request).unwrap_err()).collect();
    let Ok(Err(refusal)) = verdict_now(&gate, &request) else {
        panic!("the request was not crowded out")
    };
    assert_eq!((refusal.rule(), refusal.status().as_u16()), ("key_budget", 429));
}

#[tokio::test]
async fn concurrent_requests_wait_for_one_list_fetch() {
    let world = World::new().await;
    world.publish(0);
    let gate = Gate::new(world.auth.clone()).revocation(within(10)).unwrap();
    let waiting: Vec<_> = (0..100)
        .map(|index| verdict_now(&gate, &world.at(index % 8)).expect_err("nothing is fetched yet"))
        .map(tokio::spawn)
        .collect();
    for caller in waiting {
        assert!(caller.await.unwrap().is_ok());
    }
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn list_that_decompresses_over_the_limit_is_rejected() {
    let world = World::new().await;
    let mut claims = world.claims(0);
    claims["status_list"]["lst"] = json!(packed(&vec![0; 5 * 1024 * 1024]));
    let list = world.list(&claims);
    assert!(list.len() < 10_000);
    world.fetch.set(LIST, Answer::ok(list));
    assert_eq!(world.ask(within(10), &world.at(0)).await, "status");
}

#[tokio::test]
async fn list_signed_with_a_disallowed_algorithm_is_rejected() {
    let world = World::new().await;
    let other = TestKey::generate("o", Algorithm::Ed25519);
    world.keys.replace(TestKey::key_set([&*world.key, &other]));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(world.keys.clone())
        .fetch(world.fetch.clone())
        .clock(world.clock.clone())
        .algorithms([Algorithm::Es256])
        .build()
        .await
        .unwrap();
    let header = r#"{"alg":"EdDSA","kid":"o","typ":"statuslist+jwt"}"#;
    let list = other.sign(header, &world.claims(0).to_string());
    world.fetch.set(LIST, Answer::ok(list));
    assert_eq!(world.ask(within(10), &world.at(0)).await, "passes", "if both are allowed");
    let world = World { auth, ..world };
    assert_eq!(world.ask(within(10), &world.at(0)).await, "status");
}

/// For the very first request, its key is fetched first, and then the list.
#[tokio::test]
async fn request_that_waits_for_its_key_is_checked_against_the_list() {
    let world = World::new().await;
    world.publish(0b10);
    for (index, answer) in [(0, "passes"), (1, "revoked")] {
        world.fetch.set(JWKS, Answer::Fails);
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(JWKS)
            .start_without_keys()
            .fetch(world.fetch.clone())
            .clock(world.clock.clone())
            .build()
            .await
            .unwrap();
        world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&*world.key])));
        world.advance(60);
        let gate = Gate::new(auth).revocation(within(10)).unwrap();
        let waits = verdict_now(&gate, &world.at(index)).expect_err("no key yet");
        let answered = waits.await.map_or_else(|refusal| refusal.rule(), |_| "passes");
        assert_eq!(answered, answer);
    }
}
