//! Passkeys under attack. All wrong answers get the same response.

use portcullis_issuer::Issuer;
use serde_json::{Value, json};

use crate::authenticator::Device;
use crate::common::{Answer, Home, ISSUER, PASSWORD, call, on_every_store, post, with_token};
use crate::passkeys::{
    answered, begin, challenge, config, device, finish, kinds, login_with, open, passkey_login,
    register, registered, token_of,
};
use crate::second_factor::{ask, code, enrolled, step_up};

on_every_store!(
    wrong_origin_is_rejected,
    wrong_rp_id_hash_is_rejected,
    missing_user_verification_is_rejected,
    page_in_a_frame_of_another_site_is_rejected,
    wrong_signature_is_rejected,
    replayed_ceremony_is_rejected,
    expired_ceremony_is_rejected,
    answer_to_another_challenge_is_rejected,
    cloned_counter_is_rejected_and_recorded,
    two_answers_with_one_counter_count_once,
    another_users_passkey_is_rejected,
    user_handle_of_another_user_is_rejected,
    removed_passkey_is_rejected_and_its_sessions_end,
    disabled_users_passkey_is_rejected,
    registration_belongs_to_its_session,
    registration_without_a_step_up_fails_once_there_is_a_second_factor,
    registration_fails_once_the_factor_of_its_step_up_is_removed,
    unconfirmed_app_is_no_second_factor_of_a_user_with_a_passkey,
    answers_to_registrations_are_limited,
    reset_accepts_codes_again_and_ends_sessions_of_removed_passkeys,
    registration_needs_a_recent_authentication,
    credential_of_another_user_cannot_be_registered_again,
    number_of_passkeys_of_a_user_is_limited,
    challenges_of_an_address_are_limited,
);

/// The response to every wrong answer, without its varying headers.
const REFUSAL: &str = "urn:portcullis:problem:wrong-passkey";

#[track_caller]
fn assert_refused(answer: Answer) {
    let answer = answer.expect(403);
    assert_eq!(answer.json["type"], REFUSAL);
    assert_eq!(answer.headers.get("set-cookie"), None);
    let texts = (&answer.json["title"], &answer.json["detail"]);
    let detail = "The passkey is not accepted, or its ceremony has expired or was finished before. \
                  Begin another one.";
    assert_eq!(texts, (&json!("Wrong passkey"), &json!(detail)));
}

/// Checks that an answer of a changed device is rejected in a login, as a second factor, in a
/// step-up and in a registration, and that the device's right answer is accepted.
async fn assert_rejected(home: Home, change: impl Fn(&mut Device)) {
    let issuer = open(&home).await;
    let mut right = registered(&issuer, "alice").await;
    let raised = passkey_login(&issuer, &mut right).await.expect(200).text("access_token");
    let mut wrong = right.clone();
    change(&mut wrong);
    assert_refused(passkey_login(&issuer, &mut wrong).await);
    let passkey = answered(&issuer, &mut wrong).await;
    let body = json!({ "username": "alice", "password": PASSWORD, "passkey": passkey });
    assert_refused(post(&issuer, "/v1/auth/login", &body).await);
    let body = json!({ "passkey": answered(&issuer, &mut wrong).await });
    assert_refused(ask(&issuer, "/v1/auth/step-up", &raised, body).await);
    let begun = begin(&issuer, &raised, json!({})).await.expect(201);
    if wrong.signs {
        let mut new = device();
        change(&mut new);
        assert_refused(finish(&issuer, &raised, &begun, &mut new).await);
    }
    assert_eq!(issuer.passkeys("alice").await.unwrap().len(), 1);
    passkey_login(&issuer, &mut right).await.expect(200);
    let refused = kinds(&issuer).await.iter().filter(|kind| *kind == "passkey_refused").count();
    assert_eq!(refused, 3 + usize::from(wrong.signs));
}

async fn wrong_origin_is_rejected(home: Home) {
    assert_rejected(home, |device| device.origin = "https://evil.example.com".to_owned()).await;
}

