//! The token that administration requires, and the end of all sessions.

use portcullis_issuer::{ADMIN_SCOPE, Issuer, NewUser};
use serde_json::json;

use crate::common::{
    Home, PASSWORD, execute, login, on_every_store, post, refresh, stranger, with_token,
};

on_every_store!(
    administrators_token_without_the_scope_is_403,
    end_of_all_sessions_includes_more_than_one_batch,
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
