//! Change of the key-encryption key: the issuer runs with the new key, and does not start with the
//! old one.

use std::time::{Duration, Instant};

use portcullis_issuer::{Error, Issuer, IssuerConfig, KeyEncryptionKey, NewUser};

use crate::common::{Home, KEY, PASSWORD, login, login_own, on_every_store, refresh, with_token};
use crate::second_factor::{code, enrolled, step_up};

on_every_store!(
    sessions_survive_a_change_of_the_key_encryption_key,
    second_factor_is_valid_under_another_key_encryption_key,
    token_of_the_old_key_is_accepted_as_long_as_its_session_lives,
    process_with_the_old_key_issues_nothing_after_the_change,
);

const NEW: &str = "bmV3IGtleS1lbmNyeXB0aW9uIGtleSBmb3IgdGVzdHM=";

fn with_key(home: &Home, key: &str) -> IssuerConfig {
    let mut config = home.config();
    config.key_encryption_key = KeyEncryptionKey::from_base64(key);
    assert!(config.key_encryption_key.is_some());
    config
}

async fn open_with_alice(home: &Home) -> Issuer {
    let issuer = Issuer::open(with_key(home, KEY)).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    issuer
}

async fn sessions_survive_a_change_of_the_key_encryption_key(home: Home) {
    let issuer = open_with_alice(&home).await;
    let unused = login(&issuer).await.expect(200);
    let spent = login(&issuer).await.expect(200).text("refresh_token");
    let current = refresh(&issuer, &spent).await.expect(200).text("refresh_token");
    let kid = issuer.keys().await.unwrap()[0].kid.clone();

    let new = KeyEncryptionKey::from_base64(NEW).unwrap();
    issuer.rekey(&new).await.unwrap();
    issuer.close().await;
    let error = Issuer::open(with_key(&home, KEY)).await.unwrap_err();
    assert!(matches!(error, Error::WrongKeyEncryptionKey { .. }), "{error:?}");

    let issuer = Issuer::open(with_key(&home, NEW)).await.unwrap();
    assert_eq!(issuer.keys().await.unwrap()[0].kid, kid, "the same signing key");
    with_token(&issuer, "GET /v1/users/me", &unused.text("access_token")).await.expect(200);
    let on = refresh(&issuer, &unused.text("refresh_token")).await.expect(200);
    refresh(&issuer, &on.text("refresh_token")).await.expect(200);
    // A token that was spent under the old key is still known as spent, and its successor can be
    // repeated.
    let again = refresh(&issuer, &spent).await.expect(200);
    assert_eq!(again.text("refresh_token"), current);
    home.advance(60);
    refresh(&issuer, &spent).await.expect(401);
    refresh(&issuer, &current).await.expect(401);

    // The second change is back to the first key. Tokens of the second key are still accepted.
    let waiting = login(&issuer).await.expect(200).text("refresh_token");
    issuer.rekey(&KeyEncryptionKey::from_base64(KEY).unwrap()).await.unwrap();
    issuer.close().await;
    let issuer = Issuer::open(with_key(&home, KEY)).await.unwrap();
    refresh(&issuer, &waiting).await.expect(200);
    let kept = "SELECT count(*) FROM refresh_keys";
    assert_eq!(home.count(kept).await, 2);
    let kinds: Vec<_> = issuer.events(0, 1000).await.unwrap();
    let changed = kinds.iter().filter(|event| event.kind == "key_encryption_key_changed");
    assert_eq!(changed.count(), 2);
}

/// The issuer under the new key, after the change.
async fn changed(home: &Home, issuer: Issuer) -> Issuer {
    issuer.rekey(&KeyEncryptionKey::from_base64(NEW).unwrap()).await.unwrap();
    issuer.close().await;
    Issuer::open(with_key(home, NEW)).await.unwrap()
}

async fn second_factor_is_valid_under_another_key_encryption_key(home: Home) {
    let issuer = open_with_alice(&home).await;
    let token = login_own(&issuer).await.expect(200).text("access_token");
    let secret = enrolled(&issuer, &token).await;
    let issuer = changed(&home, issuer).await;
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
}

async fn token_of_the_old_key_is_accepted_as_long_as_its_session_lives(home: Home) {
    let issuer = open_with_alice(&home).await;
    let token = login(&issuer).await.expect(200).text("refresh_token");
    let issuer = changed(&home, issuer).await;
    issuer.close().await;
    home.advance(24 * 60 * 60);
    let issuer = Issuer::open(with_key(&home, NEW)).await.unwrap();
    issuer.tidy().await.unwrap();
    refresh(&issuer, &token).await.expect(200);
}

async fn process_with_the_old_key_issues_nothing_after_the_change(home: Home) {
    let issuer = open_with_alice(&home).await;
    let left = Issuer::open(with_key(&home, KEY)).await.unwrap();
    login(&left).await.expect(200);
    drop(changed(&home, issuer).await);
    // On PostgreSQL, the notification reaches the process a little later.
    let deadline = Instant::now() + Duration::from_secs(20);
    while login(&left).await.status == 200 {
        assert!(Instant::now() < deadline, "it goes on with the old key");
    }
}