async fn wrong_rp_id_hash_is_rejected(home: Home) {
    assert_rejected(home, |device| device.rp_id = "app.example.com".to_owned()).await;
}

async fn missing_user_verification_is_rejected(home: Home) {
    assert_rejected(home, |device| device.verifies_user = false).await;
}

async fn page_in_a_frame_of_another_site_is_rejected(home: Home) {
    assert_rejected(home, |device| device.framed = true).await;
}

async fn wrong_signature_is_rejected(home: Home) {
    assert_rejected(home, |device| device.signs = false).await;
}

async fn replayed_ceremony_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let other = Issuer::open(config(&home)).await.unwrap();
    // A synced passkey does not count its signatures, so only the ceremony stops a replay.
    let mut phone = device();
    phone.synced = true;
    let token = token_of(&issuer, "alice").await;
    let begun = begin(&issuer, &token, json!({})).await.expect(201);
    finish(&issuer, &token, &begun, &mut phone).await.expect(201);
    let mut again = device();
    assert_refused(finish(&issuer, &token, &begun, &mut again).await);

    let first = answered(&issuer, &mut phone).await;
    login_with(&issuer, &first).await.expect(200);
    assert_refused(login_with(&issuer, &first).await);
    assert_refused(login_with(&other, &first).await);
    // A failed attempt uses the ceremony up, too.
    let begun = challenge(&issuer).await.expect(201);
    let mut wrong = phone.clone();
    wrong.origin = "https://evil.example".to_owned();
    let options = &begun.json["options"];
    let body =
        |credential: Value| json!({ "ceremony": begun.json["ceremony"], "credential": credential });
    assert_refused(login_with(&issuer, &body(wrong.get(options))).await);
    assert_refused(login_with(&issuer, &body(phone.get(options))).await);
    // Of several attempts at once, one succeeds.
    let answer = answered(&issuer, &mut phone).await;
    let attempts = (0..8).map(|at| {
        let issuer = if at % 2 == 0 { issuer.clone() } else { other.clone() };
        let answer = answer.clone();
        tokio::spawn(async move { login_with(&issuer, &answer).await.status })
    });
    let mut begun = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        begun += usize::from(attempt.await.unwrap() == 200);
    }
    assert_eq!(begun, 1);
}

async fn expired_ceremony_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let answer = answered(&issuer, &mut laptop).await;
    home.advance(299);
    login_with(&issuer, &answer).await.expect(200);
    let answer = answered(&issuer, &mut laptop).await;
    let token = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let begun = begin(&issuer, &token, json!({})).await.expect(201);
    home.advance(300);
    assert_refused(login_with(&issuer, &answer).await);
    assert_refused(finish(&issuer, &token, &begun, &mut device()).await);
    assert_eq!(home.count("SELECT COUNT(*) FROM passkey_ceremonies").await, 2);
    issuer.tidy().await.unwrap();
    assert_eq!(home.count("SELECT COUNT(*) FROM passkey_ceremonies").await, 0);
}

async fn answer_to_another_challenge_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let begun = challenge(&issuer).await.expect(201);
    let mut answer = answered(&issuer, &mut laptop).await;
    answer["ceremony"] = begun.json["ceremony"].clone();
    assert_refused(login_with(&issuer, &answer).await);
    answer["ceremony"] = "unknown".into();
    assert_refused(login_with(&issuer, &answer).await);
    // The ceremony of a registration is not one of a login, and the other way round.
    let token = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let begun = begin(&issuer, &token, json!({})).await.expect(201);
    let credential = laptop.get(&begun.json["options"]);
    let body = json!({ "ceremony": begun.json["ceremony"], "credential": credential });
    assert_refused(login_with(&issuer, &body).await);
    let mut begun = begin(&issuer, &token, json!({})).await.expect(201);
    begun.json["ceremony"] = challenge(&issuer).await.expect(201).json["ceremony"].clone();
    assert_refused(finish(&issuer, &token, &begun, &mut device()).await);
}

