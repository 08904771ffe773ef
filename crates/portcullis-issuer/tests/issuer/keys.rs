//! The key ring: what is published, how it rotates, and what survives a restart.

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Authenticator;
use portcullis_issuer::{Issuer, KeyState, SigningAlgorithm};
use serde_json::{Value, json};

use crate::common::{
    API, Home, ISSUER, call, execute, login, on_every_store, part, refresh, stranger, with_token,
};

on_every_store!(
    access_token_has_the_claims_of_rfc_9068,
    restart_keeps_the_key_and_the_sessions,
    unchanged_key_set_is_304_by_its_etag,
    rotated_key_is_published_until_its_last_token_has_expired,
    rotated_key_is_published_for_its_longest_token_lifetime,
    rotation_keeps_the_algorithm_unless_one_is_configured,
    rotation_by_another_process_is_followed_at_once,
    verifier_that_fetches_by_time_only_verifies_every_token,
    withdrawn_key_is_not_published,
    app_that_validates_locally_accepts_tokens_during_a_rotation,
    metadata_has_exactly_the_supported_features,
);

const JWKS: &str = "GET /.well-known/jwks.json";

async fn published(issuer: &Issuer) -> Vec<Value> {
    call(issuer, JWKS, &[]).await.expect(200).json["keys"].as_array().unwrap().clone()
}

async fn published_kids(issuer: &Issuer) -> Vec<String> {
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    published(issuer).await.iter().map(kid).collect()
}

fn kid_of(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// Verifies the signature with the cryptography library directly, without Portcullis's code.
fn verifies(token: &str, jwk: &Value) -> bool {
    let decode = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (signed, signature) = (signed.as_bytes(), URL_SAFE_NO_PAD.decode(signature).unwrap());
    match jwk["alg"].as_str().unwrap() {
        "ES256" => {
            let point = [vec![4], decode("x"), decode("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, &signature)
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, decode("x")).verify(signed, &signature),
        "RS256" => RsaPublicKeyComponents { n: decode("n"), e: decode("e") }.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            signed,
            &signature,
        ),
        other => panic!("{other}"),
    }
    .is_ok()
}

async fn access_token_has_the_claims_of_rfc_9068(home: Home) {
    let issuer = home.open_with_alice().await;
    let alice = issuer.users().await.unwrap().remove(0);
    let grant = login(&issuer).await.expect(200);
    let logged_in = home.now();
    home.advance(10);
    let token = refresh(&issuer, &grant.text("refresh_token")).await.text("access_token");

    let jwks = published(&issuer).await;
    assert_eq!(part(&token, 0), json!({ "typ": "at+jwt", "alg": "ES256", "kid": jwks[0]["kid"] }));
    let mut claims = part(&token, 1);
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 32);
    assert_ne!(jti, part(&grant.text("access_token"), 1)["jti"]);
    let status = claims.as_object_mut().unwrap().remove("status").unwrap();
    assert_eq!(status["status_list"]["uri"], format!("{ISSUER}/v1/status-lists/0"));
    let now = home.now();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": alice.id, "aud": [ISSUER, API], "iat": now, "exp": now + 900,
            "client_id": "identsphere-first-party", "scope": "a:read a:write",
            "roles": ["admin"], "sid": grant.text("session_id"), "auth_time": logged_in,
            "acr": "aal1", "amr": ["pwd"],
        })
    );
}

#[tokio::test]
async fn published_key_verifies_tokens_of_every_algorithm() {
    for (algorithm, name) in [
        (SigningAlgorithm::Es256, "ES256"),
        (SigningAlgorithm::EdDsa, "EdDSA"),
        (SigningAlgorithm::Rs256, "RS256"),
    ] {
        let home = Home::new();
        let mut config = home.config();
        config.signing_algorithm = Some(algorithm);
        drop(Issuer::open(config).await.unwrap());
        let issuer = home.open_with_alice().await;
        let token = login(&issuer).await.expect(200).text("access_token");
        let jwk = published(&issuer).await.remove(0);
        assert_eq!(
            (part(&token, 0)["alg"].as_str(), jwk["alg"].as_str()),
            (Some(name), Some(name))
        );
        assert!(verifies(&token, &jwk), "{name}");
        assert!(!verifies(&token.replacen('.', ".e", 1), &jwk), "{name}");
        with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    }
}

async fn restart_keeps_the_key_and_the_sessions(home: Home) {
    let before = home.open_with_alice().await;
    let grant = login(&before).await.expect(200);
    let keys = published(&before).await;
    drop(before);
    let after = home.open().await;
    assert_eq!(published(&after).await, keys);
    with_token(&after, "GET /v1/users/me", &grant.text("access_token")).await.expect(200);
    refresh(&after, &grant.text("refresh_token")).await.expect(200);
}

