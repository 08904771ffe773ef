//! One fetched key set under several rule sets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;
use crate::clock::{Clock, default_clock};
use crate::key_source::{Freshness, KeySource as _};
use crate::remote::RemoteKeySet;
use crate::signature::VerifyError;
use crate::testing::{AUDIENCE, ISSUER, TestToken};

const OTHER: &str = "https://admin.example";
const OPENID: &str = "https://issuer.example/.well-known/openid-configuration";

/// The fetches and the clock of a set and its authenticators.
struct World {
    fetch: ScriptedFetch,
    clock: ManualClock,
    key: Arc<TestKey>,
}

impl World {
    fn new() -> Self {
        let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
        let world = Self { fetch: ScriptedFetch::default(), clock: ManualClock::at(NOW), key };
        world.publish([&*world.key]);
        world
    }

    fn publish<'k>(&self, keys: impl IntoIterator<Item = &'k TestKey>) {
        self.fetch.set(JWKS, Answer::ok(TestKey::jwks(keys)));
    }

    fn set(&self) -> RemoteKeySetBuilder {
        RemoteKeySet::at(JWKS)
            .fetch(self.fetch.clone())
            .clock(self.clock.clone())
            .without_background_refresh()
    }

    fn over(&self, keys: &RemoteKeySet, audience: &str) -> AuthenticatorBuilder {
        Authenticator::builder(ISSUER, audience).key_source(keys.clone()).clock(self.clock.clone())
    }

    fn token(&self, key: &Arc<TestKey>) -> TestToken {
        TestToken::new(key.clone(), ISSUER, "alice", NOW)
    }
}

#[tokio::test]
async fn two_rule_sets_over_one_key_set_share_a_fetch_and_a_rotation() {
    let world = World::new();
    let recorder = DebuggingRecorder::new();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let keys = world.set().build().await.unwrap();
    let orders = world.over(&keys, AUDIENCE).build().await.unwrap();
    let admin = world.over(&keys, OTHER).profile(Profile::rfc9068()).build().await.unwrap();
    assert_eq!(world.fetch.requests().len(), 1);

    let for_orders = |key| world.token(key).sign();
    let for_admin = |key| world.token(key).audience(OTHER).sign();
    assert_eq!(rule(&orders, &for_orders(&world.key)).await, "accepted");
    assert_eq!(rule(&admin, &for_admin(&world.key)).await, "accepted");
    // Each authenticator has its own rules.
    assert_eq!(rule(&orders, &for_admin(&world.key)).await, "aud");
    assert_eq!(rule(&admin, &for_orders(&world.key)).await, "aud");
    let untyped = world.token(&world.key).audience(OTHER).header("typ", "JWT").sign();
    assert_eq!(rule(&admin, &untyped).await, "typ");
    assert_eq!(world.fetch.requests().len(), 1);

    let new = Arc::new(TestKey::generate("new", Algorithm::Es256));
    world.publish([&*new]);
    assert_eq!(rule(&orders, &for_orders(&new)).await, "accepted");
    assert_eq!(rule(&admin, &for_admin(&new)).await, "accepted");
    assert_eq!(world.fetch.requests().len(), 2);
    // Both authenticators reject a token that they accepted before. Each causes a fetch for its key
    // first.
    assert_eq!(rule(&orders, &for_orders(&world.key)).await, "kid");
    assert_eq!(rule(&admin, &for_admin(&world.key)).await, "kid");
    assert_eq!(world.fetch.requests().len(), 4);
    for auth in [&orders, &admin] {
        let status = auth.status().remove(0).keys.unwrap();
        assert_eq!((status.location.as_str(), status.keys), (JWKS, 1));
        assert!(auth.ready());
    }
    assert_eq!(keys.status().freshness, Freshness::Fresh);

    let fetches = recorder.snapshotter().snapshot().into_vec();
    let fetches = fetches.into_iter().filter_map(|(key, _, _, value)| match value {
        DebugValue::Counter(count) if key.key().name() == "portcullis_jwks_fetches_total" => {
            Some(count)
        }
        _ => None,
    });
    assert_eq!(fetches.sum::<u64>(), 4);
}

