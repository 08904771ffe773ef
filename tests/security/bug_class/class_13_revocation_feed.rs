//! The thirteenth class with the feed: a session, token, subject or client that was reported to the
//! service as revoked. A token is accepted only if this instance has read the store recently enough,
//! and found no entry for the token.
//!
//! The tests use gates with a scripted store and a manual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::json;

use portcullis::feed::{
    Appended, Changes, Cursor, Entry, MemoryStore, RevocationStore, Revocations,
    RevocationsBuilder, StoreError, Storing, Target,
};
use portcullis::testing::{ISSUER, NOW, Scene, TestToken, gate_rule};
use portcullis::{AuthenticatorBuilder, Gate, Revocation};

const MAX_AGE: Duration = Duration::from_secs(10);
const IN_OUTAGE: Duration = Duration::from_secs(60);

/// A store that can fail, and that counts reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faulty {
    pub(crate) store: MemoryStore,
    pub(crate) fails: Arc<AtomicU32>,
    pub(crate) reads: Arc<AtomicU64>,
}

/// The operations that can fail, as bits of `Faulty::fails`.
pub(crate) const APPENDS: u32 = 1;
pub(crate) const READS: u32 = 2;
pub(crate) const CHECKS: u32 = 4;
/// The store has lost the cursor.
pub(crate) const CURSOR: u32 = 8;
/// A read gets no response.
const HANGS: u32 = 16;

impl Faulty {
    pub(crate) fn fail(&self, what: u32) {
        self.fails.store(what, Ordering::SeqCst);
    }

    fn failing(&self, what: u32) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) & what == 0 {
            Ok(())
        } else {
            Err(StoreError::unavailable("scripted"))
        }
    }
}

impl RevocationStore for Faulty {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        Box::pin(async {
            self.failing(APPENDS)?;
            self.store.append(entry).await
        })
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        Box::pin(async move {
            self.reads.fetch_add(1, Ordering::SeqCst);
            self.failing(READS)?;
            if self.failing(HANGS).is_err() {
                std::future::pending::<()>().await;
            }
            if after.is_some() && self.failing(CURSOR).is_err() {
                return Err(StoreError::cursor_lost());
            }
            self.store.changes(after).await
        })
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        self.store.prune(before)
    }

    fn check(&self) -> Storing<'_, ()> {
        Box::pin(async {
            self.failing(CHECKS).map_err(|_| StoreError::unsuitable("fsync is off; turn it on"))
        })
    }
}

pub(crate) fn following(store: &Faulty) -> RevocationsBuilder {
    Revocations::builder(store.clone()).without_background_refresh()
}

async fn scene_with(
    revocations: &Revocations,
    change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
) -> Scene {
    let given = revocations.clone();
    Scene::with(|builder| {
        change(builder.revocations(given).max_token_lifetime(Duration::from_secs(900)))
    })
    .await
}

fn gate(scene: &Scene) -> Gate {
    scene.gate().revocation(Revocation::feed(MAX_AGE)).unwrap()
}

async fn local() -> (Scene, Gate, Revocations) {
    let revocations = Revocations::in_memory();
    let scene = scene_with(&revocations, |builder| builder).await;
    let gate = gate(&scene);
    (scene, gate, revocations)
}

async fn rule(gate: &Gate, token: &TestToken) -> &'static str {
    let headers: HeaderMap = token.headers();
    let first = gate_rule(gate, &headers).await;
    // From the token cache, the verdict is the same.
    assert_eq!(gate_rule(gate, &headers).await, first);
    first
}

fn time(secs: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
}

