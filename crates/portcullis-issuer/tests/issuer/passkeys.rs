//! Passkeys: registration, the list, logins with and without a password, and step-ups.

use axum::http::Request;
use portcullis_issuer::{Issuer, IssuerConfig, NewUser, SecondFactorMode};
use serde_json::{Value, json};

use crate::authenticator::Device;
use crate::common::{
    Answer, Home, ISSUER, PASSWORD, login_own, on_every_store, part, post, refresh, send,
    with_token,
};
use crate::second_factor::{ask, code, enrolled, step_up};

on_every_store!(
    registered_passkey_is_listed_renamed_and_removed,
    login_with_a_passkey_needs_no_name_and_any_process_finishes_it,
    passkey_is_the_second_factor_of_a_login,
    step_up_with_a_passkey_raises_the_session,
    required_second_factor_is_satisfied_by_a_passkey,
);

pub(crate) const RP_ID: &str = "example.com";
/// The origin of the app's pages.
pub(crate) const APP: &str = "https://app.example.com";
const CHALLENGE: &str = "/v1/auth/passkeys/challenge";

/// The settings of `home`, with passkeys.
pub(crate) fn config(home: &Home) -> IssuerConfig {
    let mut config = home.config();
    config.passkey_rp_id = Some(RP_ID.to_owned());
    config.trusted_origins = vec![APP.to_owned()];
    config
}

/// Opens an issuer with passkeys, and with the users alice and bob.
pub(crate) async fn open(home: &Home) -> Issuer {
    let issuer = Issuer::open(config(home)).await.unwrap();
    for name in ["alice", "bob"] {
        issuer.add_user(NewUser::new(name, PASSWORD).scopes(["a:read"])).await.unwrap();
    }
    issuer
}

pub(crate) fn device() -> Device {
    Device::new(APP, RP_ID)
}

/// Logs a user in for the issuer alone, and returns the access token.
pub(crate) async fn token_of(issuer: &Issuer, name: &str) -> String {
    let body = json!({ "username": name, "password": PASSWORD, "resource": [ISSUER] });
    post(issuer, "/v1/auth/login", &body).await.expect(200).text("access_token")
}

pub(crate) async fn begin(issuer: &Issuer, token: &str, body: Value) -> Answer {
    ask(issuer, "/v1/auth/passkeys/registration", token, body).await
}

/// Finishes the registration that `begun` began.
pub(crate) async fn finish(
    issuer: &Issuer,
    token: &str,
    begun: &Answer,
    device: &mut Device,
) -> Answer {
    let credential = device.create(&begun.json["options"]);
    let body =
        json!({ "ceremony": begun.json["ceremony"], "credential": credential, "name": "laptop" });
    ask(issuer, "/v1/auth/passkeys", token, body).await
}

/// Registers a passkey within 5 minutes of a login.
pub(crate) async fn register(issuer: &Issuer, token: &str, device: &mut Device) -> Answer {
    let begun = begin(issuer, token, json!({})).await.expect(201);
    finish(issuer, token, &begun, device).await.expect(201)
}

/// Registers the first passkey of a user, and returns its device.
pub(crate) async fn registered(issuer: &Issuer, name: &str) -> Device {
    let mut device = device();
    register(issuer, &token_of(issuer, name).await, &mut device).await;
    device
}

pub(crate) async fn challenge(issuer: &Issuer) -> Answer {
    let request = Request::post(CHALLENGE).body(axum::body::Body::empty()).unwrap();
    send(issuer, request).await
}

/// Answers a new challenge. Returns the ceremony and the credential.
pub(crate) async fn answered(issuer: &Issuer, device: &mut Device) -> Value {
    let begun = challenge(issuer).await.expect(201);
    let credential = device.get(&begun.json["options"]);
    json!({ "ceremony": begun.json["ceremony"], "credential": credential })
}

/// Logs in with an answered challenge, for the issuer alone.
pub(crate) async fn login_with(issuer: &Issuer, answered: &Value) -> Answer {
    let mut body = answered.clone();
    body["resource"] = json!([ISSUER]);
    post(issuer, "/v1/auth/passkeys/login", &body).await
}

pub(crate) async fn passkey_login(issuer: &Issuer, device: &mut Device) -> Answer {
    login_with(issuer, &answered(issuer, device).await).await
}

pub(crate) async fn kinds(issuer: &Issuer) -> Vec<String> {
    issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect()
}