async fn cloned_counter_is_rejected_and_recorded(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let mut copy = laptop.clone();
    for _ in 0..3 {
        passkey_login(&issuer, &mut laptop).await.expect(200);
    }
    for _ in 0..3 {
        assert_refused(passkey_login(&issuer, &mut copy).await);
    }
    let events = issuer.events(0, 1000).await.unwrap();
    let cloned: Vec<_> = events.iter().filter(|event| event.kind == "passkey_cloned").collect();
    assert_eq!(cloned.len(), 3);
    let alice = issuer.account("alice").await.unwrap().id;
    assert!(cloned.iter().all(|event| event.user_id.as_ref() == Some(&alice)));
    // The original has the higher counter, and is accepted.
    passkey_login(&issuer, &mut laptop).await.expect(200);
}

async fn two_answers_with_one_counter_count_once(home: Home) {
    let issuer = open(&home).await;
    let laptop = registered(&issuer, "alice").await;
    for round in 0..5 {
        let mut counted = laptop.clone();
        let mut answers = Vec::new();
        for _ in 0..=round {
            counted.get(&json!({ "challenge": "" }));
        }
        for _ in 0..6 {
            let begun = challenge(&issuer).await.expect(201);
            let credential = counted.get_again(&begun.json["options"]);
            answers.push(json!({ "ceremony": begun.json["ceremony"], "credential": credential }));
        }
        let attempts = answers.into_iter().map(|answer| {
            let issuer = issuer.clone();
            tokio::spawn(async move { login_with(&issuer, &answer).await.status })
        });
        let mut begun = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            begun += usize::from(attempt.await.unwrap() == 200);
        }
        assert_eq!(begun, 1);
    }
}

async fn another_users_passkey_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let mut alices = registered(&issuer, "alice").await;
    let mut bobs = registered(&issuer, "bob").await;
    let alice = passkey_login(&issuer, &mut alices).await.expect(200).text("access_token");
    let passkey = answered(&issuer, &mut bobs).await;
    let body = json!({ "username": "alice", "password": PASSWORD, "passkey": passkey });
    assert_refused(post(&issuer, "/v1/auth/login", &body).await);
    let body = json!({ "passkey": answered(&issuer, &mut bobs).await });
    assert_refused(ask(&issuer, "/v1/auth/step-up", &alice, body).await);
    // Nor can bob rename or remove it.
    let id = issuer.passkeys("alice").await.unwrap().remove(0).id;
    let bob = passkey_login(&issuer, &mut bobs).await.expect(200).text("access_token");
    let path = format!("/v1/auth/passkeys/{id}/name");
    ask(&issuer, &path, &bob, json!({ "name": "mine" })).await.expect(404);
    with_token(&issuer, &format!("DELETE /v1/auth/passkeys/{id}"), &bob).await.expect(404);
    assert_eq!(issuer.passkeys("alice").await.unwrap().remove(0).name, "laptop");
}

async fn user_handle_of_another_user_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let mut alices = registered(&issuer, "alice").await;
    let bobs = registered(&issuer, "bob").await;
    assert_ne!(alices.handle(), bobs.handle());
    let mut lying = alices.clone();
    lying.claim_handle_of(&bobs);
    assert_refused(passkey_login(&issuer, &mut lying).await);
    let mut answer = answered(&issuer, &mut alices).await;
    answer["credential"]["response"]["userHandle"] = Value::Null;
    assert_refused(login_with(&issuer, &answer).await);
    passkey_login(&issuer, &mut alices).await.expect(200);
}