#[tokio::test]
async fn session_and_token_are_rejected_whatever_their_iat() {
    let (scene, gate, revocations) = local().await;
    let session = |sid: &str| scene.token("alice").claim("sid", sid);
    assert_eq!(rule(&gate, &session("s-1")).await, "accepted");
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    assert_eq!(rule(&gate, &session("s-1")).await, "revoked");
    assert_eq!(rule(&gate, &session("s-2")).await, "accepted");
    assert_eq!(rule(&gate, &scene.token("alice").claim("sub", "s-1")).await, "accepted");
    scene.advance(60);
    let later = scene.token("alice").claim("sid", "s-1");
    assert_eq!(rule(&gate, &later).await, "revoked");

    let token = scene.token("bob").claim("jti", "t-1");
    assert_eq!(rule(&gate, &token).await, "accepted");
    let expires_at = Some(time(NOW + 960));
    revocations.revoke_token(ISSUER, "t-1", expires_at).await.unwrap();
    assert_eq!(rule(&gate, &token).await, "revoked");
    assert_eq!(rule(&gate, &token.clone().claim("jti", "t-2")).await, "accepted");
}

#[tokio::test]
async fn revocation_reaches_a_cached_token() {
    let (scene, gate, revocations) = local().await;
    let headers = scene.token("alice").claim("sid", "s-1").headers();
    for _ in 0..3 {
        assert_eq!(gate_rule(&gate, &headers).await, "accepted");
    }
    revocations.revoke_session(ISSUER, "s-2").await.unwrap();
    assert_eq!(gate_rule(&gate, &headers).await, "accepted");
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    for _ in 0..3 {
        assert_eq!(gate_rule(&gate, &headers).await, "revoked");
    }
}

#[tokio::test]
async fn subject_and_client_are_rejected_until_the_event_and_heal_after() {
    let (scene, gate, revocations) = local().await;
    let issued = |iat: u64| scene.token("alice").claim("iat", iat).claim("exp", iat + 900);
    let event = NOW - 100;
    revocations.revoke_subject(ISSUER, "alice", Some(time(event))).await.unwrap();
    // The leeway is 10 s.
    assert_eq!(rule(&gate, &issued(event - 1)).await, "revoked");
    assert_eq!(rule(&gate, &issued(event + 10)).await, "revoked");
    assert_eq!(rule(&gate, &issued(event + 11)).await, "accepted");
    assert_eq!(rule(&gate, &issued(event).claim("sub", "bob")).await, "accepted");

    for (claim, other) in [("client_id", "azp"), ("azp", "client_id"), ("cid", "client_id")] {
        let client = format!("of {claim}");
        let of = |claim: &str, iat| issued(iat).claim("sub", "carol").claim(claim, client.as_str());
        assert_eq!(rule(&gate, &of(claim, event)).await, "accepted");
        revocations.revoke_client(ISSUER, &client, Some(time(event))).await.unwrap();
        assert_eq!(rule(&gate, &of(claim, event).claim("jti", claim)).await, "revoked", "{claim}");
        assert_eq!(rule(&gate, &of(claim, event + 11)).await, "accepted", "{claim}");
        let elsewhere = issued(event).claim("sub", "carol").claim(other, "another");
        assert_eq!(rule(&gate, &elsewhere).await, "accepted", "{claim}");
    }
}

/// This service's clock may be behind the issuer's, so an event without a time gets this clock's time
/// plus the leeway.
#[tokio::test]
async fn subject_without_a_time_is_rejected_for_two_leeways() {
    let (scene, gate, revocations) = local().await;
    revocations.revoke_subject(ISSUER, "alice", None).await.unwrap();
    scene.advance(60);
    let issued = |iat: u64| scene.token("alice").claim("iat", iat).claim("exp", iat + 900);
    assert_eq!(rule(&gate, &issued(NOW + 20)).await, "revoked");
    assert_eq!(rule(&gate, &issued(NOW + 21)).await, "accepted");
}

#[tokio::test]
async fn entries_of_one_issuer_do_not_concern_another() {
    let (scene, gate, revocations) = local().await;
    revocations.revoke_session("https://other.example", "s-1").await.unwrap();
    revocations.revoke_subject("https://other.example", "alice", None).await.unwrap();
    let token = scene.token("alice").claim("sid", "s-1");
    assert_eq!(rule(&gate, &token).await, "accepted");
}

