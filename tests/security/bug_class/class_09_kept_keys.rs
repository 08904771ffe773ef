//! The ninth class across a restart. While the issuer is unreachable, keys of an earlier run are
//! used for as long as they could have been used without the restart. No other kept keys are used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, ConfigError, IssuerSettings,
    fetch::{Fetch, FetchRequest, Fetching},
    status::Freshness,
};
use serde_json::{Value, json};

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, rule};

const OTHER: &str = "https://other.example";
const OTHER_JWKS: &str = "https://other.example/keys";

struct World {
    key: TestKey,
    fetch: ScriptedFetch,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (key, fetch) = (TestKey::generate("k", Algorithm::Es256), ScriptedFetch::default());
        let file = directory.path().join("keys.json");
        Self { key, fetch, file, _directory: directory }
    }

    /// Returns the builder of a process that starts `after` seconds later, with a new monotonic
    /// clock.
    fn builder(&self, after: u64) -> (AuthenticatorBuilder, ManualClock) {
        let clock = ManualClock::at(NOW + after);
        let builder = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(JWKS)
            .fetch(self.fetch.clone())
            .clock(clock.clone())
            .without_background_refresh()
            .max_stale(Duration::from_secs(3600))
            .kept_keys_file(&self.file);
        (builder, clock)
    }

    /// Performs the first run, whose keys are kept.
    async fn first_run(&self) {
        self.fetch.set(JWKS, Answer::ok(TestKey::jwks([&self.key])));
        self.builder(0).0.build().await.unwrap();
        self.until_kept().await;
        self.fetch.set(JWKS, Answer::Fails);
    }

    /// Waits until the keys are kept, because a separate task writes the file.
    async fn until_kept(&self) {
        for _ in 0..2000 {
            if self.file.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(self.file.exists(), "nothing was kept");
    }

    fn token(&self) -> String {
        self.key.token(&json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": NOW + 86_400}))
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&std::fs::read(&self.file).unwrap()).unwrap()
    }

    /// Changes the kept keys, as another process could.
    fn keep(&self, change: impl FnOnce(&mut Value)) {
        let mut kept = self.kept();
        change(&mut kept["issuers"][ISSUER]);
        std::fs::write(&self.file, kept.to_string()).unwrap();
    }
}

