//! Passkeys and the rest of an account: recovery codes, the app, removal, and the operator's commands.

use portcullis_issuer::{Error, Issuer};
use serde_json::{Value, json};

use crate::common::{Home, PASSWORD, call, on_every_store, part, post, with_token};
use crate::passkeys::{
    answered, begin, config, device, login_with, open, passkey_login, register, registered,
    token_of,
};
use crate::process::run;
use crate::second_factor::{ask, code, enrolled, step_up};

on_every_store!(
    recovery_code_is_accepted_after_the_password_only,
    app_of_a_user_with_passkeys_needs_a_step_up,
    recovery_codes_end_with_the_last_second_factor,
    reset_of_the_second_factor_removes_passkeys_and_their_sessions,
    passkeys_are_removed_with_their_user,
    operator_removes_a_passkey,
    passkeys_that_are_switched_off_still_protect_their_users,
);

fn first_code(codes: &Value) -> String {
    codes["recovery_codes"][0].as_str().unwrap().to_owned()
}

async fn login_by_code(issuer: &Issuer, code: &str) -> crate::common::Answer {
    let body = json!({ "username": "alice", "password": PASSWORD, "code": code });
    post(issuer, "/v1/auth/login", &body).await
}

async fn recovery_code_is_accepted_after_the_password_only(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let mut laptop = device();
    let made = register(&issuer, &token, &mut laptop).await;
    let code = first_code(&made.json);
    let body = json!({ "username": "alice", "password": "guess", "code": code });
    post(&issuer, "/v1/auth/login", &body).await.expect(401);
    login_by_code(&issuer, "123456").await.expect(403);
    let grant = login_by_code(&issuer, &code).await.expect(200);
    let claims = part(&grant.text("access_token"), 1);
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("aal2"), &json!(["pwd", "otp", "mfa"])));
    login_by_code(&issuer, &code).await.expect(403);
    // New codes need a recent second factor.
    with_token(&issuer, "POST /v1/auth/recovery-codes", &token).await.expect(401);
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let codes = with_token(&issuer, "POST /v1/auth/recovery-codes", &raised).await.expect(201);
    login_by_code(&issuer, &first_code(&codes.json)).await.expect(200);
    let old = made.json["recovery_codes"][1].as_str().unwrap();
    login_by_code(&issuer, old).await.expect(403);
}

/// The recovery codes of a new app replace those of the passkeys at once, so a stolen session and a
/// password must not be enough to get them.
async fn app_of_a_user_with_passkeys_needs_a_step_up(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let mut laptop = device();
    let made = register(&issuer, &token, &mut laptop).await;
    let body = json!({ "password": PASSWORD });
    let refused = ask(&issuer, "/v1/auth/totp", &token, body.clone()).await.expect(401);
    assert_eq!(refused.json["type"], "urn:portcullis:problem:step-up-too-old");
    login_by_code(&issuer, &first_code(&made.json)).await.expect(200);
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let secret = enrolled(&issuer, &raised).await;
    step_up(&issuer, &raised, &code(&home, &secret)).await.expect(200);
    home.advance(60);
    login_by_code(&issuer, &code(&home, &secret)).await.expect(200);
    passkey_login(&issuer, &mut laptop).await.expect(200);
}

async fn recovery_codes_end_with_the_last_second_factor(home: Home) {
    const CODES: &str = "SELECT COUNT(*) FROM recovery_codes";
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let grant = passkey_login(&issuer, &mut laptop).await.expect(200);
    let raised = grant.text("access_token");
    let secret = enrolled(&issuer, &raised).await;
    step_up(&issuer, &raised, &code(&home, &secret)).await.expect(200);
    // The app goes, the passkey and the codes stay; the session keeps its level.
    with_token(&issuer, "DELETE /v1/auth/totp", &raised).await.expect(204);
    assert_eq!(home.count(CODES).await, 10);
    let stepped_up = "SELECT COUNT(*) FROM sessions WHERE stepped_up_at IS NOT NULL";
    assert_eq!(home.count(stepped_up).await, 1);
    let id = issuer.passkeys("alice").await.unwrap().remove(0).id;
    with_token(&issuer, &format!("DELETE /v1/auth/passkeys/{id}"), &raised).await.expect(204);
    assert_eq!(home.count(CODES).await, 0);
    // The session in which the passkey was removed continues, without its level: its next token.
    with_token(&issuer, "GET /v1/users/me", &raised).await.expect(401);
    let fresh = crate::common::refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    with_token(&issuer, "GET /v1/users/me", &fresh.text("access_token")).await.expect(200);
    assert_eq!(home.count(stepped_up).await, 0);
    assert!(!issuer.account("alice").await.unwrap().has_second_factor);
    token_of(&issuer, "alice").await;
}