async fn removed_passkey_is_rejected_and_its_sessions_end(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let mut lost = device();
    let id = register(&issuer, &token, &mut lost).await.text("id");
    let thief = passkey_login(&issuer, &mut lost).await.expect(200).text("access_token");
    // A session that the lost passkey has stepped up.
    let body = json!({ "passkey": answered(&issuer, &mut lost).await });
    ask(&issuer, "/v1/auth/step-up", &token, body).await.expect(200);
    let mut kept = device();
    register(&issuer, &thief, &mut kept).await;
    let raised = passkey_login(&issuer, &mut kept).await.expect(200).text("access_token");

    let under_way = answered(&issuer, &mut lost).await;
    with_token(&issuer, &format!("DELETE /v1/auth/passkeys/{id}"), &raised).await.expect(204);
    assert_refused(login_with(&issuer, &under_way).await);
    assert_refused(passkey_login(&issuer, &mut lost).await);
    let ended = with_token(&issuer, "GET /v1/users/me", &thief).await.expect(401);
    assert_eq!(ended.json["type"], "urn:portcullis:problem:session-over");
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    let raised_sessions = "SELECT COUNT(*) FROM sessions WHERE stepped_up_at IS NOT NULL \
                           AND ended_at IS NULL";
    assert_eq!(home.count(raised_sessions).await, 1);
    passkey_login(&issuer, &mut kept).await.expect(200);
}

async fn disabled_users_passkey_is_rejected(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let answer = answered(&issuer, &mut laptop).await;
    issuer.disable_user("alice").await.unwrap();
    assert_refused(login_with(&issuer, &answer).await);
    assert!(!kinds(&issuer).await.contains(&"passkey_used".to_owned()));
    issuer.enable_user("alice").await.unwrap();
    passkey_login(&issuer, &mut laptop).await.expect(200);
}

async fn registration_belongs_to_its_session(home: Home) {
    let issuer = open(&home).await;
    let (first, second) = (token_of(&issuer, "alice").await, token_of(&issuer, "alice").await);
    let bob = token_of(&issuer, "bob").await;
    for stranger in [&second, &bob] {
        let begun = begin(&issuer, &first, json!({})).await.expect(201);
        assert_refused(finish(&issuer, stranger, &begun, &mut device()).await);
        finish(&issuer, &first, &begun, &mut device()).await.expect(201);
        // The next round needs a user without a second factor.
        issuer.reset_second_factor("alice").await.unwrap();
    }
    // A second registration of a session replaces the first.
    let replaced = begin(&issuer, &first, json!({})).await.expect(201);
    let begun = begin(&issuer, &first, json!({})).await.expect(201);
    assert_refused(finish(&issuer, &first, &replaced, &mut device()).await);
    finish(&issuer, &first, &begun, &mut device()).await.expect(201);
    // No API that receives the user's tokens can begin one.
    let body = json!({ "username": "bob", "password": PASSWORD });
    let seen = post(&issuer, "/v1/auth/login", &body).await.expect(200).text("access_token");
    let refused = begin(&issuer, &seen, json!({})).await.expect(403);
    assert_eq!(refused.json["type"], "urn:portcullis:problem:not-issuers-own");
}

/// A thief of a session must not be able to finish a registration that began before its user had a
/// second factor.
async fn registration_without_a_step_up_fails_once_there_is_a_second_factor(home: Home) {
    let issuer = open(&home).await;
    let (thief, token) = (token_of(&issuer, "alice").await, token_of(&issuer, "alice").await);
    let begun = begin(&issuer, &thief, json!({})).await.expect(201);
    let mut laptop = device();
    register(&issuer, &token, &mut laptop).await;
    assert_refused(finish(&issuer, &thief, &begun, &mut device()).await);
    assert_eq!(issuer.passkeys("alice").await.unwrap().len(), 1);

    let (thief, token) = (token_of(&issuer, "bob").await, token_of(&issuer, "bob").await);
    let begun = begin(&issuer, &thief, json!({})).await.expect(201);
    let secret = enrolled(&issuer, &token).await;
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    assert_refused(finish(&issuer, &thief, &begun, &mut device()).await);
}