#[tokio::test]
async fn key_without_alg_is_used_for_the_algorithms_of_each_rule_set() {
    let world = World::new();
    let rsa = Arc::new(TestKey::generate("k", Algorithm::Rs256));
    let mut jwks = TestKey::jwks([&*rsa]);
    jwks["keys"][0].as_object_mut().unwrap().remove("alg");
    world.fetch.set(JWKS, Answer::ok(&jwks));
    let keys = world.set().build().await.unwrap();
    let any = world.over(&keys, AUDIENCE).build().await.unwrap();
    let pss = world.over(&keys, AUDIENCE).algorithms([Algorithm::Ps256]).build().await.unwrap();
    let token = world.token(&rsa).sign();
    assert_eq!(rule(&any, &token).await, "accepted");
    assert_eq!(rule(&pss, &token).await, "alg");
    let allowed = [Algorithm::Ps256];
    assert!(
        matches!(keys.verify(&token, &allowed).await, Err(VerifyError::Jws(error)) if error.rule() == "alg")
    );
    // A set with its own list of algorithms imports no keys for other algorithms.
    let narrow = world.set().algorithms([Algorithm::Es256]).build().await.unwrap();
    assert_eq!((narrow.status().keys, narrow.status().skipped.len()), (0, 1));
}

#[tokio::test]
async fn service_over_an_unfetched_key_set_does_not_start_and_is_not_ready() {
    let world = World::new();
    world.fetch.set(JWKS, Answer::Fails);
    let error = world.set().build().await.unwrap_err();
    assert!(matches!(error, ConfigError::KeysUnavailable { .. }), "{error}");
    let keys = world.set().start_without_keys().build().await.unwrap();
    let error = world.over(&keys, AUDIENCE).build().await.unwrap_err();
    assert!(matches!(error, ConfigError::KeysUnavailable { .. }), "{error}");
    let auth = world.over(&keys, AUDIENCE).start_without_keys().build().await.unwrap();
    assert!(!auth.ready());

    world.publish([&*world.key]);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(rule(&auth, &world.token(&world.key).sign()).await, "accepted");
    assert!(auth.ready());
    // With usable keys, a service starts even if they cannot be refreshed.
    world.fetch.set(JWKS, Answer::Fails);
    world.clock.advance(Duration::from_secs(400));
    assert_eq!(keys.status().freshness, Freshness::Stale);
    world.over(&keys, AUDIENCE).build().await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    assert!(!auth.ready());
    assert!(world.over(&keys, AUDIENCE).build().await.is_err());
}

#[tokio::test]
async fn key_replaced_under_its_kid_is_found_in_a_shared_set() {
    let world = World::new();
    let keys = world.set().build().await.unwrap();
    let auth = world.over(&keys, AUDIENCE).build().await.unwrap();
    let new = Arc::new(TestKey::generate("k", Algorithm::Es256));
    world.publish([&*new]);
    let token = world.token(&new).sign();
    assert_eq!(rule(&auth, &token).await, "accepted");
    let newer = Arc::new(TestKey::generate("k", Algorithm::Es256));
    world.publish([&*newer]);
    world.clock.advance(Duration::from_secs(31));
    assert!(keys.verify(&world.token(&newer).sign(), Algorithm::ALL).await.is_ok());
    assert_eq!(rule(&auth, &token).await, "signature");
    assert_eq!(world.fetch.requests().len(), 3);
}

