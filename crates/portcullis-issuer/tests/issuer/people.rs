//! Changes of accounts by operators, administrators and users.

use axum::http::Request;
use portcullis_issuer::{ADMIN_SCOPE, ClientRight, Error, Issuer, NewClient, NewUser};
use serde_json::{Value, json};

use crate::common::{
    Answer, Home, PASSWORD, login, login_own, on_every_store, part, post, refresh, send, with_token,
};
use crate::second_factor::{ask, code, enrolled, step_up};
use crate::status_lists::revoked;

on_every_store!(
    disabled_user_is_rejected_everywhere_without_a_reason,
    new_password_ends_all_sessions,
    removed_user_is_deleted_with_the_sessions,
    changed_roles_and_scopes_are_in_the_next_token,
    administrator_needs_the_scope_and_a_token_for_the_issuer_alone,
    administrator_changes_accounts_and_is_in_the_audit_log,
    administrator_cannot_bypass_the_checks_of_the_own_account,
    sessions_of_all_users_can_be_ended,
    own_password_is_changed_with_the_old_one_or_after_a_step_up,
    password_that_breaks_a_rule_is_rejected_with_the_reason,
    names_differ_by_the_kelvin_sign_and_not_by_case,
    registrations_are_limited_like_logins,
);

const NEW: &str = "of clouds and 7 anvils";

pub(crate) async fn login_as(issuer: &Issuer, name: &str, password: &str) -> Answer {
    post(issuer, "/v1/auth/login", &json!({ "username": name, "password": password })).await
}

fn kind(answer: &Answer) -> String {
    answer.text("type").rsplit(':').next().unwrap().to_owned()
}

/// Returns the user and the actor of the last event of this kind.
async fn last(issuer: &Issuer, kind: &str) -> (Option<String>, Option<String>) {
    let events = issuer.events(0, 1000).await.unwrap();
    let event = events.into_iter().rfind(|event| event.kind == kind).unwrap();
    (event.user_id, event.actor)
}

/// Returns whether the introspection endpoint reports the token as active.
async fn active(issuer: &Issuer, token: &str) -> bool {
    let form = format!("token={token}&client_id=api&client_secret={}", secret(issuer).await);
    let request = Request::post("/oauth/introspect")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    send(issuer, request).await.expect(200).json["active"].as_bool().unwrap()
}

async fn secret(issuer: &Issuer) -> String {
    match issuer.add_client(NewClient::new("api").rights([ClientRight::IntrospectAll])).await {
        Ok(secret) => secret.unwrap(),
        Err(_) => issuer.rotate_client_secret("api").await.unwrap(),
    }
}

/// Checks that a session's tokens are rejected, inactive and revoked.
async fn has_ended(issuer: &Issuer, grant: &Answer) {
    let token = grant.text("access_token");
    refresh(issuer, &grant.text("refresh_token")).await.expect(401);
    with_token(issuer, "GET /v1/users/me", &token).await.expect(401);
    assert!(!active(issuer, &token).await);
    assert!(revoked(issuer, &token).await);
}

async fn disabled_user_is_rejected_everywhere_without_a_reason(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    assert!(active(&issuer, &grant.text("access_token")).await);
    assert_eq!(issuer.disable_user("ALICE").await.unwrap(), 1);
    has_ended(&issuer, &grant).await;
    let refused = login(&issuer).await.expect(401);
    let unknown = login_as(&issuer, "carol", PASSWORD).await.expect(401);
    assert_eq!(refused.json, unknown.json);
    let id = issuer.account("alice").await.unwrap().id;
    assert_eq!(last(&issuer, "user_disabled").await, (Some(id), Some("operator".to_owned())));
    issuer.enable_user("alice").await.unwrap();
    login(&issuer).await.expect(200);
    has_ended(&issuer, &grant).await;
    let unknown = issuer.disable_user("carol").await.unwrap_err();
    assert!(matches!(&unknown, Error::NoSuchUser { name } if name == "carol"), "{unknown}");
}

async fn new_password_ends_all_sessions(home: Home) {
    let issuer = home.open_with_alice().await;
    let grants = [login(&issuer).await.expect(200), login(&issuer).await.expect(200)];
    assert_eq!(issuer.set_password("alice", NEW).await.unwrap(), 2);
    for grant in &grants {
        has_ended(&issuer, grant).await;
    }
    login(&issuer).await.expect(401);
    login_as(&issuer, "alice", NEW).await.expect(200);
    assert_eq!(last(&issuer, "password_changed").await.1.as_deref(), Some("operator"));
}