async fn registration_fails_once_the_factor_of_its_step_up_is_removed(home: Home) {
    let issuer = open(&home).await;
    let (mut stolen, mut kept) = (device(), device());
    let first = token_of(&issuer, "alice").await;
    let id = register(&issuer, &first, &mut stolen).await.text("id");
    let raised = passkey_login(&issuer, &mut stolen).await.expect(200).text("access_token");
    register(&issuer, &raised, &mut kept).await;
    let passkey = answered(&issuer, &mut stolen).await;
    let body = json!({
        "username": "alice", "password": PASSWORD, "passkey": passkey, "resource": [ISSUER],
    });
    let grant = post(&issuer, "/v1/auth/login", &body).await.expect(200);
    let thief = grant.text("access_token");
    let begun = begin(&issuer, &thief, json!({})).await.expect(201);
    let owner = passkey_login(&issuer, &mut kept).await.expect(200).text("access_token");
    with_token(&issuer, &format!("DELETE /v1/auth/passkeys/{id}"), &owner).await.expect(204);
    // The thief's session continues, but its token still states the removed factor.
    let me = with_token(&issuer, "GET /v1/users/me", &thief).await.expect(401);
    assert_eq!(me.json["type"], "urn:portcullis:problem:token-revoked");
    begin(&issuer, &thief, json!({})).await.expect(401);
    finish(&issuer, &thief, &begun, &mut device()).await.expect(401);
    let body = json!({ "refresh_token": grant.text("refresh_token"), "resource": [ISSUER] });
    let fresh = post(&issuer, "/v1/auth/refresh", &body).await.expect(200).text("access_token");
    assert_refused(finish(&issuer, &fresh, &begun, &mut device()).await);
    assert_eq!(issuer.passkeys("alice").await.unwrap().len(), 1);
}

async fn unconfirmed_app_is_no_second_factor_of_a_user_with_a_passkey(home: Home) {
    let issuer = open(&home).await;
    // A thief who knows the password, before Alice has a second factor.
    let thief = token_of(&issuer, "alice").await;
    let planted = enrolled(&issuer, &thief).await;
    let mut laptop = registered(&issuer, "alice").await;
    let shown = code(&home, &planted);
    let body = json!({ "username": "alice", "password": PASSWORD, "code": shown });
    post(&issuer, "/v1/auth/login", &body).await.expect(403);
    step_up(&issuer, &thief, &shown).await.expect(403);
    passkey_login(&issuer, &mut laptop).await.expect(200);
}

async fn answers_to_registrations_are_limited(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let begun = begin(&issuer, &token, json!({})).await.expect(201);
    let mut wrong = device();
    wrong.origin = "https://evil.example".to_owned();
    let mut refused = 0;
    while finish(&issuer, &token, &begun, &mut wrong).await.status == 403 {
        refused += 1;
        assert!(refused < 100, "answers are not limited");
    }
    finish(&issuer, &token, &begun, &mut wrong).await.expect(429);
}

async fn reset_accepts_codes_again_and_ends_sessions_of_removed_passkeys(home: Home) {
    const FAILURES: &str = "SELECT totp_failures FROM users WHERE name = 'alice'";
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let token = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    step_up(&issuer, &token, "000000").await.expect(403);
    assert_eq!(home.count(FAILURES).await, 1);
    let id = issuer.passkeys("alice").await.unwrap()[0].id.clone();
    with_token(&issuer, &format!("DELETE /v1/auth/passkeys/{id}"), &token).await.expect(204);
    issuer.reset_second_factor("alice").await.unwrap();
    assert_eq!(home.count(FAILURES).await, 0);
    let began = "SELECT COUNT(*) FROM sessions WHERE first_factor <> 'pwd' AND ended_at IS NULL";
    assert_eq!(home.count(began).await, 0);
}

