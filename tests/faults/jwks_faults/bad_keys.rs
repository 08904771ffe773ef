//! An unusable key next to a usable one.

use portcullis::Algorithm;
use portcullis::testing::TestKey;
use portcullis_test_support::bad_keys::rows;
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::service::{JWKS, ask, builder, status, token};

#[tokio::test]
async fn bad_key_is_skipped_with_its_reason_and_other_keys_are_used() {
    let server = Server::start();
    let good = TestKey::generate("good", Algorithm::Ed25519);
    let (ec, rsa) =
        (TestKey::generate("bad", Algorithm::Es256), TestKey::generate("bad", Algorithm::Rs256));
    server.set(JWKS, Answer::Document(TestKey::jwks([&good]).to_string()));
    let auth = builder(&server).build().await.unwrap();
    for (bad, id, reason) in rows(&ec, &rsa) {
        let case = &bad[..bad.len().min(200)];
        let jwk = good.jwk();
        for keys in [format!("{bad},{jwk}"), format!("{jwk},{bad}")] {
            server.set(JWKS, Answer::Document(format!(r#"{{"keys":[{keys}]}}"#)));
            auth.refresh().await.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(ask(&auth, &token(&good)).await.status, 200, "{case}");
            for bad in [&ec, &rsa] {
                assert_ne!(ask(&auth, &token(bad)).await.status, 200, "{case}");
            }
            let status = status(&auth);
            assert_eq!(status.keys, 1, "{case}");
            let skipped: Vec<_> = status
                .skipped
                .iter()
                .map(|key| (key.id.as_deref(), key.reason.to_string()))
                .collect();
            assert_eq!(skipped, [(id, reason.to_owned())], "{case}");
        }
    }
}

#[tokio::test]
async fn two_different_keys_with_one_kid_are_not_used() {
    let server = Server::start();
    let good = TestKey::generate("good", Algorithm::Ed25519);
    let rivals = [(); 2].map(|()| TestKey::generate("bad", Algorithm::Es256));
    let keys = TestKey::jwks(rivals.iter().chain([&good]));
    server.set(JWKS, Answer::Document(keys.to_string()));
    let auth = builder(&server).build().await.unwrap();
    assert_eq!(ask(&auth, &token(&good)).await.status, 200);
    for rival in &rivals {
        assert_ne!(ask(&auth, &token(rival)).await.status, 200);
    }
    let status = status(&auth);
    let skipped = status.skipped.iter().map(|key| (key.id.as_deref(), key.reason.to_string()));
    let expected = (Some("bad"), "another key has the same `kid`".to_owned());
    assert_eq!(skipped.collect::<Vec<_>>(), [expected.clone(), expected]);
    assert_eq!(status.keys, 1);
}

/// Each of these values is JSON, and a key's unknown members must be ignored (RFC 7517 §4).
#[tokio::test]
async fn unread_member_of_a_key_is_ignored_with_any_value() {
    let server = Server::start();
    let (good, odd) =
        (TestKey::generate("good", Algorithm::Ed25519), TestKey::generate("odd", Algorithm::Es256));
    server.set(JWKS, Answer::Document(TestKey::jwks([&good]).to_string()));
    let auth = builder(&server).build().await.unwrap();
    let arrays = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(8000), "}".repeat(8000));
    let mut failed = Vec::new();
    for value in ["{}", "[[1]]", &arrays, &objects, "1e400", r#""\ud800""#] {
        let odd = odd.jwk().to_string().replacen('{', &format!(r#"{{"foreign":{value},"#), 1);
        for (place, keys) in [
            ("set", format!(r#"{{"foreign":{value},"keys":[{}]}}"#, good.jwk())),
            ("key", format!(r#"{{"keys":[{odd},{}]}}"#, good.jwk())),
        ] {
            server.set(JWKS, Answer::Document(keys));
            if let Err(error) = auth.refresh().await {
                failed.push(format!("{:.20} in the {place}: {error}", value));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(ask(&auth, &token(&good)).await.status, 200);
}