async fn removed_user_is_deleted_with_the_sessions(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    assert_eq!(issuer.remove_user("alice").await.unwrap(), 1);
    has_ended(&issuer, &grant).await;
    login(&issuer).await.expect(401);
    assert!(issuer.accounts().await.unwrap().is_empty());
    assert_eq!(last(&issuer, "user_removed").await.1.as_deref(), Some("operator"));
    let events = issuer.events(0, 1000).await.unwrap();
    let removed = events.iter().rfind(|event| event.kind == "user_removed").unwrap();
    // No account has the id any more.
    assert_eq!(serde_json::to_value(removed).unwrap()["user_name"], "alice");
    // A new user with the same name does not get the old session.
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    has_ended(&issuer, &grant).await;
}

async fn changed_roles_and_scopes_are_in_the_next_token(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    issuer.set_roles("alice", ["clerk"]).await.unwrap();
    issuer.set_scopes("alice", ["a:read"]).await.unwrap();
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let claims = part(&fresh.text("access_token"), 1);
    assert_eq!((&claims["roles"], &claims["scope"]), (&json!(["clerk"]), &json!("a:read")));
    let many = (0..100).map(|n| format!("resource-{n}:read-write"));
    assert!(matches!(issuer.set_scopes("alice", many).await, Err(Error::InvalidUser(_))));
    issuer.set_roles("alice", [] as [&str; 0]).await.unwrap();
    assert!(issuer.account("alice").await.unwrap().roles.is_empty());
}

/// Opens an issuer whose tokens are for itself alone, with alice and an administrator. Returns it
/// with the administrator's token.
pub(crate) async fn with_admin(home: &Home) -> (Issuer, String) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.audiences.clear();
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("root", PASSWORD).scopes([ADMIN_SCOPE])).await.unwrap();
    let token = login_as(&issuer, "root", PASSWORD).await.expect(200).text("access_token");
    (issuer, token)
}

async fn administrator_needs_the_scope_and_a_token_for_the_issuer_alone(home: Home) {
    const LIST: &str = "GET /v1/admin/users";
    let (issuer, token) = with_admin(&home).await;
    with_token(&issuer, LIST, &token).await.expect(200);
    let alices = login(&issuer).await.expect(200).text("access_token");
    with_token(&issuer, LIST, &alices).await.expect(403);
    // This token is also for an API.
    let shared = home.open().await;
    let seen = login_as(&shared, "root", PASSWORD).await.expect(200).text("access_token");
    let refused = with_token(&issuer, LIST, &seen).await.expect(403);
    assert_eq!(kind(&refused), "not-issuers-own");
    // The token still has the scope, but the user does not.
    issuer.set_scopes("root", ["a:read"]).await.unwrap();
    let refused = with_token(&issuer, LIST, &token).await.expect(403);
    assert_eq!(kind(&refused), "not-an-administrator");
}