#[tokio::test]
async fn session_stands_where_the_setting_says() {
    let revocations = Revocations::in_memory();
    let scene = scene_with(&revocations, |builder| builder.session_at(["ext", "sid"])).await;
    let gate = gate(&scene);
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    let nested = scene.token("alice").claim("ext", json!({"sid": "s-1"}));
    assert_eq!(rule(&gate, &nested).await, "revoked");
    assert_eq!(rule(&gate, &scene.token("alice").claim("sid", "s-1")).await, "accepted");
    // A session that cannot be read cannot be compared.
    for unreadable in [json!({"sid": ["s-1"]}), json!("s-1"), json!({"sid": true})] {
        let token = scene.token("alice").claim("ext", unreadable);
        assert_eq!(rule(&gate, &token).await, "unreadable_claim");
    }
    assert_eq!(rule(&gate, &scene.token("alice").claim("ext", json!({}))).await, "accepted");
}

#[tokio::test]
async fn duplicated_session_or_jti_is_rejected() {
    let (scene, gate, _) = local().await;
    for name in ["sid", "jti"] {
        let token = scene.token("alice").claim(name, "a").sign();
        let claims = String::from_utf8(super::support::decode(token.split('.').nth(1).unwrap()));
        let twice = claims.unwrap().replacen('{', &format!(r#"{{"{name}":"b","#), 1);
        let header = r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#;
        let token = super::support::bearer(&scene.key.sign(header, &twice));
        assert_eq!(gate_rule(&gate, &token).await, "duplicate_member", "{name}");
    }
}

/// An entry ends when no token that it revokes can be accepted any more, and not before.
#[tokio::test]
async fn entry_lasts_as_long_as_any_token_that_it_revokes() {
    let store = Faulty::default();
    let revocations = following(&store).build();
    let scene = scene_with(&revocations, |builder| builder).await;
    let gate = gate(&scene);
    // The token was issued by a clock that is ahead by the leeway, and has the maximum lifetime.
    let longest =
        scene.token("alice").claim("sid", "s-1").claim("iat", NOW + 10).claim("exp", NOW + 910);
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    revocations.revoke_subject(ISSUER, "alice", Some(time(NOW))).await.unwrap();
    for _ in 0..92 {
        scene.advance(10);
        revocations.refresh().await.unwrap();
        // Reporting another session removes the entries that have ended.
        revocations.revoke_session(ISSUER, &scene.now().to_string()).await.unwrap();
        let of_subject = longest.clone().without("sid");
        for token in [&longest, &of_subject] {
            let rule = rule(&gate, token).await;
            assert!(["revoked", "exp"].contains(&rule), "{rule} after {} s", scene.now() - NOW);
        }
    }
    assert_eq!(rule(&gate, &longest).await, "exp");
    let before = scene.auth.status()[0].feed.clone().unwrap().entries;
    scene.advance(2000);
    revocations.revoke_session(ISSUER, "last").await.unwrap();
    let status = scene.auth.status()[0].feed.clone().unwrap();
    assert_eq!((before > 50, status.entries), (true, 1));
}

/// Three leeways and a minute after the longest lifetime, as the documentation says: a session must
/// also end at its issuer.
#[tokio::test]
async fn revoked_session_is_rejected_for_the_longest_lifetime_and_a_minute() {
    for (retention, last) in [(0, 900 + 30 + 60), (3600, 10 + 60 + 3600)] {
        let store = Faulty::default();
        let revocations = following(&store).retention(Duration::from_secs(retention)).build();
        let scene = scene_with(&revocations, |builder| builder).await;
        let gate = gate(&scene);
        revocations.revoke_session(ISSUER, "s-1").await.unwrap();
        let at = async |secs: u64| {
            scene.advance(NOW + secs - scene.now());
            revocations.refresh().await.unwrap();
            // A report of another session removes what has ended.
            revocations.revoke_session(ISSUER, &secs.to_string()).await.unwrap();
            rule(&gate, &scene.token("alice").claim("sid", "s-1")).await
        };
        assert_eq!(at(last - 61).await, "revoked");
        assert_eq!(at(last - 1).await, "revoked");
        assert_eq!(at(last + 61).await, "accepted");
    }
}

#[tokio::test]
async fn full_set_becomes_a_watermark_and_forgets_nothing() {
    let store = Faulty::default();
    let revocations = following(&store).max_entries(100).build();
    let scene = scene_with(&revocations, |builder| builder).await;
    let gate = gate(&scene);
    let of = |sid: &str, iat: u64| {
        scene.token("alice").claim("sid", sid).claim("iat", iat).claim("exp", iat + 900)
    };
    for number in 0..150 {
        let target = Target::Session(format!("s-{number}"));
        let at = NOW - 300 + number;
        store.append(&Entry::new(ISSUER, target, at, NOW + 900)).await.unwrap();
    }
    revocations.refresh().await.unwrap();
    for number in 0..150 {
        let token = of(&format!("s-{number}"), NOW - 310 + number);
        assert_eq!(rule(&gate, &token).await, "revoked", "{number}");
    }
    let status = scene.auth.status()[0].feed.clone().unwrap();
    let watermark = status.watermark.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(status.entries <= 100, "{status:?}");
    // The watermark does not reject everything: tokens that were issued later are accepted.
    assert_eq!(rule(&gate, &of("honest", watermark.as_secs() + 11)).await, "accepted");
    assert_eq!(rule(&gate, &of("honest", watermark.as_secs())).await, "revoked");
}

#[tokio::test]
async fn another_instance_applies_an_entry_within_the_age() {
    let store = Faulty::default();
    let (one, other) = (following(&store).build(), following(&store).build());
    let scene = scene_with(&one, |builder| builder).await;
    let _other = scene_with(&other, |builder| builder).await;
    let gate = gate(&scene);
    // The token's bytes are the same each time, so that it is cached.
    let headers = scene.token("alice").claim("sid", "s-1").headers();
    assert_eq!(gate_rule(&gate, &headers).await, "accepted");
    other.revoke_session(ISSUER, "s-1").await.unwrap();
    scene.advance(10);
    assert_eq!(gate_rule(&gate, &headers).await, "accepted", "10 s is recent enough");
    let reads = store.reads.load(Ordering::SeqCst);
    scene.advance(1);
    assert_eq!(gate_rule(&gate, &headers).await, "revoked");
    assert_eq!(store.reads.load(Ordering::SeqCst), reads + 1);
}

#[tokio::test]
async fn old_knowledge_is_used_in_an_outage_as_long_as_the_route_allows() {
    let store = Faulty::default();
    let revocations = following(&store).build();
    let scene = scene_with(&revocations, |builder| builder).await;
    let strict = gate(&scene);
    let brave = Revocation::feed(MAX_AGE).in_outage(IN_OUTAGE);
    let brave = scene.gate().revocation(brave).unwrap();
    let token = scene.token("alice").claim("sid", "s-1");
    let gone = scene.token("alice").claim("sid", "gone");
    revocations.revoke_session(ISSUER, "gone").await.unwrap();
    assert_eq!(rule(&strict, &token).await, "accepted");
    store.fail(READS);
    for (secs, expected) in [
        (10, ["accepted", "accepted", "revoked"]),
        (11, ["revocation_unavailable", "accepted", "revoked"]),
        (60, ["revocation_unavailable", "accepted", "revoked"]),
        (61, ["revocation_unavailable"; 3]),
    ] {
        scene.advance(NOW + secs - scene.now());
        let rules =
            [rule(&strict, &token).await, rule(&brave, &token).await, rule(&brave, &gone).await];
        assert_eq!(rules, expected, "after {secs} s");
    }
    // A flood of requests in an outage causes one read per second.
    let reads = store.reads.load(Ordering::SeqCst);
    for _ in 0..50 {
        assert_eq!(rule(&brave, &token).await, "revocation_unavailable");
    }
    assert_eq!(store.reads.load(Ordering::SeqCst), reads);
    store.fail(0);
    scene.advance(2);
    assert_eq!(rule(&strict, &token).await, "accepted");
    assert_eq!(rule(&strict, &gone).await, "revoked");
}

#[tokio::test(start_paused = true)]
async fn callers_who_wait_share_a_read_that_gets_no_response() {
    let store = Faulty::default();
    let revocations = following(&store).build();
    store.fail(HANGS);
    let start = tokio::time::Instant::now();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let revocations = revocations.clone();
            tokio::spawn(async move { revocations.refresh().await.is_err() })
        })
        .collect();
    for failed in waiting {
        assert!(failed.await.unwrap());
    }
    assert_eq!(store.reads.load(Ordering::SeqCst), 1);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn in_outage_extends_nothing_while_the_store_responds() {
    let store = Faulty::default();
    let (one, other) = (following(&store).build(), following(&store).build());
    let scene = scene_with(&one, |builder| builder).await;
    let _other = scene_with(&other, |builder| builder).await;
    let brave = Revocation::feed(MAX_AGE).in_outage(IN_OUTAGE);
    let brave = scene.gate().revocation(brave).unwrap();
    let token = scene.token("alice").claim("sid", "s-1");
    assert_eq!(rule(&brave, &token).await, "accepted");
    other.revoke_session(ISSUER, "s-1").await.unwrap();
    scene.advance(11);
    assert_eq!(rule(&brave, &token).await, "revoked");
}

#[tokio::test]
async fn service_is_ready_only_when_the_revocations_were_loaded() {
    let store = Faulty::default();
    let token = {
        let earlier = following(&store).build();
        let _earlier = scene_with(&earlier, |builder| builder).await;
        earlier.revoke_session(ISSUER, "s-1").await.unwrap();
        store.fail(READS);
        let revocations = following(&store).build();
        let scene = scene_with(&revocations, |builder| builder).await;
        assert!(!scene.auth.ready());
        assert!(scene.auth.status()[0].feed.as_ref().unwrap().age.is_none());
        let gate = gate(&scene);
        let token = scene.token("alice").claim("sid", "s-1");
        assert_eq!(rule(&gate, &token).await, "revocation_unavailable");
        // A route without the feed is not affected.
        assert_eq!(rule(&scene.gate(), &token).await, "accepted");
        store.fail(0);
        scene.advance(2);
        revocations.refresh().await.unwrap();
        assert!(scene.auth.ready());
        assert_eq!(rule(&gate, &token).await, "revoked");
        assert_eq!(rule(&gate, &scene.token("alice").claim("sid", "s-2")).await, "accepted");
        token
    };
    // The same holds after a restart.
    let revocations = following(&store).build();
    let scene = scene_with(&revocations, |builder| builder).await;
    assert!(scene.auth.ready());
    let token = token.signed_with(scene.key.clone());
    assert_eq!(rule(&gate(&scene), &token).await, "revoked");
}

#[tokio::test]
async fn lost_cursor_causes_a_new_start_and_forgets_nothing() {
    let store = Faulty::default();
    let (one, other) = (following(&store).build(), following(&store).build());
    let scene = scene_with(&one, |builder| builder).await;
    let _other = scene_with(&other, |builder| builder).await;
    let gate = gate(&scene);
    one.revoke_session(ISSUER, "s-1").await.unwrap();
    one.refresh().await.unwrap();
    other.revoke_session(ISSUER, "s-2").await.unwrap();
    store.fail(CURSOR);
    scene.advance(11);
    for sid in ["s-1", "s-2"] {
        let token = scene.token("alice").claim("sid", sid);
        assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked", "{sid}");
    }
}

#[tokio::test]
async fn store_that_could_lose_entries_is_refused_at_start_and_later() {
    let store = Faulty::default();
    store.fail(CHECKS);
    let build = |revocations: Revocations| {
        let key = portcullis::testing::TestKey::generate("k", portcullis::Algorithm::Es256);
        let builder = super::support::builder(&key).max_token_lifetime(Duration::from_secs(900));
        builder.revocations(revocations).build()
    };
    let error = build(following(&store).build()).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("fsync is off; turn it on"), "{text}");

    // If the store is unreachable at the start, it is checked later, before its entries are used.
    store.fail(READS);
    let revocations = following(&store).build();
    let auth = build(revocations.clone()).await.unwrap();
    assert!(!auth.ready());
}

