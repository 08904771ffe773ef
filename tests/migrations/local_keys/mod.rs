//! Migration from jsonwebtoken with a secret. The old tokens have neither `iss` nor `aud`.

mod after;
mod before;
mod both;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::requests::{authenticator, bearer, hold, new_token, now, row};

const SECRET: &[u8] = b"32 bytes, of a random generator!";

fn old(claims: Value) -> Option<String> {
    bearer(encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap())
}

fn old_with_crit(claims: Value) -> Option<String> {
    let header = Header { crit: Some(vec!["x".to_owned()]), ..Header::default() };
    bearer(encode(&header, &claims, &EncodingKey::from_secret(SECRET)).unwrap())
}

pub async fn send(app: Router, request: Request<()>) -> StatusCode {
    app.oneshot(request.map(|()| Body::empty())).await.unwrap().status()
}

#[tokio::test]
async fn requests_get_the_expected_status_before_during_and_after() {
    let (exp, auth) = (now() + 900, authenticator().await);
    let ours = json!({"sub": "alice", "exp": exp, "iss": portcullis::testing::ISSUER});
    let rows = [
        row("no token", None, [401, 401, 401]),
        row("another scheme", Some("Basic YTpi".to_owned()), [401, 401, 401]),
        row("no JWT", bearer("opaque"), [401, 401, 401]),
        row("old", old(json!({"sub": "alice", "exp": exp})), [200, 200, 401]),
        row("old, expired", old(json!({"sub": "alice", "exp": exp - 2000})), [401, 401, 401]),
        row("old, without `exp`", old(json!({"sub": "alice"})), [401, 401, 401]),
        row(
            "old, not valid yet",
            old(json!({"sub": "alice", "exp": exp, "nbf": exp})),
            [200, 200, 401],
        ),
        row(
            "old, with `crit`",
            old_with_crit(json!({"sub": "alice", "exp": exp})),
            [200, 200, 401],
        ),
        row(
            "old, expired 30 s ago",
            old(json!({"sub": "alice", "exp": now() - 30})),
            [200, 200, 401],
        ),
        row("new", bearer(new_token().sign()), [401, 200, 200]),
        row("new, expired", bearer(new_token().expired().sign()), [401, 401, 401]),
        row("new, another audience", bearer(new_token().audience("other").sign()), [401, 401, 401]),
        // A client that knows the secret can set any `iss`; from step one the new gate validates such tokens.
        row("new issuer named, old secret", old(ours), [200, 401, 401]),
    ];
    let (before, both, after) =
        (before::app(SECRET), both::app(auth.clone(), SECRET), after::app(auth));
    hold(
        &rows,
        [
            &|request| send(before.clone(), request),
            &|request| send(both.clone(), request),
            &|request| send(after.clone(), request),
        ],
    )
    .await;
}