async fn administrator_changes_accounts_and_is_in_the_audit_log(home: Home) {
    let (issuer, token) = with_admin(&home).await;
    let root = Some(issuer.account("root").await.unwrap().id);
    let alice = issuer.account("alice").await.unwrap().id;
    let path = |rest: &str| format!("/v1/admin/users/{alice}{rest}");
    let say = async |rest: &str, body: Value| ask(&issuer, &path(rest), &token, body).await;
    let call = async |method: &str, rest: &str| {
        with_token(&issuer, &format!("{method} {}", path(rest)), &token).await
    };
    let by_root = async |kind: &str| {
        assert_eq!(last(&issuer, kind).await, (Some(alice.clone()), root.clone()), "{kind}");
    };

    let grant = login(&issuer).await.expect(200);
    let ended = say("/password", json!({ "password": NEW })).await.expect(200);
    assert_eq!(ended.json, json!({ "ended_sessions": 1 }));
    has_ended(&issuer, &grant).await;
    by_root("password_changed").await;
    let weak = say("/password", json!({ "password": "password" })).await.expect(422);
    assert_eq!(kind(&weak), "invalid-password");

    let grant = login_as(&issuer, "alice", NEW).await.expect(200);
    call("DELETE", "/sessions").await.expect(200);
    has_ended(&issuer, &grant).await;
    by_root("logout_everywhere").await;

    say("/roles", json!({ "roles": ["clerk"] })).await.expect(204);
    by_root("roles_changed").await;
    say("/scopes", json!({ "scopes": ["a:read"] })).await.expect(204);
    by_root("scopes_changed").await;
    say("/scopes", json!({ "scopes": ["a b"] })).await.expect(422);

    let grant = login_as(&issuer, "alice", NEW).await.expect(200);
    let alices = grant.text("access_token");
    let body = json!({ "password": NEW });
    let secret = ask(&issuer, "/v1/auth/totp", &alices, body).await.expect(201).text("secret");
    step_up(&issuer, &alices, &code(&home, &secret)).await.expect(200);
    login_as(&issuer, "alice", NEW).await.expect(401);
    step_up(&issuer, &alices, &code(&home, &secret)).await.expect(403);
    call("POST", "/unlock").await.expect(204);
    by_root("second_factor_unlocked").await;
    call("DELETE", "/second-factor").await.expect(204);
    by_root("totp_removed").await;
    let grant = login_as(&issuer, "alice", NEW).await.expect(200);

    call("POST", "/disable").await.expect(200);
    has_ended(&issuer, &grant).await;
    by_root("user_disabled").await;
    let listed = with_token(&issuer, "GET /v1/admin/users?limit=1000", &token).await.expect(200);
    let users = listed.json["users"].as_array().unwrap().clone();
    let listed = users.iter().find(|user| user["id"] == *alice).unwrap();
    assert_eq!((&listed["name"], &listed["roles"]), (&json!("alice"), &json!(["clerk"])));
    assert!(listed["disabled_at"].is_i64() && users.len() == 2, "{users:?}");
    call("POST", "/enable").await.expect(204);
    by_root("user_enabled").await;
    login_as(&issuer, "alice", NEW).await.expect(200);
    call("DELETE", "").await.expect(200);
    by_root("user_removed").await;
    for (method, rest) in [("POST", "/disable"), ("DELETE", ""), ("DELETE", "/second-factor")] {
        assert_eq!(kind(&call(method, rest).await.expect(404)), "no-such-user");
    }
    with_token(&issuer, "POST /v1/admin/users/%00/disable", &token).await.expect(404);
}

/// A stolen token must not be enough for changes that require the password or a code.
async fn administrator_cannot_bypass_the_checks_of_the_own_account(home: Home) {
    let (issuer, token) = with_admin(&home).await;
    let root = issuer.account("root").await.unwrap().id;
    let own = |rest: &str| format!("/v1/admin/users/{root}{rest}");
    for (rest, body) in [
        ("/password", json!({ "password": NEW })),
        ("/address", json!({ "address": "thief@example.com" })),
    ] {
        let refused = ask(&issuer, &own(rest), &token, body).await.expect(403);
        assert_eq!(kind(&refused), "own-account");
    }
    for (method, rest) in [("DELETE", "/second-factor"), ("POST", "/unlock")] {
        let line = format!("{method} {}", own(rest));
        assert_eq!(kind(&with_token(&issuer, &line, &token).await.expect(403)), "own-account");
    }
    login_as(&issuer, "root", PASSWORD).await.expect(200);
    ask(&issuer, &own("/roles"), &token, json!({ "roles": ["boss"] })).await.expect(204);
}

async fn sessions_of_all_users_can_be_ended(home: Home) {
    let (issuer, token) = with_admin(&home).await;
    let grant = login(&issuer).await.expect(200);
    let ended = with_token(&issuer, "DELETE /v1/admin/sessions", &token).await.expect(200);
    assert_eq!(ended.json["ended_sessions"], 2);
    has_ended(&issuer, &grant).await;
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    let root = issuer.account("root").await.unwrap().id;
    assert_eq!(last(&issuer, "all_sessions_ended").await, (None, Some(root)));
    login(&issuer).await.expect(200);
    assert_eq!(issuer.end_all_sessions().await.unwrap(), 1);
    assert_eq!(last(&issuer, "all_sessions_ended").await.1.as_deref(), Some("operator"));
}