async fn registration_needs_a_recent_authentication(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    home.advance(301);
    let late = begin(&issuer, &token, json!({})).await.expect(401);
    assert_eq!(late.json["type"], "urn:portcullis:problem:login-too-old");
    let challenge = late.header("www-authenticate");
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains("max_age=\"300\"") && !challenge.contains("acr"), "{challenge}");
    begin(&issuer, &token, json!({ "password": "guess" })).await.expect(403);
    let begun = begin(&issuer, &token, json!({ "password": PASSWORD })).await.expect(201);
    let mut laptop = device();
    finish(&issuer, &token, &begun, &mut laptop).await.expect(201);
    // From now on the password is not enough.
    let refused = begin(&issuer, &token, json!({ "password": PASSWORD })).await.expect(401);
    assert_eq!(refused.json["type"], "urn:portcullis:problem:step-up-too-old");
    assert!(refused.header("www-authenticate").contains("acr_values=\"aal2\""));
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    begin(&issuer, &raised, json!({})).await.expect(201);
    home.advance(301);
    begin(&issuer, &raised, json!({})).await.expect(401);
}

async fn credential_of_another_user_cannot_be_registered_again(home: Home) {
    let issuer = open(&home).await;
    let alice = token_of(&issuer, "alice").await;
    let bob = token_of(&issuer, "bob").await;
    let mut laptop = device();
    let begun = begin(&issuer, &alice, json!({})).await.expect(201);
    let credential = laptop.create(&begun.json["options"]);
    let body = |begun: &Answer, credential: &Value| json!({ "ceremony": begun.json["ceremony"], "credential": credential, "name": "a" });
    ask(&issuer, "/v1/auth/passkeys", &alice, body(&begun, &credential)).await.expect(201);
    // Bob's device claims the id of alice's passkey for a key of its own.
    let begun = begin(&issuer, &bob, json!({})).await.expect(201);
    let credential = laptop.create_again(&begun.json["options"]);
    assert_refused(ask(&issuer, "/v1/auth/passkeys", &bob, body(&begun, &credential)).await);
    assert_eq!(issuer.passkeys("bob").await.unwrap().len(), 0);
    assert_eq!(issuer.account("bob").await.unwrap().passkeys, 0);
}

async fn number_of_passkeys_of_a_user_is_limited(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    for _ in 1..20 {
        register(&issuer, &raised, &mut device()).await;
    }
    let refused = begin(&issuer, &raised, json!({})).await.expect(409);
    assert_eq!(refused.json["type"], "urn:portcullis:problem:too-many-passkeys");
    // Registrations that are not finished are limited, too.
    let bob = token_of(&issuer, "bob").await;
    for _ in 0..20 {
        begin(&issuer, &bob, json!({})).await.expect(201);
    }
    begin(&issuer, &bob, json!({})).await.expect(429);
    let own = "SELECT COUNT(*) FROM passkey_ceremonies WHERE session_id IS NOT NULL";
    assert_eq!(home.count(own).await, 1);
}

async fn challenges_of_an_address_are_limited(home: Home) {
    drop(open(&home).await);
    let mut config = config(&home);
    config.attempts_per_address = 3;
    let issuer = Issuer::open(config).await.unwrap();
    let mut laptop = registered(&issuer, "alice").await;
    for _ in 0..10 {
        passkey_login(&issuer, &mut laptop).await.expect(200);
    }
    let answers = [
        answered(&issuer, &mut laptop).await,
        answered(&issuer, &mut laptop).await,
        answered(&issuer, &mut laptop).await,
    ];
    let limited = challenge(&issuer).await.expect(429);
    assert_eq!(limited.header("retry-after"), "100");
    // Challenges do not use up the logins of the address, and wrong passkeys do.
    let mut wrong = answers[0].clone();
    for _ in 0..3 {
        wrong["ceremony"] = "unknown".into();
        assert_refused(login_with(&issuer, &wrong).await);
    }
    login_with(&issuer, &answers[1]).await.expect(429);
    // A page of another site cannot use the challenges up.
    let from = [("origin", "https://evil.example")];
    call(&issuer, "POST /v1/auth/passkeys/challenge", &from).await.expect(403);
}