#[tokio::test]
async fn verify_distinguishes_a_bad_jws_from_unavailable_keys() {
    let world = World::new();
    let keys = world.set().build().await.unwrap();
    let verify = async |jws: &str| match keys.verify(jws, Algorithm::ALL).await {
        Ok(verified) => String::from_utf8(verified.payload().to_vec()).unwrap(),
        Err(VerifyError::Jws(error)) => error.rule().to_owned(),
        Err(VerifyError::KeysUnavailable { retry_after, .. }) => {
            format!("503 {}", !retry_after.is_zero())
        }
        Err(VerifyError::KeyBudgetSpent { retry_after, .. }) => {
            format!("429 {}", !retry_after.is_zero())
        }
    };
    let of =
        |kid: &str| world.key.sign(&json!({"alg": "ES256", "kid": kid}).to_string(), "no token");
    assert_eq!(verify(&of("k")).await, "no token");
    assert_eq!(verify(&format!("{}!", of("k"))).await, "base64url");
    assert_eq!(verify("a.b").await, "compact_form");
    for kid in ["1", "2", "3"] {
        assert_eq!(verify(&of(kid)).await, "kid", "{kid}");
    }
    assert_eq!(verify(&of("4")).await, "429 true");
    world.fetch.set(JWKS, Answer::Fails);
    world.clock.advance(Duration::from_secs(4000));
    assert_eq!(verify(&of("k")).await, "503 true");
}

#[tokio::test]
async fn discovered_key_set_is_only_for_its_issuer_and_key_hosts() {
    let world = World::new();
    let elsewhere = "https://keys.example/keys";
    world.fetch.set(elsewhere, Answer::ok(TestKey::jwks([&*world.key])));
    let metadata = |jwks_uri| Answer::ok(json!({"issuer": ISSUER, "jwks_uri": jwks_uri}));
    world.fetch.set(OPENID, metadata(elsewhere));
    let discover =
        || RemoteKeySet::discover(ISSUER).fetch(world.fetch.clone()).clock(world.clock.clone());
    let keys = discover().build().await.unwrap();
    let auth = world.over(&keys, AUDIENCE).build().await.unwrap();
    assert_eq!(rule(&auth, &world.token(&world.key).sign()).await, "accepted");

    // The profile limits the hosts of the keys, and the set was discovered without it.
    let strict = |keys: &RemoteKeySet| world.over(keys, AUDIENCE).profile(Profile::auth0()).build();
    let error = strict(&keys).await.unwrap_err().to_string();
    assert!(error.contains("profile") && error.contains("RemoteKeySetBuilder::profile"), "{error}");
    let error = discover().profile(Profile::auth0()).build().await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("`jwks_uri` is on a host"), "{error}");
    world.fetch.set(OPENID, metadata(JWKS));
    let keys = discover().profile(Profile::auth0()).build().await.unwrap();
    assert!(strict(&keys).await.is_ok());
    assert!(world.over(&keys, AUDIENCE).build().await.is_ok());
    // The profile's hosts do not apply to a configured URL.
    let named = discover().discovery_url(OPENID).build().await.unwrap();
    assert!(strict(&named).await.is_ok());
    assert!(strict(&world.set().build().await.unwrap()).await.is_ok());

    let of_another = Authenticator::builder("https://other.example", AUDIENCE).key_source(keys);
    let error = of_another.build().await.unwrap_err().to_string();
    assert!(error.contains(ISSUER) && error.contains("RemoteKeySet::at"), "{error}");
}

#[tokio::test]
async fn invalid_setting_of_a_key_set_is_rejected_by_name() {
    for (builder, names) in [
        (RemoteKeySet::at("http://issuer.example/keys"), ["jwks_url", "https"]),
        (RemoteKeySet::discover(""), ["issuer", "not set"]),
        (RemoteKeySet::discover("urn:issuer"), ["issuer", "https"]),
        (RemoteKeySet::at(JWKS).discovery_url(OPENID), ["jwks_url", "discovery_url"]),
        (RemoteKeySet::at(JWKS).jwks_ttl(Duration::ZERO), ["jwks_ttl", "seconds"]),
        (RemoteKeySet::at(JWKS).algorithms([]), ["algorithms", "at least one"]),
        (RemoteKeySet::at(JWKS).algorithms([Algorithm::Hs256]), ["algorithms", "dangerous"]),
        (RemoteKeySet::at(JWKS).allow_http_host("http://x"), ["allow_http_host", "one host"]),
    ] {
        let error = builder.fetch(ScriptedFetch::default()).build().await.unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
    let world = World::new();
    let keys = world.set().build().await.unwrap();
    let error = world.over(&keys, AUDIENCE).jwks_url(JWKS).build().await.unwrap_err().to_string();
    assert!(error.contains("jwks_url") && error.contains("key_source"), "{error}");
    let error =
        world.over(&keys, AUDIENCE).algorithms([Algorithm::Hs256]).build().await.unwrap_err();
    assert!(error.to_string().contains("dangerous"), "{error}");
}

/// A key set from a file, and a key set that was stored by an earlier run.
#[tokio::test]
async fn shared_key_set_may_come_from_a_file_or_kept_keys() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, TestKey::jwks([&*world.key]).to_string()).unwrap();
    let keys = RemoteKeySet::in_file(&path).clock(world.clock.clone()).build().await.unwrap();
    let auth = world.over(&keys, AUDIENCE).build().await.unwrap();
    assert_eq!(rule(&auth, &world.token(&world.key).sign()).await, "accepted");

    let kept = folder.path().join("kept.json");
    let set = || world.set().kept_keys_file(&kept);
    drop(set().build().await.unwrap());
    while !kept.exists() {
        tokio::task::yield_now().await;
    }
    world.fetch.set(JWKS, Answer::Fails);
    let keys = set().build().await.unwrap();
    assert!(keys.status().is_kept);
    let auth = world.over(&keys, AUDIENCE).build().await.unwrap();
    assert_eq!(rule(&auth, &world.token(&world.key).sign()).await, "accepted");
}

