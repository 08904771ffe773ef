//! Tests of metadata locations and content.

use super::*;

fn metadata(issuer: &str, jwks_uri: &str) -> Answer {
    Answer::ok(json!({"issuer": issuer, "jwks_uri": jwks_uri, "other": [1]}))
}

async fn discovery(issuer: &str, answers: &[(&str, Answer)]) -> Result<(), FetchError> {
    let world = World::new(Location::Discovered { issuer: issuer.to_owned(), metadata: None });
    world.publish(&["a"]);
    for (url, answer) in answers {
        world.fetch.set(url, answer.clone());
    }
    world.keys.refresh().await
}

#[tokio::test]
async fn keys_are_discovered_in_openid_or_oauth_metadata() {
    let openid = "https://issuer.example/t/.well-known/openid-configuration";
    let oauth = "https://issuer.example/.well-known/oauth-authorization-server/t";
    let issuer = "https://issuer.example/t";
    for url in [openid, oauth] {
        discovery(issuer, &[(url, metadata(issuer, JWKS))]).await.unwrap();
    }
    let error = discovery(issuer, &[]).await.unwrap_err().to_string();
    assert!(error.contains(openid) && error.contains(oauth), "{error}");
}

#[tokio::test]
async fn metadata_of_another_issuer_is_rejected() {
    let openid = "https://issuer.example/.well-known/openid-configuration";
    for found in ["https://issuer.example/", "https://ISSUER.example", "https://evil.example", ""] {
        let answers = [(openid, metadata(found, JWKS))];
        let error = discovery("https://issuer.example", &answers).await.unwrap_err();
        assert!(error.to_string().contains("is the metadata of"), "{found}: {error}");
    }
    // The trailing slash is part of the issuer's name. To build the path, one slash is removed.
    let answers = [(openid, metadata("https://issuer.example/", JWKS))];
    discovery("https://issuer.example/", &answers).await.unwrap();
}

#[tokio::test]
async fn bad_metadata_at_one_location_falls_back_to_the_other() {
    let openid = "https://issuer.example/.well-known/openid-configuration";
    let oauth = "https://issuer.example/.well-known/oauth-authorization-server";
    let issuer = "https://issuer.example";
    let other = metadata("https://evil.example", JWKS);
    for bad in [Answer::ok("<html>"), Answer::ok(""), Answer::ok("null"), Answer::Fails, other] {
        let good = (oauth, metadata(issuer, JWKS));
        discovery(issuer, &[(openid, bad.clone()), good]).await.unwrap();
        let error = discovery(issuer, &[(openid, bad.clone()), (oauth, bad)]).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains(openid) && error.contains(oauth), "{error}");
    }
}

fn discovered() -> World {
    let issuer = "https://issuer.example".to_owned();
    World::new(Location::Discovered { issuer, metadata: None })
}

const OPENID: &str = "https://issuer.example/.well-known/openid-configuration";
const OAUTH: &str = "https://issuer.example/.well-known/oauth-authorization-server";
const MOVED: &str = "https://keys.example/keys";

fn keys(ids: &[&str]) -> Answer {
    let keys: Vec<_> = ids.iter().map(|id| TestKey::generate(id, Algorithm::Es256)).collect();
    Answer::ok(TestKey::jwks(&keys))
}

