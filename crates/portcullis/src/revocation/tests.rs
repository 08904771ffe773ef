//! Tests of revocation settings and of status list refreshes.

mod feed;
mod outage;

use super::*;

const SEC: Duration = Duration::from_secs(1);

#[test]
fn ages_have_a_minimum_and_are_displayed() {
    for (revocation, said) in [
        (Revocation::default(), "expiry"),
        (Revocation::expiry().in_outage(SEC), "expiry"),
        (Revocation::status_list(10 * SEC), "status_list(10 s)"),
        (Revocation::status_list(SEC), "status_list(3 s)"),
        (Revocation::status_list(10 * SEC).in_outage(SEC), "status_list(10 s)"),
        (
            Revocation::status_list(10 * SEC).in_outage(60 * SEC),
            "status_list(10 s, in an outage 60 s)",
        ),
    ] {
        assert_eq!(revocation.to_string(), said);
    }
}

/// A list is refreshed only while requests use it.
#[tokio::test(start_paused = true)]
async fn unused_status_list_is_not_refreshed_until_requested() {
    use crate::Gate;
    use crate::algorithm::Algorithm;
    use crate::testing::{
        Answer, NOW, ScriptedFetch, TestKey, TokioClock, bearer, builder, claims, verdict,
    };

    const LIST: &str = "https://issuer.example/lists/1";
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let list = serde_json::json!({
        "sub": LIST, "iat": NOW, "exp": NOW + 86_400,
        // 8 tokens, none revoked.
        "status_list": {"bits": 1, "lst": "eNpjAAAAAQAB"},
    });
    let header = r#"{"alg":"EdDSA","kid":"k","typ":"statuslist+jwt"}"#;
    let fetch = ScriptedFetch::default();
    fetch.set(LIST, Answer::ok(key.sign(header, &list.to_string())).with("etag", "\"1\""));
    let builder = builder(&key).fetch(fetch.clone()).clock(TokioClock::at(NOW));
    let auth = builder.build().await.unwrap();
    let mut claims = claims();
    claims["exp"] = (NOW + 86_400).into();
    claims["status"] = serde_json::json!({"status_list": {"idx": 0, "uri": LIST}});
    let request = bearer(&key.token(&claims));
    let gate = Gate::new(auth).revocation(Revocation::status_list(20 * SEC)).unwrap();
    let passes = async || verdict(&gate, &request).await.is_ok();
    // Requests with a cached token also count as uses of the list.
    for _ in 0..2000 {
        assert!(passes().await);
        tokio::time::sleep(SEC).await;
    }
    let renewed = fetch.requests().len();
    assert!(renewed > 100, "{renewed} fetches in 2000 s");
    tokio::time::sleep(1000 * SEC).await;
    let left = fetch.requests().len();
    assert!(left > renewed, "refreshes stopped too soon");
    tokio::time::sleep(10_000 * SEC).await;
    assert_eq!(fetch.requests().len(), left);
    assert!(passes().await);
    assert!(fetch.requests().len() > left);
    tokio::time::sleep(100 * SEC).await;
    assert!(fetch.requests().len() > left + 3, "it is refreshed again");
}