async fn registered_passkey_is_listed_renamed_and_removed(home: Home) {
    let issuer = open(&home).await;
    let token = token_of(&issuer, "alice").await;
    let begun = begin(&issuer, &token, json!({})).await.expect(201);
    assert_eq!(begun.header("cache-control"), "no-store");
    assert_eq!(begun.json["expires_in"], 300);
    let options = &begun.json["options"];
    assert_eq!(options["rp"], json!({ "id": RP_ID, "name": RP_ID }));
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["user"]["name"], "alice");

    let mut laptop = device();
    let made = finish(&issuer, &token, &begun, &mut laptop).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(laptop.handle().len(), 16);
    let id = made.text("id");
    let expected = json!({
        "id": id, "name": "laptop", "created_at": home.now(), "last_used_at": null,
        "synced": false, "backed_up": false,
    });
    let codes = made.json["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let list = "GET /v1/auth/passkeys";
    assert_eq!(
        with_token(&issuer, list, &token).await.expect(200).json["passkeys"],
        json!([expected])
    );

    // The next registration excludes the passkey, has the same handle, and makes no codes.
    home.advance(1);
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    let begun = begin(&issuer, &raised, json!({})).await.expect(201);
    assert_eq!(begun.json["options"]["excludeCredentials"].as_array().unwrap().len(), 1);
    let mut phone = device();
    phone.synced = true;
    let second = finish(&issuer, &raised, &begun, &mut phone).await.expect(201);
    assert_eq!(second.json.get("recovery_codes"), None);
    assert_eq!((&second.json["synced"], &second.json["backed_up"]), (&json!(true), &json!(true)));
    assert_eq!(phone.handle(), laptop.handle());

    let path = format!("/v1/auth/passkeys/{id}/name");
    ask(&issuer, &path, &raised, json!({ "name": "work laptop" })).await.expect(204);
    for wrong in ["", " ", "a\u{7}", &"x".repeat(101)] {
        ask(&issuer, &path, &raised, json!({ "name": wrong })).await.expect(422);
    }
    let unknown = "/v1/auth/passkeys/unknown/name";
    ask(&issuer, unknown, &raised, json!({ "name": "a" })).await.expect(404);
    let shown = with_token(&issuer, list, &raised).await.expect(200);
    assert_eq!(shown.json["passkeys"][0]["name"], "work laptop");
    assert_eq!(shown.json["passkeys"][0]["last_used_at"], home.now());

    let remove = format!("DELETE /v1/auth/passkeys/{id}");
    let refused = with_token(&issuer, &remove, &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("insufficient_user_authentication"));
    with_token(&issuer, "DELETE /v1/auth/passkeys/unknown", &raised).await.expect(404);
    with_token(&issuer, &remove, &raised).await.expect(204);
    assert_eq!(
        with_token(&issuer, list, &token).await.expect(200).json["passkeys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let kinds = kinds(&issuer).await;
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(
        ["passkey_registered", "passkey_renamed", "passkey_removed", "passkey_used"].map(counted),
        [2, 1, 1, 1]
    );
}

async fn login_with_a_passkey_needs_no_name_and_any_process_finishes_it(home: Home) {
    let issuer = open(&home).await;
    let other = Issuer::open(config(&home)).await.unwrap();
    let mut laptop = registered(&issuer, "alice").await;
    home.advance(1000);
    let begun = challenge(&issuer).await.expect(201);
    assert_eq!(begun.header("cache-control"), "no-store");
    let options = &begun.json["options"];
    assert_eq!(options["rpId"], RP_ID);
    assert_eq!(options["allowCredentials"], json!([]));
    assert_eq!(options["userVerification"], "required");
    let body = json!({
        "ceremony": begun.json["ceremony"],
        "credential": laptop.get(options),
        "resource": [ISSUER],
    });
    let grant = post(&other, "/v1/auth/passkeys/login", &body).await.expect(200);
    assert_eq!(grant.cookie("__Host-portcullis-access"), Some(grant.text("access_token")));
    let claims = part(&grant.text("access_token"), 1);
    assert_eq!(claims["acr"], "aal2");
    assert_eq!(claims["amr"], json!(["hwk", "user", "mfa"]));
    assert_eq!(claims["auth_time"], home.now());
    // Refreshed tokens say the same.
    home.advance(60);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let fresh = part(&fresh.text("access_token"), 1);
    assert_eq!((&fresh["amr"], &fresh["acr"]), (&claims["amr"], &claims["acr"]));
    assert_eq!(fresh["auth_time"], claims["auth_time"]);

    let mut phone = device();
    phone.synced = true;
    let raised = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    register(&issuer, &raised, &mut phone).await;
    for _ in 0..2 {
        let grant = passkey_login(&issuer, &mut phone).await.expect(200);
        let claims = part(&grant.text("access_token"), 1);
        assert_eq!(claims["amr"], json!(["swk", "user", "mfa"]));
        assert_eq!(claims["sub"], fresh["sub"]);
    }
    // A page gets the refresh token in the cookie only, and a page of another site gets nothing.
    let answered = answered(&issuer, &mut laptop).await;
    let from = |origin: &str| {
        Request::post("/v1/auth/passkeys/login")
            .header("content-type", "application/json")
            .header("origin", origin)
            .body(answered.to_string().into())
            .unwrap()
    };
    send(&issuer, from("https://evil.example")).await.expect(403);
    let page = send(&issuer, from(APP)).await.expect(200);
    assert_eq!(page.json.get("refresh_token"), None);
    assert!(page.cookie("__Secure-portcullis-refresh").is_some());
}

async fn passkey_is_the_second_factor_of_a_login(home: Home) {
    let issuer = open(&home).await;
    let mut laptop = registered(&issuer, "alice").await;
    let mut body = json!({ "username": "alice", "password": PASSWORD });
    let needed = post(&issuer, "/v1/auth/login", &body).await.expect(401);
    assert_eq!(needed.json["type"], "urn:portcullis:problem:second-factor-needed");
    body["passkey"] = answered(&issuer, &mut laptop).await;
    let grant = post(&issuer, "/v1/auth/login", &body).await.expect(200);
    let claims = part(&grant.text("access_token"), 1);
    assert_eq!(claims["amr"], json!(["pwd", "hwk", "user", "mfa"]));
    assert_eq!(claims["acr"], "aal2");
    // The ceremony is used up.
    let again = post(&issuer, "/v1/auth/login", &body).await.expect(403);
    assert_eq!(again.json["type"], "urn:portcullis:problem:wrong-passkey");
    // A wrong password is wrong, whatever the passkey.
    body["passkey"] = answered(&issuer, &mut laptop).await;
    body["password"] = "guess".into();
    post(&issuer, "/v1/auth/login", &body).await.expect(401);
    body["password"] = PASSWORD.into();
    body["code"] = "123456".into();
    post(&issuer, "/v1/auth/login", &body).await.expect(422);
    assert_eq!(issuer.account("alice").await.unwrap().passkeys, 1);
    assert!(issuer.account("alice").await.unwrap().has_second_factor);
}

async fn step_up_with_a_passkey_raises_the_session(home: Home) {
    let issuer = open(&home).await;
    let grant = login_own(&issuer).await.expect(200);
    let token = grant.text("access_token");
    let mut laptop = device();
    register(&issuer, &token, &mut laptop).await;
    home.advance(400);
    let body = json!({ "passkey": answered(&issuer, &mut laptop).await });
    let raised = ask(&issuer, "/v1/auth/step-up", &token, body.clone()).await.expect(200);
    let claims = part(&raised.text("access_token"), 1);
    assert_eq!(claims["amr"], json!(["pwd", "hwk", "user", "mfa"]));
    assert_eq!((&claims["acr"], &claims["auth_time"]), (&json!("aal2"), &json!(home.now())));
    ask(&issuer, "/v1/auth/step-up", &token, body).await.expect(403);
    ask(&issuer, "/v1/auth/step-up", &token, json!({})).await.expect(422);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    assert_eq!(part(&fresh.text("access_token"), 1)["amr"], claims["amr"]);

    // A session that began with a passkey is raised by the app, too.
    let raised = raised.text("access_token");
    let secret = enrolled(&issuer, &raised).await;
    step_up(&issuer, &raised, &code(&home, &secret)).await.expect(200);
    let begun = passkey_login(&issuer, &mut laptop).await.expect(200).text("access_token");
    home.advance(60);
    let raised = step_up(&issuer, &begun, &code(&home, &secret)).await.expect(200);
    let claims = part(&raised.text("access_token"), 1);
    assert_eq!(claims["amr"], json!(["hwk", "user", "otp", "mfa"]));
    let body = json!({ "passkey": answered(&issuer, &mut laptop).await });
    let raised = ask(&issuer, "/v1/auth/step-up", &begun, body).await.expect(200);
    assert_eq!(part(&raised.text("access_token"), 1)["amr"], json!(["hwk", "user", "mfa"]));
}

async fn required_second_factor_is_satisfied_by_a_passkey(home: Home) {
    drop(open(&home).await);
    let mut config = config(&home);
    config.second_factor = SecondFactorMode::Required;
    let issuer = Issuer::open(config).await.unwrap();
    let limited = login_own(&issuer).await.expect(200);
    assert_eq!(limited.text("scope"), "");
    let mut laptop = device();
    register(&issuer, &limited.text("access_token"), &mut laptop).await;
    let grant =
        post(&issuer, "/v1/auth/passkeys/login", &answered(&issuer, &mut laptop).await).await;
    assert_eq!(grant.expect(200).text("scope"), "a:read");
}
