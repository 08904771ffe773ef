//! The token that administration requires, and the end of all sessions.

use portcullis_issuer::{ADMIN_SCOPE, Issuer, NewUser};
use serde_json::json;

use crate::common::{
    Home, PASSWORD, execute, login, on_every_store, post, refresh, stranger, with_token,
};
use crate::people::{login_as, with_admin};

on_every_store!(
    administrators_token_without_the_scope_is_403,
    end_of_all_sessions_includes_more_than_one_batch,
    changes_of_accounts_need_a_recent_login,
);

/// A token lacks the scope if it was issued before the user got the scope.
async fn administrators_token_without_the_scope_is_403(home: Home) {
    const LIST: &str = "GET /v1/admin/users";
    let mut config = home.config();
    config.audiences.clear();
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("root", PASSWORD)).await.unwrap();
    let root = json!({ "username": "root", "password": PASSWORD });
    let before = post(&issuer, "/v1/auth/login", &root).await.expect(200);
    issuer.set_scopes("root", [ADMIN_SCOPE]).await.unwrap();
    with_token(&issuer, LIST, &before.text("access_token")).await.expect(403);
    let after = refresh(&issuer, &before.text("refresh_token")).await.expect(200);
    with_token(&issuer, LIST, &after.text("access_token")).await.expect(200);
}

async fn end_of_all_sessions_includes_more_than_one_batch(home: Home) {
    const MANY: &str = "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) \
        WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 1000) \
        SELECT 'copy-' || n, user_id, created_at, last_used_at, expires_at \
        FROM sessions CROSS JOIN copies";
    let issuer = home.open_with_alice().await;
    login(&issuer).await.expect(200);
    match home.postgres() {
        Some(_) => home.on_server(&[MANY]).await,
        None => execute(&mut stranger(&home).await, MANY).await,
    }
    assert_eq!(issuer.end_all_sessions().await.unwrap(), 1001);
}

async fn changes_of_accounts_need_a_recent_login(home: Home) {
    let (issuer, _) = with_admin(&home).await;
    let alice = issuer.account("alice").await.unwrap().id;
    let disable = format!("POST /v1/admin/users/{alice}/disable");
    let grant = login_as(&issuer, "root", PASSWORD).await.expect(200);
    home.advance(800);
    let grant = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    with_token(&issuer, &disable, &grant.text("access_token")).await.expect(200);
    home.advance(101);
    // A stolen refresh token gives no later `auth_time`.
    let grant = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let token = grant.text("access_token");
    for (method, path) in [
        ("POST", format!("/v1/admin/users/{alice}/disable")),
        ("POST", format!("/v1/admin/users/{alice}/enable")),
        ("POST", format!("/v1/admin/users/{alice}/password")),
        ("POST", format!("/v1/admin/users/{alice}/address")),
        ("POST", format!("/v1/admin/users/{alice}/roles")),
        ("POST", format!("/v1/admin/users/{alice}/scopes")),
        ("POST", format!("/v1/admin/users/{alice}/unlock")),
        ("DELETE", format!("/v1/admin/users/{alice}/second-factor")),
        ("DELETE", format!("/v1/admin/users/{alice}/sessions")),
        ("DELETE", format!("/v1/admin/users/{alice}")),
        ("DELETE", "/v1/admin/sessions".to_owned()),
    ] {
        let refused = with_token(&issuer, &format!("{method} {path}"), &token).await.expect(401);
        let challenge = refused.header("www-authenticate");
        let wanted = ["error=\"insufficient_user_authentication\"", "max_age=\"900\""];
        assert!(wanted.iter().all(|part| challenge.contains(part)), "{path}: {challenge}");
    }
    with_token(&issuer, "GET /v1/admin/users", &token).await.expect(200);
    let token = login_as(&issuer, "root", PASSWORD).await.expect(200).text("access_token");
    with_token(&issuer, &disable, &token).await.expect(200);
}