#[tokio::test]
async fn kept_keys_are_used_within_their_bound_until_the_issuer_recovers() {
    let world = World::new();
    world.first_run().await;
    let (builder, clock) = world.builder(3000);
    let auth = builder.build().await.unwrap();
    assert!(auth.ready());
    let status = || auth.status().remove(0).keys.unwrap();
    assert!(status().is_kept);
    assert_eq!(
        (status().freshness, status().age),
        (Freshness::Stale, Some(Duration::from_secs(3000)))
    );
    assert!(status().last_error.is_some());
    assert_eq!(rule(&auth, &world.token()).await, "accepted");
    // The TTL is 300 s and the maximum staleness is 3600 s, counted from the fetch in the first
    // run.
    clock.advance(Duration::from_secs(899));
    assert_eq!(rule(&auth, &world.token()).await, "accepted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(rule(&auth, &world.token()).await, "keys_unavailable");
    assert!(!auth.ready());
    world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
    clock.advance(Duration::from_secs(6));
    assert_eq!(rule(&auth, &world.token()).await, "accepted");
    assert!(!status().is_kept);
    assert_eq!(status().freshness, Freshness::Fresh);
}

/// A wall clock that is set back after the start does not make the keys younger.
#[tokio::test]
async fn kept_keys_age_by_the_larger_of_both_clocks() {
    let world = World::new();
    world.first_run().await;
    let (builder, clock) = world.builder(3000);
    let auth = builder.build().await.unwrap();
    clock.suspend(Duration::from_secs(900));
    assert_eq!(rule(&auth, &world.token()).await, "keys_unavailable");
}

/// Asserts that a start `after` seconds later fails, although keys were kept.
async fn refused(world: &World, after: u64) {
    let error = world.builder(after).0.build().await.unwrap_err();
    assert!(matches!(error, ConfigError::KeysUnavailable { .. }), "{error}");
}

#[tokio::test]
async fn kept_keys_too_old_or_from_the_future_are_not_used() {
    let world = World::new();
    world.first_run().await;
    refused(&world, 3900).await;
    world.builder(3899).0.build().await.unwrap();
    world.keep(|record| record["fetched_at"] = json!(NOW + 60));
    refused(&world, 0).await;
    // The settings of the current run apply as well.
    world.keep(|record| record["fetched_at"] = json!(NOW));
    let (builder, _) = world.builder(900);
    builder.max_stale(Duration::from_secs(600)).build().await.unwrap_err();
}

#[tokio::test]
async fn kept_keys_of_another_issuer_or_damaged_are_not_used() {
    for change in [
        |record: &mut Value| record["source"] = json!("https://elsewhere.example/keys"),
        |record: &mut Value| record["jwks"] = json!("{"),
        |record: &mut Value| record["jwks"] = json!(r#"{"keys":[],"keys":[]}"#),
        |record: &mut Value| record["fetched_at"] = json!("yesterday"),
        |record: &mut Value| *record = Value::Null,
    ] {
        let world = World::new();
        world.first_run().await;
        world.keep(change);
        refused(&world, 10).await;
    }
    for text in ["", "{}", "null", "[]", "\u{0}", r#"{"version":2,"issuers":{}}"#] {
        let world = World::new();
        world.first_run().await;
        std::fs::write(&world.file, text).unwrap();
        refused(&world, 10).await;
        // The file is replaced at the next fetch.
        world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
        std::fs::remove_file(&world.file).unwrap();
        world.builder(20).0.build().await.unwrap();
        world.until_kept().await;
    }
    // Keys of an issuer that is no longer configured are removed.
    let world = World::new();
    world.first_run().await;
    let builder = Authenticator::builder(OTHER, AUDIENCE).jwks_url(OTHER_JWKS);
    let builder = builder.fetch(world.fetch.clone()).kept_keys_file(&world.file);
    builder.build().await.unwrap_err();
}

/// The server responds, but its response is wrong: that is not an outage.
#[tokio::test]
async fn kept_keys_do_not_hide_an_invalid_configuration() {
    let world = World::new();
    world.first_run().await;
    for answer in [Answer::status(404, ""), Answer::ok("<html>"), Answer::status(302, "")] {
        world.fetch.set(JWKS, answer);
        refused(&world, 10).await;
    }
    for answer in [Answer::status(503, ""), Answer::status(429, ""), Answer::Fails] {
        world.fetch.set(JWKS, answer);
        world.builder(10).0.build().await.unwrap();
    }
}

/// If the service is set to obey headers that forbid stale keys, a restart does not bypass these
/// headers.
#[tokio::test]
async fn kept_keys_that_must_be_revalidated_are_not_used_past_their_ttl() {
    let world = World::new();
    let answer = Answer::ok(TestKey::jwks([&world.key])).with("cache-control", "must-revalidate");
    world.fetch.set(JWKS, answer);
    let (builder, _) = world.builder(0);
    builder.obey_no_cache().build().await.unwrap();
    world.until_kept().await;
    world.fetch.set(JWKS, Answer::Fails);
    let (builder, clock) = world.builder(299);
    let auth = builder.obey_no_cache().build().await.unwrap();
    assert_eq!(rule(&auth, &world.token()).await, "accepted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(rule(&auth, &world.token()).await, "keys_unavailable");
    world.builder(300).0.obey_no_cache().build().await.unwrap_err();
}

#[cfg(unix)]
#[tokio::test]
async fn kept_keys_file_writable_by_others_is_not_read_and_own_file_is_private() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    world.first_run().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.file), 0o600);
    for foreign in [0o620, 0o602, 0o666] {
        set_permissions(&world.file, Permissions::from_mode(foreign)).unwrap();
        refused(&world, 10).await;
    }
    set_permissions(&world.file, Permissions::from_mode(0o644)).unwrap();
    world.builder(10).0.build().await.unwrap();
}

/// A pipe would block, and a link leads to a file that another user chose.
#[cfg(unix)]
#[tokio::test]
async fn kept_keys_path_that_is_not_a_regular_file_is_not_read() {
    let world = World::new();
    world.first_run().await;
    let kept = world.file.with_file_name("elsewhere.json");
    std::fs::rename(&world.file, &kept).unwrap();
    std::os::unix::fs::symlink(&kept, &world.file).unwrap();
    refused(&world, 10).await;
    std::fs::remove_file(&world.file).unwrap();
    std::fs::create_dir(&world.file).unwrap();
    refused(&world, 10).await;
    std::fs::remove_dir(&world.file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&world.file).status().unwrap();
    assert!(made.success());
    let start = tokio::time::timeout(Duration::from_secs(60), world.builder(10).0.build());
    assert!(start.await.unwrap().is_err());
}

/// The configured metadata URL is part of the source of the keys.
#[tokio::test]
async fn kept_keys_of_another_metadata_url_are_not_used() {
    const OLD: &str = "https://old.example/metadata";
    const NEW: &str = "https://new.example/metadata";
    let own = format!("{ISSUER}/.well-known/openid-configuration");
    let world = World::new();
    let builder = |after| {
        let builder = Authenticator::builder(ISSUER, AUDIENCE).fetch(world.fetch.clone());
        let builder = builder.clock(ManualClock::at(NOW + after)).without_background_refresh();
        builder.kept_keys_file(&world.file)
    };
    let metadata = |issuer: &str| Answer::ok(json!({"issuer": issuer, "jwks_uri": JWKS}));
    world.fetch.set(OLD, metadata(ISSUER));
    world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
    builder(0).discovery_url(OLD).build().await.unwrap();
    world.until_kept().await;
    for url in [OLD, NEW, &own] {
        world.fetch.set(url, Answer::Fails);
    }
    builder(10).discovery_url(OLD).build().await.unwrap();
    builder(10).discovery_url(NEW).build().await.unwrap_err();
    builder(10).build().await.unwrap_err();
    // One of the two metadata locations names another issuer, which is not an outage.
    std::fs::remove_file(&world.file).unwrap();
    world.fetch.set(&own, metadata(ISSUER));
    builder(0).build().await.unwrap();
    world.until_kept().await;
    world.fetch.set(&own, Answer::Fails);
    builder(10).build().await.unwrap();
    world.fetch.set(&own, metadata(OTHER));
    builder(10).build().await.unwrap_err();
}