async fn unchanged_key_set_is_304_by_its_etag(home: Home) {
    let issuer = home.open().await;
    let first = call(&issuer, JWKS, &[]).await.expect(200);
    assert_eq!(first.header("cache-control"), "public, max-age=300, s-maxage=0");
    assert_eq!(first.header("content-type"), "application/jwk-set+json");
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let second = call(&issuer, JWKS, &[("if-none-match", &tag)]).await.expect(304);
    assert_eq!(second.header("etag"), tag);
    assert_eq!(second.json, Value::Null);
    issuer.rotate_keys_now().await.unwrap();
    let third = call(&issuer, JWKS, &[("if-none-match", &tag)]).await.expect(200);
    assert_ne!(third.header("etag"), tag);
}

async fn rotated_key_is_published_until_its_last_token_has_expired(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let old_kid = kid_of(&grant.text("access_token"));
    let new_kid = issuer.rotate_keys_now().await.unwrap();

    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    assert_eq!(kid_of(&fresh.text("access_token")), new_kid);
    home.advance(899);
    let mut kids = published_kids(&issuer).await;
    kids.sort_unstable();
    let mut both = [old_kid, new_kid.clone()];
    both.sort_unstable();
    assert_eq!(kids, both);
    with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(200);

    home.advance(122);
    assert_eq!(published_kids(&issuer).await, [new_kid]);
}

/// A shorter lifetime in the settings does not affect tokens that were issued before.
async fn rotated_key_is_published_for_its_longest_token_lifetime(home: Home) {
    let mut config = home.config();
    config.access_expiry = Duration::from_secs(3600);
    drop(home.open_with_alice().await);
    let long = Issuer::open(config).await.unwrap();
    let old_kid = kid_of(&login(&long).await.expect(200).text("access_token"));
    drop(long);
    let issuer = home.open().await;
    issuer.rotate_keys_now().await.unwrap();
    home.advance(3599);
    assert!(published_kids(&issuer).await.contains(&old_kid));
    home.advance(122);
    assert!(!published_kids(&issuer).await.contains(&old_kid));
}

async fn rotation_keeps_the_algorithm_unless_one_is_configured(home: Home) {
    let algorithms = async |issuer: &Issuer| -> Vec<&'static str> {
        let keys = issuer.keys().await.unwrap();
        keys.iter().filter(|key| key.state == KeyState::Active).map(|key| key.algorithm).collect()
    };
    let mut config = home.config();
    config.signing_algorithm = Some(SigningAlgorithm::EdDsa);
    drop(Issuer::open(config.clone()).await.unwrap());
    let issuer = home.open().await;
    issuer.rotate_keys_now().await.unwrap();
    assert_eq!(algorithms(&issuer).await, ["EdDSA"]);
    config.signing_algorithm = Some(SigningAlgorithm::Es256);
    Issuer::open(config).await.unwrap().rotate_keys_now().await.unwrap();
    assert_eq!(algorithms(&issuer).await, ["ES256"]);
}

/// A retired key must be withdrawn at this time, so the issuer would have to write.
#[tokio::test]
async fn keys_are_served_while_the_database_is_locked() {
    let home = Home::new();
    let issuer = home.open().await;
    issuer.rotate_keys_now().await.unwrap();
    home.advance(100_000);
    let mut other = stranger(&home).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let start = std::time::Instant::now();
    assert_eq!(published(&issuer).await.len(), 2);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    execute(&mut other, "COMMIT").await;
    assert_eq!(published(&issuer).await.len(), 1);
}

/// Two issuers on one database, like a running process and a command.
async fn rotation_by_another_process_is_followed_at_once(home: Home) {
    let running = home.open_with_alice().await;
    let elsewhere = home.open().await;
    let new_kid = elsewhere.rotate_keys_now().await.unwrap();
    // A token of the new key is accepted, even in the first request after the rotation.
    let token = login(&elsewhere).await.expect(200).text("access_token");
    with_token(&running, "GET /v1/users/me", &token).await.expect(200);
    // The new key is also used and published.
    assert_eq!(kid_of(&login(&running).await.expect(200).text("access_token")), new_kid);
    assert_eq!(published_kids(&running).await.len(), 2);
}

/// The verifier caches each key set for as long as it may, and never fetches one earlier. It can
/// verify every token during 20 scheduled rotations.
async fn verifier_that_fetches_by_time_only_verifies_every_token(home: Home) {
    let mut config = home.config();
    config.key_rotation = Some(Duration::from_secs(1_380));
    drop(home.open_with_alice().await);
    let issuer = Issuer::open(config).await.unwrap();
    let mut refresh_token = login(&issuer).await.expect(200).text("refresh_token");
    let (mut cached, mut cached_at) = (published(&issuer).await, home.now());
    let mut signers = std::collections::BTreeSet::new();
    while signers.len() < 21 {
        home.advance(97);
        if home.now() >= cached_at + 300 {
            (cached, cached_at) = (published(&issuer).await, home.now());
        }
        assert!(cached.len() <= 3, "{cached:?}");
        let grant = refresh(&issuer, &refresh_token).await.expect(200);
        refresh_token = grant.text("refresh_token");
        let token = grant.text("access_token");
        let jwk = cached.iter().find(|jwk| jwk["kid"] == kid_of(&token)).expect("a known key");
        assert!(verifies(&token, jwk));
        signers.insert(kid_of(&token));
    }
}