async fn reset_of_the_second_factor_removes_passkeys_and_their_sessions(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let begun = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let passkey = answered(&issuer, &mut laptop).await;
    let body = json!({ "username": "alice", "password": PASSWORD, "passkey": passkey });
    let by_password = post(&issuer, "/v1/auth/login", &body).await.expect(200);
    let under_way = answered(&issuer, &mut laptop).await;
    issuer.reset_second_factor("alice").await.unwrap();
    login_with(&issuer, &under_way).await.expect(403);
    with_token(&issuer, "GET /v1/users/me", &begun).await.expect(401);
    let fresh = crate::common::refresh(&issuer, &by_password.text("refresh_token")).await;
    assert_eq!(part(&fresh.expect(200).text("access_token"), 1)["amr"], json!(["pwd"]));
    assert_eq!(home.count("SELECT COUNT(*) FROM recovery_codes").await, 0);
    token_of(&issuer, "alice").await;
    let events = issuer.events(0, 1000).await.unwrap();
    let removed: Vec<_> = events.iter().filter(|event| event.kind == "passkey_removed").collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].actor.as_deref(), Some("operator"));
}

async fn passkeys_are_removed_with_their_user(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let mut bobs = registered(&issuer, "bob").await;
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    begin(&issuer, &raised, json!({})).await.expect(201);
    let answer = answered(&issuer, &mut laptop).await;
    issuer.remove_user("alice").await.unwrap();
    login_with(&issuer, &answer).await.expect(403);
    assert_eq!(home.count("SELECT COUNT(*) FROM passkeys").await, 1);
    let own = "SELECT COUNT(*) FROM passkey_ceremonies WHERE user_id IS NOT NULL";
    assert_eq!(home.count(own).await, 0);
    passkey_login(&issuer, &mut bobs).await.expect(200);
}

async fn operator_removes_a_passkey(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let token = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let passkeys = issuer.passkeys("ALICE").await.unwrap();
    assert_eq!((passkeys.len(), passkeys[0].name.as_str()), (1, "laptop"));
    let id = &passkeys[0].id;
    let home = &home;
    let command = |line: &[&str]| {
        let settings = home.settings("https://auth.example.com", "127.0.0.1:0");
        let mut settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        settings.push(("IDENTSPHERE_PASSKEY_RP_ID", "example.com"));
        let output = tokio::task::block_in_place(|| run(home.path(), &settings, line, ""));
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let (succeeded, listed) = command(&["users", "passkeys", "alice"]);
    assert!(succeeded && listed.starts_with(&format!("{id}\tlaptop\tregistered 2")), "{listed}");
    assert!(listed.ends_with("\tdevice-bound\n"), "{listed}");
    let (succeeded, told) = command(&["users", "remove-passkey", "bob", id]);
    let unknown = format!("the user has no passkey \"{id}\"");
    assert!(!succeeded && told.contains(&unknown), "{told}");
    let others = issuer.remove_passkey("bob", id).await;
    assert!(matches!(others, Err(Error::NoSuchPasskey { .. })), "{others:?}");
    let unknown = issuer.remove_passkey("carol", id).await;
    assert!(matches!(unknown, Err(Error::NoSuchUser { .. })), "{unknown:?}");
    let (succeeded, told) = command(&["users", "remove-passkey", "alice", id]);
    assert!(succeeded, "{told}");
    assert_eq!(told, format!("removed the passkey {id} of alice\n"));
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    passkey_login(&issuer, &mut laptop).await.expect(403);
}

/// A setting that was lost must not make a password sufficient.
async fn passkeys_that_are_switched_off_still_protect_their_users(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let mut laptop = device();
    let made = register(&issuer, &token, &mut laptop).await;
    let answer = answered(&issuer, &mut laptop).await;
    let mut off = config(&home);
    off.passkey_rp_id = None;
    let issuer = Issuer::open(off).await.unwrap();
    for line in ["POST /v1/auth/passkeys/challenge", "GET /v1/auth/passkeys"] {
        assert_eq!(call(&issuer, line, &[]).await.status, 404, "{line}");
    }
    let body = json!({ "username": "alice", "password": PASSWORD });
    post(&issuer, "/v1/auth/login", &body).await.expect(401);
    let body = json!({ "username": "alice", "password": PASSWORD, "passkey": answer });
    post(&issuer, "/v1/auth/login", &body).await.expect(403);
    login_by_code(&issuer, &first_code(&made.json)).await.expect(200);
}