#[tokio::test]
async fn failed_append_is_reported_and_can_be_repeated() {
    let store = Faulty::default();
    let revocations = following(&store).build();
    let scene = scene_with(&revocations, |builder| builder).await;
    store.fail(APPENDS);
    assert!(revocations.revoke_session(ISSUER, "s-1").await.is_err());
    store.fail(0);
    revocations.revoke_session(ISSUER, "s-1").await.unwrap();
    let token = scene.token("alice").claim("sid", "s-1");
    assert_eq!(rule(&gate(&scene), &token).await, "revoked");
}

#[tokio::test]
async fn values_that_no_token_has_and_events_in_the_future_are_errors() {
    let (scene, gate, revocations) = local().await;
    let long = "x".repeat(2049);
    for value in ["", "a\0b", long.as_str()] {
        assert!(revocations.revoke_session(ISSUER, value).await.is_err());
        assert!(revocations.revoke_subject(value, "alice", None).await.is_err());
    }
    let ahead = |secs: u64| Some(time(scene.now() + secs));
    assert!(revocations.revoke_subject(ISSUER, "alice", ahead(301)).await.is_err());
    assert!(revocations.revoke_client(ISSUER, "app", ahead(301)).await.is_err());
    assert_eq!(rule(&gate, &scene.token("alice")).await, "accepted");
    assert!(revocations.revoke_subject(ISSUER, "bob", ahead(299)).await.is_ok());
}