#[tokio::test]
async fn moved_keys_are_found_at_the_next_fetch() {
    let world = discovered();
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.fetch.set(JWKS, keys(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    // The issuer moves its key set and leaves the old one in place.
    world.fetch.set(OPENID, metadata("https://issuer.example", MOVED));
    world.fetch.set(MOVED, keys(&["b"]));
    world.advance(299);
    assert_eq!(world.ask("a").await, "key");
    world.advance(1);
    assert_eq!(world.ask("a").await, "unknown");
    assert_eq!(world.ask("b").await, "key");
}

#[tokio::test]
async fn unknown_key_triggers_a_metadata_fetch() {
    let world = discovered();
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.fetch.set(JWKS, keys(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(OPENID, metadata("https://issuer.example", MOVED));
    world.fetch.set(MOVED, keys(&["a", "b"]));
    assert_eq!(world.ask("b").await, "key");
}

#[tokio::test]
async fn bad_metadata_is_a_failed_fetch_and_keeps_the_keys() {
    let world = discovered();
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.fetch.set(JWKS, keys(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(OPENID, Answer::status(500, "").with("retry-after", "60"));
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    let status = world.keys.0.status();
    assert_eq!(status.freshness, crate::key_source::Freshness::Stale);
    assert!(status.next_attempt.unwrap() >= Duration::from_secs(60), "{status:?}");
    assert!(status.last_error.unwrap().to_string().contains(OPENID));
}

#[tokio::test]
async fn last_good_location_is_tried_first() {
    let world = discovered();
    world.fetch.set(OAUTH, metadata("https://issuer.example", JWKS));
    world.fetch.set(JWKS, keys(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    let asked: Vec<_> = world.fetch.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(asked, [OPENID, OAUTH, JWKS, OAUTH, JWKS]);
    // This location disappears, and the other one is good.
    world.fetch.set(OAUTH, Answer::status(404, ""));
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.keys.0.status().freshness, crate::key_source::Freshness::Fresh);
}

#[tokio::test(start_paused = true)]
async fn hanging_location_leaves_time_for_the_others() {
    let world = discovered();
    world.fetch.set(OPENID, Answer::Hangs);
    world.fetch.set(OAUTH, metadata("https://issuer.example", JWKS));
    world.fetch.set(JWKS, keys(&["a"]));
    let begun = tokio::time::Instant::now();
    assert_eq!(world.ask("a").await, "key");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(world.keys.0.status().freshness, crate::key_source::Freshness::Fresh);
    world.fetch.set(OAUTH, Answer::Hangs);
    world.advance(300);
    let begun = tokio::time::Instant::now();
    assert_eq!(world.ask("a").await, "key", "stale keys are used");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let error = world.keys.0.status().last_error.unwrap().to_string();
    assert!(error.contains(OPENID) && error.contains("no complete response within"), "{error}");
}

#[tokio::test]
async fn insecure_jwks_uri_is_rejected() {
    let openid = "https://issuer.example/.well-known/openid-configuration";
    for (jwks_uri, problem) in [
        ("http://issuer.example/keys", "neither https"),
        // The process that listens there is not the issuer.
        ("http://127.0.0.1:8080/keys", "neither https"),
        ("file:///etc/passwd", "neither https"),
        ("keys", "not a URL"),
    ] {
        let answers = [(openid, metadata("https://issuer.example", jwks_uri))];
        let error = discovery("https://issuer.example", &answers).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    for body in ["{}", "[]", r#"{"issuer":["https://issuer.example"]}"#, "<html>"] {
        let error = discovery("https://issuer.example", &[(openid, Answer::ok(body))]).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("{openid} is not issuer metadata")), "{body}: {error}");
    }
}

/// An issuer with one slow metadata location.
#[derive(Debug, Clone)]
struct SlowAt(ScriptedFetch, &'static str, Duration);

impl Fetch for SlowAt {
    fn get(&self, request: crate::fetch::FetchRequest) -> crate::fetch::Fetching<'_> {
        let late = if request.url == self.1 { self.2 } else { Duration::ZERO };
        let answer = self.0.get(request);
        Box::pin(async move {
            tokio::time::sleep(late).await;
            answer.await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn slow_location_is_not_abandoned_for_another() {
    let script = ScriptedFetch::default();
    script.set(OPENID, metadata("https://issuer.example", JWKS));
    script.set(JWKS, keys(&["a"]));
    for (other, name) in [(Answer::status(404, ""), "404"), (Answer::Hangs, "silence")] {
        script.set(OAUTH, other);
        let location =
            Location::Discovered { issuer: "https://issuer.example".to_owned(), metadata: None };
        let fetch = SlowAt(script.clone(), OPENID, Duration::from_secs(4));
        let clock = TokioClock::at(NOW);
        let keys = RemoteKeySet::new(Config { location, ..config(LIMITS, fetch, clock) });
        assert!(keys.refresh().await.is_ok(), "{name}");
    }
}

/// One failure must not make a bad location the preferred one forever.
#[tokio::test]
async fn location_whose_keys_cannot_be_fetched_is_not_the_last_good_one() {
    let world = discovered();
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.fetch.set(OAUTH, metadata("https://issuer.example", MOVED));
    world.fetch.set(JWKS, keys(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(OPENID, Answer::status(500, ""));
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(OPENID, metadata("https://issuer.example", JWKS));
    world.advance(3600);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.keys.0.status().freshness, crate::key_source::Freshness::Fresh);
}