/// The tokens of a withdrawn key are rejected as soon as the key set is fetched again, and another
/// key signs.
async fn withdrawn_key_is_not_published(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let (token, kid) = (grant.text("access_token"), kid_of(&grant.text("access_token")));
    issuer.withdraw_key_now(&kid).await.unwrap();
    assert!(!published_kids(&issuer).await.contains(&kid));
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    with_token(&issuer, "GET /v1/users/me", &fresh.text("access_token")).await.expect(200);
    let again = issuer.withdraw_key_now(&kid).await.unwrap_err();
    assert!(matches!(again, portcullis_issuer::Error::NoSuchKey { .. }), "{again:?}");
}

/// The app fetches the keys over HTTP, as in the guide. It accepts every valid token during a
/// rotation, although the new key signs at once.
async fn app_that_validates_locally_accepts_tokens_during_a_rotation(home: Home) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut config = home.config();
    config.issuer.clone_from(&url);
    drop(home.open_with_alice().await);
    let issuer = Issuer::open(config).await.unwrap();
    let server = issuer.clone();
    let server = tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

    let app = Authenticator::builder(&url, API).clock(home.clock()).build().await.unwrap();
    let accepts = async |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        app.authenticate(&request.body(()).unwrap()).await
    };
    let old = login(&issuer).await.expect(200).text("access_token");
    let who = accepts(&old).await.unwrap();
    assert_eq!(who.subject(), part(&old, 1)["sub"].as_str());
    issuer.rotate_keys_now().await.unwrap();
    let new = login(&issuer).await.expect(200).text("access_token");
    assert_ne!(kid_of(&new), kid_of(&old));
    accepts(&new).await.unwrap();
    accepts(&old).await.unwrap();
    assert!(accepts(&format!("{}x", &new[..new.len() - 1])).await.is_err());
    server.abort();
}

async fn metadata_has_exactly_the_supported_features(home: Home) {
    let issuer = home.open().await;
    for name in ["openid-configuration", "oauth-authorization-server"] {
        let metadata = call(&issuer, &format!("GET /.well-known/{name}"), &[]).await.expect(200);
        let algorithms = json!([
            "RS256",
            "RS384",
            "RS512",
            "PS256",
            "PS384",
            "PS512",
            "ES256",
            "ES384",
            "ES512",
            "EdDSA",
            "ML-DSA-44",
            "ML-DSA-65",
            "ML-DSA-87",
            "Ed25519",
        ]);
        let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        let all = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
        assert_eq!(
            metadata.json,
            json!({
                "issuer": ISSUER,
                "jwks_uri": "https://auth.example.com/.well-known/jwks.json",
                "token_endpoint": "https://auth.example.com/oauth/token",
                "introspection_endpoint": "https://auth.example.com/oauth/introspect",
                "revocation_endpoint": "https://auth.example.com/oauth/revoke",
                "response_types_supported": [],
                "grant_types_supported": [
                    "client_credentials",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
                "token_endpoint_auth_methods_supported": all,
                "token_endpoint_auth_signing_alg_values_supported": algorithms,
                "introspection_endpoint_auth_methods_supported": confidential,
                "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
                "revocation_endpoint_auth_methods_supported": all,
                "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
                "backchannel_logout_supported": true,
                "backchannel_logout_session_supported": true,
            })
        );
        for endpoint in ["token", "introspection", "revocation"] {
            let url = metadata.text(&format!("{endpoint}_endpoint"));
            let path = url.strip_prefix(ISSUER).unwrap();
            assert_eq!(call(&issuer, &format!("GET {path}"), &[]).await.status, 405);
        }
        assert_eq!(metadata.header("cache-control"), "public, max-age=300");
    }
    call(&issuer, "GET /healthz", &[]).await.expect(200);
}

#[tokio::test]
async fn private_keys_and_tokens_are_not_stored_or_logged_in_the_clear() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let secret_of_file = std::fs::read_to_string(home.key_file()).unwrap();
    let debug = format!("{issuer:?}");
    assert!(debug.contains("KeyEncryptionKey(redacted)"), "{debug}");
    assert!(!debug.contains(secret_of_file.trim()));
    let mut stored = std::fs::read(home.database()).unwrap();
    stored.extend(std::fs::read(home.path().join("identsphere.db-wal")).unwrap());
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(holds(grant.text("session_id").as_bytes()), "the search itself works");
    assert!(!holds(grant.text("refresh_token").as_bytes()));
    // Every unencrypted PKCS#8 P-256 key has these bytes (RFC 5480: id-ecPublicKey, prime256v1).
    assert!(!holds(&[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]));
}
