//! The model has the same bounds and rates as the core.

use std::time::Duration;

use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, Scene, ScriptedFetch, TestKey, bearer,
    builder, claims, rule,
};
use portcullis::{Algorithm, Authenticator};

use super::report;

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

#[tokio::test]
async fn session_bound_is_that_of_max_token_lifetime_in_the_status() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (lifetime, leeway) in [(300, 10), (900, 10), (60, 0), (3600, 30)] {
        let auth = builder(&key)
            .leeway(Duration::from_secs(leeway))
            .max_token_lifetime(Duration::from_secs(lifetime))
            .build()
            .await
            .unwrap();
        let theirs = auth.status()[0].revocation_bound.unwrap();
        let options = format!("--access-expiry {lifetime} --leeway {leeway} --sessions 10");
        let ours = report(&options).settings.remove(0).lag_bound;
        assert_eq!(secs(ours), theirs, "{options}");
    }
}

#[tokio::test]
async fn key_bounds_are_those_of_the_status() {
    for (ttl, timeout, stale) in [(300, 5, 3600), (60, 2, 0), (3600, 10, 86_400)] {
        let scene = Scene::unpublished_with(|builder| {
            builder
                .jwks_ttl(Duration::from_secs(ttl))
                .fetch_timeout(Duration::from_secs(timeout))
                .max_stale(Duration::from_secs(stale))
        })
        .await;
        let status = scene.auth.status();
        let keys = status[0].keys.as_ref().unwrap();
        let options =
            format!("--jwks-ttl {ttl} --fetch-timeout {timeout} --max-stale {stale} --sessions 10");
        let ours = report(&options).settings.remove(0);
        assert_eq!(secs(ours.key_lag_bound), keys.withdrawal_bound, "{options}");
        assert_eq!(secs(ours.key_lag_bound_in_outage), keys.withdrawal_bound_in_outage);
    }
}

/// Runs one instance for six hours with the headers of real issuers.
#[tokio::test]
async fn modelled_fetches_are_those_of_an_instance() {
    for (headers, options) in [
        ("no-cache", "--jwks-ttl 300 --refresh-ahead 30"),
        ("no-cache, no-store, max-age=0, must-revalidate", "--jwks-ttl 300 --refresh-ahead 30"),
        ("max-age=60", "--jwks-ttl 300 --refresh-ahead 30 --jwks-max-age 60"),
        ("max-age=1", "--jwks-ttl 300 --refresh-ahead 30 --jwks-max-age 1"),
        ("max-age=600, must-revalidate", "--jwks-ttl 300 --refresh-ahead 30 --jwks-max-age 600"),
    ] {
        const HOURS: u32 = 6 * 3600;
        let (key, fetch) = (TestKey::generate("k", Algorithm::Es256), ScriptedFetch::default());
        let clock = ManualClock::at(NOW);
        let answer = Answer::ok(TestKey::jwks([&key])).with("cache-control", headers);
        fetch.set(JWKS, answer);
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(JWKS)
            .refresh_ahead(secs(30.0))
            .fetch(fetch.clone())
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        let mut claims = claims();
        claims["exp"] = (NOW + u64::from(HOURS)).into();
        let request = bearer(&key.token(&claims));
        for _ in 0..HOURS {
            assert_eq!(rule(&auth, &request).await, "accepted");
            // The renewal runs in a task of its own.
            tokio::task::yield_now().await;
            clock.advance(secs(1.0));
        }
        let fetched = fetch.requests().len() as f64;
        let ours = report(&format!("{options} --instances 1 --rotations-per-day 0 --sessions 10"));
        let modelled = ours.settings[0].fetches.model * f64::from(HOURS);
        // The instance gets one request per second, so it renews its keys half a second late on average.
        let off = fetched / modelled - 1.0;
        assert!(
            off.abs() < 0.02 + 0.6 * modelled / f64::from(HOURS),
            "{headers}: {fetched}, {modelled}"
        );
    }
}

/// A fetch for an unknown key is a renewal like any other. The next renewal is due one TTL later.
#[tokio::test]
async fn fetch_for_an_unknown_key_starts_a_new_ttl() {
    let [old, new] = ["old", "new"].map(|kid| TestKey::generate(kid, Algorithm::Es256));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&old])));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .jwks_url(JWKS)
        .jwks_ttl(secs(300.0))
        .refresh_ahead(secs(30.0))
        .fetch(fetch.clone())
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let mut claims = claims();
    claims["exp"] = (NOW + 3600).into();
    clock.advance(secs(200.0));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&old, &new])));
    let request = bearer(&new.token(&claims));
    // Fetches happen at 0 s and now, and the next one not before 200 + 240 s.
    for at in 20..44 {
        assert_eq!(rule(&auth, &request).await, "accepted");
        tokio::task::yield_now().await;
        assert_eq!(fetch.requests().len(), 2, "at {at}0 s");
        clock.advance(secs(10.0));
    }
}
