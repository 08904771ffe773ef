//! The metrics match the guide: names, labels and values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, bearer, builder,
    claims, verdict,
};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};
use serde_json::json;

const LIST: &str = "https://issuer.example/lists/1";
/// Lists of eight statuses: the zlib streams of the byte 0 and of the byte 1.
const NONE_REVOKED: &str = "eNpjAAAAAQAB";
const FIRST_REVOKED: &str = "eNpjBAAAAgAC";
const OF_KEYS: &str = include_str!("../../crates/portcullis/src/guide/key_sets.md");
const OF_REVOCATION: &str = include_str!("../../crates/portcullis/src/guide/revocation.md");

/// The metrics that were recorded while `run` ran: `name{label=value,…}` and the value.
fn recorded(run: impl AsyncFnOnce()) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run());
    });
    snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| {
            let mut labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            labels.sort_unstable();
            let value = match value {
                #[expect(clippy::cast_precision_loss, reason = "small counts")]
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                // Each histogram has one value here, so the sum is that value.
                DebugValue::Histogram(values) => values.iter().map(|value| value.0).sum(),
            };
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
        })
        .collect()
}

#[test]
fn metrics_match_the_guide() {
    let metrics = recorded(async || {
        let key = TestKey::generate("k", Algorithm::Es256);
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let mut jwks = TestKey::jwks([&key]);
        jwks["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "k": "AA"}));
        fetch.set(JWKS, Answer::ok(jwks));
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .jwks_url(JWKS)
            .max_token_lifetime(Duration::from_secs(900))
            .fetch(fetch.clone())
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        clock.advance(Duration::from_secs(5));
        auth.refresh().await.unwrap();
        fetch.set(JWKS, Answer::Fails);
        auth.refresh().await.unwrap_err();

        auth.authenticate(&HeaderMap::new()).await.unwrap_err();
        for _ in 0..2 {
            auth.authenticate(&bearer("s3cret.s3cret")).await.unwrap_err();
        }
        let expired = key.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": 1, "iat": 0,
        }));
        auth.authenticate(&bearer(&expired)).await.unwrap_err();
    });

    let location = format!("location={JWKS}");
    let expected = BTreeMap::from([
        ("portcullis_refusals_total{kind=missing_token,rule=missing}".to_owned(), 1.0),
        ("portcullis_refusals_total{kind=invalid_token,rule=compact_form}".to_owned(), 2.0),
        ("portcullis_refusals_total{kind=invalid_token,rule=exp}".to_owned(), 1.0),
        (format!("portcullis_jwks_fetches_total{{{location},outcome=fetched}}"), 1.0),
        (format!("portcullis_jwks_fetches_total{{{location},outcome=not_modified}}"), 1.0),
        (format!("portcullis_jwks_fetches_total{{{location},outcome=failed}}"), 1.0),
        (format!("portcullis_jwks_keys{{{location}}}"), 1.0),
        (format!("portcullis_jwks_skipped_keys{{fault=true,{location}}}"), 1.0),
        (format!("portcullis_jwks_skipped_keys{{fault=false,{location}}}"), 0.0),
        ("portcullis_tokens_total{cache=hit}".to_owned(), 0.0),
        ("portcullis_tokens_total{cache=miss}".to_owned(), 3.0),
        unavailable("keys_unavailable"),
        unavailable("revocation_unavailable"),
        (format!("portcullis_jwks_last_success_timestamp_seconds{{{location}}}"), 1_800_000_005.0),
        (format!("portcullis_key_withdrawal_bound_seconds{{issuer=reachable,{location}}}"), 311.1),
        (
            format!("portcullis_key_withdrawal_bound_seconds{{issuer=unreachable,{location}}}"),
            3900.0,
        ),
        ("portcullis_revocation_bound_seconds{issuer=https://issuer.example}".to_owned(), 920.0),
    ]);
    assert_eq!(metrics, expected);
    assert_mentioned(&metrics, OF_KEYS);
}

