//! The sources of keys.

use super::*;
use crate::key_source::Freshness;
use crate::{Gate, Revocation};

const ISSUER: &str = "https://issuer.example";

fn builder_with(fetch: &ScriptedFetch, clock: &ManualClock) -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, "https://api.example").fetch(fetch.clone()).clock(clock.clone())
}

fn metadata(jwks_uri: &str) -> Answer {
    Answer::ok(json!({"issuer": ISSUER, "jwks_uri": jwks_uri}))
}

#[tokio::test]
async fn metadata_at_discovery_url_must_name_the_issuer() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let inside = "https://issuer.internal:8443/metadata";
    fetch.set(inside, metadata("https://issuer.internal:8443/keys"));
    fetch.set("https://issuer.internal:8443/keys", Answer::ok(TestKey::jwks([&key])));
    let auth = builder_with(&fetch, &clock).discovery_url(inside).build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");

    fetch.set(inside, Answer::ok(json!({"issuer": "https://issuer.internal", "jwks_uri": inside})));
    let error = builder_with(&fetch, &clock).discovery_url(inside).build().await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("issuer.internal"), "{error}");
}

#[tokio::test]
async fn plain_http_is_allowed_only_for_allow_http_host() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let url = "http://keycloak.internal:8080/keys";
    fetch.set(url, Answer::ok(TestKey::jwks([&key])));
    let builder = || builder_with(&fetch, &clock).jwks_url(url);
    let auth = builder().allow_http_host("keycloak.internal").build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");
    for builder in [builder(), builder().allow_http_host("internal")] {
        let error = builder.build().await.unwrap_err().to_string();
        assert!(error.contains("allow_http_host") && error.contains(url), "{error}");
    }
}

#[tokio::test]
async fn fetch_token_is_read_each_time_and_sent_only_to_its_origin() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let openid = "https://issuer.example/.well-known/openid-configuration";
    // Google, Entra v1 and Kubernetes publish the keys on another host than the metadata.
    let elsewhere = "https://keys.example/keys";
    fetch.set(openid, metadata(elsewhere));
    fetch.set(elsewhere, Answer::ok(TestKey::jwks([&key])));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first\n").unwrap();
    let auth = builder_with(&fetch, &clock).fetch_token_file(file.path()).build().await.unwrap();
    std::fs::write(file.path(), "second").unwrap();
    clock.advance(Duration::from_secs(3600));
    auth.refresh().await.unwrap();

    let sent: Vec<_> = fetch
        .requests()
        .iter()
        .map(|request| {
            let header = request.headers.get("authorization");
            (request.url.clone(), header.map(|value| value.to_str().unwrap().to_owned()))
        })
        .collect();
    let expected = [
        (openid.to_owned(), Some("Bearer first".to_owned())),
        (elsewhere.to_owned(), None),
        (openid.to_owned(), Some("Bearer second".to_owned())),
        (elsewhere.to_owned(), None),
    ];
    assert_eq!(sent, expected);
    let shown = format!("{:?}", fetch.requests());
    assert!(!shown.contains("first") && !shown.contains("second"), "{shown}");

    // Without the token file, no request is sent.
    drop(file);
    clock.advance(Duration::from_secs(3600));
    let error = auth.refresh().await.unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    assert_eq!(fetch.requests().len(), 4);
}

/// An issuer may reserve places for authenticated clients among the requests that wait for a status list.
#[tokio::test]
async fn introspecting_client_is_named_to_status_lists_of_its_origin_only() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret\n").unwrap();
    for (introspection, named) in [
        ("https://issuer.example/introspect", true),
        ("https://other.example/introspect", false),
        ("https://issuer.example:8443/introspect", false),
    ] {
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        fetch.set("https://issuer.example/keys", Answer::ok(TestKey::jwks([&key])));
        let auth = builder_with(&fetch, &clock)
            .jwks_url("https://issuer.example/keys")
            .introspection_url(introspection)
            .introspection_client_id("api")
            .introspection_secret_file(secret.path())
            .build()
            .await
            .unwrap();
        let gate = Gate::new(auth);
        let gate = gate.revocation(Revocation::status_list(Duration::from_secs(30))).unwrap();
        let mut claims = claims();
        let list = "https://issuer.example/lists/1";
        claims["status"] = json!({ "status_list": { "idx": 1, "uri": list } });
        let refusal = gate.authenticate(&bearer(&key.token(&claims))).await.unwrap_err();
        assert_eq!(refusal.rule(), "status");
        let requests = fetch.requests();
        let of_list = requests.iter().find(|request| request.url == list).unwrap();
        let sent = of_list.headers.get("authorization").map(|value| value.to_str().unwrap());
        assert_eq!(sent, named.then_some("Basic YXBpOnMzY3JldA=="), "{introspection}");
        let of_keys = requests.iter().find(|request| request.url.ends_with("/keys")).unwrap();
        assert!(!of_keys.headers.contains_key("authorization"));
        assert!(!format!("{requests:?}").contains("YXBpOnMzY3JldA"));
    }
}