#[tokio::test]
async fn feed_without_revocations_or_token_lifetime_is_a_config_error() {
    let scene = Scene::new().await;
    let error = scene.gate().revocation(Revocation::feed(MAX_AGE)).unwrap_err().to_string();
    assert!(error.contains("`revocations`"), "{error}");
    // A single route answers 500.
    let headers = scene.token("alice").headers();
    let who = scene.auth.authenticate(&headers).await.unwrap();
    let required = portcullis::adapter::Requirement::from(Revocation::feed(MAX_AGE));
    let site = portcullis::adapter::Site::default;
    let admitted = portcullis::adapter::admit(Some(&who), None, None, &required, "", site);
    let refusal = admitted.await.unwrap_err();
    assert_eq!(refusal.status(), 500);

    let key = portcullis::testing::TestKey::generate("k", portcullis::Algorithm::Es256);
    let builder = super::support::builder(&key).revocations(Revocations::in_memory());
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains("max_token_lifetime"), "{error}");
}

#[tokio::test]
async fn tenants_from_a_resolver_have_their_own_entries() {
    use portcullis::config::IssuerResolver;
    use portcullis::keys::SharedKeySet;
    use portcullis::testing::{AUDIENCE, ManualClock, TestKey, bearer};
    use portcullis::{Algorithm, Authenticator, IssuerSettings};

    struct Tenants(SharedKeySet);
    impl IssuerResolver for Tenants {
        fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
            let settings = IssuerSettings::new(issuer, AUDIENCE).key_source(self.0.clone());
            Some(settings.max_token_lifetime(Duration::from_secs(900)))
        }
    }

    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let keys = SharedKeySet::new(TestKey::key_set([&*key]));
    let revocations = Revocations::in_memory();
    // The session is reported before the tenant's first token.
    let clock = ManualClock::at(NOW);
    let auth = Authenticator::builder_with_resolver(Tenants(keys))
        .clock(clock)
        .revocations(revocations.clone())
        .build()
        .await
        .unwrap();
    revocations.revoke_session("https://a.example", "s-1").await.unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(MAX_AGE)).unwrap();
    let token = |issuer| TestToken::new(key.clone(), issuer, "alice", NOW).claim("sid", "s-1");
    let rule = async |issuer| gate_rule(&gate, &bearer(&token(issuer).sign())).await;
    assert_eq!(rule("https://a.example").await, "revoked");
    assert_eq!(rule("https://b.example").await, "accepted");
}