/// The metric of a counter that is registered at 0, so that an alarm sees its first increment.
fn unavailable(kind: &str) -> (String, f64) {
    (format!("portcullis_refusals_total{{kind={kind},rule={kind}}}"), 0.0)
}

/// Asserts that the guide's chapter names all of the metrics.
fn assert_mentioned(metrics: &BTreeMap<String, f64>, chapter: &str) {
    for name in metrics.keys() {
        let name = name.split('{').next().unwrap();
        assert!(chapter.contains(&format!("`{name}`")), "the guide does not mention {name}");
    }
}

/// The lists have 8 statuses, and the clock is manual. The metrics record the age of the list
/// in use, and the lag of revocations.
#[test]
fn revocation_metrics_match_the_guide() {
    let metrics = recorded(async || {
        let key = TestKey::generate("k", Algorithm::Es256);
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let publish = |at: u64, list: &str, tag: &str| {
            let claims = json!({
                "sub": LIST, "iat": at, "exp": NOW + 86_400,
                "status_list": {"bits": 1, "lst": list},
            });
            let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
            let list = Answer::ok(key.sign(header, &claims.to_string())).with("etag", tag);
            fetch.set(LIST, list);
        };
        let auth = builder(&key).fetch(fetch.clone()).clock(clock.clone()).build().await.unwrap();
        let mut claims = claims();
        claims["exp"] = json!(NOW + 86_400);
        claims["status"] = json!({"status_list": {"idx": 0, "uri": LIST}});
        let token = bearer(&key.token(&claims));
        let secs = Duration::from_secs;
        let gate = |age| {
            let revocation = Revocation::status_list(secs(age)).in_outage(secs(6 * age));
            Gate::new(auth.clone()).revocation(revocation).unwrap()
        };
        publish(NOW, NONE_REVOKED, "\"1\"");
        assert!(verdict(&gate(20), &token).await.is_ok());
        // Another list with the same statuses, when the first is 30 s old.
        clock.advance(secs(30));
        publish(NOW + 30, NONE_REVOKED, "\"2\"");
        assert!(verdict(&gate(20), &token).await.is_ok());
        // 40 s later, the statuses are unchanged, and the server responds with 304.
        clock.advance(secs(40));
        fetch.set(LIST, Answer::status(304, ""));
        assert!(verdict(&gate(20), &token).await.is_ok());
        // After another 25 s, an attempt fails.
        clock.advance(secs(25));
        fetch.set(LIST, Answer::Fails);
        assert!(verdict(&gate(20), &token).await.is_ok());
        // The revocation may have been published right after the 304 response, 500 s ago. No
        // request used a list that was older than 6 * 20 s.
        clock.advance(secs(475));
        publish(NOW + 570, FIRST_REVOKED, "\"3\"");
        assert!(verdict(&gate(10), &token).await.is_err());
    });
    let issuer = "issuer=https://issuer.example";
    let fetches =
        |outcome| format!("portcullis_status_list_fetches_total{{{issuer},outcome={outcome}}}");
    let bound = |list| format!("portcullis_status_list_bound_seconds{{{issuer},list={list}}}");
    let expected = BTreeMap::from([
        ("portcullis_refusals_total{kind=invalid_token,rule=revoked}".to_owned(), 1.0),
        ("portcullis_tokens_total{cache=hit}".to_owned(), 4.0),
        ("portcullis_tokens_total{cache=miss}".to_owned(), 1.0),
        unavailable("keys_unavailable"),
        unavailable("revocation_unavailable"),
        (fetches("fetched"), 3.0),
        (fetches("not_modified"), 1.0),
        (fetches("failed"), 1.0),
        (bound("reachable"), 10.0),
        (bound("unreachable"), 120.0),
        (format!("portcullis_revocation_age_seconds{{{issuer}}}"), 30.0 + 40.0 + 25.0 + 120.0),
        (format!("portcullis_revocation_lag_seconds{{{issuer}}}"), 120.0),
    ]);
    assert_eq!(metrics, expected);
    assert_mentioned(&metrics, &[OF_KEYS, OF_REVOCATION].concat());
    assert!(OF_REVOCATION.contains("`portcullis_introspections_total`"));
}