/// A clock that counts its readings.
#[derive(Debug)]
struct Counting(AtomicU64);

impl Clock for Counting {
    fn now(&self) -> SystemTime {
        self.0.fetch_add(1, Ordering::SeqCst);
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn monotonic(&self) -> Duration {
        self.0.fetch_add(1, Ordering::SeqCst);
        Duration::from_secs(1)
    }
}

#[tokio::test]
async fn cache_hit_reads_the_clocks_equally_often_with_a_shared_key_set() {
    let world = World::new();
    let counting = Arc::new(Counting(AtomicU64::new(0)));
    let token = bearer(&world.token(&world.key).sign());
    let readings = async |mut builder: AuthenticatorBuilder| {
        builder.clock = counting.clone();
        let auth = builder.build().await.unwrap();
        assert!(auth.authenticate(&token).await.is_ok());
        let before = counting.0.load(Ordering::SeqCst);
        assert!(auth.authenticate(&token).await.is_ok());
        counting.0.load(Ordering::SeqCst) - before
    };
    let mut set = world.set();
    set.clock = counting.clone();
    let shared = world.over(&set.build().await.unwrap(), AUDIENCE);
    let own = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(world.fetch.clone());
    assert_eq!((readings(shared).await, readings(own).await), (2, 2));
    // By default, the set and the authenticator use the same clock.
    let set = RemoteKeySet::at(JWKS).fetch(world.fetch.clone()).build().await.unwrap();
    assert!(set.is_judged_by(&Authenticator::builder(ISSUER, AUDIENCE).clock));
    assert!(!world.set().build().await.unwrap().is_judged_by(&default_clock()));
}

/// A resolver that answers with a clone of the set.
struct Tenants(RemoteKeySet);

impl IssuerResolver for Tenants {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        Some(IssuerSettings::new(issuer, AUDIENCE).key_source(self.0.clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn shared_key_set_is_refreshed_after_a_tenant_is_forgotten() {
    let world = World::new();
    let clock = crate::testing::TokioClock::at(NOW);
    let keys = RemoteKeySet::at(JWKS).fetch(world.fetch.clone()).clock(clock.clone());
    let keys = keys.build().await.unwrap();
    let other = Authenticator::builder("https://first.example", AUDIENCE).key_source(keys.clone());
    let auth = other.clock(clock).issuer_resolver(Tenants(keys.clone())).build().await.unwrap();
    let token = world.token(&world.key);
    assert_eq!(rule(&auth, &token.sign()).await, "accepted");
    assert_eq!(auth.status().len(), 2);
    auth.forget(ISSUER);
    let before = world.fetch.requests().len();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(world.fetch.requests().len() >= before + 10);
    assert_eq!(
        keys.resolve(&KeyRequest::new(Some("k"), Algorithm::Es256)).await.map(|_| ()).ok(),
        Some(())
    );
}
