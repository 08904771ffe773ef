//! A database that was created before the renaming of the project.

use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_issuer::{Issuer, KeyEncryptionKey, KeyState, SecondFactorMode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::clients::{active as active_token, basic};
use crate::common::{
    Answer, Home, KEY, call, login, login_own, on_every_store, part, refresh, send, with_token,
};

on_every_store!(database_from_before_the_renaming_is_served);

const ON_SQLITE: &str = include_str!("before_renaming/sqlite.sql");
const ON_POSTGRES: &str = include_str!("before_renaming/postgres.sql");

/// Returns a value that a client of the issuer had when the database was dumped.
fn known(dump: &'static str, name: &str) -> &'static str {
    let value =
        |line: &'static str| line.strip_prefix("-- ")?.strip_prefix(name)?.strip_prefix(": ");
    dump.lines().find_map(value).unwrap_or_else(|| panic!("the dump has no {name}"))
}

/// Checks that the issuer accepts a token, and returns the token's `kid`.
async fn accepted_kid(issuer: &Issuer, token: &str) -> String {
    with_token(issuer, "GET /v1/users/me", token).await.expect(200);
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

async fn step_up(issuer: &Issuer, token: &str, secret: &str, now: u64) -> Answer {
    let secret = Secret::try_from_base32(secret).unwrap();
    let code = Builder::new().with_secret(secret).build().unwrap().generate(now).to_string();
    let request = Request::post("/v1/auth/step-up")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(json!({ "code": code }).to_string().into())
        .unwrap();
    send(issuer, request).await
}

async fn client_token(issuer: &Issuer, id: &str, secret: &str) -> Answer {
    let request = Request::post("/oauth/token")
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials".into())
        .unwrap();
    send(issuer, request).await
}

async fn database_from_before_the_renaming_is_served(mut home: Home) {
    let dump = if home.postgres().is_some() { ON_POSTGRES } else { ON_SQLITE };
    let known = |name| known(dump, name);
    // The clock is 2 s after the dump, when a refresh may still be repeated.
    home.restore(dump, known("at").parse::<u64>().unwrap() + 2).await;
    let mut config = home.config();
    config.key_encryption_key = KeyEncryptionKey::from_base64(KEY);
    // As in the old version, a login needs no code.
    config.second_factor = SecondFactorMode::Off;
    let issuer = Issuer::open(config).await.unwrap();

    // Signing keys: both decrypt, and the active one signs.
    let keys = issuer.keys().await.unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.state)).collect();
    let (active, next) = (known("active_kid"), known("next_kid"));
    assert_eq!(keys, [(next, KeyState::Next), (active, KeyState::Active)]);
    let jwks = call(&issuer, "GET /.well-known/jwks.json", &[]).await.expect(200).json;
    let published: Vec<&Value> =
        jwks["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert!(published.contains(&&json!(active)) && published.contains(&&json!(next)), "{jwks}");
    let token = login(&issuer).await.expect(200).text("access_token");
    assert_eq!(accepted_kid(&issuer, &token).await, active);
    assert_eq!(accepted_kid(&issuer, known("access_token")).await, active, "the old token");

    // Sessions: a repeated refresh gets the same answer, and a revoked session stays revoked.
    let again = refresh(&issuer, known("repeated_token")).await.expect(200);
    assert_eq!(again.text("refresh_token"), known("successor_of_repeated"));
    let on = refresh(&issuer, known("refresh_token")).await.expect(200);
    accepted_kid(&issuer, &on.text("access_token")).await;
    let moved = on.text("refresh_token");
    assert_eq!((known("refresh_token").len(), moved.len()), (43, 116), "the formats");
    let again = refresh(&issuer, known("refresh_token")).await.expect(200);
    assert_eq!(again.text("refresh_token"), moved, "a lost response");
    let following = refresh(&issuer, &moved).await.expect(200).text("refresh_token");
    // The reuse of a spent token of the former format ends its session, which has the new format.
    refresh(&issuer, known("refresh_token")).await.expect(401);
    refresh(&issuer, &following).await.expect(401);
    // This token of the former format is the successor of the repeated one.
    let moved = refresh(&issuer, known("successor_of_repeated")).await.expect(200);
    assert_eq!(moved.text("refresh_token").len(), 116);
    refresh(&issuer, known("repeated_token")).await.expect(401);
    refresh(&issuer, &moved.text("refresh_token")).await.expect(401);
    refresh(&issuer, known("revoked_refresh_token")).await.expect(401);
    with_token(&issuer, "GET /v1/users/me", known("revoked_access_token")).await.expect(401);

    // The second factor, and the machine client.
    let own = login_own(&issuer).await.expect(200).text("access_token");
    step_up(&issuer, &own, known("totp_secret"), home.now()).await.expect(200);
    let machine = client_token(&issuer, "billing", known("client_secret")).await.expect(200);
    assert_eq!(part(&machine.text("access_token"), 0)["kid"], active);
    // The client may introspect all tokens, as every client could before the renaming.
    let billing = basic("billing", known("client_secret"));
    assert_eq!(active_token(&issuer, &billing, &token).await["active"], true);
    let own = machine.text("access_token");
    assert_eq!(active_token(&issuer, &billing, &own).await["active"], true);
    let refresh_token = login(&issuer).await.expect(200).text("refresh_token");
    assert_eq!(active_token(&issuer, &billing, &refresh_token).await["active"], true);

    home.advance(400);
    issuer.rotate_keys().await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let token = login(&issuer).await.expect(200).text("access_token");
        if accepted_kid(&issuer, &token).await == next {
            break;
        }
        // On PostgreSQL the issuer may not know yet that it leads.
        assert!(std::time::Instant::now() < deadline, "the next key never signs");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