#[tokio::test]
async fn changed_key_file_is_read_again() {
    let (old, new) =
        (TestKey::generate("old", Algorithm::Es256), TestKey::generate("new", Algorithm::Es256));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let write = |text: String| std::fs::write(&path, text).unwrap();
    write(TestKey::jwks([&old]).to_string());
    let clock = ManualClock::at(NOW);
    let auth = Authenticator::builder("urn:issuer", "https://api.example")
        .jwks_file(&path)
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let token = |key: &TestKey| {
        let mut claims = claims();
        claims["iss"] = json!("urn:issuer");
        key.token(&claims)
    };
    assert_eq!(rule(&auth, &token(&old)).await, "accepted");

    write(TestKey::jwks([&new]).to_string());
    clock.advance(Duration::from_secs(2));
    assert_eq!(rule(&auth, &token(&new)).await, "accepted");
    assert_eq!(rule(&auth, &token(&old)).await, "kid");

    let keys = || auth.status().remove(0).keys.unwrap();
    // While the file is incomplete or missing, the current keys stay in use for a limited time.
    for _ in 0..2 {
        write("{\"keys\":[".to_owned());
        clock.advance(Duration::from_secs(40));
        assert_eq!(rule(&auth, &token(&new)).await, "accepted");
        assert_eq!(keys().freshness, Freshness::Stale);
        let _ = std::fs::remove_file(&path);
    }
    assert!(keys().last_error.as_ref().unwrap().to_string().contains("jwks.json"));

    let missing = Authenticator::builder("urn:issuer", "a").jwks_file(folder.path().join("none"));
    let error = missing.build().await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("none"), "{error}");
}

#[tokio::test]
async fn pem_key_file_is_accepted_and_private_key_is_rejected() {
    let jwk = |pem: &[u8]| {
        let key = crate::key::VerificationKey::from_pem(pem, Algorithm::ALL).unwrap();
        key.thumbprint().unwrap()
    };
    let (first, second): (&[u8], &[u8]) = (
        include_bytes!("../../../fixtures/keys/p256-cert.pem"),
        include_bytes!("../../../fixtures/keys/ed25519.pem"),
    );
    let private = include_bytes!("../../../fixtures/keys/bundle-with-private-key.pem");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), first).unwrap();
    let clock = ManualClock::at(NOW);
    let auth = Authenticator::builder("urn:issuer", "https://api.example")
        .jwks_file(file.path())
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let [issuer] = &auth.0.issuers.all()[..] else { panic!("one issuer") };
    let has = async |pem: &[u8]| {
        let id = jwk(pem);
        let algorithm = if pem == first { Algorithm::Es256 } else { Algorithm::Ed25519 };
        let wanted = KeyRequest::new(Some(&id), algorithm);
        issuer.keys.source().resolve(&wanted).await.is_ok()
    };
    assert_eq!((has(first).await, has(second).await), (true, false));
    std::fs::write(file.path(), second).unwrap();
    clock.advance(Duration::from_secs(2));
    assert_eq!((has(second).await, has(first).await), (true, false));
    // A file with a private key is rejected, and the current keys stay in use.
    std::fs::write(file.path(), private).unwrap();
    clock.advance(Duration::from_secs(40));
    assert!(has(second).await);
    let status = auth.status().remove(0).keys.unwrap();
    let error = status.last_error.unwrap();
    assert!(error.source().unwrap().to_string().contains("private key"), "{error}");
    let built = Authenticator::builder("urn:issuer", "a").jwks_file(file.path()).build().await;
    assert!(matches!(built, Err(ConfigError::KeysUnavailable { .. })));
}

#[tokio::test]
async fn two_key_sources_are_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let builder = || Authenticator::builder(ISSUER, "a");
    for (builder, names) in [
        (
            builder().jwks_url("https://i.example/k").discovery_url("https://i.example/d"),
            ["jwks_url", "discovery_url"],
        ),
        (builder().jwks_url("https://i.example/k").jwks_file("/k"), ["jwks_url", "jwks_file"]),
        (
            builder().key_source(SharedKeySet::new(TestKey::key_set([&key]))).jwks_file("/k"),
            ["jwks_file", "key_source"],
        ),
        (builder().fetch(ScriptedFetch::default()).ca_file("/ca"), ["ca_file", "fetch"]),
    ] {
        let error = builder.build().await.unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
}

#[tokio::test]
async fn key_host_outside_the_profile_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let issuer = "https://sts.windows.net/t/";
    let place = "https://login.microsoftonline.com/t/.well-known/openid-configuration";
    let keys = |host: &str| format!("https://{host}/t/discovery/keys");
    let builder = || {
        Authenticator::builder(issuer, "https://api.example")
            .profile(Profile::entra_v1())
            .fetch(fetch.clone())
            .clock(clock.clone())
    };
    for (host, found) in [("login.microsoftonline.com", true), ("evil.example", false)] {
        fetch.set(&keys(host), Answer::ok(TestKey::jwks([&key])));
        fetch.set(place, Answer::ok(json!({"issuer": issuer, "jwks_uri": keys(host)})));
        let built = builder().build().await;
        assert_eq!(built.is_ok(), found, "{host}: {built:?}");
        // A `discovery_url` may name a proxy.
        assert!(builder().discovery_url(place).build().await.is_ok());
        assert!(builder().jwks_url(keys(host)).build().await.is_ok());
    }
    let error = builder().build().await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("`jwks_uri` is on a host"), "{error}");
}
