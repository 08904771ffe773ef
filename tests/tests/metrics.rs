//! The metrics, as the guide promises them: names, labels and their values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::json;
use tollgate::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use tollgate::{Algorithm, Authenticator};

const NOW: u64 = 1_800_000_000;
const JWKS: &str = "https://issuer.example/keys";
const GUIDE: &str = include_str!("../../crates/tollgate/src/guide/key_sets.md");

/// Everything that was recorded while `run` ran: `name{label=value,…}` and the value.
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
                #[expect(clippy::cast_precision_loss, reason = "there are a few")]
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(_) => f64::NAN,
            };
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
        })
        .collect()
}

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

#[test]
fn the_metrics_are_those_of_the_guide() {
    let metrics = recorded(async || {
        let key = TestKey::generate("k", Algorithm::Es256);
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let mut jwks = TestKey::jwks([&key]);
        jwks["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "k": "AA"}));
        fetch.set(JWKS, Answer::ok(jwks).with("etag", "\"1\""));
        let auth = Authenticator::builder("https://issuer.example", "https://api.example")
            .jwks_url(JWKS)
            .max_token_lifetime(Duration::from_secs(900))
            .fetch(fetch.clone())
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        fetch.set(JWKS, Answer::status(304, ""));
        clock.advance(Duration::from_secs(5));
        auth.refresh().await.unwrap();
        fetch.set(JWKS, Answer::Fails);
        auth.refresh().await.unwrap_err();

        auth.authenticate(&HeaderMap::new()).await.unwrap_err();
        for _ in 0..2 {
            auth.authenticate(&bearer("s3cret.s3cret")).await.unwrap_err();
        }
        let expired = key.token(&json!({
            "iss": "https://issuer.example", "aud": "https://api.example", "exp": 1, "iat": 0,
        }));
        auth.authenticate(&bearer(&expired)).await.unwrap_err();
    });

    let location = format!("location={JWKS}");
    let expected = BTreeMap::from([
        ("tollgate_refusals_total{kind=missing_token,rule=missing}".to_owned(), 1.0),
        ("tollgate_refusals_total{kind=invalid_token,rule=compact_form}".to_owned(), 2.0),
        ("tollgate_refusals_total{kind=invalid_token,rule=exp}".to_owned(), 1.0),
        (format!("tollgate_jwks_fetches_total{{{location},outcome=fetched}}"), 1.0),
        (format!("tollgate_jwks_fetches_total{{{location},outcome=not_modified}}"), 1.0),
        (format!("tollgate_jwks_fetches_total{{{location},outcome=failed}}"), 1.0),
        (format!("tollgate_jwks_keys{{{location}}}"), 1.0),
        (format!("tollgate_jwks_skipped_keys{{{location}}}"), 1.0),
        (format!("tollgate_jwks_last_success_timestamp_seconds{{{location}}}"), 1_800_000_005.0),
        (format!("tollgate_key_withdrawal_bound_seconds{{issuer=reachable,{location}}}"), 305.0),
        (format!("tollgate_key_withdrawal_bound_seconds{{issuer=unreachable,{location}}}"), 3900.0),
        ("tollgate_revocation_bound_seconds{issuer=https://issuer.example}".to_owned(), 920.0),
    ]);
    assert_eq!(metrics, expected);
    for name in metrics.keys() {
        let name = name.split('{').next().unwrap();
        assert!(GUIDE.contains(&format!("`{name}`")), "the guide does not mention {name}");
    }
}