/// Kept keys are not used if their host may no longer be fetched over plain http.
#[tokio::test]
async fn kept_keys_from_a_no_longer_allowed_url_are_not_used() {
    let world = World::new();
    world.first_run().await;
    world.keep(|record| record["jwks_url"] = json!("http://keys.internal/jwks"));
    refused(&world, 10).await;
    let (builder, _) = world.builder(10);
    builder.allow_http_host("keys.internal").build().await.unwrap();
    world.keep(|record| record["jwks_url"] = Value::Null);
    refused(&world, 10).await;
}

/// An HTTP client that answers the second request only on a signal, and returns another key from
/// then on.
#[derive(Debug, Clone)]
struct Slow {
    requests: Arc<AtomicUsize>,
    answers: Arc<Notify>,
    documents: [String; 2],
}

impl Fetch for Slow {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if number == 1 {
                self.answers.notified().await;
            }
            let [old, new] = self.documents.clone();
            Ok(http::Response::new(Bytes::from(if number > 1 { new } else { old })))
        })
    }
}

/// The result of an abandoned fetch does not replace newer kept keys.
#[tokio::test]
async fn late_response_of_an_abandoned_fetch_is_not_kept() {
    let world = World::new();
    let (old, new) =
        (TestKey::generate("old", Algorithm::Es256), TestKey::generate("new", Algorithm::Es256));
    let documents = [&old, &new].map(|key| TestKey::jwks([key]).to_string());
    let answers = Arc::new(Notify::new());
    let slow = Slow { requests: Arc::default(), answers: answers.clone(), documents };
    let (builder, clock) = world.builder(0);
    let auth = builder.fetch(slow).build().await.unwrap();
    world.until_kept().await;
    let second = tokio::spawn({
        let auth = auth.clone();
        async move { auth.refresh().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    clock.advance(Duration::from_secs(60));
    auth.refresh().await.unwrap();
    answers.notify_one();
    let _ = second.await;
    let kept_new = || world.kept().to_string().contains("new");
    for _ in 0..2000 {
        if kept_new() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(kept_new(), "{}", world.kept());
}

#[tokio::test]
async fn unwritable_kept_keys_path_is_rejected_at_start() {
    let world = World::new();
    world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
    let (builder, _) = world.builder(0);
    let error = builder.kept_keys_file("/no/such/place/keys.json").build().await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("PORTCULLIS_KEPT_KEYS_FILE"), "{error}");
    assert!(error.contains("/no/such/place/keys.json"), "{error}");
}

#[tokio::test]
async fn one_unreachable_issuer_does_not_stop_the_others() {
    let world = World::new();
    let other = TestKey::generate("o", Algorithm::Es256);
    let two = |after| {
        let (builder, clock) = world.builder(after);
        let settings = IssuerSettings::new(OTHER, AUDIENCE).jwks_url(OTHER_JWKS);
        (builder.also_issuer(settings.fetch(world.fetch.clone())), clock)
    };
    let of_other = other.token(&json!({"iss": OTHER, "aud": AUDIENCE, "exp": NOW + 86_400}));
    world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
    world.fetch.set(OTHER_JWKS, Answer::Fails);
    let (builder, clock) = two(0);
    let auth = builder.build().await.unwrap();
    assert!(auth.ready());
    assert_eq!(rule(&auth, &world.token()).await, "accepted");
    assert_eq!(rule(&auth, &of_other).await, "keys_unavailable");
    world.fetch.set(OTHER_JWKS, Answer::ok(TestKey::jwks([&other])));
    clock.advance(Duration::from_secs(10));
    assert_eq!(rule(&auth, &of_other).await, "accepted");
    // If all issuers are unreachable, the start fails; a wrong response always makes the start
    // fail.
    std::fs::remove_file(&world.file).ok();
    world.fetch.set(JWKS, Answer::Fails);
    world.fetch.set(OTHER_JWKS, Answer::Fails);
    two(5000).0.build().await.unwrap_err();
    world.fetch.set(JWKS, Answer::ok(TestKey::jwks([&world.key])));
    world.fetch.set(OTHER_JWKS, Answer::status(404, ""));
    two(5000).0.build().await.unwrap_err();
}
