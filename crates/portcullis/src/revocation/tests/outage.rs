//! The limits of `in_outage` in a long outage: the expiry of the list and of the token, and tokens that
//! were issued during the outage.

use std::time::Duration;

use serde_json::json;

use crate::algorithm::Algorithm;
use crate::testing::{
    Answer, ManualClock, NOW, ScriptedFetch, TestKey, bearer, builder, claims, verdict,
};
use crate::{Authenticator, Gate, Revocation};

const LIST: &str = "https://issuer.example/lists/1";
const ASKED: &str = "https://issuer.example/introspect";
const SEC: Duration = Duration::from_secs(1);

struct World {
    auth: Authenticator,
    key: TestKey,
    fetch: ScriptedFetch,
    clock: ManualClock,
}

impl World {
    async fn new() -> Self {
        let key = TestKey::generate("k", Algorithm::Ed25519);
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let builder = builder(&key).fetch(fetch.clone()).clock(clock.clone());
        let auth = builder.introspection_url(ASKED).build().await.unwrap();
        Self { auth, key, fetch, clock }
    }

    /// The outcome for a token with this expiry and place in the list: `passes`, or the rule.
    async fn ask(&self, revocation: Revocation, lifetime: u64, index: u64) -> &'static str {
        let mut claims = claims();
        claims["exp"] = (NOW + lifetime).into();
        claims["status"] = json!({"status_list": {"idx": index, "uri": LIST}});
        let gate = Gate::new(self.auth.clone()).revocation(revocation).unwrap();
        match verdict(&gate, &bearer(&self.key.token(&claims))).await {
            Ok(_) => "passes",
            Err(refusal) => {
                // The response is 503 only if the revocation status is unknown.
                let is_unavailable = refusal.status() == 503;
                assert_eq!(is_unavailable, refusal.rule() == "status", "{refusal:?}");
                refusal.rule()
            }
        }
    }

    fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

#[tokio::test]
async fn list_in_an_outage_ends_with_its_exp_and_has_no_place_for_later_tokens() {
    let world = World::new().await;
    let list = json!({
        "sub": LIST, "iat": NOW, "exp": NOW + 120,
        // 8 tokens, none revoked.
        "status_list": {"bits": 1, "lst": "eNpjAAAAAQAB"},
    });
    let header = r#"{"alg":"EdDSA","kid":"k","typ":"statuslist+jwt"}"#;
    world.fetch.set(LIST, Answer::ok(world.key.sign(header, &list.to_string())));
    let route = Revocation::status_list(10 * SEC).in_outage(3600 * SEC);
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    world.fetch.set(LIST, Answer::Fails);
    world.advance(60);
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    // Tokens that were issued in a partition: one has a place in the old list, the other beyond its end.
    assert_eq!(world.ask(route, 600, 7).await, "passes");
    assert_eq!(world.ask(route, 600, 8).await, "no_status");
    // `in_outage` extends neither the lifetime of a token, with the leeway of 10 s, nor that of the list.
    world.advance(49);
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    world.advance(1);
    assert_eq!(world.ask(route, 100, 0).await, "exp");
    world.advance(9);
    assert_eq!(world.ask(route, 600, 7).await, "passes");
    world.advance(1);
    assert_eq!(world.ask(route, 600, 7).await, "status");
}

#[tokio::test]
async fn token_renewed_in_an_outage_has_no_introspection_response_to_reuse() {
    let world = World::new().await;
    world.fetch.set(ASKED, Answer::ok(r#"{"active":true}"#));
    let route = Revocation::live().in_outage(3600 * SEC);
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    let with_exp = format!(r#"{{"active":true,"exp":{}}}"#, NOW + 100);
    world.fetch.set(ASKED, Answer::ok(with_exp));
    assert_eq!(world.ask(route, 100, 1).await, "passes");
    world.fetch.set(ASKED, Answer::Fails);
    world.advance(50);
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    assert_eq!(world.ask(route, 600, 0).await, "status");
    // A response is used until its own `exp`, without leeway.
    world.advance(50);
    assert_eq!(world.ask(route, 100, 1).await, "exp");
    assert_eq!(world.ask(route, 100, 0).await, "passes");
    world.advance(10);
    assert_eq!(world.ask(route, 100, 0).await, "exp");
    assert_eq!(world.ask(route, 600, 0).await, "status");
}