async fn own_password_is_changed_with_the_old_one_or_after_a_step_up(home: Home) {
    let issuer = home.open_with_alice().await;
    let (mine, other) = (login_own(&issuer).await.expect(200), login(&issuer).await.expect(200));
    let token = mine.text("access_token");
    let change =
        async |token: &str, body: Value| ask(&issuer, "/v1/auth/password", token, body).await;
    // A token that is also for an API is rejected, even with the right password.
    let right = json!({ "password": PASSWORD, "new_password": NEW });
    let refused = change(&other.text("access_token"), right).await.expect(403);
    assert_eq!(kind(&refused), "not-issuers-own");
    change(&token, json!({ "new_password": NEW })).await.expect(403);
    change(&token, json!({ "password": "wrong", "new_password": NEW })).await.expect(403);
    let weak = json!({ "password": PASSWORD, "new_password": "12345678" });
    assert_eq!(kind(&change(&token, weak).await.expect(422)), "invalid-password");
    change(&token, json!({ "password": PASSWORD, "new_password": NEW })).await.expect(204);
    has_ended(&issuer, &other).await;
    refresh(&issuer, &mine.text("refresh_token")).await.expect(200);
    let alice = issuer.account("alice").await.unwrap().id;
    assert_eq!(last(&issuer, "password_changed").await, (Some(alice), None), "no actor");
    login(&issuer).await.expect(401);

    issuer.set_password("alice", PASSWORD).await.unwrap();
    let mut config = home.config();
    config.audiences.clear();
    let own = Issuer::open(config).await.unwrap();
    let token = login(&own).await.expect(200).text("access_token");
    let secret = enrolled(&own, &token).await;
    let raised = step_up(&own, &token, &code(&home, &secret)).await.expect(200);
    let raised = raised.text("access_token");
    // The session is stepped up, but this token was issued before.
    let refused = change(&token, json!({ "new_password": NEW })).await.expect(403);
    assert_eq!(kind(&refused), "wrong-password");
    change(&raised, json!({ "new_password": NEW })).await.expect(204);
    // This token is fresh, but is also for an API.
    home.advance(30);
    let alice = json!({ "username": "alice", "password": NEW, "code": code(&home, &secret) });
    let seen = post(&issuer, "/v1/auth/login", &alice).await.expect(200);
    assert_eq!(part(&seen.text("access_token"), 1)["acr"], "aal2");
    let refused = change(&seen.text("access_token"), json!({ "new_password": PASSWORD })).await;
    assert_eq!(kind(&refused.expect(403)), "not-issuers-own");
    home.advance(271);
    change(&raised, json!({ "new_password": PASSWORD })).await.expect(403);
}

async fn password_that_breaks_a_rule_is_rejected_with_the_reason(home: Home) {
    let mut config = home.config();
    config.registration = true;
    let issuer = Issuer::open(config).await.unwrap();
    for (password, reason) in [
        ("1234567", "at least 8 characters"),
        ("alice.smith", "name or address"),
        ("P@ssw0rd", "attackers try first"),
        (&*"x".repeat(1025), "at most 1024 bytes"),
    ] {
        let body = json!({ "username": "alice.smith", "password": password });
        let refused = post(&issuer, "/v1/auth/register", &body).await.expect(422);
        assert_eq!(kind(&refused), "invalid-password");
        assert!(refused.text("detail").contains(reason), "{refused:?}");
    }
}

async fn names_differ_by_the_kelvin_sign_and_not_by_case(home: Home) {
    let mut config = home.config();
    config.attempts_per_account = 3;
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("Kelvin", PASSWORD)).await.unwrap();
    login_as(&issuer, "kELVIN", PASSWORD).await.expect(200);
    login_as(&issuer, "\u{212a}elvin", PASSWORD).await.expect(401);
    for name in ["kelvin", "KELVIN", "Kelvin"] {
        login_as(&issuer, name, "wrong").await.expect(401);
    }
    login_as(&issuer, "kelvin", PASSWORD).await.expect(429);
    // The name with the Kelvin sign (U+212A) is another name, with a count of its own.
    login_as(&issuer, "\u{212a}elvin", PASSWORD).await.expect(401);
    assert!(issuer.add_user(NewUser::new("\u{212a}elvin", PASSWORD)).await.is_err());
    assert!(issuer.sessions_of("\u{212a}elvin").await.unwrap().is_none());
}

async fn registrations_are_limited_like_logins(home: Home) {
    let mut config = home.config();
    config.registration = true;
    (config.attempts_per_account, config.attempts_per_address) = (3, 0);
    let issuer = Issuer::open(config).await.unwrap();
    let register = async |password: &str| {
        let body = json!({ "username": "bob", "password": password });
        post(&issuer, "/v1/auth/register", &body).await
    };
    register(PASSWORD).await.expect(201);
    register(PASSWORD).await.expect(409);
    register("password").await.expect(422);
    register(PASSWORD).await.expect(429);
    login_as(&issuer, "bob", PASSWORD).await.expect(200);
}
